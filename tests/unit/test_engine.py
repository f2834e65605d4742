# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The engine knows no service by name: what a service needs stands in its definition.

The engine is the code that every service goes through: what resolves, judges and applies definitions. Code that is
about one product, such as the modules for databases, identity, Ceph or rings, is named for it and is no part of it.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
ENGINE = (
    "plugins/action/desired_state.py",
    "plugins/action/explain.py",
    "plugins/action/preflight.py",
    "plugins/action/secrets.py",
    "plugins/module_utils/common",
    "plugins/module_utils/host",
    "plugins/module_utils/overview",
    "plugins/modules/config_files.py",
    "plugins/modules/packages.py",
    "plugins/modules/units.py",
    "plugins/plugin_utils/capacity/planned.py",
    "plugins/plugin_utils/catalog",
    "plugins/plugin_utils/control_node",
    "plugins/plugin_utils/preflight",
    "roles/compute",
    "roles/destroy",
    "roles/finalize",
    "roles/host",
    "roles/network",
    "roles/restart",
    "roles/service",
)
# One entry a place, with its reason; a name that is gone from its place goes from here.
ALLOWED = {
    "plugins/module_utils/common/changes.py": "the words for kinds of changes, which the products' modules return",
    "plugins/module_utils/common/option_index.py": "how services' code registers options, when an index is made",
    "plugins/module_utils/host/ovs_bridges.py": "bridges are Open vSwitch's, and are there before its users start",
    "plugins/module_utils/overview/host_probe.py": "which labels, mounts and daemons say whose a disk is",
    "plugins/module_utils/overview/pending.py": "the step that compares keys is the module of that name",
    "plugins/plugin_utils/catalog/definitions.py": "the sections of keystonemiddleware, which nearly all services have",
    "plugins/plugin_utils/control_node/remedies.py": "what to do about errors that a product prints",
    "plugins/plugin_utils/preflight/storage.py": "names no back end can have: sections of services' files",
}
# Definitions and units whose names are plain words.
WORDS = {"base", "client", "extra", "file", "firewall", "named", "placement"}
# Named for one product: a module for a kind of back end.
PRODUCTS = ("/backend_kinds/",)


def names():
    """Return the names that the engine must not know: definitions and their units."""
    found = {"heat", "barbican", "octavia", "designate", "manila", "magnum"}
    for path in (ROOT / "roles/catalog/defaults/main").glob("*.yml"):
        definition = yaml.safe_load(path.read_text()).get(f"catalog_{path.stem}", {})
        found.add(path.stem)
        found |= {unit["name"] for unit in definition.get("units", []) if "{" not in unit["name"]}
    return {name for name in found if name not in WORDS}


def code(path):
    """Yield what a file says beside comments and documentation: identifiers and texts, each with its line."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".py":
        yield from ((number, line.partition("#")[0]) for number, line in enumerate(text.splitlines(), 1))
        return
    tree = ast.parse(text)
    documentation = set()
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and node.body:
            documentation |= {id(inner) for inner in ast.walk(node.body[0]) if isinstance(node.body[0], ast.Expr)}
        targets = {getattr(target, "id", "") for target in node.targets} if isinstance(node, ast.Assign) else set()
        if targets & {"DOCUMENTATION", "EXAMPLES", "RETURN"}:
            documentation |= {id(inner) for inner in ast.walk(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation:
            yield node.lineno, node.value
        elif isinstance(node, ast.Name):
            yield node.lineno, node.id
        elif isinstance(node, (ast.Attribute, ast.FunctionDef, ast.arg)):
            yield node.lineno, getattr(node, "attr", None) or getattr(node, "name", None) or node.arg


@pytest.fixture(scope="module")
def named():
    """The places in the engine that name services: path → lines."""
    # A name with an underscore is one of the collection's modules.
    words = "|".join(sorted(map(re.escape, names()), key=len, reverse=True))
    pattern = re.compile(rf"(?<![a-z_-])({words})(?![a-z_-])", re.IGNORECASE)
    found: dict[str, list[str]] = {}
    for place in ENGINE:
        top = ROOT / place
        for path in [top] if top.is_file() else sorted(top.rglob("*")):
            relative = path.relative_to(ROOT).as_posix()
            if path.suffix not in (".py", ".yml") or any(part in relative for part in PRODUCTS):
                continue
            for line, text in code(path):
                if match := pattern.search(text):
                    found.setdefault(relative, []).append(f"{line}: {match[0]}")
    return found


def test_the_engine_names_no_service(named):
    assert {path: lines for path, lines in named.items() if path not in ALLOWED} == {}


def test_what_is_allowed_is_needed(named):
    assert set(ALLOWED) - set(named) == set()
    assert len(ALLOWED) <= 8
