# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Verification of Heat by a stack, against an API of the same form."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify import servers, stacks
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify.checks import Bad, NotRun
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify.run import Run

ENDPOINT = "https://127.0.0.1:8004/v1/project"
RUN = "cairn-verify-20260102000000-0a0b"


class Heat:
    """A stack that is complete at once, unless its server's signal is awaited."""

    def __init__(self, waits=False, fails=False, keeps=()):
        self.waits, self.fails, self.keeps = waits, fails, keeps
        self.resources, self.action, self.signals = {}, "", 0

    @property
    def status(self):
        if self.action == "CREATE" and self.waits and not self.signals:
            return "CREATE_IN_PROGRESS"
        return f"{self.action}_{'FAILED' if self.fails else 'COMPLETE'}"

    def request(self, path, method, json=None):
        found = {}
        if path.endswith("/signal"):
            self.signals += 1
        elif path.endswith("/resources"):
            found = {"resources": list(self.resources.values())}
        elif method in ("POST", "PUT"):
            self.action = "CREATE" if method == "POST" else "UPDATE"
            for name in json["template"]["resources"]:
                state = {"resource_status": "CREATE_COMPLETE", "resource_status_reason": ""}
                if self.fails and name == "server":
                    state = {"resource_status": "CREATE_FAILED", "resource_status_reason": "No valid host was found"}
                known = {"resource_name": name, "physical_resource_id": f"id-{name}", **state}
                self.resources.setdefault(name, known)
            found = {"stack": {"id": "s1"}}
        elif method == "DELETE":
            self.action = "DELETE"
        else:
            found = {"stack": {"id": "s1", "stack_status": self.status, "stack_status_reason": "state changed"}}
        return SimpleNamespace(json=lambda: found, status_code=200)

    def left(self, *names):
        """Return a list of the SDK's with what remains after the deletion."""
        return lambda **_query: [SimpleNamespace(id=f"id-{name}") for name in names if name in self.keeps]


@pytest.fixture
def begin(monkeypatch):
    """Return a run with a Heat as it is told, and that Heat."""
    monkeypatch.setattr(stacks, "rest", lambda proxy, method, path, **more: proxy.request(path, method, **more))
    monkeypatch.setattr(servers, "console", lambda _admin, _server: f"{stacks.UNREACHED} 127.0.0.1")

    def run(**told):
        heat = Heat(**told)
        catalog = SimpleNamespace(catalog=[{"type": "block-storage"}], url_for=lambda *_words, **_more: ENDPOINT)
        access = SimpleNamespace(service_catalog=catalog)
        user = SimpleNamespace(
            session=SimpleNamespace(auth=SimpleNamespace(get_access=lambda _session: access)),
            orchestration=heat,
            network=SimpleNamespace(networks=heat.left("network"), routers=heat.left("router"), ips=heat.left()),
            compute=SimpleNamespace(servers=heat.left("server")),
            block_storage=SimpleNamespace(volumes=heat.left("volume")),
        )
        external = SimpleNamespace(id="external")
        options = {"boot_timeout": 0}
        return Run(
            RUN, None, options, user=user, external=external, image="image", flavor=SimpleNamespace(id="flavor")
        ), heat

    return run


def test_one_that_its_server_signals(begin):
    run, heat = begin()
    assert stacks.created(run) == "11 resources"
    assert stacks.signalled(run) == "by the server, to https://127.0.0.1:8004"
    assert heat.signals == 0
    assert stacks.updated(run) == "one network more"
    assert stacks.deleted(run) == "12 resources"


def test_a_server_that_does_not_reach_the_api(begin, monkeypatch):
    run, heat = begin(waits=True)
    monkeypatch.setattr(stacks, "poll", lambda ask, *_seconds: [ask(), ask()][-1])
    run.options["boot_timeout"] = 1
    stacks.created(run)
    assert heat.signals == 1
    with pytest.raises(NotRun, match="does not reach https:"):
        stacks.signalled(run)


def test_a_resource_that_fails_is_named(begin):
    run, _heat = begin(fails=True)
    with pytest.raises(Bad, match="CREATE_FAILED: server: No valid host was found"):
        stacks.created(run)


def test_what_a_deletion_leaves_is_named(begin):
    run, _heat = begin(keeps=("volume",))
    stacks.created(run)
    with pytest.raises(Bad, match="left behind: id-volume"):
        stacks.deleted(run)


def test_the_template_has_no_volume_in_a_cloud_without_volumes(begin):
    run, _heat = begin()
    assert "volume" not in stacks.template(run, ENDPOINT, volumes=False)["resources"]
