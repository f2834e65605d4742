# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""docs/settings.md says what the argument specs and the catalog say, and its links lead somewhere."""

from __future__ import annotations

import re
import runpy

import pytest
import yaml


@pytest.fixture(scope="module")
def tool(root):
    return runpy.run_path(str(root / "tools/settings"))


def test_the_page_is_true(root, tool):
    assert (root / "docs/settings.md").read_text() == tool["written"](), "run make settings"


def test_every_role_with_settings_is_in_it(root, tool):
    specs = {path.parts[-3]: path for path in root.glob("roles/*/meta/argument_specs.yml")}
    entries = {role: yaml.safe_load(path.read_text())["argument_specs"] for role, path in specs.items()}
    having = {role for role, found in entries.items() if any(entry["options"] for entry in found.values())}
    assert having == set(tool["ROLES"])


def test_the_samples_are_true(root, tool):
    """They have every setting of the cloud with its default, all of it commented out."""
    for name, roles in tool["SAMPLES"].items():
        text = (root / "group_vars" / name).read_text()
        assert text == tool["sample"](name), "run make settings"
        assert yaml.safe_load(text) is None
        lines = [line.removeprefix("# ") for line in text.splitlines() if line.startswith("# ")]
        found = yaml.safe_load("\n".join(lines))
        wanted = {}
        for role in roles:
            wanted |= yaml.safe_load((root / f"roles/{role}/defaults/main.yml").read_text())
        assert found == wanted


def test_every_link_leads_to_a_file(root, tool):
    links = re.findall(r"\]\(([^)#]+)", tool["written"]())
    assert [link for link in links if not (root / "docs" / link).exists()] == []


def test_every_row_has_the_columns_of_its_table(tool):
    for table in re.findall(r"(?:^\|.*\n)+", tool["written"](), re.MULTILINE):
        assert len({len(re.findall(r"(?<!\\)\|", row)) for row in table.splitlines()}) == 1, table
