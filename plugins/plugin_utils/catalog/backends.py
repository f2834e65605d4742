# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Storage back ends: the setting ``cloud_storage``, completed with defaults.

A kind of back end is declared by a service definition, under ``backend``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

Backend = dict[str, Any]

USES = ("volumes", "images", "backups", "objects", "ephemeral", "metrics", "shares")
# Uses that at most one back end can serve.
SINGLE = ("backups", "objects", "ephemeral", "metrics", "shares")
POOLS = {
    "volumes": "volumes",
    "images": "images",
    "backups": "backups",
    "ephemeral": "vms",
    "metrics": "metrics",
    "shares": "shares",
}
COPIES = 3
# Keys of all kinds of back ends.
COMMON = ("name", "kind", "serves", "default")
# Keys of back ends that serve volumes.
OF_VOLUMES = ("type", "qos", "image_cache")


@dataclass(frozen=True)
class Kind:
    """A kind of back end.

    :param name: its name in ``cloud_storage`` under ``kind``, which is the definition's name.
    :param can: the uses that it can serve.
    :param serves: the uses that it serves by default.
    :param always: the uses that it always provides.
    :param keys: the keys of this kind only, each with its shape.
    :param hosts: whether it consists of hosts of the group storage.
    :param devices: whether it uses devices of these hosts.
    :param by_name: whether it uses only devices that name it.
    :param alone: whether a cloud can have only one of it.
    :param served_from_hosts: whether Cinder serves it from its hosts, if it has any, instead of from controllers.
    :param volume_group: whether its devices form a volume group, named by the key of that name.
    :param iscsi: whether hosts reach its volumes over iSCSI.
    :param device_memory: minimum MiB of the daemon of a device.
    """

    name: str
    can: tuple[str, ...]
    serves: tuple[str, ...]
    keys: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    always: tuple[str, ...] = ()
    hosts: bool = False
    devices: bool = False
    by_name: bool = False
    alone: bool = False
    served_from_hosts: bool = False
    volume_group: bool = False
    iscsi: bool = False
    device_memory: int = 0

    @classmethod
    def of(cls, name: str, given: Mapping[str, Any]) -> Kind:
        """Return the kind that the definition *name* declares under ``backend``."""
        flags = {key: given[key] for key in given if key not in ("can", "serves", "keys", "always")}
        can = tuple(given["can"])
        serves = tuple(given.get("serves") or can[:1])
        keys = {key: {"type": "str", **(shape or {})} for key, shape in (given.get("keys") or {}).items()}
        return cls(name, can, serves, keys, tuple(given.get("always") or ()), **flags)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the keys of this kind, besides those of all kinds."""
        return (*(OF_VOLUMES if "volumes" in self.can else ()), *self.keys)


def kinds(definitions: Mapping[str, Mapping[str, Any]]) -> dict[str, Kind]:
    """Return the kinds of back ends in *definitions* by name."""
    return {name: Kind.of(name, one["backend"]) for name, one in definitions.items() if one.get("backend")}


def backends(
    setting: Iterable[Mapping[str, Any]], hosts: Mapping[str, Mapping[str, Any]], known: Mapping[str, Kind]
) -> list[Backend]:
    """Return the back ends of *setting* with their defaults and ``devices``: host → its devices for the back end.

    :param setting: ``cloud_storage``, which must be valid.
    :param hosts: as returned by ``topology``, each with ``devices``, its ``storage_devices``.
    :param known: the kinds.
    """
    found = []
    for given in setting:
        kind = known[given["kind"]]
        defaults = {key: shape["default"] for key, shape in kind.keys.items() if "default" in shape}
        one: Backend = {"default": False, "qos": {}, "multiattach": False, "image_cache": 0, **defaults, **given}
        one.setdefault("serves", list(kind.serves))
        one.setdefault("type", one["name"])
        own = kind.hosts and not one.get("cluster")
        one["hosts"] = list(one.get("hosts") or (in_group(hosts) if own else []))
        found.append(one)
    for one in found:
        one["devices"] = {
            name: devices_of(one, name, hosts[name], found, known) for name in one["hosts"] if name in hosts
        }
        count = sum(len(devices) for devices in one["devices"].values())
        one.setdefault("replicas", max(1, min(COPIES, count)))
        one["pools"] = {**POOLS, **one.get("pools", {})}
    return found


def in_group(hosts: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the names of the hosts in the group storage."""
    return [name for name, host in hosts.items() if "storage" in host["groups"]]


def takers(found: Iterable[Backend], host: str, known: Mapping[str, Kind], nameless: bool = False) -> list[str]:
    """Return the names of the back ends that use devices of *host*; with *nameless* of those that need no name."""
    able = [name for name, kind in known.items() if kind.devices and not (nameless and kind.by_name)]
    return [one["name"] for one in found if one["kind"] in able and host in one["hosts"]]


def devices_of(
    one: Backend, name: str, host: Mapping[str, Any], found: Iterable[Backend], known: Mapping[str, Kind]
) -> list[dict[str, Any]]:
    """Return the devices of the host *name* for the back end *one*."""
    only = takers(found, name, known, nameless=True) == [one["name"]]
    return [
        dict(device)
        for device in host.get("devices") or []
        if device.get("backend") == one["name"] or (only and not device.get("backend"))
    ]


def serving(found: Iterable[Backend], use: str) -> list[Backend]:
    """Return the back ends that serve *use*, the default one first."""
    return sorted((one for one in found if use in one["serves"]), key=lambda one: not one["default"])


def of_kind(found: Iterable[Backend], kind: str) -> Backend | None:
    """Return the cloud's back end of *kind*, or None."""
    return next((one for one in found if one["kind"] == kind), None)


def of_host(found: list[Backend], me: Mapping[str, Any], known: Mapping[str, Kind]) -> dict[str, Any]:
    """Return ``cloud.storage``, the definitions' variable about the cloud's storage, for the host *me*.

    :param found: as returned by ``backends``.
    """
    ready = [{**one, "here": _served_here(one, me, known)} for one in sorted(found, key=lambda one: not one["default"])]
    here = {use: [one["name"] for one in serving(ready, use) if one["here"]] for use in ("volumes", "backups")}
    return {
        "backends": ready,
        "kinds": sorted({one["kind"] for one in found}),
        "uses": {use: names for use in USES if (names := [one["name"] for one in serving(found, use)])},
        "here": here,
        # cinder-volume and cinder-backup attach volumes here temporarily, as guests do on compute hosts.
        "attaches": any(here.values()),
        # cinder-volume on the host with the disks connects to the database directly.
        "from_hosts": any(known[one["kind"]].served_from_hosts and one["hosts"] for one in found),
        "default_type": next((one["type"] for one in serving(found, "volumes")), None),
        "volume_groups": [
            {"name": one["volume_group"], "devices": [device["path"] for device in one["devices"][me["name"]]]}
            for one in found
            if known[one["kind"]].volume_group and one["devices"].get(me["name"])
        ],
    }


def _served_here(one: Backend, me: Mapping[str, Any], known: Mapping[str, Kind]) -> bool:
    """Whether Cinder serves the back end *one* from the host."""
    if known[one["kind"]].served_from_hosts and one["hosts"]:
        return me["name"] in one["hosts"]
    return "controller" in me["groups"]
