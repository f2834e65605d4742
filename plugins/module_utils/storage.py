# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where the cloud keeps things: the setting ``cloud_storage``, with what it leaves unsaid filled in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

Backend = dict[str, Any]

USES = ("volumes", "images", "backups", "objects", "ephemeral")


class Kind(NamedTuple):
    """What a kind of back end can do.

    :param can: what it can serve.
    :param serves: what it serves where nothing is said.
    :param keys: those of a back end's keys that not every kind has.
    :param hosts: whether it is made of hosts of the group storage.
    :param devices: whether those give devices to it.
    :param by_name: whether only a device that names it is meant for it.
    :param alone: whether a cloud has one of it at most.
    """

    can: tuple[str, ...]
    serves: tuple[str, ...]
    keys: tuple[str, ...] = ()
    hosts: bool = False
    devices: bool = False
    by_name: bool = False
    alone: bool = False


KINDS = {
    "ceph": Kind(
        ("volumes", "images", "backups", "objects", "ephemeral"),
        ("volumes", "images", "backups"),
        ("hosts", "replicas", "pools", "cluster", "type", "multiattach", "qos", "image_cache"),
        hosts=True,
        devices=True,
        alone=True,
    ),
    "file": Kind(("images",), ("images",), ("path",)),
    # Its volume group is there already, or is made of devices that are its own by name.
    "lvm": Kind(
        ("volumes",),
        ("volumes",),
        ("hosts", "volume_group", "networks", "type", "multiattach", "qos", "image_cache"),
        hosts=True,
        devices=True,
        by_name=True,
    ),
    # Its hosts, if any, only mount it.
    "nfs": Kind(("volumes", "backups"), ("volumes",), ("share", "hosts", "type", "qos", "image_cache")),
    "swift": Kind(
        ("objects", "images", "backups"),
        ("objects",),
        ("hosts", "replicas", "part_power", "min_part_hours", "policies", "encryption"),
        hosts=True,
        devices=True,
        alone=True,
    ),
}
# Where one back end at most can serve: backups, objects and the machines' own disks have no choice of place.
SINGLE = ("backups", "objects", "ephemeral")
POOLS = {"volumes": "volumes", "images": "images", "backups": "backups", "ephemeral": "vms"}
COPIES = 3


def backends(setting: Iterable[Mapping[str, Any]], hosts: Mapping[str, Mapping[str, Any]]) -> list[Backend]:
    """Return the back ends of *setting*, complete; each has ``devices``: host → its devices for it.

    :param setting: ``cloud_storage``, without a fault.
    :param hosts: the cloud's, as ``topology`` has them, each with ``devices``, its ``storage_devices``.
    """
    found = []
    for given in setting:
        kind = KINDS[given["kind"]]
        one: Backend = {"default": False, "qos": {}, "multiattach": False, "image_cache": 0, **given}
        one.setdefault("serves", list(kind.serves))
        one.setdefault("type", one["name"])
        own = kind.hosts and not one.get("cluster")
        one["hosts"] = list(one.get("hosts") or (in_group(hosts) if own else []))
        found.append(one)
    for one in found:
        one["devices"] = {name: devices_of(one, name, hosts[name], found) for name in one["hosts"] if name in hosts}
        count = sum(len(devices) for devices in one["devices"].values())
        one.setdefault("replicas", max(1, min(COPIES, count)))
        one["pools"] = {**POOLS, **one.get("pools", {})}
        one.setdefault("volume_group", "cinder-volumes")
    return found


def in_group(hosts: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the names of the hosts in the group storage."""
    return [name for name, host in hosts.items() if "storage" in host["groups"]]


def takers(found: Iterable[Backend], host: str, nameless: bool = False) -> list[str]:
    """Return the names of the back ends that take devices of *host*; or only of those that take *nameless* ones."""
    kinds = [name for name, kind in KINDS.items() if kind.devices and not (nameless and kind.by_name)]
    return [one["name"] for one in found if one["kind"] in kinds and host in one["hosts"]]


def devices_of(one: Backend, name: str, host: Mapping[str, Any], found: Iterable[Backend]) -> list[dict[str, Any]]:
    """Return the devices that the host *name* gives to the back end *one*."""
    only = takers(found, name, nameless=True) == [one["name"]]
    return [
        dict(device)
        for device in host.get("devices") or []
        if device.get("backend") == one["name"] or (only and not device.get("backend"))
    ]


def serving(found: Iterable[Backend], use: str) -> list[Backend]:
    """Return the back ends that serve *use*, the default one first."""
    return sorted((one for one in found if use in one["serves"]), key=lambda one: not one["default"])


def of_kind(found: Iterable[Backend], kind: str) -> Backend | None:
    """Return the cloud's back end of *kind*, None where it has none."""
    return next((one for one in found if one["kind"] == kind), None)
