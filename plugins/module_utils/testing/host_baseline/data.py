# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""MariaDB's users and databases, Keystone's and Nova's records, read by SQL through the local socket."""

from __future__ import annotations

import os

from ansible_collections.cairn.openstack.plugins.module_utils.testing.host_baseline.run import digest, read, there

Objects = dict[str, dict[str, str]]
SOCKET = "/run/mysqld/mysqld.sock"

_IDENTITY = {
    "region": "SELECT id, parent_region_id FROM region",
    "project": "SELECT id, name, domain_id, enabled, description, parent_id, is_domain FROM project",
    "role": "SELECT id, name, domain_id FROM role",
    "implied role": "SELECT prior_role_id, implied_role_id FROM implied_role",
    "user": "SELECT u.id, l.name, u.domain_id, u.enabled, u.default_project_id FROM user u "
    "LEFT JOIN local_user l ON l.user_id = u.id",
    # A password that was set again has a new hash, even if it is the same.
    "password": "SELECT p.id, l.name, SHA2(p.password_hash, 256), p.created_at_int, p.expires_at_int FROM password p "
    "JOIN local_user l ON l.id = p.local_user_id",
    "group": "SELECT id, name, domain_id FROM `group`",
    "member": "SELECT user_id, group_id FROM user_group_membership",
    "assignment": "SELECT type, actor_id, target_id, role_id, inherited FROM assignment",
    "system assignment": "SELECT type, actor_id, target_id, role_id, inherited FROM system_assignment",
    "service": "SELECT id, type, enabled, extra FROM service",
    "endpoint": "SELECT id, interface, region_id, service_id, url, enabled FROM endpoint",
}
_CELLS = {
    "cell": (
        "nova_api",
        "SELECT uuid, name, SHA2(transport_url, 256), SHA2(database_connection, 256), disabled FROM cell_mappings",
    ),
    "mapped host": ("nova_api", "SELECT host, cell_id FROM host_mappings"),
    "aggregate": (
        "nova_api",
        "SELECT a.uuid, a.name, h.host FROM aggregates a LEFT JOIN aggregate_hosts h ON h.aggregate_id = a.id",
    ),
    "service": ("nova", "SELECT host, `binary`, disabled, version FROM services WHERE deleted = 0"),
}


def _rows(statement: str, database: str = "mysql") -> list[list[str]]:
    """Return the rows of *statement*, empty if there is no such database or table yet."""
    text = read(
        "mariadb",
        f"--socket={SOCKET}",
        "--user=root",
        "--batch",
        "--skip-column-names",
        database,
        given=statement,
    )
    return [line.split("\t") for line in text.splitlines()]


def _running() -> bool:
    return there("mariadb") and os.path.exists(SOCKET)


def _tables(database: str) -> set[str]:
    wanted = f"SELECT table_name FROM information_schema.tables WHERE table_schema = '{database}'"
    return {row[0] for row in _rows(wanted)}


def _objects(kind: str, rows: list[list[str]]) -> Objects:
    return {f"{kind} {' '.join(row)}": {} for row in rows}


def databases() -> Objects:
    """Return users with digests of their passwords, grants, databases and their Alembic revisions."""
    if not _running():
        return {}
    result = {}
    for user, host, privileges in _rows("SELECT User, Host, Priv FROM global_priv"):
        result[f"user {user}@{host}"] = {"password and rights": digest(privileges)}
    for row in _rows("SELECT * FROM db"):
        result[f"grant {row[1]} to {row[2]}@{row[0]}"] = {"rights": " ".join(row[3:])}
    for row in _rows("SELECT Host, Db, User, Table_name, Table_priv FROM tables_priv"):
        result[f"grant {row[1]}.{row[3]} to {row[2]}@{row[0]}"] = {"rights": row[4]}
    for (name,) in _rows("SELECT schema_name FROM information_schema.schemata"):
        result[f"database {name}"] = {}
    tables = "SELECT table_schema, table_name FROM information_schema.tables"
    for database, table in _rows(f"{tables} WHERE table_name LIKE '%alembic_version%'"):
        revisions = _rows(f"SELECT version_num FROM `{database}`.`{table}`")
        result[f"database {database}"][table] = " ".join(sorted(row[0] for row in revisions))
    return result


def identity() -> Objects:
    """Return Keystone's domains, projects, users, roles, assignments, services and endpoints."""
    if not _running() or "endpoint" not in _tables("keystone"):
        return {}
    result = {}
    for kind, statement in _IDENTITY.items():
        result.update(_objects(kind, _rows(statement, "keystone")))
    return result


def cells() -> Objects:
    """Return Nova's cells, the hosts mapped to them, aggregates and services."""
    if not _running():
        return {}
    result = {}
    for kind, (database, statement) in _CELLS.items():
        if {"nova_api": "cell_mappings", "nova": "services"}[database] in _tables(database):
            result.update(_objects(kind, _rows(statement, database)))
    return result
