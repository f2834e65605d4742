# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A dry run on a finished cloud has nothing to say."""

from __future__ import annotations


def test_nothing_to_do(playbooks, baseline):
    """On a finished cloud a plan has nothing to say, and touches nothing."""
    baseline.look("finished")
    plan = playbooks.told("--check", "--diff")
    assert plan.lines == []
    assert baseline.differences("finished") == []
