# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Runs that are broken off at points all over their way, each on hosts from a snapshot; the next run mends it."""

from __future__ import annotations

import time

import pytest
from fault_points import STARTS, break_off, points, power
from support import host, kill

QUICK = [f"--extra-vars={option}" for option in ("verify_servers_min=1", "verify_servers_max=1", "verify_junit=")]


def pytest_generate_tests(metafunc):
    """Draw the points; the cloud is used after the last that begins on the same hosts, and where hosts went away."""
    drawn = points(metafunc.config.getoption("seed"))
    last = {point.start: point for point in drawn}
    cases = [(point, point is last[point.start] or point.what != "killed") for point in drawn]
    metafunc.parametrize(("point", "used"), cases, ids=[str(point) for point in drawn])


class Starts:
    """Hosts as they are before a run, on its way and after it: snapshots, each made when it is first asked for."""

    def __init__(self, playbooks):
        self.playbooks = playbooks
        self.made = set()

    def restore(self, start):
        """Bring the hosts back to *start*."""
        if start not in self.made:
            self.make(start)
        power(self.playbooks, "killed")
        power(self.playbooks, "restored", snapshot=start)
        power(self.playbooks, "started")

    def make(self, start):
        """Make *start* out of the one before it."""
        if start == "bare":
            power(self.playbooks, "absent")
            self.playbooks.must("playbooks/lab_up.yml")
        else:
            before, task = STARTS[start]
            self.restore(before)
            if task:
                assert self.playbooks.broken_off(task, 0, kill), f"site.yml ended before {task}"
            else:
                self.playbooks.must("playbooks/site.yml")
        power(self.playbooks, "stopped")
        power(self.playbooks, "snapshotted", snapshot=start)
        self.made.add(start)


@pytest.fixture(scope="module")
def starts(playbooks):
    """Return what the runs begin on."""
    return Starts(playbooks)


def invocation(playbooks, groups, unit="glance-api"):
    """Return systemd's name for the process that a unit runs, of the first controller."""
    node = host(playbooks, groups["controller"][0])
    return node.check_output("systemctl show --property=InvocationID --value %s", unit)


def test_the_next_run_mends(playbooks, baseline, groups, starts, point, used, table, request):
    """After the run that was broken off another one converges, and leaves nothing to do, and nothing behind."""
    starts.restore(point.start)
    before = invocation(playbooks, groups)
    break_off(playbooks, point)
    began = time.monotonic()
    run = playbooks.must("playbooks/site.yml", *point.arguments)
    seconds = time.monotonic() - began
    if point.name == "restarts":
        assert invocation(playbooks, groups) != before, "the restart that the interrupted run required was not made"
    assert playbooks.must("tests/left_behind.yml").changes == []
    baseline.look("mended")
    assert playbooks.must("playbooks/site.yml", *point.arguments).changes == []
    assert baseline.differences("mended") == []
    if used:
        playbooks.must("playbooks/verify.yml", *QUICK)
    seed = request.config.getoption("seed")
    columns = ("phase", f"broken off (seed {seed})", "hosts had", "next run: s", "its changes", "verify")
    table("points", *columns).add(
        point.name, point.place, point.start, f"{seconds:.0f}", len(run.changes), "passed" if used else ""
    )
