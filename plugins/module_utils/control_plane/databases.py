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
# Of mysql.global_priv.
REQUIREMENTS = ("nothing", "TLS", "a certificate", "a certain certificate")
LIMITS = {
    "max_questions": "MAX_QUERIES_PER_HOUR",
    "max_updates": "MAX_UPDATES_PER_HOUR",
    "max_connections": "MAX_CONNECTIONS_PER_HOUR",
    "max_user_connections": "MAX_USER_CONNECTIONS",
    "max_statement_time": "MAX_STATEMENT_TIME",
}
UNLIMITED = (
    f"REQUIRE NONE WITH {' '.join(f'{limit} 0' for limit in LIMITS.values())} ACCOUNT UNLOCK PASSWORD EXPIRE NEVER"
)
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


def compute(options: dict, check_mode: bool) -> tuple[list[Change], list[str], bool]:
    """Return the changes to make, warnings, and whether the server responded.

    :raises Failed: the server cannot be queried; in check mode only if it refuses the login.
    """
    items = options["databases"]
    server = reach(options["login_unix_socket"], check_mode)
    state = read(server, items) if server else presume(items)
    return plan(items, state, server.rows if server else None), warnings(items, state), server is not None


def native_hash(password: str) -> str:
    """Return the authentication string of mysql_native_password for a password."""
    return "*" + hashlib.sha1(hashlib.sha1(password.encode()).digest()).hexdigest().upper()


def pattern(database: str) -> str:
    """Return the name of a database as stored in a grant: an unescaped underscore would match any character."""
    return database.replace("\\", "\\\\").replace("_", "\\_").replace("%", "\\%")


@dataclass
class State:
    """The databases, users and grants of a server."""

    databases: dict = field(default_factory=dict)
    """name → collation of new tables"""
    tables: dict = field(default_factory=dict)
    """name → collations of its tables, of databases whose own is not the wanted one"""
    users: dict = field(default_factory=dict)
    """(user, host) → attributes, see C(attributes)"""
    grants: set = field(default_factory=set)
    """(user, host, pattern) of those with all privileges on it"""


def read(server: Server, items: list[dict]) -> State:
    """Query the server, in a few queries for any number of databases."""
    import json

    state = State()
    listed = server.rows("SELECT schema_name AS n, default_collation_name AS c FROM information_schema.schemata")
    state.databases = {row["n"]: row["c"] for row in listed}
    for item in items:
        name, collation = item["name"], COLLATIONS[item["charset"]]
        if item["state"] == "present" and state.databases.get(name, collation) != collation:
            question = "SELECT DISTINCT table_collation AS c FROM information_schema.tables WHERE table_schema = %s"
            state.tables[name] = {row["c"] for row in server.rows(question, (name,))} - {None}
    for row in server.rows("SELECT User, Host, Priv FROM mysql.global_priv"):
        priv = json.loads(row["Priv"])
        if not priv.get("is_role"):
            state.users[row["User"], row["Host"]] = attributes(priv)
    for row in server.rows("SELECT * FROM mysql.db"):
        if all(value == "Y" for name, value in row.items() if name.endswith("_priv") and name != "Grant_priv"):
            state.grants.add((row["User"], row["Host"], row["Db"]))
    return state


def attributes(priv: dict) -> dict:
    """Return what decides whether a user can log in and work.

    :param priv: the server's record of a user in C(mysql.global_priv), which has only what was ever set.
    """
    lifetime = priv.get("password_lifetime", -1)
    expires = "never" if lifetime == 0 else "by default" if lifetime < 0 else f"after {lifetime} days"
    return {
        # A list of one remains of several plugins after ALTER USER.
        "plugin": "several" if len(priv.get("auth_or", [])) > 1 else priv.get("plugin", ""),
        "password": priv.get("authentication_string", ""),
        "lock": bool(priv.get("account_locked")),
        "require": REQUIREMENTS[priv.get("ssl_type", 0)],
        "limits": {limit: priv[key] for key, limit in LIMITS.items() if priv.get(key)},
        "password expires": "already" if priv.get("password_last_changed") == 0 else expires,
    }


def usable(digest: str) -> dict:
    """Return the attributes of a user of ours: with this authentication string, and without limits."""
    stored = {"plugin": PLUGIN, "authentication_string": digest, "password_lifetime": 0}
    return attributes(stored)


def rank(host: str) -> float:
    """Return how specific the server takes a host of a user to be: by what precedes its first wildcard."""
    return min((host.index(sign) for sign in "%_" if sign in host), default=float("inf")) if host else 0


def shadows(items: list[dict], state: State, user: str) -> list[tuple[str, str]]:
    """Return the names and hosts of users of this name that the server prefers to wanted ones, for some connections."""
    hosts = {item["host"] for item in items if item["state"] == "present" and user in ("", item["user"])}
    return sorted(
        (name, host)
        for name, host in state.users
        if name == user and host not in hosts and hosts and rank(host) > min(map(rank, hosts))
    )


def warnings(items: list[dict], state: State) -> list[str]:
    """Return warnings about users that the server prefers to the services' own for connections from their hosts.

    A site may have made them, such as for its backups.
    """
    names = sorted({item["user"] for item in items if item["state"] == "present"})
    told = []
    for user, host in [key for name in ["", *names] for key in shadows(items, state, name)]:
        other = f"the user {user}@{host}" if user else "its anonymous user"
        ours = f"{user} as the services know it" if user else "the services' users"
        told.append(
            f"MariaDB takes connections from {host} for those of {other}, not of {ours}: password and rights may"
            f" differ. Unless it is needed: mariadb -e \"DROP USER '{user}'@'{host}'\""
        )
    return told


def presume(items: list[dict]) -> State:
    """Return the likely state of a server that cannot be queried.

    The databases of a stopped server are on the disk, so a plan does not list them as new.
    """
    state = State()
    for item in items:
        if item["state"] == "present" and stored(item["name"]):
            user, host = item["user"], item["host"]
            state.databases[item["name"]] = COLLATIONS[item["charset"]]
            state.users[user, host] = usable(native_hash(item["password"]))
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
        name, charset, collation = item["name"], item["charset"], COLLATIONS[item["charset"]]
        scheme, after = f"CHARACTER SET {charset} COLLATE {collation}", {"charset": charset, "collation": collation}
        if item["state"] != "present":
            continue
        if name not in state.databases:
            make = f"CREATE DATABASE IF NOT EXISTS {identifier(name)} {scheme}"
            add("database", "create", name, {}, after, make)
        elif state.databases[name] != collation and state.tables.get(name, set()) <= {collation}:
            # Tables of a later migration could not refer to these.
            before = {"collation": state.databases[name]}
            make = f"ALTER DATABASE {identifier(name)} {scheme}"
            add("database", "change", name, before, {"collation": collation}, make, (), "collation")
        state.databases[name] = collation
    for (user, host), digest in wanted.items():
        name, after = f"{user}@{host}", usable("as given")
        secret = (user, host, digest)
        if (user, host) not in state.users:
            make = f"CREATE USER %s@%s IDENTIFIED VIA {PLUGIN} USING %s PASSWORD EXPIRE NEVER"
            add("database user", "create", name, {}, after, make, secret)
            continue
        before = state.users[user, host]
        before = {**before, "password": "as given" if before["password"] == digest else "another"}
        if before != after:
            add(
                "database user",
                "change",
                name,
                before,
                after,
                f"ALTER USER %s@%s IDENTIFIED VIA {PLUGIN} USING %s {UNLIMITED}",
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
            del state.databases[name]
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
