# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Checks of Swift's rings, storage policies and devices in the inventory."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from ansible_collections.cairn.openstack.plugins.module_utils.storage import swift_facts
from ansible_collections.cairn.openstack.plugins.plugin_utils.preflight.finding import Finding, shown

# The file in docs that describes how to replace a device.
GUIDE = "swift"
_POLICY = re.compile(r"[A-Za-z0-9-]+")
_RANGES = {"part_power": (1, 24), "min_part_hours": (0, 255)}
_FRAGMENTS = {"ec_num_data_fragments", "ec_num_parity_fragments"}


def findings(where: str, one: Mapping[str, Any], _serves: Iterable[str] = ()) -> Iterator[Finding]:
    """Check the back end *one* by itself.

    :param where: its place in the input.
    """
    for key, (least, most) in _RANGES.items():
        if key in one and not least <= int(one[key]) <= most:
            yield Finding(f"{where}.{key}", shown(one[key]), f"{least} to {most}", "Remove it to use the default.")
    policies = one.get("policies") or []
    indexes = [int(policy["index"]) for policy in policies]
    where = f"{where}.policies"
    if policies and 0 not in indexes:
        remedy = "Set it for the first policy; objects from before policies belong to index 0."
        yield Finding(where, "no policy with the index 0", "one of them", remedy)
    for key, values in (("index", indexes), ("name", [str(policy["name"]).lower() for policy in policies])):
        for value, count in Counter(values).items():
            if count > 1:
                yield Finding(where, f"{count} policies with the {key} {value}", "one each", "Change one of them.")
    chosen = [policy["name"] for policy in policies if policy.get("default")]
    if len(chosen) > 1:
        yield Finding(where, f"{' and '.join(chosen)}, both the default", "one default", "Keep it for one of them.")
    for policy in policies:
        yield from _policy(f"{where}: {policy['name']}", policy, [policy["name"]] == chosen)


def _policy(where: str, policy: Mapping[str, Any], default: bool) -> Iterator[Finding]:
    if not _POLICY.fullmatch(str(policy["name"])):
        yield Finding(where, f"the name {policy['name']!r}", "letters, digits and hyphens", "Choose another.")
    if default and policy.get("deprecated"):
        yield Finding(where, "deprecated, and the default", "one of them", "Make another policy the default first.")
    given = _FRAGMENTS & policy.keys()
    if policy.get("ec_type") and given != _FRAGMENTS:
        lacking = ", ".join(sorted(_FRAGMENTS - given))
        yield Finding(where, f"ec_type without {lacking}", "both numbers of fragments", f"Add {lacking}.")
    elif given and not policy.get("ec_type"):
        remedy = "Add ec_type: liberasurecode_rs_vand."
        yield Finding(where, f"{', '.join(sorted(given))} without ec_type", "all three, or none", remedy)
    elif given and "replicas" in policy:
        yield Finding(
            where, "replicas beside fragments", "one of them", "Remove replicas; each fragment is stored once."
        )


def enough(where: str, one: Mapping[str, Any]) -> Iterator[Finding]:
    """Find policies that need more devices than exist.

    :param one: the back end with its defaults and devices.
    """
    devices = [swift_facts.device(given) for found in one["devices"].values() for given in found]
    usable = sum(device["weight"] > 0 for device in devices)
    for policy in swift_facts.policies(one):
        if policy["replicas"] > usable:
            needed = f"{policy['replicas']} {'fragments' if policy['ec_type'] else 'replicas'}"
            remedy = "Set storage_devices for its hosts, or lower the numbers of the policy."
            found = f"policy {policy['name']} with {needed} on {usable} devices that have a weight"
            yield Finding(where, found, "a device for each", remedy)


def devices(given: Iterable[Mapping[str, Any]], finding: Callable[[str, str, str], Finding]) -> Iterator[Finding]:
    """Check a host's devices for Swift.

    :param finding: returns a finding about the host's devices.
    """
    names: list[str] = []
    for device in given:
        name = swift_facts.device(device)["name"]
        if device.get("size"):
            remedy = f"Remove size; for tests use a directory such as {swift_facts.DIRECTORY}/d1."
            yield finding(f"{device['path']} with a size", "a device; Swift does not use files", remedy)
        if name in names:
            yield finding(f"a second device named {name}", "a unique name for each", "Use another link to one of them.")
        if float(device.get("weight", 0)) < 0:
            yield finding(f"the weight {device['weight']}", "0 or more", "0 drains the device.")
        names.append(name)


def is_directory(path: str) -> bool:
    """Whether *path* is a directory used as a device."""
    return not swift_facts.device({"path": path})["mount"]
