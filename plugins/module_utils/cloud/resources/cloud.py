# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compares declared and existing objects: the plan, in an order in which it can be executed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import cached_property

from ansible_collections.cairn.openstack.plugins.module_utils.cloud.resources import (
    compute,
    identity,
    image,
    network,
    rating,
    volume,
)
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.resources.kind import Kind
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.sdk import translate_errors
from ansible_collections.cairn.openstack.plugins.module_utils.common.changes import Change, Failed


class Cloud:
    """All kinds of objects by name, through which they refer to each other.

    :param conn: connection as the admin user; None for a cloud that does not exist yet.
    :param params: the declared objects.
    :param tmpdir: a directory for downloads.
    :param planned: whether the changes are only planned, in check mode.
    """

    def __init__(self, conn, params: dict, tmpdir: str | None = None, planned: bool = False):
        self.conn = conn
        self.params = params
        self.tmpdir = tmpdir
        self.planned = planned
        self.warnings: list[str] = []
        # Domains whose directory can't be searched now, with the error: their users and groups are left as they are.
        self.unavailable: dict[str, str] = {}
        self.domain = identity.Domain(self)
        self.role = identity.Role(self)
        self.compute_host = compute.ComputeHost(self)
        self.project = identity.Project(self)
        self.quota = identity.Quota(self)
        self.user = identity.User(self)
        self.group = identity.Group(self)
        self.grant = identity.Grant(self)
        self.flavor = compute.Flavor(self)
        self.aggregate = compute.Aggregate(self)
        self.member = compute.Member(self)
        self.volume_type = volume.VolumeType(self)
        self.image = image.Image(self)
        self.network = network.Network(self)
        self.subnet = network.Subnet(self)
        self.router = network.Router(self)
        self.interface = network.Interface(self)
        self.rating_module = rating.RatingModule(self)
        self.price = rating.Price(self)

    @cached_property
    def own_project(self) -> tuple[str, str]:
        """The admin project, as (domain, name)."""
        if not self.conn:
            return "Default", "admin"
        mine = self.conn.current_project_id
        return next(key for key, project in self.project.existing.items() if project.id == mine)

    def owner(self, item: dict) -> tuple[str, str]:
        """Return the project of a declared object, as (domain, name): the admin project by default."""
        return (item["domain"], item["project"]) if item["project"] else self.own_project

    def plan(self) -> list[Change]:
        """Return all changes: deletions first, dependent objects before others, then creations in the opposite order.

        :raises Failed: declarations are impossible; with all errors.
        """
        services = [
            [self.project, self.quota, self.user, self.group, self.grant],
            [self.flavor, self.aggregate, self.member],
            [self.volume_type],
            [self.image],
            [self.network, self.subnet, self.router, self.interface],
            [self.rating_module, self.price],
        ]
        coming, going, errors = [], [], []
        with translate_errors():
            # Listing in parallel, as it takes most of the time of a run without changes.
            with ThreadPoolExecutor() as pool:
                list(pool.map(self._look, services))
            for kind in (kind for kinds in services for kind in kinds):
                if kind.items(self.params):
                    changes, impossible = kind.plan(self.params)
                    coming += [change for change in changes if change.after]
                    going.append([change for change in changes if not change.after])
                    errors += impossible
        if errors:
            raise Failed("\n".join(errors))
        return [change for changes in reversed(going) for change in changes] + coming

    def _look(self, kinds: list[Kind]) -> list[dict]:
        """Return the existing objects of *kinds*, listing only what is needed."""
        return [kind.existing for kind in kinds if kind.items(self.params)]
