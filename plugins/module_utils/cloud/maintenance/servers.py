# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The servers of a compute host: migrated while it runs, evacuated when it is lost."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

from ansible_collections.cairn.openstack.plugins.module_utils.cloud.maintenance import REASON
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.sdk import rest, translate_errors
from ansible_collections.cairn.openstack.plugins.module_utils.common.changes import Change, Failed, Unreachable

# Details of failed actions since 2.84; from 2.95 on, evacuated servers would remain off.
VERSION = {"microversion": "2.90"}
# Order of the changes.
DISABLE, MOVE = 0, 1
# Seconds between two looks at a server.
LOOK = 2
LIVE, COLD = ("ACTIVE", "PAUSED"), ("ACTIVE", "SHUTOFF")
# Seconds until Nova takes a host that does not report as down, and some.
SILENT = 90
# The states of migrations in which the source still has something to do.
MOVING = {
    *("accepted", "queued", "preparing", "pre-migrating", "migrating", "post-migrating", "running"),
    *("confirming", "reverting"),
}
# What Nova can evacuate.
EVACUATED = ("ACTIVE", "SHUTOFF", "ERROR")


class Server(NamedTuple):
    """A server; *from_image* tells whether its disk is one of Nova's, and not a volume."""

    id: str
    name: str
    status: str
    from_image: bool


class Servers:
    """The servers of a host, and its nova-compute.

    :param conn: connection as the admin user.
    :param host: its name in Nova.
    :param timeout: timeout in seconds for each server.
    """

    def __init__(self, conn, host: str, timeout: int) -> None:
        self.compute, self.host, self.timeout = conn.compute, host, timeout

    def request(self, method: str, path: str, **options):
        """Return the decoded response of Nova; None without a body.

        :raises Failed: it refuses the request, or does not respond.
        """
        with translate_errors():
            response = rest(self.compute, method, path, **VERSION, **options)
        return response.json() if response.content else None

    def service(self) -> dict | None:
        """Return the host's nova-compute as Nova lists it; None if the host is no compute host."""
        found = self.request("GET", "/os-services", params={"binary": "nova-compute", "host": self.host})["services"]
        return found[0] if found else None

    def listed(self) -> list[Server]:
        """Return the servers of all projects on the host."""
        found: list[Server] = []
        while True:
            after = {"marker": found[-1].id} if found else {}
            params = {"all_tenants": "true", "host": self.host, **after}
            page = self.request("GET", "/servers/detail", params=params)["servers"]
            if not page:
                return found
            found += [Server(one["id"], one["name"], one["status"], bool(one["image"])) for one in page]

    def other(self) -> bool:
        """Whether another compute host takes servers."""
        found = self.request("GET", "/os-services", params={"binary": "nova-compute"})["services"]
        return any(one["host"] != self.host and one["status"] == "enabled" and one["state"] == "up" for one in found)

    def start(self, cold: bool) -> Iterator[Change]:
        """Yield what empties the host.

        :param cold: whether running servers that cannot be migrated live are shut down and migrated.
        """
        service = self.service()
        if not service:
            return
        if service["status"] == "enabled":
            yield self._service("disable", service, {"status": "disabled", "disabled_reason": REASON})
        found = self.listed()
        if found and not self.other():
            raise Failed(f"{self.host} has {len(found)} servers, and no other compute host takes them")
        for server in found:
            yield self._moved(server, cold)

    def end(self) -> Iterator[Change]:
        """Yield what makes the host take servers again."""
        service = self.service()
        if not service:
            return
        if service["forced_down"]:
            yield self._service("enable", service, {"forced_down": False}, "was declared down")
        if service["status"] == "disabled" and service["disabled_reason"] == REASON:
            yield self._service("enable", service, {"status": "enabled"})

    def lost(self, shared: bool) -> Iterator[Change]:
        """Yield what rebuilds the servers of a host that is off on other hosts.

        :param shared: whether the disks of servers are in shared storage; those that start from a volume always are.
        :raises Failed: there is nowhere to rebuild them, or the host still reports to Nova.
        """
        end = time.monotonic() + SILENT
        while (service := self.service()) and service["state"] == "up" and not service["forced_down"]:
            if time.monotonic() > end:
                raise Failed(
                    f"nova-compute on {self.host} still reports to Nova: power the host off, and run this again"
                )
            time.sleep(LOOK)
        if not service:
            return
        found = self.listed()
        if found and not self.other():
            raise Failed(f"{self.host} has {len(found)} servers, and no other compute host takes them")
        if not service["forced_down"]:
            yield self._service("disable", service, {"forced_down": True}, "declared down")
        for server in found:
            yield self._evacuated(server, shared)

    def settled(self) -> None:
        """Wait until the host has nothing to do any more for servers that have left it.

        :raises Failed: that takes too long.
        """
        end = time.monotonic() + self.timeout
        while True:
            found = self.request("GET", "/os-migrations", params={"source_compute": self.host})["migrations"]
            moving = [one for one in found if one["status"] in MOVING and one["source_compute"] == self.host]
            if not moving:
                return
            if time.monotonic() > end:
                names = ", ".join(f"{one['instance_uuid']} ({one['status']})" for one in moving)
                raise Failed(f"migrations that have not ended after {self.timeout} s: {names}")
            time.sleep(LOOK)

    def remaining(self) -> str:
        """Return the servers that are still on the host, with their states; empty without any."""
        return ", ".join(f"{name(server)} ({server.status})" for server in self.listed())

    def _service(self, verb: str, service: dict, body: dict, detail: str = "") -> Change:
        def apply():
            self.request("PUT", f"/os-services/{service['id']}", json=body)

        before = {key: service.get(key) for key in body}
        return Change(
            "service process",
            verb,
            f"nova-compute on {self.host}",
            before,
            body,
            apply,
            detail or body.get("disabled_reason", ""),
            DISABLE,
        )

    def _change(self, verb: str, server, detail: str, apply: Callable[[Change], None]) -> Change:
        change = Change(
            "server",
            verb,
            name(server),
            {"host": self.host, "status": server.status},
            {"host": "another"},
            lambda: apply(change),
            detail,
            MOVE,
        )
        return change

    def _moved(self, server, cold: bool) -> Change:
        """Return the migration of a server: live if it runs, otherwise as it is."""

        def apply(change: Change) -> None:
            if server.status in LIVE:
                try:
                    return self._live(server)
                except Unreachable:
                    # Nova may be migrating it.
                    raise
                except Failed as error:
                    now = self.request("GET", f"/servers/{server.id}")["server"]
                    here = now["OS-EXT-SRV-ATTR:host"] == self.host and now["OS-EXT-STS:task_state"] is None
                    if not cold or server.status not in COLD or not here:
                        raise
                    change.detail = f"cold: {error}"
            return self._cold(server)

        ways = {**dict.fromkeys(COLD, "cold"), **dict.fromkeys(LIVE, "live")}
        if server.status not in ways:
            return self._change("migrate", server, server.status, lambda _change: _refused(server))
        return self._change("migrate", server, ways[server.status], apply)

    def _live(self, server) -> None:
        self._action(server, {"os-migrateLive": {"host": None, "block_migration": "auto"}})
        self._away(server, "live-migration")

    def _cold(self, server) -> None:
        self._action(server, {"migrate": {"host": None}})
        self._until(server, "migrate", lambda now: now["status"] == "VERIFY_RESIZE")
        self._action(server, {"confirmResize": None})
        self._until(server, "confirmResize", lambda now: now["status"] != "VERIFY_RESIZE")

    def _evacuated(self, server, shared: bool) -> Change:
        def apply(_change: Change) -> None:
            if server.status not in EVACUATED:
                _refused(server)
            if not shared and server.from_image:
                raise Failed(
                    "its disk was on that host only. Nova can rebuild it from its image, without what was written to"
                    f" it: openstack server evacuate {server.id}. If the host can be repaired, its disk is kept"
                )
            self._action(server, {"evacuate": {}})
            self._away(server, "evacuate")

        return self._change("evacuate", server, server.status, apply)

    def _action(self, server, body: dict) -> None:
        self.request("POST", f"/servers/{server.id}/action", json=body)

    def _away(self, server, action: str) -> None:
        """Wait until the server is on another host, with no task."""
        self._until(server, action, lambda now: now["OS-EXT-SRV-ATTR:host"] not in (None, self.host))

    def _until(self, server, action: str, done: Callable[[dict], bool]) -> None:
        """Wait for the end of an action.

        :raises Failed: it ended otherwise, or takes too long; with Nova's own message.
        """
        end = time.monotonic() + self.timeout
        while True:
            now = self.request("GET", f"/servers/{server.id}")["server"]
            if now["OS-EXT-STS:task_state"] is None:
                if now["status"] != "ERROR" and done(now):
                    return
                if why := self._failure(server, action):
                    raise Failed(why)
            if time.monotonic() > end:
                raise Failed(f"{action}: still {now['status']} ({now['OS-EXT-STS:task_state']}) after {self.timeout} s")
            time.sleep(LOOK)

    def _failure(self, server, action: str) -> str:
        """Return why the last action of a name failed; empty if it has not."""
        actions = self.request("GET", f"/servers/{server.id}/os-instance-actions")["instanceActions"]
        last = next((one for one in actions if one["action"] == action), None)
        if not last:
            return ""
        path = f"/servers/{server.id}/os-instance-actions/{last['request_id']}"
        events = self.request("GET", path)["instanceAction"]["events"]
        failed = [event for event in events if event["result"] == "Error"]
        if not failed and not last["message"]:
            return ""
        return next((event["details"] for event in failed if event.get("details")), last["message"] or "it failed")


def name(server) -> str:
    """Return a server's name and id; names are not unique."""
    return f"{server.name} ({server.id})"


def _refused(server) -> None:
    raise Failed(f"it is {server.status}: no server in this state can be moved")
