# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Volumes that are too large, go to another project, or belong to two servers. The rest playbooks/verify.yml tries."""

from __future__ import annotations

import pytest
from support import ask


@pytest.fixture(scope="module")
def outcomes(controller):
    """Return what came of each."""
    found = ask(controller, "cloud/scripts/volumes.py")
    if not found:
        pytest.skip("not run: the cloud has no volumes")
    return found


def test_a_volume_beyond_the_quota(outcomes):
    """It is refused in words that say how much may be had."""
    assert outcomes["too large"]["status"] == 413
    assert "exceeds allowed gigabytes quota" in outcomes["too large"]["said"]


def test_a_volume_goes_to_another_project(outcomes):
    """Who takes it has it."""
    assert outcomes["handed over"] is True


def test_a_volume_of_two_machines(outcomes):
    """Both have it at once, where its type is for that."""
    if "shared" not in outcomes:
        pytest.skip("not run: no volume type is for several servers, or there is no image cairn-guest")
    assert outcomes["shared"] == 2
