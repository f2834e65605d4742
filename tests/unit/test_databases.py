# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Databases, users and grants, beside a server made of sets."""

from __future__ import annotations

import json

import pytest
from ansible_collections.cairn.openstack.plugins.module_utils.common.changes import Failed
from ansible_collections.cairn.openstack.plugins.module_utils.control_plane import databases, mariadb
from told import in_words

NOVA = ("nova", "%")
GOOD = {"plugin": databases.PLUGIN, "authentication_string": databases.native_hash("hunter22"), "password_lifetime": 0}


def item(name, user="nova", password="hunter22", **more):
    entry = {"name": name, "user": user, "password": password, "host": "%", "charset": "utf8mb4", "state": "present"}
    return {**entry, "drop_data": False, **more}


def whole(*items):
    """The state in which these items ask for nothing."""
    state = databases.State()
    for entry in items:
        key = (entry["user"], entry["host"])
        state.databases[entry["name"]] = "utf8mb4_general_ci"
        state.users[key] = databases.usable(databases.native_hash(entry["password"]))
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
    ("stored", "changed"),
    [
        ({"authentication_string": databases.native_hash("old")}, "password"),
        ({"plugin": "unix_socket"}, "plugin"),
        ({"auth_or": [{}, {"plugin": "unix_socket"}]}, "plugin"),
        ({"auth_or": [{}]}, None),
        ({"account_locked": True}, "lock"),
        # As MariaDB stores them.
        ({"ssl_type": 0, "ssl_cipher": "", "max_user_connections": 0, "max_statement_time": 0.0}, None),
        ({"ssl_type": 1, "ssl_cipher": "", "x509_issuer": "", "x509_subject": ""}, "require"),
        ({"ssl_type": 3, "ssl_cipher": "", "x509_issuer": "/CN=x", "x509_subject": ""}, "require"),
        ({"max_user_connections": 3}, "limits"),
        ({"max_questions": 0, "max_updates": 5}, "limits"),
        ({"max_statement_time": 2.0, "ssl_type": 2}, "require, limits"),
        ({"password_last_changed": 0}, "password expires"),
        ({"password_last_changed": 1795940748}, None),
        ({"password_lifetime": -1}, "password expires"),
        ({"password_lifetime": 5}, "password expires"),
    ],
)
def test_a_user_that_differs_is_corrected(stored, changed):
    state = whole(item("nova"))
    state.users[NOVA] = databases.attributes({**GOOD, **stored})
    sent = []
    changes = databases.plan([item("nova")], state, lambda *statement: sent.append(statement))
    assert in_words(changes) == ([f"change database user nova@%: {changed}"] if changed else [])
    for change in changes:
        change.make()
        assert sent[0][0] == (
            "ALTER USER %s@%s IDENTIFIED VIA mysql_native_password USING %s REQUIRE NONE WITH MAX_QUERIES_PER_HOUR 0 "
            "MAX_UPDATES_PER_HOUR 0 MAX_CONNECTIONS_PER_HOUR 0 MAX_USER_CONNECTIONS 0 MAX_STATEMENT_TIME 0 "
            "ACCOUNT UNLOCK PASSWORD EXPIRE NEVER"
        )


def test_a_missing_user_is_created():
    state = whole(item("nova"))
    del state.users[NOVA]
    assert lines([item("nova")], state) == ["create database user nova@%"]


def test_users_that_the_server_prefers():
    """It sorts users by how specific their hosts are, and then by name; those without a name come last."""
    state = whole(item("nova"))
    for key in (("nova", "192.0.2.%"), ("nova", "controller1"), ("nova", ""), ("glance", "x")):
        state.users[key] = {}
    state.users["", "localhost"] = state.users["", "%"] = {}
    # They may be the site's, such as for backups.
    assert lines([item("nova")], state) == []
    warnings = databases.warnings([item("nova")], state)
    for warning, user in zip(warnings, ("''@'localhost'", "'nova'@'192.0.2.%'", "'nova'@'controller1'"), strict=True):
        assert warning.endswith(f'mariadb -e "DROP USER {user}"')
    assert "connections from controller1 for those of the user nova@controller1, not of nova" in warnings[2]
    narrow = item("nova", host="192.0.2.%")
    state = whole(narrow, item("nova_api"))
    assert databases.warnings([narrow, item("nova_api")], state) == []
    state.users[NOVA] = {}
    assert databases.warnings([narrow], state) == []
    assert databases.warnings([item("nova", state="absent")], state) == []


def test_the_collation_of_new_tables():
    state = whole(item("nova"))
    state.databases["nova"] = "utf8mb4_uca1400_ai_ci"
    # Tables of another collation could not refer to those that are there.
    for tables, expected in (({"latin1_swedish_ci"}, []), (set(), ["change database nova: collation"])):
        state.tables["nova"], state.databases["nova"] = tables, "utf8mb4_uca1400_ai_ci"
        assert lines([item("nova")], state) == expected


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

        def rows(self, statement, values=()):
            if "schemata" in statement:
                return [{"n": "nova", "c": "utf8mb4_uca1400_ai_ci"}, {"n": "mysql", "c": "utf8mb4_general_ci"}]
            if "information_schema.tables" in statement:
                assert values == ("nova",)
                return [{"c": "utf8mb4_general_ci"}, {"c": None}]
            if "global_priv" in statement:
                plain = json.dumps({"access": 0, **GOOD})
                several = json.dumps({**GOOD, "auth_or": [{}, {"plugin": "unix_socket"}]})
                return [
                    {"User": "nova", "Host": "%", "Priv": plain},
                    {"User": "nova", "Host": "", "Priv": '{"access":0,"version_id":110803,"is_role":true}'},
                    {"User": "root", "Host": "localhost", "Priv": several},
                ]
            row = {"User": "nova", "Host": "%", "Db": "nova", "Select_priv": "Y", "Grant_priv": "N", "Drop_priv": "Y"}
            return [row, {**row, "Db": "glance", "Drop_priv": "N"}]

    state = databases.read(Server(), [item("nova")])
    assert lines([item("nova")], state) == ["change database nova: collation"]
    assert state.grants == {(*NOVA, "nova")}
    assert state.users["root", "localhost"]["plugin"] == "several"
    assert ("nova", "") not in state.users
