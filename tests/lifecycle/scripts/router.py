# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""On a controller: ``make CIDR`` a network with a router to the world, or ``remove NETWORK ROUTER``; JSON of it."""

import json
import sys
import time

import openstack
import yaml

# What is emulated takes its time.
PATIENCE = 600
NAME = "kernel"
# Before all of them are heard a new network gets no DHCP server, and none later until another port is made in it.
AGENTS = {
    "neutron-openvswitch-agent",
    "neutron-l3-agent",
    "neutron-dhcp-agent",
    "neutron-metadata-agent",
}

with open("/etc/openstack/clouds.yaml", encoding="utf-8") as file:
    neutron = openstack.connect(cloud=next(iter(yaml.safe_load(file)["clouds"]))).network


def agents():
    """Wait until Neutron hears all agents of its network node."""
    deadline = time.monotonic() + PATIENCE
    while silent := AGENTS - {agent.binary for agent in neutron.agents() if agent.is_alive}:
        if time.monotonic() > deadline:
            raise TimeoutError(f"Neutron does not hear {silent}")
        time.sleep(5)


def make(cidr):
    """Make them; returns their ids, and the router's addresses on either side."""
    agents()
    network = neutron.create_network(name=NAME)
    subnet = neutron.create_subnet(name=NAME, network_id=network.id, ip_version=4, cidr=cidr)
    world = next(iter(neutron.networks(is_router_external=True)))
    router = neutron.create_router(name=NAME, external_gateway_info={"network_id": world.id})
    neutron.add_interface_to_router(router, subnet_id=subnet.id)
    address = router.external_gateway_info["external_fixed_ips"][0]["ip_address"]
    return {"network": network.id, "router": router.id, "outside": address, "inside": subnet.gateway_ip}


def remove(network, router):
    """Remove them."""
    for port in neutron.ports(device_id=router, device_owner="network:router_interface"):
        neutron.remove_interface_from_router(router, port_id=port.id)
    neutron.delete_router(router)
    neutron.delete_network(network)
    return {}


print(json.dumps({"make": make, "remove": remove}[sys.argv[1]](*sys.argv[2:])))
