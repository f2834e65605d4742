# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""docs/settings.md says what the argument specs and the catalogue say, and its links lead somewhere."""

from __future__ import annotations

import re
import runpy

import pytest


@pytest.fixture(scope="module")
def tool(root):
    return runpy.run_path(str(root / "tools/settings"))


def test_the_page_is_true(root, tool):
    assert (root / "docs/settings.md").read_text() == tool["written"](), "make settings writes it anew"


def test_every_role_with_settings_is_in_it(root, tool):
    assert {path.parts[-3] for path in root.glob("roles/*/meta/argument_specs.yml")} == set(tool["ROLES"])


def test_every_link_leads_to_a_file(root, tool):
    links = re.findall(r"\]\(([^)#]+)", tool["written"]())
    assert [link for link in links if not (root / "docs" / link).exists()] == []


def test_every_row_has_the_columns_of_its_table(tool):
    for table in re.findall(r"(?:^\|.*\n)+", tool["written"](), re.MULTILINE):
        assert len({len(re.findall(r"(?<!\\)\|", row)) for row in table.splitlines()}) == 1, table
