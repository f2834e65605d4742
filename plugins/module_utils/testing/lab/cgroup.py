# Copyright (c) 2026 The Cairn authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The control groups that hosts leave behind."""

from __future__ import annotations

from ansible_collections.cairn.openstack.plugins.module_utils.testing.lab.run import run

# In a mount namespace of its own: machines with cgroup v1 need not have v2 mounted anywhere.
_REMOVE = """
set -eu
mount -t cgroup2 cgroup2 /sys/fs/cgroup
cd /sys/fs/cgroup
if [ -d "$1" ]; then find "$1" -depth -type d -exec rmdir {} +; fi
rmdir --ignore-fail-on-non-empty "${1%/*}" 2>/dev/null || true
"""


def remove(host):
    """Remove a dead host's groups, and the lab's with its last host."""
    group = f"{host.lab.prefix}-lab/{host.name}"
    run("unshare", "--mount", "--propagation", "private", "sh", "-c", _REMOVE, "sh", group)
