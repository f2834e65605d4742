# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is declared beside what is there, without a cloud."""

from __future__ import annotations

from types import SimpleNamespace
from typing import ClassVar

import pytest
from ansible.errors import AnsibleFilterError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.cairn.openstack.plugins.filter import resources as filters
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.resources.cloud import Cloud
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.resources.kind import differing, flat, part, texts
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.resources.spec import LDAP_DOMAINS, SPEC
from ansible_collections.cairn.openstack.plugins.module_utils.common.changes import Failed
from openstack.exceptions import HttpException
from told import in_words


class Thing:
    """Any object of the SDK: what it was made with."""

    def __init__(self, **attributes):
        self.__dict__.update(attributes)

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)

    def __getitem__(self, name):
        return self.__dict__[name]

    def to_dict(self, original_names=False):
        return dict(self.__dict__)


class Service:
    """A proxy of the SDK: the lists that it was given, and a record of every other call."""

    def __init__(self, said, **lists):
        self.said = said
        self.lists = lists

    def __getattr__(self, name):
        if name in self.lists:
            return lambda **query: iter(self.lists[name])

        def call(*args, **options):
            self.said.append((name, args, options))
            return Thing(id=f"id of {options.get('name', name)}", **options)

        return call


class Connection:
    current_project_id = "p0"

    block_storage = None

    def __init__(self, identity=None, compute=None, network=None):
        self.said = []
        own = {"projects": [Thing(id="p0", name="admin", domain_id="d0")]}
        domains = {"domains": [Thing(id="d0", name="Default")], "users": [], "role_assignments": []}
        self.identity = Service(self.said, **{**own, **domains, **(identity or {})})
        self.compute = Service(self.said, **{"flavors": [], "aggregates": [], "services": [], **(compute or {})})
        lists = {"networks": [], "subnets": [], "routers": [], "ports": [], **(network or {})}
        self.network = Service(self.said, **lists)


def declared(**lists):
    """The module's parameters."""
    result = ArgumentSpecValidator({**SPEC, "ldap_domains": LDAP_DOMAINS}).validate(lists)
    assert not result.error_messages
    return result.validated_parameters


def cloud(conn=None, **lists):
    return Cloud(conn or Connection(), declared(**lists))


def lines(changes):
    return in_words(changes)


def test_flat_fields():
    assert flat({"a": {"b": {"c": 1}}, "d": 2}) == {"a.b.c": 1, "d": 2}
    assert part({"a.b": 1, "ab": 2}, "a") == {"b": 1}
    assert texts({"x": True, "y": 3, "z": None}) == {"x": "true", "y": "3", "z": None}
    assert differing({"a": 1}, {"a": 1, "b": None, "c": 2}) == {"c": 2}


def test_nothing_declared_asks_nothing():
    conn = Connection()
    assert cloud(conn).plan() == []
    assert conn.said == []


def test_a_cloud_that_is_not_there_gets_everything():
    changes = Cloud(
        None,
        declared(
            projects=[{"name": "demo", "quota": {"compute": {"cores": 4}}}],
            users=[{"name": "alice", "password": "x", "project": "demo", "roles": ["member"]}],
            networks=[{"name": "n", "subnets": [{"name": "s", "cidr": "10.0.0.0/24"}]}],
            routers=[{"name": "r", "subnets": ["s"]}],
        ),
    ).plan()
    assert lines(changes) == [
        "create project demo",
        "create quota demo",
        "create user alice",
        "create role assignment member of alice on project demo",
        "create network n",
        "create subnet s",
        "create router r",
        "create router interface r in subnet s",
    ]
    assert "x" not in str([change.after for change in changes])


def test_flavor_as_declared_changes_nothing():
    there = Thing(id="f", name="f", ram=1, vcpus=1, disk=0, is_public=True, extra_specs={"hw:a": "true", "other": "1"})
    conn = Connection(compute={"flavors": [there]})
    same = {"name": "f", "ram": 1, "vcpus": 1, "disk": 0, "extra_specs": {"hw:a": True}}
    assert cloud(conn, flavors=[same]).plan() == []


def test_flavor_specs_are_set_and_removed():
    there = Thing(id="f", name="f", ram=1, vcpus=1, disk=0, is_public=True, extra_specs={"a": "1", "b": "2"})
    conn = Connection(compute={"flavors": [there]})
    (change,) = cloud(conn, flavors=[{"name": "f", "extra_specs": {"a": 5, "b": None}}]).plan()
    assert str(change) == "change flavor f: extra_specs.a 1 -> 5, extra_specs.b 2 -> None"
    change.make()
    assert [(name, args[1:]) for name, args, _ in conn.said] == [
        ("create_flavor_extra_specs", ({"a": "5"},)),
        ("delete_flavor_extra_specs_property", ("b",)),
    ]


def test_every_impossible_change_is_told_before_anything_is_touched():
    there = [Thing(id=name, name=name, ram=1, vcpus=1, disk=0, is_public=True, extra_specs={}) for name in "fg"]
    conn = Connection(compute={"flavors": there})
    with pytest.raises(Failed) as error:
        cloud(conn, flavors=[{"name": "f", "ram": 2}, {"name": "g", "disk": 9}, {"name": "h"}]).plan()
    assert "flavor f: ram cannot be changed" in str(error.value)
    assert "flavor g: disk cannot be changed" in str(error.value)
    assert conn.said == []


def test_a_new_flavor_without_sizes_says_which():
    (change,) = cloud(flavors=[{"name": "f", "ram": 2}]).plan()
    with pytest.raises(Failed, match="create flavor f: vcpus, disk not given"):
        change.make()


def test_what_goes_goes_first_and_its_users_before_it():
    network = Thing(id="n", name="n", project_id="p0")
    router = Thing(id="r", name="r", project_id="p0", external_gateway_info=None)
    conn = Connection(network={"networks": [network], "routers": [router]})
    changes = cloud(
        conn,
        networks=[{"name": "n", "state": "absent"}, {"name": "m"}],
        routers=[{"name": "r", "state": "absent"}],
    ).plan()
    assert lines(changes) == ["delete router r", "delete network n", "create network m"]


def test_external_network_and_its_subnet_are_made_in_neutrons_words():
    conn = Connection()
    networks = filters.external_network("192.0.2.0/24")
    assert filters.external_network("192.0.2.0/24", dhcp=True)[0]["subnets"][0]["dhcp"] is True
    for change in cloud(conn, networks=networks).plan():
        change.make()
    network, subnet = (options for *call, options in conn.said)
    assert network["is_router_external"] is True
    assert network["provider_physical_network"] == "external"
    assert subnet["network_id"] == "id of public"
    assert subnet["allocation_pools"] == [{"start": "192.0.2.128", "end": "192.0.2.254"}]
    assert subnet["is_dhcp_enabled"] is False


def test_a_router_finds_its_network_and_subnet_by_name():
    network = Thing(id="n", name="public", project_id="p0", is_router_external=True)
    subnet = Thing(id="s", name="inside", network_id="n", project_id="p0")
    conn = Connection(network={"networks": [network], "subnets": [subnet]})
    for change in cloud(conn, routers=[{"name": "r", "external_network": "public", "subnets": ["inside"]}]).plan():
        change.make()
    made, joined = conn.said
    assert made[2]["external_gateway_info"] == {"network_id": "n"}
    assert joined == ("add_interface_to_router", ("id of r",), {"subnet_id": "s"})


def test_a_name_that_is_not_there_is_named():
    changes = cloud(routers=[{"name": "r", "external_network": "public"}]).plan()
    with pytest.raises(Failed, match="create router r: there are 0 external networks named public"):
        changes[0].make()


def test_a_host_leaves_its_zone_before_it_joins_another():
    services = [Thing(host="c1.example"), Thing(host="c2.example")]
    old = Thing(id="1", name="old", availability_zone="old", hosts=["c1.example"], metadata={})
    conn = Connection(compute={"aggregates": [old], "services": services})
    changes = cloud(conn, aggregates=[{"name": "new", "zone": "new", "hosts": ["c1", "c2"]}]).plan()
    assert lines(changes) == [
        "delete aggregate host c1.example of old",
        "create aggregate new",
        "create aggregate host c1.example of new",
        "create aggregate host c2.example of new",
    ]


def test_hosts_that_are_not_declared_stay_unless_a_list_is_given():
    there = Thing(id="1", name="a", availability_zone=None, hosts=["c1", "c2"], metadata={"availability_zone": "x"})
    conn = Connection(compute={"aggregates": [there], "services": [Thing(host="c1"), Thing(host="c2")]})
    assert cloud(conn, aggregates=[{"name": "a"}]).plan() == []
    assert lines(cloud(conn, aggregates=[{"name": "a", "hosts": ["c2"]}]).plan()) == ["delete aggregate host c1 of a"]


def test_declared_entries_change_shipped_ones():
    shipped = {"flavors": [{"name": "a", "ram": 1}, {"name": "b", "ram": 2}], "users": []}
    merged = filters.resources(shipped, {"flavors": [{"name": "b", "ram": 3}, {"name": "c", "ram": 4}]})
    assert merged["flavors"] == [{"name": "a", "ram": 1}, {"name": "b", "ram": 3}, {"name": "c", "ram": 4}]
    with pytest.raises(AnsibleFilterError, match="flavours"):
        filters.resources(shipped, {"flavours": []})


@pytest.mark.parametrize(
    ("args", "gateway", "pool"),
    [
        (("10.0.0.0/24",), "10.0.0.1", "10.0.0.128-10.0.0.254"),
        (("10.0.0.0/29", "10.0.0.6"), "10.0.0.6", "10.0.0.4-10.0.0.6"),
        (("10.0.0.0/24", "", "10.0.0.9-10.0.0.11"), "10.0.0.1", "10.0.0.9-10.0.0.11"),
    ],
)
def test_external_network(args, gateway, pool):
    (network,) = filters.external_network(*args)
    assert network["subnets"][0]["gateway"] == gateway
    assert network["subnets"][0]["pools"] == [pool]


def test_no_external_network_without_addresses():
    assert filters.external_network("") == []
    with pytest.raises(AnsibleFilterError, match="cloud_external_network"):
        filters.external_network("10.0.0.1/24")


def test_zones_and_aggregates_of_hosts():
    hostvars = {
        "c1": {"cloud_availability_zone": "east", "cloud_aggregates": ["ssd"]},
        "c2": {"cloud_availability_zone": "east"},
        "c3": {"cloud_availability_zone": "nova"},
    }
    assert filters.host_aggregates(["c1", "c2", "c3"], hostvars) == [
        {"name": "east", "hosts": ["c1", "c2"], "zone": "east"},
        {"name": "ssd", "hosts": ["c1"]},
    ]


class BlockStorage:
    """Cinder's answers to plain requests, and a record of those that change something."""

    def __init__(self, types=(), qos=()):
        self.lists = {"/types?is_public=None": {"volume_types": types}, "/qos-specs": {"qos_specs": qos}}
        self.said = []

    def request(self, path, method, **options):
        if method == "GET" and path in self.lists:
            return Answer(self.lists[path])
        self.said.append((method, path, options.get("json")))
        kind = {"/types": "volume_type", "/qos-specs": "qos_specs"}.get(path)
        return Answer({kind: {"id": f"id of {kind}", **options["json"][kind]}} if kind else {})


class Answer:
    status_code = 200
    content = b"x"

    def __init__(self, data):
        self.data = data

    def json(self):
        return self.data


TYPE = {"id": "t1", "name": "fast", "description": None, "is_public": True, "extra_specs": {"a": "1"}}
QOS = {"id": "q1", "name": "fast", "consumer": "front-end", "specs": {"total_iops_sec": "500"}}


class TestVolumeTypes:
    def plan(self, block, *items):
        conn = Connection()
        conn.block_storage = block
        return cloud(conn, volume_types=list(items)).plan()

    def test_a_new_one_with_limits(self):
        block = BlockStorage()
        (change,) = self.plan(block, {"name": "fast", "extra_specs": {"a": 1}, "qos": {"total_iops_sec": 500}})
        assert str(change) == "create volume type fast"
        change.make()
        qos = {"name": "fast", "consumer": "front-end", "total_iops_sec": "500"}
        assert block.said[1] == ("POST", "/qos-specs", {"qos_specs": qos})
        assert block.said[2][1] == "/qos-specs/id of qos_specs/associate?vol_type_id=id of volume_type"

    def test_as_it_should_be(self):
        block = BlockStorage([{**TYPE, "qos_specs_id": "q1"}], [QOS])
        assert self.plan(block, {"name": "fast", "extra_specs": {"a": 1}, "qos": {"total_iops_sec": 500}}) == []

    def test_other_limits(self):
        block = BlockStorage([{**TYPE, "qos_specs_id": "q1"}], [QOS])
        (change,) = self.plan(block, {"name": "fast", "qos": {"total_iops_sec": None, "read_iops_sec": 9}})
        change.make()
        assert block.said == [
            ("PUT", "/qos-specs/q1", {"qos_specs": {"read_iops_sec": "9"}}),
            ("PUT", "/qos-specs/q1/delete_keys", {"keys": ["total_iops_sec"]}),
        ]

    def test_a_new_one_that_encrypts(self):
        block = BlockStorage()
        block.lists["/types/id of volume_type/encryption"] = {}
        (change,) = self.plan(block, {"name": "safe", "encryption": {"provider": "luks"}})
        change.make()
        wanted = {"provider": "luks", "cipher": "aes-xts-plain64", "key_size": 256, "control_location": "front-end"}
        assert not block.said[0][2]["volume_type"]["os-volume-type-access:is_public"]
        assert block.said[1:] == [
            ("POST", "/types/id of volume_type/encryption", {"encryption": wanted}),
            ("PUT", "/types/id of volume_type", {"volume_type": {"is_public": True}}),
        ]

    def test_one_that_encrypts_otherwise(self):
        block = BlockStorage([TYPE | {"qos_specs_id": None}])
        known = {"provider": "luks", "cipher": "aes-xts-plain64", "key_size": 256, "control_location": "front-end"}
        block.lists["/types/t1/encryption"] = known | {"encryption_id": "e1"}
        assert self.plan(block, {"name": "fast", "encryption": {"provider": "luks"}}) == []
        (change,) = self.plan(block, {"name": "fast", "encryption": {"provider": "luks2"}})
        change.make()
        assert block.said == [("PUT", "/types/t1/encryption/e1", {"encryption": {"provider": "luks2"}})]

    def test_limits_of_a_killed_run_are_joined(self):
        block = BlockStorage([{**TYPE, "qos_specs_id": None}], [QOS])
        (change,) = self.plan(block, {"name": "fast", "qos": {"total_iops_sec": 500}})
        change.make()
        assert block.said[-1][1] == "/qos-specs/q1/associate?vol_type_id=t1"


class CloudKitty:
    """CloudKitty's answers: hashmap's services, fields and mappings, and whether it is enabled."""

    def __init__(self, enabled=True):
        self.module = {"module_id": "hashmap", "enabled": enabled, "priority": 3}
        self.made = {"services": [], "fields": [], "mappings": []}
        self.said = []

    def request(self, path, method, json=None, params=None, redirect=True):
        assert not redirect
        path = path.removeprefix("/v1/rating")
        kind = path.split("/")[3] if path.startswith("/module_config/hashmap/") else ""
        if method == "GET" and kind:
            found = [
                one for one in self.made[kind] if all(one.get(key) == value for key, value in (params or {}).items())
            ]
            return Answer({kind: found})
        if method == "GET":
            return Answer({"modules": [self.module]})
        self.said.append((method, path, json))
        if method == "POST":
            made = {"tenant_id": None, **json, f"{kind[:-1]}_id": f"{kind[0]}{len(self.made[kind])}"}
            self.made[kind].append(made)
            return Answer(made)
        return Answer({})


FLAVOR = {"name": "m1.small", "of": "flavor", "price": 0.02}
ADDRESS = {"name": "any", "of": "floating_ip", "price": 0.5}


class TestPrices:
    def plan(self, rating, *items, block=None):
        conn = Connection()
        conn.block_storage = block
        conn.config = SimpleNamespace(get_session_client=lambda kind: {"rating": rating}[kind])
        conn.endpoint_for = lambda kind: f"https://cloud/{kind}"
        return cloud(conn, prices=list(items)).plan()

    def test_new_ones_and_the_module(self):
        rating = CloudKitty(enabled=False)
        changes = self.plan(rating, FLAVOR, ADDRESS)
        said = ["change rating module hashmap: enabled False -> True", "create price of flavor m1.small"]
        assert [str(change) for change in changes] == [*said, "create price of floating ip"]
        for change in changes:
            change.make()
        assert rating.said[0] == ("PUT", "/modules/hashmap", {"module_id": "hashmap", "enabled": True, "priority": 3})
        assert [json for _method, path, json in rating.said if path.endswith("/mappings/")] == [
            {"field_id": "f0", "value": "m1.small", "cost": "0.02", "type": "flat"},
            {"service_id": "s1", "cost": "0.5", "type": "flat"},
        ]
        rating.module["enabled"] = True
        assert self.plan(rating, FLAVOR, ADDRESS) == []

    def test_another_price_and_none(self):
        rating = CloudKitty()
        for change in self.plan(rating, FLAVOR, ADDRESS):
            change.make()
        rating.said.clear()
        gone = {**ADDRESS, "state": "absent"}
        changes = self.plan(rating, {**FLAVOR, "price": 0.03}, gone)
        said = ["delete price of floating ip", "change price of flavor m1.small: price 0.02 -> 0.03"]
        assert [str(change) for change in changes] == said
        for change in changes:
            change.make()
        assert [(method, path) for method, path, _json in rating.said] == [
            ("DELETE", "/module_config/hashmap/mappings/m1"),
            ("PUT", "/module_config/hashmap/mappings/m0"),
        ]
        assert rating.said[1][2]["cost"] == "0.03"

    def test_of_a_volume_type_by_its_id(self):
        """Cinder's notifications and what is polled agree on that alone."""
        rating, block = CloudKitty(), BlockStorage([TYPE | {"qos_specs_id": None}])
        price = {"name": "fast", "of": "volume_type", "price": 2}
        for change in self.plan(rating, price, block=block):
            change.make()
        assert rating.made["mappings"][0]["value"] == "t1"
        assert self.plan(rating, price, block=block) == []
        changes = self.plan(rating, {**price, "name": "slow"}, block=block)
        with pytest.raises(Failed, match="there is no volume type slow"):
            changes[0].make()

    def test_only_gone_ones_enable_nothing(self):
        assert self.plan(CloudKitty(enabled=False), {**FLAVOR, "state": "absent"}) == []

    def test_those_of_a_project_are_the_operators_own(self):
        rating = CloudKitty()
        for change in self.plan(rating, FLAVOR):
            change.make()
        rating.made["mappings"][0]["tenant_id"] = "p1"
        assert [str(change) for change in self.plan(rating, FLAVOR)] == ["create price of flavor m1.small"]

    def test_a_price_that_is_none(self):
        with pytest.raises(AssertionError, match="state is present but all of the following are missing: price"):
            self.plan(CloudKitty(), {"name": "m1.small", "of": "flavor"})

    def test_without_prices_nobody_asks(self):
        rating = CloudKitty()
        rating.request = None
        assert self.plan(rating) == []


class TestGroups:
    """Groups, and users and groups of a directory."""

    DOMAINS: ClassVar = [Thing(id="d0", name="Default"), Thing(id="d1", name="corp", is_enabled=True)]

    def connection(self, **lists):
        return Connection(identity={"domains": self.DOMAINS, "groups": [], **lists})

    def test_a_new_group_gets_its_role(self):
        conn = self.connection()
        made = cloud(conn, groups=[{"name": "devs", "project": "admin", "roles": ["member"]}])
        conn.identity.lists["roles"] = [Thing(id="r", name="member")]
        changes = made.plan()
        assert lines(changes) == ["create group devs", "create role assignment member of group devs on project admin"]
        for change in changes:
            change.make()
        assert [name for name, *_rest in conn.said] == ["create_group", "assign_project_role_to_group"]

    def test_one_that_has_it(self):
        grant = Thing(scope={"project": {"id": "p0"}}, role={"id": "r"}, group={"id": "g"})
        lists = {"groups": [Thing(id="g", name="devs", domain_id="d0")], "role_assignments": [grant]}
        conn = self.connection(roles=[Thing(id="r", name="member")], **lists)
        assert cloud(conn, groups=[{"name": "devs", "project": "admin", "roles": ["member"]}]).plan() == []

    def test_a_directory_must_have_it(self):
        conn = self.connection()
        wanted = {"users": [{"name": "alice", "domain": "corp"}], "groups": [{"name": "devs", "domain": "corp"}]}
        with pytest.raises(Failed) as error:
            cloud(conn, ldap_domains={"corp": "present"}, **wanted).plan()
        text = "there is no {} in the directory of domain corp"
        assert str(error.value).splitlines() == [text.format("user alice"), text.format("group devs")]

    def test_a_directory_that_is_only_planned(self):
        """It cannot be searched yet, so its groups are taken to exist."""
        wanted = [{"name": "devs", "domain": "corp", "project": "staff", "roles": ["member"]}]
        staff = [{"name": "staff", "domain": "corp"}]
        grant = "create role assignment member of group devs on project staff"
        for domains in ([self.DOMAINS[0]], [self.DOMAINS[0], Thing(id="d1", name="corp", is_enabled=False)]):
            conn = Connection(identity={"domains": domains, "groups": [], "roles": []})
            made = cloud(conn, ldap_domains={"corp": "present"}, projects=staff, groups=wanted)
            assert lines(made.plan()) == ["create project staff", grant]

    def test_a_directory_that_is_off(self):
        """Its users and groups are left as they are, and others are not."""
        conn = self.connection()

        def groups(**query):
            raise HttpException("500")

        conn.identity.lists.pop("groups")
        conn.identity.groups = groups
        conn.identity.lists["roles"] = [Thing(id="r", name="member")]
        role = {"project": "admin", "roles": ["member"]}
        made = cloud(
            conn,
            ldap_domains={"corp": "present"},
            users=[{"name": "bob", **role}],
            groups=[{"name": "devs", "domain": "corp", **role}],
        )
        assert lines(made.plan()) == ["create user bob", "create role assignment member of bob on project admin"]
        assert list(made.unavailable) == ["corp"]

    def test_a_directory_is_only_read(self):
        alice = Thing(id="a", name="alice", domain_id="d1", description="x")
        conn, corp = self.connection(users=[alice]), {"ldap_domains": {"corp": "present"}}
        for wanted, text in (
            ({"state": "absent"}, "can't be deleted"),
            ({"description": "y"}, "can't be changed"),
            ({"password": "secret-y"}, "can't have a password"),
        ):
            with pytest.raises(Failed, match=text):
                cloud(conn, users=[{"name": "alice", "domain": "corp", **wanted}], **corp).plan()
        # It does not tell small letters from capital ones.
        for name in ("alice", "Alice"):
            assert cloud(conn, users=[{"name": name, "domain": "corp"}], **corp).plan() == []

    def test_a_plan_only_warns_of_a_missing_group(self):
        """The run before may have been killed when Keystone did not use the directory yet."""
        params = declared(ldap_domains={"corp": "present"}, groups=[{"name": "devs", "domain": "corp"}])
        made = Cloud(self.connection(), params, planned=True)
        assert made.plan() == []
        assert made.warnings == ["there is no group devs in the directory of domain corp"]

    def test_a_directory_that_is_given_up(self):
        """Nobody is created in its domain."""
        wanted = {"name": "devs", "domain": "corp", "project": "admin", "roles": ["member"]}
        made = cloud(
            self.connection(roles=[]), ldap_domains={"corp": "absent"}, users=[{**wanted}], groups=[{**wanted}]
        )
        assert made.plan() == []

    def test_one_that_is_repeated_for_another_project(self):
        roles = [Thing(id="r", name="member")]
        devs = [{"name": "devs", "project": name, "roles": ["member"]} for name in ("admin", "demo")]
        made = cloud(self.connection(roles=roles), projects=[{"name": "demo"}], groups=devs)
        assert lines(made.plan()) == [
            "create project demo",
            "create group devs",
            "create role assignment member of group devs on project admin",
            "create role assignment member of group devs on project demo",
        ]
