# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The checkout as the package ansible_collections.cairn.openstack."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# `make` links the checkout there.
sys.path.insert(0, str(ROOT / ".venv" / "collections"))


@pytest.fixture(scope="session")
def root():
    """The checkout's folder."""
    return ROOT
