# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""RabbitMQ's users and virtual hosts, beside a broker made of lists."""

from __future__ import annotations

import json
import subprocess

import pytest
from ansible_collections.cairn.openstack.plugins.module_utils.common.changes import Failed, Unreachable
from ansible_collections.cairn.openstack.plugins.module_utils.common.rest import Denied
from ansible_collections.cairn.openstack.plugins.module_utils.control_plane import rabbitmq_users
from ansible_collections.cairn.openstack.plugins.module_utils.control_plane.rabbitmq_users import State, salted_hash
from told import in_words

FRESH = {
    "users": [{"name": "guest", "tags": ["administrator"], "password_hash": "x"}],
    "vhosts": [{"name": "/", "metadata": {}}],
    "permissions": [],
}
ALL = {"configure": ".*", "write": ".*", "read": ".*"}


def item(name, vhost=None, **more):
    return {"name": name, "password": f"secret-{name}", "vhost": vhost or name, "tags": [], "state": "present", **more}


ADMIN = item("boss", "/", tags=["administrator"])


def stored(entry, password=None):
    digest = salted_hash(password or entry["password"], b"1234")
    hashing = rabbitmq_users.HASHING
    return {"name": entry["name"], "tags": entry["tags"], "password_hash": digest, "hashing_algorithm": hashing}


def whole(*items):
    """The state in which these items and the administrator ask for nothing."""
    everyone = [ADMIN, *items]
    return State.parse(
        [stored(entry) for entry in everyone],
        [{"name": "/"}] + [{"name": entry["vhost"], "default_queue_type": "quorum"} for entry in items],
        [{"user": entry["name"], "vhost": entry["vhost"], **ALL} for entry in everyone],
    )


def lines(items, state, remove=("guest",), api=None):
    return in_words(rabbitmq_users.plan(ADMIN, items, list(remove), state, api))


def test_hash_is_rabbitmqs():
    assert salted_hash("test12", bytes.fromhex("908DC60A")) == "kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR"


def test_a_fresh_broker():
    state = State.parse(*FRESH.values(), admin_enters=False)
    assert lines([item("nova")], state) == [
        "create RabbitMQ user boss",
        "create RabbitMQ virtual host nova",
        "create RabbitMQ permission boss on /",
        "create RabbitMQ user nova",
        "create RabbitMQ permission nova on nova",
        "delete RabbitMQ user guest",
    ]


def test_nothing_to_do():
    assert lines([item("nova"), item("watch", "/", tags=["monitoring"])], whole(item("nova"))) != []
    items = [item("nova"), item("neutron")]
    assert lines(items, whole(*items)) == []


def test_drift():
    items = [item("nova"), item("neutron"), item("heat")]
    state = whole(*items)
    state.users["nova"] = stored(item("nova"), "another")
    state.users["heat"]["tags"] = "administrator"
    state.permissions["nova", "nova"] = {**ALL, "write": "^$"}
    state.permissions["nova", "/"] = dict(ALL)
    del state.permissions["neutron", "neutron"]
    state.vhosts["neutron"] = "classic"
    del state.vhosts["heat"]
    assert lines(items, state) == [
        "change RabbitMQ virtual host neutron: default queue type",
        "create RabbitMQ virtual host heat",
        "change RabbitMQ user nova: password",
        "change RabbitMQ permission nova on nova",
        "delete RabbitMQ permission nova on /",
        "create RabbitMQ permission neutron on neutron",
        "change RabbitMQ user heat: tags",
    ]


def test_limits_and_permissions_on_topics():
    """As the API of RabbitMQ 4.0.5 lists them."""
    items = [item("nova")]
    state = whole(*items)
    more = State.parse(
        [],
        [],
        [],
        [
            {"user": "nova", "vhost": "nova", "exchange": "amq.topic", "write": "^a", "read": "^b"},
            # The API has one path for the permissions on all exchanges.
            {"user": "nova", "vhost": "nova", "exchange": "", "write": "^a", "read": "^b"},
            {"user": "nova", "vhost": "cells", "exchange": "amq.topic", "write": "^a", "read": "^b"},
            {"user": "other", "vhost": "nova", "exchange": "amq.topic", "write": "^a", "read": "^b"},
        ],
        [{"user": "nova", "value": {"max-connections": 0}}, {"user": "other", "value": {"max-channels": 1}}],
        [{"vhost": "nova", "value": {"max-queues": 5, "max-connections": 0}}, {"vhost": "/", "value": {}}],
    )
    state.topics, state.limits = more.topics, more.limits
    sent = []

    class Api:
        """Takes everything down."""

        def call(self, method, path):
            sent.append((method, path))

    assert lines(items, state) == [
        "change RabbitMQ virtual host nova: no limit of max-connections, max-queues",
        "change RabbitMQ user nova: no limit of max-connections",
        "delete RabbitMQ permission nova on nova: topics of amq.topic, the default exchange",
    ]
    for change in rabbitmq_users.plan(ADMIN, items, [], state, Api()):
        change.make()
    assert sent == [
        ("DELETE", "/api/vhost-limits/nova/max-queues"),
        ("DELETE", "/api/vhost-limits/nova/max-connections"),
        ("DELETE", "/api/user-limits/nova/max-connections"),
        ("DELETE", "/api/topic-permissions/nova/nova"),
    ]


@pytest.mark.parametrize(
    ("code", "said", "words"),
    [
        (0, '{"is_under_maintenance": true}', r"was drained \(rabbitmq-upgrade drain\).*restart rabbitmq-server"),
        (64, "Error: this command requires the 'rabbit' app to be running on the target node.", "stop_app"),
        (0, '{"is_under_maintenance": false}', "Does rabbitmq-server run"),
        (69, "Error: unable to perform an operation on node", "Does rabbitmq-server run"),
    ],
)
def test_a_node_that_is_up_and_serves_no_client(monkeypatch, code, said, words):
    """A drained node, or one without its application, closes the management API."""
    monkeypatch.setattr(subprocess, "run", lambda command, **_how: subprocess.CompletedProcess(command, code, said, ""))
    with pytest.raises(Unreachable, match=words):
        rabbitmq_users.read(Refusing(Unreachable("refused")), 5)


def test_absent_takes_the_virtual_host_that_nobody_else_uses():
    state = whole(item("nova"), item("cells", "nova"), item("heat"))
    gone = [item("nova", state="absent", password=None), item("cells", "nova"), item("heat", state="absent")]
    assert lines(gone, state) == [
        "delete RabbitMQ user nova",
        "delete RabbitMQ user heat",
        "delete RabbitMQ virtual host heat",
    ]


def test_wanted_and_removed_is_refused():
    with pytest.raises(Failed, match="nova is both wanted and to be removed"):
        lines([item("nova")], whole(item("nova")), remove=["nova"])


def test_passwords_travel_as_hashes_only():
    sent = []

    class Api:
        """Takes everything down."""

        def call(self, *request):
            sent.append(request)

    for change in rabbitmq_users.plan(ADMIN, [item("nova")], ["guest"], State.parse(*FRESH.values()), Api()):
        change.make()
    assert ("DELETE", "/api/users/guest") in sent
    assert "secret-" not in repr(sent)
    body = next(body for method, path, *rest in sent if path == "/api/users/nova" for body in rest)
    assert rabbitmq_users.matches("secret-nova", {**body})


class Refusing:
    """An API that lets nobody in, or isn't there."""

    def __init__(self, error):
        self.error = error

    def wait(self, path, seconds):
        pass

    def get(self, path):
        raise self.error


def test_the_administrator_is_made_by_stdin(monkeypatch):
    runs = []

    def run(command, **how):
        runs.append((command[1:], how["input"]))
        if command[1] == "add_user":
            return subprocess.CompletedProcess(command, 70, "", 'User "boss" already exists')
        return subprocess.CompletedProcess(command, 0, json.dumps(FRESH), "")

    monkeypatch.setattr(subprocess, "run", run)
    state = rabbitmq_users.read(Refusing(Denied("401")), 5)
    assert not state.admin_enters
    assert lines([], state)[0] == "create RabbitMQ user boss"
    rabbitmq_users.let_in(ADMIN)
    # rabbitmqctl counts its arguments to know whether to read stdin.
    assert runs[1:3] == [(["add_user", "boss"], "secret-boss\n"), (["change_password", "boss"], "secret-boss\n")]
    assert runs[3] == (["set_user_tags", "boss", "administrator"], "")


def test_nobody_there(monkeypatch):
    def run(command, **how):
        raise FileNotFoundError

    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(Unreachable):
        rabbitmq_users.read(Refusing(Unreachable("refused")), 0)
    with pytest.raises(Unreachable, match="Does rabbitmq-server run"):
        rabbitmq_users.read(Refusing(Unreachable("refused")), 5)


def test_a_stopped_broker_is_presumed_to_hold_what_is_on_its_disk(tmp_path, monkeypatch):
    monkeypatch.setattr(rabbitmq_users, "DATADIR", str(tmp_path))
    items = [item("nova"), item("gone", state="absent", password=None)]
    assert "create RabbitMQ user nova" in lines(items, rabbitmq_users.presume(items, ADMIN))
    directory = tmp_path / "rabbit@host" / "msg_stores" / "vhosts" / "ABC"
    directory.mkdir(parents=True)
    (directory / ".vhost").write_text("nova")
    assert lines(items, rabbitmq_users.presume(items, ADMIN)) == []
