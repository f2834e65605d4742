# Copyright (c) 2026 The Cairn authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a host writes, which is an upper tree or an emulated machine's images, and the snapshots of it."""

from __future__ import annotations

import json
import os

from ansible_collections.cairn.openstack.plugins.module_utils.testing.lab import image
from ansible_collections.cairn.openstack.plugins.module_utils.testing.lab.run import LabError, read, run, write
from ansible_collections.cairn.openstack.plugins.module_utils.testing.lab.seed import sow

# What a host stays as it was made.
LASTING = ("address", "networks", "emulated", "disks")


def record(host):
    """What was written down when the host was made."""
    made = json.loads(read(host.path("host.json"), "{}"))
    # One that was made before there were emulated machines says nothing of them.
    return {"emulated": False, "disks": [], **made} if made else {}


def _made_of(host):
    values = ((key, getattr(host, key)) for key in LASTING)
    return {key: list(value) if isinstance(value, tuple) else value for key, value in values}


def _write_record(host, base):
    text = {"name": host.name, **_made_of(host), "base": base}
    write(host.path("host.json"), json.dumps(text, indent=2) + "\n")


def check_same(host):
    """A host that exists keeps the cards, addresses and disks that it was made with."""
    made, now = record(host), _made_of(host)
    differs = ", ".join(f"{key} {made[key]}" for key in now if made[key] != now[key])
    if differs:
        raise LabError(
            f"{host.name} was made with {differs}: remove it (state=absent), then lab_up makes it as the inventory says"
        )


def create(host, base, user):
    """A fresh disk; the record comes last, so that what was left half made is made again."""
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
        # Not shutil: an upper tree may hold a hundred thousand files.
        run("rm", "-rf", "--one-file-system", host.path(), timeout=600)


def snapshot_path(host, name):
    return host.lab.path("snapshots", name, host.name)


def snapshots(host):
    """The names of a host's snapshots."""
    top = host.lab.path("snapshots")
    if not os.path.isdir(top):
        return []
    return sorted(name for name in os.listdir(top) if os.path.exists(os.path.join(top, name, host.name, "host.json")))


def _copy(source, target):
    """With whiteouts, extended attributes, hard links, holes; shared blocks where the file system can."""
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
