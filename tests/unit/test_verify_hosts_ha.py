# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Verification of Masakari, against an API of the same form."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify import hosts_ha
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify.checks import Bad, NotRun
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify.run import MOVED, Guest, Run
from api_double import answer, connect


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


@pytest.fixture
def begin(monkeypatch):
    """Return a run with a Masakari, and two compute hosts in Nova."""
    connect(monkeypatch, hosts_ha)

    def start(masakari, does=()):
        listed = {"services": [{"host": "n2"}, {"host": "n1"}]}

        def actions(_id):
            # What Masakari is told of, it has done at once.
            done = [*does, "resize", "create"] if masakari.told else ["resize", "create"]
            return [SimpleNamespace(action=name) for name in done]

        nova = SimpleNamespace(
            request=lambda path, method, **more: answer(listed),
            server_actions=actions,
            get_server=lambda _id: SimpleNamespace(status="ACTIVE", compute_host="n2", fault=None),
        )
        admin = SimpleNamespace(of={"instance-ha": masakari}, compute=nova)
        user = SimpleNamespace(of={"instance-ha": SimpleNamespace(request=masakari.as_user)})
        options = {"api_timeout": 0, "boot_timeout": 1, "lease_line": ""}
        guests = [Guest("moved", "i1", MOVED, host="n2", active=True)]
        return Run("cairn-verify-1", admin, options, user=user, guests=guests)

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


def test_a_server_that_masakari_starts_again(begin):
    masakari = Masakari()
    assert hosts_ha.started_again(begin(masakari, does=("start", "stop"))) == "moved on n2"
    (told,) = masakari.told
    assert (told["type"], told["hostname"], told["payload"]["instance_uuid"]) == ("VM", "n2", "i1")


@pytest.mark.parametrize(
    ("does", "state", "words"),
    [
        ((), "finished", "Masakari did nothing to moved"),
        (("stop",), "finished", "Masakari did stop to moved"),
        ((), "failed", "the notification is failed"),
        ((), "ignored", "the notification is ignored"),
    ],
)
def test_a_server_that_it_does_not_start_again(begin, does, state, words):
    with pytest.raises(Bad, match=words):
        hosts_ha.started_again(begin(Masakari(state=state), does=does))
