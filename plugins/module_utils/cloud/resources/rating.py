# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prices of what projects use, as mappings of CloudKitty's rating module hashmap."""

from __future__ import annotations

from decimal import Decimal
from functools import cached_property
from types import SimpleNamespace
from typing import Any

from ansible_collections.cairn.openstack.plugins.module_utils.cloud.resources.kind import Kind
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.sdk import client, rest
from ansible_collections.cairn.openstack.plugins.module_utils.common.changes import Failed

HASHMAP = "hashmap"
# What has prices: its metric, and the metadata that has the price's name; without it, one price is for all.
RATED = {
    "flavor": ("instance", "flavor_name"),
    "floating_ip": ("ip.floating", None),
    "image": ("image.size", None),
    # By its id, which the type of the same name has.
    "volume_type": ("volume.size", "volume_type_id"),
}


def number(value: Any) -> str:
    """Return a price as text, the same for the same number."""
    return f"{Decimal(str(value)).normalize():f}"


class _Rated(Kind):
    def ask(self, method: str, path: str, **options) -> dict:
        """Return the response to a request: the SDK does not support CloudKitty."""
        # Its responses to changes have the status 302 and lead to what was asked for already.
        response = rest(client(self.cloud.conn, "rating"), method, f"/v1/rating{path}", redirect=False, **options)
        return response.json() if response.content else {}


class RatingModule(_Rated):
    name = "rating module"

    def items(self, params):
        # Without prices it may be the user's, or off.
        return [{"name": HASHMAP}] if any(one["state"] == "present" for one in params["prices"]) else []

    def found(self):
        for one in self.ask("GET", "/modules/")["modules"]:
            yield one["module_id"], SimpleNamespace(**one)

    def facts(self, thing):
        return {"enabled": thing.enabled}

    def wanted(self, item):
        return {"enabled": True}

    def create(self, item, fields):
        raise Failed(f"CloudKitty has no rating module {item['name']}")

    def update(self, thing, fields, item):
        body = {"module_id": thing.module_id, "enabled": True, "priority": thing.priority}
        self.ask("PUT", f"/modules/{thing.module_id}", json=body)


class Price(_Rated):
    name = "price"

    def key(self, item):
        _service, field = RATED[item["of"]]
        return item["of"], item["name"] if field else ""

    def label(self, key):
        return " ".join(part for part in (f"of {key[0].replace('_', ' ')}", key[1]) if part)

    def mappings(self, **of: str) -> list[dict]:
        """Return the mappings of a service or a field."""
        return self.ask("GET", f"/module_config/{HASHMAP}/mappings/", params=of)["mappings"]

    @cached_property
    def services(self) -> dict[str, str]:
        """The ids of hashmap's services by name."""
        found = self.ask("GET", f"/module_config/{HASHMAP}/services/")["services"]
        return {one["name"]: one["service_id"] for one in found}

    def fields(self, service_id: str) -> dict[str, str]:
        """Return the ids of a service's fields by name."""
        found = self.ask("GET", f"/module_config/{HASHMAP}/fields/", params={"service_id": service_id})["fields"]
        return {one["name"]: one["field_id"] for one in found}

    def found(self):
        for kind, (service, field) in RATED.items():
            if not (service_id := self.services.get(service)):
                continue
            if field:
                field_id = self.fields(service_id).get(field)
                listed = self.mappings(field_id=field_id) if field_id else []
            else:
                listed = self.mappings(service_id=service_id)
            for one in listed:
                # A price for one project, or one that multiplies, is the operator's own.
                if one["type"] == "flat" and not one.get("tenant_id"):
                    yield (kind, self.name_of(kind, one["value"]) if field else ""), SimpleNamespace(**one)

    def name_of(self, kind: str, value: str) -> str:
        """Return the name that has the price; of a volume type that is gone, its id."""
        if kind != "volume_type":
            return value
        types = self.cloud.volume_type.existing
        return next((name for name, one in types.items() if one.id == value), value)

    def facts(self, thing):
        return {"price": number(thing.cost)}

    def wanted(self, item):
        return {"price": number(item["price"])}

    def create(self, item, fields):
        service, field = RATED[item["of"]]
        of = {"service_id": self._service(service)}
        if field:
            value = self.cloud.volume_type.id(item["name"]) if item["of"] == "volume_type" else item["name"]
            of = {"field_id": self._field(of["service_id"], field), "value": value}
        body = {**of, "cost": fields["price"], "type": "flat"}
        return SimpleNamespace(**self.ask("POST", f"/module_config/{HASHMAP}/mappings/", json=body))

    def update(self, thing, fields, item):
        kept = {name: value for name, value in vars(thing).items() if value is not None}
        path = f"/module_config/{HASHMAP}/mappings/{thing.mapping_id}"
        self.ask("PUT", path, json={**kept, "cost": fields["price"]})

    def delete(self, thing):
        self.ask("DELETE", f"/module_config/{HASHMAP}/mappings/{thing.mapping_id}")

    def _service(self, name: str) -> str:
        if name not in self.services:
            made = self.ask("POST", f"/module_config/{HASHMAP}/services/", json={"name": name})
            self.services[name] = made["service_id"]
        return self.services[name]

    def _field(self, service_id: str, name: str) -> str:
        found = self.fields(service_id)
        if name not in found:
            body = {"service_id": service_id, "name": name}
            return self.ask("POST", f"/module_config/{HASHMAP}/fields/", json=body)["field_id"]
        return found[name]
