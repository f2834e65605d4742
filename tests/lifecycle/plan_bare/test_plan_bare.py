# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A dry run on bare hosts names what it would do, does nothing, and fails nowhere that a real run would not."""

from __future__ import annotations

import json

from support import BARE_PLAN, HostBaseline


def test_bare(playbooks):
    """On bare hosts a plan ends without an error, and touches nothing; what it says is kept."""
    # Kept for the day when the hosts are bare again.
    baseline = HostBaseline(playbooks, playbooks.scenario)
    baseline.look("bare")
    secrets = playbooks.scenario / "secrets" / "secrets.yml"
    had = secrets.exists()  # from an earlier run of the scenario
    plan = playbooks.told("--check", "--diff")
    (playbooks.scenario / BARE_PLAN).write_text(json.dumps(plan.document), encoding="utf-8")
    assert {kind for _host, kind, _verb, _name in plan.objects} >= {
        "package",
        "file",
        "unit",
        "database",
        "user",
        "flavor",
    }
    assert baseline.differences("bare") == []
    assert secrets.exists() == had, "a plan has generated secrets"
