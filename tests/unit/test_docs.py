# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The pages agree with the code where they list what it has, and their links lead somewhere."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
import yaml
from ansible_collections.cairn.openstack.plugins.plugin_utils.catalog import steps
from ansible_collections.cairn.openstack.plugins.plugin_utils.preflight.definition_spec import SPEC
from test_rooms import MAY

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), *sorted((ROOT / "roles").glob("*/README.md"))]
ARCHITECTURE = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")


def prose(path):
    """Return a page without its blocks of code."""
    return re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


def anchors(path):
    """Return the anchors of a page's headings, as GitHub makes them."""
    found = {}
    for heading in re.findall(r"^#+ (.*)", prose(path), re.MULTILINE):
        anchor = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        # The second of the same name is numbered.
        found[anchor] = found.get(anchor, -1) + 1
    return {f"{anchor}-{number}" if number else anchor for anchor, last in found.items() for number in range(last + 1)}


def section(title):
    """Return a section of architecture.md with those below it."""
    found = re.search(rf"^(#+) {re.escape(title)}\n", ARCHITECTURE, re.MULTILINE)
    rest = ARCHITECTURE[found.end() :]
    end = re.search(rf"^#{{1,{len(found[1])}}} ", rest, re.MULTILINE)
    return rest[: end.start()] if end else rest


def cells(text, column=0):
    """Return a column of a section's tables, without their heads."""
    rows = [line.strip("|").split("|") for line in text.splitlines() if line.startswith("|")]
    return [row[column].strip() for row in rows if len(row) > column and not set(row[0]) <= set("- ")]


def words(found):
    """Return what stands in backticks."""
    return set(re.findall(r"`([\w.-]+)`", " ".join(found)))


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(path):
    wrong = []
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(path)):
        if re.match(r"\w+://", link):
            continue
        name, _, anchor = link.partition("#")
        target = (path.parent / name).resolve() if name else path
        if not target.exists() or (anchor and anchor not in anchors(target)):
            wrong.append(link)
    assert wrong == []


class TestArchitecture:
    def test_rooms(self):
        found = {}
        for line in section("The rooms").splitlines():
            row = [cell.strip() for cell in line.strip("|").split("|")]
            if line.startswith("| `plugins/") and len(row) == 4:
                found[row[0].strip("`").removeprefix("plugins/").replace("/", ".")] = words(row[3:4])
        assert found == {room: {one.rpartition(".")[2] for one in may} for room, may in MAY.items()}

    def test_plays(self):
        site = yaml.safe_load((ROOT / "playbooks/site.yml").read_text(encoding="utf-8"))
        assert cells(section("The way of a run").split("### ")[0])[1:] == [play["name"] for play in site]

    def test_the_way_of_an_option_is_short_and_there(self):
        files = re.findall(r"^\d+\. `([^`]+)`", section("The way of an option"), re.MULTILINE)
        assert 1 < len(files) <= 12
        assert [file for file in files if not (ROOT / file).is_file()] == []

    def test_steps(self):
        rows = section("Each host, or once for the cloud")
        assert words(cells(rows)) == {step.name for step in steps.STEPS}

    def test_desired_state(self):
        tree = ast.parse((ROOT / "plugins/action/desired_state.py").read_text(encoding="utf-8"))
        nodes = list(ast.walk(tree))
        (literal,) = (
            node.value
            for node in nodes
            if isinstance(node, ast.Assign) and [getattr(one, "id", "") for one in node.targets] == ["desired"]
        )
        names = {key.value for key in literal.keys if key}
        subscripts = [node for node in nodes if isinstance(node, ast.Subscript)]
        named = [one.slice for one in subscripts if getattr(one.value, "id", "") == "desired"]
        names |= {one.value for one in named if isinstance(one, ast.Constant)}
        assert {"packages", "compare"} < names
        # What a kind of back end adds.
        assert words(cells(section("The desired state"))[1:]) - {"host_desired"} == names | {"ceph", "rings"}

    def test_keys_of_definitions(self):
        text = section("Service definitions")
        own, units, files, backend = (
            words(cells(part))
            for part in (text.split("### ")[0], section("Units"), section("Files"), section("Back ends"))
        )
        assert own == set(SPEC)
        assert units == set(SPEC["units"]["elements"]["options"])
        assert files == set(SPEC["files"]["values"]["options"])
        assert backend - {"backend"} == set(SPEC["backend"]["options"])

    @pytest.mark.parametrize("key", ["apis", "checks", "identity", "keys", "ports", "registration"])
    def test_what_is_in_a_key(self, key):
        rows = section("Service definitions").splitlines()
        row = next(line for line in rows if line.startswith(f"| `{key}` |"))
        spec = SPEC[key].get("elements", SPEC[key])["options"]
        assert {name for name in spec if not re.search(rf"`{name}\b", row)} == set()

    def test_cloud_as_definitions_use_it(self):
        paths = [*(ROOT / "roles/catalog/defaults/main").glob("*.yml"), *(ROOT / "tests/definitions").glob("*.yml")]
        used = {name for path in paths for name in re.findall(r"\bcloud\.([a-z_]+)", path.read_text(encoding="utf-8"))}
        # cloud.json is a file, cloud.cfg.d a directory of cloud-init's.
        assert used - words(cells(section("The variable `cloud`"))) - {"json", "cfg"} == set()


def test_every_definition_is_in_the_readme(catalog):
    linked = re.findall(r"\(roles/catalog/defaults/main/(\w+)\.yml\)", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert sorted(linked) == sorted(catalog)
