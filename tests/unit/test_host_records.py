# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Files of hosts that the cloud's databases have on record, from a server that a test plays."""

from __future__ import annotations

import pytest
from ansible_collections.cairn.openstack.plugins.module_utils.common.changes import Failed, Unreachable
from ansible_collections.cairn.openstack.plugins.module_utils.control_plane import host_records, mariadb
from ansible_collections.cairn.openstack.plugins.modules import host_records as module

FILE = {"path": "/var/lib/nova/compute_id", "owner": "nova", "group": "nova", "mode": "0644", "replace": False}
QUERY = "SELECT host, uuid FROM compute_nodes WHERE deleted = 0"
OPTIONS = {"records": [{"file": FILE, "database": "nova", "query": QUERY}], "hosts": ["compute1", "compute2"]}


class Server:
    """Has the rows of a table; None for a server without the database."""

    def __init__(self, rows):
        self.found = rows
        self.asked = []

    def rows(self, statement, _values=()):
        self.asked.append(statement)
        if self.found is None or (self.found == "no table" and not statement.startswith("USE")):
            raise mariadb.Missing("Unknown database or table")
        return [] if statement.startswith("USE") else self.found


@pytest.fixture
def mariadb_with(monkeypatch, tmp_path):
    """Let the controller have a server, None for none that responds; *stored* is whether its disk has the database."""

    def give(server, stored=True):
        monkeypatch.setattr(mariadb, "DATADIR", str(tmp_path))
        if stored:
            (tmp_path / "nova").mkdir()

        def reach(_socket, check_mode):
            if server is None and not check_mode:
                raise Unreachable("MariaDB does not respond")
            return server

        monkeypatch.setattr(host_records, "reach", reach)
        return server

    return give


def row(host, uuid):
    return {"host": host, "uuid": uuid}


@pytest.mark.parametrize("check", [False, True])
def test_the_hosts_that_are_asked_for(mariadb_with, run_module, check):
    rows = [row("compute1", "4b7b"), row("compute9", "77aa"), row(None, "00bb"), row("compute2", None)]
    server = mariadb_with(Server(rows))
    result = run_module(module, OPTIONS, check=check)
    assert (result["changed"], result["answered"], result["deployed"]) == (False, True, True)
    assert result["files"] == {"compute1": [{**FILE, "content": "4b7b"}]}
    assert server.asked == ["USE `nova`", QUERY]


def test_several_records_of_a_host(mariadb_with):
    mariadb_with(Server([row("compute1", "4b7b"), row("compute1", "77aa"), row("compute2", "00bb")]))
    files, warnings, _answered = host_records.compute({**OPTIONS, "login_unix_socket": "/x"}, False)
    assert files == {"compute2": [{**FILE, "content": "00bb"}]}
    assert warnings == ["/var/lib/nova/compute_id of compute1 is not written: nova has 4b7b, 77aa"]


@pytest.mark.parametrize("server", [None, Server(None)])
@pytest.mark.parametrize("check", [False, True])
@pytest.mark.parametrize("started", [False, True])
def test_a_controller_without_the_database(mariadb_with, run_module, monkeypatch, server, check, started):
    """Another one has it if the services of this one run."""
    monkeypatch.setattr(host_records, "load_stamps", lambda: {"nova-api": {}} if started else {"mariadb": {}})
    mariadb_with(server, stored=False)
    options = {**OPTIONS, "records": [{**OPTIONS["records"][0], "units": ["nova-api", "nova-scheduler"]}]}
    result = run_module(module, options, check=check)
    assert (result["files"], result["answered"], result["deployed"]) == ({}, False, started)
    assert result["msg"] == "it has no database nova that responds"


def test_a_database_without_tables(mariadb_with, run_module):
    """As an interrupted first run leaves it: nothing was on record."""
    mariadb_with(Server("no table"))
    result = run_module(module, OPTIONS)
    assert (result["files"], result["answered"], result["deployed"]) == ({}, True, True)


def test_a_server_that_does_not_respond(mariadb_with, run_module):
    mariadb_with(None)
    assert run_module(module, OPTIONS)["msg"] == "MariaDB does not respond"
    result = run_module(module, OPTIONS, check=True)
    assert (result["files"], result["answered"], result["deployed"]) == ({}, False, True)


def test_a_query_with_other_columns(mariadb_with):
    mariadb_with(Server([{"uuid": "4b7b"}]))
    with pytest.raises(Failed, match="must have two columns"):
        host_records.compute({**OPTIONS, "login_unix_socket": "/x"}, False)
