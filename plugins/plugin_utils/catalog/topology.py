# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Node groups and addresses of the hosts, from the inventory alone, so independent of --limit and the fact cache."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from typing import Any

NODE_GROUPS = ("controller", "network", "compute", "storage")


def address(name: str, variables: Mapping[str, Any]) -> str:
    """Return a host's management address: ``cloud_address``, or else the address that Ansible connects to."""
    return str(variables.get("cloud_address") or variables.get("ansible_host") or name)


def topology(groups: Mapping[str, list[str]], hostvars: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return each of the cloud's hosts with its name, management address and node groups, in the inventory's order.

    A storage host also has ``devices``.
    """
    hosts: dict[str, dict[str, Any]] = {}
    for group in NODE_GROUPS:
        for name in groups.get(group, []):
            host = hosts.setdefault(name, {"name": name, "address": address(name, hostvars[name]), "groups": []})
            host["groups"].append(group)
            if group == "storage":
                host["devices"] = hostvars[name].get("storage_devices") or []
    return hosts


def interface_with(probe: Mapping[str, Any], address: str) -> str | None:
    """Return the name of the interface with *address* on the host described by *probe*, or None."""
    for name, interface in probe["interfaces"].items():
        if address in [one.split("/")[0] for one in interface["addresses"]]:
            return name
    return None


def network_of(probe: Mapping[str, Any], address: str) -> str:
    """Return the network of the interface with *address* in CIDR notation; only the address if there is none."""
    for interface in probe["interfaces"].values():
        for one in interface["addresses"]:
            if one.split("/")[0] == address:
                return str(ipaddress.ip_interface(one).network)
    return address


def in_networks(addresses: Iterable[str], networks: Iterable[str]) -> list[str]:
    """Return those of a host's *addresses* (with prefix lengths) that are in one of the *networks*."""
    found = [ipaddress.ip_interface(text).ip for text in addresses]
    wanted = [ipaddress.ip_network(one) for one in networks]
    return [str(address) for address in found if any(address in network for network in wanted)]
