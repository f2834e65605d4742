# Copyright (c) 2026 The Cairn authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Processes that outlive the Ansible task that started them."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time

from ansible_collections.cairn.openstack.plugins.module_utils.common.processes import alive
from ansible_collections.cairn.openstack.plugins.module_utils.testing.lab.run import LabError, read


def from_pid_file(path, mark):
    """Return the process of a pid file, if its command line still has the mark (PIDs are reused)."""
    text = read(path).strip()
    if not text.isdigit() or not alive(text):
        return None
    return int(text) if mark in read(f"/proc/{text}/cmdline").split("\0") else None


def start(argv, log, user=None, group=None):
    """Start a process in its own session, which continues when Ansible ends."""
    with open(log, "ab") as stream:
        try:
            return subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
                cwd="/",
                start_new_session=True,
                user=user,
                group=group,
                extra_groups=[] if user else None,
            )
        except FileNotFoundError as error:
            raise LabError(f"{argv[0]} is not installed on this computer") from error


def signal_all(pids, number):
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def wait_until(condition, seconds, step=0.05):
    """Return True as soon as the condition is met, False after the timeout."""
    end = time.monotonic() + seconds
    while True:
        if condition():
            return True
        if time.monotonic() >= end:
            return False
        time.sleep(step)


def end(pids, grace=5):
    """End processes by SIGTERM if there is time, then by SIGKILL."""
    for number, seconds in ((signal.SIGTERM, grace), (signal.SIGKILL, 10)):
        if not seconds:
            continue
        signal_all(pids, number)
        if wait_until(lambda: not any(alive(pid) for pid in pids), seconds):
            return
    raise LabError(f"these processes do not end: {' '.join(str(pid) for pid in pids if alive(pid))}")
