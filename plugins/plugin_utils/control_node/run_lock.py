# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One run at a time: a lock in the secrets directory, which the kernel releases when the run ends for any reason.

Actions run in processes that end with their task, and no code of the collection runs in Ansible's main process. So the
lock is held by a watcher process that the first task starts: it waits until Ansible's main process has ended.
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
# Seconds in which a run that was just killed may still hold the lock.
_PATIENCE = 2.0
_WATCH = """
import os, select, sys, time
run = int(sys.argv[1])
try:
    poll = select.poll()
    poll.register(os.pidfd_open(run), select.POLLIN)
    poll.poll()
except (AttributeError, OSError):  # a system without such descriptors, or the run has ended
    while True:
        try:
            os.kill(run, 0)
        except OSError:
            break
        time.sleep(1)
"""


def _holder(handle: int) -> dict:
    """Return the holder of the lock from the file, empty while it is being written."""
    with contextlib.suppress(ValueError):
        return json.loads(os.pread(handle, 4096, 0))
    return {}


def _locked(handle: int, patience: float) -> bool:
    """Try for *patience* seconds to acquire the lock."""
    until = time.monotonic() + patience
    while True:
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        if time.monotonic() >= until:
            return False
        time.sleep(0.1)


def take(directory: str, run: int) -> str | None:
    """Acquire the lock of *directory* for the process *run* until it ends.

    :returns: None, or the holder.
    :raises OSError: the directory is not writable.
    """
    os.makedirs(directory, mode=0o700, exist_ok=True)
    handle = os.open(os.path.join(directory, FILE), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        mine = {"user": getpass.getuser(), "host": socket.gethostname(), "process": run}
        # A playbook that imports another one does this twice.
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
        # The watcher has a copy; the lock is released with the last one.
        os.close(handle)


def held(directory: str) -> str | None:
    """Return the holder of the lock of *directory*, or None; creates no file."""
    try:
        handle = os.open(os.path.join(directory, FILE), os.O_RDONLY)
    except OSError:
        return None
    try:
        return None if _locked(handle, 0) else words(_holder(handle))
    finally:
        os.close(handle)


def last(directory: str) -> dict:
    """Return the holder of the last run that took the lock of *directory*, empty if there was none."""
    try:
        handle = os.open(os.path.join(directory, FILE), os.O_RDONLY)
    except OSError:
        return {}
    try:
        return _holder(handle)
    finally:
        os.close(handle)


def words(holder: dict) -> str:
    """Describe the holder of the lock."""
    if not holder:
        return "another run"
    return f"a run of {holder['user']} on {holder['host']} since {holder['since']}, process {holder['process']}"
