# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The networks of the project, and its external access."""

from __future__ import annotations

from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify.checks import Bad, NotRun, poll
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify.run import TENANT, VLAN, Run


def tenant(run: Run) -> str:
    """Create a network of the default tenant type, with a subnet."""
    neutron = run.user.network
    run.network = neutron.create_network(name=run.name)
    run.subnet = neutron.create_subnet(
        name=run.name, network_id=run.network.id, ip_version=4, cidr=run.options["cidr"], dns_nameservers=[]
    )
    seen = run.admin.network.get_network(run.network.id)
    return f"{seen.provider_network_type} {seen.provider_segmentation_id}, {run.options['cidr']}, MTU {seen.mtu}"


def router(run: Run) -> str:
    """Create a router between the project's network and the external one, if there is one."""
    neutron = run.user.network
    wanted = run.options["external_network"]
    found = [network for network in neutron.networks(is_router_external=True) if wanted in ("", network.name)]
    if wanted and not found:
        raise Bad(f"there is no external network {wanted}")
    run.external = next(iter(sorted(found, key=lambda network: network.name)), None)
    gateway = {"external_gateway_info": {"network_id": run.external.id}} if run.external else {}
    run.router = neutron.create_router(name=run.name, **gateway)
    neutron.add_interface_to_router(run.router, subnet_id=run.subnet.id)
    if not run.external:
        return "the cloud has no external network"
    seen = run.admin.network.get_router(run.router.id)
    run.router_address = seen.external_gateway_info["external_fixed_ips"][0]["ip_address"]
    subnets = run.admin.network.subnets(network_id=run.external.id)
    run.gateway = next((subnet.gateway_ip for subnet in subnets if subnet.gateway_ip and subnet.ip_version == 4), "")
    return f"to {run.external.name} as {run.router_address}"


def security_group(run: Run) -> str:
    """Allow ping and ssh."""
    neutron = run.user.network
    run.group = neutron.create_security_group(name=run.name)
    common = {"security_group_id": run.group.id, "direction": "ingress", "ether_type": "IPv4"}
    neutron.create_security_group_rule(protocol="icmp", **common)
    neutron.create_security_group_rule(protocol="tcp", port_range_min=22, port_range_max=22, **common)
    return "ping and ssh"


def floating_ip(run: Run) -> str:
    """Associate a floating IP address with the first server."""
    if not run.external:
        raise NotRun("the cloud has no external network")
    neutron = run.user.network
    guest = run.on(TENANT)[0]
    made = neutron.create_ip(floating_network_id=run.external.id, port_id=guest.port)
    run.floating_address = made.floating_ip_address
    seconds = run.options["lease_timeout"]
    if not poll(lambda: neutron.get_ip(made.id).status == "ACTIVE", seconds):
        raise Bad(f"{run.floating_address} is not active after {seconds} s", (made.id, run.router.id, guest.port))
    return run.floating_address


def vlan(run: Run, physical: str) -> None:
    """Create a VLAN network with a subnet, on the same router.

    :param physical: name of the physical network.
    """
    neutron = run.admin.network
    segment = run.options["vlan_segment"]
    network = neutron.create_network(
        name=f"{run.name}-{VLAN}",
        project_id=run.project.id,
        provider_network_type="vlan",
        provider_physical_network=physical,
        **({"provider_segmentation_id": segment} if segment else {}),
    )
    subnet = neutron.create_subnet(
        name=network.name,
        network_id=network.id,
        project_id=run.project.id,
        ip_version=4,
        cidr=run.options["vlan_cidr"],
    )
    neutron.add_interface_to_router(run.router, subnet_id=subnet.id)
    return network
