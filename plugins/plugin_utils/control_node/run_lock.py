# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One run at a time: a lock in the secrets folder that the kernel lets go when the run ends, however it ends.

Actions run in processes that end with their task, and Ansible's own process runs none of our code. So the lock is held
by a watcher that the first task leaves behind: it sleeps until Ansible's process is gone.
"""

from __future__ import annotations

import contextlib
import fcntl
import getpass
import json
import os
import socket
import subprocess
import sys
import time

FILE = "run.lock"
# How long a run that was killed a moment ago may still seem to hold it.
_PATIENCE = 2.0
_WATCH = """
import os, select, sys, time
run = int(sys.argv[1])
try:
    poll = select.poll()
    poll.register(os.pidfd_open(run), select.POLLIN)
    poll.poll()
except (AttributeError, OSError):  # a system without such descriptors, or the run is gone
    while True:
        try:
            os.kill(run, 0)
        except OSError:
            break
        time.sleep(1)
"""


def _holder(handle: int) -> dict:
    """Return what the file says of who holds the lock, nothing where it is only being written."""
    with contextlib.suppress(ValueError):
        return json.loads(os.pread(handle, 4096, 0))
    return {}


def _locked(handle: int, patience: float) -> bool:
    """Try to get the lock for *patience* seconds."""
    until = time.monotonic() + patience
    while True:
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        if time.monotonic() >= until:
            return False
        time.sleep(0.1)


def take(folder: str, run: int) -> str | None:
    """Take the lock of *folder* for the process *run* until that ends.

    :returns: None, or who has it.
    :raises OSError: the folder can't be written.
    """
    os.makedirs(folder, mode=0o700, exist_ok=True)
    handle = os.open(os.path.join(folder, FILE), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        mine = {"user": getpass.getuser(), "machine": socket.gethostname(), "process": run}
        # A playbook that imports another comes here twice.
        if not _locked(handle, 0):
            holder = _holder(handle)
            if {key: holder.get(key) for key in mine} == mine:
                return None
            if not _locked(handle, _PATIENCE):
                return words(_holder(handle))
        os.ftruncate(handle, 0)
        os.pwrite(handle, json.dumps({**mine, "since": time.strftime("%Y-%m-%d %H:%M:%S %z")}).encode(), 0)
        subprocess.Popen(
            [sys.executable, "-I", "-c", _WATCH, str(run)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            pass_fds=[handle],
            start_new_session=True,
        )
        return None
    finally:
        # The watcher has a copy, and the lock goes with the last one.
        os.close(handle)


def held(folder: str) -> str | None:
    """Return who has the lock of *folder*, None where nobody has; leaves no trace."""
    try:
        handle = os.open(os.path.join(folder, FILE), os.O_RDONLY)
    except OSError:
        return None
    try:
        return None if _locked(handle, 0) else words(_holder(handle))
    finally:
        os.close(handle)


def words(holder: dict) -> str:
    """Say who holds the lock."""
    if not holder:
        return "another run"
    return f"a run of {holder['user']} on {holder['machine']} since {holder['since']}, process {holder['process']}"
