# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keystone's objects: all are listed once and compared, and only the differences are changed."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from urllib.parse import quote, urlsplit

from ansible_collections.cairn.openstack.plugins.module_utils.common.changes import (
    WORKERS,
    Change,
    Failed,
    Unreachable,
    by_stages,
)
from ansible_collections.cairn.openstack.plugins.module_utils.common.rest import Api, Denied
from ansible_collections.cairn.openstack.plugins.module_utils.control_plane.mariadb import SOCKET, Server, stored

MEMORY = "/run/cairn/identity.json"
# Options of a user, and their ids in the database: what [security_compliance] demands of people would lock out users
# whose password only the hosts and the control node know.
EXEMPTIONS = {
    "ignore_change_password_upon_first_use": "1000",
    "ignore_password_expiry": "1001",
    "ignore_lockout_failure_attempts": "1002",
    "ignore_user_inactivity": "1004",
}
BOOTSTRAPPED_ROLES = ("admin", "manager", "member", "reader", "service")
# Objects that later stages depend on are in earlier ones.
STAGES = (
    "strangers",
    "top",
    "directory",
    "provider",
    "protocol",
    "project",
    "user",
    "grant",
    "service",
    "endpoint",
    "removal",
)
# The description of a provider that this module has made, and may delete.
MADE_HERE = "Declared in Cairn's settings"
FEDERATION = "/OS-FEDERATION"


class Keystone(Api):
    """Keystone's API, version 3.

    :param auth: the option C(auth) of the module.
    """

    def __init__(self, auth: dict):
        url = auth["url"].rstrip("/")
        super().__init__(url if url.endswith("/v3") else f"{url}/v3", auth["cafile"])
        self._auth = auth

    def enter(self) -> None:
        """Request the token of the admin user.

        :raises Denied: wrong name or password, or no role on this project.
        """
        auth, domain = self._auth, {"name": self._auth["domain"]}
        scope = {"project": {"name": auth["project"], "domain": domain}}
        headers, _token = self.call("POST", "/auth/tokens?nocatalog", _password_request(auth, auth["domain"], scope))
        self.headers["X-Auth-Token"] = next(value for key, value in headers.items() if key.lower() == "x-subject-token")

    def accepts(self, user: dict) -> bool:
        """Whether a user can get a token with its password."""
        credentials = {"username": user["name"], "password": user["password"]}
        try:
            self.call("POST", "/auth/tokens?nocatalog", _password_request(credentials, user["domain"], "unscoped"))
        except Denied:
            return False
        return True

    def bootstrap(self, password: str) -> None:
        """Create or correct the admin user with keystone-manage. The password is only in its environment."""
        auth = self._auth
        variables = {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": "/var/lib/keystone",
            "OS_BOOTSTRAP_USERNAME": auth["username"],
            "OS_BOOTSTRAP_PASSWORD": password,
            "OS_BOOTSTRAP_PROJECT_NAME": auth["project"],
        }
        try:
            done = subprocess.run(
                ["keystone-manage", "bootstrap"],
                user="keystone",
                group="keystone",
                extra_groups=[],
                cwd="/",
                env=variables,
                capture_output=True,
                text=True,
                check=False,
            )
        except (OSError, LookupError) as error:
            raise Failed(f"can't run keystone-manage as user keystone: {error}") from error
        if done.returncode:
            words = "\n".join((done.stderr or done.stdout).strip().splitlines()[-15:])
            raise Failed(f"keystone-manage bootstrap failed with exit code {done.returncode}:\n{words}")


def _password_request(credentials: dict, domain: str, scope) -> dict:
    user = {"name": credentials["username"], "password": credentials["password"], "domain": {"name": domain}}
    return {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope}}


@dataclass
class State:
    """Keystone's objects by name; C(ids) maps (kind, key) to an object's id, including those just created."""

    objects: dict = field(default_factory=dict)
    ids: dict = field(default_factory=dict)
    services: list = field(default_factory=list)
    endpoints: list = field(default_factory=list)
    grants: set = field(default_factory=set)
    """(user's id, role's id, kind of target, target's id)"""
    directories: dict = field(default_factory=dict)
    """names of domains → their own configuration, with the secret options"""
    refused: set = field(default_factory=set)
    """keys of the users whose password differs from the given one"""
    providers: dict = field(default_factory=dict)
    """names of identity providers → the provider, its protocols by name, its mapping's rules, and its users' ids"""

    def learn(self, kind: str, key, found: dict) -> None:
        """Record an existing object."""
        self.objects[kind, key] = found
        self.ids[kind, key] = found["id"]


def fresh(auth: dict) -> State:
    """Return the state of a Keystone after the bootstrap."""
    state = State()
    state.learn("domain", "Default", {"id": "default", "enabled": True})
    for name in BOOTSTRAPPED_ROLES:
        state.learn("role", name, {"id": name})
    state.learn("project", ("Default", auth["project"]), {"id": "admin", "enabled": True})
    state.learn("user", ("Default", auth["username"]), {"id": "admin", "enabled": True})
    state.grants = {("admin", "admin", "project", "admin"), ("admin", "admin", "system", "all")}
    return state


def read(keystone: Keystone, options: dict) -> State:
    """List all objects once and try the passwords of the wanted users, with several requests at a time.

    :param options: those of the module.
    """
    auth, users = options["auth"], options["users"]
    trusted = proven(users)
    theirs = {auth["domain"], *(user["domain"] for user in users)}
    state = State()
    with ThreadPoolExecutor(WORKERS) as pool:
        kinds = ("domains", "projects", "roles", "services", "endpoints", "regions", "role_assignments")
        found = dict(pool.map(lambda kind: (kind, keystone.get(f"/{kind}")[kind]), kinds))
        names = {domain["id"]: domain["name"] for domain in found["domains"]}
        # By domain, as users of a domain with its own driver are not in the complete list.
        wanted = [domain["id"] for domain in found["domains"] if domain["name"] in theirs]
        listed = list(pool.map(lambda domain: keystone.get(f"/users?domain_id={domain}")["users"], wanted))
        # A provider chooses the names of its users: also that of a user who gets roles here. After the list above, as
        # one may log in meanwhile.
        providing = keystone.get(f"{FEDERATION}/identity_providers")["identity_providers"]
        pairs = [(one["id"], domain) for one in providing for domain in wanted]
        foreign = {user for users in pool.map(lambda pair: provided(keystone, *pair), pairs) for user in users}
        for user in (user for users in listed for user in users if user["id"] not in foreign):
            state.learn("user", (names[user["domain_id"]], user["name"]), user)
        tried = [user for user in users if ("user", _key(user)) in state.objects and _key(user) not in trusted]
        tried = [user for user in tried if user["state"] == "present" and user["password"]]
        state.refused = {
            key for key, accepted in pool.map(lambda user: (_key(user), keystone.accepts(user)), tried) if not accepted
        }
    for domain in found["domains"]:
        state.learn("domain", domain["name"], domain)
    for project in found["projects"]:
        state.learn("project", (names.get(project["domain_id"]), project["name"]), project)
    for role in found["roles"]:
        state.learn("role", role["name"], role)
    for region in found["regions"]:
        state.learn("region", region["id"], region)
    state.directories = directories(names, options["domains"])
    state.providers = providers(keystone, options["identity_providers"], providing)
    state.services, state.endpoints = found["services"], found["endpoints"]
    state.grants = {grant for grant in map(_grant, found["role_assignments"]) if grant}
    return state


def provided(keystone: Keystone, provider: str, domain: str) -> list[str]:
    """Return the ids of the users that an identity provider has brought to a domain.

    :param domain: its id: with directories, Keystone lists the users of one domain only.
    """
    return [user["id"] for user in keystone.get(f"/users?domain_id={domain}&idp_id={quote(provider)}")["users"]]


def providers(keystone: Keystone, wanted: list[dict], listed: list[dict]) -> dict[str, dict]:
    """Return the identity providers that are wanted, or were made here, with their protocols, mappings and users.

    :param listed: all of Keystone's providers.
    """
    names = {one["name"] for one in wanted}
    listed = [one for one in listed if one["id"] in names or one.get("description") == MADE_HERE]
    if not names and not listed:
        return {}
    mappings = {one["id"]: one["rules"] for one in keystone.get(f"{FEDERATION}/mappings")["mappings"]}
    found = {name: {"provider": None, "protocols": {}, "rules": mappings.get(name), "users": []} for name in names}
    for one in listed:
        name = one["id"]
        protocols = keystone.get(f"{FEDERATION}/identity_providers/{name}/protocols")["protocols"]
        protocols = {protocol["id"]: protocol for protocol in protocols}
        # Those of one that stays are its own concern.
        users = [] if name in names else provided(keystone, name, one["domain_id"])
        found[name] = {"provider": one, "protocols": protocols, "rules": mappings.get(name), "users": users}
    return found


def directories(names: dict[str, str], domains: list[dict]) -> dict[str, dict]:
    """Return the domains' own configurations from the database, by name: the API does not return the password.

    :param names: the domains' names by their ids.
    :raises Failed: some of the *domains* have a directory, and the database is not on this host.
    """
    columns = "domain_id, `group`, `option`, value"
    tables = ("whitelisted_config", "sensitive_config")
    statement = " UNION ALL ".join(f"SELECT {columns} FROM keystone.{table}" for table in tables)
    found: dict[str, dict] = {}
    try:
        rows = Server(SOCKET).rows(statement)
    except Failed:
        if any(domain["ldap"] is not None for domain in domains):
            raise
        return {}
    for row in rows:
        if row["domain_id"] in names:
            options = found.setdefault(names[row["domain_id"]], {}).setdefault(row["group"], {})
            options[row["option"]] = json.loads(row["value"])
    return found


def proven(users: list[dict]) -> set[tuple[str, str]]:
    """Return the users whose passwords were verified before, and have not changed since."""
    known = recall()
    return {key for key, proof in proofs(users).items() if known.get("/".join(key)) == proof}


def unproven(users: list[dict]) -> bool:
    """Whether a password must be tried."""
    wanted = {_key(user) for user in users if user["state"] == "present" and user["password"]}
    return not wanted <= proven(users)


def compute(keystone: Keystone, options: dict, check_mode: bool) -> tuple[list[Change], list[str], bool]:
    """Return the changes to make, warnings, and whether the admin user could log in.

    The bootstrap cannot wait for the other changes: nothing can be listed before it.

    :raises Failed: Keystone is unreachable, or the admin user cannot log in; not in check mode.
    """
    auth = options["auth"]
    name = auth["username"]
    admit = partial(let_in, keystone, auth)
    bootstrap = Change("user", "bootstrap", name, {"enters": False}, {"enters": True}, admit)
    changes = []
    try:
        if not check_mode:
            keystone.wait("/", options["wait"])
        try:
            keystone.enter()
        except Denied as error:
            if not options["bootstrap"]:
                raise Failed(f"user {name} cannot log in, and bootstrap is off: {error}. {_remedy(auth)}") from error
            changes = [bootstrap]
            if check_mode:
                raise Unreachable("no admin user yet") from error
            bootstrap.make()
        state = read(keystone, options)
        return changes + Plan(keystone, state, options).changes, left_behind(state, options), True
    except Unreachable as error:
        if not check_mode:
            raise Unreachable(f"Keystone: {error}") from error
    if holds_catalog():
        return changes, [], False
    return [bootstrap, *Plan(keystone, fresh(auth), options).changes], [], False


def let_in(keystone: Keystone, auth: dict) -> None:
    """Let the admin user log in.

    keystone-manage creates the user, and corrects its password. It fails for a user that is locked after wrong
    passwords, whose password has expired, or who was disabled but has the right password. The first two end with the
    user's exemptions, which only the database takes now; the third with a bootstrap with another password.

    :raises Failed: with the remedy.
    """
    try:
        keystone.bootstrap(auth["password"])
        keystone.enter()
        return
    except Unreachable:
        raise
    except Failed as error:
        try:
            exempt(auth)
            # The own password is a part, for the sake of [security_compliance] password_regex.
            keystone.bootstrap(f"x{secrets.token_hex(16)}{auth['password']}")
            keystone.bootstrap(auth["password"])
            keystone.enter()
        except Failed as again:
            shown = str(error) if str(again) == str(error) else f"{error}\n{again}"
            raise Failed(f"{shown}\n{_remedy(auth)}") from again


def exempt(auth: dict) -> None:
    """Exempt the admin user from the rules for people, and forget failed logins, in Keystone's database.

    :raises Failed: the database is not on this host.
    """
    server, key = Server(SOCKET), (auth["username"], auth["domain"])
    user = "keystone.local_user l JOIN keystone.project d ON d.id = l.domain_id"
    where = "WHERE l.name = %s AND d.name = %s"
    server.rows(f"UPDATE {user} SET l.failed_auth_count = 0, l.failed_auth_at = NULL {where}", key)
    for option in EXEMPTIONS.values():
        server.rows(
            "INSERT INTO keystone.user_option (user_id, option_id, option_value)"
            f" SELECT l.user_id, %s, 'true' FROM {user} {where} ON DUPLICATE KEY UPDATE option_value = 'true'",
            (option, *key),
        )


def _remedy(auth: dict) -> str:
    name = auth["username"]
    return (
        f"If {name} is disabled or locked, or its password has expired, log in as another administrator and run:"
        f" openstack user set --enable --ignore-password-expiry --ignore-lockout-failure-attempts {name}"
    )


def left_behind(state: State, options: dict) -> list[str]:
    """Return warnings about this cloud's endpoints in other regions, and about other services of a type in its region.

    Endpoints with other names in another region are those of another cloud that uses this Keystone.
    """
    region = options["region"]
    urls = [url for service in options["services"] for url in service["endpoints"].values() if url]
    names, types = {urlsplit(url).hostname for url in urls}, {service["type"] for service in options["services"]}
    ours = {service["id"] for service in state.services if service["type"] in types}
    found: dict[str, list[dict]] = {}
    for endpoint in state.endpoints:
        other = endpoint.get("region_id")
        if other and other != region and endpoint["service_id"] in ours and urlsplit(endpoint["url"]).hostname in names:
            found.setdefault(other, []).append(endpoint)
    warnings = []
    for other, endpoints in sorted(found.items()):
        ids = " ".join(sorted(endpoint["id"] for endpoint in endpoints))
        commands = f"openstack endpoint delete {ids}"
        if len(endpoints) == len([one for one in state.endpoints if one.get("region_id") == other]):
            commands += f" && openstack region delete {other}"
        warnings.append(
            f"Keystone also lists {len(endpoints)} endpoints of this cloud in region {other}, which is not its region"
            f" {region}: clients that name no region may use either. To remove them: {commands}"
        )
    declared = {domain["name"] for domain in options["domains"] if domain["ldap"] is not None}
    warnings += [
        f"Keystone still has a directory of users for the domain {name}, which cloud_ldap_domains lacks: name it there"
        " with state: absent to end that"
        for name in sorted(state.directories.keys() - declared)
    ]
    return warnings + _other_services(state, options)


def _other_services(state: State, options: dict) -> list[str]:
    """Return warnings about services of a type that this cloud has, with another name, for clients of its region."""
    asked = {service["type"]: service["name"] for service in options["services"] if service["state"] == "present"}
    warnings = []
    for kind, name in asked.items():
        same = [found for found in state.services if found["type"] == kind]
        if name not in [found.get("name") for found in same]:
            continue  # the only one gets this name
        for other in same:
            if other.get("enabled") is False:
                continue  # not in the catalog
            regions = {one.get("region_id") for one in state.endpoints if one["service_id"] == other["id"]}
            if other.get("name") != name and (not regions or options["region"] in regions):
                warnings.append(
                    f"Keystone also lists the service {other.get('name') or other['id']} of the type {kind}, besides"
                    f" {name}: clients may use either. To remove it with its endpoints:"
                    f" openstack service delete {other['id']}"
                )
    return warnings


def holds_catalog() -> bool:
    """Whether the database of an unreachable Keystone has endpoints.

    A plan then does not list existing objects as new.
    """
    try:
        return bool(Server(SOCKET).rows("SELECT 1 FROM keystone.endpoint LIMIT 1"))
    except Unreachable:
        return stored("keystone")
    except Failed:
        return False


def proofs(users: list[dict]) -> dict[tuple[str, str], str]:
    """Return a digest of each wanted password together with its hash in Keystone's database.

    Verifying a password takes Keystone 0.4 s of CPU. If the digest is the same as after the last verification, the
    password is still right. Empty if the database is not on this host. A date of expiry does not matter, as the users
    are exempt from it.
    """
    statement = (
        "SELECT d.name AS domain, l.name AS name, p.password_hash AS stored FROM keystone.password p"
        " JOIN keystone.local_user l ON l.id = p.local_user_id JOIN keystone.project d ON d.id = l.domain_id"
        " ORDER BY p.created_at_int"
    )
    try:
        stored = {_key(row): row["stored"] for row in Server(SOCKET).rows(statement)}
    except Failed:
        return {}
    return {
        _key(user): hmac.new(user["password"].encode(), stored[_key(user)].encode(), hashlib.sha256).hexdigest()
        for user in users
        if user["state"] == "present" and user["password"] and stored.get(_key(user))
    }


def recall() -> dict[str, str]:
    """Return the digests of passwords verified by the last run, by domain/name."""
    try:
        with open(MEMORY, encoding="utf-8") as file:
            return json.load(file)
    except (OSError, ValueError):
        return {}


def remember(users: list[dict]) -> None:
    """Store the digests of these users' passwords, which are all right now, readable by root until a reboot."""
    text = json.dumps({"/".join(key): proof for key, proof in proofs(users).items()})
    os.makedirs(os.path.dirname(MEMORY), 0o700, exist_ok=True)
    scratch = f"{MEMORY}.{os.getpid()}"
    with open(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(scratch, MEMORY)


def _key(named: dict) -> tuple[str, str]:
    return named["domain"], named["name"]


def _grant(assignment: dict) -> tuple | None:
    """Return a direct assignment to a user as a tuple; None for groups and inherited ones."""
    scope = assignment["scope"]
    if "user" not in assignment or "OS-INHERIT:inherited_to" in scope:
        return None
    kind = next(iter(scope))
    return assignment["user"]["id"], assignment["role"]["id"], kind, scope[kind].get("id", "all")


class Plan:
    """The changes from the actual to the desired state.

    :param wanted: the options of the module.
    """

    def __init__(self, keystone: Keystone, state: State, wanted: dict):
        self.keystone = keystone
        self.state = state
        self.changes: list[Change] = []
        self.coming: set = set()
        self._region(wanted["region"])
        for domain in wanted["domains"]:
            self._domain(domain)
        for provider in wanted["identity_providers"]:
            self._provider(provider)
        for name in sorted(state.providers.keys() - {one["name"] for one in wanted["identity_providers"]}):
            self._former_provider(name)
        for role in wanted["roles"]:
            self._named("role", role, {"name": role}, "top", {})
        for project in wanted["projects"]:
            fields = {"enabled": True, **_given(project, "description")}
            self._named("project", _key(project), project, "project", fields)
        self._administrator(wanted["auth"], wanted["users"])
        for user in wanted["users"]:
            self._user(user)
        for service in wanted["services"]:
            self._service(service, wanted["region"])
        self.changes.sort(key=lambda change: change.stage)

    def _add(self, stage: str, what: tuple[str, str], verb: str, before: dict, after: dict, apply, detail="") -> None:
        """Add a change of *what*: kind and name."""
        kind, name = what
        self.changes.append(Change(kind, verb, name, before, after, apply, detail, STAGES.index(stage)))

    def _region(self, name: str) -> None:
        if ("region", name) not in self.state.objects:
            body = {"region": {"id": name}}
            self._add("top", ("region", name), "create", {}, {"id": name}, lambda: self._post("/regions", body))

    def _named(self, kind: str, key, item: dict, stage: str, fields: dict, secret: dict | None = None) -> None:
        """Create, update or delete an object with a name (in a domain).

        :param fields: the compared fields; of one with several values, only the given ones are compared.
        :param secret: fields that are sent at creation, and if Keystone refused them.
        """
        found, name, label = self.state.objects.get((kind, key)), item["name"], item["name"]
        if item.get("domain", "Default") != "Default":
            label += f" in domain {item['domain']}"
        path = f"/{kind}s"
        if item.get("state") == "absent":
            if found:
                self._delete(kind, label, found, stage)
            return
        if "domain" in item:
            self._expect("domain", item["domain"])
        if not found:

            def create():
                body = {"name": name, **fields, **(secret or {})}
                if "domain" in item:
                    body["domain_id"] = self._id("domain", item["domain"])
                self.state.ids[kind, key] = self._post(path, {kind: body})[kind]["id"]

            self.coming.add((kind, key))
            self._add(stage, (kind, label), "create", {}, {"name": name, **fields}, create)
        else:
            refused = (secret or {}) if key in self.state.refused else {}
            self._update(stage, label, f"{path}/{found['id']}", kind, found, fields, refused)

    def _domain(self, domain: dict) -> None:
        name, here = domain["name"], domain["state"] == "present"
        if here or ("domain", name) in self.state.objects:
            # It is not deleted, as Keystone would delete its projects.
            fields = {"enabled": here, **_given(domain, "description")}
            self._named("domain", name, {"name": name}, "top", fields)
        if domain["ldap"] is None:
            return
        found = self.state.directories.get(name, {})
        secret = {"password": domain["ldap_password"]} if domain["ldap_password"] else {}
        wanted = {"identity": {"driver": "ldap"}, "ldap": {**domain["ldap"], **secret}} if here else {}
        before, after = (
            {option: str(value) for options in config.values() for option, value in options.items()}
            for config in (found, wanted)
        )
        differ = sorted(option for option in {*before, *after} if before.get(option) != after.get(option))
        if not differ:
            return

        def apply():
            path = f"/domains/{self._id('domain', name)}/config"
            self.keystone.call(*(("PUT", path, {"config": wanted}) if wanted else ("DELETE", path)))

        shown = [{option: one[option] for option in differ if option in one} for one in (before, after)]
        for one, word in zip(shown, ("another", "as given"), strict=True):
            one.update({"password": word} if "password" in one else {})
        verb = ("change" if found else "create") if wanted else "delete"
        self._add(
            "directory",
            ("directory of users", name),
            verb,
            *shown,
            apply,
            ", ".join(differ) if verb == "change" else "",
        )

    def _provider(self, wanted: dict) -> None:
        """Create or correct an identity provider, its mapping, and its protocol, which names the mapping."""
        name, domain = wanted["name"], wanted["domain"]
        if ("domain", domain) not in self.state.ids and ("domain", domain) not in self.coming:
            self._named("domain", domain, {"name": domain}, "top", {"enabled": True})
        found = self.state.providers.get(name) or {"provider": None, "protocols": {}, "rules": None, "users": []}
        path = f"{FEDERATION}/mappings/{name}"
        rules = {"rules": wanted["mapping"]}
        old = None if found["rules"] is None else {"rules": found["rules"]}
        self._put("directory", ("mapping", name), path, old, rules)
        path = f"{FEDERATION}/identity_providers/{name}"
        fields = {"description": MADE_HERE, "enabled": True, "remote_ids": wanted["remote_ids"]}
        before = found["provider"]
        if before:
            # Their order is nobody's choice.
            before = {**before, "remote_ids": sorted(before.get("remote_ids") or [])}
            fields["remote_ids"] = sorted(wanted["remote_ids"])
        # Keystone never changes a provider's domain.
        if before and before.get("domain_id") not in (None, self.state.ids.get(("domain", domain))):
            raise Failed(
                f"the identity provider {name} has its users in another domain than {domain}, which Keystone can't"
                " change: correct its domain, or choose another name"
            )
        self._put(
            "provider",
            ("identity provider", name),
            path,
            before,
            fields,
            lambda: {"domain_id": self._id("domain", domain)},
        )
        protocol = wanted["protocol"]
        fields = {"mapping_id": name, "remote_id_attribute": wanted["remote_id_attribute"]}
        label = f"{protocol} of {name}"
        self._put(
            "protocol", ("protocol", label), f"{path}/protocols/{protocol}", found["protocols"].get(protocol), fields
        )

    def _put(self, stage: str, what: tuple[str, str], path: str, found: dict | None, fields: dict, more=dict) -> None:
        """Create an object by its path, or correct it.

        :param more: returns fields that are only sent at creation.
        """
        body = {"mapping": "mapping", "protocol": "protocol"}.get(what[0], "identity_provider")
        if found is None:
            self._add(
                stage,
                what,
                "create",
                {},
                fields,
                lambda: self.keystone.call("PUT", path, {body: {**fields, **more()}}),
            )
            return
        after = {key: value for key, value in fields.items() if found.get(key) != value}
        if after:
            before = {key: found.get(key) for key in after}
            update = partial(self._patch, path, {body: after})
            self._add(stage, what, "change", before, after, update, ", ".join(after))

    def _former_provider(self, name: str) -> None:
        """Delete an identity provider with its protocols before another one gets its remote ids, then its mapping.

        Its users first: Keystone would keep them without a provider, refuse them if it is declared again, and accept
        their application credentials.
        """
        gone, known = {"state": "present"}, self.state.providers[name]
        path = f"{FEDERATION}/identity_providers/{name}"

        def forget():
            # Nobody logs in meanwhile.
            self._patch(path, {"identity_provider": {"enabled": False}})
            for user in provided(self.keystone, name, known["provider"]["domain_id"]):
                self.keystone.call("DELETE", f"/users/{user}")

        if known["users"]:
            number = len(known["users"])
            what = ("user", f"of identity provider {name}")
            self._add("strangers", what, "delete", {"number": number}, {"number": 0}, forget, f"{number} in all")
        delete = partial(self.keystone.call, "DELETE", path)
        self._add("top", ("identity provider", name), "delete", gone, {}, delete)
        if known["rules"] is not None:
            delete = partial(self.keystone.call, "DELETE", f"{FEDERATION}/mappings/{name}")
            self._add("directory", ("mapping", name), "delete", gone, {}, delete)

    def _update(
        self, stage: str, label: str, path: str, kind: str, found: dict, fields: dict, secret: dict | None = None
    ) -> None:
        """Change what differs in one request: a new password expires unless its user is exempt by then."""
        secret = secret or {}
        before = {key: _comparable(found.get(key), value) for key, value in fields.items()}
        after = {key: value for key, value in fields.items() if before[key] != value}
        if after or secret:
            update = partial(self._patch, path, {kind: {**after, **secret}})
            before = {key: before[key] for key in after} | dict.fromkeys(secret, "another")
            shown = after | dict.fromkeys(secret, "as given")
            self._add(stage, (kind, label), "change", before, shown, update, ", ".join(shown))

    def _delete(self, kind: str, label: str, found: dict, stage: str = "removal") -> None:
        # The users of a project are removed before it.
        stage = "removal" if kind == "project" else stage
        delete = partial(self.keystone.call, "DELETE", f"/{kind}s/{found['id']}")
        self._add(stage, (kind, label), "delete", {"state": "present"}, {}, delete)

    def _administrator(self, auth: dict, users: list[dict]) -> None:
        key = (auth["domain"], auth["username"])
        found = self.state.objects.get(("user", key))
        if found and key not in map(_key, users):
            path = f"/users/{found['id']}"
            self._update("user", auth["username"], path, "user", found, {"options": dict.fromkeys(EXEMPTIONS, True)})

    def _user(self, user: dict) -> None:
        key = _key(user)
        options = dict.fromkeys(EXEMPTIONS, True)
        found = self.state.objects.get(("user", key)) or {}
        if found.get("options", {}).get("multi_factor_auth_enabled"):
            # A service has one factor only.
            options["multi_factor_auth_enabled"] = False
        self._named("user", key, user, "user", {"enabled": True, "options": options}, _given(user, "password"))
        if user["state"] == "absent":
            return
        for role in user["roles"]:
            if user["project"]:
                self._assign(key, role, "project", (user["domain"], user["project"]), f"project {user['project']}")
            else:
                self._assign(key, role, "domain", user["domain"], f"domain {user['domain']}")
        for role in user["system_roles"]:
            self._assign(key, role, "system", "all", "system")

    def _assign(self, user: tuple, role: str, kind: str, target, words: str) -> None:
        known = self.state.ids.get
        target_id = "all" if kind == "system" else known((kind, target))
        self._expect("role", role)
        if kind != "system":
            self._expect(kind, target)
        if (known(("user", user)), known(("role", role)), kind, target_id) in self.state.grants:
            return

        def apply():
            place = "/system" if kind == "system" else f"/{kind}s/{self._id(kind, target)}"
            path = f"{place}/users/{self._id('user', user)}/roles/{self._id('role', role)}"
            self.keystone.call("PUT", path)

        name = f"{role} of {user[1]} on {words}"
        self._add("grant", ("role assignment", name), "create", {}, {"role": role, "on": words}, apply)

    def _service(self, service: dict, region: str) -> None:
        name, kind, label = service["name"], service["type"], f"{service['name']} ({service['type']})"
        same = [found for found in self.state.services if found["type"] == kind]
        same.sort(key=lambda found: found.get("name") != name)
        found = same[0] if same else None
        if service["state"] == "absent":
            # A service of that type with another name is kept.
            if found and found.get("name") == name:
                self._delete("service", label, found)
            return
        fields = {"name": name, "enabled": service["enabled"], **_given(service, "description")}
        if found:
            self.state.ids["service", kind] = found["id"]
            self._update("service", label, f"/services/{found['id']}", "service", found, fields)
        else:

            def create():
                answer = self._post("/services", {"service": {"type": kind, **fields}})
                self.state.ids["service", kind] = answer["service"]["id"]

            self._add("service", ("service", label), "create", {}, {"type": kind, **fields}, create)
        for interface, url in service["endpoints"].items():
            if url:
                self._endpoint(service, found, interface, url, region)

    def _endpoint(self, service: dict, owner: dict | None, interface: str, url: str, region: str) -> None:
        label = f"{service['name']} {interface}"
        key = {"service_id": owner["id"] if owner else None, "interface": interface, "region_id": region}
        same = [found for found in self.state.endpoints if all(found.get(name) == key[name] for name in key)]
        same.sort(key=lambda found: found["url"] != url)
        if same:
            self._update(
                "endpoint", label, f"/endpoints/{same[0]['id']}", "endpoint", same[0], {"url": url, "enabled": True}
            )
            for twin in same[1:]:
                self._delete("endpoint", f"{label}, a duplicate", twin)
            return

        def create():
            body = {**key, "service_id": self._id("service", service["type"]), "url": url, "enabled": True}
            self._post("/endpoints", {"endpoint": body})

        self._add("endpoint", ("endpoint", label), "create", {}, {"url": url, "region": region}, create)

    def _expect(self, kind: str, key) -> None:
        """Raise an error for a reference to an object that neither exists nor will be created."""
        if (kind, key) not in self.state.ids and (kind, key) not in self.coming:
            name = key if isinstance(key, str) else f"{key[1]} in domain {key[0]}"
            raise Failed(f"there is no {kind} {name}: name it in {kind}s, or correct it")

    def _id(self, kind: str, key) -> str:
        """Return the id of an object, which exists by now."""
        return self.state.ids[kind, key]

    def _post(self, path: str, body: dict) -> dict:
        return self.keystone.call("POST", path, body)[1]

    def _patch(self, path: str, body: dict) -> None:
        self.keystone.call("PATCH", path, body)


def _comparable(found, wanted):
    """Return the part of a field that is compared."""
    return {name: (found or {}).get(name) for name in wanted} if isinstance(wanted, dict) else found


def _given(item: dict, *names: str) -> dict:
    """Return the options of an entry that have a value."""
    return {name: item[name] for name in names if item[name] is not None}


def perform(changes: list[Change], users: list[dict]) -> None:
    """Make the changes, and record which passwords are right.

    :raises Failed: a change failed.
    """
    by_stages(changes)
    remember(users)
