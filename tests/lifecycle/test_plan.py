# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A dry run can be believed: it names what it would do, does nothing, and fails nowhere that a real run would not."""

from __future__ import annotations

from support import Witness


def test_bare(playbooks):
    """On bare hosts a plan ends without an error, names packages and files, and touches nothing."""
    # Kept for the day when the hosts are bare again.
    witness = Witness(playbooks, playbooks.scenario)
    witness.look("bare")
    secrets = playbooks.scenario / "secrets" / "secrets.yml"
    had = secrets.exists()  # from an earlier run of the scenario
    plan = playbooks.must("playbooks/site.yml", "--check", "--diff")
    assert any("Packages" in line for line in plan.changes), plan.changes
    assert any("Configuration files" in line for line in plan.changes), plan.changes
    assert witness.differences("bare") == []
    assert secrets.exists() == had, "a plan has generated secrets"


def test_nothing_to_do(playbooks, witness):
    """On a finished cloud a plan has nothing to say, and touches nothing."""
    witness.look("finished")
    plan = playbooks.must("playbooks/site.yml", "--check", "--diff")
    assert plan.changes == []
    assert witness.differences("finished") == []
