# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which bridges a host gets, before and after they are made."""

from __future__ import annotations

import pytest
from ansible_collections.cairn.openstack.plugins.plugin_utils.catalog.bridge_plan import plan_bridges

SETTINGS = {"tunnel_interface": "eth1", "external_interface": "eth2", "management_address": "10.0.0.1"}


def probe(datapath="netdev", **addresses):
    """A host with three nics; *addresses* by interface replace the usual ones, with _ for - in the names."""
    links = {"lo": ["127.0.0.1/8"], "eth0": ["10.0.0.1/24"], "eth1": ["10.1.0.1/24"], "eth2": []}
    links.update({name.replace("_", "-"): found for name, found in addresses.items()})
    default = next((name for name, found in links.items() if "10.0.0.1/24" in found), "")
    return {
        "interfaces": {name: {"addresses": found} for name, found in links.items()},
        "ovs_datapath": {"type": datapath},
        "default_interface": default,
        "connection_address": "",
        "bridges": None,
    }


def test_three_cards_in_user_space():
    """The tunnel's address goes to br-tep, the external nic has none."""
    plan = plan_bridges(probe(), {**SETTINGS, "mtu": 1500}, network=True)
    assert plan == {
        "datapath": "netdev",
        "bridges": [
            {"name": "br-ex", "ports": ["eth2"], "mtu": 1500},
            {"name": "br-tep", "ports": ["eth1"], "addresses": ["10.1.0.1/24"], "mtu": 1500},
        ],
        "bridge_mappings": {"external": "br-ex"},
        "tunnel_address": "10.1.0.1",
    }


def test_the_kernel_routes_tunnels_itself():
    """No br-tep in the kernel's datapath."""
    plan = plan_bridges(probe("system"), SETTINGS, network=True)
    assert [bridge["name"] for bridge in plan["bridges"]] == ["br-ex"]
    assert plan["tunnel_address"] == "10.1.0.1"


def test_only_network_nodes_have_the_external_bridge():
    """A compute node has tunnels and VLANs; a controller has no bridge at all."""
    plan = plan_bridges(probe(), {**SETTINGS, "vlan_interface": "eth2"}, compute=True)
    assert plan["bridge_mappings"] == {"vlan": "br-vlan"}
    assert plan["bridges"][1] == {"name": "br-vlan", "ports": ["eth2"]}
    assert plan_bridges(probe(), SETTINGS)["bridges"] == []


@pytest.mark.parametrize(
    ("nic", "datapath", "expected"),
    [
        ("eth1", "netdev", {"name": "br-vlan", "patches": [{"peer": "br-tep"}]}),
        ("eth2", "netdev", {"name": "br-vlan", "patches": [{"peer": "br-ex"}]}),
        ("eth2", "system", {"name": "br-vlan", "patches": [{"peer": "br-ex"}]}),
        ("eth1", "system", {"name": "br-vlan", "ports": ["eth1"], "addresses": ["10.1.0.1/24"]}),
    ],
)
def test_vlans_share_a_nic(nic, datapath, expected):
    """The bridge that has the nic keeps it; in the kernel's datapath br-vlan holds the tunnel's address."""
    plan = plan_bridges(probe(datapath), {**SETTINGS, "vlan_interface": nic}, network=True)
    assert plan["bridges"][-1] == expected


@pytest.mark.parametrize("on_compute", [False, True])
def test_servers_on_the_external_network(on_compute):
    plan = plan_bridges(probe(), {**SETTINGS, "external_on_compute": on_compute}, compute=True)
    assert ({"name": "br-ex", "ports": ["eth2"]} in plan["bridges"]) is on_compute
    assert plan["bridge_mappings"] == ({"external": "br-ex"} if on_compute else {})
    assert plan_bridges(probe(), {**SETTINGS, "external_on_compute": on_compute})["bridges"] == []


def test_one_card_for_everything():
    """Its addresses move to br-ex, and the tunnel ends there; the same once they have moved."""
    settings = {"external_interface": "eth0", "vlan_interface": "eth0", "management_address": "10.0.0.1"}
    plan = plan_bridges(probe(), settings, network=True)
    assert plan["bridges"] == [
        {"name": "br-ex", "ports": ["eth0"], "take_over": "eth0"},
        {"name": "br-vlan", "patches": [{"peer": "br-ex"}]},
    ]
    assert plan["tunnel_address"] == "10.0.0.1"
    moved = probe(eth0=[], br_ex=["10.0.0.1/24"])
    moved["bridges"] = {
        "bridges": [{"name": "br-ex", "ports": ["eth0"]}],
        "nics": {"eth0": {"addresses": ["10.0.0.1/24"]}},
    }
    assert plan_bridges(moved, settings, network=True) == plan


def test_tunnels_on_the_management_card():
    """Without a nic of its own the tunnel ends on the management network's, which br-tep takes over."""
    settings = {"external_interface": "eth2", "management_address": "10.0.0.1"}
    plan = plan_bridges(probe(), settings, network=True)
    assert plan["bridges"][1] == {"name": "br-tep", "ports": ["eth0"], "take_over": "eth0"}
    moved = probe(eth0=[], br_tep=["10.0.0.1/24"])
    moved["bridges"] = {"bridges": [{"name": "br-tep", "ports": ["eth0"]}], "nics": {}}
    assert plan_bridges(moved, settings, network=True) == plan


@pytest.mark.parametrize("place", ["bridge", "record"])
def test_the_tunnels_address_is_found_after_it_moved(place):
    """On the bridge, or, where that is down, in the record."""
    plan = plan_bridges(probe(), SETTINGS, network=True)
    moved = probe(eth1=[], **({"br_tep": ["10.1.0.1/24"]} if place == "bridge" else {}))
    if place == "record":
        moved["bridges"] = {"bridges": [], "nics": {"eth1": {"addresses": ["10.1.0.1/24"]}}}
    assert plan_bridges(moved, SETTINGS, network=True) == plan


def test_an_address_that_the_card_has_not_yet():
    """It needs its prefix length."""
    settings = {**SETTINGS, "tunnel_address": "10.9.0.1"}
    with pytest.raises(ValueError, match=r"10\.9\.0\.1/24"):
        plan_bridges(probe(), settings, network=True)
    plan = plan_bridges(probe(), {**settings, "tunnel_address": "10.9.0.1/20"}, network=True)
    assert plan["bridges"][1]["addresses"] == ["10.9.0.1/20"]
    assert plan["tunnel_address"] == "10.9.0.1"


def test_an_interface_that_is_not_there():
    """The message names those that are."""
    with pytest.raises(ValueError, match=r"external_interface eth7.*eth0, eth1"):
        plan_bridges(probe(), {"external_interface": "eth7"}, network=True)
