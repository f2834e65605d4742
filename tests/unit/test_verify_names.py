# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Verification of Designate, against an API and name servers of the same form."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify import names, optional
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify.checks import Bad, NotRun
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify.run import TENANT, Guest, Run

RUN = "cairn-verify-20260102000000-0a0b"


class Designate:
    """Zones of one project, and the name servers that have them.

    :param deaf: those that learn nothing.
    """

    def __init__(self, servers=("ns1.cloud", "ns2.cloud"), deaf=()):
        self.servers, self.deaf = servers, deaf
        self.zones, self.records, self.refused = {}, {}, False

    def request(self, path, method, json=None, headers=None):
        found = {"zones": [{"id": key, "name": name, "project_id": "p1"} for key, name in self.zones.items()]}
        found["zones"].append({"id": "c1", "name": "catalog.cloud.", "project_id": None})
        if path == "/reverse/floatingips/RegionOne:i1":
            name = "99.2.0.192.in-addr.arpa.", "PTR"
            self.zones["z2"] = "2.0.192.in-addr.arpa."
            self.records[name] = {json["ptrdname"]} - {None}
        elif path.endswith("/recordsets"):
            self.records[json["name"], json["type"]] = set(json["records"])
        elif path.endswith("/nameservers"):
            found = {"nameservers": [{"hostname": f"{server}."} for server in self.servers]}
        elif method == "POST":
            self.zones["z1"] = json["name"]
            found = {"id": "z1"}
        elif method == "DELETE":
            self.zones.pop(path.split("/")[2])
            self.records.clear()
            self.refused = not self.zones
        return SimpleNamespace(json=lambda: found)

    def ask(self, server, name, kind):
        if self.refused:
            return {"REFUSED"}
        return set() if server in self.deaf else self.records.get((name, kind), set())


@pytest.fixture
def begin(monkeypatch):
    """Return a run with a Designate, whose checks wait for nothing."""
    monkeypatch.setattr(names, "rest", lambda proxy, method, path, **more: proxy.request(path, method, **more))
    monkeypatch.setattr(names, "poll", lambda function, *_: function())

    def resolve(host):
        if host == "elsewhere":
            raise OSError("unknown")
        return f"address of {host}"

    monkeypatch.setattr(names.socket, "gethostbyname", resolve)

    def run(designate):
        monkeypatch.setattr(names, "ask", designate.ask)
        connection = SimpleNamespace(dns=designate)
        return Run(RUN, connection, {"delete_timeout": 1}, user=SimpleNamespace(dns=designate))

    return run


def test_a_zone(begin):
    designate = Designate()
    run = begin(designate)
    assert names.zone(run) == "2 name servers answer"
    names.gone(run)
    assert not designate.zones


def test_a_name_server_that_learns_nothing(begin):
    said = r"is not 192.0.2.53 after 90 s: address of ns1.cloud: 192.0.2.53; address of ns2.cloud: none"
    with pytest.raises(Bad, match=said):
        names.zone(begin(Designate(deaf=["address of ns2.cloud"])))


def test_name_servers_that_are_unknown_here(begin):
    with pytest.raises(NotRun, match="elsewhere are unknown"):
        names.zone(begin(Designate(servers=["elsewhere"])))


class Neutron:
    """Neutron, which names floating IPs in a zone, and forgets the name with the port."""

    def __init__(self, designate, forgets=True):
        self.designate, self.forgets = designate, forgets

    def create_network(self, **fields):
        return SimpleNamespace(id="n1", **fields)

    def create_subnet(self, **_fields):
        return SimpleNamespace(id="u1")

    def add_interface_to_router(self, _router, subnet_id):
        assert subnet_id == "u1"

    def create_ip(self, **_fields):
        self.designate.records[f"{RUN}-named.{RUN}.test.", "A"] = {"192.0.2.99"}
        return SimpleNamespace(id="i1", floating_ip_address="192.0.2.99")

    def delete_ip(self, _ip):
        """Leave the reverse zone, as Designate does."""

    def delete_port(self, _port):
        if self.forgets:
            del self.designate.records[f"{RUN}-named.{RUN}.test.", "A"]


@pytest.mark.parametrize("forgets", [True, False])
def test_names_of_a_server(begin, monkeypatch, forgets):
    pytest.importorskip("dns")
    designate = Designate()
    run = begin(designate)
    names.zone(run)
    run.external = SimpleNamespace(id="e1")
    run.user.config = SimpleNamespace(get_region_name=lambda: "RegionOne")
    run.user.network = Neutron(designate, forgets)
    run.user.compute = SimpleNamespace(delete_server=lambda _server: None, servers=lambda details: [])
    monkeypatch.setattr(names.servers, "create", lambda run, *_args, **_more: Guest(f"{RUN}-named", "s1", TENANT, "p1"))
    monkeypatch.setattr(names.servers, "active", lambda *_: None)
    if forgets:
        assert "is 192.0.2.99 until the server is deleted" in names.names(run)
        assert list(designate.zones) == ["z1"]
    else:
        with pytest.raises(Bad, match="is not none"):
            names.names(run)


def test_without_an_external_network(begin):
    with pytest.raises(NotRun, match="external"):
        names.names(begin(Designate()))


def test_zones_that_are_left_are_deleted(begin, monkeypatch):
    designate = Designate()
    run = begin(designate)
    names.zone(run)
    monkeypatch.setattr(names.account, "admin_of", lambda admin, project: SimpleNamespace(dns=designate))
    assert names.sweep(run.admin, "p1", 0) == []
    assert not designate.zones
    assert [service.name for service in optional.of(["designate"])] == ["designate"]
