# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The capacity of a cloud as tables for readers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ansible_collections.cairn.openstack.plugins.plugin_utils.capacity.compute import (
    LABELS,
    NO_HOST,
    Answer,
    Fit,
    Need,
    Wanted,
)
from ansible_collections.cairn.openstack.plugins.plugin_utils.capacity.model import (
    DISK,
    ENDLESS,
    MEMORY,
    PCPU,
    VCPU,
    Cloud,
    Host,
    Inventory,
    Pool,
)

GOOD, BAD, PLAIN = "green", "red", None
Line = tuple[str, str | None]
UNKNOWN = "unknown"
GIB_DIGITS = 100


def lines(cloud: Cloud, fits: Sequence[Fit], answer: Answer | None, wanted: Wanted) -> Iterator[Line]:
    """Yield the report, each line with its colour."""
    if cloud.why:
        # These numbers must not be taken for those of the running cloud.
        yield f"Capacity of {cloud.name} without its servers, from {cloud.source}", BAD
        yield f"  The running cloud was not read: {cloud.why}. Its servers are not counted.", BAD
    else:
        yield f"Capacity of {cloud.name}, from {cloud.source}", PLAIN
    for remark in cloud.remarks:
        yield f"  {remark}", "yellow"
    yield "", PLAIN
    yield from _hosts(cloud)
    yield from _flavors(cloud, fits)
    yield from _others(cloud)
    if answer:
        yield from _answer(cloud, answer, wanted)


def table(head: Sequence[str], rows: Iterable[Sequence[str]], right: Iterable[int] = ()) -> list[str]:
    """Return rows with aligned columns below their head.

    :param right: the columns that are aligned on the right.
    """
    every = [tuple(head), *(tuple(map(str, row)) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*every, strict=True)]
    numbers = set(right)
    return [
        "  ".join(
            f"{cell:>{width}}" if number in numbers else f"{cell:<{width}}"
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in every
    ]


def gib(amount: float) -> str:
    """Return GiB with one digit if they are few."""
    return f"{amount:.0f}" if amount >= GIB_DIGITS or amount == int(amount) else f"{amount:.1f}"


def speed(mbit: int | None) -> str:
    """Return the speed of an interface."""
    if mbit is None:
        return UNKNOWN
    return f"{mbit // 1000} Gbit/s" if mbit >= 1000 and not mbit % 1000 else f"{mbit} Mbit/s"


def servers(count: int) -> str:
    """Return a number of servers."""
    return f"{count} server" if count == 1 else f"{count} servers"


def hosts(count: int) -> str:
    """Return a number of hosts."""
    return f"{count} host" if count == 1 else f"{count} hosts"


def _hosts(cloud: Cloud) -> Iterator[Line]:
    dedicated = any(host.has(PCPU) for host in cloud.hosts)
    classes = [VCPU, *([PCPU] if dedicated else []), MEMORY, DISK]
    head = ["compute host", *(LABELS[name] for name in classes), "servers", "NIC", ""]
    rows = [
        [
            host.name,
            *(_used(host, name) for name in classes),
            str(len(host.servers)),
            " ".join(filter(None, (host.nic, speed(host.mbit)))),
            f"not used: {host.unusable}" if host.unusable else "",
        ]
        for host in cloud.hosts
    ]
    for number, line in enumerate(table(head, rows, right=[len(classes) + 1])):
        unusable = number and cloud.hosts[number - 1].unusable
        yield line, "yellow" if unusable else PLAIN
    if not cloud.hosts:
        yield "There is no compute host.", BAD
    for one in cloud.shared:
        yield f"{one.name}: {_of(one.inventory, one.resource)}, shared by {hosts(len(one.hosts))}", PLAIN
    yield "", PLAIN


def _used(host: Host, name: str) -> str:
    """Return how much of all that can be claimed is claimed."""
    if not host.has(name):
        return "none"
    if host.sum(name, "total") >= ENDLESS:
        return UNKNOWN
    return _amounts(host.sum(name, "used"), host.sum(name, "capacity"), name)


def _of(inventory: Inventory, name: str) -> str:
    return f"{LABELS.get(name, name)} {_amounts(inventory.used, inventory.capacity, name)}"


def _amounts(used: int, capacity: int, name: str) -> str:
    if name == MEMORY:
        return f"{gib(used / 1024)} of {gib(capacity / 1024)} GiB"
    return f"{used} of {capacity}{' GiB' if name == DISK else ''}"


def _flavors(cloud: Cloud, fits: Sequence[Fit]) -> Iterator[Line]:
    rows = []
    for one in fits:
        star = " *" if one.flavor.beyond else ""
        ends = LABELS.get(one.first, one.first)
        rows.append([f"{one.flavor.name}{star}", str(one.now), str(one.one_lost), one.worst, ends])
    head = ["flavor", "fits now", "with one host lost", "worst host", "limited by"]
    text = table(head, rows, right=[1, 2])
    yield text[0], PLAIN
    for one, line in zip(fits, text[1:], strict=True):
        yield line, GOOD if one.one_lost else "yellow" if one.now else BAD
    stranded = sorted({host for one in fits[:1] for host in one.stranded})
    usable = [host for host in cloud.hosts if not host.unusable]
    if fits and len(usable) == 1:
        yield "With one host lost none fits: there is no other host.", "yellow"
    elif stranded:
        yield f"The servers of {', '.join(stranded)} do not all fit on the other hosts: then none is free.", "yellow"
    for one in fits:
        if one.flavor.beyond:
            yield f"* {one.flavor.name}: at most; also decided by {', '.join(one.flavor.beyond)}", "yellow"
        if one.scheduled > one.now:
            yield f"{one.flavor.name}: the scheduler would place {one.scheduled}, on more disk than there is.", "yellow"
    yield "", PLAIN


def _others(cloud: Cloud) -> Iterator[Line]:
    """Yield what is not of the compute hosts: volumes, floating IPs, NICs of network hosts, quotas."""
    rows = [[f"volumes in {one.name}", *_pool(one)] for one in cloud.pools]
    rows += [
        [f"floating IPs in {one.name}", str(one.free), f"{one.used} of {one.total} used"] for one in cloud.networks
    ]
    rows += [[f"{nic} of {host}", speed(mbit), "external network"] for host, (nic, mbit) in cloud.uplinks.items()]
    if rows:
        yield from ((line, PLAIN) for line in table(["other resources", "free", ""], rows, right=[1]))
    limits = [_quota(name, *both) for name, both in cloud.quotas.items() if both[0] >= 0]
    if limits:
        yield f"quotas of {cloud.project or 'a new project'}: {', '.join(limits)}", PLAIN
    yield "", PLAIN


def _quota(name: str, limit: int, used: int) -> str:
    """Return a quota, and what is used of it."""
    amount, taken = (f"{gib(one / 1024)} GiB" if name == "ram" else str(one) for one in (limit, used))
    return f"{amount} {name.replace('_', ' ')}{f' ({taken} used)' if used else ''}"


def _pool(one: Pool) -> tuple[str, str]:
    room = "no limit known" if one.room is None else f"{gib(one.room)} GiB"
    total = UNKNOWN if one.total is None else f"{gib(one.total)} GiB"
    how = f"{one.ratio:g} times overcommitted" if one.thin else "not overcommitted"
    return room, f"{gib(one.provisioned)} GiB in volumes, of {total}, {how}"


def _answer(cloud: Cloud, answer: Answer, wanted: Wanted) -> Iterator[Line]:
    yield f"What {servers(answer.count)} of {answer.flavor.name} need{'s' if answer.count == 1 else ''}", PLAIN
    rows = [_need(one, answer.count) for one in answer.needs]
    text = table(["resource", "needed", "free", "enough for", ""], rows, right=[1, 2, 3])
    yield text[0], PLAIN
    for one, line in zip(answer.needs, text[1:], strict=True):
        short = one.servers is not None and one.servers < answer.count
        yield line, BAD if short else PLAIN
    for remark in answer.remarks:
        yield remark, "yellow"
    if answer.fits:
        yield f"They fit. Limited by: {answer.first}.", GOOD
    elif answer.first == NO_HOST:
        yield "They do not fit.", BAD
    else:
        yield f"They do not fit: there is room for {answer.servers or 'none'}. Limited by: {answer.first}.", BAD
    yield from _further(cloud, answer)
    if answer.allowed is not None and answer.allowed < answer.count:
        yield (
            f"The quotas allow {answer.allowed}. Limited by: {answer.raise_first.removeprefix('quota: ')}.",
            "yellow",
        )
    if not wanted.bandwidth:
        yield "The NICs are not counted: set capacity_bandwidth_mbit to the Mbit/s of a server.", PLAIN


def _further(cloud: Cloud, answer: Answer) -> Iterator[Line]:
    """Yield how many compute hosts are missing."""
    name, each = answer.like
    like = f"like {name} (without servers it takes {each})"
    if not cloud.hosts:
        yield "There is no compute host.", BAD
    elif answer.first == NO_HOST:
        yield "No compute host is enabled, up, and has the flavor's traits.", BAD
    elif answer.further is None:
        yield "No compute host is large enough for this flavor.", BAD
    elif answer.further:
        more = hosts(answer.further)
        yield f"Missing: {more} {like}; {answer.further_lost} so that one may be lost.", PLAIN
    elif answer.further_lost:
        yield f"Missing so that one host may be lost: {hosts(answer.further_lost)} {like}.", PLAIN
    else:
        yield "The compute hosts are enough, also with one lost.", GOOD


def _need(one: Need, count: int) -> list[str]:
    if one.unit == "MiB":
        needed, free = (f"{gib(amount / 1024)} GiB" if amount is not None else "" for amount in (one.needed, one.free))
    else:
        unit = f" {one.unit}" if one.unit else ""
        needed = f"{gib(one.needed)}{unit}"
        free = "" if one.free is None else f"{gib(one.free)}{unit}"
    if one.servers is None:
        return [one.label, needed, UNKNOWN, "", ""]
    suffices = "" if one.servers >= count else "not enough"
    return [one.label, needed, free, servers(one.servers), suffices]
