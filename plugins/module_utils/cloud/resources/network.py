# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Networks with their subnets, routers with their interfaces."""

from __future__ import annotations

import ipaddress
from typing import ClassVar

from ansible_collections.cairn.openstack.plugins.module_utils.cloud.resources.kind import Kind
from ansible_collections.cairn.openstack.plugins.module_utils.common.changes import Failed

# Declares that there is no gateway.
NO_GATEWAY = "none"
# Device owners of a router's ports in tenant networks: plain, distributed, highly available.
INTERFACES = (
    "network:router_interface",
    "network:router_interface_distributed",
    "network:ha_router_replicated_interface",
)


class Owned(Kind):
    """An object with a unique name in its project."""

    def key(self, item):
        return self.cloud.owner(item), item["name"]

    def by_owner(self, things):
        """Yield (key, object)."""
        names = {project.id: key for key, project in self.cloud.project.existing.items()}
        for thing in things:
            yield (names.get(thing.project_id), thing.name), thing


class Network(Owned):
    name = "network"
    fixed = frozenset({"network_type", "physical_network", "segment"})
    # Declared name → the SDK's name.
    attributes: ClassVar = {
        "external": "is_router_external",
        "shared": "is_shared",
        "mtu": "mtu",
        "network_type": "provider_network_type",
        "physical_network": "provider_physical_network",
        "segment": "provider_segmentation_id",
    }

    def found(self):
        yield from self.by_owner(self.cloud.conn.network.networks())

    def facts(self, thing):
        return {name: getattr(thing, attribute) for name, attribute in self.attributes.items()}

    def wanted(self, item):
        return {name: item[name] for name in self.attributes}

    def create(self, item, fields):
        return self.cloud.conn.network.create_network(
            name=item["name"], project_id=self.cloud.project.id(self.cloud.owner(item)), **self.given(fields)
        )

    def update(self, thing, fields, item):
        self.cloud.conn.network.update_network(thing.id, **self.given(fields))

    def given(self, fields):
        """Return the fields by the SDK's names."""
        return {self.attributes[name]: fields[name] for name in fields}

    def delete(self, thing):
        self.cloud.conn.network.delete_network(thing.id)


class Subnet(Kind):
    name = "subnet"
    fixed = frozenset({"cidr"})
    attributes: ClassVar = {
        "cidr": "cidr",
        "gateway": "gateway_ip",
        "pools": "allocation_pools",
        "dns": "dns_nameservers",
        "dhcp": "is_dhcp_enabled",
    }

    def items(self, params):
        return [
            {**subnet, "network": self.cloud.network.key(network)}
            for network in params["networks"]
            if network["state"] == "present"
            for subnet in network["subnets"]
        ]

    def key(self, item):
        return item["network"], item["name"]

    def found(self):
        networks = {network.id: key for key, network in self.cloud.network.existing.items()}
        for subnet in self.cloud.conn.network.subnets():
            yield (networks.get(subnet.network_id), subnet.name), subnet

    def facts(self, thing):
        fields = {name: getattr(thing, attribute) for name, attribute in self.attributes.items()}
        fields["gateway"] = thing.gateway_ip or NO_GATEWAY
        fields["pools"] = sorted(f"{pool['start']}-{pool['end']}" for pool in thing.allocation_pools)
        return fields

    def wanted(self, item):
        return {name: sorted(item[name]) if name == "pools" and item[name] else item[name] for name in self.attributes}

    def create(self, item, fields):
        network = self.cloud.network.existing[item["network"]]
        return self.cloud.conn.network.create_subnet(
            name=item["name"],
            network_id=network.id,
            project_id=network.project_id,
            ip_version=ipaddress.ip_network(item["cidr"], strict=False).version,
            **self.given(fields),
        )

    def update(self, thing, fields, item):
        self.cloud.conn.network.update_subnet(thing.id, **self.given(fields))

    def given(self, fields):
        """Return the fields in the SDK's format."""
        values = {self.attributes[name]: fields[name] for name in fields}
        if fields.get("gateway") == NO_GATEWAY:
            values["gateway_ip"] = None
        if "pools" in fields:
            ends = [pool.split("-", 1) for pool in fields["pools"]]
            values["allocation_pools"] = [{"start": first.strip(), "end": last.strip()} for first, last in ends]
        return values


class Router(Owned):
    name = "router"

    def found(self):
        yield from self.by_owner(self.cloud.conn.network.routers())

    def facts(self, thing):
        gateway = (thing.external_gateway_info or {}).get("network_id")
        names = [key[1] for key, network in self.cloud.network.existing.items() if network.id == gateway]
        return {"external_network": names[0] if names else None}

    def wanted(self, item):
        return {"external_network": item["external_network"]}

    def create(self, item, fields):
        return self.cloud.conn.network.create_router(
            name=item["name"], project_id=self.cloud.project.id(self.cloud.owner(item)), **self.given(fields)
        )

    def update(self, thing, fields, item):
        self.cloud.conn.network.update_router(thing.id, **self.given(fields))

    def given(self, fields):
        """Return the fields in the SDK's format."""
        name = fields.get("external_network")
        if not name:
            return {}
        ids = [
            network.id
            for key, network in self.cloud.network.existing.items()
            if key[1] == name and network.is_router_external
        ]
        if len(ids) != 1:
            raise Failed(f"there are {len(ids)} external networks named {name}")
        return {"external_gateway_info": {"network_id": ids[0]}}

    def delete(self, thing):
        network = self.cloud.conn.network
        for port in network.ports(device_id=thing.id):
            if port.device_owner in INTERFACES:
                network.remove_interface_from_router(thing.id, port_id=port.id)
        network.delete_router(thing.id)


class Interface(Kind):
    """The interface of a router in a subnet. Others are left unchanged."""

    name = "router interface"

    def items(self, params):
        return [
            {**router, "subnet": subnet}
            for router in params["routers"]
            if router["state"] == "present"
            for subnet in router["subnets"]
        ]

    def key(self, item):
        return self.cloud.router.key(item), item["subnet"]

    def label(self, key):
        return f"{key[0][1]} in subnet {key[1]}"

    def found(self):
        subnets = {subnet.id: key[1] for key, subnet in self.cloud.subnet.existing.items()}
        routers = {router.id: key for key, router in self.cloud.router.existing.items()}
        for owner in INTERFACES:
            for port in self.cloud.conn.network.ports(device_owner=owner):
                for address in port.fixed_ips:
                    yield (routers.get(port.device_id), subnets.get(address["subnet_id"])), port

    def create(self, item, fields):
        router = self.cloud.router.key(item)
        named = {key: subnet for key, subnet in self.cloud.subnet.existing.items() if key[1] == item["subnet"]}
        # Prefer the router's project, as other projects may use the same name.
        own = [subnet for key, subnet in named.items() if key[0][0] == router[0]]
        subnets = own or list(named.values())
        if len(subnets) != 1:
            raise Failed(f"there are {len(subnets)} subnets of that name")
        self.cloud.conn.network.add_interface_to_router(self.cloud.router.id(router), subnet_id=subnets[0].id)
        return subnets[0]
