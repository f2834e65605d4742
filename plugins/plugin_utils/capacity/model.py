# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a cloud offers and what a server claims of it, with the formulas of Placement, Nova and Cinder."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

VCPU, PCPU, MEMORY, DISK = "VCPU", "PCPU", "MEMORY_MB", "DISK_GB"
# Of a server that shall have a bandwidth; no class of Placement's.
NIC = "NIC_MBIT"
ENDLESS = 2**31 - 1
# What else than Placement decides about a server: the number of servers can only be lower.
BEYOND = (
    "hw:mem_page_size",
    "hw:numa_",
    "hw:cpu_policy",
    "hw:pci_numa_affinity_policy",
    "hw:pmem",
    "hw:tpm_",
    "hw:maxphysaddr_mode",
    "os:secure_boot",
    "capabilities:",
    "accel:",
    "pci_passthrough:alias",
)
HYPERTHREADING = "HW_CPU_HYPERTHREADING"
# The scope of an extra spec that AggregateInstanceExtraSpecsFilter reads; it reads those without a scope too.
AGGREGATE = "aggregate_instance_extra_specs"
OPERATOR = re.compile(r"(<in>|<all-in>|<or>|s?[=!<>]+)\s")

Claims = Mapping[str, int]


@dataclass(frozen=True)
class Inventory:
    """What a resource provider has of one resource class.

    :param ratio: its allocation ratio, by which the class is overcommitted.
    """

    total: int
    used: int = 0
    reserved: int = 0
    ratio: float = 1.0
    min_unit: int = 1
    max_unit: int = ENDLESS
    step: int = 1

    @property
    def capacity(self) -> int:
        """All that servers can claim.

        Source: ``Inventory.capacity`` in placement/objects/inventory.py: int((total - reserved) * allocation_ratio).
        """
        return int((self.total - self.reserved) * self.ratio)

    @property
    def free(self) -> int:
        """What further servers can claim."""
        return max(0, self.capacity - self.used)

    def fits(self, amount: int) -> int:
        """Return how many claims of *amount* fit.

        Source: ``_capacity_check_clause`` in placement/objects/research_context.py: used + amount <= (total - reserved)
        * allocation_ratio, min_unit <= amount <= max_unit, and amount % step_size == 0.
        """
        if not self.min_unit <= amount <= self.max_unit or amount % self.step:
            return 0
        return self.free // amount

    def take(self, amount: int) -> Inventory:
        """Return the inventory with *amount* claimed."""
        return replace(self, used=self.used + amount)


@dataclass(frozen=True)
class Flavor:
    """What a server of a flavor claims.

    :param claims: resource class → amount.
    :param required: traits that a host must have.
    :param forbidden: traits that it must not have.
    :param metadata: what the metadata of its aggregates must say.
    :param beyond: extra specs about which more than claims decides.
    """

    name: str
    claims: Claims
    required: frozenset[str] = frozenset()
    forbidden: frozenset[str] = frozenset()
    metadata: Mapping[str, str] = field(default_factory=dict)
    beyond: tuple[str, ...] = ()
    vcpus: int = 0
    disk: int = 0

    @classmethod
    def of(cls, given: Mapping[str, Any], from_volume: bool = False, bandwidth: int = 0) -> Flavor:
        """Return the flavor that Nova's API, or a setting, describes.

        Source: ``ResourceRequest.from_request_spec`` in nova/scheduler/utils.py: VCPU, MEMORY_MB, and DISK_GB of the
        root disk (unless the server starts from a volume), the ephemeral disk and the swap, rounded up to GiB; extra
        specs ``resources:CLASS`` take the place of these; ``hw:cpu_policy`` claims PCPU. Claims of 0 are none.

        :param from_volume: whether its root disk is a volume.
        :param bandwidth: Mbit/s for each server.
        """
        specs = {str(key): str(value) for key, value in (given.get("extra_specs") or {}).items()}
        claims: dict[str, int] = {}
        required, forbidden = set(), set()
        for key, value in specs.items():
            kind, _colon, name = key.partition(":")
            if re.fullmatch(r"resources\w*", kind):
                claims[name] = claims.get(name, 0) + int(value)
            elif re.fullmatch(r"trait\w*", kind):
                (required if value == "required" else forbidden).add(name)
        vcpus, root = int(given.get("vcpus") or 1), int(given.get("disk") or 0)
        dedicated = _dedicated(specs, vcpus)
        if dedicated:
            if dedicated < vcpus:
                claims[VCPU] = claims.get(VCPU, 0) + vcpus - dedicated
            claims[PCPU] = claims.get(PCPU, 0) + dedicated + (specs.get("hw:emulator_threads_policy") == "isolate")
        thread = specs.get("hw:cpu_thread_policy")
        required |= {HYPERTHREADING} if thread == "require" else set()
        forbidden |= {HYPERTHREADING} if thread == "isolate" else set()
        if VCPU not in claims and PCPU not in claims:
            claims[VCPU] = vcpus
        claims.setdefault(MEMORY, int(given["ram"]))
        disk = int(given.get("ephemeral") or 0) + math.ceil(int(given.get("swap") or 0) / 1024)
        claims.setdefault(DISK, disk + (0 if from_volume else root))
        if specs.get("hw:mem_encryption", "").lower() in ("true", "1", "yes", "on"):
            claims["MEM_ENCRYPTION_CONTEXT"] = 1
        claims[NIC] = bandwidth
        metadata, operators = {}, []
        for key, value in specs.items():
            scope, _colon, name = key.rpartition(":")
            if scope in ("", AGGREGATE) and name != "group_policy":
                (operators.append(key) if OPERATOR.match(value) else metadata.update({name: value}))
        beyond = [key for key in specs if key.startswith(BEYOND)]
        return cls(
            name=given["name"],
            claims={name: amount for name, amount in claims.items() if amount},
            required=frozenset(required),
            forbidden=frozenset(forbidden),
            metadata=metadata,
            beyond=tuple(sorted([*beyond, *operators])),
            vcpus=vcpus,
            disk=root,
        )


def _dedicated(specs: Mapping[str, str], vcpus: int) -> int:
    """Return the number of dedicated processors by ``hw:cpu_policy``."""
    policy = specs.get("hw:cpu_policy")
    if policy == "mixed":
        return len(processors(specs.get("hw:cpu_dedicated_mask") or specs.get("hw:cpu_realtime_mask") or "", vcpus))
    return vcpus if policy == "dedicated" else 0


def processors(text: str, count: int = ENDLESS) -> set[int]:
    """Return the numbers in a list of processors such as ``0-3,^2``, of which there are *count*.

    One that only excludes some, such as ``^0``, has the others. Source: ``parse_cpu_spec`` in nova/virt/hardware.py.
    """
    found, without = set(), set()
    for word in filter(None, (word.strip() for word in text.split(","))):
        first, _hyphen, last = word.removeprefix("^").partition("-")
        numbers = set(range(int(first), int(last or first) + 1))
        if word.startswith("^"):
            without |= numbers
        else:
            found |= numbers
    return (found or (set(range(count)) if without else set())) - without


@dataclass(frozen=True)
class Host:
    """A compute host.

    :param providers: the inventories of its resource providers by class: the host's own, and those below it.
    :param traits: of all its providers.
    :param metadata: of its aggregates: name → values.
    :param servers: what each of its servers claims.
    :param unusable: why the scheduler passes over it; empty if it does not.
    :param mbit: speed of the NIC of its servers' traffic, None if unknown.
    """

    name: str
    providers: tuple[Mapping[str, Inventory], ...]
    traits: frozenset[str] = frozenset()
    metadata: Mapping[str, Collection[str]] = field(default_factory=dict)
    servers: tuple[Claims, ...] = ()
    unusable: str = ""
    mbit: int | None = None
    nic: str = ""

    def sum(self, name: str, what: str) -> int:
        """Return the sum of an attribute of the class *name* over its providers."""
        return sum(getattr(one[name], what) for one in self.providers if name in one)

    def has(self, name: str) -> bool:
        """Return whether one of its providers has the class *name*."""
        return any(name in one for one in self.providers)

    def suits(self, flavor: Flavor) -> bool:
        """Return whether its traits and aggregates allow a flavor, and the scheduler uses it."""
        said = all(value in self.metadata.get(name, ()) for name, value in flavor.metadata.items())
        return not self.unusable and said and flavor.required <= self.traits and not flavor.forbidden & self.traits

    def counts(self, claims: Claims, shared: Collection[str] = ()) -> dict[str, int]:
        """Return how many times each of *claims* fits. An amount comes from one provider.

        :param shared: classes that it gets elsewhere.
        """
        found = {}
        for name, amount in claims.items():
            if name == NIC:
                if self.mbit is not None:
                    found[name] = max(0, self.mbit // amount - len(self.servers))
            elif self.has(name) or name not in shared:
                found[name] = sum(one[name].fits(amount) for one in self.providers if name in one)
        return found

    def room(self, claims: Claims, shared: Collection[str] = ()) -> int:
        """Return how many servers with *claims* fit."""
        return min(self.counts(claims, shared).values(), default=0)

    def take(self, claims: Claims) -> Host:
        """Return the host with one more server."""
        providers = [dict(one) for one in self.providers]
        for name, amount in claims.items():
            first = next((one for one in providers if name in one and one[name].fits(amount)), None)
            if first:
                first[name] = first[name].take(amount)
        return replace(self, providers=tuple(providers), servers=(*self.servers, claims))

    def empty(self) -> Host:
        """Return the host without servers."""
        providers = ({name: replace(one, used=0) for name, one in found.items()} for found in self.providers)
        return replace(self, providers=tuple(providers), servers=(), unusable="")


@dataclass(frozen=True)
class Shared:
    """One resource of which several hosts take, such as the disks of Ceph.

    :param resource: the resource class.
    :param hosts: the names of the hosts.
    :param inventory: all that there is; what is used, by all hosts.
    """

    name: str
    resource: str
    hosts: frozenset[str]
    inventory: Inventory


@dataclass(frozen=True)
class Pool:
    """A pool of Cinder, or what one will be.

    :param total: GiB; None if the driver does not tell.
    :param free: GiB that are not written yet; None if the driver does not tell.
    :param provisioned: GiB of all volumes.
    :param ratio: max_over_subscription_ratio.
    :param reserved: reserved_percentage.
    """

    name: str
    backend: str
    total: float | None
    free: float | None
    provisioned: float = 0
    thin: bool = False
    ratio: float = 1.0
    reserved: float = 0

    @property
    def room(self) -> float | None:
        """GiB for further volumes; None without a limit.

        Source: ``CapacityFilter`` in cinder/scheduler/filters/capacity_filter.py and ``calculate_capacity_factors`` in
        cinder/utils.py. Thin: (total - floor(total * reserved)) * ratio - provisioned, with a ratio of at least 1.
        Otherwise: total - floor(total * reserved) - provisioned, or what is free if that is less.
        """
        if self.free is None:
            return None
        if self.total is None:
            return None if not self.reserved else 0
        if self.total <= 0 or (self.thin and self.ratio < 1):
            return 0
        kept = self.total - math.floor(self.total * self.reserved / 100)
        if self.thin:
            return max(0, round(kept * self.ratio - self.provisioned, 2))
        return max(0, round(min(kept - self.provisioned, self.free), 2))

    def fits(self, size: int) -> int | None:
        """Return how many volumes of *size* GiB fit; None without a limit. Each takes its size of the room."""
        return None if self.room is None else int(self.room // size)


@dataclass(frozen=True)
class Network:
    """A network of floating IPs."""

    name: str
    total: int
    used: int = 0

    @property
    def free(self) -> int:
        """Addresses that are left."""
        return max(0, self.total - self.used)


@dataclass(frozen=True)
class Cloud:
    """All that servers take of.

    :param source: where the numbers are from.
    :param remarks: what a reader must know of them.
    :param why: why the numbers are those of a planned cloud although there is, or may be, a running one.
    :param uplinks: interface of the external network by network host: name and Mbit/s, None if unknown.
    :param quotas: resource → limit and what is used, of *project*; a limit of -1 is none.
    :param project: its name; empty for what a new project gets.
    """

    name: str
    source: str
    hosts: tuple[Host, ...] = ()
    shared: tuple[Shared, ...] = ()
    pools: tuple[Pool, ...] = ()
    networks: tuple[Network, ...] = ()
    uplinks: Mapping[str, tuple[str, int | None]] = field(default_factory=dict)
    quotas: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    project: str = ""
    flavors: tuple[Mapping[str, Any], ...] = ()
    remarks: tuple[str, ...] = ()
    why: str = ""

    def elsewhere(self, host: Host) -> set[str]:
        """Return the resource classes that a host has no inventory of, and gets from a shared one."""
        return {one.resource for one in self.shared if host.name in one.hosts}


def without(hosts: Iterable[Host], name: str) -> list[Host]:
    """Return the hosts but the one with *name*."""
    return [host for host in hosts if host.name != name]
