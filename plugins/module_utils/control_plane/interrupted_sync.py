# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An interrupted first sync of a schema is repeated on an empty database, as no service has used it yet.

MariaDB commits each statement that changes a table, so an interrupted sync leaves tables that make the next one fail. A
mark file, created while the database is empty, distinguishes such a schema from one in use.
"""

from __future__ import annotations

import json
import os

from ansible_collections.cairn.openstack.plugins.module_utils.control_plane.alembic import revisions
from ansible_collections.cairn.openstack.plugins.module_utils.control_plane.mariadb import Missing, Server, identifier

DIRECTORY = "/var/lib/cairn/schemas"


def _databases(schema: dict) -> dict[str, str]:
    """Return each database of *schema* with the content of its mark: the target revisions of the sync."""
    return {
        step["unless"]["database"]: json.dumps(sorted(revisions(step["unless"]["alembic"])[1]))
        for step in schema["steps"]
        if step["unless"]["alembic"]
    }


def _mark(database: str) -> str:
    return os.path.join(DIRECTORY, database)


def begin(server: Server, schema: dict) -> None:
    """Mark the empty databases of *schema*."""
    for database, goal in _databases(schema).items():
        if not server.rows("SELECT 1 FROM information_schema.tables WHERE table_schema = %s LIMIT 1", (database,)):
            os.makedirs(DIRECTORY, exist_ok=True)
            with open(_mark(database), "w", encoding="ascii") as file:
                file.write(goal)
                file.flush()
                os.fsync(file.fileno())


def marked(schema: dict) -> list[str]:
    """Return the existing marks of *schema*."""
    # Guards by file or API have no database.
    databases = {step["unless"].get("database") for step in schema["steps"]} - {None}
    marks = [_mark(database) for database in databases]
    return [mark for mark in marks if os.path.exists(mark)]


def finish(schema: dict) -> None:
    """Remove the marks: all steps of *schema* are done."""
    for mark in marked(schema):
        os.unlink(mark)


def undo(server: Server, schema: dict) -> bool:
    """Empty the marked databases of *schema*, which is pending; return whether there was one.

    A mark of another version of the package is ignored.
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
