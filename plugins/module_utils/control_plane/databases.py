# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Databases, their users and grants: the actual and the desired state, and the statements to change it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field

from ansible_collections.cairn.openstack.plugins.module_utils.common.changes import Change, Failed
from ansible_collections.cairn.openstack.plugins.module_utils.control_plane.mariadb import (
    SOCKET,
    Server,
    identifier,
    reach,
    stored,
)

PLUGIN = "mysql_native_password"
COLLATIONS = {"utf8mb4": "utf8mb4_general_ci", "utf8mb3": "utf8mb3_general_ci"}
_ENTRY = {
    "name": {"type": "str", "required": True},
    "user": {"type": "str", "required": True},
    "password": {"type": "str", "no_log": True},
    "host": {"type": "str", "default": "%"},
    "charset": {"type": "str", "choices": ["utf8mb4", "utf8mb3"], "default": "utf8mb4"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "drop_data": {"type": "bool", "default": False},
}
SPEC = {
    "databases": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": _ENTRY,
        "required_if": [("state", "present", ["password"])],
    },
    "login_unix_socket": {"type": "path", "default": SOCKET},
}
"""The options of the module."""


def compute(options: dict, check_mode: bool) -> tuple[list[Change], bool]:
    """Return the changes to make, and whether the server responded.

    :raises Failed: the server cannot be queried; in check mode only if it refuses the login.
    """
    items = options["databases"]
    server = reach(options["login_unix_socket"], check_mode)
    state = read(server) if server else presume(items)
    return plan(items, state, server.rows if server else None), server is not None


def native_hash(password: str) -> str:
    """Return the authentication string of mysql_native_password for a password."""
    return "*" + hashlib.sha1(hashlib.sha1(password.encode()).digest()).hexdigest().upper()


def pattern(database: str) -> str:
    """Return the name of a database as stored in a grant: an unescaped underscore would match any character."""
    return database.replace("\\", "\\\\").replace("_", "\\_").replace("%", "\\%")


@dataclass
class State:
    """The databases, users and grants of a server."""

    databases: set = field(default_factory=set)
    users: dict = field(default_factory=dict)
    """(user, host) → (plugin, authentication string, locked)"""
    grants: set = field(default_factory=set)
    """(user, host, pattern) of those with all privileges on it"""


def read(server: Server) -> State:
    """Query the server, in three queries for any number of databases."""
    import json

    state = State()
    state.databases = {row["n"] for row in server.rows("SELECT schema_name AS n FROM information_schema.schemata")}
    for row in server.rows("SELECT User, Host, Priv FROM mysql.global_priv"):
        priv = json.loads(row["Priv"])
        plugin = "several" if "auth_or" in priv else priv.get("plugin", "")
        key = (row["User"], row["Host"])
        state.users[key] = (plugin, priv.get("authentication_string", ""), bool(priv.get("account_locked")))
    for row in server.rows("SELECT * FROM mysql.db"):
        if all(value == "Y" for name, value in row.items() if name.endswith("_priv") and name != "Grant_priv"):
            state.grants.add((row["User"], row["Host"], row["Db"]))
    return state


def presume(items: list[dict]) -> State:
    """Return the likely state of a server that cannot be queried.

    The databases of a stopped server are on the disk, so a plan does not list them as new.
    """
    state = State()
    for item in items:
        if item["state"] == "present" and stored(item["name"]):
            user, host = item["user"], item["host"]
            state.databases.add(item["name"])
            state.users[user, host] = (PLUGIN, native_hash(item["password"]), False)
            state.grants.add((user, host, pattern(item["name"])))
    return state


def passwords(items: list[dict]) -> dict[tuple[str, str], str]:
    """Return the authentication string of each wanted user.

    :raises Failed: two entries have different passwords for a user.
    """
    wanted: dict = {}
    for item in items:
        if item["state"] == "present":
            key, digest = (item["user"], item["host"]), native_hash(item["password"])
            if wanted.setdefault(key, digest) != digest:
                raise Failed(f"database user {key[0]}@{key[1]}: database {item['name']} gives it another password")
    return wanted


def plan(items: list[dict], state: State, execute: Callable) -> list[Change]:
    """Return the changes from the actual state to the desired one.

    :param items: entries of the module's option C(databases).
    :param execute: called with a statement and its values when a change is made.
    """
    changes: list[Change] = []

    def add(kind, verb, name, before, after, statement, values=(), detail=""):
        changes.append(Change(kind, verb, name, before, after, lambda: execute(statement, values), detail))

    wanted = passwords(items)
    for item in items:
        name = item["name"]
        if item["state"] == "present" and name not in state.databases:
            charset, collation = item["charset"], COLLATIONS[item["charset"]]
            after = {"charset": charset, "collation": collation}
            add(
                "database",
                "create",
                name,
                {},
                after,
                f"CREATE DATABASE IF NOT EXISTS {identifier(name)} CHARACTER SET {charset} COLLATE {collation}",
            )
            state.databases.add(name)
    for (user, host), digest in wanted.items():
        name, after = f"{user}@{host}", {"plugin": PLUGIN, "password": "as given", "lock": False}
        secret = (user, host, digest)
        if (user, host) not in state.users:
            add(
                "database user",
                "create",
                name,
                {},
                after,
                f"CREATE USER %s@%s IDENTIFIED VIA {PLUGIN} USING %s",
                secret,
            )
            continue
        plugin, stored_digest, locked = state.users[user, host]
        before = {"plugin": plugin, "password": "as given" if stored_digest == digest else "another", "lock": locked}
        if before != after:
            add(
                "database user",
                "change",
                name,
                before,
                after,
                f"ALTER USER %s@%s IDENTIFIED VIA {PLUGIN} USING %s ACCOUNT UNLOCK",
                secret,
                ", ".join(key for key in after if before[key] != after[key]),
            )
    for item in items:
        changes += _grant(item, wanted, state, execute)
    for item in items:
        name, key = item["name"], (item["user"], item["host"])
        if item["state"] == "absent" and key not in wanted and state.users.pop(key, None):
            add("database user", "drop", f"{key[0]}@{key[1]}", {"state": "present"}, {}, "DROP USER %s@%s", key)
        if item["state"] == "absent" and item["drop_data"] and name in state.databases:
            state.databases.remove(name)
            add("database", "drop", name, {"state": "present"}, {}, f"DROP DATABASE {identifier(name)}")
    return changes


def _grant(item: dict, wanted: dict, state: State, execute: Callable) -> list[Change]:
    """Return the change of a missing grant, or of one whose entry is absent while other entries use its user."""
    user, host, match = item["user"], item["host"], pattern(item["name"])
    granted = (user, host, match) in state.grants
    present = item["state"] == "present"
    if granted == present or (user, host) not in wanted:
        return []
    name, scope = f"{user}@{host} on {item['name']}", f"{identifier(match)}.*".replace("%", "%%")
    held, none = {"privileges": "ALL"}, {"privileges": "none or some"}
    if present:
        make = f"GRANT ALL PRIVILEGES ON {scope} TO %s@%s"
        return [Change("database grant", "create", name, none, held, lambda: execute(make, (user, host)))]
    revoke = f"REVOKE ALL PRIVILEGES ON {scope} FROM %s@%s"
    return [Change("database grant", "revoke", name, held, none, lambda: execute(revoke, (user, host)))]
