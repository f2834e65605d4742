# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a report says of the use of a running cloud, as its APIs tell an administrator. Changes nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ansible_collections.cairn.openstack.plugins.module_utils.cloud.capacity import read
from ansible_collections.cairn.openstack.plugins.module_utils.common.rest import Api

# Names that a page shows; the rest is counted.
MOST = 20
GIB, MIB = 2**30, 2**20
# Resource classes: the name, the bytes of a unit (0 for a number).
RESOURCES = {"VCPU": ("vCPUs", 0), "MEMORY_MB": ("memory", MIB), "DISK_GB": ("disk", GIB)}


@dataclass(frozen=True)
class Reader:
    """What is read of one API: its types in the catalog, and a function that returns parts of the report.

    :param optional: whether a cloud may be without it.
    """

    name: str
    types: tuple[str, ...]
    read: Callable[[Api, bool], dict[str, Any]]
    optional: bool = False


def providers(api: Api, shared_disks: bool = False) -> list[dict]:
    """Return the used and total resources of each resource provider.

    :param shared_disks: whether the disks of servers are in Ceph, all of which each compute host reports as its own.
    """
    api.headers["OpenStack-API-Version"] = f"placement {read.PLACEMENT}"
    found = []
    for provider in read.providers(api.get):
        claimed = read.claims(api.get, provider["uuid"])
        for kind, one in read.inventories(api.get, provider["uuid"], claimed).items():
            if kind in RESOURCES:
                name, unit = RESOURCES[kind]
                total = int((one["total"] - one["reserved"]) * one["allocation_ratio"])
                share = {"name": name, "of": provider["name"], "used": one["used"], "total": total}
                found.append({**share, "bytes": unit})
    disks = [one for one in found if one["name"] == "disk"]
    if shared_disks and disks:
        once = {**disks[0], "of": "", "used": sum(one["used"] for one in disks)}
        once["total"] = max(one["total"] for one in disks)
        found = [*(one for one in found if one["name"] != "disk"), once]
    return found


def pools(api: Api) -> list[dict]:
    """Return the used and total space of pools of volumes, those of one back end on several controllers once.

    Volume groups of several hosts have the same back end and different places.
    """
    found: dict[tuple, dict] = {}
    for pool in read.pools(api.get):
        total, free = pool["total"], pool["free"]
        if total is not None and free is not None:
            name = pool["name"].partition("@")[2] or pool["name"]
            key = (name, pool["place"] or total)
            share = {"name": name, "of": "volumes", "used": total - free, "total": total, "bytes": GIB}
            found[key] = {**share, "full": pool["name"]}
    names = Counter(one["name"] for one in found.values())
    shares = [(one.pop("full"), one) for one in found.values()]
    return [{**one, "name": full if names[one["name"]] > 1 else one["name"]} for full, one in shares]


def networks(api: Api) -> tuple[dict, list[dict]]:
    """Return how many networks there are, and the addresses in use of external ones."""
    known = api.get("/networks?fields=id&fields=name&fields=router:external&fields=status")["networks"]
    external = {one["id"] for one in known if one["router:external"]}
    shares = [
        {"name": "addresses", "of": one["network_name"], "used": one["used_ips"], "total": one["total_ips"], "bytes": 0}
        for one in api.get("/network-ip-availabilities")["network_ip_availabilities"]
        if one["network_id"] in external
    ]
    routers = len(api.get("/routers?fields=id")["routers"])
    addresses = len(api.get("/floatingips?fields=id")["floatingips"])
    return {"networks": len(known), "routers": routers, "floating IPs": addresses}, shares


def servers(api: Api) -> tuple[dict, list[dict]]:
    """Return how many servers there are by state, and those in the state ERROR."""
    states: Counter = Counter()
    broken = []
    path = "/servers/detail?all_tenants=true&limit=500"
    while path:
        answer = api.get(path)
        for server in answer["servers"]:
            states[server["status"]] += 1
            if server["status"] == "ERROR":
                fault = server.get("fault", {}).get("message", "")
                host = server.get("OS-EXT-SRV-ATTR:host") or ""
                broken.append({"id": server["id"], "name": server["name"], "host": host, "why": fault})
        links = {link["rel"]: link["href"] for link in answer.get("servers_links", [])}
        path = f"/servers/detail?{links['next'].partition('?')[2]}" if "next" in links else ""
    return dict(states), broken[:MOST]


def versioned(api: Api, version: str) -> Api:
    """Return a client below the API's *version*, which some catalogs have in their URLs and others not."""
    if api.url.endswith(version):
        return api
    other = Api(api.url + version, api._cafile)
    other.headers = api.headers
    return other


def _networks(api: Api, _shared_disks: bool) -> dict[str, Any]:
    counts, shares = networks(versioned(api, "/v2.0"))
    return {"counts": counts, "capacity": shares}


def _servers(api: Api, _shared_disks: bool) -> dict[str, Any]:
    states, broken = servers(api)
    return {"servers": states, "broken_servers": broken}


READERS = (
    Reader("placement", ("placement",), lambda api, shared: {"capacity": providers(api, shared)}),
    Reader("volumes", ("volumev3", "block-storage"), lambda api, _shared: {"capacity": pools(api)}, optional=True),
    Reader("networks", ("network",), _networks),
    Reader("servers", ("compute",), _servers),
)
