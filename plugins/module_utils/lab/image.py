# Copyright (c) 2026 The Cairn authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The disks of an emulated machine."""

from __future__ import annotations

from ansible_collections.cairn.openstack.plugins.module_utils.lab.run import run

# The base under what was sown, as a container would see them.
_FILL = """
set -eu
mount -t overlay -o "lowerdir=$1,upperdir=$2/upper,workdir=$2/work" overlay "$2/root"
mke2fs -q -t ext4 -d "$2/root" "$3"
"""


def make(host, base):
    """A root with the base and what was sown, and blank disks."""
    for name, size in host.images().items():
        run("truncate", f"--size={size}", host.path(name))
    root = host.path("root.img")
    run("unshare", "--mount", "--propagation", "private", "sh", "-c", _FILL, "sh", base, host.path(), root, timeout=600)
    run("rm", "-rf", "--one-file-system", *(host.path(name) for name in ("upper", "work", "root")))
