# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Tables of what tests saw stand between the marks of a page, and nowhere else."""

from __future__ import annotations

import pytest
from tables import Table, into, seen_at

PAGE = "# Page\n\n<!-- table one -->\nold\n<!-- end of one -->\n\n<!-- table two -->\n<!-- end of two -->\n"


@pytest.fixture
def table():
    found = Table(("broken", "seconds"))
    found.add("a | b\nc", 3)
    return found


def test_between_its_marks(table):
    said = into(PAGE, "one", table, "today:")
    assert said == PAGE.replace("old\n", "today:\n\n| broken | seconds |\n| --- | --- |\n| a \\| b c | 3 |\n")
    assert into(said, "one", table, "today:") == said


def test_no_marks(table):
    with pytest.raises(ValueError, match="table three"):
        into(PAGE, "three", table, "today:")


def test_day_and_commit(root):
    assert " 20" in seen_at(root)
    assert "commit " in seen_at(root)
