# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Tempest's plugins for the optional services: which of their tests are run, and their options of tempest.conf."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import cloud
import results
from configuration import PREFIX, Sections, SettingsError, constants

# Heat's tests do not use Tempest's users, so they have one of their own, in a project of this name.
HEAT = f"{PREFIX}-heat"
_KEYS = {"package", "module", "catalog", "available", "roles", "options", "out"}


@dataclass(frozen=True)
class Plugin:
    """An entry of plugins.yml."""

    name: str
    module: str
    catalog: list[str]
    available: dict[str, str]
    roles: list[str]
    options: Sections = field(default_factory=dict)
    out: list[results.Skip] = field(default_factory=list)


def load(given: Mapping[str, Any], names: Iterable[str]) -> list[Plugin]:
    """Return the plugins with these names.

    :param given: the content of plugins.yml.
    :raises SettingsError: there is no such plugin, or its entry is wrong.
    """
    found = []
    for name in names:
        entry = given["plugins"].get(name)
        if not isinstance(entry, dict) or set(entry) != _KEYS:
            raise SettingsError(f"plugins.yml: {name} needs {', '.join(sorted(_KEYS))}, and nothing else")
        # Skips are searched for anywhere in an id, and those of a plugin are only for it.
        own = [
            results.Skip(f"^{re.escape(entry['module'])}\\.{skip.test}", skip.reason)
            for skip in results.skips(entry["out"])
        ]
        keys = {key: entry[key] for key in ("module", "catalog", "available", "roles")}
        found.append(Plugin(name=name, **keys, options=constants(entry["options"]), out=own))
    return found


def expression(chosen: Iterable[Plugin]) -> str:
    """Return the regular expression for the ids of all tests of the plugins."""
    return f"^({'|'.join(re.escape(plugin.module) for plugin in chosen)})\\."


def missing(chosen: Iterable[Plugin], services: Iterable[str]) -> list[str]:
    """Return the types that the catalog lacks, each with the plugin that tests it."""
    return [f"{kind} ({plugin.name})" for plugin in chosen for kind in plugin.catalog if kind not in set(services)]


def facts(conn: Any, chosen: Iterable[Plugin]) -> dict[str, Any]:
    """Return what the plugins' options follow from, as the APIs say."""
    names = {plugin.name for plugin in chosen}
    found: dict[str, Any] = {}
    if "barbican" in names:
        found["barbican"] = cloud.microversion(conn.key_manager)
    if "octavia" in names:
        found["octavia"] = {one.name: one.description or one.name for one in conn.load_balancer.providers()}
    if "manila" in names:
        pools = cloud.answer(conn.shared_file_system, "/scheduler-stats/pools/detail").get("pools", [])
        found["manila"] = {
            "max_microversion": cloud.microversion(conn.shared_file_system),
            "pools": [pool["capabilities"] for pool in pools],
        }
    return found


def _barbican(newest: str) -> Sections:
    return {"key_manager": {"min_microversion": "1.0" if newest else None, "max_microversion": newest or None}}


def _octavia(providers: dict[str, str]) -> Sections:
    # Commas and colons separate the entries of the option.
    told = ",".join(f"{name}:{re.sub('[,:]', ' ', said)}" for name, said in sorted(providers.items()))
    chosen = next((name for name in ("octavia", "amphora", *sorted(providers)) if name in providers), None)
    return {"load_balancer": {"provider": chosen, "enabled_provider_drivers": told or None}}


def _manila(told: dict, services: Mapping[str, str]) -> Sections:
    pools, newest = told["pools"], told["max_microversion"]
    protocol = pools[0].get("storage_protocol") if pools else None
    # A driver without share servers has no networks of users.
    own_servers = bool(pools) and str(pools[0].get("driver_handles_share_servers")).lower() == "true"
    return {
        "share": {
            # The tests of version 2 use it as well.
            "catalog_type": "share" if "share" in services else "sharev2",
            "max_api_microversion": newest or None,
            "capability_storage_protocol": protocol,
            "enable_protocols": ",".join(protocol.lower().split("_")) if protocol else None,
            "multitenancy_enabled": own_servers,
            "create_networks_when_multitenancy_enabled": own_servers,
        }
    }


def _heat(identity: dict, external: str | None, user: Mapping[str, str]) -> Sections:
    return {
        "heat_plugin": {
            "auth_url": identity["auth_url"],
            "region": identity["region"],
            "ca_file": identity["ca_file"],
            "username": user["name"],
            "password": user["password"],
            "project_name": user["name"],
            "admin_username": identity["username"],
            "admin_password": identity["password"],
            "admin_project_name": identity["project"],
            "user_domain_name": identity["domain"],
            "project_domain_name": identity["domain"],
            "floating_network_name": external,
        }
    }


def sections(
    chosen: Iterable[Plugin],
    told: Mapping[str, Any],
    extra: Mapping[str, Any],
    user: Mapping[str, str],
    servers: list[str],
) -> Sections:
    """Return the plugins' options of tempest.conf.

    :param told: `cloud.facts`.
    :param extra: `facts`.
    :param user: C(name), also the project's, and C(password) of Heat's user.
    :param servers: the addresses of the name servers.
    :raises SettingsError: a constant is set that follows from the cloud.
    """
    found: Sections = {"service_available": {}}
    external = (told.get("network", {}).get("external") or {}).get("name")
    for plugin in chosen:
        available = {option: kind in told["services"] for option, kind in plugin.available.items()}
        derived: Sections = {"service_available": available}
        if plugin.name == "barbican":
            derived |= _barbican(extra["barbican"])
        elif plugin.name == "designate":
            derived["dns"] = {"nameservers": ",".join(servers) or None}
        elif plugin.name == "heat":
            derived |= _heat(told["identity"], external, user)
        elif plugin.name == "manila":
            derived |= _manila(extra["manila"], told["services"])
        elif plugin.name == "octavia":
            derived |= _octavia(extra["octavia"])
        for part in (derived, plugin.options):
            for section, options in part.items():
                here = found.setdefault(section, {})
                if both := sorted(set(here) & set(options)):
                    raise SettingsError(f"plugins.yml: {section}.{both[0]} of {plugin.name} is set twice")
                here.update(options)
    return found


class Users:
    """Roles, and Heat's user and project, which a run creates and removes."""

    def __init__(self, conn: Any, chosen: Iterable[Plugin]) -> None:
        self.conn, self.chosen = conn, list(chosen)
        self.made: list[Any] = []
        self.user = {"name": HEAT, "password": secrets.token_hex(16)}

    def create(self) -> None:
        """Create what is missing.

        :raises SDKException: Keystone refuses.
        """
        identity = self.conn.identity
        # What an interrupted run has left has another password.
        self._remove_heat()
        roles = {name: identity.find_role(name) for plugin in self.chosen for name in plugin.roles}
        for name, role in roles.items():
            if role is None:
                roles[name] = identity.create_role(name=name)
                self.made.append(roles[name])
        for plugin in self.chosen:
            if plugin.name == "heat":
                domain = self.conn.config.config["auth"]["user_domain_name"]
                domain_id = identity.find_domain(domain, ignore_missing=False).id
                project = identity.create_project(name=HEAT, domain_id=domain_id)
                user = identity.create_user(**self.user, domain_id=domain_id, default_project_id=project.id)
                for name in plugin.roles:
                    identity.assign_project_role_to_user(project, user, roles[name])

    def _remove_heat(self) -> None:
        for user in list(self.conn.identity.users(name=HEAT)):
            self.conn.identity.delete_user(user)
        for project in list(self.conn.identity.projects(name=HEAT)):
            # Neutron gives each project one, and keeps it when the project is deleted.
            for group in list(self.conn.network.security_groups(project_id=project.id)):
                self.conn.network.delete_security_group(group)
            self.conn.identity.delete_project(project)

    def remove(self) -> None:
        """Remove what `create` has created."""
        self._remove_heat()
        for role in self.made:
            self.conn.identity.delete_role(role)
