# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The database server does what services take for granted."""

from __future__ import annotations


def test_a_row_can_be_read_and_then_written(controller):
    """That another wrote the row in between is no error."""
    asked = "mariadb --skip-column-names --execute 'SELECT @@GLOBAL.innodb_snapshot_isolation'"
    assert controller.check_output(asked) == "0"
