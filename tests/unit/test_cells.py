# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Nova's cells: the guards of their steps, and what the steps run."""

from __future__ import annotations

import getpass
import os
import shlex
import sqlite3

import pytest
import resolving
from ansible_collections.cairn.openstack.plugins.module_utils.control_plane import db_sync

CELL0, CELL1 = "00000000-0000-0000-0000-000000000000", "0c5f5b0b-1f0c-4c39-9d40-bc2a1a9b1a55"
DATABASE = "{scheme}://{username}:{password}@{hostname}/"
ROWS = {
    "cell0": (CELL0, "cell0", "none:///", DATABASE + "nova_cell0?{query}", 0),
    "cell1": (
        CELL1,
        "cell1",
        "{scheme}://{username}:{password}@{hostname}:{port}/{path}",
        DATABASE + "{path}?{query}",
        0,
    ),
}
# Prints what nova-manage prints, and records how it was called.
NOVA_MANAGE = """#!/bin/sh
printf '%s ' "$@" >>"$CALLS"; echo >>"$CALLS"
case $2 in
map_cell0) [ -z "$MAPPED" ] || echo "Cell0 is already setup" ;;
list_cells) cat "$CELLS" ;;
esac
"""
LISTED = f"""+-------+--------------------------------------+---------------+---------------------+----------+
|  Name |                 UUID                 | Transport URL | Database Connection | Disabled |
+-------+--------------------------------------+---------------+---------------------+----------+
| cell0 | {CELL0} |   none:///    |  mysql+pymysql://x  |  False   |
| cell1 | {CELL1} |  rabbit://x   |  mysql+pymysql://x  |   True   |
| cell12 | 1{CELL0[1:]} |  rabbit://y   |  mysql+pymysql://y  |   True   |
+-------+--------------------------------------+---------------+---------------------+----------+
"""


class Server:
    """The table of the cells, in SQLite."""

    def __init__(self, *rows):
        self.connection = sqlite3.connect(":memory:")
        columns = "uuid, name, transport_url, database_connection, disabled"
        self.connection.execute(f"CREATE TABLE cell_mappings ({columns})")
        self.connection.executemany("INSERT INTO cell_mappings VALUES (?, ?, ?, ?, ?)", rows)

    def rows(self, statement):
        return [] if statement.startswith("USE ") else self.connection.execute(statement).fetchall()


def steps(directory, controllers):
    """The steps of a cell, as a function: the one that names the cell's part of a command."""
    parts = {"cell0": "map_cell0", "cell1": "create_cell"}
    hosts = {f"c{number}": {"groups": ["controller"], "address": f"192.0.2.{number}"} for number in controllers}
    found = resolving.resolve(hosts, "c1", directory, {"cloud_internal_address": "192.0.2.9"}).definitions["nova"]
    return lambda cell: next(one for one in found["db_sync"] if parts[cell] in one["run"])


@pytest.fixture
def step(tmp_path):
    return steps(tmp_path, [1])


def test_servers_of_a_cell_use_the_queues_of_all_controllers(tmp_path):
    """Without numbers, a template gets the first of several hosts alone."""
    one = "{{username{0}}}:{{password{0}}}@{{hostname{0}}}:{{port{0}}}"
    url = "{scheme}://" + ",".join(one.format(number) for number in (1, 2, 3)) + "/{path}"
    found = steps(tmp_path, [1, 2, 3])("cell1")
    assert shlex.split(found["run"])[-1] == url
    assert f"transport_url = '{url}'" in found["unless"]["query"]


@pytest.fixture
def run(tmp_path, step):
    """Run the step of a cell; returns the calls of nova-manage."""

    def make(cell, mapped):
        (tmp_path / "nova-manage").write_text(NOVA_MANAGE)
        (tmp_path / "nova-manage").chmod(0o755)
        (tmp_path / "cells").write_text(LISTED if mapped else "\n".join(LISTED.splitlines()[:4]))
        environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "MAPPED": "yes" if mapped else ""}
        environment |= {"CALLS": str(tmp_path / "calls"), "CELLS": str(tmp_path / "cells")}
        db_sync.run(shlex.split(step(cell)["run"]), getpass.getuser(), environment)
        return [line.strip() for line in (tmp_path / "calls").read_text().splitlines()]

    return make


@pytest.mark.parametrize("cell", ["cell0", "cell1"])
@pytest.mark.parametrize("column", ["transport_url", "database_connection"])
def test_a_cell_with_another_url_is_updated(step, cell, column):
    server = Server(*ROWS.values())
    assert db_sync.due(step(cell)["unless"], server) is None
    server.connection.execute(f"UPDATE cell_mappings SET {column} = 'x://nova:old@old/nova' WHERE name = ?", (cell,))
    assert db_sync.due(step(cell)["unless"], server)
    assert db_sync.due(step(cell)["unless"], Server())


def test_a_disabled_cell_is_enabled(step):
    server = Server(*ROWS.values())
    server.connection.execute("UPDATE cell_mappings SET disabled = NULL")
    assert db_sync.due(step("cell1")["unless"], server) is None
    server.connection.execute("UPDATE cell_mappings SET disabled = 1 WHERE name = 'cell1'")
    assert db_sync.due(step("cell1")["unless"], server)


def test_what_is_run_for_a_new_cell(run):
    assert run("cell0", mapped=False) == [f"cell_v2 map_cell0 --database_connection {ROWS['cell0'][3]}"]


def test_what_is_run_for_another_new_cell(run):
    urls = f"--database_connection {ROWS['cell1'][3]} --transport-url {ROWS['cell1'][2]}"
    assert run("cell1", mapped=False) == ["cell_v2 list_cells", f"cell_v2 create_cell --name cell1 {urls}"]


def test_what_is_run_for_cells_that_are_there(run):
    calls = run("cell0", mapped=True)
    assert calls[1:] == [
        f"cell_v2 update_cell --cell_uuid {CELL0} --database_connection {ROWS['cell0'][3]} --transport-url none:///"
    ]
    urls = f"--database_connection {ROWS['cell1'][3]} --transport-url {ROWS['cell1'][2]}"
    assert run("cell1", mapped=True)[3:] == [f"cell_v2 update_cell --cell_uuid {CELL1} --enable {urls}"]
