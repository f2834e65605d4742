# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is declared beside what is there: the plan, in the order in which it can be carried out."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import cached_property

from ansible_collections.cairn.openstack.plugins.module_utils.cloud.resources import (
    compute,
    identity,
    image,
    network,
    volume,
)
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.resources.kind import Kind
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.sdk import translate_errors
from ansible_collections.cairn.openstack.plugins.module_utils.common.changes import Change, Failed


class Cloud:
    """Every kind of object by its name; each refers to others through here.

    :param conn: the administrator's connection; None for a cloud that isn't there yet.
    :param params: what is declared.
    :param tmpdir: a directory for what is fetched.
    """

    def __init__(self, conn, params: dict, tmpdir: str | None = None):
        self.conn = conn
        self.params = params
        self.tmpdir = tmpdir
        self.domain = identity.Domain(self)
        self.role = identity.Role(self)
        self.compute_host = compute.ComputeHost(self)
        self.project = identity.Project(self)
        self.quota = identity.Quota(self)
        self.user = identity.User(self)
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

    @cached_property
    def own_project(self) -> tuple[str, str]:
        """The administrator's own project, as (domain, name)."""
        if not self.conn:
            return "Default", "admin"
        mine = self.conn.current_project_id
        return next(key for key, project in self.project.existing.items() if project.id == mine)

    def owner(self, item: dict) -> tuple[str, str]:
        """Return the project of a declared object, as (domain, name): the administrator's unless another is given."""
        return (item["domain"], item["project"]) if item["project"] else self.own_project

    def plan(self) -> list[Change]:
        """Return all changes: first what goes, users before what they use, then what comes, the used before its users.

        :raises Failed: something declared is impossible; all of it is told.
        """
        services = [
            [self.project, self.quota, self.user, self.grant],
            [self.flavor, self.aggregate, self.member],
            [self.volume_type],
            [self.image],
            [self.network, self.subnet, self.router, self.interface],
        ]
        coming, going, faults = [], [], []
        with translate_errors():
            # The services list what they have side by side: that is most of a run with nothing to do.
            with ThreadPoolExecutor() as pool:
                list(pool.map(self._look, services))
            for kind in (kind for kinds in services for kind in kinds):
                if kind.items(self.params):
                    changes, impossible = kind.plan(self.params)
                    coming += [change for change in changes if change.after]
                    going.append([change for change in changes if not change.after])
                    faults += impossible
        if faults:
            raise Failed("\n".join(faults))
        return [change for changes in reversed(going) for change in changes] + coming

    def _look(self, kinds: list[Kind]) -> list[dict]:
        """Return what is there of *kinds*; nothing is listed that nobody asks for."""
        return [kind.existing for kind in kinds if kind.items(self.params)]
