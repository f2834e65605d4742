# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The identity catalog, beside a Keystone in memory."""

from __future__ import annotations

import copy
import itertools
import json
import threading
from types import SimpleNamespace
from typing import ClassVar
from urllib.parse import parse_qsl, urlsplit

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.cairn.openstack.plugins.module_utils.common.changes import Failed, Unreachable
from ansible_collections.cairn.openstack.plugins.module_utils.common.rest import Denied
from ansible_collections.cairn.openstack.plugins.module_utils.control_plane import identity
from ansible_collections.cairn.openstack.plugins.module_utils.control_plane.identity_spec import SPEC
from told import in_words

URL = "http://cloud:9292"
WANTED = {
    "auth": {"url": "http://cloud:5000", "password": "secret-admin"},
    "region": "One",
    "domains": [{"name": "heat", "description": "Stacks"}],
    "projects": [{"name": "service"}],
    "roles": ["creator"],
    "users": [
        {"name": "glance", "password": "secret-g", "project": "service", "roles": ["service"]},
        {"name": "stacker", "password": "secret-s", "domain": "heat", "roles": ["admin"], "system_roles": ["reader"]},
    ],
    "services": [{"name": "glance", "type": "image", "endpoints": {"public": URL, "internal": URL}}],
}
LINES = [
    "create region One",
    "create domain heat",
    "create role creator",
    "create project service",
    "change user admin: options",
    "create user glance",
    "create user stacker in domain heat",
    "create role assignment service of glance on project service",
    "create role assignment admin of stacker on domain heat",
    "create role assignment reader of stacker on system",
    "create service glance (image)",
    "create endpoint glance public",
    "create endpoint glance internal",
]
EXEMPT = dict.fromkeys(identity.EXEMPTIONS, True)


def options(**changed):
    checked = ArgumentSpecValidator(SPEC).validate({**copy.deepcopy(WANTED), **changed})
    assert checked.error_messages == []
    return checked.validated_parameters


class Cloud(identity.Keystone):
    """Keystone's objects by kind, as after its bootstrap."""

    def __init__(self, admin=True):
        self.number = itertools.count()
        self.admin = admin
        self.log = []
        self.passwords = {}
        self.exempt_in_time = {}
        self.directories = {}
        self.objects = {kind: [] for kind in ("regions", "services", "endpoints", "role_assignments")}
        self.providers = {}
        self.objects["domains"] = [{"id": "default", "name": "Default", "enabled": True}]
        self.objects["roles"] = [{"id": f"r-{name}", "name": name} for name in identity.BOOTSTRAPPED_ROLES]
        self.objects["projects"] = [{"id": "p", "name": "admin", "domain_id": "default", "enabled": True}]
        self.objects["users"] = [{"id": "u", "name": "admin", "domain_id": "default", "enabled": True}]
        # The changes of a stage are made at the same time.
        self.lock = threading.Lock()

    def wait(self, path, seconds):
        pass

    def enter(self):
        if not self.admin:
            raise Denied("401")

    def bootstrap(self, password):
        self.admin = True

    def accepts(self, user):
        self.log.append(("TRY", user["name"]))
        return self.passwords[user["name"]] == user["password"]

    def call(self, method, path, body=None):
        with self.lock:
            return self.respond(method, path, body)

    def respond(self, method, path, body):
        kind, *rest = path.lstrip("/").split("?")[0].split("/")
        if kind == "OS-FEDERATION":
            return self.federation(method, path, rest, body)
        if method == "GET":
            objects = self.objects[kind]
            for field, value in parse_qsl(urlsplit(path).query):
                objects = [found for found in objects if found.get(field) == value]
            return {}, {kind: objects}
        self.log.append((method, path))
        if rest[1:] == ["config"]:
            return {}, self.directories.update({rest[0]: (body or {}).get("config", {})})
        if method == "PUT":
            user, role = path.split("/")[-3], path.split("/")[-1]
            scope = {"system": {"all": True}} if kind == "system" else {kind[:-1]: {"id": rest[0]}}
            grant = {"user": {"id": user}, "role": {"id": role}, "scope": scope}
            return {}, self.objects["role_assignments"].append(grant)
        if method == "DELETE":
            return {}, self.objects.update({kind: [one for one in self.objects[kind] if one["id"] != rest[0]]})
        sent = dict(next(iter(body.values())))
        if kind == "users" and "password" in sent:
            name = sent.get("name") or next(one["name"] for one in self.objects[kind] if one["id"] == rest[0])
            self.passwords[name] = sent.pop("password")
            self.exempt_in_time[name] = "options" in sent or self.one("users", name=name).get("options") == EXEMPT
        if method == "POST":
            self.objects[kind].append({"id": f"{kind}-{next(self.number)}", **sent})
            return {}, {kind[:-1]: self.objects[kind][-1]}
        found = next(one for one in self.objects[kind] if one["id"] == rest[0])
        if "options" in sent:
            sent["options"] = found.get("options", {}) | sent["options"]
        return {}, found.update(sent)

    def federation(self, method, path, rest, body):
        """Providers with their protocols, and mappings: by their paths, as the client chooses their ids."""
        if method == "GET":
            inside = [one for place, one in self.providers.items() if place.rpartition("/")[0] == path]
            return {}, {rest[-1]: copy.deepcopy(inside)}
        self.log.append((method, path))
        if method == "DELETE":
            return {}, [
                self.providers.pop(place) for place in list(self.providers) if f"{place}/".startswith(f"{path}/")
            ]
        ((_kind, sent),) = body.items()
        assert (path in self.providers) == (method == "PATCH")
        parent = path.rpartition("/protocols/")[0]
        assert not parent or parent in self.providers
        taken = {word for place, one in self.providers.items() if place != path for word in one.get("remote_ids", ())}
        assert not taken & set(sent.get("remote_ids", ()))
        assert "mapping_id" not in sent or f"/OS-FEDERATION/mappings/{sent['mapping_id']}" in self.providers
        return {}, self.providers.setdefault(path, {"id": rest[-1]}).update(copy.deepcopy(sent))

    def one(self, kind, **fields):
        return next(one for one in self.objects[kind] if fields.items() <= one.items())


@pytest.fixture(autouse=True)
def alone(monkeypatch, tmp_path):
    """No database on this host; memory in a scratch file."""
    monkeypatch.setattr(identity, "holds_catalog", lambda: False)

    def nowhere(socket):
        raise Unreachable("the database is elsewhere")

    monkeypatch.setattr(identity, "Server", nowhere)
    monkeypatch.setattr(identity, "MEMORY", str(tmp_path / "cairn" / "identity.json"))


@pytest.fixture
def cloud():
    made = Cloud()
    settle(made)
    made.log.clear()
    return made


def plan(cloud, **changed):
    return identity.compute(cloud, options(**changed), True)[0]


def settle(cloud, **changed):
    wanted = options(**changed)
    changes, _warnings, _reachable = identity.compute(cloud, wanted, False)
    identity.perform(changes, wanted["users"])
    return in_words(changes)


def test_everything_and_then_nothing():
    cloud = Cloud()
    assert settle(cloud) == LINES
    assert settle(cloud) == []
    assert cloud.one("users", name="stacker")["domain_id"] == cloud.one("domains", name="heat")["id"]
    assert len(cloud.objects["role_assignments"]) == 3


def test_bootstrap_first_and_the_plan_says_so():
    cloud = Cloud(admin=False)
    expected = ["bootstrap user admin", *LINES]
    assert in_words(plan(cloud)) == expected
    assert cloud.log == []
    assert settle(cloud) == expected
    assert settle(cloud) == []


def test_a_refused_administrator_without_bootstrap():
    with pytest.raises(Failed, match="user admin cannot log in, and bootstrap is off"):
        plan(Cloud(admin=False), bootstrap=False)


def test_nobody_there(monkeypatch):
    def refuse(self):
        raise Unreachable("refused")

    monkeypatch.setattr(Cloud, "enter", refuse)
    changes, _warnings, reachable = identity.compute(Cloud(), options(), True)
    assert in_words(changes) == ["bootstrap user admin", *LINES]
    assert not reachable
    with pytest.raises(Unreachable, match="Keystone: refused"):
        identity.compute(Cloud(), options(), False)
    monkeypatch.setattr(identity, "holds_catalog", lambda: True)
    assert identity.compute(Cloud(), options(), True) == ([], [], False)


def test_a_lost_administrator_is_all_there_is_to_do(cloud, monkeypatch):
    monkeypatch.setattr(identity, "holds_catalog", lambda: True)
    cloud.admin = False
    assert in_words(plan(cloud)) == ["bootstrap user admin"]
    assert settle(cloud) == ["bootstrap user admin"]


def test_drift(cloud):
    cloud.passwords["glance"] = "another"
    cloud.one("users", name="stacker")["enabled"] = False
    cloud.one("services", type="image").update(name="other", enabled=False)
    cloud.one("endpoints", interface="public")["url"] = "http://wrong"
    twin = {**cloud.one("endpoints", interface="internal"), "id": "twin", "url": "http://twin"}
    cloud.objects["endpoints"].insert(0, twin)
    cloud.objects["endpoints"].append({**twin, "id": "elsewhere", "region_id": "Two"})
    # Created at the same time as the others, so its place in the list varies.
    cloud.objects["role_assignments"].remove(cloud.one("role_assignments", scope={"system": {"all": True}}))
    assert settle(cloud) == [
        "change user glance: password",
        "change user stacker in domain heat: enabled",
        "create role assignment reader of stacker on system",
        "change service glance (image): name, enabled",
        "change endpoint glance public: url",
        "delete endpoint glance internal, a duplicate",
    ]
    assert ("DELETE", "/endpoints/twin") in cloud.log
    assert settle(cloud) == []


def test_users_are_exempt_from_what_is_demanded_of_people(cloud):
    assert [user["options"] for user in cloud.objects["users"]] == [EXEMPT] * 3
    cloud.one("users", name="glance")["options"] = {**EXEMPT, "ignore_password_expiry": False, "lock_password": True}
    cloud.one("users", name="stacker").update(options={**EXEMPT, "multi_factor_auth_enabled": True}, enabled=False)
    cloud.passwords["stacker"] = "another"
    del cloud.one("users", name="admin")["options"]
    assert settle(cloud) == [
        "change user admin: options",
        "change user glance: options",
        "change user stacker in domain heat: enabled, options, password",
    ]
    assert cloud.one("users", name="glance")["options"] == {**EXEMPT, "lock_password": True}
    assert cloud.one("users", name="stacker")["options"] == {**EXEMPT, "multi_factor_auth_enabled": False}
    # A password that is set before its user is exempt would have to be changed at the first use.
    assert set(cloud.exempt_in_time.values()) == {True}
    assert settle(cloud) == []


class Locked(Cloud):
    """One whose admin user has the right password, and is disabled or locked."""

    disabled, locked = True, True

    def enter(self):
        if self.disabled or self.locked:
            raise Denied("401")

    def bootstrap(self, password):
        if self.locked:
            raise Failed("AccountLocked")
        if self.disabled and password == "secret-admin":
            raise Failed("UserDisabled")
        self.disabled = False


def test_an_administrator_whom_keystone_manage_does_not_help(cloud, monkeypatch):
    cloud.__class__ = Locked
    with pytest.raises(Failed, match=r"(?s)AccountLocked.*database is elsewhere.*openstack user set --enable .* admin"):
        settle(cloud)
    sent = []

    class Server:
        """The database of Keystone."""

        def __init__(self, socket):
            pass

        def rows(self, statement, values=()):
            sent.append((statement, values))
            cloud.locked = False
            return []

    monkeypatch.setattr(identity, "Server", Server)
    assert settle(cloud) == ["bootstrap user admin"]
    ids = [values[0] for statement, values in sent if "user_option" in statement]
    assert ids == ["1000", "1001", "1002", "1004"]
    assert all(values[-2:] == ("admin", "Default") for statement, values in sent if values)
    assert settle(cloud) == []


def test_endpoints_in_a_former_region_are_told(cloud):
    def told():
        return identity.compute(cloud, options(region="Two"), True)[1]

    assert [len(told()), identity.compute(cloud, options(), True)[1]] == [1, []]
    ids = " ".join(sorted(one["id"] for one in cloud.objects["endpoints"]))
    assert "region One, which is not its region Two: " in told()[0]
    assert told()[0].endswith(f"openstack endpoint delete {ids} && openstack region delete One")
    # Another cloud of the same Keystone, and a service of somebody else's.
    image = cloud.one("endpoints", interface="public")
    cloud.objects["endpoints"] += [
        {**image, "id": "x", "url": "http://elsewhere:9292"},
        {**image, "id": "y", "service_id": "z"},
    ]
    assert told()[0].endswith(f"openstack endpoint delete {ids}")
    settle(cloud, region="Two")
    assert len(told()) == 1


def test_other_services_of_a_type_are_told(cloud):
    def told():
        return identity.compute(cloud, options(), True)[1]

    settle(cloud)
    image = cloud.one("endpoints", interface="public")
    cloud.objects["services"].append({"id": "s2", "name": "glance2", "type": "image", "enabled": True})
    (line,) = told()
    assert "the service glance2 of the type image, besides glance" in line
    assert line.endswith("openstack service delete s2")
    cloud.objects["services"][-1]["enabled"] = False
    assert told() == []
    cloud.objects["services"][-1]["enabled"] = True
    # It is another cloud's of the same Keystone, as it has endpoints in another region only.
    cloud.objects["endpoints"].append({**image, "id": "e2", "service_id": "s2", "region_id": "Two", "url": "http://x"})
    assert told() == []


def test_absent(cloud):
    gone = {
        "users": [{"name": "glance", "state": "absent"}],
        "projects": [{"name": "service", "state": "absent"}],
        "services": [
            {"name": "glance", "type": "image", "state": "absent"},
            {"name": "mine", "type": "image", "state": "absent"},
        ],
    }
    lines = ["delete user glance", "delete service glance (image)", "delete project service"]
    assert sorted(settle(cloud, **gone)) == sorted(lines)
    assert settle(cloud, **gone) == []


@pytest.mark.parametrize(
    ("user", "words"),
    [
        ({"project": "nope", "roles": ["admin"]}, "no project nope in domain Default"),
        ({"project": "service", "roles": ["nope"]}, "no role nope"),
        ({"domain": "nope"}, "no domain nope"),
    ],
)
def test_references_are_checked_before_anything_is_made(cloud, user, words):
    with pytest.raises(Failed, match=words):
        plan(cloud, users=[{"name": "x", "password": "secret-x", **user}])
    assert not any(method != "TRY" for method, _path in cloud.log)


def test_passwords_are_tried_unless_proven(cloud, monkeypatch):
    assert settle(cloud) == []
    assert [name for kind, name in cloud.log if kind == "TRY"] == ["glance", "stacker"]
    stored = {"Default": {"glance": "$2b$1"}, "heat": {"stacker": "$2b$2"}}

    class Server:
        """The database of Keystone."""

        def __init__(self, socket):
            pass

        def rows(self, statement):
            if "sensitive_config" in statement:
                return []
            users = [(domain, name, text) for domain, names in stored.items() for name, text in names.items()]
            return [dict(zip(("domain", "name", "stored"), user, strict=True)) for user in users]

    monkeypatch.setattr(identity, "Server", Server)
    settle(cloud)
    cloud.log.clear()
    settle(cloud)
    assert cloud.log == []
    stored["heat"]["stacker"] = "$2b$3"
    settle(cloud)
    assert cloud.log == [("TRY", "stacker")]
    with open(identity.MEMORY) as file:
        assert "secret" not in file.read()


def test_no_secret_is_shown():
    cloud = Cloud()
    shown = [(str(change), change.before, change.after) for change in plan(cloud)]
    assert "secret-" not in repr(shown)


class TestDirectories:
    """Domains whose users are in an LDAP directory."""

    LDAP: ClassVar = {"url": "ldaps://ldap.example.org", "page_size": 100}
    CORP: ClassVar = {"name": "corp", "ldap": LDAP, "ldap_password": "secret-bind"}

    @pytest.fixture(autouse=True)
    def database(self, monkeypatch, cloud):
        """The tables that Keystone's API does not return whole."""

        def rows(statement, *_values):
            if "sensitive_config" not in statement:
                raise Unreachable("the database is elsewhere")
            found = [(domain, *of) for domain, config in cloud.directories.items() for of in config.items()]
            return [
                {"domain_id": domain, "group": group, "option": option, "value": json.dumps(value)}
                for domain, group, options in found
                for option, value in options.items()
            ]

        monkeypatch.setattr(identity, "Server", lambda socket: SimpleNamespace(rows=rows))

    def test_a_new_one_and_then_nothing(self, cloud):
        assert settle(cloud, domains=[self.CORP]) == ["create domain corp", "create directory of users corp"]
        (config,) = cloud.directories.values()
        assert config == {"identity": {"driver": "ldap"}, "ldap": {**self.LDAP, "password": "secret-bind"}}
        assert settle(cloud, domains=[self.CORP]) == []

    @pytest.mark.parametrize(
        ("ldap", "password", "detail"),
        [
            ({**LDAP, "url": "ldaps://two"}, "secret-bind", "url"),
            ({"url": LDAP["url"]}, "secret-bind", "page_size"),
            (LDAP, "secret-new", "password"),
            (LDAP, None, "password"),
        ],
    )
    def test_what_differs(self, cloud, ldap, password, detail):
        settle(cloud, domains=[self.CORP])
        wanted = {**self.CORP, "ldap": ldap, "ldap_password": password}
        (change,) = plan(cloud, domains=[wanted])
        assert in_words([change]) == [f"change directory of users corp: {detail}"]
        assert "secret" not in str((change.before, change.after))
        settle(cloud, domains=[wanted])
        assert plan(cloud, domains=[wanted]) == []

    def test_it_is_disabled_and_forgotten(self, cloud):
        gone = {**self.CORP, "state": "absent"}
        assert settle(cloud, domains=[gone]) == []
        settle(cloud, domains=[self.CORP])
        lines = ["change domain corp: enabled", "delete directory of users corp"]
        assert settle(cloud, domains=[gone]) == lines
        assert settle(cloud, domains=[gone]) == []
        assert settle(cloud, domains=[self.CORP]) == ["change domain corp: enabled", "create directory of users corp"]

    def test_a_cloud_that_is_not_there(self, cloud, monkeypatch):
        def refuse(self):
            raise Unreachable("refused")

        monkeypatch.setattr(Cloud, "enter", refuse)
        lines = in_words(plan(cloud, domains=[*WANTED["domains"], self.CORP]))
        assert "create directory of users corp" in lines

    def test_one_that_is_no_longer_declared(self, cloud):
        settle(cloud, domains=[self.CORP])
        _changes, warnings, _reachable = identity.compute(cloud, options(domains=[]), True)
        (warning,) = warnings
        assert "a directory of users for the domain corp, which cloud_ldap_domains lacks" in warning


class TestIdentityProviders:
    """Providers outside of Keystone that tell it who a user is."""

    RULES: ClassVar = [{"local": [{"user": {"name": "{0}"}}], "remote": [{"type": "OIDC_preferred_username"}]}]
    CORP: ClassVar = {
        "name": "corp",
        "domain": "corp",
        "remote_ids": ["https://login.example.org"],
        "protocol": "openid",
        "remote_id_attribute": "OIDC_iss",
        "mapping": RULES,
    }
    ALL: ClassVar = [
        "create domain corp",
        "create mapping corp",
        "create identity provider corp",
        "create protocol openid of corp",
    ]

    @pytest.fixture(autouse=True)
    def settled(self, cloud):
        """A Keystone with all else."""
        settle(cloud)

    def test_a_new_one_and_then_nothing(self, cloud):
        assert settle(cloud, identity_providers=[self.CORP]) == self.ALL
        provider = cloud.providers["/OS-FEDERATION/identity_providers/corp"]
        assert provider["domain_id"] == cloud.one("domains", name="corp")["id"]
        assert (provider["enabled"], provider["remote_ids"]) == (True, ["https://login.example.org"])
        protocol = cloud.providers["/OS-FEDERATION/identity_providers/corp/protocols/openid"]
        assert (protocol["mapping_id"], protocol["remote_id_attribute"]) == ("corp", "OIDC_iss")
        assert settle(cloud, identity_providers=[self.CORP]) == []

    def test_in_a_domain_that_is_there(self, cloud):
        assert settle(cloud, identity_providers=[{**self.CORP, "domain": "heat"}]) == self.ALL[1:]

    def test_two_in_a_new_domain(self, cloud):
        both = [self.CORP, {**self.CORP, "name": "two", "remote_ids": ["https://two"]}]
        lines = settle(cloud, identity_providers=both)
        assert lines.count("create domain corp") == 1
        assert settle(cloud, identity_providers=both) == []

    @pytest.mark.parametrize(
        ("changed", "line"),
        [
            ({"mapping": [*RULES, *RULES]}, "change mapping corp: rules"),
            ({"remote_ids": ["https://b", "https://a"]}, "change identity provider corp: remote_ids"),
            ({"remote_id_attribute": "OIDC_issuer"}, "change protocol openid of corp: remote_id_attribute"),
        ],
    )
    def test_what_differs(self, cloud, changed, line):
        settle(cloud, identity_providers=[self.CORP])
        wanted = [{**self.CORP, **changed}]
        (change,) = plan(cloud, identity_providers=wanted)
        assert in_words([change]) == [line]
        assert change.before != change.after
        settle(cloud, identity_providers=wanted)
        assert plan(cloud, identity_providers=wanted) == []

    def test_another_domain(self, cloud):
        settle(cloud, identity_providers=[self.CORP])
        with pytest.raises(Failed, match="in another domain than heat"):
            plan(cloud, identity_providers=[{**self.CORP, "domain": "heat"}])

    def test_one_that_was_disabled_by_hand(self, cloud):
        settle(cloud, identity_providers=[self.CORP])
        cloud.providers["/OS-FEDERATION/identity_providers/corp"]["enabled"] = False
        assert settle(cloud, identity_providers=[self.CORP]) == ["change identity provider corp: enabled"]

    def test_it_is_taken_out(self, cloud):
        settle(cloud, identity_providers=[self.CORP])
        assert settle(cloud) == ["delete identity provider corp", "delete mapping corp"]
        assert cloud.providers == {}
        assert settle(cloud) == []
        assert cloud.one("domains", name="corp")["enabled"] is True

    def test_its_users_go_first(self, cloud):
        settle(cloud, identity_providers=[self.CORP])
        domain = cloud.one("domains", name="corp")["id"]
        for name in ("alice", "bob"):
            cloud.objects["users"].append({"id": name, "name": name, "domain_id": domain, "idp_id": "corp"})
        cloud.objects["users"].append({"id": "carol", "name": "carol", "domain_id": domain})
        assert settle(cloud, identity_providers=[self.CORP]) == []
        cloud.log.clear()
        lines = [
            "delete user of identity provider corp: 2 in all",
            "delete identity provider corp",
            "delete mapping corp",
        ]
        assert settle(cloud) == lines
        assert [path for _method, path in cloud.log if "alice" in path or path.endswith("/corp")] == [
            "/OS-FEDERATION/identity_providers/corp",
            "/users/alice",
            "/OS-FEDERATION/identity_providers/corp",
            "/OS-FEDERATION/mappings/corp",
        ]
        assert [one["id"] for one in cloud.objects["users"] if one["domain_id"] == domain] == ["carol"]

    @pytest.mark.parametrize("first", [True, False])
    def test_a_namesake_from_a_provider_gets_nothing(self, cloud, first):
        heat = cloud.one("domains", name="heat")["id"]
        settle(cloud, identity_providers=[{**self.CORP, "domain": "heat"}])
        cloud.objects["users"].insert(
            0 if first else 99, {"id": "mallory", "name": "stacker", "domain_id": heat, "idp_id": "corp"}
        )
        assert settle(cloud, identity_providers=[{**self.CORP, "domain": "heat"}]) == []
        cloud.objects["role_assignments"].clear()
        settle(cloud, identity_providers=[{**self.CORP, "domain": "heat"}])
        assert "mallory" not in str((cloud.objects["role_assignments"], cloud.log))

    def test_another_name_for_the_same(self, cloud):
        settle(cloud, identity_providers=[self.CORP])
        settle(cloud, identity_providers=[{**self.CORP, "name": "staff"}])
        assert {place.split("/")[3] for place in cloud.providers} == {"staff"}

    def test_one_of_somebody_else_stays(self, cloud):
        theirs = {"id": "theirs", "description": "By hand", "enabled": True, "remote_ids": [], "domain_id": "default"}
        cloud.providers["/OS-FEDERATION/identity_providers/theirs"] = theirs
        assert settle(cloud) == []
        settle(cloud, identity_providers=[self.CORP])
        settle(cloud)
        assert list(cloud.providers.values()) == [theirs]

    def test_a_cloud_that_is_not_there(self, cloud, monkeypatch):
        def refuse(self):
            raise Unreachable("refused")

        monkeypatch.setattr(Cloud, "enter", refuse)
        lines = in_words(plan(cloud, identity_providers=[self.CORP]))
        assert [line for line in lines if "corp" in line] == self.ALL
