# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Projects with their quotas, users and their roles."""

from __future__ import annotations

from ansible_collections.cairn.openstack.plugins.module_utils.cloud.resources.kind import Kind, part


class Domain(Kind):
    """A domain; only referred to, not declared."""

    name = "domain"

    def found(self):
        for domain in self.cloud.conn.identity.domains():
            yield domain.name, domain


class Role(Kind):
    """A role; only referred to, not declared."""

    name = "role"

    def found(self):
        for role in self.cloud.conn.identity.roles():
            yield role.name, role


class InDomain(Kind):
    """An object with a unique name in its domain."""

    def key(self, item):
        return item["domain"], item["name"]

    def by_domain(self, things):
        """Yield (key, object) in known domains."""
        names = {domain.id: name for name, domain in self.cloud.domain.existing.items()}
        for thing in things:
            if thing.domain_id in names:
                yield (names[thing.domain_id], thing.name), thing


class Project(InDomain):
    name = "project"

    def found(self):
        yield from self.by_domain(self.cloud.conn.identity.projects())

    def facts(self, thing):
        return {"description": thing.description}

    def wanted(self, item):
        return {"description": item["description"]}

    def create(self, item, fields):
        return self.cloud.conn.identity.create_project(
            name=item["name"], domain_id=self.cloud.domain.id(item["domain"]), **fields
        )

    def update(self, thing, fields, item):
        self.cloud.conn.identity.update_project(thing.id, **fields)

    def delete(self, thing):
        self.cloud.conn.identity.delete_project(thing.id)


class Quota(InDomain):
    """The quotas of a declared project. Every project has some, so they are only updated."""

    name = "quota"

    def items(self, params):
        return [item for item in params["projects"] if item["quota"] and item["state"] == "present"]

    def calls(self, service):
        """Return the functions that read and set the quotas of a service."""
        if service == "network":
            return self.cloud.conn.network.get_quota, self.cloud.conn.network.update_quota
        proxy = self.cloud.conn.compute if service == "compute" else self.cloud.conn.block_storage
        return proxy.get_quota_set, proxy.update_quota_set

    def found(self):
        for item in self.items(self.cloud.params):
            project = self.cloud.project.existing.get(self.key(item))
            if project is not None:
                yield self.key(item), (project.id, item["quota"])

    def facts(self, thing):
        project, quota = thing
        limits = {}
        for service, declared in quota.items():
            if declared:
                answer = self.calls(service)[0](project).to_dict(original_names=True)
                limits[service] = {name: answer.get(name) for name in declared}
        return limits

    def wanted(self, item):
        return {
            service: {name: int(limit) for name, limit in limits.items()}
            for service, limits in item["quota"].items()
            if limits
        }

    def create(self, item, fields):
        thing = (self.cloud.project.id(self.key(item)), item["quota"])
        self.update(thing, fields, item)
        return thing

    def update(self, thing, fields, item):
        for service in item["quota"]:
            limits = part(fields, service)
            if limits:
                self.calls(service)[1](thing[0], **limits)


class User(InDomain):
    """A user. The password is set only at creation."""

    name = "user"

    def found(self):
        yield from self.by_domain(self.cloud.conn.identity.users())

    def facts(self, thing):
        return {"description": thing.description, "email": thing.email}

    def wanted(self, item):
        return {"description": item["description"], "email": item["email"]}

    def create(self, item, fields):
        if item["password"]:
            fields = {**fields, "password": item["password"]}
        if item["project"]:
            fields = {**fields, "default_project_id": self.cloud.project.id(self.cloud.owner(item))}
        return self.cloud.conn.identity.create_user(
            name=item["name"], domain_id=self.cloud.domain.id(item["domain"]), **fields
        )

    def update(self, thing, fields, item):
        self.cloud.conn.identity.update_user(thing.id, **fields)

    def delete(self, thing):
        self.cloud.conn.identity.delete_user(thing.id)


class Grant(Kind):
    """The role of a user on a project. Other roles are left unchanged."""

    name = "role assignment"

    def items(self, params):
        return [
            {**item, "role": role}
            for item in params["users"]
            if item["project"] and item["state"] == "present"
            for role in item["roles"]
        ]

    def key(self, item):
        return (item["domain"], item["name"]), self.cloud.owner(item), item["role"]

    def label(self, key):
        user, project, role = key
        return f"{role} of {user[1]} on project {project[1]}"

    def found(self):
        for grant in self.cloud.conn.identity.role_assignments(include_names=True):
            project = (grant.scope or {}).get("project")
            if grant.user and project:
                user = grant.user["domain"]["name"], grant.user["name"]
                yield (user, (project["domain"]["name"], project["name"]), grant.role["name"]), grant

    def create(self, item, fields):
        user, project, role = self.key(item)
        ids = self.cloud.project.id(project), self.cloud.user.id(user), self.cloud.role.id(role)
        return self.cloud.conn.identity.assign_project_role_to_user(*ids)
