# Copyright (c) 2026 The Cairn authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The data of a host, an upper tree or the images of an emulated host, and its snapshots."""

from __future__ import annotations

import json
import os

from ansible_collections.cairn.openstack.plugins.module_utils.testing.lab import image
from ansible_collections.cairn.openstack.plugins.module_utils.testing.lab.run import LabError, read, run, write
from ansible_collections.cairn.openstack.plugins.module_utils.testing.lab.seed import sow

# Attributes that a host keeps from its creation.
LASTING = ("address", "networks", "emulated", "disks")


def record(host):
    """Return the record of the host's creation."""
    made = json.loads(read(host.path("host.json"), "{}"))
    # Records from before emulated hosts lack these keys.
    return {"emulated": False, "disks": [], **made} if made else {}


def _made_of(host):
    values = ((key, getattr(host, key)) for key in LASTING)
    return {key: list(value) if isinstance(value, tuple) else value for key, value in values}


def _write_record(host, base):
    text = {"name": host.name, **_made_of(host), "base": base}
    write(host.path("host.json"), json.dumps(text, indent=2) + "\n")


def check_same(host):
    """Check that an existing host still has the NICs, addresses and disks of its creation."""
    made, now = record(host), _made_of(host)
    differs = ", ".join(f"{key} {made[key]}" for key in now if made[key] != now[key])
    if differs:
        raise LabError(
            f"{host.name} was created with {differs}: remove it (state=absent), then lab_up creates it by the inventory"
        )


def create(host, base, user):
    """Create a new disk; the record is written last, so that an incomplete host is created again."""
    discard(host)
    for name in ("upper", "work", "root"):
        os.makedirs(host.path(name))
    if os.path.exists(host.log):
        os.unlink(host.log)
    sow(host, base, host.path("upper"), user)
    image.make(host)
    if host.emulated:
        image.fill(host, base)
    _write_record(host, base)


def discard(host):
    if os.path.exists(host.path()):
        # Not shutil: an upper tree may have a hundred thousand files.
        run("rm", "-rf", "--one-file-system", host.path(), timeout=600)


def snapshot_path(host, name):
    return host.lab.path("snapshots", name, host.name)


def snapshots(host):
    """Return the names of a host's snapshots."""
    top = host.lab.path("snapshots")
    if not os.path.isdir(top):
        return []
    return sorted(name for name in os.listdir(top) if os.path.exists(os.path.join(top, name, host.name, "host.json")))


def _copy(source, target):
    """Copy with whiteouts, extended attributes, hard links and holes; share blocks if the file system can."""
    run("cp", "-a", "--reflink=auto", source, target, timeout=1800)


def save(host, name):
    target = snapshot_path(host, name)
    if os.path.exists(target):
        run("rm", "-rf", "--one-file-system", target, timeout=600)
    os.makedirs(target)
    for part in [*host.parts(), "host.json"]:
        _copy(host.path(part), target)
    write(host.path("disk"), name)


def restore(host, name):
    source = snapshot_path(host, name)
    if not os.path.exists(os.path.join(source, "host.json")):
        raise LabError(f"{host.name} has no snapshot '{name}'; it has: {', '.join(snapshots(host)) or 'none'}")
    discard(host)
    os.makedirs(host.path("work"))
    os.makedirs(host.path("root"))
    for part in [*host.parts(), "host.json"]:
        _copy(os.path.join(source, part), host.path())
    write(host.path("disk"), name)
