# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What follows for a host from the cloud's back end in Swift: devices, storage policies, and which rings it gets."""

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
    """Return what definitions may ask of the cloud's Swift, for the host *me*; nothing where the cloud has none.

    :param found: the cloud's back ends, complete.
    :param hosts: as ``topology`` has them.
    """
    return swift_facts.swift(found, hosts, me["name"])


def desired(cloud: Mapping[str, Any], run: Mapping[str, Any]) -> dict[str, Any]:
    """Return which rings the host gets; the first of the run, which asks for all, how they are made.

    :param run: ``everyone`` and ``reached``, the hosts of the run, and their ``probes`` by name.
    """
    found, me = cloud["swift"], cloud["me"]
    if not found:
        return {"rings": {}}
    files = "controller" if "controller" in me["groups"] else "storage" if found["here"] else ""
    if me["name"] != run["reached"][0] or not set(run["reached"]) & set(found["members"]):
        return {"rings": {"files": files}}
    return {
        "rings": {
            "files": files,
            "rings": found["rings"],
            "controller": swift_facts.keeper(run["probes"], [host["name"] for host in cloud["controllers"]]),
            "seen": swift_facts.newest(run["probes"], found["members"]),
            # Rings that only some hosts have would let objects be looked for where they are not.
            "change": set(found["members"]) <= set(run["everyone"]),
        }
    }
