# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Removes all objects of a run, however it ended: they are found by the name of the run."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable

from ansible_collections.cairn.openstack.plugins.module_utils.cloud.resources.network import INTERFACES
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.sdk import translate_errors, words
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify import objects, optional
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify.checks import Bad, Service, poll
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify.volume import TYPES

# The name of a run: a prefix, the time in UTC, so that names sort by age, and a random suffix.
STAMP = r"(\d{14})-[0-9a-f]{4}"
# Runs with a kept server; only a run that keeps a server itself removes them.
CHECK_PREFIX, KEPT_PREFIX = "cairn-verify-", "cairn-kept-"
# Flavors besides that of the run's own name.
FLAVORS = ("larger", "node")


def earlier(names: Iterable[str], run: str) -> list[str]:
    """Return the earlier runs, found by names of objects, that this run may remove."""
    prefixes = (CHECK_PREFIX, KEPT_PREFIX) if run.startswith(KEPT_PREFIX) else (CHECK_PREFIX,)
    pattern = re.compile(f"((?:{'|'.join(prefixes)}){STAMP})(?:-|$)")
    found = {match.group(1): match.group(2) for match in map(pattern.match, names) if match}
    began = re.search(STAMP, run).group(1)
    return sorted(name for name, stamp in found.items() if stamp < began)


def sweep_earlier(admin, run: str, timeout: float, stores: bool, services: Collection[str]) -> str:
    """Remove the objects of interrupted runs.

    :param timeout: seconds to wait for the deletion of servers.
    :param stores: whether the cloud has object storage.
    :param services: the cloud's optional services.
    """
    names = [thing.name for thing in (*admin.identity.projects(), *admin.identity.users(), *admin.compute.flavors())]
    runs = earlier(names, run)
    count = sum(Sweep(admin, name, timeout, stores=stores, services=services).all() for name in runs)
    return f"{count} objects of {', '.join(runs)} removed" if runs else "none"


class Sweep:
    """Removes the objects of a run.

    :param timeout: seconds to wait for the deletion of servers.
    :param keep: keep the first server and its resources.
    :param stores: whether the cloud has object storage.
    :param services: the cloud's optional services.
    """

    def __init__(
        self,
        admin,
        name: str,
        timeout: float,
        keep: bool = False,
        stores: bool = False,
        services: Collection[str] = (),
    ):
        self.stores = stores
        self.services = services
        self.admin = admin
        self.name = name
        self.timeout = timeout
        self.spared = {name, f"{name}-1", f"{name}-image", "default"} if keep else set()
        self.count = 0
        self.left: list[str] = []

    def all(self) -> int:
        """Remove everything and return the number of objects.

        :raises Bad: some objects remain.
        """
        identity, compute = self.admin.identity, self.admin.compute
        users = list(identity.users(name=self.name))
        for user in users:
            self.each(
                "key pair", compute.keypairs(user_id=user.id), lambda k, u=user: compute.delete_keypair(k, user_id=u.id)
            )
        self.each("key pair", [k for k in compute.keypairs() if k.name == self.name], compute.delete_keypair)
        projects = list(identity.projects(name=self.name))
        for project in projects:
            self.project(project.id)
        flavors = [f for f in compute.flavors() if f.name in {self.name, *(f"{self.name}-{kind}" for kind in FLAVORS)}]
        self.each("flavor", flavors, compute.delete_flavor)
        self.each("user", users, identity.delete_user)
        # The next run finds remaining objects by their project.
        if not self.left:
            self.each("project", projects, identity.delete_project)
        if self.left:
            raise Bad(f"left behind: {'; '.join(self.left)}")
        return self.count

    def project(self, project: str) -> None:
        """Remove the objects in a project, dependent ones first."""
        network = self.admin.network
        # What stacks have goes with them.
        services = optional.of(self.services)
        for service in services:
            if not service.last:
                self.created_by(service, project)
        # While the servers are being deleted, objects independent of them are removed.
        self.guests(project)
        if not self.spared:
            self.each("floating IP", network.ips(project_id=project), network.delete_ip)
        names = {net.id: net.name for net in network.networks(project_id=project)}
        for router in network.routers(project_id=project):
            inner = [
                port
                for port in network.ports(device_id=router.id)
                if port.device_owner in INTERFACES and names.get(port.network_id) not in self.spared
            ]
            self.each("interface", inner, lambda p, r=router: network.remove_interface_from_router(r.id, port_id=p.id))
            self.each("router", [router], network.delete_router)
        if self.stores:
            self.objects(project)
        self.each("image", self.admin.image.images(owner=project), self.admin.image.delete_image)
        if not poll(lambda: not self.servers(project), self.timeout):
            left = self.servers(project)
            self.left += [
                f"server {server.name} ({server.id}, {server.task_state or server.status})" for server in left
            ]
        self.volumes(project)
        ports = (port for port in network.ports(project_id=project) if not port.device_owner.startswith("network:"))
        self.each("port", ports, network.delete_port)
        self.each("network", network.networks(project_id=project), network.delete_network)
        self.each("security group", network.security_groups(project_id=project), network.delete_security_group)
        for service in services:
            if service.last:
                self.created_by(service, project)

    def guests(self, project: str) -> None:
        """Request the deletion of a project's servers."""
        self.each("server", self.servers(project), self.admin.compute.delete_server)

    def created_by(self, service: Service, project: str) -> None:
        """Delete what was created in a project by an optional service."""
        try:
            with translate_errors():
                self.left += [f"{service.what} {name}" for name in service.sweep(self.admin, project, self.timeout)]
        except Exception as error:
            self.left.append(f"{service.what}s: {words(error)}")

    def objects(self, project: str) -> None:
        """Remove the containers of a project."""
        try:
            with translate_errors():
                self.count += objects.sweep(self.admin, project)
        except Exception as error:
            self.left.append(f"objects: {words(error)}")

    def volumes(self, project: str) -> None:
        """Remove the volumes of a project with their snapshots and backups, if the cloud has volumes."""
        if not any(service.type in TYPES for service in self.admin.identity.services()):
            return
        block = self.admin.block_storage
        query = {"all_projects": True, "project_id": project}
        # Also those of a kept server.
        for volume in block.volumes(**query) if self.spared else ():
            for one in volume.attachments:
                self.admin.compute.delete_volume_attachment(one["server_id"], volume.id)
        if self.spared:
            poll(lambda: all(volume.status == "available" for volume in block.volumes(**query)), self.timeout)
        for what, found, delete in (
            ("backup", self.backups, block.delete_backup),
            ("snapshot", block.snapshots, block.delete_snapshot),
            ("volume", block.volumes, block.delete_volume),
        ):
            self.each(what, found(**query), delete)
            if not poll(lambda found=found: not list(found(**query)), self.timeout):
                self.left += [f"{what} {thing.name} ({thing.status})" for thing in found(**query)]

    def backups(self, project_id: str, **_query) -> list:
        """Return the backups of a project, which the SDK cannot list for all projects."""
        found = self.admin.block_storage.backups(all_tenants=True, project_id=project_id)
        return [backup for backup in found if backup.project_id == project_id]

    def servers(self, project: str) -> list:
        """Return the remaining servers of a project that are to be deleted."""
        found = self.admin.compute.servers(all_projects=True, project_id=project)
        return [server for server in found if server.name not in self.spared]

    def each(self, what: str, things: Iterable, delete: Callable) -> None:
        """Delete the objects that are not kept, and continue after errors."""
        for thing in list(things):
            if thing.name in self.spared:
                continue
            try:
                with translate_errors():
                    delete(thing)
                self.count += 1
            except Exception as error:
                self.left.append(f"{what} {thing.name}: {words(error)}")
