# Copyright (c) 2026 The Cairn authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The control groups of hosts: all processes of one are frozen by it; those of stopped hosts are removed."""

from __future__ import annotations

from ansible_collections.cairn.openstack.plugins.module_utils.testing.lab.run import run

# In its own mount namespace: computers with cgroup v1 may not have v2 mounted.
_REMOVE = """
set -eu
# Only cgroup v1 has it, see supervise. One that stays is empty, and the next host of this name uses it.
rmdir "/sys/fs/cgroup/cpu/$(echo "$1" | tr / -)" 2>/dev/null || true
mount -t cgroup2 cgroup2 /sys/fs/cgroup
cd /sys/fs/cgroup
if [ -d "$1" ]; then find "$1" -depth -type d -exec rmdir {} +; fi
rmdir --ignore-fail-on-non-empty "${1%/*}" 2>/dev/null || true
"""
_FREEZE = """
set -eu
mount -t cgroup2 cgroup2 /sys/fs/cgroup
echo "$2" >"/sys/fs/cgroup/$1/cgroup.freeze"
"""


def _run(script, host, *arguments):
    group = f"{host.lab.prefix}-lab/{host.name}"
    run("unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh", group, *arguments)


def remove(host):
    """Remove the groups of a stopped host, and those of the lab with its last host."""
    _run(_REMOVE, host)


def freeze(host, frozen):
    """Stop all processes of a running host, or let them continue."""
    _run(_FREEZE, host, "1" if frozen else "0")
