# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The processes on all hosts that a service's API lists: disabled ones, silent ones, those of hosts that have left."""

from __future__ import annotations

import datetime
import math
import re
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from ansible_collections.cairn.openstack.plugins.module_utils.common.changes import Failed, returned
from ansible_collections.cairn.openstack.plugins.module_utils.common.rest import Api

PROCESS_LIST = {
    "url": {"type": "str", "required": True},
    "unit": {"type": "str", "required": True},
    "get": {"type": "str", "required": True},
    "key": {"type": "str", "required": True, "no_log": False},
    "headers": {"type": "dict", "default": {}},
    "name": {"type": "str", "default": "binary"},
    "host": {"type": "str", "default": "host"},
    "disabled": {"type": "dict", "required": True},
    "reason": {"type": "str"},
    "runs_on": {"type": "dict", "default": {}},
    "down": {"type": "dict", "required": True},
    "reported": {"type": "str"},
    "down_after": {"type": "int"},
    "forced_down": {"type": "dict"},
    "enable": {
        "type": "dict",
        "options": {
            "put": {"type": "str", "required": True},
            "body": {"type": "dict", "required": True},
            "reasons": {"type": "str", "required": True},
        },
    },
    "commands": {
        "type": "dict",
        "required": True,
        "options": {
            "enable": {"type": "str", "required": True},
            "remove": {"type": "str", "required": True},
            "up": {"type": "str"},
        },
    },
}
"""A list of processes, as options of a module."""

# Seconds for a process to enable itself after its failure has ended.
RECOVERY = 30


class Process(NamedTuple):
    """A process as its service's API lists it.

    :param listed: the description of the list, in the form of ``PROCESS_LIST``.
    :param record: what the API returns of it.
    :param silence: seconds since its last report when the API was asked; 0 if the list does not tell.
    """

    listed: dict[str, Any]
    record: dict[str, Any]
    silence: float = 0.0

    def __str__(self) -> str:
        return f"{self.record[self.listed['name']]} on {self.host}"

    @property
    def host(self) -> str:
        """The name of its host; Cinder adds the back end to it."""
        return self.record[self.listed["host"]].partition("@")[0]

    @property
    def backend(self) -> str:
        """The name of its back end, empty if it has none."""
        return self.record[self.listed["host"]].partition("@")[2]

    def left(self, hosts: set[str]) -> str:
        """Return why the process no longer belongs to the cloud, empty if it does.

        :param hosts: the names of all hosts and back ends.
        """
        name = self.record[self.listed["name"]]
        if self.backend and self.backend not in hosts:
            return f"cloud_storage has no back end {self.backend}"
        if self.host not in hosts:
            return f"the inventory has no host {self.host}"
        if name in self.listed["runs_on"] and self.host not in (*self.listed["runs_on"][name], self.backend):
            return f"{self.host} is in none of its node groups"
        return ""

    def places(self) -> list[str]:
        """Return the hosts on which it runs: where it names its back end in place of a host, on one of these."""
        return self.listed["runs_on"].get(self.record[self.listed["name"]], []) if self.shared else [self.host]

    @property
    def shared(self) -> bool:
        """Whether it names its back end in place of a host, so that any of several hosts can run it."""
        # A service that judges its processes itself knows of such ones that are gone for good.
        return bool(self.listed["reported"]) and bool(self.backend) and self.host == self.backend

    def _is(self, state: str) -> bool:
        rule = self.listed[state]
        return bool(rule) and all(self.record.get(key) == value for key, value in rule.items())

    @property
    def forced_down(self) -> bool:
        """Whether an administrator declared it down."""
        return self._is("forced_down")

    @property
    def down(self) -> bool:
        """Whether its last report is too old."""
        late = bool(self.listed["reported"]) and self.silence > self.listed["down_after"]
        return (self._is("down") or late) and not self.forced_down

    @property
    def disabled(self) -> bool:
        """Whether it gets no work."""
        return self._is("disabled")

    @property
    def reason(self) -> str:
        """Why it is disabled, empty if no reason was given."""
        return str(self.record.get(self.listed["reason"] or "") or "")

    @property
    def recovered(self) -> bool:
        """Whether the service disabled it after a failure that has ended."""
        rule = self.listed["enable"]
        return self.disabled and not self.down and bool(rule and re.match(rule["reasons"], self.reason))

    def command(self, name: str) -> str:
        """Return a command of the list for this process."""
        return self.listed["commands"][name] % self.record


def processes(lists: list[dict], api_of: Any) -> Iterator[Process]:
    """Request all *lists* and yield their processes.

    :param api_of: see ``client``.
    :raises Failed: an API responds with an error or with a time that is none, or not at all.
    """
    for listed in lists:
        api, project = api_of(listed)
        answer = api.get(listed["get"] % {"project_id": project})
        now = datetime.datetime.now(datetime.UTC)
        yield from (Process(listed, record, _silence(listed, record, now)) for record in answer[listed["key"]])


def _silence(listed: dict[str, Any], record: dict[str, Any], now: datetime.datetime) -> float:
    """Return the seconds since the last report of a process: infinite if it never reported, 0 if that is unknown."""
    if not (key := listed["reported"]):
        return 0.0
    if not (text := record.get(key)):
        return math.inf
    try:
        last = datetime.datetime.fromisoformat(str(text))
    except ValueError as error:
        raise Failed(f"{listed['get']}: {key} is {text!r}, which is no time") from error
    # Services write it in UTC, most of them without saying so.
    return (now - (last if last.tzinfo else last.replace(tzinfo=datetime.UTC))).total_seconds()


def client(caller: Any) -> Any:
    """Return a function that returns the client for a list, with the token of *caller*, and the project's id."""

    def api_of(listed: dict) -> tuple[Api, str]:
        token, project, cafile = caller.entered()
        api = Api(listed["url"], cafile)
        api.headers |= {"X-Auth-Token": token, **listed["headers"]}
        return api, project

    return api_of


def settled(
    lists: list[dict],
    connect: Callable[[], Any],
    hosts: set[str],
    playing: set[str],
    wait: float,
    interval: float = 3,
) -> list[Process]:
    """Return the processes, after waiting until those on the hosts *playing* have reported and enabled themselves.

    :param connect: returns a new result of ``client``.
    :param hosts: the names of all hosts and back ends.
    :param wait: timeout in seconds for reports, and for APIs that fail.
    :raises Failed: an API still responds with an error, or not at all.
    """
    start = time.monotonic()
    while True:
        waited = time.monotonic() - start
        try:
            found = list(processes(lists, connect()))
        except Failed:
            if waited >= wait:
                raise
        else:
            late = waited < wait and silent(found, hosts, playing)
            # After a restart of what it depends on, a process soon ends this itself.
            disabled = waited < RECOVERY and any(one.recovered for one in found)
            if not late and not disabled:
                return found
        time.sleep(interval)


def enable(found: list[Process], api_of: Any, check_mode: bool) -> list[dict[str, str]]:
    """Enable the processes that have recovered; return the changes."""
    changes = []
    for one in found:
        if one.recovered:
            rule = one.listed["enable"]
            if not check_mode:
                api_of(one.listed)[0].call("PUT", rule["put"] % one.record, rule["body"])
            changes.append(returned("service process", "enable", str(one), one.reason))
    return changes


def silent(found: list[Process], hosts: set[str], playing: set[str]) -> list[str]:
    """Return messages about the processes on the hosts *playing* that do not report.

    :param hosts: the names of all hosts and back ends.
    """
    return [
        f"{one} is down: it has not reported to its API for too long. See its log on {' or '.join(one.places())}. If it"
        f" does not run there any more: {one.command('remove')}"
        for one in found
        if one.down and playing & {*one.places()} and not one.left(hosts)
    ]


def warnings(found: list[Process], hosts: set[str]) -> list[str]:
    """Return messages about the processes that get no work, or do not belong to the cloud of *hosts* any more."""
    messages = []
    for one in found:
        if why := one.left(hosts):
            messages.append(f"{one}: {why}. To remove what is left of it: {one.command('remove')}")
            continue
        if one.forced_down:
            messages.append(f"{one} was declared down, and gets no new work. To end that: {one.command('up')}")
        if one.disabled and not one.recovered:
            why = f" ({one.reason})" if one.reason else ""
            messages.append(f"{one} is disabled{why} and gets no new work. To enable it: {one.command('enable')}")
    return messages
