# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""RabbitMQ's virtual hosts, users and permissions: the actual and the desired state."""

from __future__ import annotations

import base64
import glob
import hashlib
import hmac
import json
import os
import subprocess
from dataclasses import dataclass, field
from functools import partial
from urllib.parse import quote

from ansible_collections.cairn.openstack.plugins.module_utils.common.changes import Change, Failed, Unreachable
from ansible_collections.cairn.openstack.plugins.module_utils.common.rest import Api, Denied

HASHING = "rabbit_password_hashing_sha256"
QUEUES = "quorum"
NOT_STARTED = "app to be running"
EVERYTHING = {"configure": ".*", "write": ".*", "read": ".*"}
LISTS = (
    "users",
    "vhosts?disable_stats=true",
    "permissions",
    "topic-permissions",
    "user-limits",
    "vhost-limits",
)
DATADIR = "/var/lib/rabbitmq/mnesia"
_USER = {
    "name": {"type": "str", "required": True},
    "password": {"type": "str", "no_log": True},
    "vhost": {"type": "str", "required": True},
    "tags": {"type": "list", "elements": "str", "default": []},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}
_ADMIN = {"name": {"type": "str", "required": True}, "password": {"type": "str", "required": True, "no_log": True}}
SPEC = {
    "admin": {"type": "dict", "required": True, "options": _ADMIN},
    "users": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": _USER,
        "required_if": [("state", "present", ["password"])],
    },
    "remove": {"type": "list", "elements": "str", "default": ["guest"]},
    "url": {"type": "str", "default": "http://127.0.0.1:15672"},
    "wait": {"type": "int", "default": 60},
}
"""The options of the module."""


def compute(options: dict, check_mode: bool) -> tuple[list[Change], bool]:
    """Return the changes to make, and whether the broker responded.

    :raises Failed: it cannot be queried; not in check mode.
    """
    admin = {**options["admin"], "vhost": "/", "tags": ["administrator"], "state": "present"}
    api = Api(options["url"], basic=(admin["name"], admin["password"]))
    try:
        state = read(api, 0 if check_mode else options["wait"])
    except Unreachable:
        if not check_mode:
            raise
        state = presume(options["users"], admin)
    return plan(admin, options["users"], options["remove"], state, api), state.reachable


def salted_hash(password: str, salt: bytes) -> str:
    """Return RabbitMQ's hash of a password: base64 of the 4-byte salt and sha256(salt + password)."""
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()


def matches(password: str, user: dict) -> bool:
    """Whether the stored hash of a user matches this password."""
    stored = user.get("password_hash") or ""
    if user.get("hashing_algorithm") != HASHING or not stored:
        return False
    return hmac.compare_digest(salted_hash(password, base64.b64decode(stored)[:4]), stored)


@dataclass
class State:
    """The state of a broker: users and virtual hosts by name, permissions by (user, virtual host).

    C(topics) has the users' permissions on topics by (user, virtual host, exchange). C(limits) has the limits that are
    set: (C(user) or C(vhost), its name) → name of the limit → value.
    """

    users: dict = field(default_factory=dict)
    vhosts: dict = field(default_factory=dict)
    permissions: dict = field(default_factory=dict)
    topics: dict = field(default_factory=dict)
    limits: dict = field(default_factory=dict)
    admin_enters: bool = True
    reachable: bool = True

    @classmethod
    def parse(
        cls,
        users: list[dict],
        vhosts: list[dict],
        permissions: list[dict],
        topics=(),
        user_limits=(),
        limits=(),
        **more,
    ) -> State:
        """Return the state from lists in the form of the API."""
        return cls(
            {user["name"]: user for user in users},
            {vhost["name"]: _queue_type(vhost) for vhost in vhosts},
            {(entry["user"], entry["vhost"]): {key: entry[key] for key in EVERYTHING} for entry in permissions},
            {
                (entry["user"], entry["vhost"], entry["exchange"]): {key: entry[key] for key in ("write", "read")}
                for entry in topics
            },
            {("user", entry["user"]): entry["value"] for entry in user_limits}
            | {("vhost", entry["vhost"]): entry["value"] for entry in limits},
            **more,
        )


def read(api: Api, wait: float) -> State:
    """Return the state of the broker from the API, or from rabbitmqctl if the administrator cannot log in.

    :param wait: seconds to wait for the API.
    :raises Unreachable: neither responds.
    """
    try:
        api.wait("/api/users", wait)
        lists = [api.get(f"/api/{path}") for path in LISTS]
        return State.parse(*lists)
    except Denied:
        return State.parse(*_definitions(), admin_enters=False)
    except Unreachable as error:
        if wait:
            raise Unreachable(f"RabbitMQ's management API: {error}. {idle()}") from error
        return State.parse(*_definitions(), reachable=False)


def presume(items: list[dict], admin: dict) -> State:
    """Return the likely state of a broker that cannot be queried: its virtual hosts are on the disk."""
    names = set()
    for path in glob.glob(os.path.join(DATADIR, "*", "msg_stores", "vhosts", "*", ".vhost")):
        with open(path, encoding="utf-8") as file:
            names.add(file.read())
    # Every broker has it, so it is no evidence.
    names.discard("/")
    # A new broker creates these.
    state = State({"guest": {"name": "guest"}}, {"/": None}, admin_enters=False, reachable=False)
    for item in items:
        if item["state"] == "present" and (item["vhost"] in names or (item["vhost"] == "/" and names)):
            state.admin_enters = True
            state.users.pop("guest", None)
            for entry in (item, admin):
                state.users[entry["name"]] = _stored(entry)
                state.permissions[entry["name"], entry["vhost"]] = dict(EVERYTHING)
            state.vhosts[item["vhost"]] = QUEUES
    return state


def plan(admin: dict, items: list[dict], remove: list[str], state: State, api: Api) -> list[Change]:
    """Return the changes from the actual to the desired state.

    :param admin: the administrator, in the form of an entry of C(items).
    """
    for name in remove:
        if any(name == item["name"] and item["state"] == "present" for item in [admin, *items]):
            raise Failed(f"RabbitMQ user {name} is both wanted and to be removed")
    changes: list[Change] = []
    if not state.admin_enters:
        exists = admin["name"] in state.users
        changes.append(
            Change(
                "RabbitMQ user",
                "change" if exists else "create",
                admin["name"],
                {"enters": False} if exists else {},
                {"enters": True, "tags": admin["tags"]},
                lambda: let_in(admin),
                "password, tags" if exists else "",
            )
        )
        state.users[admin["name"]] = _stored(admin)
    present = [admin] + [item for item in items if item["state"] == "present"]
    for vhost in dict.fromkeys(item["vhost"] for item in present):
        changes += _vhost(vhost, state, api) + _limits("vhost", vhost, state, api)
    for item in present:
        changes += _user(item, state, api) + _limits("user", item["name"], state, api)
        changes += _permissions(item, state, api) + _topics(item, state, api)
    gone = [item for item in items if item["state"] == "absent"]
    for name in [item["name"] for item in gone] + remove:
        if name in state.users:
            changes.append(_delete(api, "RabbitMQ user", name, f"/api/users/{quote(name, '')}"))
    for vhost in dict.fromkeys(item["vhost"] for item in gone):
        if vhost in state.vhosts and vhost not in {item["vhost"] for item in present}:
            changes.append(_delete(api, "RabbitMQ virtual host", vhost, f"/api/vhosts/{quote(vhost, '')}"))
    return changes


def _topics(item: dict, state: State, api: Api) -> list[Change]:
    """Return the deletion of permissions on topics: they restrict what the user may do by its other permissions."""
    user, vhost = item["name"], item["vhost"]
    held = {
        exchange or "the default exchange": rights
        for (owner, place, exchange), rights in state.topics.items()
        if (owner, place) == (user, vhost)
    }
    if not held:
        return []
    return [
        Change(
            "RabbitMQ permission",
            "delete",
            f"{user} on {vhost}",
            held,
            {},
            # Deletes those on all exchanges.
            partial(_drop, api, f"/api/topic-permissions/{quote(vhost, '')}/{quote(user, '')}"),
            f"topics of {', '.join(sorted(held))}",
        )
    ]


def _limits(place: str, name: str, state: State, api: Api) -> list[Change]:
    """Return the deletions of the limits of a user or virtual host, such as of its connections."""
    kind = {"user": "RabbitMQ user", "vhost": "RabbitMQ virtual host"}[place]
    held = state.limits.get((place, name))
    if not held:
        return []

    def drop() -> None:
        for limit in held:
            _drop(api, f"/api/{place}-limits/{quote(name, '')}/{limit}")

    return [Change(kind, "change", name, dict(held), {}, drop, f"no limit of {', '.join(sorted(held))}")]


def _vhost(name: str, state: State, api: Api) -> list[Change]:
    found = state.vhosts.get(name)
    if name in state.vhosts and (name == "/" or found == QUEUES):
        return []
    exists = name in state.vhosts
    wanted = {"default_queue_type": QUEUES}
    before = {"default_queue_type": found or "classic"} if exists else {}
    return [
        Change(
            "RabbitMQ virtual host",
            "change" if exists else "create",
            name,
            before,
            wanted,
            lambda: _put(api, f"/api/vhosts/{quote(name, '')}", wanted),
            "default queue type" if exists else "",
        )
    ]


def _user(item: dict, state: State, api: Api) -> list[Change]:
    name, found = item["name"], state.users.get(item["name"])
    after = {"password": "as given", "tags": sorted(item["tags"])}
    before = {}
    if found:
        same = matches(item["password"], found)
        before = {"password": "as given" if same else "another", "tags": sorted(_tags(found))}
    if before == after:
        return []
    # Only the hash is sent, not the password.
    body = {"password_hash": salted_hash(item["password"], os.urandom(4)), "hashing_algorithm": HASHING}
    body["tags"] = ",".join(after["tags"])
    return [
        Change(
            "RabbitMQ user",
            "change" if found else "create",
            name,
            before,
            after,
            lambda: _put(api, f"/api/users/{quote(name, '')}", body),
            ", ".join(key for key in after if before[key] != after[key]) if found else "",
        )
    ]


def _permissions(item: dict, state: State, api: Api) -> list[Change]:
    """Return the changes for all permissions on the user's own virtual host, and none on others."""
    changes, name = [], item["name"]
    held = {vhost: what for (user, vhost), what in state.permissions.items() if user == name}
    for vhost in dict.fromkeys([item["vhost"], *held]):
        own = vhost == item["vhost"]
        if (own and held.get(vhost) == EVERYTHING) or (not own and item["tags"]):
            continue
        path = f"/api/permissions/{quote(vhost, '')}/{quote(name, '')}"
        change = partial(Change, "RabbitMQ permission", name=f"{name} on {vhost}", before=held.get(vhost, {}))
        if own:
            verb = "change" if vhost in held else "create"
            changes.append(change(verb, after=EVERYTHING, apply=partial(_put, api, path, EVERYTHING)))
        else:
            changes.append(change("delete", after={}, apply=partial(_drop, api, path)))
    return changes


def _delete(api: Api, kind: str, name: str, path: str) -> Change:
    return Change(kind, "delete", name, {"state": "present"}, {}, lambda: _drop(api, path))


def _put(api: Api, path: str, body: dict) -> None:
    api.call("PUT", path, body)


def _drop(api: Api, path: str) -> None:
    api.call("DELETE", path)


def _tags(user: dict) -> list[str]:
    """Return tags as a list; before RabbitMQ 3.9 they were one string."""
    tags = user.get("tags", [])
    return tags if isinstance(tags, list) else [tag for tag in tags.split(",") if tag]


def _queue_type(vhost: dict) -> str | None:
    return vhost.get("default_queue_type") or (vhost.get("metadata") or {}).get("default_queue_type")


def _stored(item: dict) -> dict:
    """Return a user of this entry in the form of the list of users."""
    return {
        "name": item["name"],
        "tags": item["tags"],
        "password_hash": salted_hash(item["password"], b"salt"),
        "hashing_algorithm": HASHING,
    }


def _definitions() -> tuple[list, list, list]:
    """Return users, virtual hosts and permissions from rabbitmqctl, in one call of about two seconds."""
    data = json.loads(_rabbitmqctl("--quiet", "export_definitions", "-", "--format", "json"))
    return data["users"], data["vhosts"], data["permissions"]


def idle() -> str:
    """Return why a node whose unit is active serves no client, with the remedy.

    A drained node closes all its ports, that of the management API too.
    """
    remedy = "if that is no longer wanted, systemctl restart rabbitmq-server on this host ends it"
    try:
        drained = json.loads(_rabbitmqctl("--quiet", "status", "--formatter", "json")).get("is_under_maintenance")
    except Unreachable as error:
        if NOT_STARTED in str(error):
            return f"The node runs, but its application was stopped (rabbitmqctl stop_app): {remedy}"
        drained = False
    except (Failed, ValueError):
        drained = False
    if drained:
        return f"The node was drained (rabbitmq-upgrade drain): {remedy}"
    return "Does rabbitmq-server run, with rabbitmq_management?"


def let_in(admin: dict) -> None:
    """Create or correct the administrator without the API. The password is passed by stdin, not on a command line.

    rabbitmqctl reads stdin only if it gets only the command and the name: with --quiet it would hang.
    """
    name, secret = admin["name"], admin["password"] + "\n"
    try:
        _rabbitmqctl("add_user", name, stdin=secret)
    except Failed as error:
        if "already exists" not in str(error):
            raise
        _rabbitmqctl("change_password", name, stdin=secret)
    _rabbitmqctl("set_user_tags", name, *admin["tags"])


def _rabbitmqctl(*arguments: str, stdin: str = "") -> str:
    """Return its output; raise Unreachable if the node is down, and Failed with its message for other errors."""
    try:
        done = subprocess.run(
            ["rabbitmqctl", *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    except FileNotFoundError as error:
        raise Unreachable("rabbitmqctl is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise Unreachable(f"rabbitmqctl {arguments[0]} did not respond within {error.timeout:g} s") from error
    if done.returncode == 0:
        return done.stdout
    words = " ".join((done.stderr or done.stdout).split())[:500]
    # EX_UNAVAILABLE of sysexits, or a node whose broker is still starting.
    absent = done.returncode == 69 or NOT_STARTED in words
    raise (Unreachable if absent else Failed)(f"{' '.join(arguments)}: {words}")
