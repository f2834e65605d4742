# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the cloud's databases have on record about hosts, as files of these hosts."""

from __future__ import annotations

from ansible_collections.cairn.openstack.plugins.module_utils.common.changes import Failed
from ansible_collections.cairn.openstack.plugins.module_utils.control_plane.mariadb import (
    SOCKET,
    Missing,
    Server,
    identifier,
    reach,
    stored,
)

_RECORD = {
    "file": {"type": "dict", "required": True},
    "database": {"type": "str", "required": True},
    "query": {"type": "str", "required": True},
}
SPEC = {
    "records": {"type": "list", "elements": "dict", "required": True, "options": _RECORD},
    "hosts": {"type": "list", "elements": "str", "required": True},
    "login_unix_socket": {"type": "path", "default": SOCKET},
}
"""The options of the module."""


def compute(options: dict, check_mode: bool) -> tuple[dict[str, list[dict]], list[str], bool]:
    """Return the files by host, warnings, and whether the databases could be asked.

    A server without these databases, even a missing one, has no records: its cloud is not deployed yet.

    :raises Failed: the server has the databases, and does not respond (not in check mode), or refuses a query.
    """
    records = options["records"]
    deployed = any(stored(record["database"]) for record in records)
    server = reach(options["login_unix_socket"], check_mode or not deployed)
    if server is None:
        return {}, [], not deployed
    files: dict[str, list[dict]] = {}
    warnings = []
    for record in records:
        known: dict[str, set[str]] = {}
        for host, content in _rows(server, record):
            if host in options["hosts"] and content is not None:
                known.setdefault(host, set()).add(str(content))
        for host, contents in known.items():
            path = record["file"]["path"]
            if len(contents) > 1:
                found = ", ".join(sorted(contents))
                warnings.append(f"{path} of {host} is not written: {record['database']} has {found}")
            else:
                files.setdefault(host, []).append({**record["file"], "content": contents.pop()})
    return files, warnings, True


def _rows(server: Server, record: dict) -> list[tuple]:
    """Return the result of the query, a host and its content in each row; empty without the database or its table.

    :raises Failed: the rows have other columns.
    """
    try:
        server.rows(f"USE {identifier(record['database'])}")
        found = [tuple(row.values()) for row in server.rows(record["query"])]
    except Missing:
        return []
    if any(len(row) != 2 for row in found):
        raise Failed(f"{record['query']}: the rows must have two columns, a host and the content of its file")
    return found
