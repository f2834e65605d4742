# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The resource provider of a compute host in Placement, which Nova may leave there when the host is gone."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.cairn.openstack.plugins.module_utils.cloud.sdk import rest, translate_errors
from ansible_collections.cairn.openstack.plugins.module_utils.common.changes import Change

# An allocation that becomes empty is removed, and a change by others in the meantime is noticed. Not later: Nova's
# allocations have no type of consumer, which 1.38 requires.
VERSION = {"microversion": "1.28"}
# Of an allocation, for its replacement.
KEPT = ("project_id", "user_id", "consumer_generation")


class Providers:
    """What Placement has of a host that has left.

    :param conn: connection as the admin user.
    :param host: its name in Nova.
    """

    def __init__(self, conn, host: str) -> None:
        self.placement, self.host = conn.placement, host

    def request(self, method: str, path: str, **options):
        """Return the decoded response of Placement; None without a body.

        :raises Failed: it refuses the request, or does not respond.
        """
        with translate_errors():
            response = rest(self.placement, method, path, **VERSION, **options)
        return response.json() if response.content else None

    def remove(self) -> Iterator[Change]:
        """Yield the removal of the host's providers, with what servers that are elsewhere now still have of them."""
        found = self.request("GET", "/resource_providers")["resource_providers"]
        # Nova names them after the host of libvirt, which may have a domain.
        for provider in found:
            if provider["name"].partition(".")[0] == self.host and not provider["parent_provider_uuid"]:
                yield self._removed(provider["uuid"], provider["name"])

    def _removed(self, uuid: str, name: str) -> Change:
        def apply():
            tree = self.request("GET", "/resource_providers", params={"in_tree": uuid})["resource_providers"]
            for one in sorted(tree, key=lambda one: one["uuid"] == uuid):
                self._delete(one["uuid"])

        return Change("resource provider", "delete", name, {"listed": True}, {"listed": False}, apply)

    def _delete(self, uuid: str) -> None:
        for consumer in self.request("GET", f"/resource_providers/{uuid}/allocations")["allocations"]:
            had = self.request("GET", f"/allocations/{consumer}")
            others = {
                other: {"resources": one["resources"]} for other, one in had["allocations"].items() if other != uuid
            }
            body = {"allocations": others, **{key: had[key] for key in KEPT}}
            self.request("PUT", f"/allocations/{consumer}", json=body)
        self.request("DELETE", f"/resource_providers/{uuid}")
