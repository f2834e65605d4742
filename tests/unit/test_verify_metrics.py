# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Verification of measurements and alarms, against APIs of the same form."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify import metrics, optional
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify.checks import Bad
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify.run import TENANT, Guest, Run

RUN = "cairn-verify-20260102000000-0a0b"


class Telemetry:
    """Gnocchi, Aodh and Heat of one project.

    :param metrics: those that have measurements.
    :param fires: whether the alarm fires.
    :param members: of the group of a stack.
    :param stays: whether the stack can't be deleted.
    """

    def __init__(self, metrics=(), fires=True, members=2, stays=False):
        self.metrics, self.fires, self.members, self.stays = metrics, fires, members, stays
        self.alarms, self.stacks = {}, {}

    def answer(self, path, method, body):
        if path.startswith("/v1/search/resource/"):
            assert body == {"=": {("id" if path.endswith("/instance") else "instance_id"): "s1"}}
            return [{"metrics": {name: name for name in self.metrics}}]
        if path.startswith("/v1/metric/"):
            return [["2026-01-02T00:00:00", 60.0, 7.0]]
        if path.startswith("/v2/alarms"):
            return self.alarm(path, method, body)
        return self.stack(method, body)

    def alarm(self, path, method, body):
        if method == "POST":
            self.alarms["a1"] = body
            return {"alarm_id": "a1"}
        if method == "DELETE":
            del self.alarms["a1"]
            return None
        if path.endswith("/state"):
            return "alarm" if self.fires else "insufficient data"
        if path == "/v2/alarms":
            return [{"alarm_id": name, "name": body["name"]} for name, body in self.alarms.items()]
        return {"state_reason": "no measurement"}

    def stack(self, method, body):
        if method == "POST":
            self.stacks["g1"] = body["template"]
            return {"stack": {"id": "g1"}}
        state = "CREATE_COMPLETE" if self.stacks else "DELETE_COMPLETE"
        if method == "DELETE" and not self.stays:
            self.stacks.clear()
        outputs = [{"output_key": "members", "output_value": ["m"] * self.members}]
        return {"stack": {"id": "g1", "stack_status": state, "stack_status_reason": "said", "outputs": outputs}}

    def request(self, path, method, json=None):
        found = self.answer(path, method, json)
        return SimpleNamespace(json=lambda: found, status_code=200)


@pytest.fixture
def begin(monkeypatch):
    """Return a run with these services and a server, whose user waits for nothing."""
    monkeypatch.setattr(metrics, "rest", lambda proxy, method, path, **more: proxy.request(path, method, **more))
    monkeypatch.setattr(metrics, "poll", lambda function, *_: function())

    def run(telemetry):
        config = SimpleNamespace(get_session_client=lambda kind: telemetry)
        connection = SimpleNamespace(config=config, orchestration=telemetry, endpoint_for=lambda kind: "https://cloud")
        begun = Run(RUN, connection, {"services": ["heat", "aodh"], "metrics_interval": 60}, user=connection)
        begun.network = SimpleNamespace(id="n1")
        begun.guests.append(Guest("g", "s1", TENANT, active=True))
        return begun

    return run


ALL = ("cpu", "memory.resident", "disk.device.read.bytes", "network.incoming.bytes")


def test_what_is_measured(begin):
    assert metrics.measured(begin(Telemetry(metrics=ALL))) == "processor 7, memory 7, disk 7, network 7"


def test_what_does_not_arrive(begin):
    with pytest.raises(Bad, match="no measurement of memory, network after 4 intervals of 60 s"):
        metrics.measured(begin(Telemetry(metrics=(ALL[0], ALL[2]))))


def test_an_alarm(begin):
    telemetry = Telemetry()
    assert "every 60 s" in metrics.fired(begin(telemetry))
    assert not telemetry.alarms


def test_an_alarm_that_does_not_fire(begin):
    with pytest.raises(Bad, match="'insufficient data' after 480 s: no measurement"):
        metrics.fired(begin(Telemetry(fires=False)))


def test_a_group(begin):
    telemetry = Telemetry()
    assert "two" in metrics.grown(begin(telemetry))
    assert not telemetry.stacks


def test_a_group_that_stays(begin):
    with pytest.raises(Bad, match="did not grow within 480 s; the stack is CREATE_COMPLETE: said"):
        metrics.grown(begin(Telemetry(members=1)))


def test_a_group_whose_stack_stays(begin):
    with pytest.raises(Bad, match="the stack is not deleted"):
        metrics.grown(begin(Telemetry(stays=True)))


def test_a_group_needs_heat(begin):
    run = begin(Telemetry())
    assert metrics.alarms(run, lambda name, *_args, **_more: name) == ["alarm", "scaling group"]
    run.options["services"] = ["aodh"]
    assert metrics.alarms(run, lambda name, *_args, **_more: name) == ["alarm"]


def test_alarms_that_are_left_are_deleted(begin, monkeypatch):
    telemetry = Telemetry()
    run = begin(telemetry)
    telemetry.alarm("/v2/alarms", "POST", {"name": "left"})
    monkeypatch.setattr(metrics.account, "admin_of", lambda admin, project: admin)
    assert metrics.sweep(run.admin, "p1", 0) == []
    assert not telemetry.alarms


def test_both_are_optional_services():
    assert [service.name for service in optional.of(["aodh", "ceilometer"])] == ["ceilometer", "aodh"]
