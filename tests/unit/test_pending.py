# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which steps are pending; those that cannot be compared are, too."""

from __future__ import annotations

import grp
import importlib
import json
import os
import pwd

import pytest
from ansible_collections.cairn.openstack.plugins.module_utils.common.changes import Change, Failed, Unreachable
from ansible_collections.cairn.openstack.plugins.module_utils.control_plane import (
    databases,
    db_sync,
    fernet_keys,
    identity,
    interrupted_sync,
    mariadb,
    rabbitmq_users,
)
from ansible_collections.cairn.openstack.plugins.module_utils.host import bridge_setup, ovs_bridges, packages, units
from ansible_collections.cairn.openstack.plugins.module_utils.overview import pending
from ansible_collections.cairn.openstack.plugins.modules import pending as pending_module
from test_identity import WANTED, Cloud
from test_identity import settle as settle_identity

CHANGE = Change("file", "create", "anything", {}, {}, lambda: None)
STEP = {"run": "nova-manage db sync", "user": "nova", "unless": {"database": "nova", "query": "SELECT 1"}}
SCHEMAS = {"schemas": [{"name": "nova", "steps": [STEP]}]}


class Database:
    """A server that holds Nova's database with its user, or nothing."""

    def __init__(self, whole):
        self.whole = whole

    def rows(self, statement, _values=()):
        if "mysql." not in statement and "schemata" not in statement and not self.whole:
            raise mariadb.Missing(statement)
        if not self.whole:
            return []
        stored = {"plugin": databases.PLUGIN, "authentication_string": databases.native_hash("hunter22")}
        stored["password_lifetime"] = 0
        return [
            {
                "n": "nova",
                "c": "utf8mb4_general_ci",
                "User": "nova",
                "Host": "%",
                "Db": "nova",
                "All_priv": "Y",
                "Priv": json.dumps(stored),
            }
        ]


class Broker:
    """RabbitMQ's API with Nova's user, or as its package leaves it, or nobody there."""

    def __init__(self, state):
        self.state = state

    def wait(self, _path, _seconds):
        pass

    def get(self, path):
        if self.state == "away":
            raise Unreachable("refused")
        if self.state == "bare":
            return [{"name": "/"}] if "/vhosts?" in path else []
        return {
            "users": [stored("cairn", "administrator"), stored("nova")],
            "vhosts": [{"name": "/"}, {"name": "nova", "default_queue_type": "quorum"}],
            "permissions": [allowed("cairn", "/"), allowed("nova", "nova")],
        }.get(path.split("/")[-1].split("?")[0], [])


def stored(name, *tags):
    digest = rabbitmq_users.salted_hash("hunter22", b"1234")
    return {"name": name, "tags": list(tags), "password_hash": digest, "hashing_algorithm": rabbitmq_users.HASHING}


def allowed(user, vhost):
    return {"user": user, "vhost": vhost, **rabbitmq_users.EVERYTHING}


def on_a_server(state, patch, tmp_path):
    """MariaDB is in that state."""

    def reach(*_arguments):
        if state == "refused":
            raise Failed("MariaDB refuses root")
        return None if state == "away" else Database(state == "whole")

    # A server that is away is presumed to hold what is on its disk.
    (tmp_path / "nova").mkdir()
    patch(mariadb, "DATADIR", str(tmp_path))
    patch(databases, "reach", reach)
    patch(db_sync, "reach", reach)


def for_databases(state, patch, tmp_path):
    on_a_server(state, patch, tmp_path)
    return {"databases": [{"name": "nova", "user": "nova", "password": "hunter22"}]}


def for_db_sync(state, patch, tmp_path):
    on_a_server(state, patch, tmp_path)
    patch(interrupted_sync, "DIRECTORY", str(tmp_path / "marks"))
    return SCHEMAS


def for_message_users(state, patch, tmp_path):
    def definitions():
        raise Unreachable("no rabbitmqctl")

    patch(rabbitmq_users, "Api", lambda *_arguments, **_more: Broker(state))
    patch(rabbitmq_users, "_definitions", definitions)
    patch(rabbitmq_users, "DATADIR", str(tmp_path))
    admin, nova = ({"name": name, "password": "hunter22"} for name in ("cairn", "nova"))
    # Neither module lets a user be both wanted and removed.
    return {"admin": admin, "users": [{**nova, "vhost": "nova"}], "remove": ["nova" if state == "refused" else "guest"]}


def for_identity(state, patch, tmp_path):
    class Stored:
        """The hashes that Keystone's database has."""

        def __init__(self, _socket):
            pass

        def rows(self, statement):
            if "sensitive_config" in statement:
                return []
            return [
                {"domain": one.get("domain", "Default"), "name": one["name"], "stored": "x"} for one in WANTED["users"]
            ]

    def refuse():
        raise Unreachable("refused")

    patch(identity, "Server", Stored)
    patch(identity, "MEMORY", str(tmp_path / "identity.json"))
    patch(identity, "holds_catalog", lambda: state == "away")
    keystone = Cloud(admin=state != "refused")
    if state in ("whole", "away"):
        settle_identity(keystone)
    if state == "away":
        keystone.enter = refuse
    patch(identity, "Keystone", lambda _auth: keystone)
    return {**WANTED, "bootstrap": state != "refused"}


def for_keystone_keys(state, _patch, tmp_path):
    owner, group = pwd.getpwuid(os.getuid())[0], grp.getgrgid(os.getgid())[0]
    keys = [] if state == "refused" else ["MDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDA="]
    repository = {"path": str(tmp_path / "keys"), "keys": keys, "owner": owner, "group": group}
    if state == "whole":
        fernet_keys.create(repository)
    return {"repositories": [repository]}


def for_ovs_bridges(state, patch, tmp_path):
    error = "ovs-vsctl: connection refused" if state == "away" else ""
    patch(bridge_setup, "read_host", lambda *_arguments: {"links": {}, "bridges": {}, "error": error})
    patch(bridge_setup, "read_json", lambda _path: None)
    patch(ovs_bridges, "files", lambda _record: {})
    patch(ovs_bridges, "unit_state", lambda: {"UnitFileState": "", "ActiveState": "inactive"})
    patch(ovs_bridges, "TRIAL", str(tmp_path / "trial"))
    if state == "refused":
        (tmp_path / "trial").touch()
    # A host without bridges is whole if none are wanted.
    return {"bridges": [] if state == "whole" else [{"name": "br-ex"}]}


def for_config_files(state, _patch, tmp_path):
    if state == "whole":
        (tmp_path / "nova.conf").write_text("x\n")
        (tmp_path / "nova.conf").chmod(0o640)
    me, mine = pwd.getpwuid(os.getuid())[0], grp.getgrgid(os.getgid())[0]
    path = str(tmp_path / "nova.conf")
    return {"files": [{"path": path, "content": "x\n", "mode": "0640", "owner": me, "group": mine}]}


def for_packages(state, patch, _tmp_path):
    patch(packages, "status", lambda: ({"nova-api"} if state == "whole" else set(), []))
    return {"names": ["nova-api"]}


def for_units(state, patch, _tmp_path):
    running = {"LoadState": "loaded", "ActiveState": "active", "UnitFileState": "enabled", "InvocationID": "now"}
    stopped = {**running, "ActiveState": "inactive"}
    patch(units, "show", lambda names: {name: dict(running if state == "whole" else stopped) for name in names})
    patch(units, "load_stamps", lambda: {"lamp": {"invocation": "now", "boot": units.boot_id(), "reads": {}}})
    return {"units": [{"name": "lamp", "enabled": True}]}


HOSTS = {
    "config_files": for_config_files,
    "packages": for_packages,
    "units": for_units,
    "databases": for_databases,
    "identity": for_identity,
    "fernet_keys": for_keystone_keys,
    "rabbitmq_users": for_message_users,
    "ovs_bridges": for_ovs_bridges,
    "db_sync": for_db_sync,
}


@pytest.fixture
def here(monkeypatch, tmp_path):
    """Make this machine look to a module like a host in a state; return the module's options.

    The states: `whole`, where all is as it should be; `bare`; `away`, where nobody answers; `refused`, an error.
    """
    return lambda module, state: HOSTS[module](state, monkeypatch.setattr, tmp_path)


def asked(module, options):
    return pending.pending({"x": {"module": module, "options": options}})["x"]


def test_every_module_has_its_host():
    assert sorted(HOSTS) == sorted(pending.STEPS)


STATES = ("whole", "bare", "away", "refused")
# What has no server is never away.
IMPOSSIBLE = {
    "fernet_keys": ("away",),
    "config_files": ("away", "refused"),
    "packages": ("away", "refused"),
    "units": ("away", "refused"),
}


@pytest.mark.parametrize(
    ("module", "state"),
    [(module, state) for module in HOSTS for state in STATES if state not in IMPOSSIBLE.get(module, ())],
)
def test_due_is_what_the_module_would_change_or_cannot_tell(here, run_module, module, state):
    """Both look at the same host, the module in check mode."""
    options = here(module, state)
    is_due = asked(module, options)
    code = importlib.import_module(f"ansible_collections.cairn.openstack.plugins.modules.{module}")
    result = run_module(code, options, check=True)
    assert is_due is (state != "whole")
    assert bool(result.get("failed")) is (state == "refused")
    if state in ("whole", "bare"):
        assert result["changed"] is is_due


def test_a_password_that_has_to_be_tried_is_due(here, monkeypatch):
    options = here("identity", "whole")
    assert asked("identity", options) is False
    monkeypatch.setattr(identity, "proven", lambda _users: set())
    assert asked("identity", options) is True


def test_what_keystone_only_tells_is_due(here, monkeypatch):
    options = here("identity", "whole")
    monkeypatch.setattr(identity, "left_behind", lambda *_arguments: ["endpoints in another region"])
    assert asked("identity", options) is True


def test_what_mariadb_only_tells_is_due(here, monkeypatch):
    options = here("databases", "whole")
    monkeypatch.setattr(databases, "warnings", lambda *_arguments: ["an anonymous user"])
    assert asked("databases", options) is True


def test_a_mark_that_a_killed_run_left_is_due(here, tmp_path):
    options = here("db_sync", "whole")
    assert asked("db_sync", options) is False
    (tmp_path / "marks").mkdir()
    (tmp_path / "marks" / "nova").touch()
    assert asked("db_sync", options) is True
    assert (tmp_path / "marks" / "nova").exists()


def test_keys_are_not_made(here, tmp_path):
    assert asked("fernet_keys", here("fernet_keys", "bare")) is True
    assert not (tmp_path / "keys").exists()


def test_what_a_boot_started_is_to_be_recorded(here, monkeypatch):
    options = here("units", "whole")
    assert asked("units", options) is False
    old = {"lamp": {"invocation": "before", "boot": "another", "reads": {}}}
    monkeypatch.setattr(units, "load_stamps", lambda: old)
    assert asked("units", options) is True


def test_nothing_is_compared_after_the_first_that_is_pending(here, run_module):
    first = {"packages": {"module": "packages", "options": here("packages", "bare")}}
    steps = {"keys": {"module": "fernet_keys", "options": here("fernet_keys", "bare")}}
    result = run_module(pending_module, {"first": first, "steps": steps})
    assert (result["first"], result["any"], result["pending"]) == (True, True, {"packages": True})
    result = run_module(pending_module, {"steps": steps})
    assert (result["first"], result["any"], result["pending"]) == (False, True, {"keys": True})
    assert not run_module(pending_module, {"steps": {}})["any"]


def test_the_same_module_twice(monkeypatch):
    answers = {"nova": ([], [], True), "cells": ([CHANGE], [], True)}
    monkeypatch.setattr(db_sync, "compute", lambda options, _check: answers[options["schemas"][0]["name"]])
    options = {name: {"schemas": [{"name": name, "steps": [STEP]}]} for name in answers}
    assert pending.pending({name: {"module": "db_sync", "options": options[name]} for name in answers}) == {
        "nova": False,
        "cells": True,
    }


@pytest.mark.parametrize(
    ("one", "words"),
    [
        ({"module": "nonsense", "options": {}}, "unknown module 'nonsense'; known are config_files,"),
        ({"module": "databases", "options": {"database": []}}, "missing required arguments: databases"),
    ],
)
def test_what_nobody_could_compare_is_refused(one, words):
    with pytest.raises(Failed, match=words):
        pending.pending({"one": one})


def test_nothing_of_its_options_is_returned(here, run_module):
    """They have every password and file of a host; AnsibleModule returns its parameters by itself."""
    steps = {"databases": {"module": "databases", "options": here("databases", "whole")}}
    assert "hunter22" not in json.dumps(run_module(pending_module, {"first": steps, "steps": {}}))
    assert "hunter22" not in json.dumps(run_module(pending_module, {"first": {"x": {"module": "hunter22"}}}))


def test_a_drop_in_that_systemd_has_not_read_is_pending(here, monkeypatch):
    options = here("units", "whole")
    show = units.show
    monkeypatch.setattr(
        units, "show", lambda names: {name: {**one, "NeedDaemonReload": "yes"} for name, one in show(names).items()}
    )
    assert asked("units", options) is True


def test_a_directory_in_a_files_place_is_pending(here, tmp_path):
    options = here("config_files", "bare")
    (tmp_path / "nova.conf").mkdir()
    assert asked("config_files", options) is True
