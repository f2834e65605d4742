# Copyright (c) 2026 The Cairn authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The actual and the desired state of a host, and the changes."""

from __future__ import annotations

import os

from ansible_collections.cairn.openstack.plugins.module_utils.testing.lab import cgroup, netns, power, store
from ansible_collections.cairn.openstack.plugins.module_utils.testing.lab.run import LabError, read, write

STATES = (
    "started",
    "stopped",
    "killed",
    "frozen",
    "cut",
    "isolated",
    "joined",
    "snapshotted",
    "restored",
    "absent",
)
# The states of its cables that a file of this name keeps.
CABLES = ("cut", "isolated")


def current(host):
    """Return the actual state of a host."""
    on, exists = power.running(host), host.exists()
    # An interrupted lab_up may leave any part of a host.
    left = on or os.path.exists(host.path()) or os.path.exists(f"/run/netns/{host.namespace}")
    return {
        "power": ("frozen" if os.path.exists(host.path("frozen")) else "on") if on else "off",
        "exists": exists,
        "leftovers": left and not exists,
        "cable": next((state for state in CABLES if os.path.exists(host.path(state))), "in"),
        "snapshots": store.snapshots(host),
        # The snapshot that is identical to its disk, until it is booted.
        "disk": read(host.path("disk")),
    }


def wanted(state, before, snapshot=""):
    """Return the desired state of a host from its actual one; the only place that defines the states."""
    after = dict(before)
    if state == "started":
        after.update(power="on", exists=True, leftovers=False)
        if before["power"] == "off":
            after.update(disk="")
    elif state == "frozen":
        after.update(power="frozen")
    elif state in ("stopped", "killed"):
        after.update(power="off")
    elif state in (*CABLES, "joined"):
        after.update(cable=state if state in CABLES else "in")
    elif state == "snapshotted":
        after.update(snapshots=sorted({*before["snapshots"], snapshot}), disk=snapshot)
    elif state == "restored":
        after.update(exists=True, leftovers=False, disk=snapshot, cable="in")
    elif state == "absent":
        after.update(power="off", exists=False, leftovers=False, cable="in", disk="")
    return after


def check(host, state, before, snapshot=""):
    """Check that the change is possible, also in check mode."""
    if state == "started":
        host.check()
        if before["exists"]:
            store.check_same(host)
        elif before["power"] != "off":
            raise LabError(f"{host.name} is running, but has no record: remove it (state=absent)")
    elif state == "absent":
        return
    elif state == "frozen":
        if before["power"] == "off" or host.emulated:
            raise LabError(f"{host.name} must be a container that is running for that")
    elif state in ("snapshotted", "restored"):
        if not snapshot:
            raise LabError(f"state={state} needs the name of a snapshot")
        if before["power"] != "off":
            raise LabError(f"{host.name} must be powered off for that (state=stopped, or killed)")
        if state == "restored" and snapshot not in before["snapshots"]:
            raise LabError(
                f"{host.name} has no snapshot '{snapshot}'; it has: {', '.join(before['snapshots']) or 'none'}"
            )
    if state not in ("started", "restored") and not before["exists"]:
        raise LabError(f"{host.name} is not a host of this lab; it has: {', '.join(host.lab.names()) or 'none'}")


def _fits(host, options, name):
    """Return the option for this kind of host."""
    return options[f"emulated_{name}" if host.emulated else name]


def _unlink(path):
    if os.path.exists(path):
        os.unlink(path)


def begin(host, state, before, options):
    """Start the change. Booting continues after this, so that hosts boot in parallel."""
    if state == "started" and before["power"] == "off":
        if not before["exists"]:
            base = _fits(host, options, "base")
            if not base:
                raise LabError(f"{host.name} does not exist: lab_up creates it")
            store.create(host, base, options["user"])
        base = store.record(host)["base"]
        if not os.path.isdir(base):
            raise LabError(f"{host.name} is based on {base}, which no longer exists; remove the host (state=absent)")
        _unlink(host.path("disk"))
        _unlink(host.path("frozen"))
        power.on(host, base, options["supervise"])
    elif state == "started" and before["power"] == "frozen":
        cgroup.freeze(host, frozen=False)
        _unlink(host.path("frozen"))
    elif state == "frozen":
        cgroup.freeze(host, frozen=True)
        write(host.path("frozen"), "")
    elif state == "stopped":
        power.off(host, _fits(host, options, "timeout"))
    elif state == "killed":
        power.kill(host)
    elif state in (*CABLES, "joined"):
        for one in CABLES:
            _unlink(host.path(one))
        if state in CABLES:
            write(host.path(state), "")
        netns.cable(host, plugged=state != "cut", connected=state == "joined")
    elif state == "snapshotted":
        store.save(host, options["snapshot"])
    elif state == "restored":
        store.restore(host, options["snapshot"])
    elif state == "absent":
        power.kill(host)
        store.discard(host)
        cgroup.remove(host)


def finish(host, state, options):
    """Wait for the end of the change."""
    # A host without cables is unreachable.
    if state == "started" and not any(os.path.exists(host.path(one)) for one in CABLES):
        power.wait_ready(host, _fits(host, options, "timeout"))
