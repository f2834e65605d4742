# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Runs units only on the host that has an address: of several controllers, on the one with the cloud's.

Written by Cairn. Usage: cairn-address-units ADDRESS UNIT...

They start in this order, and stop in the opposite one. If this program ends, they stay as they are.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time

# Seconds between two looks.
ROUND = 2
STOPPED = ("inactive", "failed")


def here(address: str) -> bool:
    """Return whether this host has the address."""
    command = ["ip", "-json", "address", "show", "to", address]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return any(link for link in json.loads(done.stdout or "[]"))


def states(units: list[str]) -> dict[str, str]:
    """Return the state of each unit, such as active."""
    done = subprocess.run(["systemctl", "is-active", *units], capture_output=True, text=True, check=False)
    return dict(zip(units, done.stdout.split(), strict=True))


def settle(address: str, units: list[str]) -> None:
    """Start what does not run on the host with the address, or stop what runs on another."""
    wanted, found = here(address), states(units)
    if wanted:
        late = [unit for unit in units if found[unit] in STOPPED]
        commands = [["start", "--no-block", *late]] if late else []
    else:
        commands = [["stop", unit] for unit in reversed(units) if found[unit] not in STOPPED]
    for command in commands:
        print("systemctl", *command, flush=True)
        subprocess.run(["systemctl", *command], check=False)


def main(address: str, *units: str) -> None:
    """Look again and again."""
    while True:
        settle(address, list(units))
        time.sleep(ROUND)


if __name__ == "__main__":
    main(*sys.argv[1:])
