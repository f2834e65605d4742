# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host will offer before there is a cloud: from its probe, and the options that Cairn will write for it."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any

from ansible_collections.cairn.openstack.plugins.plugin_utils.capacity.model import DISK, MEMORY, PCPU, VCPU, processors
from ansible_collections.cairn.openstack.plugins.plugin_utils.catalog import definitions
from ansible_collections.cairn.openstack.plugins.plugin_utils.catalog.resolver import Model

# The keys of definitions that the options of a file are made of.
KEYS = ("capacity", "config", "files", "databases", "messaging", "packages", "apis", "units")
# Nova's defaults, of nova/conf/compute.py: the initial_ ratios count where no ratio is set.
RATIOS = {"cpu": 4.0, "ram": 1.0, "disk": 1.0}
RESERVED_MEMORY_MB = 512
# Cinder's, of cinder/volume/driver.py. It may be `auto`, which starts with 20.
OVERSUBSCRIPTION = 20.0


class Options:
    """The options of a host's files that say what it offers, as their service will read them.

    :param kind: C(servers) or C(volumes), of which a definition says in C(capacity) which files these are.
    """

    def __init__(self, model: Model, groups: Collection[str], kind: str) -> None:
        self.sections: list[Mapping[str, Any]] = []
        # What the definition says; empty if there is none.
        self.told: Mapping[str, Any] = {}
        for service, definition in model.definitions.items():
            if kind in definition["capacity"]:
                self.told = definition["capacity"][kind]
                layers = [layer[service] for _name, layer in model.layers if layer.get(service)]
                files = definitions.files(definition, {*groups, "all"}, model.cloud, layers)
                found = {file["name"]: file["sections"] or {} for file in files}
                self.sections = [found[name] for name in reversed(self.told["files"]) if name in found]
                break

    def get(self, section: str, name: str, default: Any) -> Any:
        """Return the value of an option; the default if no file sets it."""
        for sections in self.sections:
            if (value := (sections.get(section) or {}).get(name)) is not None:
                return value
        return default


def planned(model: Model, groups: Collection[str], probe: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a host will offer.

    :param model: its desired state.
    :param probe: the result of M(cairn.openstack.host_probe) on it.
    """
    found: dict[str, Any] = {
        "name": model.cloud["me"]["name"],
        "groups": sorted(set(groups) - {"all"}),
        "nics": _nics(model, probe),
        "inventories": {},
        "shared_disk": "",
        "pools": _pools(model, groups, probe),
    }
    if "compute" in groups:
        options = Options(model, groups, "servers")
        found["inventories"] = inventories(options, probe)
        shared = options.told.get("shared_disks")
        if shared and options.get(shared["section"], shared["option"], None) == shared["value"]:
            uses = model.cloud["storage"]["uses"].get("ephemeral")
            found["shared_disk"] = uses[0] if uses else shared["value"]
    return found


def inventories(options: Options, probe: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the inventories that nova-compute will report.

    Source: ``LibvirtDriver.update_provider_tree`` in nova/virt/libvirt/driver.py, with ``_get_vcpu_available``,
    ``_get_pcpu_available`` and ``_get_local_gb_info``.
    """

    def ratio(kind: str) -> float:
        initial = options.get("DEFAULT", f"initial_{kind}_allocation_ratio", RATIOS[kind])
        return float(options.get("DEFAULT", f"{kind}_allocation_ratio", 0) or initial)

    here = set(range(probe["cpus"]))
    shared, dedicated = (options.get("compute", f"cpu_{kind}_set", None) for kind in ("shared", "dedicated"))
    pcpus = processors(str(dedicated), probe["cpus"]) & here if dedicated is not None else set()
    if shared is not None:
        vcpus = (processors(str(shared), probe["cpus"]) & here) - pcpus
    else:
        vcpus = set() if dedicated is not None else here
    # In Nova's GiB of the whole file system, in use or not.
    disk = int(probe["disk_mb"] // 1024)
    kept = math.ceil(int(options.get("DEFAULT", "reserved_host_disk_mb", 0)) / 1024)
    wanted = {
        VCPU: (len(vcpus), int(options.get("DEFAULT", "reserved_host_cpus", 0)), ratio("cpu")),
        PCPU: (len(pcpus), 0, 1.0),
        MEMORY: (
            probe["memory_mb"],
            int(options.get("DEFAULT", "reserved_host_memory_mb", RESERVED_MEMORY_MB)),
            ratio("ram"),
        ),
        DISK: (disk, kept, ratio("disk")),
    }
    return {
        name: {"total": total, "reserved": reserved, "allocation_ratio": factor, "max_unit": total, "used": 0}
        for name, (total, reserved, factor) in wanted.items()
        if total
    }


def _nics(model: Model, probe: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the interfaces of the traffic between nodes, and of the external network."""
    found = {}
    ports = {bridge["name"]: bridge.get("ports") or [] for bridge in model.cloud["bridges"]}
    ports |= {bridge["name"]: bridge.get("ports") or [] for bridge in (probe["bridges"] or {}).get("bridges", [])}
    address = model.cloud["tunnel_address"] or model.cloud["me"]["address"]
    with_address = next(
        (
            name
            for name, link in probe["interfaces"].items()
            if address in (one.split("/")[0] for one in link["addresses"])
        ),
        "",
    )
    external = dict(pair.split(":", 1) for pair in model.cloud["bridge_mappings"]).get("external")
    for purpose, name in (("tunnel", with_address), ("external", external or "")):
        # The address of an interface in a bridge is the bridge's.
        nic = next(iter(ports.get(name, [])), name)
        if nic:
            found[purpose] = {"name": nic, "mbit": (probe["interfaces"].get(nic) or {}).get("speed")}
    return found


def _pools(model: Model, groups: Collection[str], probe: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the devices of this host in each back end, and the options of those that are served from here."""
    found = []
    options = Options(model, groups, "volumes")
    for backend in model.cloud["storage"]["backends"]:
        name = backend["name"]
        paths = [device["path"] for device in backend["devices"].get(model.cloud["me"]["name"], [])]
        sizes = [(probe["devices"].get(path) or {}).get("size_mb", 0) for path in paths]
        one = {
            "name": name,
            "serves": list(backend["serves"]),
            "gib": sum(sizes) / 1024,
            # Devices of one volume group are no copies of each other.
            "replicas": 1 if backend.get("volume_group") else int(backend["replicas"]),
            "alone": bool(backend.get("volume_group")),
            "options": None,
        }
        if backend["here"] and options.sections:
            ratio = options.get(name, "max_over_subscription_ratio", OVERSUBSCRIPTION)
            one["options"] = {
                "ratio": OVERSUBSCRIPTION if ratio == "auto" else float(ratio),
                "reserved": float(options.get(name, "reserved_percentage", 0)),
                # LVM's own volumes; all other drivers of the collection are thin.
                "thin": not backend.get("volume_group") or options.get(name, "lvm_type", "auto") != "default",
            }
        found.append(one)
    return found
