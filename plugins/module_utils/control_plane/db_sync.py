# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Schemas: finds the pending guarded commands, and runs them."""

from __future__ import annotations

import fcntl
import grp
import os
import pwd
import re
import shlex
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby

from ansible_collections.cairn.openstack.plugins.module_utils.common.changes import Change, Failed, Unreachable
from ansible_collections.cairn.openstack.plugins.module_utils.control_plane import interrupted_sync
from ansible_collections.cairn.openstack.plugins.module_utils.control_plane.alembic import revisions
from ansible_collections.cairn.openstack.plugins.module_utils.control_plane.mariadb import (
    SOCKET,
    Missing,
    Server,
    identifier,
    reach,
    stored,
)
from ansible_collections.cairn.openstack.plugins.module_utils.control_plane.service_health import AUTH, Caller
from ansible_collections.cairn.openstack.plugins.module_utils.host import units

LAST_LINES = 20
LOCK = "/run/lock/cairn-schemas"
CREDENTIALS = re.compile(r"(://[^:/@\s]*:)[^@\s]+@")
_GUARDS = ("alembic", "query", "file", "get")
_UNLESS = {
    "database": {"type": "str"},
    "alembic": {"type": "str"},
    "table": {"type": "str", "default": "alembic_version"},
    "query": {"type": "str"},
    "rows": {"type": "list", "elements": "str"},
    "file": {"type": "path"},
    "get": {"type": "str"},
}
_STEP = {
    "run": {"type": "str", "required": True},
    "user": {"type": "str", "required": True},
    "environment": {"type": "dict", "default": {}},
    "secret_environment": {"type": "dict", "default": {}, "no_log": True},
    "unless": {
        "type": "dict",
        "required": True,
        "options": _UNLESS,
        "mutually_exclusive": [_GUARDS],
        "required_one_of": [_GUARDS],
        "required_by": {"alembic": "database", "query": "database", "rows": "query"},
    },
    "units": {"type": "list", "elements": "str", "default": []},
}
_SCHEMA = {
    "name": {"type": "str", "required": True},
    "steps": {"type": "list", "elements": "dict", "required": True, "options": _STEP},
}
SPEC = {
    "schemas": {"type": "list", "elements": "dict", "required": True, "options": _SCHEMA},
    "login_unix_socket": {"type": "path", "default": SOCKET},
    "auth": {"type": "dict", "options": AUTH},
}
"""The options of the module."""


def compute(options: dict, check_mode: bool) -> tuple[list[Change], list[dict], bool]:
    """Return the steps to run, a report on all steps, and whether the server responded.

    Unless in check mode, an interrupted first sync is undone, and no command of another run is still running.

    :raises Failed: the server cannot be queried (not in check mode), or a database is newer than its package.
    """
    wanted = options["schemas"]
    # Guards without a database need no server.
    asked = any(step["unless"].get("database") for schema in wanted for step in schema["steps"])
    server = reach(options["login_unix_socket"], check_mode) if asked or not wanted else None
    ask = Caller(options["auth"]) if options.get("auth") else None
    changes, steps = plan(wanted, server, check_mode, ask)
    if not check_mode:
        forget_done(wanted, changes)
        if changes:
            changes, steps = prepare(wanted, server, ask)
    return changes, steps, server is not None or not asked


def due(unless: dict, server: Server | None, ask: Caller | None = None) -> tuple[dict, dict] | None:
    """Return the actual and the desired state of a step, or None if it is done.

    :param unless: the guard of the step.
    :param ask: sends requests to APIs.
    :param server: None if it cannot be queried (check mode): then a database that is on the disk counts as done.
    :raises Failed: the database is newer than the installed package, or the guard is invalid.
    """
    database = unless.get("database")
    if unless.get("file"):
        return None if os.path.exists(unless["file"]) else ({"done": False}, {"done": True})
    if unless.get("get"):
        return None if ask and ask.status(unless["get"]) == 200 else ({"done": False}, {"done": True})
    if server is None:
        return None if stored(database) else ({}, {"done": True})
    if unless["query"]:
        found = _rows(server, f"USE {identifier(database)}") is not None and _rows(server, unless["query"])
        if unless.get("rows") is not None:
            names = {str(next(iter(row.values()))) for row in found or ()}
            missing = [name for name in unless["rows"] if name not in names]
            return ({"missing": missing}, {"missing": []}) if missing else None
        return None if found else ({"done": False}, {"done": True})
    known, heads = revisions(unless["alembic"])
    table = f"{identifier(database)}.{identifier(unless['table'])}"
    held = {row["version_num"] for row in _rows(server, f"SELECT version_num FROM {table}") or []}
    if held - known:
        newer = ", ".join(sorted(held - known))
        raise Failed(
            f"database {database} is at revision {newer}, unknown to the installed package: the database is "
            "newer than the package. Install the newer package, or restore the database"
        )
    if held == heads:
        return None
    return {"revisions": sorted(held)}, {"revisions": sorted(heads)}


def _rows(server: Server, statement: str) -> list[dict] | None:
    """Return the rows of a query; None if its database or table does not exist."""
    try:
        return server.rows(statement)
    except Missing:
        return None


def plan(
    schemas: list[dict], server: Server | None, check_mode: bool, ask: Caller | None = None
) -> tuple[list[Change], list[dict]]:
    """Return the pending steps, and a report on each step, to be completed when it runs."""
    changes, report = [], []
    for schema in schemas:
        name = schema["name"]
        for step in schema["steps"]:
            command = shlex.split(step["run"])
            entry = {"schema": name, "run": shlex.join(command), "ran": False, "seconds": 0.0}
            report.append(entry)
            try:
                difference = due(step["unless"], server, ask)
            except Unreachable:
                # The package of the scripts is not installed yet.
                if not check_mode:
                    raise
                difference = {}, {"done": True}
            except Failed as error:
                raise Failed(f"schema {name}, {entry['run']}: {error}") from error
            if difference:
                make = _runner(command, step, entry)
                changes.append(Change("schema step", "run", name, *difference, make, entry["run"]))
                entry["units"] = step.get("units", [])
                # A server that does not respond has none of them.
                entry["missing"] = difference[0].get("missing", step["unless"].get("rows") or [])
    return changes, report


def outdated(report: list[dict]) -> dict[str, str]:
    """Return the units that must restart after the pending steps of a *report*, with the cause."""
    return {unit: f"schema step {entry['schema']}" for entry in report for unit in entry.get("units", [])}


def _runner(command: list[str], step: dict, entry: dict):
    def make() -> None:
        start = time.monotonic()
        # If this run fails or is killed later, the next one finds the step done.
        units.outdate(outdated([entry]))
        try:
            run(command, step["user"], {**step["environment"], **step.get("secret_environment", {})})
            # Those that were started meanwhile.
            units.outdate(outdated([entry]))
        finally:
            entry.update(ran=True, seconds=round(time.monotonic() - start, 2))

    return make


def run(command: list[str], user: str, environment: dict) -> None:
    """Run a command as a user, in its own environment.

    If this process is killed, the command continues, and holds the lock of this process until it ends.

    :raises Failed: the user or command does not exist, or the exit code is not 0; with the last lines of output.
    """
    try:
        account = pwd.getpwnam(user)
    except KeyError as error:
        raise Failed(f"the user {user} does not exist: is the service's package installed?") from error
    groups = [account.pw_gid] + [group.gr_gid for group in grp.getgrall() if user in group.gr_mem]
    variables = {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": account.pw_dir,
        "LANG": "C.UTF-8",
        "USER": user,
        "LOGNAME": user,
    }
    variables.update(environment)
    # Only root may switch the user.
    switch = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": groups}
    with tempfile.TemporaryFile("w+", errors="replace") as said:
        try:
            code = subprocess.run(
                command,
                **(switch if account.pw_uid != os.getuid() else {}),
                cwd="/",
                env=variables,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                close_fds=False,
                check=False,
            ).returncode
        except OSError as error:
            raise Failed(f"{error.strerror}: {command[0]}: is the service's package installed?") from error
        said.seek(0)
        last = said.readlines()[-LAST_LINES:]
    if code:
        words = CREDENTIALS.sub(r"\1***@", "".join(last).strip()) or "no output"
        raise Failed(f"exit code {code} as user {user}. Its last lines:\n{words}")


def alone() -> None:
    """Wait until no command of an earlier, possibly killed run is changing a schema.

    This process holds the lock until it ends, and its commands inherit it.
    """
    file = os.open(LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(file, fcntl.LOCK_EX)
    os.set_inheritable(file, True)


def forget_done(schemas: list[dict], changes: list[Change]) -> None:
    """Remove the marks of the *schemas* without pending *changes*.

    With a remaining mark, a database that is restored to this revision from a backup would be emptied.
    """
    due_now = {change.name for change in changes}
    for schema in schemas:
        if schema["name"] not in due_now:
            interrupted_sync.finish(schema)


def prepare(schemas: list[dict], server: Server | None, ask: Caller | None = None) -> tuple[list[Change], list[dict]]:
    """Return the plan once no other run is active and interrupted first syncs are undone."""
    alone()
    changes, report = plan(schemas, server, False, ask)
    due_now = {change.name for change in changes}
    mine = [schema for schema in schemas if schema["name"] in due_now]
    # A schema without a database cannot be interrupted halfway.
    mine = [schema for schema in mine if server]
    undone = [schema for schema in mine if interrupted_sync.undo(server, schema)]
    if undone:
        changes, report = plan(schemas, server, False, ask)
    for schema in mine:
        interrupted_sync.begin(server, schema)
    return changes, report


def perform(schemas: list[dict], changes: list[Change]) -> None:
    """Run the steps of each schema in order, different schemas at the same time.

    :param schemas: the schemas of the *changes*.
    :raises Failed: with the errors of all failed schemas, after the others have finished.
    """
    lanes = [list(lane) for _name, lane in groupby(changes, key=lambda change: change.name)]
    named = {schema["name"]: schema for schema in schemas}
    # The schema with the most steps determines the duration, so it starts first.
    lanes.sort(key=len, reverse=True)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        errors = [error for error in pool.map(lambda lane: _lane(named[lane[0].name], lane), lanes) if error]
    if errors:
        raise Failed("\n".join(errors))


def _lane(schema: dict, changes: list[Change]) -> str | None:
    try:
        for change in changes:
            change.make()
        interrupted_sync.finish(schema)
    except Failed as error:
        return str(error)
    return None
