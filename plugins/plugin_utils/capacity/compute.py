# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many servers of a flavor fit in a cloud, also with one host lost, and what a number of them needs."""

from __future__ import annotations

import bisect
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.cairn.openstack.plugins.plugin_utils.capacity.model import (
    DISK,
    ENDLESS,
    MEMORY,
    NIC,
    PCPU,
    VCPU,
    Claims,
    Cloud,
    Flavor,
    Host,
    without,
)

# In this order, the first of several that end at the same number is named.
ORDER = (VCPU, PCPU, MEMORY, DISK, NIC)
LABELS = {VCPU: "processors", PCPU: "dedicated processors", MEMORY: "memory", DISK: "disk", NIC: "NICs"}
UNITS = {MEMORY: "MiB", DISK: "GiB", NIC: "Mbit/s"}
NO_HOST = "no host suits it"
ALL_HOSTS = "compute hosts"
NO_NETWORK = "There is no external network: floating IPs are not counted."
# Quota → what a server takes of it.
SERVER_QUOTAS = ("instances", "cores", "ram", "ports", "floating_ips", "volumes", "gigabytes")


@dataclass(frozen=True)
class Wanted:
    """What a server takes beside its flavor.

    :param volume: size in GiB of its volume; 0 for none.
    :param backend: the back end of the volume; empty for all.
    :param floating_ips: number of floating IPs.
    :param bandwidth: Mbit/s; 0 does not count them.
    """

    volume: int = 0
    from_volume: bool = False
    backend: str = ""
    floating_ips: int = 0
    bandwidth: int = 0

    def volume_of(self, flavor: Flavor) -> int:
        """Return the size of a server's volume: its own, or that of the flavor's root disk."""
        return self.volume or (flavor.disk if self.from_volume else 0)


@dataclass(frozen=True)
class Fit:
    """How many servers of a flavor fit.

    :param now: how many fit now.
    :param scheduled: how many the scheduler would place; more than *now* if hosts count a shared disk several times.
    :param hosts: how many on each host.
    :param limits: how many would fit if only this resource ended; without those of which an amount is unknown.
    :param first: the resource of which the fewest servers are left.
    :param alone: how many fit if no shared resource limits them, with all hosts and with any one of them lost.
    :param lost: by host how many fit without it, after its servers have moved to the others.
    :param stranded: hosts whose servers do not all fit on the others.
    """

    flavor: Flavor
    now: int
    scheduled: int
    hosts: Mapping[str, int]
    limits: Mapping[str, int]
    first: str
    lost: Mapping[str, int] = field(default_factory=dict)
    stranded: frozenset[str] = frozenset()
    alone: tuple[int, int] = (0, 0)

    @property
    def worst(self) -> str:
        """The host whose loss leaves least room; empty without hosts."""
        return min(self.lost, key=lambda name: (self.lost[name], name), default="")

    @property
    def one_lost(self) -> int:
        """How many fit with any one host lost: the minimum over the hosts."""
        return min(self.lost.values(), default=0)


def fit(cloud: Cloud, flavor: Flavor, losses: Mapping[str, tuple[list[Host], bool]] | None = None) -> Fit:
    """Return how many servers of a flavor fit.

    Each host takes a whole number of servers, so hosts are counted one by one: the sum of what is free would count
    rests of which no server is made.

    :param losses: as returned by ``lose_each``; they are the same for all flavors.
    """
    losses = lose_each(cloud) if losses is None else losses
    # Most hosts are the same objects in all losses.
    counts: dict[int, tuple[int | None, int]] = {}
    scheduled, now, alone = _total(cloud, list(cloud.hosts), flavor, counts)
    limits = {}
    for name in sorted(flavor.claims, key=lambda one: (ORDER.index(one) if one in ORDER else len(ORDER), one)):
        of_one = Flavor(flavor.name, {name: flavor.claims[name]}, flavor.required, flavor.forbidden, flavor.metadata)
        suiting = [host for host in cloud.hosts if host.suits(flavor)]
        if not all(_known(host, name) for host in suiting):
            continue
        limits[name] = _total(cloud, suiting, of_one)[1]
    first = min(limits, key=lambda name: limits[name], default="")
    if not any(host.suits(flavor) for host in cloud.hosts):
        first = NO_HOST
    hosts = {host.name: _room(cloud, host, flavor) for host in cloud.hosts}
    lost, alone_lost, stranded = {}, [], set()
    for name, (left, moved) in losses.items():
        _scheduled, lost[name], rest = _total(cloud, left, flavor, counts) if moved else (0, 0, 0)
        alone_lost.append(rest)
        if not moved:
            stranded.add(name)
    least = min(alone_lost, default=0)
    return Fit(flavor, now, scheduled, hosts, limits, first, lost, frozenset(stranded), (alone, least))


def _known(host: Host, name: str) -> bool:
    """Return whether it is known what a host has of a resource."""
    return host.mbit is not None if name == NIC else host.sum(name, "total") < ENDLESS


def _room(cloud: Cloud, host: Host, flavor: Flavor) -> int:
    return host.room(flavor.claims, cloud.elsewhere(host)) if host.suits(flavor) else 0


def _alone(cloud: Cloud, host: Host, flavor: Flavor) -> int:
    """Return how many servers fit on a host if no shared resource limits them."""
    shared = cloud.elsewhere(host)
    return host.room({name: amount for name, amount in flavor.claims.items() if name not in shared})


def _total(
    cloud: Cloud, hosts: list[Host], flavor: Flavor, counts: dict[int, tuple[int | None, int]] | None = None
) -> tuple[int, int, int]:
    """Return how many servers fit on *hosts* by their own inventories, by shared ones too, and without these.

    :param counts: what was computed for this flavor, by the id of the host, as long as these objects exist.
    """
    counts = {} if counts is None else counts
    own: dict[str, int | None] = {}
    alone = 0
    for host in hosts:
        if host.suits(flavor):
            if id(host) not in counts:
                # A host without any count takes all from shared inventories.
                least = min(host.counts(flavor.claims, cloud.elsewhere(host)).values(), default=None)
                counts[id(host)] = least, _alone(cloud, host, flavor)
            own[host.name], mine = counts[id(host)]
            alone += mine
    rooms = {name: count for name, count in own.items() if count is not None}
    total = scheduled = sum(rooms.values())
    for one in cloud.shared:
        users = one.hosts & set(own)
        if not users or not flavor.claims.get(one.resource):
            continue
        limit = one.inventory.fits(flavor.claims[one.resource])
        endless = any(own[name] is None for name in users)
        theirs = sum(rooms.get(name, 0) for name in users)
        # A host with an inventory of its own counts it alone, whatever the others have taken.
        reports = any(host.has(one.resource) for host in hosts if host.name in users)
        taken = limit if endless else min(theirs, limit)
        total += taken - theirs
        if not reports:
            scheduled += taken - theirs
    return scheduled, max(0, total), alone


def lose_each(cloud: Cloud) -> dict[str, tuple[list[Host], bool]]:
    """Return for each host the others, after its servers have moved to them, and whether they all could.

    A server moves to the host with the most free memory. The largest moves first, so that as many as possible find
    room. A host that the scheduler passes over can be lost too, if it has servers.
    """
    return {
        lost.name: _lose(cloud, lost, without(cloud.hosts, lost.name))
        for lost in cloud.hosts
        if lost.servers or not lost.unusable
    }


def _lose(cloud: Cloud, lost: Host, left: list[Host]) -> tuple[list[Host], bool]:
    """Return the hosts in *left* with the servers of the lost one, and whether they all could move."""
    # The most free memory first.
    order = sorted((-host.sum(MEMORY, "free"), number) for number, host in enumerate(left) if not host.unusable)
    for claims in sorted(lost.servers, key=lambda one: -one.get(MEMORY, 0)):
        place = next(
            (place for place, (_free, number) in enumerate(order) if _takes(cloud, left[number], claims)), None
        )
        if place is None:
            return left, False
        _free, number = order.pop(place)
        left[number] = left[number].take(claims)
        bisect.insort(order, (-left[number].sum(MEMORY, "free"), number))
    return left, True


def _takes(cloud: Cloud, host: Host, claims: Claims) -> bool:
    return host.room(claims, cloud.elsewhere(host)) > 0


@dataclass(frozen=True)
class Need:
    """What a number of servers needs of one resource.

    :param label: its name for readers.
    :param needed: the amount for all servers.
    :param free: what is left; None without a limit, or if it is unknown.
    :param servers: for how many servers it suffices; None likewise.
    :param unit: of the amounts.
    :param quota: whether a quota limits it, which an administrator can raise.
    """

    label: str
    needed: float
    free: float | None
    servers: int | None
    unit: str = ""
    quota: bool = False


@dataclass(frozen=True)
class Answer:
    """What a number of servers of a flavor needs, and whether they fit.

    :param servers: how many of them fit, whatever the quotas.
    :param first: label of the resource that limits them; if hosts have ended by different ones, of the hosts.
    :param allowed: how many of them the quotas allow; None without a limit.
    :param raise_first: label of the quota that limits them.
    :param like: the largest host that suits the flavor, and how many servers it takes if it has none.
    :param remarks: what a reader must know of the numbers.
    :param further: how many further hosts like it are needed for all servers; None if hosts are not what is missing.
    :param further_lost: the same, with one host lost.
    """

    flavor: Flavor
    count: int
    needs: tuple[Need, ...]
    servers: int
    first: str
    allowed: int | None = None
    raise_first: str = ""
    like: tuple[str, int] = ("", 0)
    further: int | None = None
    further_lost: int | None = None
    remarks: tuple[str, ...] = ()

    @property
    def fits(self) -> bool:
        """Whether all servers fit, whatever the quotas."""
        return self.servers >= self.count


def needs(cloud: Cloud, found: Fit, count: int, wanted: Wanted) -> Answer:
    """Return what *count* servers of the flavor in *found* need."""
    flavor = found.flavor
    rows = [_of_hosts(cloud, found, name, count) for name in found.limits]
    rows += [
        Need(LABELS.get(name, name), count * amount, None, None, UNITS.get(name, ""))
        for name, amount in flavor.claims.items()
        if name not in found.limits
    ]
    # After their resources, so that one of these is named if it limits all hosts.
    rows.append(Need(ALL_HOSTS, count, found.now, found.now))
    rows += [*_of_volumes(cloud, flavor, count, wanted), *_of_networks(cloud, count, wanted)]
    rows += _of_quotas(cloud, flavor, count, wanted)
    known = [one for one in rows if one.servers is not None and not one.quota]
    least = min(known, key=lambda one: one.servers)
    servers = min(one.servers for one in known)
    quota = min((one for one in rows if one.quota), key=lambda one: one.servers, default=None)
    suiting = [host for host in cloud.hosts if host.suits(flavor)]
    empty = {host.name: _alone(cloud, host.empty(), flavor) for host in suiting}
    largest = max(empty, key=lambda name: empty[name], default="")
    further, further_lost = _further(found, count, empty.get(largest, 0))
    return Answer(
        flavor,
        count,
        tuple(rows),
        servers,
        found.first if found.first == NO_HOST else least.label,
        quota.servers if quota else None,
        quota.label if quota else "",
        (largest, empty.get(largest, 0)),
        further,
        further_lost,
        (NO_NETWORK,) if wanted.floating_ips and not cloud.networks else (),
    )


def _further(found: Fit, count: int, each: int) -> tuple[int | None, int | None]:
    """Return how many hosts with room for *each* servers are missing, and with one host lost."""
    if not each:
        return None, None
    # Further hosts add nothing to a shared disk: it is not counted here.
    now, one_lost = found.alone
    missing = math.ceil((count - now) / each)
    if one_lost >= count:
        return max(0, missing), 0
    # The host that is lost may be an old one or a new one.
    return max(0, missing), max(math.ceil((count - one_lost) / each), missing + 1)


def _of_hosts(cloud: Cloud, found: Fit, name: str, count: int) -> Need:
    """Return what servers need of a resource of the hosts."""
    amount = found.flavor.claims[name]
    suiting = [host for host in cloud.hosts if host.suits(found.flavor)]
    label, unit = LABELS.get(name, name), UNITS.get(name, "")
    if name == NIC:
        free = sum(max(0, (host.mbit or 0) - len(host.servers) * amount) for host in suiting)
        return Need(f"{label} of compute hosts", count * amount, free, found.limits[name], unit)
    common = [one for one in cloud.shared if one.resource == name and one.hosts & {host.name for host in suiting}]
    counted = {name for one in common for name in one.hosts}
    free = sum(host.sum(name, "free") for host in suiting if host.name not in counted)
    free += sum(one.inventory.free for one in common)
    where = f" in {', '.join(one.name for one in common)}" if common else ""
    return Need(f"{label}{where}", count * amount, free, found.limits[name], unit)


def _of_volumes(cloud: Cloud, flavor: Flavor, count: int, wanted: Wanted) -> list[Need]:
    size = wanted.volume_of(flavor)
    if not size:
        return []
    pools = [one for one in cloud.pools if wanted.backend in ("", one.backend)]
    label = f"volumes in {wanted.backend}" if wanted.backend else "volumes"
    if any(one.room is None for one in pools):
        return [Need(label, count * size, None, None, "GiB")]
    room = sum(one.room for one in pools)
    return [Need(label, count * size, room, sum(one.fits(size) for one in pools), "GiB")]


def _of_networks(cloud: Cloud, count: int, wanted: Wanted) -> list[Need]:
    """Return what servers need of floating IPs, and of the network hosts' NICs."""
    found = []
    if wanted.floating_ips and cloud.networks:
        free = sum(one.free for one in cloud.networks)
        found.append(Need("floating IPs", count * wanted.floating_ips, free, free // wanted.floating_ips))
    if wanted.bandwidth and cloud.uplinks:
        label, needed = "NICs of network hosts", count * wanted.bandwidth
        speeds = [speed for _name, speed in cloud.uplinks.values()]
        if None in speeds:
            return [*found, Need(label, needed, None, None, "Mbit/s")]
        used = wanted.bandwidth * sum(len(host.servers) for host in cloud.hosts)
        free = max(0, sum(speeds) - used)
        found.append(Need(label, needed, free, free // wanted.bandwidth, "Mbit/s"))
    return found


def _of_quotas(cloud: Cloud, flavor: Flavor, count: int, wanted: Wanted) -> list[Need]:
    size = wanted.volume_of(flavor)
    each = {
        "instances": 1,
        "cores": flavor.vcpus,
        "ram": flavor.claims.get(MEMORY, 0),
        "ports": 1,
        "floating_ips": wanted.floating_ips if cloud.networks else 0,
        "volumes": 1 if size else 0,
        "gigabytes": size,
    }
    units = {"ram": "MiB", "gigabytes": "GiB"}
    found = []
    for name in SERVER_QUOTAS:
        limit, used = cloud.quotas.get(name, (-1, 0))
        if limit < 0 or not each[name]:
            continue
        free = max(0, limit - used)
        label = f"quota: {name.replace('_', ' ')}"
        found.append(Need(label, count * each[name], free, free // each[name], units.get(name, ""), quota=True))
    return found


def as_json(cloud: Cloud, fits: list[Fit], answer: Answer | None) -> dict[str, Any]:
    """Return all numbers as data."""
    return {
        "cloud": cloud.name,
        "source": cloud.source,
        "why": cloud.why,
        "remarks": list(cloud.remarks),
        "hosts": [_host_json(host) for host in cloud.hosts],
        "shared": [
            {"name": one.name, "resource": one.resource, "hosts": sorted(one.hosts), **_inventory_json(one.inventory)}
            for one in cloud.shared
        ],
        "volumes": [{**vars(one), "room": one.room} for one in cloud.pools],
        "floating_ips": [{**vars(one), "free": one.free} for one in cloud.networks],
        "uplinks": [{"host": host, "nic": nic, "mbit": speed} for host, (nic, speed) in cloud.uplinks.items()],
        "quotas": {
            "project": cloud.project,
            "limits": {name: {"limit": limit, "used": used} for name, (limit, used) in cloud.quotas.items()},
        },
        "flavors": [_fit_json(one) for one in fits],
        "servers": _answer_json(answer) if answer else None,
    }


def _inventory_json(one) -> dict[str, Any]:
    return {**vars(one), "capacity": one.capacity, "free": one.free}


def _host_json(host: Host) -> dict[str, Any]:
    return {
        "name": host.name,
        "unusable": host.unusable,
        "servers": len(host.servers),
        "nic": host.nic,
        "mbit": host.mbit,
        "providers": [{name: _inventory_json(one) for name, one in found.items()} for found in host.providers],
    }


def _fit_json(one: Fit) -> dict[str, Any]:
    return {
        "name": one.flavor.name,
        "claims": dict(one.flavor.claims),
        "fits": one.now,
        "scheduled": one.scheduled,
        "hosts": dict(one.hosts),
        "limits": dict(one.limits),
        "limited_by": one.first,
        "one_host_lost": {
            "fits": one.one_lost,
            "worst_host": one.worst,
            "without": dict(one.lost),
            "servers_do_not_fit_elsewhere": sorted(one.stranded),
        },
        "at_most": list(one.flavor.beyond),
    }


def _answer_json(one: Answer) -> dict[str, Any]:
    return {
        "flavor": one.flavor.name,
        "count": one.count,
        "fit": one.fits,
        "servers": one.servers,
        "limited_by": one.first,
        "quotas_allow": one.allowed,
        "remarks": list(one.remarks),
        "needs": [vars(need) for need in one.needs],
        "largest_host": {"name": one.like[0], "servers": one.like[1]},
        "further_hosts": one.further,
        "further_hosts_with_one_lost": one.further_lost,
    }
