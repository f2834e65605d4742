# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The points at which runs are broken off follow from a seed, lie in every phase, and in tasks that there are."""

from __future__ import annotations

import pytest
import yaml
from fault_points import PHASES, STARTS, on_the_way, points


@pytest.mark.parametrize("draw", [points, on_the_way])
def test_a_seed_draws_the_same_again(draw):
    assert draw(1) == draw(1)
    assert draw(1) != draw(2)


def test_every_phase_and_two_losses_of_hosts():
    drawn = points(1)
    assert sorted(point.name for point in drawn if point.what == "killed") == sorted(PHASES)
    assert sorted(point.what for point in drawn if point.what != "killed") == ["power lost", "rebooted"]
    assert len(drawn) == len(PHASES) + 2 == 12


def flat(tasks):
    """Yield tasks, and those of blocks."""
    for task in tasks:
        yield task
        for part in ("block", "rescue", "always"):
            yield from flat(task.get(part, ()))


def test_their_tasks_are_there(root):
    files = root.glob("roles/*/tasks/*.yml")
    names = {task["name"] for path in files for task in flat(yaml.safe_load(path.read_text()))}
    wanted = {task for phase in PHASES.values() for task in phase.tasks} | {task for _start, task in STARTS.values()}
    assert wanted - names == {None}
