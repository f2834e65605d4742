# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the list-valued modules share: changes that are computed first, then made, then told."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby

# Weak machines make no more at once.
WORKERS = 4


class Failed(Exception):
    """An error that a person can act upon: its text names the object and the cause."""


class Unreachable(Failed):
    """Nobody answered: not installed, not running, or not yet."""


@dataclass
class Change:
    """One difference between what is there and what was asked for.

    C(before) and C(after) are shown to people: a secret is never in them, only that it differs.

    :param stage: what needs another change has a later one.
    """

    name: str
    deed: str
    before: dict
    after: dict
    apply: Callable[[], None]
    stage: int = 0
    done: bool = False

    def __str__(self) -> str:
        return f"{self.name}: {self.deed}"

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


def settle(module, changes: list[Change], perform: Callable[[list[Change]], None] = in_order, **result) -> None:
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
        changes=[str(change) for change in changes],
        diff=[
            {"before_header": change.name, "after_header": change.name, "before": change.before, "after": change.after}
            for change in changes
        ],
    )
    if error:
        module.fail_json(msg=error, **result)
    module.exit_json(**result)
