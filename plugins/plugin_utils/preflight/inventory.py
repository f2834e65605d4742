# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Checks of the hosts, groups and addresses in the inventory."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.cairn.openstack.plugins.plugin_utils.catalog.topology import NODE_GROUPS
from ansible_collections.cairn.openstack.plugins.plugin_utils.preflight.finding import Finding, nearest
from ansible_collections.cairn.openstack.plugins.plugin_utils.preflight.settings import DNS_NAME

_HOST = Mapping[str, Any]
# One letter missing, added or wrong; also accepts a plural.
SLIP = 0.8
# What the kernel takes for a host name, and a label of DNS.
LONGEST_NAME = 63
ALLOWED_NAME = f"at most {LONGEST_NAME} letters, digits, hyphens"


def _groups(groups: Mapping[str, list[str]], where: str) -> Iterator[Finding]:
    if not groups.get("controller"):
        yield Finding(
            where, "no host in the group controller", "at least one", "Add the hosts of the API services to it."
        )
    for name, members in groups.items():
        if name in (*NODE_GROUPS, "all", "ungrouped"):
            continue
        wanted = nearest(name.lower(), NODE_GROUPS, "", SLIP)
        meant = next((group for group in NODE_GROUPS if repr(group) in wanted), None)
        # A child group of a node group may have any name.
        stray = [host for host in members if host not in groups.get(meant, [])] if meant else []
        if stray:
            yield Finding(where, f"group {name}, with {', '.join(stray)}", ", ".join(NODE_GROUPS), wanted)


def _use(groups: Mapping[str, list[str]], where: str) -> Iterator[Finding]:
    """Find node groups without which a cloud lacks something that most users expect."""
    lacks = {
        "compute": ("no server can be created", "Add the hosts that run servers to the group compute."),
        "network": (
            "no DHCP, no routers and no floating IPs",
            "Add a host to the group network; a controller can be one.",
        ),
    }
    for group, (without, remedy) in lacks.items():
        if groups.get("controller") and not groups.get(group):
            found = f"no host in the group {group}: {without}"
            yield Finding(where, found, "at least one", remedy, "warning")


def _count(groups: Mapping[str, list[str]], hosts: Mapping[str, _HOST], where: str) -> Iterator[Finding]:
    controllers = groups.get("controller", [])
    if len(controllers) == 2:
        arbiter = next((name for name in hosts if name not in controllers), None)
        remedy = (
            f"Make {arbiter} the arbiter: add it to the group too."
            if arbiter
            else "Add a third controller, or use one."
        )
        found = f"two controllers, {' and '.join(controllers)}: if one fails, the other has no majority"
        yield Finding(where, found, "one, or three or more", remedy, "warning")


def _addresses(hosts: Mapping[str, _HOST]) -> Iterator[Finding]:
    owners: dict[str, str] = {}
    for name, host in hosts.items():
        address, where = host["address"], f"{host['where']}, host {name}"
        if not address:  # its template fails, which is reported with the other settings
            continue
        try:
            found = ipaddress.ip_address(address)
        except ValueError:
            if address == name and "." in name:
                continue  # The error about the name says so.
            remedy = "Set ansible_host or cloud_address to the host's address on the management network."
            yield Finding(where, f"{address!r} is not an address", "an IPv4 address", remedy)
            continue
        if found.version != 4:
            remedy = "Set cloud_address to the host's IPv4 address."
            yield Finding(where, f"{address} is IPv6", "an IPv4 address; the control plane uses IPv4 only", remedy)
        elif (
            found.is_loopback
            or found.is_multicast
            or found.is_unspecified
            or found == ipaddress.ip_address("255.255.255.255")
        ):
            remedy = "Set cloud_address to the host's address on the management network."
            yield Finding(
                where, f"{address}, which no other host can reach", "an address of a network interface", remedy
            )
        if address in owners:
            remedy = "Use a different address for each host. A host in several groups has the same name in all of them."
            yield Finding(where, f"{address}, which {owners[address]} also has", "a unique address", remedy)
        owners.setdefault(address, name)


def _host_name(name: str, hosts: Mapping[str, _HOST]) -> str:
    """Return a valid host name like *name*: its first label, or all of them if another host has the same."""
    first = [other.partition(".")[0] for other in hosts]
    wanted = name.partition(".")[0] if first.count(name.partition(".")[0]) == 1 else name
    return re.sub(r"[^A-Za-z0-9-]+", "-", wanted)[:LONGEST_NAME].strip("-")


def _names(hosts: Mapping[str, _HOST]) -> Iterator[Finding]:
    for name, host in hosts.items():
        better = _host_name(name, hosts)
        if re.fullmatch(r"[\d.]+", name) or ":" in name:
            remedy = "Name the host, and set ansible_host to the address. The inventory name becomes its host name."
            yield Finding(f"{host['where']}, host {name}", "an address as a name", "a host name", remedy)
        elif name == "localhost":
            remedy = "Give it a name of its own; ansible_connection: local can stay. The name becomes its host name."
            yield Finding(f"{host['where']}, host {name}", "the name localhost", "a name of its own", remedy)
        elif "." in name:
            # The services need one name for a host everywhere, and some take no domain.
            domain = name.partition(".")[2]
            remedy = (
                f"Name the host {better}, with ansible_host: ADDRESS. Its domain can be set as cloud_domain: {domain}."
            )
            found = f"the name {name!r}, with a domain"
            yield Finding(f"{host['where']}, host {name}", found, ALLOWED_NAME, remedy)
        elif not DNS_NAME.fullmatch(name) or len(name) > LONGEST_NAME:
            remedy = f"Rename it, for example to {better!r}. The inventory name becomes its host name."
            yield Finding(f"{host['where']}, host {name}", f"the name {name!r}", ALLOWED_NAME, remedy)


def findings(groups: Mapping[str, list[str]], hosts: Mapping[str, _HOST], where: str) -> Iterator[Finding]:
    """Check the inventory as a whole.

    :param groups: every group with the names of its hosts.
    :param hosts: the cloud's hosts as returned by ``topology``, each with ``where``, the place of its address.
    :param where: the name of the inventory in findings.
    """
    yield from _groups(groups, where)
    yield from _use(groups, where)
    yield from _count(groups, hosts, where)
    yield from _names(hosts)
    yield from _addresses(hosts)
