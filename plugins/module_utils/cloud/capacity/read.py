# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads what Placement and Cinder tell of their capacity, by any client: a function from a path to the answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Get = Callable[[str], Any]
# The microversion with which to ask: the first with trees of providers, with a parent and a root.
PLACEMENT = "1.14"
# Cinder's max_over_subscription_ratio if none is set, and of `auto` as long as there is no volume.
OVERSUBSCRIPTION = 20.0


def providers(get: Get) -> list[dict[str, Any]]:
    """Return Placement's resource providers."""
    return get("/resource_providers")["resource_providers"]


def claims(get: Get, uuid: str) -> dict[str, dict[str, int]]:
    """Return the resources that each consumer has of a provider."""
    found = get(f"/resource_providers/{uuid}/allocations")["allocations"]
    return {consumer: one["resources"] for consumer, one in found.items()}


def inventories(get: Get, uuid: str, claimed: dict[str, dict[str, int]]) -> dict[str, dict[str, Any]]:
    """Return the inventories of a provider with what is used of them.

    :param claimed: `claims` of it.
    """
    return {
        # As Placement computes usages: the sum of the allocations.
        name: {**inventory, "used": sum(claim.get(name, 0) for claim in claimed.values())}
        for name, inventory in get(f"/resource_providers/{uuid}/inventories")["inventories"].items()
    }


def pools(get: Get) -> list[dict[str, Any]]:
    """Return Cinder's pools: their name, HOST@BACKEND#POOL, the place of their volumes, and `pool`."""
    return [
        {
            "name": one["name"],
            "place": one["capabilities"].get("location_info") or "",
            **pool(one["name"], one["capabilities"]),
        }
        for one in get("/scheduler-stats/get_pools?detail=true")["pools"]
    ]


def _number(said: Any) -> float | None:
    """Return a number of a pool; None for C(unknown) and C(infinite)."""
    try:
        found = float(said)
    except (TypeError, ValueError):
        return None
    return found if abs(found) != float("inf") else None


def pool(name: str, said: dict[str, Any]) -> dict[str, Any]:
    """Return what the scheduler's filter reads of a pool; defaults as in cinder/scheduler/host_manager.py."""
    allocated = _number(said.get("allocated_capacity_gb")) or 0
    provisioned = _number(said.get("provisioned_capacity_gb"))
    found = {
        "backend": said.get("volume_backend_name") or name.partition("@")[2].partition("#")[0],
        "total": _number(said.get("total_capacity_gb")),
        "free": _number(said.get("free_capacity_gb")),
        "provisioned": allocated if provisioned is None else provisioned,
        "thin": said.get("thin_provisioning_support") in (True, "True", "true"),
        "reserved": _number(said.get("reserved_percentage")) or 0,
    }
    return {**found, "ratio": _ratio(said.get("max_over_subscription_ratio"), found)}


def _ratio(said: Any, pool: dict[str, Any]) -> float:
    """Return the ratio by which the scheduler overcommits a pool.

    Source: ``calculate_max_over_subscription_ratio`` in cinder/utils.py. Without a ratio of the pool, the scheduler's
    own option counts, whose default this is.
    """
    if not pool["thin"] or pool["total"] is None or pool["free"] is None:
        return 1.0
    if said == "auto" and pool["provisioned"]:
        return 1 + pool["provisioned"] / (pool["total"] - pool["free"] + 1)
    return _number(said) or OVERSUBSCRIPTION
