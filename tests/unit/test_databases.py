# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Databases, users and grants, beside a server made of sets."""

from __future__ import annotations

import json

import pytest
from ansible_collections.cairn.openstack.plugins.module_utils.common.changes import Failed
from ansible_collections.cairn.openstack.plugins.module_utils.control_plane import databases, mariadb
from told import in_words

NOVA = ("nova", "%")


def item(name, user="nova", password="hunter22", **more):
    entry = {"name": name, "user": user, "password": password, "host": "%", "charset": "utf8mb4", "state": "present"}
    return {**entry, "drop_data": False, **more}


def whole(*items):
    """The state in which these items ask for nothing."""
    state = databases.State()
    for entry in items:
        key = (entry["user"], entry["host"])
        state.databases.add(entry["name"])
        state.users[key] = (databases.PLUGIN, databases.native_hash(entry["password"]), False)
        state.grants.add((*key, databases.pattern(entry["name"])))
    return state


def lines(items, state):
    return in_words(databases.plan(items, state, None))


def test_native_hash_is_the_servers():
    assert databases.native_hash("password") == "*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19"


def test_a_bare_server_gets_everything_and_a_shared_account_once():
    assert lines([item("nova"), item("nova_api")], databases.State()) == [
        "create database nova",
        "create database nova_api",
        "create database user nova@%",
        "create database grant nova@% on nova",
        "create database grant nova@% on nova_api",
    ]


def test_nothing_to_do():
    items = [item("nova"), item("nova_api"), item("glance", "glance", "other")]
    assert lines(items, whole(*items)) == []


@pytest.mark.parametrize(
    ("user", "line"),
    [
        ((databases.PLUGIN, databases.native_hash("old"), False), "change database user nova@%: password"),
        (("unix_socket", databases.native_hash("hunter22"), False), "change database user nova@%: plugin"),
        (("several", "", False), "change database user nova@%: plugin, password"),
        ((databases.PLUGIN, databases.native_hash("hunter22"), True), "change database user nova@%: lock"),
        (None, "create database user nova@%"),
    ],
)
def test_a_user_that_differs_is_corrected(user, line):
    state = whole(item("nova"))
    if user:
        state.users[NOVA] = user
    else:
        del state.users[NOVA]
    assert lines([item("nova")], state) == [line]


def test_a_grant_that_would_match_other_databases_is_not_enough():
    state = whole(item("nova_api"))
    state.grants = {(*NOVA, "nova_api")}
    assert lines([item("nova_api")], state) == ["create database grant nova@% on nova_api"]


def test_absent_keeps_the_data_and_what_others_use():
    items = [item("nova"), item("nova_api", state="absent"), item("heat", "heat", state="absent", password=None)]
    state = whole(item("nova"), item("nova_api"), item("heat", "heat"))
    assert lines(items, state) == ["revoke database grant nova@% on nova_api", "drop database user heat@%"]
    items = [item("heat", "heat", state="absent", drop_data=True)]
    assert lines(items, whole(item("heat", "heat"))) == ["drop database user heat@%", "drop database heat"]
    assert lines(items, databases.State()) == []


def test_one_account_with_two_passwords_is_refused():
    with pytest.raises(Failed, match=r"nova@%: database nova_api gives it another password"):
        databases.plan([item("nova"), item("nova_api", password="other")], databases.State(), None)


def test_no_password_in_statements_nor_in_what_is_shown():
    sent = []
    changes = databases.plan([item("nova")], databases.State(), lambda *statement: sent.append(statement))
    for change in changes:
        change.make()
    assert len(sent) == 3
    assert "hunter22" not in repr((sent, changes))


def test_a_stopped_server_is_presumed_to_hold_what_is_on_its_disk(tmp_path, monkeypatch):
    monkeypatch.setattr(mariadb, "DATADIR", tmp_path)
    (tmp_path / "nova").mkdir()
    items = [item("nova"), item("glance", "glance")]
    assert lines(items, databases.presume(items)) == [
        "create database glance",
        "create database user glance@%",
        "create database grant glance@% on glance",
    ]


def test_reading_the_tables():
    class Server:
        """Answers as MariaDB 11.8 does."""

        def rows(self, statement):
            if "schemata" in statement:
                return [{"n": "nova"}]
            if "global_priv" in statement:
                digest = databases.native_hash("hunter22")
                plain = json.dumps({"access": 0, "plugin": databases.PLUGIN, "authentication_string": digest})
                several = '{"plugin":"mysql_native_password","authentication_string":"x","auth_or":[{}]}'
                return [
                    {"User": "nova", "Host": "%", "Priv": plain},
                    {"User": "root", "Host": "localhost", "Priv": several},
                ]
            row = {"User": "nova", "Host": "%", "Db": "nova", "Select_priv": "Y", "Grant_priv": "N", "Drop_priv": "Y"}
            return [row, {**row, "Db": "glance", "Drop_priv": "N"}]

    state = databases.read(Server())
    assert lines([item("nova")], state) == []
    assert state.grants == {(*NOVA, "nova")}
    assert state.users["root", "localhost"][0] == "several"
