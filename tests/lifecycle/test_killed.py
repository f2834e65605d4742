# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A run that dies leaves nothing that the next one can't mend.

On bare hosts: the runs are killed one after the other on their way, and what follows (molecule's converge, verify and
the witness) is the proof.
"""

from __future__ import annotations

import pytest
from support import node_groups


@pytest.mark.parametrize(
    ("task", "after", "power"),
    [
        pytest.param("Packages", 45, False, id="packages"),
        pytest.param("Configuration files", 0.3, False, id="files"),
        pytest.param("Schemas", 4, True, id="schemas with the host"),
        pytest.param("Schemas", 4, False, id="schemas"),
        pytest.param("Accounts, grants, services and endpoints", 2, False, id="identity"),
        pytest.param("Units", 3, False, id="starts"),
    ],
)
def test_killed_in(playbooks, task, after, power):
    """The run gets as far as *task*, over what the one before has left, and is killed there.

    What it started goes on meanwhile; with *power* it does not, as the hosts lose theirs.
    """
    assert playbooks.killed(task, after), f"site.yml ended before it could be killed in {task!r}"
    if power:
        hosts = ",".join(node_groups(playbooks)["all"])
        for state in ("killed", "started"):
            playbooks.must("playbooks/lab_host.yml", f"--extra-vars=host={hosts}", f"--extra-vars=state={state}")


def test_the_next_run_repairs(playbooks):
    """A run after all that converges, and services may be started by their packages again."""
    playbooks.must("playbooks/site.yml")
    left = playbooks.must("tests/lifecycle/left_behind.yml")
    assert left.changes == []


def test_killed_in_restarts(playbooks, witness):
    """A run that dies between a changed file and the restart owes the restart, and the next run pays it."""
    option = '--extra-vars={"cloud_config_zz_test": {"glance": {"glance-api.conf": {"DEFAULT": {"workers": 3}}}}}'
    assert playbooks.killed("Hosts that owe a restart", 0, option)
    paid = playbooks.must("playbooks/site.yml", option)
    assert any("glance-api" in line for line in paid.changes), paid.changes
    witness.look("paid")
    again = playbooks.must("playbooks/site.yml", option)
    assert again.changes == []
    assert witness.differences("paid") == []
