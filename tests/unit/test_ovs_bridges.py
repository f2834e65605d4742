# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From the actual to the desired state: differences and commands, on simulated hosts."""

from __future__ import annotations

import json

import pytest
from ansible_collections.cairn.openstack.plugins.module_utils.host import bridge_setup, ovs_bridges
from ansible_collections.cairn.openstack.plugins.module_utils.host.bridge_setup import NOTHING, BridgesError


def asked(*bridges, datapath="netdev"):
    """The parameters as a record without nics, what is not given as the module's defaults."""
    defaults = {"ports": [], "patches": [], "addresses": [], "routes": [], "take_over": None, "mtu": None}
    return ovs_bridges.asked(
        {"state": "present", "datapath": datapath, "bridges": [{**defaults, **bridge} for bridge in bridges]}
    )


def link(mac="02:00:00:00:00:01", addresses=(), routes=(), silent=False, tx_checksums=True):
    """An interface as the host shows it."""
    return {
        "mac": mac,
        "mtu": 1500,
        "up": True,
        "master": "",
        "addresses": list(addresses),
        "routes": list(routes),
        "silent": silent,
        "own_arp": True,
        "tx_checksums": tx_checksums,
    }


def host(**links):
    """A host without bridges, one nic with an address and the default route."""
    nic = link(addresses=["10.0.0.1/24"], routes=[{"to": "default", "via": "10.0.0.254"}])
    return {"links": {"eth0": nic, **links}, "bridges": {}, "error": ""}


def made(record):
    """A host on which *record* stands, with things of Neutron's besides."""
    answer = host(eth0=link(silent=True, tx_checksums=record["datapath"] == "system"))
    for bridge in record["bridges"]:
        name = bridge["name"]
        held = {key: bridge_setup.held(record, name, key) for key in ("addresses", "routes")}
        answer["links"][name] = link(**held, tx_checksums=record["datapath"] == "system")
        answer["links"][name]["addresses"].append("10.0.0.99/32")
        ports = {name: "", f"phy-{name}": f"int-{name}", **dict.fromkeys(bridge["ports"], "")}
        answer["bridges"][name] = {"datapath": record["datapath"], "forwards": True, "ports": ports, "tagged_ports": []}
    for bridge in record["bridges"]:
        for peer in bridge["patches"]:
            here, there = f"{bridge['name']}--{peer}", f"{peer}--{bridge['name']}"
            answer["bridges"][bridge["name"]]["ports"][here] = there
            answer["bridges"][peer]["ports"][there] = here
    return answer


ONE_NIC = asked({"name": "br-ex", "take_over": "eth0"}, {"name": "br-vlan", "patches": [{"peer": "br-ex"}]})


def step(on, record, former=NOTHING):
    """Return what differs and the commands."""
    before, after = bridge_setup.view(on, record, former), bridge_setup.goal(record, former)
    differing = [name for name in {**after, **before} if before.get(name) != after.get(name)]
    return differing, bridge_setup.commands(before, after, record, former) if differing else []


def test_a_bridge_answers_for_its_own_addresses_alone():
    """One that answered for a joined bridge's address would draw the tunnels of others to itself."""
    record = bridge_setup.adopt(ONE_NIC, NOTHING, host()["links"])
    on = made(record)
    on["links"]["br-vlan"]["own_arp"] = False
    differing, commands = step(on, record, record)
    assert differing == ["br-vlan"]
    assert ["sysctl", "-q", "-w", "net/ipv4/conf/br-vlan/arp_ignore=1"] in commands


@pytest.mark.parametrize("port", ["eth0", "br-ex", "br-ex--br-vlan"])
def test_a_vlan_tag_of_somebody_elses(port):
    """Frames without a tag would not pass this port."""
    record = bridge_setup.adopt(ONE_NIC, NOTHING, host()["links"])
    on = made(record)
    on["bridges"]["br-ex"]["tagged_ports"] = [port]
    differing, commands = step(on, record, record)
    assert differing == ["br-ex"]
    assert f"clear port {port} tag" in " ".join(commands[0])


def test_a_vlan_tag_of_neutrons():
    record = bridge_setup.adopt(ONE_NIC, NOTHING, host()["links"])
    on = made(record)
    on["bridges"]["br-ex"]["tagged_ports"] = ["phy-br-ex", "tap1"]
    assert step(on, record, record) == ([], [])


class TestKernel:
    """Values that are not the wanted ones, though something is set."""

    @pytest.fixture
    def seen(self, monkeypatch):
        """Return what is read of the interface *name* with *values* of the kernel's."""

        def read(values, name):
            record = bridge_setup.adopt(ONE_NIC, NOTHING, host()["links"])
            monkeypatch.setattr(bridge_setup, "read_links", lambda: made(record)["links"])
            monkeypatch.setattr(bridge_setup, "read_ovs", dict)
            monkeypatch.setattr(bridge_setup.shutil, "which", lambda _name: None)
            monkeypatch.setattr(bridge_setup, "read_file", lambda path: values.get(path.rpartition("/")[2], ""))
            return bridge_setup.read_host(record)["links"][name]

        return read

    @pytest.mark.parametrize(("value", "right"), [("1", True), ("0", False), ("8", False), ("2", False)])
    def test_arp_of_a_bridge(self, seen, value, right):
        """With 8 it would answer for no address at all."""
        assert seen({"arp_ignore": value}, "br-ex")["own_arp"] is right

    @pytest.mark.parametrize(
        ("changed", "right"),
        [
            ({}, True),
            ({"disable_ipv6": ""}, True),
            ({"arp_ignore": "1"}, True),
            ({"arp_ignore": "3"}, False),
            ({"rp_filter": "2"}, True),
            ({"rp_filter": "0"}, False),
            ({"disable_ipv6": "0"}, False),
        ],
    )
    def test_a_port(self, seen, changed, right):
        values = {"arp_ignore": "8", "rp_filter": "1", "disable_ipv6": "1", **changed}
        assert seen(values, "eth0")["silent"] is right


def test_take_over():
    """Bridge first, then the nic's addresses go and the bridge's come, at last the routes."""
    record = bridge_setup.adopt(ONE_NIC, NOTHING, host()["links"])
    differing, commands = step(host(), record)
    assert differing == ["br-ex", "eth0", "br-vlan"]
    assert commands[0][0] == "ovs-vsctl"
    lines = [" ".join(command) for command in commands]
    wanted = [
        "ip address flush dev eth0",
        "ip address replace 10.0.0.1/24 dev br-ex",
        "ip -4 route replace default via 10.0.0.254 dev br-ex onlink",
    ]
    assert [line for line in lines if line in wanted] == wanted


@pytest.mark.parametrize("datapath", ["system", "netdev"])
def test_nothing_to_do(datapath):
    """What others put there counts for nothing, and the record says what the nic held."""
    record = bridge_setup.adopt({**ONE_NIC, "datapath": datapath}, NOTHING, host()["links"])
    assert step(made(record), record, record) == ([], [])
    assert bridge_setup.adopt({**ONE_NIC, "datapath": datapath}, record, made(record)["links"]) == record


def test_a_lost_record_is_found_on_the_bridge():
    """The addresses that were taken over are read from the bridge."""
    record = bridge_setup.adopt(ONE_NIC, NOTHING, host()["links"])
    again = bridge_setup.adopt(ONE_NIC, NOTHING, made(record)["links"])
    assert "10.0.0.1/24" in again["nics"]["eth0"]["addresses"]
    assert again["nics"]["eth0"]["routes"] == record["nics"]["eth0"]["routes"]


def test_the_way_back():
    """Bridges go, the nic gets back what it held."""
    record = bridge_setup.adopt(ONE_NIC, NOTHING, host()["links"])
    differing, commands = step(made(record), NOTHING, record)
    assert sorted(differing) == ["br-ex", "br-vlan", "eth0"]
    lines = [" ".join(command) for command in commands]
    assert "del-br br-ex" in lines[0]
    assert "ip address replace 10.0.0.1/24 dev eth0" in lines
    assert "ethtool -K eth0 tx on" in lines
    assert lines[-1] == "ip -4 route replace default via 10.0.0.254 dev eth0 onlink"
    assert step(host(), NOTHING, record)[0] == []


def test_an_address_is_replaced():
    """The old one goes, for it was ours, and its route before it; a virtual address stays."""
    route = {"to": "10.9.0.0/16", "via": "10.1.0.9"}
    former = bridge_setup.adopt(asked({"name": "br-tep", "addresses": ["10.1.0.1/24"], "routes": [route]}), NOTHING, {})
    record = bridge_setup.adopt(asked({"name": "br-tep", "addresses": ["10.1.0.2/24"]}), former, {})
    differing, commands = step(made(former), record, former)
    assert differing == ["br-tep"]
    assert [" ".join(command) for command in commands[-3:]] == [
        "ip -4 route del 10.9.0.0/16 via 10.1.0.9 dev br-tep onlink",
        "ip address del 10.1.0.1/24 dev br-tep",
        "ip address replace 10.1.0.2/24 dev br-tep",
    ]


def test_a_secure_bridge_without_flows_gets_one():
    """Neutron's agent leaves it secure; after a reboot the host must be reached before the agent runs."""
    record = bridge_setup.adopt(ONE_NIC, NOTHING, host()["links"])
    rebooted = made(record)
    rebooted["bridges"]["br-ex"]["forwards"] = False
    _differing, commands = step(rebooted, record, record)
    assert ["ovs-ofctl", "add-flow", "br-ex", "priority=0,actions=NORMAL"] in commands


@pytest.mark.parametrize(
    ("bridge", "words"),
    [
        ({"name": "br-ex", "ports": ["eth9"]}, "no interface eth9"),
        ({"name": "br-ex", "ports": ["eth1"]}, "belongs to br0"),
    ],
)
def test_cards_that_can_not_be_had(bridge, words):
    """The message names the nic."""
    links = host(eth1={**link(), "master": "br0"})["links"]
    with pytest.raises(BridgesError, match=words):
        bridge_setup.adopt(asked(bridge), NOTHING, links)


def test_a_host_does_not_cut_itself_off():
    """A nic with the default route is taken over, or left alone."""
    links = host()["links"]
    record = bridge_setup.adopt(asked({"name": "br-ex", "ports": ["eth0"]}), NOTHING, links)
    with pytest.raises(BridgesError, match="take_over: eth0"):
        ovs_bridges.refuse_losses(record, NOTHING, links)
    ovs_bridges.refuse_losses(bridge_setup.adopt(ONE_NIC, NOTHING, links), NOTHING, links)


def test_addresses_are_written_as_ip_writes_them():
    """Else a second run would find a difference."""
    wish = asked(
        {
            "name": "br-ex",
            "addresses": ["FD00::0001/64"],
            "routes": [{"to": "0.0.0.0/0", "via": "10.0.0.1"}, {"to": "10.9.0.1/32", "via": "10.0.0.1"}],
        }
    )
    assert wish["bridges"][0]["addresses"] == ["fd00::1/64"]
    assert [route["to"] for route in wish["bridges"][0]["routes"]] == ["default", "10.9.0.1"]
    with pytest.raises(BridgesError, match="br-ex"):
        asked({"name": "br-ex", "addresses": ["10.0.0.300/24"]})


def test_open_vswitchs_tables():
    """Sets of one are written as their element, maps and uuids as pairs."""
    tables = [
        {
            "headings": ["name", "datapath_type", "fail_mode", "ports"],
            "data": [
                ["br-a", "netdev", "secure", ["set", [["uuid", "p1"], ["uuid", "p2"]]]],
                ["br-b", "", ["set", []], ["uuid", "p3"]],
            ],
        },
        {
            "headings": ["_uuid", "name", "interfaces", "tag"],
            "data": [
                [["uuid", "p1"], "br-a", ["uuid", "i1"], ["set", []]],
                [["uuid", "p2"], "br-a--br-b", ["uuid", "i2"], 0],
                [["uuid", "p3"], "br-b", ["uuid", "i3"], ["set", []]],
            ],
        },
        {
            "headings": ["_uuid", "options"],
            "data": [
                [["uuid", "i1"], ["map", []]],
                [["uuid", "i2"], ["map", [["peer", "br-b--br-a"]]]],
                [["uuid", "i3"], ["map", []]],
            ],
        },
    ]
    assert bridge_setup.parse_ovs("\n".join(json.dumps(table) for table in tables)) == {
        "br-a": {
            "datapath": "netdev",
            "secure": True,
            "ports": {"br-a": "", "br-a--br-b": "br-b--br-a"},
            "tagged_ports": ["br-a--br-b"],
        },
        "br-b": {"datapath": "system", "secure": False, "ports": {"br-b": ""}, "tagged_ports": []},
    }


def test_networkd_is_told():
    """Cards without addresses, bridges left alone, nothing where there are none."""
    record = bridge_setup.adopt(ONE_NIC, NOTHING, host()["links"])
    texts = list(bridge_setup.networkd_files(record).values())
    assert "Name=br-ex br-vlan\n\n[Link]\nUnmanaged=yes" in texts[0]
    assert "Name=eth0\n" in texts[1]
    assert set(bridge_setup.networkd_files(NOTHING).values()) == {None}


def test_the_command_is_the_shared_code():
    """What runs at boot is what the module ran."""
    record = bridge_setup.adopt(ONE_NIC, NOTHING, host()["links"])
    files = ovs_bridges.files(record)
    with open(bridge_setup.__file__, encoding="utf-8") as file:
        assert files[ovs_bridges.COMMAND].content == f"#!/usr/bin/python3\n{file.read()}"
    assert json.loads(files[bridge_setup.RECORD].content) == record
    assert all(state.content is None for state in ovs_bridges.files(NOTHING).values())
