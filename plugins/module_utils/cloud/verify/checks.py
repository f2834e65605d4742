# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks with dependencies: each starts as soon as those that it needs have passed, independent ones in parallel."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass, field
from typing import Any

from ansible_collections.cairn.openstack.plugins.module_utils.cloud.sdk import request_id, words

PASSED, FAILED, NOT_RUN = "passed", "failed", "not run"
THREADS = 12


class NotRun(Exception):
    """The check cannot run here; the message has the reason. It counts as neither passed nor failed."""


class Bad(Exception):
    """The check failed.

    :param ids: ids of the object in the logs of the services.
    :param hosts: Nova's names of the compute hosts concerned.
    """

    def __init__(self, message: str, ids: tuple[str, ...] = (), hosts: tuple[str, ...] = ()):
        super().__init__(message)
        self.ids = ids
        self.hosts = hosts


@dataclass
class Check:
    """A check, a row of the table.

    C(run) returns a detail for the table, or raises.

    :param needs: checks that must have passed.
    :param after: checks that must have ended, with any outcome.
    :param services: services whose logs may show why it failed: directories in /var/log and prefixes of units.
    :param groups: node groups of these services.
    """

    name: str
    run: Callable[[], str | None]
    needs: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    groups: tuple[str, ...] = ("controller",)


def _none(_of: Any) -> list[Check]:
    return []


def _nothing_left(_admin: Any, _project: str, _seconds: float) -> list[str]:
    return []


@dataclass(frozen=True)
class Service:
    """How an optional service is verified.

    :param name: the service's, as in C(cloud_services).
    :param what: what its users create.
    :param checks: returns the checks that create it, for the run and a function that makes a check.
    :param sweep: deletes it in a project, and returns what remains: for the administrator's connection, the project's
        id and seconds to wait. By default there is nothing to delete.
    :param written: returns the checks inside of servers, for a probe.
    :param copies: returns the checks of what the servers wrote, with an administrator's connection.
    :param read: returns the checks inside of servers after those, for a probe.
    :param last: whether what its users create is deleted after all else, as keys of volumes are.
    """

    name: str
    what: str
    checks: Callable[[Any, Callable[..., Check]], list[Check]]
    sweep: Callable[[Any, str, float], list[str]] = _nothing_left
    written: Callable[[Any], list[Check]] = _none
    copies: Callable[[Any], list[Check]] = _none
    read: Callable[[Any], list[Check]] = _none
    last: bool = False


@dataclass
class Result:
    """The result of a check; of a failed one also where to search for the cause."""

    name: str
    outcome: str
    seconds: float = 0.0
    detail: str = ""
    ids: list[str] = field(default_factory=list)
    hosts: list[str] = field(default_factory=list)
    services: list[str] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)

    def as_dict(self) -> dict:
        """Return the result as plain data, for the module's result."""
        return asdict(self)


def perform(check: Check) -> Result:
    """Run one check."""
    start = time.monotonic()
    result = Result(check.name, PASSED)
    try:
        result.detail = check.run() or ""
    except NotRun as why:
        result.outcome, result.detail = NOT_RUN, str(why)
    except Exception as error:
        result.outcome, result.detail = FAILED, str(error) if isinstance(error, Bad) else words(error)
        result.ids = [found for found in (*getattr(error, "ids", ()), request_id(error)) if found]
        result.hosts = list(getattr(error, "hosts", ()))
        result.services, result.groups = list(check.services), list(check.groups)
    result.seconds = round(time.monotonic() - start, 1)
    return result


def perform_all(checks: list[Check], earlier: dict[str, str] | None = None) -> list[Result]:
    """Run the checks and return their results in the given order.

    :param earlier: outcomes of checks that ran elsewhere, by name.
    """
    outcomes = dict(earlier or {})
    results: dict[str, Result] = {}
    waiting = list(checks)
    running: dict = {}
    with ThreadPoolExecutor(THREADS) as pool:
        while waiting or running:
            ready = [check for check in waiting if all(name in outcomes for name in (*check.needs, *check.after))]
            if not ready and not running:
                raise ValueError(f"unknown dependencies of: {', '.join(check.name for check in waiting)}")
            for check in ready:
                waiting.remove(check)
                lacking = [name for name in check.needs if outcomes[name] != PASSED]
                if lacking:
                    results[check.name] = Result(check.name, NOT_RUN, detail=f"it needs: {', '.join(lacking)}")
                    outcomes[check.name] = NOT_RUN
                else:
                    running[pool.submit(perform, check)] = check
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                name = running.pop(future).name
                results[name] = future.result()
                outcomes[name] = results[name].outcome
    return [results[check.name] for check in checks]


def poll(ask: Callable[[], object], seconds: float, pause: float = 1.0):
    """Return the first true result, or the last one after that many seconds."""
    end = time.monotonic() + seconds
    while True:
        answer = ask()
        if answer or time.monotonic() >= end:
            return answer
        time.sleep(pause)
