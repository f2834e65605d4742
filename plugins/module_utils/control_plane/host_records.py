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
from ansible_collections.cairn.openstack.plugins.module_utils.host.units import load_stamps

_RECORD = {
    "file": {"type": "dict", "required": True},
    "database": {"type": "str", "required": True},
    "query": {"type": "str", "required": True},
    "units": {"type": "list", "elements": "str", "default": []},
}
SPEC = {
    "records": {"type": "list", "elements": "dict", "required": True, "options": _RECORD},
    "hosts": {"type": "list", "elements": "str", "required": True},
    "login_unix_socket": {"type": "path", "default": SOCKET},
}
"""The options of the module."""


def compute(options: dict, check_mode: bool) -> tuple[dict[str, list[dict]], list[str], bool]:
    """Return the files by host, warnings, and whether one of the databases could be asked.

    A server without these databases, even a missing one, knows nothing.

    :raises Failed: the server has the databases, and does not respond (not in check mode), or refuses a query.
    """
    records = options["records"]
    server = reach(options["login_unix_socket"], check_mode or not _holds(records))
    files: dict[str, list[dict]] = {}
    warnings, answered = [], False
    for record in records if server else ():
        known: dict[str, set[str]] = {}
        rows = _rows(server, record)
        answered = answered or rows is not None
        for host, content in rows or ():
            if host in options["hosts"] and content is not None:
                known.setdefault(host, set()).add(str(content))
        for host, contents in known.items():
            path = record["file"]["path"]
            if len(contents) > 1:
                found = ", ".join(sorted(contents))
                warnings.append(f"{path} of {host} is not written: {record['database']} has {found}")
            else:
                files.setdefault(host, []).append({**record["file"], "content": contents.pop()})
    return files, warnings, answered


def deployed(options: dict) -> bool:
    """Whether this controller has one of the databases, or a run has started one of the units that use them."""
    started = load_stamps()
    return _holds(options["records"]) or any(
        unit in started for record in options["records"] for unit in record["units"]
    )


def _holds(records: list[dict]) -> bool:
    return any(stored(record["database"]) for record in records)


def _rows(server: Server, record: dict) -> list[tuple] | None:
    """Return the rows of the query, each a host and its content; none without the table, None without the database.

    :raises Failed: the rows have other columns.
    """
    try:
        server.rows(f"USE {identifier(record['database'])}")
    except Missing:
        return None
    try:
        found = [tuple(row.values()) for row in server.rows(record["query"])]
    except Missing:
        return []
    if any(len(row) != 2 for row in found):
        raise Failed(f"{record['query']}: the rows must have two columns, a host and the content of its file")
    return found
