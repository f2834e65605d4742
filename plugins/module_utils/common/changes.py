# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Common code of the modules that take lists: changes are computed first, then made, then returned."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby

# The kinds of things that modules change.
KINDS = (
    "aggregate",
    "aggregate host",
    "bridge",
    "Ceph device",
    "Ceph file system",
    "Ceph monitor",
    "Ceph placement rule",
    "Ceph pool",
    "Ceph user",
    "certificate",
    "command",
    "database",
    "database grant",
    "database user",
    "DHCP server",
    "directory",
    "directory of users",
    "domain",
    "endpoint",
    "file",
    "flavor",
    "group",
    "guest",
    "identity provider",
    "image",
    "key repository",
    "mapping",
    "network",
    "network interface",
    "network namespace",
    "package",
    "price",
    "project",
    "protocol",
    "quota",
    "RabbitMQ permission",
    "RabbitMQ user",
    "RabbitMQ virtual host",
    "rating module",
    "region",
    "resource provider",
    "ring",
    "role",
    "role assignment",
    "router",
    "router interface",
    "schema step",
    "secret",
    "server",
    "service",
    "service process",
    "subnet",
    "unit",
    "user",
    "volume group",
    "volume type",
)
# Kinds whose names need no prefix. A step is a task of a module that reports only whether it changed something.
SELF_EVIDENT = ("file", "step", "unit")
# Small hosts do not handle more at the same time.
WORKERS = 4


class Failed(Exception):
    """An error for the user: its text names the object and the cause."""


class Unreachable(Failed):
    """No response: not installed, not running, or not ready."""


def full_name(kind: str, name: str) -> str:
    """Return the name of a thing in messages: ``database nova``, ``/etc/nova/nova.conf``."""
    return name if kind in SELF_EVIDENT else f"{kind} {name}"


def returned(kind: str, verb: str, name: str, detail: str = "") -> dict[str, str]:
    """Return a change in the form of all modules.

    :param kind: the kind of thing, one of C(KINDS).
    :param verb: the action, in its base form.
    :param detail: the part that changed, or the cause.
    """
    return {"kind": kind, "verb": verb, "name": name, "detail": detail}


def sentence(change: dict[str, str]) -> str:
    """Return a change as text: ``restart nova-api: /etc/nova/nova.conf``."""
    words = f"{change['verb']} {full_name(change['kind'], change['name'])}"
    return f"{words}: {change['detail']}" if change["detail"] else words


def listed(changes: list[dict[str, str]]) -> dict[str, str]:
    """Return one diff for changes without their own, with a line for each."""
    return {"before": "", "after": "".join(f"{sentence(change)}\n" for change in changes)}


@dataclass
class Change:
    """A difference between the actual and the desired state.

    C(before) and C(after) are shown to users: they contain no secrets, only whether these differ.

    :param kind: as for ``returned``, like C(verb), C(name) and C(detail).
    :param stage: a change that depends on another one has a later stage.
    """

    kind: str
    verb: str
    name: str
    before: dict
    after: dict
    apply: Callable[[], None]
    detail: str = ""
    stage: int = 0
    done: bool = False

    @property
    def full_name(self) -> str:
        """The name of the thing in messages."""
        return full_name(self.kind, self.name)

    def __str__(self) -> str:
        return sentence(self.returned())

    def returned(self) -> dict[str, str]:
        """Return it in the form of all modules."""
        return returned(self.kind, self.verb, self.name, self.detail)

    def make(self) -> None:
        """Make the change unless already made; errors name the change."""
        if self.done:
            return
        try:
            self.apply()
        except Failed as error:
            raise Failed(f"{self}: {error}") from error
        self.done = True


def in_order(changes: list[Change]) -> None:
    """Make the changes in sequence."""
    for change in changes:
        change.make()


def by_stages(changes: list[Change]) -> None:
    """Make the changes stage by stage, those of a stage at the same time.

    :raises Failed: with all errors of the stage; later stages are not started.
    """
    with ThreadPoolExecutor(WORKERS) as pool:
        for _stage, group in groupby(changes, key=lambda change: change.stage):
            errors = [error for error in pool.map(_try, list(group)) if error]
            if errors:
                raise Failed("\n".join(errors))


def _try(change: Change) -> str | None:
    try:
        change.make()
    except Failed as error:
        return str(error)
    return None


def finish(module, changes: list[Change], perform: Callable[[list[Change]], None] = in_order, **result) -> None:
    """End the task: make the changes unless in check mode, and return them.

    :param module: the AnsibleModule.
    :param perform: makes the changes; if it raises Failed, only those made are returned.
    :param result: further keys of the result.
    """
    error = None
    if not module.check_mode:
        try:
            perform(changes)
        except Failed as failed:
            error = str(failed)
            changes = [change for change in changes if change.done]
    result.update(
        changed=bool(changes),
        changes=[change.returned() for change in changes],
        diff=[
            {
                "before_header": change.full_name,
                "after_header": change.full_name,
                "before": change.before,
                "after": change.after,
            }
            for change in changes
        ],
    )
    if error:
        module.fail_json(msg=error, **result)
    module.exit_json(**result)
