# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which part of the collection may import which: the subpackages of plugins/module_utils and plugins/plugin_utils."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PLUGINS = ROOT / "plugins"
PREFIX = "ansible_collections.cairn.openstack.plugins."
# Subpackage -> what it may import beside itself. What is not listed does not exist.
MAY = {
    # Never leaves the control node.
    "plugin_utils.catalog": {"plugin_utils.control_node", "common", "storage"},
    "plugin_utils.preflight": {"plugin_utils.catalog", "plugin_utils.control_node", "common", "cloud", "storage"},
    "plugin_utils.capacity": {"plugin_utils.catalog", "plugin_utils.control_node", "common"},
    "plugin_utils.control_node": {"common", "cloud"},
    # Sent to hosts.
    "module_utils.common": set(),
    "module_utils.host": {"common"},
    "module_utils.control_plane": {"common", "host", "cloud"},
    "module_utils.storage": {"common", "host"},
    "module_utils.overview": {"common", "host", "control_plane", "storage"},
    "module_utils.cloud": {"common"},
    "module_utils.testing": {"common"},
}
# Sent to hosts as programs: they import nothing but Python's own library.
PROGRAMS = ("module_utils/common/option_index.py", "module_utils/host/bridge_setup.py")
FILES = sorted(path for kind in ("module_utils", "plugin_utils") for path in (PLUGINS / kind).rglob("*.py"))


def name(path):
    """Return the path below plugins."""
    return path.relative_to(PLUGINS).as_posix()


def room(dotted):
    """Return the subpackage of a dotted name below plugins."""
    return ".".join(dotted.split(".")[:2])


def imports(path):
    """Return what a file imports of the collection, as dotted names below plugins."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, "AnsiballZ finds absolute imports"
            found |= {f"{node.module}.{one.name}" for one in node.names}
        elif isinstance(node, ast.Import):
            found |= {one.name for one in node.names}
    return {one.removeprefix(PREFIX) for one in found if one.startswith(PREFIX)}


@pytest.mark.parametrize("path", FILES, ids=name)
def test_imports_are_allowed(path):
    own = room(name(path).replace("/", "."))
    may = {own} | {one if "." in one else f"module_utils.{one}" for one in MAY[own]}
    assert {one for one in imports(path) if room(one) not in may} == set()


@pytest.mark.parametrize("path", [path for path in FILES if "module_utils" in path.parts], ids=name)
def test_what_hosts_get_needs_nothing_of_the_control_node(path):
    assert {one for one in imports(path) if not one.startswith("module_utils.")} == set()


@pytest.mark.parametrize("path", sorted((PLUGINS / "modules").glob("*.py")), ids=name)
def test_modules_need_nothing_of_the_control_node(path):
    assert {one for one in imports(path) if not one.startswith("module_utils.")} == set()


def test_every_file_is_in_a_subpackage():
    odd = [name(path) for path in FILES if room(name(path).replace("/", ".")) not in MAY]
    assert odd == []


def test_each_package_is_one_and_has_its_sentence():
    directories = {path.parent for path in FILES} - {PLUGINS / "module_utils", PLUGINS / "plugin_utils"}
    for directory in directories:
        tree = ast.parse((directory / "__init__.py").read_text(encoding="utf-8"))
        assert ast.get_docstring(tree), name(directory)
    for one in MAY:
        text = " ".join(
            ast.get_docstring(ast.parse((PLUGINS / one.replace(".", "/") / "__init__.py").read_text())).split()
        )
        assert "runs on" in text, one
        assert "import" in text, one
        assert text.count(". ") == 0, one


def test_the_table_has_no_circle():
    done = set()
    while left := {one for one in MAY if one not in done}:
        free = {
            one for one in left if {other if "." in other else f"module_utils.{other}" for other in MAY[one]} <= done
        }
        assert free, left
        done |= free


@pytest.mark.parametrize("path", PROGRAMS)
def test_programs_import_nothing_of_ours(path):
    if not (PLUGINS / path).exists():
        pytest.skip(f"{path} is gone")
    assert imports(PLUGINS / path) == set()
