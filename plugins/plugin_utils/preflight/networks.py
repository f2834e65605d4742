# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Checks of the cloud's addresses and networks in the settings."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.cairn.openstack.plugins.plugin_utils.preflight.finding import Finding
from ansible_collections.cairn.openstack.plugins.plugin_utils.preflight.settings import Settings

_HOST = Mapping[str, Any]
Address = ipaddress.IPv4Address
_FREE = "Use a free address of the management network."


def ipv4(text: Any) -> Address | None:
    """Return *text* as an IPv4 address, or None if it is not one."""
    try:
        return ipaddress.IPv4Address(str(text))
    except ValueError:
        return None


def _cloud_addresses(settings: Settings, hosts: Mapping[str, _HOST]) -> Iterator[Finding]:
    """Check the addresses of the endpoints."""
    owners = {host["address"]: name for name, host in hosts.items()}
    controllers = [name for name, host in hosts.items() if "controller" in host["groups"]]
    for name in ("cloud_internal_address", "cloud_public_address"):
        address = settings.values.get(name)
        if address is None or (name == "cloud_public_address" and address == settings.values["cloud_internal_address"]):
            continue
        if not address:
            if len(controllers) > 1:
                found = f"{len(controllers)} controllers, but no virtual IP address"
                yield settings.finding(name, found, "a free address of the management network", f"Set {name}.")
        elif ipv4(address) is None:
            yield settings.finding(name, repr(address), "an IPv4 address", _FREE)
        elif str(address) in owners and (owner := owners[str(address)]) not in controllers:
            yield settings.finding(
                name, f"{address}, which is {owner}'s own", "a free address, or a controller's", _FREE
            )
        elif str(address) in owners and len(controllers) > 1:
            found = f"{address}, which is {owner}'s own and fails with it"
            yield settings.finding(name, found, "with several controllers, an address that no host has", _FREE)


def _endpoint_names(settings: Settings) -> Iterator[Finding]:
    """Find endpoints by an address that is not the cloud's: /etc/hosts can't lead it there as it does a name."""
    for kind, severity in (("internal", "error"), ("public", "warning")):
        name, address = f"cloud_{kind}_name", settings.values.get(f"cloud_{kind}_address")
        given = ipv4(settings.values.get(name))
        # The internal name is the public one by default.
        if given and ipv4(address) and given != ipv4(address):
            remedy = f"Set {name} to that address, or to a DNS name."
            if severity == "warning":
                remedy = f"Correct it, unless your router forwards {given} to {address}, also for the controllers."
            found = f"the address {given}, but cloud_{kind}_address is {address}"
            yield settings.finding(name, found, f"a DNS name, or {address}", remedy, severity)


def _pool(settings: Settings, network: ipaddress.IPv4Network) -> tuple[Address, Address] | Finding:
    """Return the first and the last floating IP address, or a finding."""
    text = settings.values.get("cloud_external_pool")
    if not text:
        return network[network.num_addresses // 2], network[-2]
    parts = [ipv4(part.strip()) for part in str(text).split("-")]
    if len(parts) != 2 or None in parts:
        example = f"{network[network.num_addresses // 2]}-{network[-2]}"
        return settings.finding("cloud_external_pool", repr(text), "first-last", f"Write it as in {example}.")
    first, last = parts
    if first > last:
        return settings.finding(
            "cloud_external_pool", f"{text}: the first comes after the last", "first-last", "Swap them."
        )
    if first not in network or last not in network:
        found = f"{text}, which is not all in {network}"
        return settings.finding(
            "cloud_external_pool", found, f"addresses of {network}", "Correct it, or cloud_external_network."
        )
    return first, last


def _external(settings: Settings, hosts: Mapping[str, _HOST]) -> Iterator[Finding]:
    """Check the network of floating IP addresses."""
    text = settings.values.get("cloud_external_network")
    if not text:
        for name in ("cloud_external_gateway", "cloud_external_pool"):
            if settings.values.get(name):
                found = f"{settings.values[name]}, but cloud_external_network is not set"
                yield settings.finding(
                    name, found, "together with cloud_external_network", "Set cloud_external_network too."
                )
        return
    try:
        network = ipaddress.IPv4Network(str(text))
    except ValueError as error:
        remedy = "Write it as in 198.51.100.0/24."
        if "host bits" in str(error):
            remedy = f"Write {ipaddress.ip_network(str(text), strict=False)}."
        yield settings.finding(
            "cloud_external_network", f"{text!r}: {error}", "an IPv4 network in CIDR notation", remedy
        )
        return
    if network.num_addresses < 4:
        found = f"{network}, which has no usable address"
        yield settings.finding("cloud_external_network", found, "a network of /30 or larger", "Set the whole network.")
        return
    gateway = ipv4(settings.values.get("cloud_external_gateway") or network[1])
    if gateway is not None and gateway not in network:
        found = f"{gateway}, which is outside of {network}: routers reach it directly on the external network's link"
        remedy = "Correct it, unless your provider has it so, as for rented servers."
        allowed = f"{network[1]} to {network[-2]}, or another router on the same link"
        yield settings.finding("cloud_external_gateway", found, allowed, remedy, "warning")
    elif gateway is None or gateway in (network[0], network[-1]):
        found = f"{settings.values['cloud_external_gateway']!r}, which is not a host address in {network}"
        remedy = "Set the address of the router in this network. Empty uses the first one."
        yield settings.finding("cloud_external_gateway", found, f"{network[1]} to {network[-2]}", remedy)
    pool = _pool(settings, network)
    if isinstance(pool, Finding):
        yield pool
        return
    first, last = pool
    name = "cloud_external_pool"
    if first == last:
        found = f"{first} alone: a router takes it, and no server can have a floating IP"
        remedy = "Set a larger range, or a larger cloud_external_network."
        yield settings.finding(name, found, "two addresses or more", remedy, "warning")
    taken = {gateway: "the gateway's"} if gateway else {}
    for key in ("cloud_internal_address", "cloud_public_address"):
        if address := ipv4(settings.values.get(key)):
            taken.setdefault(address, f"the cloud's own ({key})")
    for host in hosts.values():
        if address := ipv4(host["address"]):
            taken.setdefault(address, f"{host['name']}'s")
    for address, whose in taken.items():
        if first <= address <= last:
            found = f"{first}-{last}, which contains {whose} address {address}"
            yield settings.finding(name, found, "addresses that are not in use", "Set a free range.")


def _vlans(settings: Settings) -> Iterator[Finding]:
    types = settings.values.get("cloud_tenant_network_types")
    if isinstance(types, (list, tuple)) and "vlan" in types and settings.values.get("cloud_vlan_range") == "":
        found = "vlan, but cloud_vlan_range is not set"
        yield settings.finding(
            "cloud_tenant_network_types",
            found,
            "vlan with a range, or vxlan alone",
            "Set cloud_vlan_range, as in '100:199'.",
        )


def _tunnels(settings: list[Settings]) -> Iterator[Finding]:
    """Find tunnel addresses that are invalid, shared by two hosts, or in a network that overlaps the external one."""
    owners: dict[str, str] = {}
    for one in settings:
        text = str(one.values.get("cloud_tunnel_address") or "")
        if not text:
            continue
        try:
            found = ipaddress.IPv4Interface(text)
        except ValueError as error:
            remedy = "Write it with its prefix length, as in 10.0.1.11/24."
            yield one.finding("cloud_tunnel_address", f"{text!r}: {error}", "an IPv4 address", remedy)
            continue
        if str(found.ip) in owners:
            remedy = "Set it per host, in host_vars."
            other = f"{found.ip}, which {owners[str(found.ip)]} also has"
            yield one.finding("cloud_tunnel_address", other, "a unique address", remedy)
        owners.setdefault(str(found.ip), one.host)
        try:
            external = ipaddress.IPv4Network(str(one.values.get("cloud_external_network") or ""))
        except ValueError:
            continue
        if "/" in text and external.overlaps(found.network) and external != found.network:
            across = f"{found.network}, which overlaps with cloud_external_network {external}"
            yield one.finding(
                "cloud_tunnel_address",
                across,
                "networks that do not overlap",
                "Correct the prefix length of one of them.",
            )


def findings(settings: list[Settings], hosts: Mapping[str, _HOST]) -> Iterator[Finding]:
    """Check addresses and networks.

    :param settings: of all hosts, a controller first: its values are used for the cloud.
    :param hosts: as returned by ``topology``.
    """
    if settings:
        # These concern the cloud as a whole, not a host.
        cloud = Settings("", settings[0].values, settings[0].places)
        for finding in (
            *_cloud_addresses(cloud, hosts),
            *_endpoint_names(cloud),
            *_external(cloud, hosts),
            *_vlans(cloud),
        ):
            yield Finding(finding.where, finding.found, finding.allowed, finding.remedy, finding.severity)
    yield from _tunnels(settings)
