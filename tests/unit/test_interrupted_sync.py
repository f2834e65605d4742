# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Only a database that no sync has ever finished is emptied."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from ansible_collections.cairn.openstack.plugins.module_utils.control_plane import db_sync, interrupted_sync


class Server:
    """Holds databases with their tables."""

    def __init__(self, **databases):
        self.databases = databases
        self.done = []

    def rows(self, statement, values=()):
        if "information_schema" in statement:
            return [{"1": 1}] * bool(self.databases[values[0]])
        if statement.startswith("SHOW CREATE"):
            return [{"Create Database": "CREATE DATABASE nova"}]
        self.done.append(statement)
        return []


@pytest.fixture
def schema(tmp_path, monkeypatch):
    monkeypatch.setattr(interrupted_sync, "DIRECTORY", str(tmp_path / "marks"))
    scripts = tmp_path / "versions"
    scripts.mkdir()
    (scripts / "a.py").write_text('revision = "a"\ndown_revision = None\n')
    guard = {"database": "nova", "alembic": str(scripts), "query": None, "table": "alembic_version"}
    return {"name": "nova", "steps": [{"unless": guard}, {"unless": {**guard, "alembic": None, "query": "SELECT 1"}}]}


def test_cut_short_is_begun_anew(schema):
    interrupted_sync.begin(Server(nova=[]), schema)
    server = Server(nova=["instances"])
    assert interrupted_sync.undo(server, schema)
    assert server.done == ["DROP DATABASE `nova`", "CREATE DATABASE nova"]


def test_finished_is_never_touched(schema):
    interrupted_sync.begin(Server(nova=[]), schema)
    interrupted_sync.finish(schema)
    server = Server(nova=["instances"])
    assert not interrupted_sync.undo(server, schema)
    assert server.done == []


def test_what_somebody_else_finished_is_forgotten(schema):
    interrupted_sync.begin(Server(nova=[]), schema)
    db_sync.forget_done([schema], [])
    assert not interrupted_sync.undo(Server(nova=["instances"]), schema)


def test_a_schema_in_use_is_never_marked(schema):
    interrupted_sync.begin(Server(nova=["instances"]), schema)
    assert not interrupted_sync.undo(Server(nova=["instances"]), schema)


def test_a_mark_of_another_version_counts_for_nothing(schema, tmp_path):
    interrupted_sync.begin(Server(nova=[]), schema)
    (tmp_path / "versions" / "b.py").write_text('revision = "b"\ndown_revision = "a"\n')
    assert not interrupted_sync.undo(Server(nova=["instances"]), schema)


def test_a_command_that_outlives_its_run_keeps_the_next_one_waiting(tmp_path, monkeypatch):
    monkeypatch.setattr(db_sync, "LOCK", str(tmp_path / "lock"))
    # What the module does, killed while its command sleeps: no exit handler runs, and the command inherits the lock.
    script = (
        "import os, subprocess, sys; "
        "from ansible_collections.cairn.openstack.plugins.module_utils.control_plane import db_sync; "
        f"db_sync.LOCK = {db_sync.LOCK!r}; db_sync.alone(); "
        "subprocess.Popen(['sh', '-c', 'sleep 2; echo > ' + sys.argv[1]], close_fds=False); os._exit(9)"
    )
    done = tmp_path / "done"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", script, str(done)], env=environment, check=False)
    assert not done.exists()
    db_sync.alone()
    assert done.exists()
