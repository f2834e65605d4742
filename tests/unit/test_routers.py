# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which hosts route, and which interfaces have the cloud's addresses."""

from __future__ import annotations

import pytest
import resolving

HOSTS = {
    "c1": {"groups": ["controller"], "address": "192.0.2.11"},
    "n1": {"groups": ["network"], "address": "192.0.2.12"},
    "x1": {"groups": ["compute"], "address": "192.0.2.13"},
    "both": {"groups": ["network", "compute"], "address": "192.0.2.14"},
}
AGENTS = {"neutron-l3-agent", "neutron-metadata-agent"}


def on(host, tmp_path, settings):
    """Return the options, units and packages of Neutron on a host."""
    model = resolving.resolve(HOSTS, host, tmp_path, settings)
    groups = HOSTS[host]["groups"]
    files = resolving.files(model, "neutron", groups)
    neutron = model.definitions["neutron"]
    packages = {name for group in groups for name in neutron["packages"].get(group, [])}
    units = {unit["name"] for unit in resolving.definitions.units(neutron, set(groups), list(files.values()))}
    return {name: file["sections"] for name, file in files.items()}, units, packages


@pytest.mark.parametrize(("host", "mode"), [("n1", "dvr_snat"), ("both", "dvr_snat"), ("x1", "dvr")])
def test_distributed_routers(tmp_path, host, mode):
    files, units, packages = on(host, tmp_path, {"cloud_distributed_routers": True})
    assert files["l3_agent.ini"]["DEFAULT"]["agent_mode"] == mode
    assert files["plugins/ml2/openvswitch_agent.ini"]["agent"]["enable_distributed_routing"] is True
    assert units & packages >= AGENTS
    assert ("neutron-dhcp-agent" in units) is (host != "x1")


def test_only_network_hosts_route_by_default(tmp_path):
    files, units, packages = on("x1", tmp_path, {})
    assert "l3_agent.ini" not in files
    assert not AGENTS & (units | packages)
    assert on("n1", tmp_path, {})[0]["l3_agent.ini"]["DEFAULT"]["agent_mode"] is None
    assert on("c1", tmp_path, {"cloud_distributed_routers": True})[0]["neutron.conf"]["DEFAULT"]["router_distributed"]


@pytest.mark.parametrize(
    ("settings", "addresses"),
    [
        ({}, {"192.0.2.9": "eth0"}),
        ({"cloud_vip_interface": "eth1"}, {"192.0.2.9": "eth1"}),
        ({"cloud_public_address": "198.51.100.9"}, {"192.0.2.9": "eth0", "198.51.100.9": "eth0"}),
        (
            {"cloud_public_address": "198.51.100.9", "cloud_public_vip_interface": "eth2"},
            {"192.0.2.9": "eth0", "198.51.100.9": "eth2"},
        ),
    ],
)
def test_interfaces_of_the_clouds_addresses(tmp_path, settings, addresses):
    hosts = {f"c{number}": {"groups": ["controller"], "address": f"192.0.2.1{number}"} for number in (1, 2, 3)}
    model = resolving.resolve(hosts, "c1", tmp_path, {"cloud_internal_address": "192.0.2.9", **settings})
    text = resolving.files(model, "keepalived", ["controller"])["keepalived.conf"]["content"]
    lines = text.partition("virtual_ipaddress {")[2].partition("}")[0].split("\n")
    found = {words[0]: words[2] for line in lines if (words := line.split())}
    assert found == addresses
