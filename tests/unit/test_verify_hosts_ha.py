# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Verification of Masakari, against an API of the same form."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify import hosts_ha
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify.checks import Bad, NotRun
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify.run import Run


class Masakari:
    """A segment with hosts; a notification has ended at once."""

    def __init__(self, hosts=("n1", "n2"), method="auto", resting=(), state="finished", careless=False):
        self.hosts, self.method, self.resting, self.state, self.careless = hosts, method, resting, state, careless
        self.told = []

    def request(self, path, method, **more):
        if path == "/segments":
            return answer({"segments": [{"uuid": "s1", "name": "compute", "recovery_method": self.method}]})
        if path == "/segments/s1/hosts":
            return answer({"hosts": [{"name": name, "on_maintenance": name in self.resting} for name in self.hosts]})
        if method == "POST":
            self.told.append(more["json"]["notification"])
        return answer({"notification": {"notification_uuid": "u1", "status": self.state}})

    def as_user(self, path, method, **more):
        return self.request(path, method, **more) if self.careless else answer({}, 403)


def answer(content, status=200):
    return SimpleNamespace(json=lambda: content, status_code=status)


@pytest.fixture
def begin(monkeypatch):
    """Return a run with a Masakari, and two compute hosts in Nova."""

    def rest(proxy, method, path, **more):
        found = proxy.request(path, method, **more)
        assert found.status_code < 400, path
        return found

    monkeypatch.setattr(hosts_ha, "rest", rest)
    monkeypatch.setattr(hosts_ha, "client", lambda connection, kind: connection.of[kind])

    def start(masakari):
        listed = {"services": [{"host": "n2"}, {"host": "n1"}]}
        nova = SimpleNamespace(request=lambda path, method, **more: answer(listed))
        admin = SimpleNamespace(of={"instance-ha": masakari}, compute=nova)
        user = SimpleNamespace(of={"instance-ha": SimpleNamespace(request=masakari.as_user)})
        return Run("cairn-verify-1", admin, {"api_timeout": 0}, user=user)

    return start


def test_all_is_well(begin):
    masakari = Masakari(resting=("n1",))
    run = begin(masakari)
    assert hosts_ha.known(run) == "2 hosts"
    assert hosts_ha.notified(run) == "taken note of, for n2"
    # Anything else would have the host's servers moved.
    ((kind, event),) = [(one["type"], one["payload"]["event"]) for one in masakari.told]
    assert (kind, event) == ("PROCESS", "STARTED")


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"hosts": ("n1",)}, "Nova has the compute hosts n1, n2, Masakari n1"),
        ({"hosts": ("n1", "n2", "n3")}, "Masakari n1, n2, n3"),
        ({"method": "reserved_host"}, "Masakari $"),
        ({"careless": True}, "the status 200"),
    ],
)
def test_hosts_that_differ_are_told(begin, more, words):
    with pytest.raises(Bad, match=words):
        hosts_ha.known(begin(Masakari(**more)))


@pytest.mark.parametrize(("state", "words"), [("failed", "is failed"), ("running", "not over after 0 s")])
def test_a_notification_that_is_not_worked_off(begin, state, words):
    with pytest.raises(Bad, match=words):
        hosts_ha.notified(begin(Masakari(state=state)))


def test_all_hosts_on_maintenance(begin):
    with pytest.raises(NotRun):
        hosts_ha.notified(begin(Masakari(resting=("n1", "n2"))))
