# Copyright (c) 2026 The Cairn authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A host's disks, which are files here: all of an emulated machine's, and those that a container has besides."""

from __future__ import annotations

from ansible_collections.cairn.openstack.plugins.module_utils.testing.lab.run import run

# The base under what was sown, as a container would see them.
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
    """The root of an emulated machine, with the base and what was sown."""
    root = host.path("root.img")
    run("unshare", "--mount", "--propagation", "private", "sh", "-c", _FILL, "sh", base, host.path(), root, timeout=600)
    run("rm", "-rf", "--one-file-system", *(host.path(name) for name in ("upper", "work", "root")))


def release(host):
    """Take a container's disks from the loop devices that its supervisor gave them."""
    for name in host.images():
        loops = run("losetup", "--associated", host.path(name), "--noheadings", "--output", "NAME", check=False)
        if loops:
            run("losetup", "--detach", *loops.split())
