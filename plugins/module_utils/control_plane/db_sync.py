# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Schemas: which guarded commands are due, and running them."""

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

LAST_LINES = 20
LOCK = "/run/lock/cairn-schemas"
CREDENTIALS = re.compile(r"(://[^:/@\s]*:)[^@\s]+@")
_GUARDS = ("alembic", "query", "file", "get")
_UNLESS = {
    "database": {"type": "str"},
    "alembic": {"type": "str"},
    "table": {"type": "str", "default": "alembic_version"},
    "query": {"type": "str"},
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
        "required_by": {"alembic": "database", "query": "database"},
    },
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
"""The module's options."""


def compute(options: dict, check_mode: bool) -> tuple[list[Change], list[dict], bool]:
    """Return the steps to run, a report on all steps, and whether the server answered.

    Unless in check mode, what an earlier run began in vain is undone, and no other run's command is at work.

    :raises Failed: the server can't be asked (not in check mode), or a database is newer than its package.
    """
    wanted = options["schemas"]
    # A guard that asks no database needs none.
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
    """What is there and what should be, or None where a step has nothing to do.

    :param unless: the step's guard.
    :param ask: calls APIs.
    :param server: None when it can't be asked (check mode): then a database that is on the disk counts as done.
    :raises Failed: the database is newer than the installed package, or the guard itself is wrong.
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
        return None if found else ({"done": False}, {"done": True})
    known, heads = revisions(unless["alembic"])
    table = f"{identifier(database)}.{identifier(unless['table'])}"
    held = {row["version_num"] for row in _rows(server, f"SELECT version_num FROM {table}") or []}
    if held - known:
        newer = ", ".join(sorted(held - known))
        raise Failed(
            f"database {database} is at revision {newer}, which the installed package doesn't know: the database is "
            "newer than the package. Install the newer package, or restore the database"
        )
    if held == heads:
        return None
    return {"revisions": sorted(held)}, {"revisions": sorted(heads)}


def _rows(server: Server, statement: str) -> list[dict] | None:
    """A query's rows; None while its database or table doesn't exist."""
    try:
        return server.rows(statement)
    except Missing:
        return None


def plan(
    schemas: list[dict], server: Server | None, check_mode: bool, ask: Caller | None = None
) -> tuple[list[Change], list[dict]]:
    """The steps that are due, and a report on each step, to be completed by running."""
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
                # The package that brings the scripts is yet to be installed.
                if not check_mode:
                    raise
                difference = {}, {"done": True}
            except Failed as error:
                raise Failed(f"schema {name}, {entry['run']}: {error}") from error
            if difference:
                make = _runner(command, step, entry)
                changes.append(Change("schema step", "run", name, *difference, make, entry["run"]))
    return changes, report


def _runner(command: list[str], step: dict, entry: dict):
    def make() -> None:
        start = time.monotonic()
        try:
            run(command, step["user"], {**step["environment"], **step.get("secret_environment", {})})
        finally:
            entry.update(ran=True, seconds=round(time.monotonic() - start, 2))

    return make


def run(command: list[str], user: str, environment: dict) -> None:
    """Run a command as a user, in an environment of its own.

    It goes on when this process is killed, and as long as it does it holds the lock that this process has taken.

    :raises Failed: no such user or command, or an exit code other than 0, with the last lines of its output.
    """
    try:
        account = pwd.getpwnam(user)
    except KeyError as error:
        raise Failed(f"the user {user} doesn't exist: is the service's package installed?") from error
    groups = [account.pw_gid] + [group.gr_gid for group in grp.getgrall() if user in group.gr_mem]
    variables = {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": account.pw_dir,
        "LANG": "C.UTF-8",
        "USER": user,
        "LOGNAME": user,
    }
    variables.update(environment)
    # Only root may become somebody else, but anybody may stay.
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
        words = CREDENTIALS.sub(r"\1***@", "".join(last).strip()) or "it printed nothing"
        raise Failed(f"exit code {code} as user {user}. Its last lines:\n{words}")


def alone() -> None:
    """Wait until no command of an earlier run, which may have been killed, is at work on a schema.

    The lock is this process's to its end, and its commands inherit it.
    """
    file = os.open(LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(file, fcntl.LOCK_EX)
    os.set_inheritable(file, True)


def forget_done(schemas: list[dict], changes: list[Change]) -> None:
    """Take away the marks of the *schemas* that have none of the *changes* due.

    One that stayed would have a database emptied that was brought back to this revision from a copy.
    """
    due_now = {change.name for change in changes}
    for schema in schemas:
        if schema["name"] not in due_now:
            interrupted_sync.finish(schema)


def prepare(schemas: list[dict], server: Server | None, ask: Caller | None = None) -> tuple[list[Change], list[dict]]:
    """Return the plan as it is when no other run is at work, and what an earlier one began in vain is undone."""
    alone()
    changes, report = plan(schemas, server, False, ask)
    due_now = {change.name for change in changes}
    mine = [schema for schema in schemas if schema["name"] in due_now]
    # What needs no database can't be half in one.
    mine = [schema for schema in mine if server]
    undone = [schema for schema in mine if interrupted_sync.undo(server, schema)]
    if undone:
        changes, report = plan(schemas, server, False, ask)
    for schema in mine:
        interrupted_sync.begin(server, schema)
    return changes, report


def perform(schemas: list[dict], changes: list[Change]) -> None:
    """Run each schema's steps in order, different schemas at the same time.

    :param schemas: those that the *changes* are of.
    :raises Failed: with the words of every schema that failed; the others are finished first.
    """
    lanes = [list(lane) for _name, lane in groupby(changes, key=lambda change: change.name)]
    named = {schema["name"]: schema for schema in schemas}
    # The one with the most to do decides when all is done.
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
