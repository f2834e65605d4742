# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the list-valued modules share: changes that are computed first, then made, then told."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby

# What modules change; each is said by the module that knows it.
KINDS = (
    "aggregate",
    "aggregate host",
    "bridge",
    "Ceph device",
    "Ceph monitor",
    "Ceph placement rule",
    "Ceph pool",
    "Ceph user",
    "certificate",
    "database",
    "database grant",
    "database user",
    "directory",
    "domain",
    "endpoint",
    "file",
    "flavor",
    "guest",
    "image",
    "key repository",
    "network",
    "network interface",
    "network namespace",
    "package",
    "project",
    "quota",
    "RabbitMQ permission",
    "RabbitMQ user",
    "RabbitMQ virtual host",
    "region",
    "ring",
    "role",
    "role assignment",
    "router",
    "router interface",
    "schema step",
    "secret",
    "service",
    "subnet",
    "unit",
    "user",
    "volume group",
    "volume type",
)
# Their names are enough to know what they are. A step is a task of a module that says only that it changed something.
SELF_EVIDENT = ("file", "step", "unit")
# Weak machines make no more at once.
WORKERS = 4


class Failed(Exception):
    """An error that a person can act upon: its text names the object and the cause."""


class Unreachable(Failed):
    """Nobody answered: not installed, not running, or not yet."""


def full_name(kind: str, name: str) -> str:
    """Return what people call a thing: ``database nova``, ``/etc/nova/nova.conf``."""
    return name if kind in SELF_EVIDENT else f"{kind} {name}"


def returned(kind: str, verb: str, name: str, detail: str = "") -> dict[str, str]:
    """Return a change as every module returns it.

    :param kind: what is changed, one of C(KINDS).
    :param verb: what is done to it, in its base form.
    :param detail: what of it, or why.
    """
    return {"kind": kind, "verb": verb, "name": name, "detail": detail}


def sentence(change: dict[str, str]) -> str:
    """Return a change in words: ``restart nova-api: /etc/nova/nova.conf``."""
    words = f"{change['verb']} {full_name(change['kind'], change['name'])}"
    return f"{words}: {change['detail']}" if change["detail"] else words


def listed(changes: list[dict[str, str]]) -> dict[str, str]:
    """Return one diff for changes that have none of their own: a line each."""
    return {"before": "", "after": "".join(f"{sentence(change)}\n" for change in changes)}


@dataclass
class Change:
    """One difference between what is there and what was asked for.

    C(before) and C(after) are shown to people: a secret is never in them, only that it differs.

    :param kind: as ``returned`` takes it, and so are C(verb), C(name) and C(detail).
    :param stage: what needs another change has a later one.
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
        """What people call the thing."""
        return full_name(self.kind, self.name)

    def __str__(self) -> str:
        return sentence(self.returned())

    def returned(self) -> dict[str, str]:
        """Return it as every module does."""
        return returned(self.kind, self.verb, self.name, self.detail)

    def make(self) -> None:
        """Make the change unless it has been made; an error says which one it was."""
        if self.done:
            return
        try:
            self.apply()
        except Failed as error:
            raise Failed(f"{self}: {error}") from error
        self.done = True


def in_order(changes: list[Change]) -> None:
    """Make the changes one after the other."""
    for change in changes:
        change.make()


def by_stages(changes: list[Change]) -> None:
    """Make the changes of one stage at the same time, stage after stage.

    :raises Failed: with the words of everything that failed in its stage; later stages are not begun.
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
    """End the task: make the changes unless in check mode, and return what changed (or would).

    :param module: the AnsibleModule.
    :param perform: makes the changes; raises Failed, after which only those that were made are told.
    :param result: further keys of the task's result.
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
