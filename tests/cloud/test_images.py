# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Images come in other ways than by upload. Those that a user sends, playbooks/verify.yml tries."""

from __future__ import annotations

import pytest
from support import ask


@pytest.fixture(scope="module")
def outcomes(controller):
    """Return what came of each way."""
    return ask(controller, "cloud/scripts/images.py")


def test_glance_fetches_an_image(outcomes):
    """It is what the web server has."""
    assert outcomes["web-download"] == "read back"


def test_an_image_is_copied_into_the_other_stores(outcomes):
    """It is in all of them, and still the same."""
    if "copy-image" not in outcomes:
        pytest.skip("not run: Glance has one store")
    assert outcomes["copy-image"] == "read back"
