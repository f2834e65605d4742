# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is due, and that whatever can't be told is."""

from __future__ import annotations

import grp
import os
import pwd

import pytest
from ansible_collections.cairn.openstack.plugins.module_utils import (
    databases,
    due,
    first_sync,
    identity,
    keystone_keys,
    message_users,
    ovs_bridges,
    schemas,
)
from ansible_collections.cairn.openstack.plugins.module_utils.bridges_host import BridgesError
from ansible_collections.cairn.openstack.plugins.module_utils.changes import Change, Failed

KEY = "MDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDA="
CHANGE = Change("file", "create", "anything", {}, {}, lambda: None)
STEP = {"run": "nova-manage db sync", "user": "nova", "unless": {"database": "nova", "query": "SELECT 1"}}
USER = {"name": "nova", "password": "hunter22"}
OPTIONS = {
    "databases": {"databases": [{"name": "nova", "user": "nova", "password": "hunter22"}]},
    "message_users": {"admin": {"name": "cairn", "password": "a"}, "users": []},
    "schemas": {"schemas": [{"name": "nova", "steps": [STEP]}]},
    "identity": {"auth": {"url": "http://127.0.0.1:1", "password": "a"}, "region": "r", "users": [USER]},
    "ovs_bridges": {"bridges": [{"name": "br-ex"}]},
}
# What each one's module compares, and what that returns: nothing to do, something, and that nobody answered.
COMPARED = {
    "databases": (databases, "compute", ([], True), ([CHANGE], True), ([], False)),
    "message_users": (message_users, "compute", ([], True), ([CHANGE], True), ([], False)),
    "schemas": (schemas, "compute", ([], [], True), ([CHANGE], [], True), ([], [], False)),
    "identity": (identity, "compute", ([], True), ([CHANGE], True), ([], False)),
    "ovs_bridges": (
        ovs_bridges,
        "bring",
        {"changed": False, "warnings": []},
        {"changed": True, "warnings": []},
        {"changed": False, "warnings": ["Open vSwitch does not answer"]},
    ),
}


def asked(name):
    return due.due({name: {"module": name, "options": OPTIONS[name]}})[name]


@pytest.fixture(autouse=True)
def known(monkeypatch):
    monkeypatch.setattr(identity, "proven", lambda users: {("Default", user["name"]) for user in users})


@pytest.mark.parametrize("name", COMPARED)
def test_due_is_what_would_change_or_cannot_be_told(monkeypatch, name):
    module, function, *answers = COMPARED[name]
    seen = []
    for answer, expected in zip(answers, (False, True, True), strict=True):
        monkeypatch.setattr(module, function, lambda *given, answer=answer: (seen.append(given), answer)[1])
        assert asked(name) is expected
    assert all(given[-1] is True for given in seen)  # in check mode


@pytest.mark.parametrize(("name", "error"), [("databases", Failed("refused")), ("ovs_bridges", BridgesError("br-ex"))])
def test_an_error_is_for_the_module_to_tell(monkeypatch, name, error):
    module, function, *_answers = COMPARED[name]

    def fail(*_given):
        raise error

    monkeypatch.setattr(module, function, fail)
    assert asked(name) is True


def test_a_password_that_has_to_be_tried_is_due(monkeypatch):
    monkeypatch.setattr(identity, "compute", lambda *_given: ([], True))
    assert asked("identity") is False
    monkeypatch.setattr(identity, "proven", lambda _users: set())
    assert asked("identity") is True


def test_a_mark_that_a_killed_run_left_is_due(monkeypatch, tmp_path):
    monkeypatch.setattr(schemas, "compute", lambda *_given: ([], [], True))
    monkeypatch.setattr(first_sync, "FOLDER", str(tmp_path))
    assert asked("schemas") is False
    (tmp_path / "nova").touch()
    assert asked("schemas") is True
    assert (tmp_path / "nova").exists()


def test_keys_get_their_defaults_and_are_not_made(tmp_path):
    owner, group = pwd.getpwuid(os.getuid())[0], grp.getgrgid(os.getgid())[0]
    repository = {"path": str(tmp_path / "keys"), "keys": [KEY], "owner": owner, "group": group}
    ask = {"keys": {"module": "keystone_keys", "options": {"repositories": [repository]}}}
    assert due.due(ask) == {"keys": True}
    assert not (tmp_path / "keys").exists()
    keystone_keys.create(repository)
    assert due.due(ask) == {"keys": False}


def test_the_same_module_twice(monkeypatch):
    answers = {"nova": ([], [], True), "cells": ([CHANGE], [], True)}
    monkeypatch.setattr(schemas, "compute", lambda options, _check: answers[options["schemas"][0]["name"]])
    options = {name: {"schemas": [{"name": name, "steps": [STEP]}]} for name in answers}
    assert due.due({name: {"module": "schemas", "options": options[name]} for name in answers}) == {
        "nova": False,
        "cells": True,
    }


@pytest.mark.parametrize(
    ("one", "words"),
    [
        ({"module": "nonsense", "options": {}}, "there is no module 'nonsense' here, only databases,"),
        ({"module": "databases", "options": {"database": []}}, "missing required arguments: databases"),
    ],
)
def test_what_nobody_could_compare_is_refused(one, words):
    with pytest.raises(Failed, match=words):
        due.due({"one": one})
