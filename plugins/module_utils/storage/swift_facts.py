# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Swift's devices, storage policies and rings, from its back end in ``cloud_storage``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

DIRECTORY = "/srv/node"
PORTS = {"object": 6200, "container": 6201, "account": 6202}
ERASURE_CODING = ("ec_type", "ec_num_data_fragments", "ec_num_parity_fragments")
POLICY = {"index": 0, "name": "replicated", "default": True}


def device(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return one of a host's ``storage_devices`` in Swift's terms: named by the last part of its path.

    A path below Swift's own directory is a directory of the host's file system, any other a disk to mount there.
    """
    name = given["path"].rstrip("/").rpartition("/")[2]
    directory = f"{DIRECTORY}/{name}"
    return {
        "name": name,
        "path": given["path"],
        "directory": directory,
        "mount": given["path"] != directory,
        "weight": given.get("weight", 100),
        "zone": given.get("zone", 1),
    }


def policies(backend: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the storage policies with their defaults, sorted by index; each with ``ring``, the name of its ring."""
    given = backend.get("policies") or [POLICY]
    chosen = next((policy["index"] for policy in given if policy.get("default")), min(one["index"] for one in given))
    return [
        {
            "deprecated": False,
            "ec_type": "",
            **policy,
            "default": policy["index"] == chosen,
            "ring": f"object-{policy['index']}" if policy["index"] else "object",
            "replicas": policy["ec_num_data_fragments"] + policy["ec_num_parity_fragments"]
            if policy.get("ec_type")
            else policy.get("replicas", backend["replicas"]),
        }
        for policy in sorted(given, key=lambda policy: policy["index"])
    ]


def sections(found: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the sections of swift.conf for the policies *found*."""
    return {
        f"storage-policy:{policy['index']}": {
            "name": policy["name"],
            "default": policy["default"],
            "deprecated": policy["deprecated"],
            "policy_type": "erasure_coding" if policy["ec_type"] else "replication",
            **({key: policy[key] for key in ERASURE_CODING} if policy["ec_type"] else {}),
        }
        for policy in found
    }


def rings(backend: Mapping[str, Any], addresses: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return all rings in the form of the module ``swift_rings``.

    :param addresses: of all hosts, by name.
    """
    wanted = [("account", "account", backend["replicas"]), ("container", "container", backend["replicas"])]
    wanted += [(policy["ring"], "object", policy["replicas"]) for policy in policies(backend)]
    return [
        {
            "name": name,
            "part_power": backend.get("part_power", 12),
            "min_part_hours": backend.get("min_part_hours", 1),
            "replicas": replicas,
            "devices": [
                {
                    "host": host,
                    "ip": addresses[host],
                    "port": PORTS[server],
                    "device": one["name"],
                    "region": 1,
                    "zone": one["zone"],
                    "weight": one["weight"],
                }
                for host, given in backend["devices"].items()
                for one in map(device, given)
            ],
        }
        for name, server, replicas in wanted
    ]


def swift(backends: Iterable[Mapping[str, Any]], hosts: Mapping[str, Mapping[str, Any]], me: str) -> dict[str, Any]:
    """Return the facts about Swift on the host *me*; empty if the cloud has none.

    :param backends: as returned by ``storage.backends``.
    :param hosts: the cloud's, by name.
    """
    backend = next((one for one in backends if one["kind"] == "swift"), None)
    if not backend:
        return {}
    names = list(backend["devices"])
    proxies = [name for name, host in hosts.items() if "controller" in host["groups"]]
    return {
        "here": me in names,
        "hosts": names,
        "members": [*proxies, *(name for name in names if name not in proxies)],
        "number": names.index(me) if me in names else 0,
        "devices": [device(given) for given in backend["devices"].get(me, [])],
        # A host with directories is a test host: then none of its devices need be mounted.
        "mount_check": all(device(given)["mount"] for given in backend["devices"].get(me, [])),
        "policies": policies(backend),
        "sections": sections(policies(backend)),
        "erasure_coding": any(policy["ec_type"] for policy in policies(backend)),
        "encryption": backend.get("encryption", False),
        "rings": rings(backend, {name: host["address"] for name, host in hosts.items()}),
    }


def newest(probes: Mapping[str, Mapping[str, Any]], names: Iterable[str]) -> dict[str, int]:
    """Return the newest version of each ring on the hosts *names* that are in *probes*."""
    found: dict[str, int] = {}
    for name in names:
        for ring, version in _versions(probes, name):
            found[ring] = max(found.get(ring, 0), version)
    return found


def keeper(probes: Mapping[str, Mapping[str, Any]], controllers: list[str]) -> str:
    """Return the controller whose builders are used: of the probed ones, that with the newest rings."""
    reached = [name for name in controllers if name in probes] or controllers
    return max(reached, key=lambda name: sum(version for _ring, version in _versions(probes, name)))


def _versions(probes: Mapping[str, Mapping[str, Any]], name: str) -> Iterator[tuple[str, int]]:
    yield from (probes.get(name) or {}).get("rings", {}).items()
