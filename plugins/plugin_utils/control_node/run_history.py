# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The last runs: a file beside the lock, with a line of JSON for each run that has ended; plans leave none."""

from __future__ import annotations

import contextlib
import fcntl
import getpass
import json
import os
import time
from collections.abc import Collection
from typing import Any

from ansible_collections.cairn.openstack.plugins.plugin_utils.control_node import run_changes
from ansible_collections.cairn.openstack.plugins.plugin_utils.control_node.run_record import Run

FILE = "runs.jsonl"
KEEP = 100
# What a line has, with the types.
KEYS: dict[str, Any] = {
    "time": (int, float),
    "user": str,
    "playbook": str,
    "seconds": (int, float),
    "hosts": int,
    "counts": dict,
    "failed": list,
    "unreachable": list,
    "refused": int,
}


def entry(
    run: Run, first: int, failed: Collection[str], unreachable: Collection[str], refused: int = 0
) -> dict[str, Any]:
    """Return the line of a playbook that has ended now: who ran it on how many hosts, and what came of it.

    :param first: the index of its first phase; earlier ones are those of other playbooks of the same command.
    :param failed: the hosts that failed, in any of the playbooks.
    :param unreachable: the hosts that did not answer, in any of the playbooks.
    :param refused: the number of errors for which preflight has refused it, which are no failure of the host that the
        task ran for.
    """
    phases = run.phases[first:]
    hosts = {host for phase in phases for host in phase.hosts}
    return {
        "time": round(time.time()),
        "user": getpass.getuser(),
        "playbook": run.playbook,
        "seconds": round(time.monotonic() - phases[0].began, 1) if phases else 0,
        "hosts": len(hosts),
        "counts": run_changes.counts((host, change) for phase in phases for host, _step, change in phase.changes),
        "failed": [] if refused else sorted(hosts.intersection(failed)),
        "unreachable": sorted(hosts.intersection(unreachable)),
        "refused": refused,
    }


def read(directory: str) -> list[dict[str, Any]]:
    """Return the last runs of the cloud whose secrets are in *directory*, the newest first."""
    found = []
    path = os.path.join(directory, FILE)
    with contextlib.suppress(OSError), open(path, encoding="utf-8", errors="replace") as file:
        for line in file:
            # A line may be cut off, as after a full disk, or be that of someone's editor.
            with contextlib.suppress(ValueError, RecursionError):
                one = json.loads(line)
                if not isinstance(one, dict):
                    continue
                # Lines of earlier versions do not have it.
                one.setdefault("refused", 0)
                if all(isinstance(one.get(key), kind) for key, kind in KEYS.items()):
                    found.append(one)
    return found[::-1]


def add(directory: str, one: dict[str, Any]) -> None:
    """Add a run, and forget the oldest ones.

    A refused run does not have the lock of *directory*, so each waits for the other one here.

    :raises OSError: the directory is not writable.
    """
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        # NFS has no locks of directories; there, the last one of two at the same moment wins.
        with contextlib.suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX)
        _add(directory, one)
    finally:
        os.close(handle)


def _add(directory: str, one: dict[str, Any]) -> None:
    lines = [json.dumps(each) + "\n" for each in [one, *read(directory)][:KEEP]]
    path = os.path.join(directory, FILE)
    with open(os.open(f"{path}.new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.writelines(reversed(lines))
    os.replace(f"{path}.new", path)
