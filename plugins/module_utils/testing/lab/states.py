# Copyright (c) 2026 The Cairn authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From what a host is to what it should be."""

from __future__ import annotations

import os

from ansible_collections.cairn.openstack.plugins.module_utils.testing.lab import cgroup, netns, power, store
from ansible_collections.cairn.openstack.plugins.module_utils.testing.lab.run import LabError, read, write

STATES = ("started", "stopped", "killed", "cut", "joined", "snapshotted", "restored", "absent")


def current(host):
    """What a host is now."""
    on, exists = power.running(host), host.exists()
    # A broken lab_up may leave any part of a host.
    left = on or os.path.exists(host.path()) or os.path.exists(f"/run/netns/{host.namespace}")
    return {
        "power": "on" if on else "off",
        "exists": exists,
        "leftovers": left and not exists,
        "cable": "cut" if os.path.exists(host.path("cut")) else "in",
        "snapshots": store.snapshots(host),
        # The snapshot that its disk is exactly, until it is booted.
        "disk": read(host.path("disk")),
    }


def wanted(state, before, snapshot=""):
    """What a host should be, out of what it is; the one place where a state has its meaning."""
    after = dict(before)
    if state == "started":
        after.update(power="on", exists=True, leftovers=False)
        if before["power"] == "off":
            after.update(disk="")
    elif state in ("stopped", "killed"):
        after.update(power="off")
    elif state in ("cut", "joined"):
        after.update(cable="cut" if state == "cut" else "in")
    elif state == "snapshotted":
        after.update(snapshots=sorted({*before["snapshots"], snapshot}), disk=snapshot)
    elif state == "restored":
        after.update(exists=True, leftovers=False, disk=snapshot, cable="in")
    elif state == "absent":
        after.update(power="off", exists=False, leftovers=False, cable="in", disk="")
    return after


def check(host, state, before, snapshot=""):
    """Raise what can't be done, in check mode as well."""
    if state == "started":
        host.check()
        if before["exists"]:
            store.check_same(host)
        elif before["power"] == "on":
            raise LabError(f"{host.name} runs, but nothing says what it is: remove it (state=absent)")
    elif state == "absent":
        return
    elif state in ("snapshotted", "restored"):
        if not snapshot:
            raise LabError(f"state={state} needs the name of a snapshot")
        if before["power"] == "on":
            raise LabError(f"{host.name} has to be powered off for that (state=stopped, or killed)")
        if state == "restored" and snapshot not in before["snapshots"]:
            raise LabError(
                f"{host.name} has no snapshot '{snapshot}'; it has: {', '.join(before['snapshots']) or 'none'}"
            )
    if state not in ("started", "restored") and not before["exists"]:
        raise LabError(f"{host.name} is no host of this lab; there are: {', '.join(host.lab.names()) or 'none'}")


def _fits(host, options, name):
    """The option that holds for this kind of host."""
    return options[f"emulated_{name}" if host.emulated else name]


def _unlink(path):
    if os.path.exists(path):
        os.unlink(path)


def begin(host, state, before, options):
    """Do it. Booting goes on after this, so that hosts boot together."""
    if state == "started" and before["power"] == "off":
        if not before["exists"]:
            base = _fits(host, options, "base")
            if not base:
                raise LabError(f"{host.name} does not exist: lab_up makes it")
            store.create(host, base, options["user"])
        base = store.record(host)["base"]
        if not os.path.isdir(base):
            raise LabError(f"{host.name} stands on {base}, which is gone; remove the host (state=absent)")
        _unlink(host.path("disk"))
        power.on(host, base, options["supervise"])
    elif state == "stopped":
        power.off(host, _fits(host, options, "timeout"))
    elif state == "killed":
        power.kill(host)
    elif state in ("cut", "joined"):
        if state == "cut":
            write(host.path("cut"), "")
        else:
            _unlink(host.path("cut"))
        netns.cable(host, state == "joined")
    elif state == "snapshotted":
        store.save(host, options["snapshot"])
    elif state == "restored":
        store.restore(host, options["snapshot"])
    elif state == "absent":
        power.kill(host)
        store.discard(host)
        cgroup.remove(host)


def finish(host, state, options):
    """Wait for what `begin` left going on."""
    # Nobody can reach a host whose cables are out.
    if state == "started" and not os.path.exists(host.path("cut")):
        power.wait_ready(host, _fits(host, options, "timeout"))
