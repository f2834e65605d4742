# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The program cairn-keystone-keys: whose keys count, in which order they are taken over, and who gets them."""

from __future__ import annotations

import http.client
import json
import os
import ssl
import threading
import time
import types
import urllib.request

import pytest
import resolving
from ansible_collections.cairn.openstack.plugins.plugin_utils.control_node import authority
from programs import program_of

HOSTS = {f"c{number}": {"groups": ["controller"], "address": f"192.0.2.1{number}"} for number in (1, 2, 3)}
VIP = {"cloud_internal_address": "192.0.2.100"}
# The keys of a first deployment, and of one and two rotations later.
FIRST = {"0": "s0", "1": "p1"}
SECOND = {"0": "s2", "1": "p1", "2": "s0"}
THIRD = {"0": "s3", "2": "s0", "3": "s2"}


@pytest.fixture(scope="module")
def program():
    return program_of("cairn_keystone_keys")


def fill(path, keys):
    path.mkdir(exist_ok=True)
    for number, key in keys.items():
        (path / number).write_text(key)


@pytest.mark.parametrize(
    ("found", "right"),
    [
        ([FIRST, FIRST, FIRST], "c1"),
        ([FIRST, SECOND, FIRST], "c2"),
        # It was off for a rotation, or is new.
        ([FIRST, SECOND, SECOND], "c2"),
        ([{}, FIRST, FIRST], "c2"),
        ([SECOND, THIRD, {}], "c2"),
        # A lost key; a staged one that a run has replaced, another on each host.
        ([{"0": "s2", "2": "s0"}, SECOND, FIRST], "c2"),
        ([{**SECOND, "0": "x"}, {**SECOND, "0": "y"}], "c1"),
        ([{**SECOND, "0": "x"}, SECOND, SECOND], "c2"),
        # In the middle of a rotation.
        ([{"1": "p1", "2": "s0", "3": "s2"}, SECOND, SECOND], "c2"),
    ],
)
def test_the_last_rotation_counts(program, found, right):
    assert program.latest(dict(zip(HOSTS, found, strict=False))) == right


@pytest.mark.parametrize(("held", "keys"), [(FIRST, SECOND), (SECOND, THIRD), (FIRST, THIRD), ({}, FIRST)])
def test_no_key_is_missing_at_any_time(program, tmp_path, monkeypatch, held, keys):
    """Keystone reads at any moment: with all that it could decrypt before, or will after."""
    fill(tmp_path, held)
    seen, both = [], set(held.values()) & set(keys.values())
    for name in ("replace", "unlink"):
        true = getattr(os, name)

        def watched(*words, true=true):
            true(*words)
            seen.append(program.listed(str(tmp_path)))

        monkeypatch.setattr(program.os, name, watched)
    program.take(str(tmp_path), keys)
    assert seen[-1] == keys
    primary = [one[max(one, key=int)] for one in seen]
    # The last primary key or the new one, which others know.
    assert set(primary) <= {held.get(max(held, key=int, default="")), keys[max(keys, key=int)]}
    assert all(both <= set(one.values()) for one in seen)
    assert {(tmp_path / number).stat().st_mode & 0o777 for number in keys.keys() - held.keys()} == {0o600}


@pytest.mark.parametrize(
    ("text", "hours"),
    [
        ("", 49),
        ("[token]\nexpiration = 86400\n", 72),
        ("[token]\nexpiration = 86400\n[fernet_tokens]\nmax_active_keys = 5\n", 24),
        ("[token]\nallow_expired_window = 0\n", 1),
    ],
)
def test_keys_last_as_long_as_tokens(program, tmp_path, text, hours):
    path = tmp_path / "keystone.conf"
    path.write_text(text)
    assert program.shortest_age(str(path)) == hours * 3600


def test_two_keys_are_not_rotated(program, tmp_path):
    path = tmp_path / "keystone.conf"
    path.write_text("[fernet_tokens]\nmax_active_keys = 2\n")
    with pytest.raises(program.Failed, match="would make all tokens invalid"):
        program.shortest_age(str(path))


class Controllers:
    """Controllers on addresses of this computer, with certificates of one authority."""

    def __init__(self, program, directory):
        self.program, self.directory = program, directory
        self.ca_key = authority.new_key()
        self.ca = authority.root("test", self.ca_key)
        (directory / "ca.pem").write_text(self.ca)
        self.addresses = {"c1": "127.0.0.11", "c2": "127.0.0.12", "c3": "127.0.0.13"}
        self.servers = []

    def settings(self, name, address=""):
        """The settings of a controller, and its files."""
        home, key = self.directory / name, authority.new_key()
        home.mkdir()
        address = address or self.addresses[name]
        (home / "cert.pem").write_text(authority.issue([name, address], key, self.ca, self.ca_key, client=True))
        (home / "key.pem").write_text(key)
        return {
            "name": name,
            "controllers": self.addresses,
            "port": 19201,
            "days": 7,
            "repositories": {"fernet-keys": str(home / "fernet-keys")},
            "tls": {
                "ca": str(self.directory / "ca.pem"),
                "certificate": str(home / "cert.pem"),
                "key": str(home / "key.pem"),
            },
        }

    def start(self, name, keys):
        """A controller that has *keys*; the class of the responders is one per server, as in different processes."""
        own = self.settings(name)
        fill(self.directory / name / "fernet-keys", keys)
        responder = self.program.Responder
        self.program.Responder = type("Responder", (responder,), {})
        server = self.program.server(own)
        self.program.Responder = responder
        self.servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return own

    def keys(self, name):
        return self.program.read(str(self.directory / name / "fernet-keys"))


@pytest.fixture
def controllers(program, tmp_path):
    out = Controllers(program, tmp_path)
    yield out
    for server in out.servers:
        server.shutdown()
        server.server_close()


def test_a_rotation_reaches_the_others(program, controllers, capsys):
    one, two, three = (controllers.start(name, keys) for name, keys in zip(HOSTS, (FIRST, SECOND, FIRST), strict=True))
    assert program.status(one) == 1
    for own in (one, three, two):
        assert program.sync(own) == 0
    assert [controllers.keys(name) for name in HOSTS] == [SECOND] * 3
    assert program.status(two) == 0
    said = capsys.readouterr().out
    assert "copied from c2" in said
    assert not any(key in said for key in ("s0", "s2", "p1"))


def test_only_controllers_get_keys(program, controllers):
    controllers.start("c1", SECOND)
    assert program.asked("c1", controllers.settings("c2")) == {"fernet-keys": SECOND}
    # A compute host has a certificate of the same authority.
    assert program.asked("c1", controllers.settings("compute1", "127.0.0.99")) is None
    without = controllers.settings("c3")
    context = ssl.create_default_context(cafile=without["tls"]["ca"])
    with pytest.raises((OSError, http.client.HTTPException)):
        urllib.request.urlopen("https://127.0.0.11:19201/", timeout=3, context=context)


@pytest.fixture
def rotated(program, monkeypatch):
    """The commands of a rotation, which are not run."""
    commands = []
    done = types.SimpleNamespace(returncode=0)
    monkeypatch.setattr(program.subprocess, "run", lambda words, **_options: commands.append(words) or done)
    monkeypatch.setattr(program, "KEYSTONE", "/nonexistent")
    monkeypatch.setattr(program, "PATIENCE", 0)
    return commands


def old(controllers, days):
    for path in controllers.directory.glob("*/fernet-keys/0"):
        os.utime(path, (0, time.time() - days * 86400))


@pytest.mark.parametrize(("days", "count"), [(1, 0), (6.9, 0), (7, 1), (30, 1)])
def test_the_first_one_rotates_keys_that_are_old_enough(program, controllers, rotated, days, count):
    every = [controllers.start(name, FIRST) for name in HOSTS]
    old(controllers, days)
    assert [program.rotate(own) for own in every] == [0] * 3
    assert rotated == [["keystone-manage", "fernet_rotate"]] * count


def test_the_next_one_rotates_if_the_first_is_off(program, controllers, rotated):
    two, three = (controllers.start(name, FIRST) for name in ("c2", "c3"))
    old(controllers, 8)
    assert program.rotate(three) == 0
    assert not rotated
    assert program.rotate(two) == 0
    assert len(rotated) == 1


def test_a_minority_rotates_nothing(program, controllers, rotated):
    one = controllers.start("c1", FIRST)
    old(controllers, 8)
    with pytest.raises(program.Failed, match="only c1 responds"):
        program.rotate(one)
    assert not rotated


def test_who_can_not_distribute_keys_does_not_rotate(program, controllers, rotated):
    one, _two, _three = (controllers.start(name, FIRST) for name in HOSTS)
    old(controllers, 8)
    controllers.servers[0].shutdown()
    controllers.servers[0].server_close()
    with pytest.raises(program.Failed, match="does not respond here"):
        program.rotate(one)
    assert not rotated


def test_a_repository_without_a_staged_key(program, tmp_path):
    with pytest.raises(program.Failed, match="no staged key"):
        program.staged_age(str(tmp_path))


def test_a_start_waits_for_the_others(program, controllers, monkeypatch):
    """A new controller, when the others do not know it yet."""
    new = controllers.settings("c3")
    fill(controllers.directory / "c3/fernet-keys", FIRST)
    rounds = []

    def sleep(seconds):
        if seconds == 1:
            rounds.append(seconds)
            controllers.start("c1", THIRD)

    monkeypatch.setattr(program.time, "sleep", sleep)
    assert program.start(new) == 0
    assert controllers.keys("c3") == THIRD
    assert len(rounds) == 1


def test_different_keys_are_not_rotated(program, controllers, rotated):
    one, _two = (controllers.start(name, keys) for name, keys in (("c1", THIRD), ("c2", FIRST)))
    old(controllers, 8)
    with pytest.raises(program.Failed, match="different keys"):
        program.rotate(one)
    assert not rotated


@pytest.mark.parametrize("several", [False, True])
def test_definition(tmp_path, several):
    hosts, settings = (HOSTS, VIP) if several else ({"c1": HOSTS["c1"]}, {})
    model = resolving.resolve(hosts, "c1", tmp_path, settings)
    found = resolving.files(model, "keystone", ["controller"])
    own = json.loads(found["keys"]["content"])
    assert own["controllers"] == {name: host["address"] for name, host in hosts.items()}
    assert set(own["repositories"].values()) == {keys["path"] for keys in model.definitions["keystone"]["keys"]}
    assert found["keys_service"]["state"] == found["keys_key"]["state"] == ("present" if several else "absent")
