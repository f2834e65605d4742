# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The objects of a new cloud, derived from settings and host variables."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

# Nova's name for the default zone.
NO_ZONE = "nova"


def resources(shipped: Mapping[str, list], declared: Mapping[str, list] | None) -> dict[str, list[dict]]:
    """Return the declared lists merged with the shipped ones.

    :param shipped: lists of objects by kind.
    :param declared: the user's lists; an entry of the same name, domain and project changes fields of the shipped one.
    """
    unknown = sorted(set(declared or {}) - set(shipped))
    if unknown:
        raise AnsibleFilterError(
            f"cloud_resources has {', '.join(unknown)}; what can be declared is {', '.join(sorted(shipped))}"
        )

    def key(item):
        return item["name"], item.get("domain"), item.get("project")

    result = {}
    for kind, entries in shipped.items():
        own = (declared or {}).get(kind) or []
        changed = {key(item): item for item in own}
        keys = {key(item) for item in entries}
        result[kind] = [{**item, **changed.get(key(item), {})} for item in entries]
        result[kind] += [item for item in own if key(item) not in keys]
    return result


def external_network(cidr: str, gateway: str = "", pool: str = "", dhcp: bool = False) -> list[dict[str, Any]]:
    """Return the network of floating IP addresses, flat on the physical network ``external``; none without a CIDR.

    :param cidr: its addresses, such as C(192.0.2.0/24).
    :param gateway: the address of the gateway; the first address by default.
    :param pool: the allocation pool as first-last; the upper half by default.
    :param dhcp: whether servers on it get their address by DHCP.
    """
    if not cidr:
        return []
    try:
        network = ipaddress.ip_network(cidr)
    except ValueError as error:
        raise AnsibleFilterError(f"cloud_external_network: {error}") from error
    last = network[-2] if network.version == 4 else network[-1]
    return [
        {
            "name": "public",
            "external": True,
            "network_type": "flat",
            "physical_network": "external",
            "subnets": [
                {
                    "name": "public",
                    "cidr": str(network),
                    "gateway": gateway or str(network[1]),
                    "pools": [pool or f"{network[network.num_addresses // 2]}-{last}"],
                    "dhcp": dhcp,
                }
            ],
        }
    ]


def host_aggregates(hosts: list[str], hostvars: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the aggregates and zones of compute hosts.

    :param hosts: the compute hosts' names.
    :param hostvars: the variables of all hosts: C(cloud_availability_zone) and C(cloud_aggregates) are read.
    """
    aggregates: dict[str, dict[str, Any]] = {}
    for host in hosts:
        zone = hostvars[host].get("cloud_availability_zone") or NO_ZONE
        names = list(hostvars[host].get("cloud_aggregates") or [])
        if zone != NO_ZONE:
            aggregates.setdefault(zone, {"name": zone, "hosts": []})["zone"] = zone
            names.append(zone)
        for name in dict.fromkeys(names):
            aggregates.setdefault(name, {"name": name, "hosts": []})["hosts"].append(host)
    return list(aggregates.values())


class FilterModule:
    """The filters of the role ``resources``."""

    def filters(self):
        return {"external_network": external_network, "host_aggregates": host_aggregates, "resources": resources}
