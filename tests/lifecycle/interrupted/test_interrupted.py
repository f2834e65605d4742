# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A run that dies leaves nothing that the next one can't mend.

On bare hosts: the runs are killed one after the other on their way, and what follows (molecule's converge, verify and
the baseline) is the proof.
"""

from __future__ import annotations

import pytest
from fault_points import OPTION, break_off, on_the_way
from support import kill


def pytest_generate_tests(metafunc):
    """Draw the points."""
    if "point" in metafunc.fixturenames:
        points = on_the_way(metafunc.config.getoption("seed"))
        # What listens for secrets on command lines would hear nothing after a loss of power.
        marks = {"power lost": pytest.mark.long}
        metafunc.parametrize("point", [pytest.param(one, marks=marks.get(one.what, ())) for one in points], ids=str)


def test_killed_in(playbooks, point):
    """The run gets as far as the point, over what the one before has left, and is broken off there."""
    break_off(playbooks, point)


@pytest.mark.long
def test_the_next_run_repairs(playbooks):
    """A run after all that converges, and services may be started by their packages again."""
    playbooks.must("playbooks/site.yml")
    left = playbooks.must("tests/left_behind.yml")
    assert left.changes == []


@pytest.mark.long
def test_killed_in_restarts(playbooks, baseline):
    """A run that dies between a changed file and the restart owes the restart, and the next run pays it."""
    assert playbooks.broken_off("Group hosts that need a restart", 0, kill, OPTION)
    paid = playbooks.must("playbooks/site.yml", OPTION)
    assert any("glance-api" in line for line in paid.changes), paid.changes
    baseline.look("paid")
    again = playbooks.must("playbooks/site.yml", OPTION)
    assert again.changes == []
    assert baseline.differences("paid") == []
