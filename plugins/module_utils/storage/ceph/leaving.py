# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Removal of a host's devices, which are drained first, and of monitors.

A device is removed in two runs, as moving its data takes time: the first sets its weight to 0, a later one removes the
daemon once Ceph reports it as safe to destroy. The content of the device is not erased. A device that is listed again
meanwhile gets its weight back.
"""

from __future__ import annotations

import contextlib
import shutil
import time

from ansible_collections.cairn.openstack.plugins.module_utils.common.changes import Change, Failed
from ansible_collections.cairn.openstack.plugins.module_utils.storage.ceph.cluster import State
from ansible_collections.cairn.openstack.plugins.module_utils.storage.ceph.monitor import Monitor
from ansible_collections.cairn.openstack.plugins.module_utils.storage.ceph.osd import DIRECTORY, PATIENCE, run


def devices(kept: set[str], state: State, host: str, monitor: Monitor | None) -> tuple[list[Change], list[str]]:
    """Return the changes to the host's daemons whose devices are not in *kept*, and which of them must remain for now.

    :param kept: the ids of devices.
    """
    changes, staying = [], []
    names = {osd["osd"]: name for name, osd in state.osds.items()}
    for number, weight in sorted(state.weights.get(host, {}).items()):
        if names.get(number) in kept:
            if not weight:
                changes.append(_weighed("refill", number, weight, _size(number, monitor), monitor))
        elif weight:
            changes.append(_weighed("drain", number, weight, 0.0, monitor, "no longer in the inventory"))
        elif why := _needed(number, monitor):
            staying.append(f"osd.{number} remains until its device is drained; a later run removes it. {why}")
        else:
            changes.append(
                Change(
                    "Ceph device",
                    "remove",
                    f"osd.{number}",
                    {"daemon": f"osd.{number}"},
                    {},
                    lambda number=number: _remove(number, monitor),
                    "it is empty",
                )
            )
    return changes, staying


def _weighed(verb: str, number: int, before: float, after: float, monitor: Monitor, why: str = "") -> Change:
    """Return the change of the weight of a device."""
    return Change(
        "Ceph device",
        verb,
        f"osd.{number}",
        {"weight": before},
        {"weight": after},
        lambda: monitor.tell("osd crush reweight", name=f"osd.{number}", weight=after),
        why,
    )


def _size(number: int, monitor: Monitor) -> float:
    """Return the size of a device in TiB, which is Ceph's default weight."""
    (found,) = [one["kb"] for one in monitor.ask("osd df")["nodes"] if one["id"] == number]
    return round(found / 2**30, 5)


def _needed(number: int, monitor: Monitor) -> str:
    """Return why Ceph still needs the daemon, empty if it does not."""
    try:
        monitor.tell("osd safe-to-destroy", ids=[str(number)])
    except Failed as error:
        return str(error)
    return ""


def _remove(number: int, monitor: Monitor) -> None:
    """Stop the daemon and remove it from the cluster, which checks again that this is safe."""
    run("systemctl", "disable", "--now", f"ceph-osd@{number}")
    until = time.monotonic() + PATIENCE
    while any(osd["osd"] == number and osd["up"] for osd in monitor.ask("osd dump")["osds"]):
        if time.monotonic() > until:
            raise Failed(f"the monitors still report osd.{number} as up: ceph osd tree")
        time.sleep(0.5)
    monitor.manage("osd purge", id=number)
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(f"{DIRECTORY}/ceph-{number}")


def monitors(wanted: list[str], state: State, monitor: Monitor | None) -> list[Change]:
    """Return the removal of the monitors that are not *wanted*, if any is wanted."""
    return [
        Change(
            "Ceph monitor",
            "remove",
            name,
            {"monitor": name},
            {},
            lambda name=name: _forget(name, wanted, monitor),
            "not a monitor in the inventory",
        )
        for name in state.monitors
        if wanted and name not in wanted
    ]


def _forget(name: str, wanted: list[str], monitor: Monitor) -> None:
    """Remove the monitor once all remaining ones, including new ones, are in quorum."""
    until = time.monotonic() + PATIENCE
    while lacking := set(wanted) - set(monitor.ask("quorum_status")["quorum_names"]):
        if time.monotonic() > until:
            raise Failed(f"{', '.join(sorted(lacking))} is not in the quorum, so no other monitor is removed: ceph -s")
        time.sleep(1)
    monitor.tell("mon remove", name=name)
