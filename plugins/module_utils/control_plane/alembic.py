# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Alembic's revisions, read from the source of the migration scripts.

This takes milliseconds, while importing a service takes seconds.
"""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterator

from ansible_collections.cairn.openstack.plugins.module_utils.common.changes import Failed, Unreachable

PACKAGES = "/usr/lib/python3/dist-packages"
ASSIGNMENT = re.compile(
    r"""^(revision|down_revision|depends_on)\s*(?::[^=\n]+)?=\s*(None|"[^"\n]*"|'[^'\n]*'|\([^)]*\)|\[[^\]]*\])""",
    re.MULTILINE,
)


def revisions(directory: str) -> tuple[set[str], set[str]]:
    """Return all revisions in a directory of migration scripts, and the heads among them.

    A head is a revision that no other revision is based or depends on: these are in Alembic's version table.

    :param directory: absolute, or relative to Debian's Python packages; searched recursively.
    :raises Unreachable: the directory does not exist, or has no revisions.
    :raises Failed: a script cannot be parsed.
    """
    path = os.path.join(PACKAGES, directory)
    known: set[str] = set()
    built_on: set[str] = set()
    for script in scripts(path):
        with open(script, encoding="utf-8") as file:
            found = dict(ASSIGNMENT.findall(file.read()))
        if "revision" not in found:
            continue
        try:
            values = {name: _names(ast.literal_eval(value)) for name, value in found.items()}
        except (ValueError, SyntaxError) as error:
            raise Failed(f"{script}: can't read its revision: {error}") from error
        known |= values["revision"]
        built_on |= values.get("down_revision", set()) | values.get("depends_on", set())
    if not known:
        raise Unreachable(f"no migration scripts in {path}: is the package installed?")
    return known, known - built_on


def scripts(path: str) -> Iterator[str]:
    """Return the Python files below a directory."""
    for directory, directories, files in os.walk(path):
        directories[:] = [name for name in directories if name != "__pycache__"]
        yield from (os.path.join(directory, name) for name in files if name.endswith(".py"))


def _names(value) -> set[str]:
    """Return the revisions in a literal: none, one or several."""
    if value is None:
        return set()
    return {value} if isinstance(value, str) else set(value)
