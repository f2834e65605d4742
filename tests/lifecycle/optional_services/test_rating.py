# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The report of a project: hours multiplied by the declared price."""

from __future__ import annotations

import json
import subprocess

import pytest
from support import ask

HOURS = 2


@pytest.fixture(scope="module")
def declared(playbooks, groups):
    """Return the inventory's declared prices of flavors."""
    words = ["ansible-inventory", f"--inventory={playbooks.inventory}", "--host", groups["controller"][0]]
    said = subprocess.run(words, env=playbooks.environment(), capture_output=True, text=True, check=True)
    settings = json.loads(said.stdout)
    if "cloudkitty" not in settings["cloud_services"]:
        pytest.skip("not run: the cloud has no CloudKitty")
    prices = settings["cloud_resources"]["prices"]
    return {one["name"]: one["price"] for one in prices if one["of"] == "flavor"}


def test_a_server_of_two_hours(controller, declared):
    """Its measurements are of past hours: a test cannot wait for an hour to end."""
    flavor, price = next(iter(declared.items()))
    assert float(ask(controller, "lifecycle/scripts/rating.py", flavor, str(HOURS))) == pytest.approx(HOURS * price)
