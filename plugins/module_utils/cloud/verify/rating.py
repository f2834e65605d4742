# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The price of a server, as its user asks for it."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from ansible_collections.cairn.openstack.plugins.module_utils.cloud.resources.rating import RATED
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.sdk import client, rest
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify.checks import Bad, Check, NotRun, Service
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify.run import Run

HASHMAP = "/v1/rating/module_config/hashmap"
SERVICE_OF, FIELD = RATED["flavor"]
SERVERS = 3


def checks(run: Run, check: Callable[..., Check]) -> list[Check]:
    """Return the check of CloudKitty. Its reports are of whole hours, which are over some time later."""
    return [check("quote", quoted, ("token",), ("cloudkitty",))]


def quoted(run: Run) -> str:
    """Ask as user for the price of servers in an hour; it is that of their flavor."""
    flavor, price = _price(run)
    resource = {"service": SERVICE_OF, "volume": str(SERVERS), "desc": {"metadata": {FIELD: flavor}, "groupby": {}}}
    said = rest(client(run.user, "rating"), "POST", "/v1/rating/quote", json={"resources": [resource]}).json()
    if Decimal(str(said)) != SERVERS * price:
        raise Bad(f"{SERVERS} servers of {flavor} at {price} an hour are quoted as {said}")
    return f"{SERVERS} servers of {flavor} at {price:f} an hour: {SERVERS * price:f}"


def _price(run: Run) -> tuple[str, Decimal]:
    """Return a flavor with its price for all projects."""
    rating = client(run.admin, "rating")

    def listed(kind: str, **params: str) -> list[dict]:
        return rest(rating, "GET", f"{HASHMAP}/{kind}/", params=params).json()[kind]

    for service in (one for one in listed("services") if one["name"] == SERVICE_OF):
        for field in (one for one in listed("fields", service_id=service["service_id"]) if one["name"] == FIELD):
            for mapping in listed("mappings", field_id=field["field_id"]):
                if mapping["type"] == "flat" and not mapping.get("tenant_id"):
                    return mapping["value"], Decimal(str(mapping["cost"])).normalize()
    raise NotRun("no flavor has a price in cloud_resources")


SERVICE = Service("cloudkitty", "quote", checks)
