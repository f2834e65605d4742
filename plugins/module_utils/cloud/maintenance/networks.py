# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The routers and DHCP servers of a network host."""

from __future__ import annotations

import time
from collections.abc import Iterator

from ansible_collections.cairn.openstack.plugins.module_utils.cloud.maintenance import REASON
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.sdk import rest, translate_errors
from ansible_collections.cairn.openstack.plugins.module_utils.common.changes import Change, Failed, Unreachable

L3, DHCP = "L3 agent", "DHCP agent"
# Order of the changes: what has a single place moves before its agent stops serving it.
MOVE, DISABLE = 1, 2
LOOK = 1
# Of a request: some of Neutron's end with status 500 when agents change the same rows, "Deadlock found" in its log.
TRIES, INTERNAL_ERROR = 4, 500


class Networks:
    """What Neutron's agents on a host serve.

    :param conn: connection as the admin user.
    :param host: its name in Neutron.
    :param timeout: timeout in seconds for a router to be active elsewhere.
    """

    def __init__(self, conn, host: str, timeout: int) -> None:
        self.network, self.host, self.timeout = conn.network, host, timeout

    def request(self, method: str, path: str, **options):
        """Return the decoded response of Neutron; None without a body.

        :raises Failed: it refuses the request, or does not respond.
        """
        for left in reversed(range(TRIES)):
            try:
                with translate_errors():
                    response = rest(self.network, method, path, **options)
            except Unreachable as error:
                # Others may have been served, and reads need no other try.
                if not left or method == "GET" or getattr(error.__cause__, "status_code", None) != INTERNAL_ERROR:
                    raise
                time.sleep(LOOK)
            else:
                return response.json() if response.content else None
        return None

    def agents(self) -> tuple[list[dict], list[dict]]:
        """Return the agents for routers and DHCP: those on the host, and usable ones on others.

        An agent of a compute host serves the distributed routers of the servers there, and no others.
        """
        found = [
            one
            for one in self.request("GET", "/agents")["agents"]
            if one["agent_type"] in (L3, DHCP) and one.get("configurations", {}).get("agent_mode") != "dvr"
        ]
        mine = [one for one in found if one["host"] == self.host]
        return mine, [one for one in found if one["host"] != self.host and one["alive"] and one["admin_state_up"]]

    def start(self, lost: bool = False) -> Iterator[Change]:
        """Yield what moves routers and DHCP servers to other hosts.

        :param lost: whether the host is off: then its agents remain enabled, as they serve nothing.
        """
        mine, others = self.agents()
        for agent in mine:
            of_kind = [one for one in others if one["agent_type"] == agent["agent_type"]]
            redundant = []
            if agent["agent_type"] == L3:
                redundant = yield from self._routers(agent, of_kind)
            else:
                yield from self._dhcp(agent, of_kind)
            if agent["admin_state_up"] and not lost:
                yield self._agent("disable", agent, False, lambda routers=redundant: self._taken_over(routers))

    def end(self) -> Iterator[Change]:
        """Yield what makes the agents serve again."""
        for agent in self.agents()[0]:
            if not agent["admin_state_up"] and agent["description"] == REASON:
                yield self._agent("enable", agent, True)

    def _agent(self, verb: str, agent: dict, up: bool, after=None) -> Change:
        def apply():
            body = {"admin_state_up": up, "description": "" if up else REASON}
            self.request("PUT", f"/agents/{agent['id']}", json={"agent": body})
            if after:
                after()

        before, wanted = ({"admin_state_up": state} for state in (not up, up))
        name = f"{agent['binary']} on {self.host}"
        return Change("service process", verb, name, before, wanted, apply, "" if up else REASON, DISABLE)

    def _routers(self, agent: dict, others: list[dict]) -> Iterator[Change]:
        """Yield the moves of the routers that only this agent serves; return the ids of the others."""
        load: dict[str, int] = {}
        redundant = []
        for router in self.request("GET", f"/agents/{agent['id']}/l3-routers")["routers"]:
            if router.get("ha"):
                redundant.append(router["id"])
                usable = {one["id"] for one in others}
                copies = self.request("GET", f"/routers/{router['id']}/l3-agents")["agents"]
                if not any(one["id"] in usable for one in copies):
                    raise Failed(f"no other host that works has a copy of router {router['name']}")
                continue
            if not others:
                raise Failed(f"{self.host} alone has router {router['name']}, and no other agent is alive")
            target = min(others, key=lambda one: (self._served(one, load), one["host"]))
            load[target["id"]] += 1
            yield self._router(agent, target, router)
        return redundant

    def _served(self, agent: dict, load: dict[str, int]) -> int:
        if agent["id"] not in load:
            load[agent["id"]] = len(self.request("GET", f"/agents/{agent['id']}/l3-routers")["routers"])
        return load[agent["id"]]

    def _router(self, agent: dict, target: dict, router: dict) -> Change:
        def apply():
            self.request("DELETE", f"/agents/{agent['id']}/l3-routers/{router['id']}")
            try:
                self.request("POST", f"/agents/{target['id']}/l3-routers", json={"router_id": router["id"]})
            except Failed:
                self.request("POST", f"/agents/{agent['id']}/l3-routers", json={"router_id": router["id"]})
                raise

        name = f"{router['name']} ({router['id']})"
        hosts = {"host": self.host}, {"host": target["host"]}
        return Change("router", "move", name, *hosts, apply, f"to {target['host']}", MOVE)

    def _taken_over(self, routers: list[str]) -> None:
        """Wait until other hosts have made these routers active.

        :raises Failed: they do not in time.
        """
        end = time.monotonic() + self.timeout
        while routers := [one for one in routers if not self._active_elsewhere(one)]:
            if time.monotonic() > end:
                raise Failed(f"routers that are active on no other host after {self.timeout} s: {', '.join(routers)}")
            time.sleep(LOOK)

    def _active_elsewhere(self, router: str) -> bool:
        agents = self.request("GET", f"/routers/{router}/l3-agents")["agents"]
        return any(one["host"] != self.host and one.get("ha_state") == "active" for one in agents)

    def _dhcp(self, agent: dict, others: list[dict]) -> Iterator[Change]:
        """Yield the moves of DHCP servers, where another host is left that has none for the network."""
        for network in self.request("GET", f"/agents/{agent['id']}/dhcp-networks")["networks"]:
            serving = {one["id"] for one in self.request("GET", f"/networks/{network['id']}/dhcp-agents")["agents"]}
            free = [one for one in others if one["id"] not in serving]
            if free:
                target = min(free, key=lambda one: (one["configurations"].get("networks", 0), one["host"]))
                target["configurations"]["networks"] = target["configurations"].get("networks", 0) + 1
                yield self._dhcp_server(agent, target, network)
            elif not any(one["id"] in serving for one in others):
                raise Failed(f"{self.host} alone has DHCP for network {network['name']}, and no other agent is alive")

    def _dhcp_server(self, agent: dict, target: dict, network: dict) -> Change:
        def apply():
            self.request("POST", f"/agents/{target['id']}/dhcp-networks", json={"network_id": network["id"]})
            self.request("DELETE", f"/agents/{agent['id']}/dhcp-networks/{network['id']}")

        name = f"{network['name']} ({network['id']})"
        hosts = {"host": self.host}, {"host": target["host"]}
        return Change("DHCP server", "move", name, *hosts, apply, f"to {target['host']}", MOVE)
