# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the model of a cloud: of what its APIs say if there is one, else of what its hosts will offer."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.cairn.openstack.plugins.plugin_utils.capacity.model import (
    DISK,
    ENDLESS,
    Cloud,
    Host,
    Inventory,
    Network,
    Pool,
    Shared,
)

Data = Mapping[str, Any]
RUNNING = "Placement, Nova, Cinder and Neutron"
PLANNED = "the inventory and the probe of the hosts"
# How the settings of the role resources say that a subnet has none.
NO_GATEWAY = "none"


def inventory(given: Data) -> Inventory:
    """Return an inventory as Placement's API describes it."""
    return Inventory(
        total=int(given["total"]),
        used=int(given.get("used", 0)),
        reserved=int(given.get("reserved", 0)),
        ratio=float(given.get("allocation_ratio", 1.0)),
        min_unit=int(given.get("min_unit", 1)),
        max_unit=int(given.get("max_unit", ENDLESS)),
        step=int(given.get("step_size", 1)),
    )


def inventories(given: Mapping[str, Data]) -> dict[str, Inventory]:
    """Return the inventories of a provider by class."""
    return {name: inventory(one) for name, one in given.items()}


def running(name: str, facts: Data, plans: Iterable[Data], unreachable: Iterable[str] = ()) -> Cloud:
    """Return the model of a running cloud.

    :param facts: as M(cairn.openstack.capacity_facts) returns them.
    :param plans: of the hosts that respond: their interfaces, and which hosts have their disks in a shared pool.
    :param unreachable: the hosts that were not probed.
    """
    known = {one["name"]: one for one in plans}
    hosts = tuple(
        Host(
            name=one["name"],
            providers=tuple(inventories(provider["inventories"]) for provider in one["providers"]),
            traits=frozenset(one["traits"]),
            metadata=one["metadata"],
            servers=tuple(one["servers"]),
            unusable=one["state"],
            **_nic(known.get(one["name"])),
        )
        for one in facts["hosts"]
    )
    shared = [
        Shared(one["name"], resource, frozenset(one["hosts"]), found)
        for one in facts["sharing"]
        for resource, found in inventories(one["inventories"]).items()
    ]
    disks, remarks = shared_disks(hosts, known)
    return Cloud(
        name=name,
        source=RUNNING,
        hosts=hosts,
        shared=(*shared, *disks),
        pools=tuple(Pool(**one) for one in facts["pools"]),
        networks=tuple(Network(**one) for one in facts["networks"]),
        uplinks=_uplinks(known.values()),
        quotas={name: (one["limit"], one["used"]) for name, one in facts["quotas"].items()},
        project=facts["project"],
        flavors=tuple(facts["flavors"]),
        remarks=(*_unreachable(unreachable), *remarks),
    )


def shared_disks(hosts: Iterable[Host], plans: Mapping[str, Data]) -> tuple[list[Shared], list[str]]:
    """Return the pool of Ceph in which the hosts' servers have their disks, if they have; and what to say of it.

    Each host reports all of Ceph as its own DISK_GB, and all copies of it. Source: ``get_pool_info`` in
    nova/storage/rbd_utils.py, whose total is that of ``ceph df`` before replication. So this counts it once, divided by
    the number of copies, less the disks of the servers on all hosts.
    """
    groups: dict[str, list[Host]] = {}
    # A host that does not respond has its disks where the others have theirs.
    usual = next((one["shared_disk"] for one in plans.values() if one["shared_disk"]), "")
    for host in hosts:
        name = plans[host.name]["shared_disk"] if host.name in plans else usual
        if name and host.has(DISK):
            groups.setdefault(name, []).append(host)
    found, remarks = [], []
    for name, members in groups.items():
        copies = next((pool["replicas"] for one in plans.values() for pool in one["pools"] if pool["name"] == name), 1)
        first = max((provider[DISK] for provider in members[0].providers if DISK in provider), key=lambda x: x.total)
        raw = max(host.sum(DISK, "total") for host in members)
        used = sum(host.sum(DISK, "used") for host in members)
        one = Inventory(raw // copies, used, first.reserved, first.ratio)
        found.append(Shared(name, DISK, frozenset(host.name for host in members), one))
        remarks.append(
            f"The disks of servers are in {name}, counted once: {raw} GiB for {copies} copies. Nova's scheduler sees "
            f"{raw} GiB on each host."
        )
    return found, remarks


def _nic(plan: Data | None) -> dict[str, Any]:
    nic = (plan or {"nics": {}})["nics"].get("tunnel") or {"name": "", "mbit": None}
    return {"nic": nic["name"], "mbit": nic["mbit"]}


def _unreachable(names: Iterable[str]) -> list[str]:
    return [f"Unreachable or not probed: {', '.join(sorted(names))}"] if names else []


def why_not_read(found: Data, members: Iterable[str], controllers: Iterable[str], unreachable: Iterable[str]) -> str:
    """Return why a running cloud was not read; empty if it was, or if nothing says that there is one.

    :param found: the result of M(cairn.openstack.capacity_facts); empty if no controller was asked.
    :param members: the hosts that belong to a cloud by their probe.
    :param controllers: all controllers of the inventory.
    :param unreachable: the hosts that were not probed.
    """
    if found.get("found"):
        return ""
    if found.get("configured"):
        return f"its APIs do not respond ({found['why']})"
    without = sorted(set(controllers) & set(unreachable))
    parts = [f"unreachable controllers: {', '.join(without)}"] if without else []
    if members:
        parts.append(f"hosts of a running cloud: {', '.join(sorted(members))}")
        parts += [f"{found['why']}"] if found.get("why") else []
    return "; ".join(parts)


def _uplinks(plans: Iterable[Data]) -> dict[str, tuple[str, int | None]]:
    return {
        one["name"]: (one["nics"]["external"]["name"], one["nics"]["external"]["mbit"])
        for one in plans
        if "network" in one["groups"] and "external" in one["nics"]
    }


def planned(
    name: str,
    plans: Iterable[Data],
    flavors: Iterable[Data],
    networks: Iterable[Data],
    why: str = "",
    unreachable: Iterable[str] = (),
) -> Cloud:
    """Return the model of a cloud that does not exist yet, or whose APIs do not respond.

    :param plans: what each host will offer.
    :param flavors: those of the settings.
    :param networks: the external networks of the settings.
    :param why: why a running cloud was not read although there is, or may be, one.
    :param unreachable: the hosts that were not probed; they are not counted.
    """
    plans = list(plans)
    pools, sizes = volumes(plans)
    hosts, missing = [], []
    known = {one["name"]: one for one in plans}
    for one in plans:
        if "compute" not in one["groups"]:
            continue
        own = inventories(one["inventories"])
        if one["shared_disk"]:
            # Nova will report all of Ceph with its copies, which `shared_disks` counts once.
            raw = int(sizes.get(one["shared_disk"], 0))
            own[DISK] = Inventory(raw or ENDLESS)
            if not raw:
                known[one["name"]] = {**one, "shared_disk": ""}
                missing.append(f"The size of {one['shared_disk']} is not known: the disks of servers are not counted.")
        hosts.append(Host(name=one["name"], providers=(own,), **_nic(one)))
    disks, remarks = shared_disks(hosts, known)
    return Cloud(
        name=name,
        source=PLANNED,
        hosts=tuple(hosts),
        shared=tuple(disks),
        pools=tuple(pools),
        networks=tuple(addresses(networks)),
        uplinks=_uplinks(plans),
        flavors=tuple(sorted(flavors, key=lambda one: (one["ram"], one["vcpus"], one["name"]))),
        remarks=tuple(dict.fromkeys([*missing, *_unreachable(unreachable), *remarks])),
        why=why,
    )


def volumes(plans: list[Data]) -> tuple[list[Pool], dict[str, float]]:
    """Return the pools that Cinder will have, and the GiB of all devices by back end."""
    pools, sizes = [], {}
    names = dict.fromkeys(pool["name"] for one in plans for pool in one["pools"])
    for name in names:
        mine = [(one["name"], pool) for one in plans for pool in one["pools"] if pool["name"] == name]
        sizes[name] = sum(pool["gib"] for _host, pool in mine)
        options = next((pool["options"] for _host, pool in mine if pool["options"]), None)
        first = mine[0][1]
        if options is None or "volumes" not in first["serves"]:
            continue
        # A volume group is a pool of its host; other devices are one pool. Without devices here, the size is not known.
        parts = [(host, pool["gib"]) for host, pool in mine if pool["gib"]] if first["alone"] else [("", sizes[name])]
        for host, gib in parts:
            size = gib / first["replicas"] or None
            label = f"{host}@{name}" if host else name
            pools.append(Pool(name=label, backend=name, total=size, free=size, **options))
    return pools, sizes


def addresses(networks: Iterable[Data]) -> list[Network]:
    """Return the external networks of the settings with the numbers of IPv4 addresses in their pools."""
    found = []
    for one in networks:
        count = 0
        for subnet in one.get("subnets") or []:
            count += _addresses(subnet)
        if one.get("external"):
            found.append(Network(one["name"], count))
    return found


def _addresses(subnet: Data) -> int:
    """Return the number of IPv4 addresses that Neutron allocates from a subnet.

    Without pools these are all but those of the network, for broadcast, and of the gateway.
    """
    count = 0
    for pool in subnet.get("pools") or []:
        first, last = (ipaddress.ip_address(part.strip()) for part in pool.split("-"))
        count += int(last) - int(first) + 1 if first.version == 4 else 0
    if not subnet.get("pools") and subnet.get("cidr"):
        network = ipaddress.ip_network(subnet["cidr"], strict=False)
        gateway = subnet.get("gateway", "") != NO_GATEWAY
        count = max(0, network.num_addresses - 2 - gateway) if network.version == 4 else 0
    return count
