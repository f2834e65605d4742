# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Removal of what services leave behind besides packages and files: guests, namespaces, bridges, directories."""

from __future__ import annotations

import glob
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator

from ansible_collections.cairn.openstack.plugins.module_utils.common.changes import returned
from ansible_collections.cairn.openstack.plugins.module_utils.common.processes import alive

# Directories that a definition may never remove.
_NEVER = {"", "/", "/etc", "/home", "/root", "/usr", "/var", "/var/lib", "/var/log"}
_MOUNTS = "/proc/self/mounts"


class CleanupError(Exception):
    """An object could not be removed; the message names it."""


def run(*command: str) -> str:
    """Run *command* and return its output.

    :raises CleanupError: it failed; with its error output.
    """
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CleanupError(f"{' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def end(pids: list[int], seconds: float = 20) -> None:
    """End processes by SIGTERM, then by SIGKILL."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid in pids:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue
        until = time.monotonic() + seconds
        while pids and time.monotonic() < until:
            pids = [pid for pid in pids if alive(pid)]
            time.sleep(0.1)
        if not pids:
            return
    raise CleanupError(f"processes {pids} cannot be ended")


def guests(prefix: str) -> dict[str, int]:
    """Return the process of each guest whose libvirt name starts with *prefix*.

    Found by QEMU's command line, so that they are also found without libvirtd.
    """
    found = {}
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                words = file.read().split("\0")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if "qemu" not in os.path.basename(words[0]) or "-name" not in words[:-1]:
            continue
        name = words[words.index("-name") + 1].partition(",")[0].removeprefix("guest=")
        if name.startswith(prefix):
            found[name] = int(path.split("/")[2])
    return found


def namespaces(prefixes: list[str]) -> list[str]:
    """Return the network namespaces whose names start with one of *prefixes*."""
    names = os.listdir("/run/netns") if os.path.isdir("/run/netns") else []
    return sorted(name for name in names if name.startswith(tuple(prefixes)))


def drop_namespace(name: str) -> None:
    """End the processes in a network namespace, and remove it."""
    end([int(pid) for pid in run("ip", "netns", "pids", name).split()])
    run("ip", "netns", "delete", name)


def bridges(names: list[str]) -> list[str]:
    """Return those of *names* that are Open vSwitch bridges; none if it does not respond."""
    if not shutil.which("ovs-vsctl"):
        return []
    said = subprocess.run(
        ["ovs-vsctl", "--timeout=10", "list-br"], capture_output=True, text=True, check=False
    ).stdout.split()
    return [name for name in names if name in said]


def drop_bridge(name: str) -> None:
    """Remove an Open vSwitch bridge."""
    run("ovs-vsctl", "--timeout=30", "del-br", name)


def directories(paths: list[str]) -> list[str]:
    """Return those of *paths* that exist.

    :raises CleanupError: one of them does not belong to a service.
    """
    for path in paths:
        if os.path.normpath(path) in _NEVER or not os.path.isabs(path):
            raise CleanupError(f"{path!r} is not the directory of a service: nothing was removed")
    return [path for path in paths if os.path.lexists(path)]


def owned(path: str, going: list[str]) -> bool:
    """Whether *path* belongs to an installed package other than *going*."""
    said = subprocess.run(["dpkg-query", "--search", path], capture_output=True, text=True, check=False).stdout
    owners = {
        name.strip().partition(":")[0]
        for line in said.splitlines()
        if line.endswith(f": {path}")
        for name in line.removesuffix(f": {path}").split(",")
    }
    return bool(owners - set(going))


def drop_directory(path: str) -> None:
    """Remove a directory, or a link in its place, but nothing in a file system that is mounted in it."""
    if os.path.islink(path) or not os.path.isdir(path):
        os.unlink(path)
        return
    with open(_MOUNTS, encoding="utf-8") as file:
        mounted = [line.split()[1] for line in file]
    inside = [mount for mount in mounted if mount == path or mount.startswith(f"{path}/")]
    if inside:
        raise CleanupError(f"{path}: {', '.join(inside)} is mounted there; unmount it first")
    shutil.rmtree(path)


def found(params: dict) -> Iterator[tuple[dict[str, str], Callable[[], None]]]:
    """Yield the existing objects of *params*: their removal as a change, and the function that removes them."""
    if params["guests"]:
        for name, pid in sorted(guests(params["guests"]).items()):
            yield returned("guest", "end", name), lambda pid=pid: end([pid])
    for name in namespaces(params["namespaces"]):
        yield returned("network namespace", "remove", name), lambda name=name: drop_namespace(name)
    for name in bridges(params["bridges"]):
        yield returned("bridge", "remove", name), lambda name=name: drop_bridge(name)
    for path in directories(params["directories"]):
        if owned(path, params["packages"]):
            continue
        yield returned("directory", "remove", path), lambda path=path: drop_directory(path)
