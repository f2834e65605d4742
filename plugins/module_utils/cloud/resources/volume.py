# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Volume types with their limits. The limits (QoS specs) of a type are an object with the same name."""

from __future__ import annotations

from functools import cached_property
from types import SimpleNamespace

from ansible_collections.cairn.openstack.plugins.module_utils.cloud.resources.kind import Kind, part, texts
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.sdk import rest

# The default consumer: the hypervisor.
CONSUMER = "front-end"


class VolumeType(Kind):
    name = "volume type"

    # Types that shall encrypt: of others Cinder is not asked.
    encrypted: frozenset[str] = frozenset()

    def items(self, params):
        self.encrypted = frozenset(item["name"] for item in params["volume_types"] if item["encryption"])
        return params["volume_types"]

    def ask(self, method: str, path: str, **options) -> dict:
        """Return the response to a request: the SDK does not support QoS specs."""
        response = rest(self.cloud.conn.block_storage, method, path, **options)
        return response.json() if response.content else {}

    @cached_property
    def limits(self) -> dict[str, dict]:
        """All QoS specs by id."""
        return {one["id"]: one for one in self.ask("GET", "/qos-specs")["qos_specs"]}

    def found(self):
        for one in self.ask("GET", "/types?is_public=None")["volume_types"]:
            yield one["name"], SimpleNamespace(**one)

    def facts(self, thing):
        qos = self.limits.get(thing.qos_specs_id)
        return {
            "description": thing.description,
            "public": thing.is_public,
            "extra_specs": thing.extra_specs or {},
            "qos": {"consumer": qos["consumer"], **qos["specs"]} if qos else {},
            "encryption": self.encryption(thing) if thing.name in self.encrypted else {},
        }

    def encryption(self, thing) -> dict:
        """Return how volumes of the type are encrypted; empty if they are not."""
        return self.ask("GET", f"/types/{thing.id}/encryption")

    def wanted(self, item):
        qos = {"consumer": CONSUMER, **item["qos"]} if item["qos"] else None
        return {
            "description": item["description"],
            # Created private, until it encrypts.
            "public": True if item["public"] is None and item["encryption"] else item["public"],
            "extra_specs": texts(item["extra_specs"]),
            "qos": texts(qos) if qos else None,
            "encryption": item["encryption"] or None,
        }

    def create(self, item, fields):
        body = {
            "name": item["name"],
            "description": fields.get("description"),
            "os-volume-type-access:is_public": fields.get("public", True) and not item["encryption"],
            "extra_specs": part(fields, "extra_specs"),
        }
        thing = SimpleNamespace(**self.ask("POST", "/types", json={"volume_type": body})["volume_type"])
        self.encrypt(thing, part(fields, "encryption"))
        if item["encryption"] and fields.get("public"):
            self.ask("PUT", f"/types/{thing.id}", json={"volume_type": {"is_public": True}})
        self.limit(thing, part(fields, "qos"))
        return thing

    def update(self, thing, fields, item):
        own = {
            key: fields[name]
            for name, key in (("description", "description"), ("public", "is_public"))
            if name in fields
        }
        if own:
            self.ask("PUT", f"/types/{thing.id}", json={"volume_type": own})
        specs = part(fields, "extra_specs")
        kept = {name: value for name, value in specs.items() if value is not None}
        if kept:
            self.ask("POST", f"/types/{thing.id}/extra_specs", json={"extra_specs": kept})
        for name in specs.keys() - kept.keys():
            self.ask("DELETE", f"/types/{thing.id}/extra_specs/{name}")
        self.limit(thing, part(fields, "qos"))
        self.encrypt(thing, part(fields, "encryption"))

    def encrypt(self, thing, fields: dict) -> None:
        """Set how volumes of the type are encrypted."""
        if not fields:
            return
        known = self.encryption(thing)
        method, path = ("PUT", f"/{known['encryption_id']}") if known else ("POST", "")
        self.ask(method, f"/types/{thing.id}/encryption{path}", json={"encryption": fields})

    def limit(self, thing, qos: dict) -> None:
        """Set the limits of the type; None removes one."""
        if not qos:
            return
        kept = {name: value for name, value in qos.items() if value is not None}
        known = self.limits.get(getattr(thing, "qos_specs_id", None))
        # QoS specs of an interrupted run have the name, but no type.
        known = known or next((one for one in self.limits.values() if one["name"] == thing.name), None)
        if known:
            self.ask("PUT", f"/qos-specs/{known['id']}", json={"qos_specs": kept})
            if gone := sorted(qos.keys() - kept.keys()):
                self.ask("PUT", f"/qos-specs/{known['id']}/delete_keys", json={"keys": gone})
        else:
            body = {"qos_specs": {"name": thing.name, **kept}}
            known = self.ask("POST", "/qos-specs", json=body)["qos_specs"]
        if getattr(thing, "qos_specs_id", None) != known["id"]:
            self.ask("GET", f"/qos-specs/{known['id']}/associate?vol_type_id={thing.id}")

    def delete(self, thing):
        self.ask("DELETE", f"/types/{thing.id}")
        for one in self.limits.values():
            if one["name"] == thing.name:
                self.ask("DELETE", f"/qos-specs/{one['id']}?force=true")
