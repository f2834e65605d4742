# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values derived from cloud_storage before any host is known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.cairn.openstack.plugins.plugin_utils.catalog import backends, sources
from ansible_collections.cairn.openstack.plugins.plugin_utils.catalog.topology import in_networks
from jinja2 import pass_context


def _serves(context: Any, one: Mapping[str, Any]) -> Iterable[str]:
    """Return what the back end *one* serves, by its own key or by its kind."""
    if "serves" in one:
        return one["serves"]
    shipped = sources.shipped()
    # A kind defined by the user.
    directory = context.get("catalog_dir") if one["kind"] not in shipped else None
    kinds = backends.kinds({name.removeprefix(sources.PREFIX): definition for name, definition in shipped.items()})
    own = {name: sources.load(path) for name, path in sources.files(str(directory or "")).items()}
    extra = context.get("catalog_extra") or {}
    return {**kinds, **backends.kinds({**own, **extra})}[one["kind"]].serves


@pass_context
def storage_serves(context: Any, setting: Iterable[Mapping[str, Any]], use: str) -> bool:
    """Return whether one of the back ends in cloud_storage serves *use*."""
    return any(use in _serves(context, one) for one in setting)


@pass_context
def volume_types(context: Any, setting: Iterable[Mapping[str, Any]], encrypted: bool = False) -> list[dict[str, Any]]:
    """Return a volume type for each back end that serves volumes.

    :param encrypted: whether each has a second one, whose volumes are encrypted.
    """
    found = []
    for one in setting:
        if "volumes" not in _serves(context, one):
            continue
        specs = {"volume_backend_name": one["name"]}
        if one.get("multiattach"):
            specs["multiattach"] = "<is> True"
        name = one.get("type", one["name"])
        found.append({"name": name, "extra_specs": specs, "qos": one.get("qos", {})})
        if encrypted:
            # Cinder refuses encrypted volumes that several servers may attach.
            own = {key: value for key, value in specs.items() if key != "multiattach"}
            safe = {"name": f"{name}-encrypted", "extra_specs": own, "encryption": {"provider": "luks"}}
            found.append({**found[-1], **safe})
    return found


class FilterModule:
    """The filters of service definitions and of the role ``resources``."""

    def filters(self):
        return {"storage_serves": storage_serves, "volume_types": volume_types, "in_networks": in_networks}
