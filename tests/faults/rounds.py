#!/usr/bin/env python3
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Breaks controllers of a lab under load, round by round, and prints what clients notice.

usage: tests/faults/rounds.py [--rounds N] [--seed N] [--kind KIND …] INVENTORY
       tests/faults/rounds.py --playbook PLAYBOOK [--extra-vars VARS] INVENTORY

With a playbook, nothing is broken: it runs under load, and what clients notice of it is printed.

Kinds of rounds: one (a random controller loses power), address (the one with the cloud's address), writer (the one
whose database server takes all writes), most (two, one after the other, so that the last one loses its majority), all
(all controllers at once), destroyed (all, and one has lost the state file
of its database), frozen (one stops, but is not dead), cut (one without cables), isolated (one whose switch is broken),
two (two of these at the same time, so that no controller is in a majority). Exit status: 0 if each round ended whole,
lost no write, and none was acknowledged without a majority.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE), str(HERE.parent)]

from load import Cloud, Load
from support import Playbooks, host, node_groups

KINDS = ("one", "address", "writer", "most", "all", "destroyed", "frozen", "cut", "isolated", "two")
# Kind → the state of the hosts, if they do not lose their power.
STATES = {"frozen": "frozen", "cut": "cut", "isolated": "isolated", "two": "isolated"}
LAB = Path("/var/lib/cairn-lab")
# Seconds until a round must be whole again, a host stays off, and between two looks.
WHOLE, OFF, LOOK = 600, 20, 2
# Servers that are named of those that are down.
NAMED = 6
# Seconds of a gap whose calls are printed.
LONG = 8
# Seconds until the members of the database know that they are no majority: Galera's inactive_timeout, and some.
MINORITY = 18


class Lab:
    """The controllers of an inventory's lab."""

    def __init__(self, playbooks: Playbooks) -> None:
        self.playbooks = playbooks
        self.controllers = node_groups(playbooks)["controller"]
        self.address = self.variable("cloud_internal_address")

    def variable(self, name: str) -> str:
        """Return a variable of the first controller."""
        words = ["ansible-inventory", f"--inventory={self.playbooks.inventory}", "--host", self.controllers[0]]
        said = subprocess.run(words, env=self.playbooks.environment(), capture_output=True, text=True, check=True)
        return json.loads(said.stdout)[name]

    def ssh(self, name: str, command: str) -> str | None:
        """Return what a command of root prints; None if it fails, or the host does not respond."""
        try:
            said = host(self.playbooks, name).run(command)
        except RuntimeError:
            return None
        return said.stdout if said.rc == 0 else None

    def set(self, hosts: list[str], state: str) -> None:
        """Change the state of hosts."""
        self.playbooks.must(
            "playbooks/lab_host.yml", f"--extra-vars=host={','.join(hosts)}", f"--extra-vars=state={state}"
        )

    def with_address(self) -> str | None:
        """Return the controller that has the cloud's address."""
        for name in self.controllers:
            if self.ssh(name, f'ip -o address show | grep -F " {self.address}/"'):
                return name
        return None

    def writer(self) -> str | None:
        """Return the controller whose database server takes the writes."""
        if not (holder := self.with_address()):
            return None
        lines = self.ssh(holder, "echo show stat | socat - /run/haproxy/admin.sock | grep ^mariadb,") or ""
        rows = [line.split(",") for line in lines.splitlines()]
        # the fifth column: current sessions
        servers = [(int(row[4] or 0), row[1]) for row in rows if row[1] in self.controllers]
        return max(servers)[1] if servers else None

    def incomplete(self) -> str:
        """Return what is not whole; empty if all services run, and the database and the queue have all members.

        What costs the controllers much time of their processors is asked when all else is whole.
        """
        if not (holder := self.with_address()):
            return "no controller has the address"
        lines = self.ssh(holder, "echo show stat | socat - /run/haproxy/admin.sock") or ""
        rows = (line.split(",") for line in lines.splitlines())
        # the eighteenth column: the status
        down = ["/".join(row[:2]) for row in rows if len(row) > 17 and row[17].startswith("DOWN")]
        if down:
            more = f" and {len(down) - NAMED} more" if len(down) > NAMED else ""
            return f"down for the load balancer: {', '.join(down[:NAMED])}{more}"
        for name in self.controllers:
            # Units that systemd has yet to start at boot.
            if jobs := self.ssh(name, "systemctl list-jobs --no-legend --plain"):
                return f"to start on {name}: {', '.join(line.split()[1] for line in jobs.splitlines())}"
        for name in self.controllers:
            if self.ssh(name, "etcdctl endpoint health") is None:
                return f"etcd on {name}"
        nodes = self.ssh(self.controllers[0], "rabbitmqctl -q --formatter json cluster_status")
        running = json.loads(nodes)["running_nodes"] if nodes else []
        if len(running) < len(self.controllers):
            return f"queue: {', '.join(running)}"
        for name in self.controllers:
            if self.ssh(name, "cairn-galera status >/dev/null") is None:
                return f"database on {name}"
        return ""

    def destroy_state(self, name: str) -> None:
        """Overwrite the state file of the database of a host that is off."""
        root = LAB / "hosts" / name / "upper/var/lib/mysql/grastate.dat"
        root.write_bytes(b"\0" * 64)

    def until_whole(self) -> float | None:
        """Return the seconds until all is whole; None if that takes too long."""
        began, told = time.monotonic(), ""
        while why := self.incomplete():
            if why != told:
                told = why
                print(f"    {time.monotonic() - began:.0f} s after the start: {why}", flush=True)
            if time.monotonic() - began > WHOLE:
                print(f"    not whole: {why}")
                return None
            time.sleep(LOOK)
        return time.monotonic() - began


@dataclass
class Outcome:
    """What came of a round: seconds until all was whole after the start (None: never), and what clients noticed."""

    kind: str
    broken: str
    whole: float | None
    gaps: dict[str, float]
    failures: dict[str, list[str]]
    written: int
    lost: list[str]
    minority: int = 0
    slow: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Whether all is whole again, and every write was right."""
        return self.whole is not None and bool(self.written) and not self.lost and not self.minority

    @property
    def longest(self) -> str:
        """The longest time without a successful call, and of which probe."""
        name = max(self.gaps, key=lambda one: self.gaps[one])
        return f"{self.gaps[name]:.1f} s ({name})"


def chosen_hosts(lab: Lab, kind: str, random_: random.Random) -> list[str]:
    """Return the controllers that a round of this *kind* breaks."""
    if kind in ("all", "destroyed"):
        return lab.controllers
    if kind in ("two", "most"):
        return random_.sample(lab.controllers, 2)
    named = {"address": lab.with_address, "writer": lab.writer}.get(kind)
    return [(named() if named else None) or random_.choice(lab.controllers)]


def play(lab: Lab, cloud: Cloud, kind: str, random_: random.Random, ping: str | None = None) -> Outcome:
    """Break something under load, and mend it."""
    hosts = chosen_hosts(lab, kind, random_)
    with Load(cloud, ping) as load:
        time.sleep(5)
        since = time.time()
        if kind == "most":
            lab.set(hosts[:1], "killed")
            time.sleep(OFF)
        lab.set(hosts[-1:] if kind == "most" else hosts, STATES.get(kind, "killed"))
        broken = time.time()
        if kind == "destroyed":
            lab.destroy_state(random_.choice(hosts))
        # Long enough for all others to notice, unless there are none.
        time.sleep(5 if kind in ("all", "destroyed") else 2 * OFF if kind == "two" else OFF)
        mended = time.time()
        lab.set(hosts, "joined" if STATES.get(kind, "frozen") != "frozen" else "started")
        whole = lab.until_whole()
        time.sleep(3)
    failures = {
        name: [f"+{call.began - since:.1f} s, {call.ended - call.began:.1f} s: {call.error[:150]}" for call in found]
        for name, series in load.series.items()
        if (found := series.failures(since))
    }
    gaps = {name: round(series.gap(since), 1) for name, series in load.series.items()}
    lost = load.lost()
    load.clean()
    outcome = Outcome(kind, ", ".join(hosts), whole, gaps, failures, len(load.created), lost)
    for name, series in load.series.items():
        gap, began = series.longest(since)
        if gap > LONG and name != "ping":
            calls = [call for call in series.calls if began < call.ended <= began + gap]
            # The last ones; all others have failed.
            calls = calls[-5:]
            times = "; ".join(f"+{call.began - broken:.1f} s for {call.ended - call.began:.1f} s" for call in calls)
            outcome.slow.append(f"{name}: {gap:.1f} s without an answer, calls since the break: {times}")
    if kind == "two":
        writes = load.series["write"].calls
        outcome.minority = sum(not call.error and broken + MINORITY < call.began < mended for call in writes)
    return outcome


def run(lab: Lab, cloud: Cloud, playbook: str, options: list[str], ping: str | None) -> int:
    """Run a playbook under load, and print the share of failed calls."""
    with Load(cloud, ping) as load:
        time.sleep(5)
        since = time.time()
        lab.playbooks.must(playbook, *options)
        seconds = time.time() - since
        time.sleep(3)
    calls = [call for name, series in load.series.items() if name != "ping" for call in series.calls]
    failed = [call for call in calls if call.error]
    lost = load.lost()
    load.clean()
    longest = {name: series.longest(since) for name, series in load.series.items()}
    gaps = {name: f"{gap:.1f} at +{began - since:.0f}" for name, (gap, began) in longest.items()}
    print(
        f"{playbook}: {seconds:.0f} s, {len(calls)} calls, {len(failed)} failed, lost {len(lost)}; longest gaps {gaps}"
    )
    for call in failed:
        print(f"    +{call.began - since:.1f} s, {call.ended - call.began:.1f} s: {call.error[:150]}")
    return 1 if lost else 0


def main() -> int:
    """Run the rounds, and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("inventory", type=Path)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kind", action="append", choices=KINDS)
    parser.add_argument("--ping", help="the floating IP address of a server")
    parser.add_argument("--playbook", help="run it under load, instead of rounds")
    parser.add_argument("--extra-vars", action="append", default=[], help="for the playbook")
    given = parser.parse_args()
    lab, random_ = Lab(Playbooks(given.inventory.resolve())), random.Random(given.seed)
    cloud = Cloud(given.inventory / ".secrets/clouds.yaml", "cairn", lab.address)
    if given.playbook:
        return run(lab, cloud, given.playbook, [f"--extra-vars={one}" for one in given.extra_vars], given.ping)
    failed = False
    for number in range(given.rounds):
        kind = (given.kind or ["one"])[number % len(given.kind or ["one"])]
        one = play(lab, cloud, kind, random_, given.ping)
        failed |= not one.passed
        print(
            f"{number + 1} {kind}: {one.broken}; longest gap {one.longest}; "
            f"whole {'never' if one.whole is None else f'{one.whole:.0f} s after the start'}; "
            f"writes acknowledged {one.written}, lost {len(one.lost)}, without a majority {one.minority}\n"
            f"    gaps {one.gaps}",
            flush=True,
        )
        for name, found in one.failures.items():
            print(f"    {name}: {len(found)} failed; {found[0]}")
        for line in one.slow:
            print(f"    {line}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
