# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What follows from cloud_storage before any host is known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.cairn.openstack.plugins.module_utils.storage import KINDS


def served(setting: Iterable[Mapping[str, Any]], use: str) -> bool:
    """Return whether one of the back ends in cloud_storage serves *use*."""
    return any(use in one.get("serves", KINDS[one["kind"]].serves) for one in setting)


def volume_types(setting: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return a volume type for each back end that serves volumes."""
    found = []
    for one in setting:
        if "volumes" not in one.get("serves", KINDS[one["kind"]].serves):
            continue
        specs = {"volume_backend_name": one["name"]}
        if one.get("multiattach"):
            specs["multiattach"] = "<is> True"
        found.append({"name": one.get("type", one["name"]), "extra_specs": specs, "qos": one.get("qos", {})})
    return found


class FilterModule:
    """The filters of pages and of the role ``resources``."""

    def filters(self):
        return {"served": served, "volume_types": volume_types}
