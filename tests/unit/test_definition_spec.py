# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A finding in a definition is named, with the nearest right word."""

from __future__ import annotations

import copy

import pytest
from ansible_collections.cairn.openstack.plugins.plugin_utils.catalog import definitions
from ansible_collections.cairn.openstack.plugins.plugin_utils.preflight.definition_checks import clashes
from ansible_collections.cairn.openstack.plugins.plugin_utils.preflight.definition_spec import SPEC, findings

DEFINITION = {
    "description": "Light service",
    "packages": {"controller": ["lamp-api"]},
    "databases": [{"name": "lamp"}],
    "db_sync": [{"run": "lamp-manage", "unless": {"database": "lamp", "query": "SELECT 1"}}],
    "identity": {"services": [{"type": "light"}]},
    "apis": [{"name": "lamp-api", "port": 9999, "health": "/"}],
    "units": [{"name": "lamp-api"}],
    "files": {"lamp.conf": {"databases": {"database": "lamp"}, "units": ["lamp-api"]}},
    "config": {"lamp.conf": {"DEFAULT": {"debug": False}}},
}


def broken(path, value):
    """Return DEFINITION with *value* at *path*."""
    definition = copy.deepcopy(DEFINITION)
    place = definition
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return definition


def test_a_right_page():
    assert findings("lamp", DEFINITION) == []
    assert findings("lamp", {"description": "Nothing else"}) == []


@pytest.mark.parametrize(
    ("path", "value", "said", "advice"),
    [
        (["pakages"], {}, "catalog_lamp: unknown key 'pakages'", "Did you mean 'packages'?"),
        (["apis", 0, "prot"], 1, "catalog_lamp.apis[0]: unknown key 'prot'", "Did you mean 'port'?"),
        (["apis", 0, "port"], "9999", "catalog_lamp.apis[0].port: '9999'", "an integer"),
        (["apis", 0, "port"], True, "catalog_lamp.apis[0].port: True", "an integer"),
        (["apis", 0, "port"], None, "catalog_lamp.apis[0].port: nothing", "an integer"),
        (["messaging"], "yes", "catalog_lamp.messaging: 'yes'", "true or false"),
        (["packages", "controler"], [], "catalog_lamp.packages: unknown key 'controler'", "Did you mean 'controller'?"),
        (["packages", "controller"], "lamp", "catalog_lamp.packages.controller: 'lamp'", "a list"),
        (["ports"], {"controller": [80]}, "catalog_lamp.ports: a dictionary of 1", "a list"),
        (
            ["units", 0, "groups"],
            ["computes"],
            "catalog_lamp.units[0].groups[0]: 'computes'",
            "Did you mean 'compute'?",
        ),
        (["units", 0, "memory"], "1G", "catalog_lamp.units[0].memory: '1G'", "an integer"),
        (["tier"], "services", "catalog_lamp.tier: 'services'", "one of infrastructure, identity, service"),
        (
            ["files", "lamp.conf", "mod"],
            "0600",
            "catalog_lamp.files.lamp.conf: unknown key 'mod'",
            "Did you mean 'mode'?",
        ),
        (
            ["files", "lamp.conf", "units"],
            ["lamp-ap"],
            "catalog_lamp.files.lamp.conf: the units of the service definition lack 'lamp-ap'",
            "Did you mean 'lamp-api'?",
        ),
        (
            ["files", "lamp.conf", "databases"],
            {"database": "lamb"},
            "the databases of the service definition lack 'lamb'",
            "lamp",
        ),
        (
            ["registration"],
            {
                "steps": [],
                "writes": [{"path": "/x", "record": {"database": "lamb", "query": "SELECT host, id FROM x"}}],
            },
            "catalog_lamp.registration.writes: the databases of the service definition lack 'lamb'",
            "lamp",
        ),
        (
            ["registration"],
            {"steps": [], "writes": ["/var/lib/lamp/id"]},
            "catalog_lamp.registration.writes[0]: '/var/lib/lamp/id'",
            "{key: value}",
        ),
        (
            ["process_list"],
            {
                "get": "/services",
                "key": "services",
                "disabled": {"status": "disabled"},
                "down": {"state": "down"},
                "commands": {"enable": "lamp enable", "remove": "lamp remove"},
                "reported": "updated_at",
            },
            "catalog_lamp.process_list: reported without down_after",
            "Add down_after",
        ),
        (
            ["process_list"],
            {
                "get": "/services",
                "key": "services",
                "disabled": {"status": "disabled"},
                "down": {"state": "down"},
                "commands": {"enable": "lamp enable", "remove": "lamp remove"},
                "reported": "updated_at",
                "down_after": 0,
            },
            "catalog_lamp.process_list.down_after: 0",
            "Write more seconds",
        ),
        (
            ["apis", 0, "unit"],
            "apache2",
            "catalog_lamp.apis: the units of the service definition lack 'apache2'",
            "Add it",
        ),
        (
            ["identity", "services", 0, "api"],
            "x",
            "catalog_lamp.identity.services: the apis of the service definition lack 'x'",
            "lamp-api",
        ),
        (
            ["db_sync", 0, "units"],
            ["x"],
            "catalog_lamp.db_sync[0]: the units of the service definition lack 'x'",
            "Add it",
        ),
        (["db_sync"], [], "catalog_lamp.databases: no db_sync step for 'lamp'", "database: lamp"),
        (["db_sync", 0, "unless"], {"query": "x"}, "catalog_lamp.db_sync[0].unless: 'database' is missing", "Add it"),
    ],
)
def test_an_error(path, value, said, advice):
    (finding,) = findings("lamp", broken(path, value))
    assert said in str(finding)
    assert advice in str(finding)


def test_a_missing_key():
    definition = {key: value for key, value in DEFINITION.items() if key != "description"}
    (finding,) = findings("lamp", definition)
    assert (finding.where, finding.found) == ("catalog_lamp", "'description' is missing")


def test_an_api_needs_a_health_check():
    (finding,) = findings("lamp", broken(["apis", 0], {"name": "lamp-api", "port": 1}))
    assert (finding.where, finding.found) == ("catalog_lamp.apis[0]", "'health' is missing")


def test_every_error_is_found():
    definition = broken(["apis", 0, "prot"], 1)
    definition["unit"] = []
    assert len(findings("lamp", definition)) == 2


@pytest.mark.parametrize("definition", [None, [], "{{ x }}", 3])
def test_no_definition_at_all(definition):
    (finding,) = findings("lamp", definition)
    assert finding.allowed == "a dictionary"


@pytest.mark.parametrize("key", sorted(key for key in SPEC if not SPEC[key].get("literal") and key != "description"))
def test_a_template_stands_for_anything(key):
    assert [finding for finding in findings("lamp", {**DEFINITION, key: "{{ x }}"}) if "{{" in str(finding)] == []


@pytest.mark.parametrize("key", sorted(key for key in SPEC if SPEC[key].get("literal")))
def test_what_is_needed_before_templates_are_resolved_is_none(key):
    (finding,) = findings("lamp", {**DEFINITION, key: "{{ x }}"})
    assert (finding.where, finding.found) == (f"catalog_lamp.{key}", "the template '{{ x }}'")


KIND = {"description": "A driver", "backend": {"can": ["volumes"], "keys": {"address": {"type": "str"}}}}


@pytest.mark.parametrize(
    ("asked", "where", "found"),
    [
        ({"type": None}, "address.type", "nothing"),
        ({"type": "text"}, "address.type", "'text'"),
        ({"match": "[0-9"}, "address.match", "'[0-9': unterminated"),
        ({"match": "x", "type": "dict"}, "address.match", "match for the type dict"),
        ({"elements": "str"}, "address.elements", "elements of type str"),
        ({"type": "list", "elements": "text"}, "address.elements", "'text'"),
        ({"type": "int", "default": "none"}, "address.default", "'none'"),
    ],
)
def test_a_back_ends_key_that_describes_nothing(asked, where, found):
    definition = copy.deepcopy(KIND)
    definition["backend"]["keys"]["address"] = asked
    (finding,) = findings("acme", definition)
    assert finding.where == f"catalog_acme.backend.keys.{where}"
    assert finding.found.startswith(found)


def test_a_key_that_every_back_end_has():
    definition = {**KIND, "backend": {"can": ["volumes"], "keys": {"serves": {"type": "str"}}}}
    (finding,) = findings("acme", definition)
    assert finding.found == "the key 'serves'"


def test_a_volume_group_that_no_key_names():
    definition = {**KIND, "backend": {"can": ["volumes"], "volume_group": True}}
    (finding,) = findings("acme", definition)
    assert finding.where == "catalog_acme.backend.volume_group"


@pytest.mark.parametrize("user", ["identity", "lamp_identity", "database", "token"])
def test_two_secrets_of_one_name(user):
    identity = {"services": [], "domains": [{"name": "x", "users": [{"name": user, "roles": ["admin"]}]}]}
    (finding,) = findings("lamp", {**DEFINITION, "secrets": ["token"], "identity": identity})
    assert finding.where == "catalog_lamp.identity.domains"


def test_no_page_key_is_unknown_to_the_engine():
    assert set(SPEC) == {*definitions.DEFAULTS, "name", "user", "purge_paths", "description"}


def test_two_apis_on_one_port():
    other = broken(["apis", 0, "name"], "oven-api")
    (finding,) = clashes({"lamp": DEFINITION, "oven": other})
    assert (finding.where, finding.found) == ("port 9999", "lamp's lamp-api and oven's oven-api")
    assert list(clashes({"lamp": DEFINITION})) == []
