# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Controllers lose their power under load: the cloud continues, comes back by itself, and has lost no write."""

from __future__ import annotations

import random
import sys

import pytest
from support import ROOT

sys.path.insert(0, str(ROOT / "tests/faults"))
import rounds
from load import Cloud


@pytest.fixture(scope="module")
def lab(playbooks):
    return rounds.Lab(playbooks)


@pytest.fixture(scope="module")
def cloud(playbooks, lab):
    return Cloud(playbooks.scenario / "secrets/clouds.yaml", "cairn", lab.address)


# The others, and longer series: tests/faults/rounds.py.
@pytest.mark.parametrize("kind", ["address", "all"])
def test_round(lab, cloud, table, request, kind):
    one = rounds.play(lab, cloud, kind, random.Random(request.config.getoption("seed")))
    failed = {name: len(found) for name, found in one.failures.items()}
    table("controllers", "kind", "broken", "longest gap", "whole after (s)", "failed calls", "writes", "lost").add(
        kind, one.broken, one.longest, one.whole, failed, one.written, len(one.lost)
    )
    assert one.whole is not None
    assert one.written
    assert not one.lost
