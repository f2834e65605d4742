# Copyright (c) 2026 The Cairn authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The disks of a host, which are files: all disks of an emulated host, and the additional ones of a container."""

from __future__ import annotations

from ansible_collections.cairn.openstack.plugins.module_utils.testing.lab.run import run

# The base and the host's own files on top, as a container would see them.
_FILL = """
set -eu
mount -t overlay -o "lowerdir=$1,upperdir=$2/upper,workdir=$2/work" overlay "$2/root"
mke2fs -q -t ext4 -d "$2/root" "$3"
"""


def make(host):
    """Blank disks."""
    for name, size in host.images().items():
        run("truncate", f"--size={size}", host.path(name))


def fill(host, base):
    """Create the root of an emulated host, with the base and its own files."""
    root = host.path("root.img")
    run("unshare", "--mount", "--propagation", "private", "sh", "-c", _FILL, "sh", base, host.path(), root, timeout=600)
    run("rm", "-rf", "--one-file-system", *(host.path(name) for name in ("upper", "work", "root")))


def release(host):
    """Detach a container's disks from their loop devices."""
    for name in host.images():
        loops = run("losetup", "--associated", host.path(name), "--noheadings", "--output", "NAME", check=False)
        if loops:
            run("losetup", "--detach", *loops.split())
