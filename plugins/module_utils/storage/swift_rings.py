# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Swift's rings: compares the builder of a ring with the inventory, and changes it step by step.

A device that is removed from the inventory is drained first: its weight becomes 0, its partitions move as any others,
at most one replica of each at a time, and it is removed once it has none. So whatever is removed from the inventory,
at most one replica of a partition is misplaced after a run.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import pickle
import struct
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.cairn.openstack.plugins.module_utils.common.changes import returned
from ansible_collections.cairn.openstack.plugins.module_utils.host import config_files

Builder = Mapping[str, Any]
Key = tuple[str, str]

# Constant, so that a plan predicts the run.
_SEED = "cairn"
# How far a device may exceed the share of its weight to keep replicas on different hosts: as far as necessary. By
# weight alone, the host with the most devices could have two replicas of a partition, and its loss would be critical.
_OVERLOAD = 100.0
# A ring counts as balanced if at most this percentage is misplaced.
_ENOUGH = 1


class RingError(Exception):
    """The requested ring is impossible or unsafe."""


class NoLibrary(Exception):
    """Swift's library is not installed."""


@dataclass
class Plan:
    """The changes to a ring.

    :param steps: name of a method below, its arguments, and its description, empty if another one describes it.
    :param rebalance: whether partitions must be reassigned.
    :param wait: the seconds until that is possible.
    """

    steps: list[tuple[str, tuple, str]] = field(default_factory=list)
    rebalance: bool = False
    wait: int = 0


def called(device: Mapping[str, Any]) -> str:
    """Return the name of a builder's *device* in messages."""
    return f"{device['meta']}/{device['device']}"


def devices(builder: Builder) -> dict[Key, dict[str, Any]]:
    """Return the devices in *builder* by the names of host, stored in Swift's field ``meta``, and device."""
    return {(device["meta"], device["device"]): device for device in builder["devs"] if device}


def seconds_left(builder: Builder, now: float) -> int:
    """Return the seconds until partitions may move again."""
    if builder["_replica2part2dev"] is None:
        return 0
    return max(0, builder["min_part_hours"] * 3600 - int(now - builder["_last_part_moves_epoch"]))


def misplaced(builder: Builder) -> int:
    """Return the number of misplaced replicas of partitions."""
    wanted = sum(max(0, device.get("parts_wanted", 0)) for device in devices(builder).values() if device["weight"])
    drained = sum(device["parts"] for device in devices(builder).values() if not device["weight"])
    return max(wanted, drained)


def unfinished(builder: Builder) -> bool:
    """Whether an earlier call has left misplaced partitions."""
    slots = builder["parts"] * builder["replicas"]
    drained = any(device["parts"] for device in devices(builder).values() if not device["weight"])
    return builder["devs_changed"] or drained or misplaced(builder) * 100 > slots * _ENOUGH


def check(ring: Mapping[str, Any], builder: Builder | None, seen: int) -> None:
    """Raise RingError if *builder* cannot be changed to *ring*.

    :param seen: the newest version of the ring on any host of the cloud, 0 if there is none.
    """
    name = ring["name"]
    version = builder["version"] if builder else 0
    if version < seen:
        held = f"that of version {version}" if builder else "none"
        raise RingError(
            f"The hosts have version {seen} of the {name} ring, but its newest builder on the reachable controllers "
            f"is {held}. Bring back the controller that has it, or restore /etc/swift/{name}.builder."
        )
    if builder and builder["part_power"] != ring["part_power"]:
        raise RingError(
            f"The {name} ring cannot be changed from 2^{builder['part_power']} to 2^{ring['part_power']} partitions: "
            f"set part_power to {builder['part_power']}."
        )
    if builder and builder["replicas"] > ring["replicas"]:
        raise RingError(
            f"The {name} ring has {builder['replicas']:g} replicas, which cannot be lowered. "
            f"Keep {builder['replicas']:g}, and add a policy with fewer."
        )
    usable = sum(device["weight"] > 0 for device in ring["devices"])
    if usable < ring["replicas"]:
        raise RingError(
            f"The {name} ring needs {ring['replicas']} devices with a weight, one for each replica, and the inventory "
            f"has {usable}. Nothing was changed."
        )


def plan(ring: Mapping[str, Any], builder: Builder | None, now: float) -> Plan:
    """Return the changes from *builder* to *ring*.

    :param ring: its ``name``, ``part_power``, ``replicas``, ``min_part_hours`` and ``devices``, each with ``host``,
        ``ip``, ``port``, ``device``, ``region``, ``zone`` and ``weight``.
    :param builder: as returned by RingBuilder.to_dict; None if there is none yet.
    :param now: seconds since the epoch.
    """
    found = Plan()
    wanted = {(device["host"], device["device"]): device for device in ring["devices"]}
    if not builder:
        hosts = len({host for host, _device in wanted})
        words = f"{2 ** ring['part_power']} partitions, {ring['replicas']} replicas"
        found.steps = [("create", (), f"{words}, {len(wanted)} devices of {hosts} hosts")]
        found.steps += [("add", (device,), "") for device in wanted.values()]
        found.rebalance = True
        return found
    have = devices(builder)
    found.wait = seconds_left(builder, now)
    if builder["min_part_hours"] != ring["min_part_hours"]:
        hours = ring["min_part_hours"]
        found.steps.append(("hours", (hours,), f"min_part_hours {builder['min_part_hours']} -> {hours}"))
    if builder["overload"] != _OVERLOAD:
        found.steps.append(("overload", (), "replicas are placed on different hosts first, by weight second"))
    if builder["replicas"] != ring["replicas"]:
        words = f"replicas {builder['replicas']:g} -> {ring['replicas']}"
        found.steps.append(("replicas", (ring["replicas"],), words))
    for key, device in wanted.items():
        found.steps += _device(have[key], device) if key in have else [_added(device)]
    for key, device in have.items():
        if key not in wanted:
            found.steps += _gone(device, found.wait)
    moving = any(deed != "hours" for deed, _arguments, _words in found.steps)
    found.rebalance = not found.wait and (moving or unfinished(builder))
    return found


def _added(device: Mapping[str, Any]) -> tuple[str, tuple, str]:
    return "add", (device,), f"{device['host']}/{device['device']} added with weight {device['weight']:g}"


def _device(have: Mapping[str, Any], device: Mapping[str, Any]) -> list[tuple[str, tuple, str]]:
    """Return the steps to change a device of the ring to its entry in the inventory."""
    steps = []
    for name in ("ip", "port", "region", "zone", "weight"):
        if have[name] != device[name]:
            old, new = (f"{value:g}" if name == "weight" else value for value in (have[name], device[name]))
            steps.append(("change", (have["id"], name, device[name]), f"{called(have)} {name} {old} -> {new}"))
    return steps


def _gone(device: Mapping[str, Any], wait: int) -> list[tuple[str, tuple, str]]:
    """Return the next step to remove a device that is no longer in the inventory."""
    if device["weight"]:
        words = f"{called(device)} is no longer in the inventory and is drained of {device['parts']} partitions"
        return [("change", (device["id"], "weight", 0), words)]
    if not device["parts"] and not wait:
        return [("remove", (device["id"],), f"{called(device)} removed, as it has no partitions left")]
    return []


class Work:
    """Applies a plan to a builder, with Swift's library.

    :param library: the module ``swift.common.ring``.
    """

    def __init__(self, library: Any, ring: Mapping[str, Any], builder: Builder | None) -> None:
        self.ring = ring
        self.library = library
        self.builder = library.RingBuilder.from_dict(pickle.loads(pickle.dumps(builder))) if builder else None
        self.before = builder["_replica2part2dev"] if builder else None

    def carry_out(self, found: Plan) -> list[str]:
        """Take the steps of a plan, and describe what moves.

        :raises RingError: the ring would not be safe.
        """
        for deed, arguments, _words in found.steps:
            getattr(self, deed)(*arguments)
        if not found.rebalance:
            return []
        balance = self.builder.rebalance(seed=_SEED)[1]
        self.builder.validate()
        return self._moved(balance) if self.before else []

    def create(self) -> None:
        """Create a new builder."""
        ring = self.ring
        self.builder = self.library.RingBuilder(ring["part_power"], ring["replicas"], ring["min_part_hours"])
        self.overload()

    def overload(self) -> None:
        """Allow replicas on different hosts in spite of the weights: now, or when partitions may move again."""
        self.builder.set_overload(_OVERLOAD)
        self.builder.devs_changed = True
        self.builder.version += 1

    def hours(self, number: int) -> None:
        """Set the hours before a partition may move again."""
        self.builder.change_min_part_hours(number)

    def replicas(self, number: int) -> None:
        """Set the number of replicas of each partition."""
        self.builder.set_replicas(number)

    def add(self, device: Mapping[str, Any]) -> None:
        """Add a device."""
        keys = ("ip", "port", "device", "region", "zone", "weight")
        address = {"replication_ip": device["ip"], "replication_port": device["port"]}
        self.builder.add_dev({**{key: device[key] for key in keys}, **address, "meta": device["host"]})

    def change(self, number: int, name: str, value: Any) -> None:
        """Change the weight, zone, region or address of the device *number*."""
        setters = {
            "weight": self.builder.set_dev_weight,
            "zone": self.builder.set_dev_zone,
            "region": self.builder.set_dev_region,
        }
        if name in setters:
            setters[name](number, value)
        else:
            self.builder.devs[number].update({name: value, f"replication_{name}": value})
            self.builder.devs_changed = True
            self.builder.version += 1

    def remove(self, number: int) -> None:
        """Remove a drained device."""
        self.builder.remove_dev(number)

    def _moved(self, balance: float) -> list[str]:
        """Compare the assignments before and after."""
        new = [set(places) for places in zip(*self.builder.to_dict()["_replica2part2dev"], strict=True)]
        old = [set(places) for places in zip(*self.before, strict=True)]
        left = [len(was - now) for was, now in zip(old, new, strict=True)]
        if max(left) > 1:
            name, most = self.ring["name"], max(left)
            raise RingError(f"The {name} ring would move {most} replicas of a partition at once. Nothing was changed.")
        if not sum(left):
            return []
        share = 100 * sum(left) / (len(left) * self.builder.replicas)
        words = f"{sum(left)} of {len(left)} partitions move one replica, {share:.1f} % of all"
        return [f"{words}; then no device is more than {balance:.1f} % from its share"]

    def files(self) -> tuple[bytes, bytes]:
        """Return the files of the builder and of the ring."""
        with tempfile.TemporaryDirectory() as directory:
            builder, ring = os.path.join(directory, "builder"), os.path.join(directory, "ring.gz")
            self.builder.save(builder)
            self.builder.get_ring().save(ring)
            return content(builder), content(ring)


class Ring:
    """A ring in its directory.

    :param wanted: as for ``plan``.
    :param seen: as for ``check``.
    """

    def __init__(self, wanted: Mapping[str, Any], seen: int, directory: str) -> None:
        self.wanted = wanted
        self.title = f"{wanted['name']} ring"
        self.builder_path = f"{directory}/{wanted['name']}.builder"
        self.ring_path = f"{directory}/{wanted['name']}.ring.gz"
        self.builder_data, self.ring_data = content(self.builder_path), content(self.ring_path)
        self.builder = pickle.loads(self.builder_data) if self.builder_data else None
        self.seen = seen
        self.waiting: list[str] = []

    def reconcile(self, library: Callable[[], Any], now: float, change: bool, check_mode: bool) -> list[dict]:
        """Compute the new ring, and return the differences as changes.

        :param library: returns ``swift.common.ring``, or None.
        :param change: whether it may change.
        :raises RingError: the change is impossible or unsafe.
        :raises NoLibrary: Swift's library is needed but not installed.
        """
        if not change:
            return self._as_it_is(now)
        check(self.wanted, self.builder, self.seen)
        builder = self.builder
        found = plan(self.wanted, builder, now)
        whole = builder and version(self.ring_data) == builder["version"]
        words = [words for _deed, _arguments, words in found.steps if words]
        if builder and not whole:
            words.append("its file does not match the builder, and is rebuilt")
        if words or found.rebalance:
            swift = library()
            if swift:
                words += self._work(Work(swift, self.wanted, builder), found, bool(words))
            elif not check_mode:
                raise NoLibrary
        self._defer(found.wait, now)
        verb = "change" if builder else "create"
        return [returned("ring", verb, self.wanted["name"], one) for one in words]

    def _work(self, work: Work, found: Plan, changed: bool) -> list[str]:
        moved = work.carry_out(found)
        if changed or moved:
            self.builder = work.builder.to_dict()
            self.builder_data, self.ring_data = work.files()
        return moved

    def _as_it_is(self, now: float) -> list[dict]:
        if not self.ring_data:
            raise RingError(f"There is no {self.title} yet: run for all hosts, without --limit.")
        if plan(self.wanted, self.builder, now).steps:
            self.waiting.append(
                f"{self.title}: the devices in the inventory differ; a run without --limit applies them"
            )
        return []

    def _defer(self, wait: int, now: float) -> None:
        """Record the changes left for a later run."""
        if self.builder and unfinished(self.builder):
            minutes = -(-seconds_left(self.builder, now) // 60) if wait or self.builder["min_part_hours"] else 0
            when = f"in {minutes} minutes" if minutes else "now"
            self.waiting.append(f"{self.title}: {misplaced(self.builder)} replicas have still to move, possible {when}")

    def write(self) -> None:
        """Write the builder, then the ring, so that a ring in use always has a builder."""
        for path, data in self.files():
            text = data.decode("utf-8", "surrogateescape")
            config_files.write(path, config_files.State(text, 0o640, "root", "swift"))

    def files(self) -> list[tuple[str, bytes]]:
        """Return the paths and contents of the builder and the ring; in check mode those that would be written."""
        both = [(self.builder_path, self.builder_data), (self.ring_path, self.ring_data)]
        return [(path, data) for path, data in both if data is not None]


def content(path: str) -> bytes | None:
    """Return the content of a file, None if there is no file."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None


def version(data: bytes | None) -> int:
    """Return the version of the ring in *data*, 0 if it is not a ring file."""
    try:
        with gzip.open(io.BytesIO(data or b"")) as file:
            _magic, _format, length = struct.unpack("!4sHI", file.read(10))
            return int(json.loads(file.read(length))["version"])
    except (OSError, EOFError, struct.error, ValueError, KeyError):
        return 0
