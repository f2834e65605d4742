# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Flavors, and host aggregates with their zones."""

from __future__ import annotations

from ansible_collections.cairn.openstack.plugins.module_utils.cloud.resources.kind import Kind, part, texts
from ansible_collections.cairn.openstack.plugins.module_utils.common.changes import Failed

SIZES = ("ram", "vcpus", "disk")


class Flavor(Kind):
    name = "flavor"
    fixed = frozenset({*SIZES, "public"})

    def found(self):
        for flavor in self.cloud.conn.compute.flavors():
            yield flavor.name, flavor

    def facts(self, thing):
        sizes = {size: getattr(thing, size) for size in SIZES}
        return {**sizes, "public": thing.is_public, "extra_specs": thing.extra_specs or {}}

    def wanted(self, item):
        return {
            **{field: item[field] for field in (*SIZES, "public")},
            "extra_specs": texts(item["extra_specs"]),
        }

    def errors(self, item, changed):
        return [
            f"{why}: existing servers keep their flavor, so declare another name, "
            "or delete this one first with state: absent"
            for why in super().errors(item, changed)
        ]

    def create(self, item, fields):
        missing = [size for size in SIZES if item[size] is None]
        if missing:
            raise Failed(f"{', '.join(missing)} not given")
        compute = self.cloud.conn.compute
        flavor = compute.create_flavor(
            name=item["name"], is_public=fields.get("public", True), **{size: fields[size] for size in SIZES}
        )
        self.update(flavor, fields, item)
        return flavor

    def update(self, thing, fields, item):
        compute = self.cloud.conn.compute
        specs = part(fields, "extra_specs")
        kept = {name: value for name, value in specs.items() if value is not None}
        if kept:
            compute.create_flavor_extra_specs(thing, kept)
        for name in specs.keys() - kept.keys():
            compute.delete_flavor_extra_specs_property(thing, name)

    def delete(self, thing):
        self.cloud.conn.compute.delete_flavor(thing.id)


class Aggregate(Kind):
    """A host aggregate, with a zone an availability zone."""

    name = "aggregate"

    def found(self):
        for aggregate in self.cloud.conn.compute.aggregates():
            yield aggregate.name, aggregate

    def facts(self, thing):
        metadata = {name: value for name, value in (thing.metadata or {}).items() if name != "availability_zone"}
        return {"zone": thing.availability_zone, "metadata": metadata}

    def wanted(self, item):
        return {"zone": item["zone"], "metadata": texts(item["metadata"])}

    def create(self, item, fields):
        aggregate = self.cloud.conn.compute.create_aggregate(
            name=item["name"], **({"availability_zone": fields["zone"]} if "zone" in fields else {})
        )
        self.metadata(aggregate, fields)
        return aggregate

    def update(self, thing, fields, item):
        if "zone" in fields:
            self.cloud.conn.compute.update_aggregate(thing.id, availability_zone=fields["zone"])
        self.metadata(thing, fields)

    def metadata(self, thing, fields):
        """Set the given keys; None removes one."""
        metadata = part(fields, "metadata")
        if metadata:
            self.cloud.conn.compute.set_aggregate_metadata(thing.id, metadata)

    def delete(self, thing):
        for host in thing.hosts or []:
            self.cloud.conn.compute.remove_host_from_aggregate(thing.id, host)
        self.cloud.conn.compute.delete_aggregate(thing.id)


class ComputeHost(Kind):
    """A host with nova-compute; only referred to, not declared."""

    name = "compute host"

    def found(self):
        for service in self.cloud.conn.compute.services(binary="nova-compute"):
            yield service.host, service

    def called(self, name: str) -> str:
        """Return Nova's name of a host in the inventory: the same, or the only one with the same first label."""
        label = name.split(".")[0]
        alike = [host for host in self.existing if host.split(".")[0] == label]
        return alike[0] if name not in self.existing and len(alike) == 1 else name


class Member(Kind):
    """A host in an aggregate. An aggregate has only declared hosts; a host is in one zone only."""

    name = "aggregate host"

    def items(self, params):
        aggregates = {item["name"]: item for item in params["aggregates"] if item["hosts"] is not None}
        wanted = {
            name: {self.cloud.compute_host.called(host) for host in item["hosts"]} if item["state"] == "present" else ()
            for name, item in aggregates.items()
        }
        zoned = {host for name, hosts in wanted.items() if aggregates[name]["zone"] for host in hosts}
        items = [{"aggregate": name, "host": host} for name, hosts in wanted.items() for host in sorted(hosts)]
        for name, aggregate in self.cloud.aggregate.existing.items():
            for host in aggregate.hosts or []:
                leaves = host not in wanted[name] if name in wanted else aggregate.availability_zone and host in zoned
                if leaves:
                    items.append({"aggregate": name, "host": host, "state": "absent"})
        return items

    def key(self, item):
        return item["aggregate"], item["host"]

    def label(self, key):
        return "{1} of {0}".format(*key)

    def found(self):
        for name, aggregate in self.cloud.aggregate.existing.items():
            for host in aggregate.hosts or []:
                yield (name, host), (aggregate, host)

    def create(self, item, fields):
        aggregate = self.cloud.aggregate.id(item["aggregate"])
        self.cloud.compute_host.id(item["host"])
        self.cloud.conn.compute.add_host_to_aggregate(aggregate, item["host"])
        return aggregate, item["host"]

    def delete(self, thing):
        aggregate, host = thing
        self.cloud.conn.compute.remove_host_from_aggregate(aggregate.id, host)
        # Its aggregate may be deleted afterwards.
        aggregate.hosts.remove(host)
