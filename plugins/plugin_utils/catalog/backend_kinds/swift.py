# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A host's part of the cloud's Swift back end: devices, storage policies and rings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.cairn.openstack.plugins.module_utils.storage import swift_facts


def facts(
    found: Iterable[Mapping[str, Any]],
    hosts: Mapping[str, Mapping[str, Any]],
    me: Mapping[str, Any],
    _cloud: Mapping[str, Any],
) -> dict[str, Any]:
    """Return ``cloud.swift``, the definitions' variable about the cloud's Swift, for the host *me*; empty without one.

    :param found: the cloud's back ends with their defaults and devices.
    :param hosts: as returned by ``topology``.
    """
    return swift_facts.swift(found, hosts, me["name"])


def desired(cloud: Mapping[str, Any], run: Mapping[str, Any]) -> dict[str, Any]:
    """Return which rings the host gets, and for the first host of the run how they are built.

    :param run: ``everyone`` and ``reached``, hosts of the run, and their ``probes`` by name.
    """
    found, me = cloud["swift"], cloud["me"]
    if not found:
        return {"rings": {}}
    files = "controller" if "controller" in me["groups"] else "storage" if found["here"] else ""
    if not set(run["reached"]) & set(found["members"]):
        return {"rings": {"files": files}}
    return {
        "rings": {
            "files": files,
            "rings": found["rings"],
            "controller": swift_facts.keeper(run["probes"], [host["name"] for host in cloud["controllers"]]),
            "seen": swift_facts.newest(run["probes"], found["members"]),
            # With new rings on only some hosts, objects would be searched on the wrong devices.
            "change": set(found["members"]) <= set(run["everyone"]),
        }
    }
