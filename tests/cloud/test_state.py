# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the cloud says of its own hosts."""

from __future__ import annotations

import pytest
from support import host

NETWORK_AGENTS = {
    "neutron-openvswitch-agent",
    "neutron-l3-agent",
    "neutron-dhcp-agent",
    "neutron-metadata-agent",
}
CONTROL_SERVICES = {"nova-conductor", "nova-scheduler"}


def test_compute_services_are_up(state):
    """Nova hears all of its services, and none is disabled."""
    assert state["compute_services"]
    bad = [item for item in state["compute_services"] if (item["status"], item["state"]) != ("enabled", "up")]
    assert bad == []


def test_controllers_run_compute_services(state, groups):
    """Each controller has Nova's scheduler and conductor."""
    found = {(item["host"], item["binary"]) for item in state["compute_services"]}
    wanted = {(host, binary) for host in groups["controller"] for binary in CONTROL_SERVICES}
    assert wanted - found == set()


def test_compute_hosts_can_take_guests(state, groups):
    """Each compute host runs nova-compute, is mapped to its cell, and is known to Placement; and no other."""
    if not groups["compute"]:
        pytest.skip("not run: the inventory has no compute host")
    computes = set(groups["compute"])
    assert {i["host"] for i in state["compute_services"] if i["binary"] == "nova-compute"} == computes
    # libvirt names a hypervisor as the host names itself, domain included.
    assert {name.split(".")[0] for name in state["hypervisors"]} == computes
    assert computes - {name.split(".")[0] for name in state["resource_providers"]} == set()


def test_nova_hears_of_its_machines(playbooks, groups):
    """Since its last start libvirt sends each nova-compute the events of guests."""
    if not groups["compute"]:
        pytest.skip("not run: the inventory has no compute host")
    since = "tac /var/log/nova/nova-compute.log | sed '/Starting compute node/q'"
    logs = {name: host(playbooks, name).check_output(since) for name in groups["compute"]}
    assert [name for name, log in logs.items() if "Starting compute node" not in log] == []
    assert [name for name, log in logs.items() if "does not support events" in log] == []


def test_agents_are_alive(state):
    """Neutron hears all of its agents, and none is switched off."""
    assert state["agents"]
    assert [item for item in state["agents"] if not (item["alive"] and item["up"])] == []


def test_agents_are_where_they_should_be(state, groups):
    """Network hosts have all agents, compute hosts have Open vSwitch's."""
    found = {(item["host"], item["binary"]) for item in state["agents"]}
    wanted = {(host, binary) for host in groups["network"] for binary in NETWORK_AGENTS}
    wanted |= {(host, "neutron-openvswitch-agent") for host in groups["compute"]}
    assert wanted - found == set()


def test_endpoints(state, looks):
    """Each service has a public and an internal endpoint, by name and with TLS, none for administrators alone."""
    by_service = {}
    for item in state["endpoints"]:
        by_service.setdefault(item["service"], {})[item["interface"]] = item["url"]
    assert {"identity", "image", "placement", "compute", "network"} <= set(by_service)
    assert {name: set(urls) for name, urls in by_service.items() if set(urls) != {"public", "internal"}} == {}
    addresses = {look["part"]["cairn"]["address"] for look in looks.values()}
    bad = [
        url
        for urls in by_service.values()
        for url in urls.values()
        if not url.startswith("https://") or any(f"//{address}" in url for address in addresses)
    ]
    if bad and all(url.startswith("http://") for url in bad):
        pytest.skip("not run: the cloud is set to go without TLS")
    assert bad == []
