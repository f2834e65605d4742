# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The last runs: a file beside the lock, with a line of JSON for each run that has ended; plans leave none."""

from __future__ import annotations

import contextlib
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
}


def entry(run: Run, first: int, failed: Collection[str], unreachable: Collection[str]) -> dict[str, Any]:
    """Return the line of a playbook that has ended now: who ran it on how many hosts, and what came of it.

    :param first: the index of its first phase; earlier ones are those of other playbooks of the same command.
    :param failed: the hosts that failed, in any of the playbooks.
    :param unreachable: the hosts that did not answer, in any of the playbooks.
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
        "failed": sorted(hosts.intersection(failed)),
        "unreachable": sorted(hosts.intersection(unreachable)),
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
                if isinstance(one, dict) and all(isinstance(one.get(key), kind) for key, kind in KEYS.items()):
                    found.append(one)
    return found[::-1]


def add(directory: str, one: dict[str, Any]) -> None:
    """Add a run, and forget the oldest ones; only the run that has the lock of *directory* does so.

    :raises OSError: the directory is not writable.
    """
    lines = [json.dumps(each) + "\n" for each in [one, *read(directory)][:KEEP]]
    path = os.path.join(directory, FILE)
    with open(os.open(f"{path}.new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.writelines(reversed(lines))
    os.replace(f"{path}.new", path)
