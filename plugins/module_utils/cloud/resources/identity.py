# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Projects with their quotas, users, groups and their roles."""

from __future__ import annotations

from ansible_collections.cairn.openstack.plugins.module_utils.cloud.resources.kind import Kind, part
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.sdk import PROBLEMS


class Domain(Kind):
    """A domain; only referred to, not declared."""

    name = "domain"

    def found(self):
        for domain in self.cloud.conn.identity.domains():
            yield domain.name, domain

    @property
    def directories(self) -> dict[str, str]:
        """The domains whose users and groups are in a directory, which Keystone only reads, each with its state."""
        return self.cloud.params["ldap_domains"]

    def can_search(self, name: str) -> bool:
        """Whether the directory of the domain is in use, and answers: in a plan, it may only be declared."""
        in_use = name in self.existing and self.existing[name].is_enabled and self.directories[name] == "present"
        return in_use and name not in self.cloud.unavailable


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


class Member(InDomain):
    """A user or a group. Those of a domain with a directory are there, and are never created, changed or deleted."""

    def listed(self, **query):
        """List the objects of one domain."""
        raise NotImplementedError

    def found(self):
        # By domain: the list without one lacks those of a directory.
        domains = self.cloud.domain
        items = [item for item in self.items(self.cloud.params) if item["domain"] in domains.existing]
        for domain in dict.fromkeys(item["domain"] for item in items):
            if domain not in domains.directories:
                yield from self.by_domain(self.listed(domain_id=domains.id(domain)))
            elif domains.can_search(domain):
                # It may have any number of others.
                names = list(dict.fromkeys(item["name"] for item in items if item["domain"] == domain))
                try:
                    yield from [found for name in names for found in self._searched(domain, name)]
                except PROBLEMS as error:
                    self.cloud.unavailable[domain] = str(error)

    def _searched(self, domain: str, name: str):
        """Yield (key, object) of one name in a directory, which does not tell small letters from capital ones."""
        for one in self.listed(domain_id=self.cloud.domain.id(domain), name=name):
            if one.name.casefold() == name.casefold():
                yield (domain, name), one

    def plan(self, params):
        mine, theirs, domains = {}, {}, self.cloud.domain
        for item in self.items(params):
            # One that is repeated for a further project is one nevertheless.
            of = theirs if item["domain"] in domains.directories else mine
            given = {name: value for name, value in item.items() if value is not None}
            of[self.key(item)] = {**of.get(self.key(item), item), **given}
        theirs = {key: item for key, item in theirs.items() if domains.can_search(key[0])}
        there = [item for key, item in theirs.items() if key in self.existing and item["state"] == "present"]
        changes, errors = super().plan({**params, f"{self.name}s": [*mine.values(), *there]})
        for key, item in theirs.items():
            title, where = self.title(key), f"the directory of domain {key[0]}"
            if item["state"] == "absent" and key in self.existing:
                errors.append(f"{title} can't be deleted: it is in {where}")
            elif item["state"] == "present" and key not in self.existing:
                missing = f"there is no {title} in {where}"
                # Keystone may be about to use the directory.
                (self.cloud.warnings if self.cloud.planned else errors).append(missing)
            elif item.get("password"):
                errors.append(f"{title} can't have a password here: it is in {where}")
        return changes, errors

    def facts(self, thing):
        return {"description": thing.description}

    def wanted(self, item):
        return {"description": item["description"]}

    def errors(self, item, changed):
        theirs = sorted(changed) if item["domain"] in self.cloud.domain.directories else ()
        return [*super().errors(item, changed), *(f"{field} can't be changed in a directory" for field in theirs)]


class User(Member):
    """A user. The password is set only at creation."""

    name = "user"

    def listed(self, **query):
        return self.cloud.conn.identity.users(**query)

    def facts(self, thing):
        return {**super().facts(thing), "email": thing.email}

    def wanted(self, item):
        return {**super().wanted(item), "email": item["email"]}

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


class Group(Member):
    """A group of users."""

    name = "group"

    def listed(self, **query):
        return self.cloud.conn.identity.groups(**query)

    def create(self, item, fields):
        return self.cloud.conn.identity.create_group(
            name=item["name"], domain_id=self.cloud.domain.id(item["domain"]), **fields
        )

    def update(self, thing, fields, item):
        self.cloud.conn.identity.update_group(thing.id, **fields)

    def delete(self, thing):
        self.cloud.conn.identity.delete_group(thing.id)


class Grant(Kind):
    """The role of a user or a group on a project. Other roles are left unchanged."""

    name = "role assignment"

    def items(self, params):
        return [
            {**item, "role": role, "who": who}
            for who in ("user", "group")
            for item in params[f"{who}s"]
            if item["project"] and item["state"] == "present" and self._known(item["domain"])
            for role in item["roles"]
        ]

    def _known(self, domain: str) -> bool:
        """Whether the users and groups of the domain are known; of a directory that is only planned they will be."""
        gone = self.cloud.domain.directories.get(domain) == "absent"
        return not gone and domain not in self.cloud.unavailable

    def key(self, item):
        return item["who"], (item["domain"], item["name"]), self.cloud.owner(item), item["role"]

    def label(self, key):
        who, whose, project, role = key
        return f"{role} of {'group ' if who == 'group' else ''}{whose[1]} on project {project[1]}"

    def found(self):
        # By ids: for their names Keystone would ask directories, which may be off.
        kinds = {
            "user": self.cloud.user,
            "group": self.cloud.group,
            "project": self.cloud.project,
            "role": self.cloud.role,
        }
        named = {kind: {thing.id: key for key, thing in of.existing.items()} for kind, of in kinds.items()}
        for grant in self.cloud.conn.identity.role_assignments():
            project = named["project"].get(((grant.scope or {}).get("project") or {}).get("id"))
            role = named["role"].get((grant.role or {}).get("id"))
            for who in ("user", "group"):
                whose = named[who].get((getattr(grant, who) or {}).get("id"))
                if whose and project and role:
                    yield (who, whose, project, role), grant

    def create(self, item, fields):
        who, whose, project, role = self.key(item)
        ids = self.cloud.project.id(project), getattr(self.cloud, who).id(whose), self.cloud.role.id(role)
        identity = self.cloud.conn.identity
        assign = {"user": identity.assign_project_role_to_user, "group": identity.assign_project_role_to_group}
        return assign[who](*ids)
