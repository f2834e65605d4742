# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""LVM's volume groups: made of empty devices, and grown by them."""

from __future__ import annotations

import os
import subprocess

from ansible_collections.cairn.openstack.plugins.module_utils.common.changes import Change, Failed
from ansible_collections.cairn.openstack.plugins.module_utils.storage.devices import physical_volumes, signatures


def plan(wanted: list[dict]) -> list[Change]:
    """Return the changes to this host's volume groups.

    :param wanted: each with ``name`` and ``devices``.
    :raises Failed: a device is not there, or holds something else: nothing is touched then.
    """
    changes, faults, found = [], [], physical_volumes()
    there = set(found.values())
    for group in wanted:
        name, new = group["name"], []
        for path in group["devices"]:
            if why := _refused(path, name, found):
                faults.append(why)
            elif not found.get(os.path.realpath(path)):
                new.append(path)
        if new:
            changes.append(_change(group, new, made=name in there))
    if faults:
        raise Failed("\n".join(faults))
    return changes


def _change(group: dict, new: list[str], made: bool) -> Change:
    """Return the change that lets the devices *new* into a group, which may have to be made."""
    name, devices = group["name"], group["devices"]
    return Change(
        "volume group",
        "extend" if made else "create",
        name,
        {"devices": [path for path in devices if path not in new]} if made else {},
        {"devices": devices},
        lambda: _run("vgextend" if made else "vgcreate", name, *new),
        ", ".join(new),
    )


def _refused(path: str, name: str, found: dict[str, str]) -> str:
    """Return why the device can't be of the group *name*, nothing where it can."""
    group = found.get(os.path.realpath(path))
    if group is not None:
        # One of no group is what a killed run leaves.
        return f"{path} is of the volume group {group}; only empty devices are taken" if group not in ("", name) else ""
    if not os.path.exists(path):
        return f"there is no device {path}"
    if holds := signatures(path):
        return f"{path} holds {holds}; only empty devices are taken"
    return ""


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failed(f"{command[0]}: {done.stderr.strip()[-1000:]}")
