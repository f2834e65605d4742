# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What an unprivileged user may do, and what not."""

from __future__ import annotations

import pytest
from support import ask

MAY = [
    "member lists own servers",
    "member sees own network",
    "member lists flavors",
    "member lists images",
    "member sees itself",
    "reader lists networks",
]
MAY_NOT = [
    "member lists hypervisors",
    "member lists compute services",
    "member lists everybody's servers",
    "member sees another's network",
    "member deletes another's network",
    "member makes an external network",
    "member makes a provider network",
    "member shares a network",
    "member lists users",
    "member lists projects",
    "member makes a user",
    "member makes itself administrator",
    "member makes a flavor",
    "member makes a public image",
    "member lists resource providers",
    "reader makes a network",
    "reader deletes a network",
]


@pytest.fixture(scope="module")
def outcomes(controller):
    """Return what came of each deed of a fresh member and a fresh reader."""
    return ask(controller, "cloud/scripts/users.py")


@pytest.mark.parametrize("deed", MAY)
def test_may(outcomes, deed):
    """It works."""
    assert outcomes[deed].startswith("done"), outcomes[deed]


@pytest.mark.parametrize("deed", MAY_NOT)
def test_may_not(outcomes, deed):
    """It is refused, or the thing can't even be seen."""
    assert outcomes[deed] in ("refused", "hidden"), outcomes[deed]


def test_agents_are_hidden(outcomes):
    """Neutron filters its agents away rather than refuse."""
    assert outcomes["member lists agents"] in ("done: 0", "refused", "hidden"), outcomes["member lists agents"]
