# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A schema whose very first sync was cut short is begun anew: nothing has ever used it.

MariaDB commits every statement that changes a table by itself, so a sync that died halfway leaves tables that the next
one would fail on. A mark beside the database, made while it is empty, tells such a schema from one that is in use.
"""

from __future__ import annotations

import json
import os

from ansible_collections.cairn.openstack.plugins.module_utils.control_plane.alembic import revisions
from ansible_collections.cairn.openstack.plugins.module_utils.control_plane.mariadb import Missing, Server, identifier

DIRECTORY = "/var/lib/cairn/schemas"


def _databases(schema: dict) -> dict[str, str]:
    """Return each database of *schema* with what its mark says: the revisions that the sync is to reach."""
    return {
        step["unless"]["database"]: json.dumps(sorted(revisions(step["unless"]["alembic"])[1]))
        for step in schema["steps"]
        if step["unless"]["alembic"]
    }


def _mark(database: str) -> str:
    return os.path.join(DIRECTORY, database)


def begin(server: Server, schema: dict) -> None:
    """Mark those databases of *schema* that are empty."""
    for database, goal in _databases(schema).items():
        if not server.rows("SELECT 1 FROM information_schema.tables WHERE table_schema = %s LIMIT 1", (database,)):
            os.makedirs(DIRECTORY, exist_ok=True)
            with open(_mark(database), "w", encoding="ascii") as file:
                file.write(goal)
                file.flush()
                os.fsync(file.fileno())


def marked(schema: dict) -> list[str]:
    """Return the marks that *schema* has."""
    # A guard by file or API has no database.
    databases = {step["unless"].get("database") for step in schema["steps"]} - {None}
    marks = [_mark(database) for database in databases]
    return [mark for mark in marks if os.path.exists(mark)]


def finish(schema: dict) -> None:
    """Take the marks away: all steps of *schema* have been done, by us or by somebody else."""
    for mark in marked(schema):
        os.unlink(mark)


def undo(server: Server, schema: dict) -> bool:
    """Empty the marked databases of *schema*, which is due; return whether there was one.

    A mark that was left by another version of the package is no proof, and counts for nothing.
    """
    undone = False
    for database, goal in _databases(schema).items():
        try:
            with open(_mark(database), encoding="ascii") as file:
                marked = file.read() == goal
        except FileNotFoundError:
            continue
        name = identifier(database)
        try:
            create = server.rows(f"SHOW CREATE DATABASE {name}")[0]["Create Database"]
        except Missing:
            continue
        if marked:
            server.rows(f"DROP DATABASE {name}")
            server.rows(create)
            undone = True
    return undone
