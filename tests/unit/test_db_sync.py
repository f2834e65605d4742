# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Guards of schema commands, and running them."""

from __future__ import annotations

import getpass
import os
import pwd
import sys

import pytest
from ansible_collections.cairn.openstack.plugins.module_utils.common.changes import Failed, Unreachable
from ansible_collections.cairn.openstack.plugins.module_utils.control_plane import db_sync, mariadb
from ansible_collections.cairn.openstack.plugins.module_utils.control_plane.alembic import revisions
from ansible_collections.cairn.openstack.plugins.module_utils.control_plane.mariadb import Missing
from ansible_collections.cairn.openstack.plugins.module_utils.host import units

SCRIPTS = {
    "a_init.py": 'revision = "a"\ndown_revision = None\nbranch_labels = None\n',
    "expand/b.py": "revision: str = 'b'\ndown_revision: str | None = 'a'\nbranch_labels = ('expand',)\n",
    "contract/c.py": "revision = 'c'\ndown_revision = 'a'\ndepends_on = None\n",
    "expand/d.py": "# revision = ''\nrevision = 'd'\ndown_revision = (\n    'b',\n)\n\n\ndef f():\n    revision = 1\n",
    "contract/e.py": "revision = 'e'\ndown_revision = 'c'\ndepends_on = ('b',)\n",
    "env.py": "import alembic\n",
    "__pycache__/z.py": "revision = 'z'\ndown_revision = 'd'\n",
}


@pytest.fixture
def scripts(tmp_path):
    def write(files):
        for name, text in files.items():
            path = tmp_path / "versions" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return str(tmp_path / "versions")

    return write


class Server:
    """Answers with the rows of a table, or with nothing where it is missing."""

    def __init__(self, **tables):
        self.tables = tables

    def rows(self, statement):
        for name, rows in self.tables.items():
            if name in statement:
                return rows
        raise Missing(statement)


def at(*names):
    return Server(nova=[{"version_num": name} for name in names])


def unless(directory=None, query=None):
    return {"database": "nova", "alembic": directory, "query": query, "table": "alembic_version"}


def step(run="true", **guard):
    return {"run": run, "user": getpass.getuser(), "environment": {}, "unless": unless(**guard)}


def test_heads_of_branches(scripts):
    assert revisions(scripts(SCRIPTS)) == ({"a", "b", "c", "d", "e"}, {"d", "e"})


def test_a_head_that_another_branch_depends_on_is_not_stored(scripts):
    files = {**SCRIPTS, "contract/f.py": "revision = 'f'\ndown_revision = 'e'\ndepends_on = 'd'\n"}
    assert revisions(scripts(files))[1] == {"f"}


def test_no_scripts(tmp_path):
    with pytest.raises(Unreachable, match="is the package installed"):
        revisions(str(tmp_path / "nothing"))


@pytest.mark.parametrize(
    ("server", "due"),
    [(at("d", "e"), False), (at("b", "c"), True), (at("d"), True), (at(), True), (Server(), True)],
)
def test_revisions_decide(scripts, server, due):
    assert bool(db_sync.due(unless(scripts(SCRIPTS)), server)) == due


def test_a_newer_database_is_an_error(scripts):
    schema = {"name": "nova", "steps": [step(directory=scripts(SCRIPTS))]}
    with pytest.raises(
        Failed, match=r"schema nova, true: database nova is at revision future, .* newer than the package"
    ):
        db_sync.plan([schema], at("future", "e"), check_mode=True)


def test_queries_decide():
    guard = unless(query="SELECT 1 FROM cells")
    assert db_sync.due(guard, Server(nova=[], cells=[{"1": 1}])) is None
    assert db_sync.due(guard, Server(nova=[], cells=[]))
    assert db_sync.due(guard, Server())


def test_rows_that_a_query_has_to_find():
    guard = {**unless(query="SELECT host FROM hosts"), "rows": ["one", "two"]}
    assert db_sync.due(guard, Server(nova=[], hosts=[{"host": "one"}, {"host": "two"}, {"host": "other"}])) is None
    assert db_sync.due(guard, Server(nova=[], hosts=[{"host": "two"}])) == ({"missing": ["one"]}, {"missing": []})
    assert db_sync.due({**guard, "rows": []}, Server()) is None
    for server, missing in ((Server(nova=[], hosts=[{"host": "one"}]), ["two"]), (None, ["one", "two"])):
        schemas = [{"name": "nova", "steps": [{**step(), "unless": guard}]}]
        assert db_sync.plan(schemas, server, check_mode=True)[1][0]["missing"] == missing


def test_without_a_server_or_a_package(tmp_path, monkeypatch):
    monkeypatch.setattr(mariadb, "DATADIR", tmp_path)
    schema = {"name": "nova", "steps": [step(directory=str(tmp_path / "nothing"))]}
    assert len(db_sync.plan([schema], None, check_mode=True)[0]) == 1
    assert len(db_sync.plan([schema], at("a"), check_mode=True)[0]) == 1
    with pytest.raises(Unreachable):
        db_sync.plan([schema], at("a"), check_mode=False)
    (tmp_path / "nova").mkdir()
    assert db_sync.plan([schema], None, check_mode=True)[0] == []


def test_steps_run_in_order_and_schemas_go_on_without_each_other(tmp_path):
    log = tmp_path / "log"
    write = f"{sys.executable} -c \"open('{log}', 'a').write('%s')\""
    fail = f"{sys.executable} -c \"print('mysql+pymysql://nova:secret@host/nova is gone'); raise SystemExit(3)\""
    good = {"name": "good", "steps": [step(write % "1", query="q"), step(write % "2", query="q")]}
    bad = {"name": "bad", "steps": [step(fail, query="q"), step(write % "3", query="q")]}
    changes, report = db_sync.plan([bad, good], Server(), check_mode=False)
    with pytest.raises(Failed) as error:
        db_sync.perform([bad, good], changes)
    assert log.read_text() == "12"
    assert "exit code 3" in str(error.value)
    assert "nova:***@host" in str(error.value)
    assert "secret@" not in str(error.value).split("Its last lines:")[1]
    assert [entry["ran"] for entry in report] == [True, False, True, True]
    assert report[0]["seconds"] > 0


@pytest.mark.parametrize(
    ("command", "user", "words"),
    [
        ("/nowhere/manage", None, "/nowhere/manage: is the service's package"),
        ("true", "nobody-here", "user nobody-here"),
    ],
)
def test_a_missing_command_or_user(command, user, words):
    with pytest.raises(Failed, match=words):
        db_sync.run([command], user or getpass.getuser(), {})


@pytest.mark.parametrize("then", ["true", "false"])
def test_units_restart_though_the_run_ends_after_the_step(run_module, tmp_path, monkeypatch, then):
    """The next run finds the step done."""
    from ansible_collections.cairn.openstack.plugins.modules import db_sync as module

    stamps = str(tmp_path / "stamps.json")
    monkeypatch.setattr(units.load_stamps, "__defaults__", (stamps,))
    monkeypatch.setattr(units.save_stamps, "__defaults__", (stamps,))
    monkeypatch.setattr(db_sync, "LOCK", str(tmp_path / "lock"))
    states = {"lamp": "active", "bulb": "inactive"}
    found = {name: {"ActiveState": state, "InvocationID": f"{name}-1"} for name, state in states.items()}
    monkeypatch.setattr(units, "show", lambda names: {name: found[name] for name in names})
    before = {name: {"invocation": f"{name}-1", "boot": "b", "reads": {}} for name in states}
    units.save_stamps(before)
    done = tmp_path / "done"
    step = {"run": f"touch {done}", "user": getpass.getuser(), "unless": {"file": str(done)}}
    steps = [{**step, "units": ["lamp", "bulb", "new"]}, {**step, "run": then}]
    options = {"schemas": [{"name": "lamp", "steps": steps}]}
    run_module(module, options, check=True)
    assert units.load_stamps() == before
    result = run_module(module, options)
    assert bool(result.get("failed")) is (then == "false")
    outdated = {"invocation": "lamp-1", "cause": "schema step lamp"}
    assert units.load_stamps() == {**before, "lamp": {**before["lamp"], "outdated": outdated}}


def test_a_guard_by_a_file_needs_no_database(run_module, tmp_path, monkeypatch):
    """A step after the start: run once, with its credentials, and never again."""
    from ansible_collections.cairn.openstack.plugins.modules import db_sync as module

    monkeypatch.setattr(db_sync, "LOCK", str(tmp_path / "lock"))
    done = tmp_path / "done"
    step = {
        "run": f"sh -c 'echo $WORD >{done}'",
        "user": pwd.getpwuid(os.getuid()).pw_name,
        "secret_environment": {"WORD": "s3cret"},
        "unless": {"file": str(done)},
    }
    other = {**step, "unless": {"file": "/"}, "units": ["bulb"]}
    options = {"schemas": [{"name": "lamp", "steps": [{**step, "units": ["lamp", "lamp-api"]}, other]}]}
    outdated = {"lamp": "schema step lamp", "lamp-api": "schema step lamp"}
    foreseen, made = run_module(module, options, check=True), run_module(module, options)
    assert (foreseen["changed"], foreseen["outdated"]) == (True, outdated)
    assert (made["changed"], made["outdated"]) == (True, outdated)
    assert done.read_text() == "s3cret\n"
    again = run_module(module, options)
    assert (again["changed"], again["reachable"], again["outdated"]) == (False, True, {})
