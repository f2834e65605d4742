# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads capacities, flavors and quotas from the APIs of Placement, Nova, Cinder and Neutron. Changes nothing."""

from __future__ import annotations

from typing import Any

from ansible_collections.cairn.openstack.plugins.module_utils.cloud.capacity import read
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.sdk import rest
from ansible_collections.cairn.openstack.plugins.module_utils.common.changes import Failed

# Services by uuid, and hypervisors with the host of their service.
SERVICES = "2.53"
# The first whose list of flavors has their extra specs.
FLAVORS = "2.61"
SHARES = "MISC_SHARES_VIA_AGGREGATE"
PAGE = 1000


class Facts:
    """What the services tell an administrator.

    :param conn: connection as the admin user.
    """

    def __init__(self, conn) -> None:
        self.conn = conn

    def read(self, project: str = "") -> dict[str, Any]:
        """Return everything; see the return values of M(cairn.openstack.capacity_facts).

        :param project: name or id of the project whose quotas count; empty for those of a new project.
        """
        hosts, sharing = self.hosts()
        return {
            "hosts": hosts,
            "sharing": sharing,
            "flavors": self.flavors(),
            "pools": self.pools(),
            "networks": self.networks(),
            "project": project,
            "quotas": self.quotas(project),
        }

    # Compute hosts

    def placement(self, path: str) -> dict[str, Any]:
        """Return what Placement has at *path*."""
        return rest(self.conn.placement, "GET", path, microversion=read.PLACEMENT).json()

    def nova(self, path: str, microversion: str = SERVICES) -> dict[str, Any]:
        """Return what Nova has at *path*."""
        return rest(self.conn.compute, "GET", path, microversion=microversion).json()

    def hosts(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Return the compute hosts with their providers, and the providers that hosts share."""
        services = {one["host"]: one for one in self.nova("/os-services?binary=nova-compute")["services"]}
        owners = {
            one["hypervisor_hostname"]: one["service"]["host"]
            for one in self.nova("/os-hypervisors/detail")["hypervisors"]
        }
        metadata = self.metadata()
        trees: dict[str, list[dict[str, Any]]] = {}
        for one in read.providers(self.placement):
            trees.setdefault(one["root_provider_uuid"], []).append(one)
        found, sharing, at = [], [], {}
        for root, providers in sorted(trees.items(), key=lambda tree: tree[1][0]["name"]):
            tree = [self.provider(one) for one in sorted(providers, key=lambda one: one["uuid"] != root)]
            if SHARES in tree[0]["traits"]:
                sharing.append({**tree[0], "uuid": root})
                continue
            host = owners.get(tree[0]["name"])
            if host is None:
                # Of a host that has left, or of something else than a compute host.
                continue
            at[host] = root
            found.append(
                {
                    "name": host,
                    "state": _state(services.get(host)),
                    "providers": [{key: one[key] for key in ("name", "inventories")} for one in tree],
                    "traits": sorted({trait for one in tree for trait in one["traits"]}),
                    "servers": _servers(tree),
                    "metadata": metadata.get(host, {}),
                }
            )
        return found, self.shared(sharing, at)

    def provider(self, one: dict[str, Any]) -> dict[str, Any]:
        """Return the inventories of a provider with what is used of them, its traits, and its claims by consumer."""
        claims = read.claims(self.placement, one["uuid"])
        return {
            "name": one["name"],
            "inventories": read.inventories(self.placement, one["uuid"], claims),
            "traits": self.placement(f"/resource_providers/{one['uuid']}/traits")["traits"],
            "claims": claims,
        }

    def shared(self, sharing: list[dict[str, Any]], hosts: dict[str, str]) -> list[dict[str, Any]]:
        """Return the sharing providers, each with the hosts that are in an aggregate with it.

        :param hosts: host → uuid of its provider.
        """
        if not sharing:
            return []

        def aggregates(uuid: str) -> set[str]:
            return set(self.placement(f"/resource_providers/{uuid}/aggregates")["aggregates"])

        of_hosts = {host: aggregates(uuid) for host, uuid in hosts.items()}
        found = []
        for one in sharing:
            own = aggregates(one["uuid"])
            found.append(
                {
                    "name": one["name"],
                    "inventories": one["inventories"],
                    "hosts": sorted(host for host, theirs in of_hosts.items() if theirs & own),
                }
            )
        return found

    def metadata(self) -> dict[str, dict[str, list[str]]]:
        """Return by host the metadata of its aggregates: name → values. One with commas has several."""
        found: dict[str, dict[str, list[str]]] = {}
        for aggregate in self.nova("/os-aggregates")["aggregates"]:
            for host in aggregate["hosts"]:
                for key, value in aggregate["metadata"].items():
                    values = found.setdefault(host, {}).setdefault(key, [])
                    values += [part.strip() for part in value.split(",")]
        return found

    def flavors(self) -> list[dict[str, Any]]:
        """Return all flavors, also those that are not public."""
        found: list[dict[str, Any]] = []
        while True:
            marker = f"&marker={found[-1]['id']}" if found else ""
            page = self.nova(f"/flavors/detail?is_public=None&limit={PAGE}{marker}", FLAVORS)["flavors"]
            found += page
            if len(page) < PAGE:
                break
        return sorted(
            (
                {
                    "name": one["name"],
                    "vcpus": one["vcpus"],
                    "ram": one["ram"],
                    "disk": one["disk"],
                    "ephemeral": one["OS-FLV-EXT-DATA:ephemeral"],
                    "swap": one["swap"] or 0,
                    "extra_specs": one["extra_specs"],
                }
                for one in found
                if not one["OS-FLV-DISABLED:disabled"]
            ),
            key=lambda one: (one["ram"], one["vcpus"], one["name"]),
        )

    # Storage and networks

    def has(self, kind: str) -> bool:
        """Return whether the catalog has a service of a type, whether it responds or not."""
        return self.conn.endpoint_for(kind) is not None

    def pools(self) -> list[dict[str, Any]]:
        """Return Cinder's pools with their capabilities; none without Cinder."""
        if not self.has("block-storage"):
            return []
        found = read.pools(lambda path: rest(self.conn.block_storage, "GET", path).json())
        return sorted(
            ({key: value for key, value in one.items() if key != "place"} for one in found),
            key=lambda one: one["name"],
        )

    def networks(self) -> list[dict[str, Any]]:
        """Return the external networks with the number of their IPv4 addresses, and of those in use."""
        external = rest(self.conn.network, "GET", "/networks?router:external=true&fields=id").json()["networks"]
        ids = {one["id"] for one in external}
        found = rest(self.conn.network, "GET", "/network-ip-availabilities").json()["network_ip_availabilities"]
        return [
            {
                "name": one["network_name"],
                "total": sum(subnet["total_ips"] for subnet in _v4(one)),
                "used": sum(subnet["used_ips"] for subnet in _v4(one)),
            }
            for one in sorted(found, key=lambda one: one["network_name"])
            if one["network_id"] in ids
        ]

    # Quotas

    def quotas(self, project: str) -> dict[str, dict[str, int]]:
        """Return the quotas that a server takes of: C(limit), -1 for none, and C(used)."""
        which = self.project(project) if project else self.conn.current_project_id
        nova = self.nova(f"/os-quota-sets/{which}/{'detail' if project else 'defaults'}")["quota_set"]
        found = {name: _quota(nova[name]) for name in ("instances", "cores", "ram")}
        path = f"/quotas/{which}/{'details.json' if project else 'default'}"
        neutron = rest(self.conn.network, "GET", path).json()["quota"]
        found |= {ours: _quota(neutron[name]) for ours, name in (("ports", "port"), ("floating_ips", "floatingip"))}
        if self.has("block-storage"):
            path = f"/os-quota-sets/{which}{'?usage=true' if project else '/defaults'}"
            cinder = rest(self.conn.block_storage, "GET", path).json()["quota_set"]
            found |= {name: _quota(cinder[name]) for name in ("volumes", "gigabytes")}
        return found

    def project(self, name: str) -> str:
        """Return the id of a project.

        :raises Failed: there is none, or there are several of this name.
        """
        listed = rest(self.conn.identity, "GET", "/projects").json()["projects"]
        found = [one["id"] for one in listed if name in (one["name"], one["id"])]
        if len(found) != 1:
            how = "there are several projects" if found else "there is no project"
            raise Failed(f"{how} of the name or id {name}")
        return found[0]


def _state(service: dict[str, Any] | None) -> str:
    """Return why the scheduler passes over a host; empty if it does not."""
    if service is None:
        return "no nova-compute"
    if service["status"] != "enabled":
        return "disabled"
    return "" if service["state"] == "up" and not service.get("forced_down") else "down"


def _servers(tree: list[dict[str, Any]]) -> list[dict[str, int]]:
    """Return what each consumer claims of all providers of a tree."""
    found: dict[str, dict[str, int]] = {}
    for one in tree:
        for consumer, resources in one["claims"].items():
            whole = found.setdefault(consumer, {})
            for name, amount in resources.items():
                whole[name] = whole.get(name, 0) + amount
    return [found[consumer] for consumer in sorted(found)]


def _v4(network: dict[str, Any]) -> list[dict[str, Any]]:
    return [subnet for subnet in network["subnet_ip_availability"] if subnet["ip_version"] == 4]


def _quota(said: Any) -> dict[str, int]:
    """Return a quota of which an API says the limit only, or also what is in use and reserved."""
    if not isinstance(said, dict):
        return {"limit": int(said), "used": 0}
    return {"limit": int(said["limit"]), "used": int(said.get("in_use", said.get("used", 0))) + int(said["reserved"])}
