# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The last runs: a file beside the lock, with a line of JSON for each run that has ended; plans leave none."""

from __future__ import annotations

import contextlib
import getpass
import json
import os
import time
from typing import Any

from ansible_collections.cairn.openstack.plugins.plugin_utils.control_node.run_record import Run

FILE = "runs.jsonl"
KEEP = 100


def entry(run: Run, hosts: int, failed: list[str], unreachable: list[str]) -> dict[str, Any]:
    """Return the line of a run that has ended now: who ran what on how many hosts, and what came of it."""
    document = run.document()
    return {
        "time": round(time.time()),
        "user": getpass.getuser(),
        "playbook": run.playbook,
        "seconds": round(run.seconds, 1),
        "hosts": hosts,
        "changed": sorted({host for host, _change in run.changes}),
        "counts": document["counts"],
        "failed": failed,
        "unreachable": unreachable,
    }


def read(directory: str) -> list[dict[str, Any]]:
    """Return the last runs of the cloud whose secrets are in *directory*, the newest first."""
    found = []
    with contextlib.suppress(OSError), open(os.path.join(directory, FILE), encoding="utf-8") as file:
        for line in file:
            # A line may be cut off, as after a full disk.
            with contextlib.suppress(ValueError):
                found.append(json.loads(line))
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
