# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A cloud of one controller grows to three, its first one is removed, and a new one takes that one's place."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time

import pytest
from support import ROOT, ask, host

sys.path.insert(0, str(ROOT / "tests/faults"))
from load import PING, Call, Series, replies

FIRST = "controller1"
QUICK = [f"--extra-vars={option}" for option in ("verify_servers_min=1", "verify_servers_max=1", "verify_keep=false")]
# Seconds without a reply: the host with the server's active router is one of those that leave.
LONGEST = 15


@pytest.fixture(scope="module")
def pinged(playbooks, controller):
    """Ping the server that verify has kept; return how to get the replies until now."""
    assert shutil.which("ping"), "install the package iputils-ping"
    address = ask(controller, "lifecycle/scripts/kept.py")["address"]
    log = playbooks.scenario / "ping.log"
    with log.open("w", encoding="utf-8") as file:
        process = subprocess.Popen(["ping", "-D", "-n", "-i", str(PING), address], stdout=file)
    yield lambda: Series([Call(at, at) for at in replies(log.read_text().splitlines())], time.time())
    process.terminate()
    process.wait()


def settled(playbooks):
    """Run site.yml, which changes nothing the second time, and use the cloud."""
    playbooks.must("playbooks/site.yml")
    again = playbooks.must("playbooks/site.yml")
    assert again.changes == []
    playbooks.must("playbooks/verify.yml", *QUICK)


@pytest.mark.parametrize("rotation", [1, 2])
def test_keys_are_rotated(playbooks, rotation):
    """After two rotations none of the keys is one of the cloud's secrets: who joins needs those of the others."""
    host(playbooks, FIRST).check_output("cairn-keystone-keys rotate")


def test_one_becomes_three(playbooks, pinged):
    (playbooks.scenario / "grown").touch()
    settled(playbooks)


@pytest.mark.parametrize("command", ["cairn-galera status", "cairn-keystone-keys status", "cairn-rabbitmq replicas"])
def test_they_are_clusters(playbooks, command):
    host(playbooks, "controller3").check_output(command)


def test_the_first_one_leaves(playbooks, pinged):
    playbooks.must("playbooks/remove_node.yml", f"--extra-vars=host={FIRST}", f"--extra-vars=confirmed={FIRST}")


def test_a_new_one_takes_its_place(playbooks, pinged):
    settled(playbooks)


def test_the_server_responded_all_the_time(pinged, table):
    gap = pinged().gap()
    table("growth", "longest gap").add(f"{gap:.1f} s")
    assert gap < LONGEST
