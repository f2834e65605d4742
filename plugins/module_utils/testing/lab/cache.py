# Copyright (c) 2026 The Cairn authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The lab's own apt-cacher-ng, so that N hosts download once."""

from __future__ import annotations

import os
import pwd
import shutil
import socket

from ansible_collections.cairn.openstack.plugins.module_utils.testing.lab import process
from ansible_collections.cairn.openstack.plugins.module_utils.testing.lab.run import LabError, read, write

PROGRAM = "apt-cacher-ng"


def configuration(lab, address, port, upstream):
    """No Remap lines: they would send requests to back ends that the package guesses."""
    lines = [
        f"CacheDir: {lab.path('cache', 'packages')}",
        f"LogDir: {lab.path('logs', PROGRAM)}",
        "SupportDir: /usr/lib/apt-cacher-ng",
        f"BindAddress: {address}",
        f"Port: {port}",
        f"PidFile: {lab.path('cache', 'pid')}",
        "ReportPage:",
        # Packages of an older base are still useful: lab_purge empties the cache.
        "ExThreshold: 365",
    ]
    return "\n".join(lines + ([f"Proxy: {upstream}"] if upstream else [])) + "\n"


def _folder(lab):
    return lab.path("cache", "conf")


def pid(lab):
    return process.from_pid_file(lab.path("cache", "pid"), _folder(lab))


def _speaks(address, port):
    try:
        with socket.create_connection((address, port), timeout=1):
            return True
    except OSError:
        return False


def current(lab):
    return {"running": pid(lab) is not None, "configuration": read(os.path.join(_folder(lab), "acng.conf"))}


def wanted(lab, state, before, params):
    if state == "absent":
        return {"running": False, "configuration": before["configuration"]}
    return {"running": True, "configuration": configuration(lab, params["address"], params["port"], params["upstream"])}


def start(lab, after, params):
    """Start it with the wanted configuration; restart it if that has changed."""
    stop(lab)
    if _speaks(params["address"], params["port"]):
        raise LabError(f"something else listens on {params['address']}:{params['port']}: choose another lab_cache_port")
    if not shutil.which(PROGRAM):
        raise LabError(f"{PROGRAM} is not installed on this computer")
    owner = pwd.getpwnam(PROGRAM)
    for path in (lab.path("cache"), lab.path("cache", "packages"), lab.path("logs", PROGRAM)):
        os.makedirs(path, exist_ok=True)
        os.chown(path, owner.pw_uid, owner.pw_gid)
    os.makedirs(_folder(lab), exist_ok=True)
    write(os.path.join(_folder(lab), "acng.conf"), after["configuration"])
    log = lab.path("logs", "apt-cacher-ng.log")
    process.start([PROGRAM, "-c", _folder(lab)], log, user=owner.pw_uid, group=owner.pw_gid)
    if not process.wait_until(lambda: pid(lab) is not None and _speaks(params["address"], params["port"]), 10):
        raise LabError(f"{PROGRAM} did not start; {log} ends: {read(log)[-1000:]}")


def stop(lab):
    running = pid(lab)
    if running is not None:
        process.end([running])
