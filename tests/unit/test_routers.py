# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which hosts route: network hosts, and compute hosts with distributed routers."""

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


def on(host, tmp_path, **settings):
    """Return the options, states of units, and packages of Neutron on a host, and the state of HAProxy's unit."""
    model = resolving.resolve(HOSTS, host, tmp_path, settings)
    groups = HOSTS[host]["groups"]
    files = resolving.files(model, "neutron", groups)
    neutron = model.definitions["neutron"]
    packages = {name for group in groups for name in neutron["packages"].get(group, [])}
    units = {}
    for service in ("neutron", "haproxy"):
        for unit in resolving.definitions.units(model.definitions[service], set(groups), []):
            assert unit["enabled"] is (unit["state"] == "started")
            units[unit["name"]] = unit["state"]
    return {name: file["sections"] for name, file in files.items()}, units, packages


@pytest.mark.parametrize(("host", "mode"), [("n1", "dvr_snat"), ("both", "dvr_snat"), ("x1", "dvr")])
def test_distributed_routers(tmp_path, host, mode):
    files, units, packages = on(host, tmp_path, cloud_distributed_routers=True)
    assert files["l3_agent.ini"]["DEFAULT"]["agent_mode"] == mode
    assert files["plugins/ml2/openvswitch_agent.ini"]["agent"]["enable_distributed_routing"] is True
    assert {units[agent] for agent in AGENTS} == {"started"}
    assert packages >= AGENTS
    assert units["haproxy"] == "stopped"
    assert ("neutron-dhcp-agent" in units) is (host != "x1")


def test_only_network_hosts_route_by_default(tmp_path):
    files, units, packages = on("x1", tmp_path)
    assert "l3_agent.ini" not in files
    assert not AGENTS & packages
    # Those of a cloud that had distributed routers stop.
    assert {units[agent] for agent in AGENTS} == {"stopped"}
    # A compute host may have one of its owner's.
    assert "haproxy" not in units
    files, units, packages = on("n1", tmp_path)
    assert files["l3_agent.ini"]["DEFAULT"]["agent_mode"] is None
    assert {units[agent] for agent in AGENTS} == {"started"}
    assert packages >= AGENTS


def test_new_routers_are_distributed(tmp_path):
    for settings, value in (({"cloud_distributed_routers": True}, True), ({}, None)):
        assert on("c1", tmp_path, **settings)[0]["neutron.conf"]["DEFAULT"]["router_distributed"] is value
