# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What leaves a host for its maintenance, or when it is lost: servers, routers, DHCP servers."""

from __future__ import annotations

import types

import pytest
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.maintenance import (
    REASON,
    networks,
    providers,
    servers,
)
from ansible_collections.cairn.openstack.plugins.module_utils.common.changes import Failed, by_stages
from openstack.exceptions import HttpException


class Response:
    """A response of an API."""

    status_code = 200

    def __init__(self, body):
        self._body = body
        self.content = b"" if body is None else b"x"

    def json(self):
        """Return the body."""
        return self._body


class Nova:
    """Nova with compute hosts a and b, and these servers on a."""

    def __init__(self, *states, other="up"):
        self.hosts = {
            host: {"id": host, "host": host, "status": "enabled", "state": state, "forced_down": False}
            | {"disabled_reason": None}
            for host, state in (("a", "up"), ("b", other))
        }
        self.machines = {
            str(n): {"status": state, "OS-EXT-STS:task_state": None, "OS-EXT-SRV-ATTR:host": "a"}
            for n, state in enumerate(states)
        }
        self.volumes, self.refused, self.sent, self.moving = set(), {}, [], []

    def servers(self, all_tenants, host, marker=""):
        """List the servers of a host, two at a time."""
        assert all_tenants == "true"
        found = [
            {"id": number, "name": f"vm{number}", "status": one["status"]}
            | {"image": "" if number in self.volumes else {"id": "image"}}
            for number, one in self.machines.items()
            if one["OS-EXT-SRV-ATTR:host"] == host and number > marker
        ]
        return {"servers": found[:2]}

    def request(self, path, method, params=None, json=None, microversion=None):
        """Respond."""
        assert microversion == "2.90"
        words = path.strip("/").split("/")
        if words[0] == "os-migrations":
            return Response(
                {"migrations": [{"source_compute": "a", "instance_uuid": "1", "status": one} for one in self.moving]}
            )
        if words[0] == "os-services":
            if method == "GET":
                found = [one for one in self.hosts.values() if one["host"] == (params.get("host") or one["host"])]
                return Response({"services": found})
            self.sent.append(json)
            self.hosts[words[1]] |= json
            return Response({})
        if words[1] == "detail":
            return Response(self.servers(**params))
        one = self.machines[words[1]]
        if method == "POST":
            (action,) = json
            self.sent.append((words[1], action))
            if action not in self.refused:
                # At VERIFY_RESIZE Nova has the new host already.
                here = "b"
                status = {"migrate": "VERIFY_RESIZE", "confirmResize": "ACTIVE"}.get(action, one["status"])
                one |= {"status": status, "OS-EXT-SRV-ATTR:host": here}
            return Response(None)
        if len(words) == 2:
            return Response({"server": one})
        action, why = next(iter(self.refused.items()), ("", ""))
        names = {"os-migrateLive": "live-migration"}
        if len(words) == 3:
            found = [{"action": names.get(action, action), "request_id": "r", "message": None}]
            return Response({"instanceActions": found if self.refused else []})
        return Response({"instanceAction": {"events": [{"result": "Error", "details": why}]}})


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    for module in (servers, networks):
        monkeypatch.setattr(module, "LOOK", 0)


def of(nova, timeout=1):
    return servers.Servers(types.SimpleNamespace(compute=nova), "a", timeout)


class TestServers:
    def test_each_as_it_is(self):
        nova = Nova("ACTIVE", "SHUTOFF", "PAUSED")
        changes = list(of(nova).start(cold=True))
        assert [str(change) for change in changes] == [
            f"disable service process nova-compute on a: {REASON}",
            "migrate server vm0 (0): live",
            "migrate server vm1 (1): cold",
            "migrate server vm2 (2): live",
        ]
        assert nova.sent == []
        by_stages(changes)
        assert nova.hosts["a"]["status"] == "disabled"
        assert of(nova).remaining() == ""
        assert ("1", "confirmResize") in nova.sent
        assert list(of(nova).start(cold=True)) == []

    def test_one_that_cannot_be_migrated_live(self):
        nova = Nova("ACTIVE")
        nova.refused = {"os-migrateLive": "no common CPU"}
        _disable, change = of(nova).start(cold=True)
        change.make()
        assert str(change) == "migrate server vm0 (0): cold: no common CPU"
        assert of(nova).remaining() == ""

    def test_one_that_must_not_stop(self):
        nova = Nova("ACTIVE")
        nova.refused = {"os-migrateLive": "no common CPU"}
        _disable, change = of(nova).start(cold=False)
        with pytest.raises(Failed, match=r"migrate server vm0 \(0\): live: no common CPU"):
            change.make()
        assert of(nova).remaining() == "vm0 (0) (ACTIVE)"

    def test_one_in_an_odd_state_is_named(self):
        nova = Nova("ACTIVE", "RESCUE")
        with pytest.raises(Failed, match=r"vm1 \(1\): RESCUE: it is RESCUE: no server in this state can be moved"):
            by_stages(list(of(nova).start(cold=True)))
        assert of(nova).remaining() == "vm1 (1) (RESCUE)"

    @pytest.mark.parametrize("call", [lambda one: one.start(True), lambda one: one.lost(True)])
    def test_nowhere_to_go(self, call):
        nova = Nova("ACTIVE", other="down")
        nova.hosts["a"]["state"] = "down"
        with pytest.raises(Failed, match="a has 1 servers, and no other compute host takes them"):
            list(call(of(nova)))

    def test_no_compute_host(self):
        nova = Nova()
        del nova.hosts["a"]
        assert [*of(nova).start(True), *of(nova).end(), *of(nova).lost(True)] == []

    def test_back_in_use(self):
        nova = Nova("ACTIVE")
        nova.hosts["a"] |= {"status": "disabled", "disabled_reason": REASON, "forced_down": True}
        by_stages(list(of(nova).end()))
        assert nova.hosts["a"]["status"] == "enabled"
        assert nova.hosts["a"]["forced_down"] is False
        nova.hosts["a"] |= {"status": "disabled", "disabled_reason": "a broken disk"}
        assert list(of(nova).end()) == []

    def test_lost(self):
        nova = Nova("ACTIVE", "SHUTOFF", "ERROR")
        nova.hosts["a"]["state"] = "down"
        changes = list(of(nova).lost(shared=True))
        assert [(change.verb, change.name) for change in changes] == [
            ("disable", "nova-compute on a"),
            *(("evacuate", f"vm{n} ({n})") for n in range(3)),
        ]
        changes[0].make()
        assert nova.hosts["a"]["forced_down"] is True
        changes[1].make()
        assert of(nova).remaining() == "vm1 (1) (SHUTOFF), vm2 (2) (ERROR)"

    def test_no_disk_is_replaced_by_an_empty_one(self):
        nova = Nova("ACTIVE", "ACTIVE")
        nova.volumes = {"1"}
        nova.hosts["a"]["state"] = "down"
        with pytest.raises(Failed, match=r"vm0 \(0\): ACTIVE: its disk was on that host only"):
            by_stages(list(of(nova).lost(shared=False)))
        assert of(nova).remaining() == "vm0 (0) (ACTIVE)"

    def test_one_that_still_reports(self, monkeypatch):
        monkeypatch.setattr(servers, "SILENT", 0)
        with pytest.raises(Failed, match="nova-compute on a still reports to Nova: power the host off"):
            list(of(Nova("ACTIVE")).lost(shared=True))

    def test_the_source_has_ended_its_part(self):
        nova = Nova()
        nova.moving = ["completed", "finished"]
        of(nova).settled()
        nova.moving = ["confirming"]
        with pytest.raises(Failed, match=r"migrations that have not ended after 0 s: 1 \(confirming\)"):
            of(nova, timeout=0).settled()

    def test_too_long(self):
        nova = Nova("ACTIVE")
        nova.machines["0"]["OS-EXT-STS:task_state"] = "migrating"
        _disable, change = of(nova, timeout=0).start(cold=False)
        with pytest.raises(Failed, match=r"still ACTIVE \(migrating\) after 0 s"):
            change.make()


class Neutron:
    """Neutron with agents on hosts, routers (name → hosts, whether redundant) and networks (name → hosts)."""

    def __init__(self, hosts, routers=(), nets=()):
        self.agents = [
            {"id": f"{kind}-{host}", "host": host, "alive": True, "admin_state_up": True, "agent_type": full}
            | {"binary": f"neutron-{kind}-agent", "description": None, "configurations": {}}
            for host in hosts
            for kind, full in (("l3", networks.L3), ("dhcp", networks.DHCP), ("metadata", "Metadata agent"))
        ]
        self.routers, self.nets = dict(routers), dict(nets)
        # Requests that end with an error of the database.
        self.deadlocks = 0

    def request(self, path, method, json=None):
        """Respond."""
        if self.deadlocks and method != "GET":
            self.deadlocks -= 1
            raise HttpException("internal server error", http_status=500)
        words = path.strip("/").split("/")
        if path == "/agents":
            return Response({"agents": self.agents})
        if words[0] == "routers":
            hosts, _ha = self.routers[words[1]]
            down = {one["host"] for one in self.agents if not one["admin_state_up"]}
            up = [host for host in hosts if host not in down]
            found = [{"id": f"l3-{h}", "host": h, "ha_state": "active" if h == up[0] else "standby"} for h in up]
            return Response({"agents": found})
        if words[0] == "networks":
            return Response({"agents": [{"id": f"dhcp-{host}"} for host in self.nets[words[1]]]})
        kind, host = words[1].split("-")
        if method == "PUT":
            next(one for one in self.agents if one["id"] == words[1]).update(json["agent"])
            return Response({})
        of = self.nets if kind == "dhcp" else {name: hosts for name, (hosts, _ha) in self.routers.items()}
        if method == "POST":
            of[json.get("network_id") or json["router_id"]].append(host)
        elif method == "DELETE":
            of[words[3]].remove(host)
        elif kind == "dhcp":
            found = [{"id": name, "name": name} for name, hosts in of.items() if host in hosts]
            return Response({"networks": found})
        else:
            found = [{"id": one, "name": one, "ha": self.routers[one][1]} for one in of if host in of[one]]
            return Response({"routers": found})
        return Response(None)


def at(neutron):
    return networks.Networks(types.SimpleNamespace(network=neutron), "a", 1)


class TestNetworks:
    def test_what_has_one_place_moves_before_the_agent_stops(self):
        neutron = Neutron("abc", {"one": (["a"], False), "two": (["b"], False), "ha": (["a", "b"], True)}, {"n": ["a"]})
        changes = list(at(neutron).start())
        assert [str(change) for change in changes] == [
            "move router one (one): to c",
            f"disable service process neutron-l3-agent on a: {REASON}",
            "move DHCP server n (n): to b",
            f"disable service process neutron-dhcp-agent on a: {REASON}",
        ]
        by_stages(sorted(changes, key=lambda change: change.stage))
        assert neutron.routers["one"] == (["c"], False)
        assert neutron.nets == {"n": ["b"]}
        assert list(at(neutron).start()) == []
        by_stages(list(at(neutron).end()))
        assert all(one["admin_state_up"] for one in neutron.agents)

    def test_distributed_routers_stay(self):
        """The agent of a compute host serves those of its servers."""
        neutron = Neutron("abc", {"one": (["a"], False)})
        for agent in neutron.agents:
            if agent["agent_type"] == networks.L3 and agent["host"] != "b":
                agent["configurations"] = {"agent_mode": "dvr"}
        assert not any("router" in str(change) or "l3" in str(change) for change in at(neutron).start())

    def test_a_deadlock_in_the_database(self, monkeypatch):
        monkeypatch.setattr(networks.time, "sleep", lambda _seconds: None)
        neutron = Neutron("ab", nets={"n": ["a"]})
        (move,) = (change for change in at(neutron).start() if change.kind == "DHCP server")
        neutron.deadlocks = 4
        with pytest.raises(Failed, match="internal server error"):
            move.make()
        neutron.deadlocks = 3
        move.make()
        assert neutron.nets == {"n": ["b"]}

    def test_a_second_dhcp_server_need_not_move(self):
        neutron = Neutron("ab", nets={"n": ["a", "b"]})
        assert [change.kind for change in at(neutron).start()] == ["service process", "service process"]

    @pytest.mark.parametrize(
        "more", [{"routers": {"one": (["a"], False)}}, {"nets": {"n": ["a"]}}, {"routers": {"one": (["a"], True)}}]
    )
    def test_nowhere_to_go(self, more):
        with pytest.raises(Failed, match=r"a alone has .*, and no other agent is alive|no other host that works"):
            list(at(Neutron("a", **more)).start())

    def test_a_router_that_no_other_host_takes_over(self, monkeypatch):
        monkeypatch.setattr(networks.Networks, "_active_elsewhere", lambda _self, _router: False)
        agents = at(Neutron("ab", {"ha": (["a", "b"], True)}))
        agents.timeout = 0
        with pytest.raises(Failed, match="active on no other host after 0 s: ha"):
            by_stages(list(agents.start()))

    def test_lost(self):
        neutron = Neutron("ab", {"one": (["a"], False)}, {"n": ["a"]})
        assert [change.kind for change in at(neutron).start(lost=True)] == ["router", "DHCP server"]

    def test_an_agent_that_others_disabled_stays_so(self):
        neutron = Neutron("ab")
        neutron.agents[0] |= {"admin_state_up": False, "description": "broken"}
        assert list(at(neutron).end()) == []


class Placement:
    """Placement with compute hosts a and b; a server was evacuated from a to b."""

    def __init__(self):
        tree = {"a": ("a.example", None), "a-vgpu": ("a_vgpu", "a"), "b": ("b", None)}
        self.providers = {
            uuid: {"uuid": uuid, "name": name, "parent_provider_uuid": parent} for uuid, (name, parent) in tree.items()
        }
        self.held = {"server": {"a": {"resources": {"VCPU": 1}, "generation": 3}, "b": {"resources": {"VCPU": 1}}}}

    def request(self, path, method, params=None, json=None, microversion=None):
        """Respond."""
        words = path.strip("/").split("/")
        if method == "DELETE":
            assert not any(words[1] in one for one in self.held.values())
            assert not any(one["parent_provider_uuid"] == words[1] for one in self.providers.values())
            del self.providers[words[1]]
            return Response(None)
        if method == "PUT":
            assert json.keys() == {"allocations", "project_id", "user_id", "consumer_generation"}
            assert json["consumer_generation"] == 7
            assert microversion == "1.28"
            self.held[words[1]] = json["allocations"]
            return Response(None)
        if words[0] == "allocations":
            return Response(
                {"allocations": self.held[words[1]], "project_id": "p", "user_id": "u", "consumer_generation": 7}
            )
        if words[-1] == "allocations":
            return Response({"allocations": {name: {} for name, one in self.held.items() if words[1] in one}})
        root = (params or {}).get("in_tree")
        found = [one for one in self.providers.values() if root in (None, one["uuid"], one["parent_provider_uuid"])]
        return Response({"resource_providers": found})


class TestProviders:
    def test_what_an_evacuation_leaves_behind(self):
        placement = Placement()
        changes = list(providers.Providers(types.SimpleNamespace(placement=placement), "a").remove())
        assert [str(change) for change in changes] == ["delete resource provider a.example"]
        assert "a" in placement.providers
        by_stages(changes)
        assert list(placement.providers) == ["b"]
        assert placement.held == {"server": {"b": {"resources": {"VCPU": 1}}}}

    def test_nothing_to_do(self):
        assert list(providers.Providers(types.SimpleNamespace(placement=Placement()), "c").remove()) == []
