# Copyright (c) 2026 The Cairn authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A host's network namespace, which is also how its processes are found."""

from __future__ import annotations

import os

from ansible_collections.cairn.openstack.plugins.module_utils.testing.lab.run import read, run


def _identity(path):
    try:
        stat = os.stat(path)
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None
    return stat.st_dev, stat.st_ino


def pids(namespace):
    """Return the processes in this network namespace, by their PIDs on the computer."""
    own = _identity(f"/run/netns/{namespace}")
    if own is None:
        return []
    return [int(pid) for pid in os.listdir("/proc") if pid.isdigit() and _identity(f"/proc/{pid}/ns/net") == own]


def leader(namespace):
    """Return the PID of the host's init on the computer, or None."""
    for pid in pids(namespace):
        for line in read(f"/proc/{pid}/status").splitlines():
            # One level of pid namespaces further in, and the first there.
            if line.startswith("NSpid:") and line.split()[1:] == [str(pid), "1"]:
                return pid
    return None


def inside(namespace, *argv, **kwargs):
    """Run a command inside a running host, without ssh."""
    pid = leader(namespace)
    return run("nsenter", "-t", str(pid), "-m", "-u", "-i", "-n", "-p", "-C", "--", *argv, **kwargs)


def unplug(host):
    """Remove the NICs and the namespace of a host; the outer ends first, as the namespace disappears later."""
    for nic in host.nics():
        if os.path.exists(f"/sys/class/net/{nic.outer}"):
            run("ip", "link", "delete", nic.outer)
    if os.path.exists(f"/run/netns/{host.namespace}"):
        run("ip", "netns", "delete", host.namespace)


def cable(host, plugged, connected):
    """Plug or unplug the cables of a running host, at its end and at the end of the network."""
    for nic in host.nics():
        if os.path.exists(f"/sys/class/net/{nic.outer}"):
            run("ip", "link", "set", nic.outer, "up" if plugged else "down")
            run("ip", "link", "set", nic.outer, *(["master", nic.bridge] if connected or not plugged else ["nomaster"]))
