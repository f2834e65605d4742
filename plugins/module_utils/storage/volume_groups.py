# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""LVM volume groups, created from and extended with empty devices."""

from __future__ import annotations

import os
import subprocess

from ansible_collections.cairn.openstack.plugins.module_utils.common.changes import Change, Failed
from ansible_collections.cairn.openstack.plugins.module_utils.storage.devices import physical_volumes, signatures


def plan(wanted: list[dict]) -> list[Change]:
    """Return the changes to the volume groups of this host.

    :param wanted: each with ``name`` and ``devices``.
    :raises Failed: a device does not exist, or is not empty; nothing is changed then.
    """
    changes, errors, found = [], [], physical_volumes()
    there = set(found.values())
    for group in wanted:
        name, new = group["name"], []
        for path in group["devices"]:
            if why := _refused(path, name, found):
                errors.append(why)
            elif not found.get(os.path.realpath(path)):
                new.append(path)
        if new:
            changes.append(_change(group, new, made=name in there))
    if errors:
        raise Failed("\n".join(errors))
    return changes


def _change(group: dict, new: list[str], made: bool) -> Change:
    """Return the change that adds the devices *new* to a group, which may have to be created."""
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
    """Return why the device cannot be used for the group *name*, empty if it can."""
    group = found.get(os.path.realpath(path))
    if group is not None:
        # A physical volume in no group is left by an interrupted run.
        return f"{path} is in the volume group {group}; only empty devices are used" if group not in ("", name) else ""
    if not os.path.exists(path):
        return f"there is no device {path}"
    if holds := signatures(path):
        return f"{path} holds {holds}; only empty devices are used"
    return ""


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failed(f"{command[0]}: {done.stderr.strip()[-1000:]}")
