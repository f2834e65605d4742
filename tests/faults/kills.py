#!/usr/bin/env python3
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Kills site.yml at random moments while it changes options of seven services, and shows what the next run makes of it.

usage: tests/faults/kills.py [--kills N] [--seed N] [--seconds N] INVENTORY

Each run is killed at a random second of its way, what it has started on the hosts goes on; the next one begins over
what it has left, with other values. Then site.yml runs to its end, and once more. Exit status: 0 if the first of these
ends well and the second has nothing to do, and the cloud is whole.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from rounds import ROOT, Lab
from support import Playbooks, kill


def options(number: int) -> str:
    """Return an option of each of seven services, with values that no other *number* has."""
    value = str(900 + number)
    config = {
        "mariadb": {"cairn.cnf": {"mariadbd": {"wait_timeout": f"28{value}"}}},
        "keystone": {"keystone.conf": {"DEFAULT": {"list_limit": value}}},
        "glance": {"glance-api.conf": {"DEFAULT": {"api_limit_max": value}}},
        "placement": {"placement.conf": {"placement": {"allocation_conflict_retry_count": value}}},
        "nova": {"nova.conf": {"DEFAULT": {"reclaim_instance_interval": value}}},
        "neutron": {"neutron.conf": {"DEFAULT": {"pagination_max_limit": value}}},
        "cinder": {"cinder.conf": {"DEFAULT": {"osapi_max_limit": value}}},
    }
    return "--extra-vars=" + json.dumps({"cloud_config_kills": config})


def killed(playbooks: Playbooks, number: int, seconds: float) -> str:
    """Run site.yml and kill it after *seconds*; return the task that it was at, empty if it had ended."""
    process = subprocess.Popen(
        [*playbooks.command("playbooks/site.yml", options(number))],
        cwd=ROOT,
        env=playbooks.environment(ANSIBLE_STDOUT_CALLBACK="default", PYTHONUNBUFFERED="1"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    time.sleep(seconds)
    on_its_way = process.poll() is None
    kill(process)
    lines = [line for line in process.stdout.read().splitlines() if line.startswith("TASK")]
    process.wait()
    return lines[-1].partition("[")[2].partition("]")[0] if on_its_way and lines else ""


def main() -> int:
    """Kill the runs, and print where each was."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("inventory", type=Path)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=int, default=110, help="the latest second of a run to kill it at")
    given = parser.parse_args()
    playbooks, draw = Playbooks(given.inventory.resolve()), random.Random(given.seed)
    for number in range(1, given.kills + 1):
        seconds = draw.uniform(3, given.seconds)
        task = killed(playbooks, number, seconds) or "nothing: it had ended"
        print(f"{number}: after {seconds:.0f} s in {task}", flush=True)
    began = time.monotonic()
    playbooks.must("playbooks/site.yml", options(given.kills))
    print(f"the run after them: {time.monotonic() - began:.0f} s", flush=True)
    again = playbooks.must("playbooks/site.yml", options(given.kills))
    whole = Lab(playbooks).incomplete()
    print(f"once more: {len(again.changes)} changes; {whole or 'whole'}")
    return 1 if again.changes or whole else 0


if __name__ == "__main__":
    sys.exit(main())
