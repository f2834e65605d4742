# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The devices of a host and their daemons.

A device is identified by BlueStore's label at its beginning, whatever its name after a boot. A device without a label
gets an id derived from cluster, host and path, so that the next run recognizes and completes an interrupted one.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import secrets
import shutil
import struct
import subprocess
import time
import uuid

from ansible_collections.cairn.openstack.plugins.module_utils.common.changes import Change, Failed
from ansible_collections.cairn.openstack.plugins.module_utils.storage.ceph.cluster import State
from ansible_collections.cairn.openstack.plugins.module_utils.storage.ceph.monitor import Monitor
from ansible_collections.cairn.openstack.plugins.module_utils.storage.devices import signatures

DIRECTORY = "/var/lib/ceph/osd"
MARK = b"bluestore block device\n"
# Timeout in seconds for a started daemon to be up.
PATIENCE = 90
_UNITS = {"M": 20, "G": 30, "T": 40}


def label(path: str) -> str:
    """Return the id in the label of the device, empty if it has none."""
    try:
        with open(path, "rb") as file:
            head = file.read(len(MARK) + 36)
    except FileNotFoundError:
        return ""
    return head[len(MARK) :].decode() if head.startswith(MARK) else ""


def new_id(cluster: str, host: str, path: str) -> str:
    """Return the id of a new device at *path*."""
    return str(uuid.uuid5(uuid.UUID(cluster), f"{host} {path}"))


def identity(cluster: str, host: str, path: str) -> str:
    """Return the id of the device at *path*: that of its label, or of a new device."""
    return label(path) or new_id(cluster, host, path)


def new_key() -> str:
    """Return a new key in Ceph's format. It is used only on this host."""
    return base64.b64encode(struct.pack("<HIIH", 1, 0, 0, 16) + secrets.token_bytes(16)).decode()


def size_of(text: str) -> int:
    """Return a size such as 10G in bytes."""
    return int(text[:-1]) << _UNITS[text[-1]]


def run(*command: str) -> str:
    """Run a command and return its output.

    :raises Failed: it failed.
    """
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failed(f"{command[0]}: {done.stderr.strip()[-1000:]}")
    return done.stdout


def plan(wanted: list[dict], state: State, cluster: str, host: str, monitor: Monitor | None) -> list[Change]:
    """Return the changes to the devices of the host.

    :param cluster: id of the cluster.
    :raises Failed: a device does not exist, or has data that is not of this cluster; nothing is changed then.
    """
    changes, errors = [], []
    for device in wanted:
        path = device["path"]
        marked = label(path)
        name = identity(cluster, host, path)
        known = state.osds.get(name)
        if why := _refused(device, marked, known, new_id(cluster, host, path), bool(monitor)):
            errors.append(why)
            continue
        served = bool(known and (known["up_from"] or _is("active", known["osd"])))
        if served and _is("active", known["osd"]) and _is("enabled", known["osd"]) and _leads(known["osd"], path):
            continue
        changes.append(
            Change(
                "Ceph device",
                "repair" if served else "add",
                path,
                {"daemon": f"osd.{known['osd']}", "runs": False} if served else {},
                {"daemon": f"osd.{known['osd']}" if known else "a new one", "runs": True},
                lambda device=device, name=name, known=known, served=served: _serve(
                    device, name, known, served, monitor
                ),
                f"osd.{known['osd']} does not serve it" if served else "",
            )
        )
    if errors:
        raise Failed("\n".join(errors))
    return changes


def _refused(device: dict, marked: str, known: dict | None, own: str, asked: bool) -> str:
    """Return why the device cannot be used, empty if it can.

    :param asked: whether the monitors' list of devices is known.
    """
    path = device["path"]
    if marked:
        if known or (marked == own and not asked):
            return ""
        if marked == own:
            return f"{path} still has its data from before its removal from this cluster; wipefs --all {path} erases it"
        return f"{path} holds data of another Ceph cluster ({marked}); only empty devices are used"
    if not device["size"] and not os.path.exists(path):
        return f"there is no device {path}"
    if found := signatures(path):
        return f"{path} holds {found}; only empty devices are used"
    if known and known["up_from"]:
        return (
            f"{path} is empty, but osd.{known['osd']} had its data on it: if the disk was replaced, remove the old "
            f"daemon (ceph osd purge {known['osd']} --yes-i-really-mean-it) and run again"
        )
    return ""


def _is(what: str, number: int) -> bool:
    """Whether the daemon is C(active) or C(enabled)."""
    return subprocess.run(["systemctl", f"is-{what}", "-q", f"ceph-osd@{number}"], check=False).returncode == 0


def _link(number: int) -> str:
    return f"{DIRECTORY}/ceph-{number}/block"


def _leads(number: int, path: str) -> bool:
    """Whether the directory of the daemon has a link to the device."""
    return os.path.realpath(_link(number)) == os.path.realpath(path)


def _serve(device: dict, name: str, known: dict | None, served: bool, monitor: Monitor) -> None:
    """Run a daemon for the device; prepare a new one, also again after interrupted runs."""
    path = device["path"]
    if known:
        number = known["osd"]
    else:
        given = json.dumps({"cephx_secret": new_key()})
        number = json.loads(monitor.tell("osd new", given, uuid=name, format="json"))["osdid"]
    directory = f"{DIRECTORY}/ceph-{number}"
    if not served and not label(path) and os.path.isdir(directory):
        # Remaining files of an earlier daemon with this number would be used by this one.
        shutil.rmtree(directory)
    os.makedirs(directory, exist_ok=True)
    if device["size"] and not os.path.exists(path):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.truncate(size_of(device["size"]))
    shutil.chown(path, "ceph", "ceph")
    if not _leads(number, path):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(_link(number))
        os.symlink(path, _link(number))
    key = monitor.ask("auth get", entity=f"osd.{number}")[0]["key"]
    with open(
        os.open(f"{directory}/keyring", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii"
    ) as file:
        file.write(f"[osd.{number}]\n\tkey = {key}\n")
    for entry in (directory, *(f"{directory}/{one}" for one in os.listdir(directory))):
        shutil.chown(entry, "ceph", "ceph")
    run("systemctl", "stop", f"ceph-osd@{number}")
    ceph = ("--setuser", "ceph", "--setgroup", "ceph")
    if not served:
        run("ceph-osd", "-i", str(number), "--mkfs", "--osd-uuid", name, *ceph)
    elif not os.path.exists(f"{directory}/fsid"):
        run("ceph-bluestore-tool", "prime-osd-dir", "--dev", path, "--path", directory)
    # Fails for a unit that was never loaded.
    subprocess.run(["systemctl", "reset-failed", f"ceph-osd@{number}"], capture_output=True, check=False)
    run("systemctl", "enable", "--now", f"ceph-osd@{number}")
    _wait(number, monitor)


def _wait(number: int, monitor: Monitor) -> None:
    """Wait until the monitors report the daemon as up."""
    until = time.monotonic() + PATIENCE
    while not any(osd["osd"] == number and osd["up"] for osd in monitor.ask("osd dump")["osds"]):
        if time.monotonic() > until or not _is("active", number):
            raise Failed(f"osd.{number} does not come up: see journalctl -u ceph-osd@{number}")
        time.sleep(0.5)
