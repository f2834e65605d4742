# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From definitions to a host's part: merging, files, units, accounts, endpoints."""

from __future__ import annotations

import configparser
import copy

import pytest
from ansible_collections.cairn.openstack.plugins.plugin_utils.catalog import definitions

CLOUD = {
    "region": "RegionOne",
    "bind": "192.0.2.11",
    "pool": 5,
    "database_ca": None,
    "messaging_ca": None,
    "workers": 3,
    "scheme": "https",
    "public_name": "cloud.example.org",
    "internal_name": "inside.example.org",
    "database_host": "inside.example.org",
    "cache_servers": "192.0.2.11:11211",
    "identity_url": "https://inside.example.org:5000/v3",
    "identity_public_url": "https://cloud.example.org:5000/v3",
    "ca_file": "/etc/cairn/ca.crt",
    "me": {"name": "one", "address": "192.0.2.11", "groups": ["controller"]},
    "controllers": [{"address": "192.0.2.11"}, {"address": "192.0.2.12"}],
    "secrets": {
        "lamp_database": "p@ss/word",
        "lamp_messaging": "m:q",
        "lamp_identity": "i",
        "memcached_encryption_key": "k",
    },
}
LAMP = {
    "description": "Light service",
    "packages": {"controller": ["lamp-api"], "compute": ["lamp-agent"]},
    "databases": [{"name": "lamp"}],
    "messaging": True,
    "identity": {"services": [{"type": "light", "path": "/v1"}]},
    "apis": [{"name": "lamp-api", "port": 9999, "health": "/"}],
    "units": [{"name": "lamp-api"}, {"name": "lamp-agent", "groups": ["compute"]}],
    "files": {"lamp.conf": {"databases": {"database": "lamp"}, "messaging": True, "auth": ["keystone_authtoken"]}},
    "config": {"lamp.conf": {"DEFAULT": {"debug": False, "color": "red"}}},
}


@pytest.fixture
def lamp():
    return definitions.load({"catalog_lamp": copy.deepcopy(LAMP)}, {})["lamp"]


@pytest.mark.parametrize(
    ("services", "have", "names"),
    [
        ([], [], ["candle"]),
        (["lamp"], [], ["candle", "lamp"]),
        # It was there: what is left of it is removed.
        ([], ["admin", "lamp_messaging"], ["candle", "lamp"]),
        ([], ["candle_key"], ["candle"]),
    ],
)
def test_optional_services_concern_clouds_that_have_or_had_them(services, have, names):
    optional = {"catalog_lamp": {**LAMP, "optional": True}, "catalog_candle": {"secrets": ["key"]}}
    assert sorted(definitions.of_cloud(definitions.load(optional, {}), services, have)) == names


def files(definition, *groups, layers=()):
    cloud = {**CLOUD, "me": {**CLOUD["me"], "groups": list(groups)}}
    return definitions.files(definition, set(groups), cloud, list(layers))


def options(file):
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str
    parser.read_string(file["content"])
    return {name: dict(section) for name, section in parser.items()}


def lamp_conf(lamp, *layers, group="controller"):
    (file,) = [file for file in files(lamp, group, layers=layers) if "lamp.conf" in file["path"]]
    return options(file)


@pytest.mark.parametrize(
    ("base", "over", "result"),
    [
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 3}}, {"a": {"b": 3, "c": 2}}),
        ({"a": {"b": 1}}, {"a": {"b": None}}, {"a": {}}),
        ({"a": {"b": 1}}, {"d": {"e": 1}}, {"a": {"b": 1}, "d": {"e": 1}}),
        ({"a": [1, 2]}, {"a": [3]}, {"a": [3]}),
        ({"a": {"b": 1}}, {"a": 1}, {"a": 1}),
        ({}, {"a": {"b": 1}}, {"a": {"b": 1}}),
    ],
)
def test_merged(base, over, result):
    assert definitions.merged(base, over) == result


def test_merging_leaves_its_inputs_alone():
    base, over = {"a": {"b": 1}}, {"a": {"c": [1]}}
    definitions.merged(base, over)["a"]["c"].append(2)
    assert (base, over) == ({"a": {"b": 1}}, {"a": {"c": [1]}})


def test_layers_go_from_general_to_particular():
    variables = {"cloud_config_z": 3, "cloud_config": 1, "cloud_config_group": 2, "cloud_configure": 9, "other": 0}
    assert definitions.overrides(variables) == [("cloud_config", 1), ("cloud_config_group", 2), ("cloud_config_z", 3)]


def test_the_last_layer_wins_and_the_others_options_stay(lamp):
    conf = lamp_conf(
        lamp,
        {"lamp.conf": {"DEFAULT": {"color": "green", "debug": True}}},
        {"lamp.conf": {"DEFAULT": {"color": "blue"}}},
    )
    assert (conf["DEFAULT"]["color"], conf["DEFAULT"]["debug"]) == ("blue", "true")


def test_null_removes_a_shipped_option(lamp):
    assert "color" not in lamp_conf(lamp, {"lamp.conf": {"DEFAULT": {"color": None}}})["DEFAULT"]


def test_null_removes_a_common_option(lamp):
    assert "heartbeat_rate" in lamp_conf(lamp)["oslo_messaging_rabbit"]
    conf = lamp_conf(lamp, {"lamp.conf": {"oslo_messaging_rabbit": {"heartbeat_rate": None}}})
    assert "heartbeat_rate" not in conf["oslo_messaging_rabbit"]


def test_a_user_may_add_a_file(lamp):
    found = files(lamp, "controller", layers=[{"extra.conf": {"DEFAULT": {"x": 1}}}])
    assert "/etc/lamp/extra.conf" in [file["path"] for file in found]


def test_a_user_may_add_a_text(lamp):
    found = files(lamp, "controller", layers=[{"policy.yaml": "a: b\n"}, {"policy.yaml": "a: c\n"}])
    assert [file["content"] for file in found if file["name"] == "policy.yaml"] == ["a: c\n"]


def test_passwords_are_quoted_in_urls(lamp):
    conf = lamp_conf(lamp)
    assert conf["database"]["connection"] == (
        "mysql+pymysql://lamp:p%40ss%2Fword@inside.example.org/lamp?charset=utf8mb4"
    )
    assert conf["DEFAULT"]["transport_url"] == ("rabbit://lamp:m%3Aq@192.0.2.11:5672,lamp:m%3Aq@192.0.2.12:5672/lamp")
    assert conf["keystone_authtoken"]["service_type"] == "light"


def test_files_go_where_the_packages_go(lamp):
    assert lamp_conf(lamp, group="compute")
    assert files(lamp, "network") == []


def test_only_controllers_hold_the_databases_passwords(lamp):
    assert "database" in lamp_conf(lamp)
    assert "database" not in lamp_conf(lamp, group="compute")


@pytest.mark.parametrize(("when", "count"), [(True, 1), (False, 0)])
def test_a_file_with_a_condition(lamp, when, count):
    lamp["files"]["lamp.conf"]["when"] = when
    assert ["/etc/lamp/lamp.conf" in file["path"] for file in files(lamp, "controller")].count(True) == count


def test_a_service_is_started_however_often_it_fails(lamp):
    """It may have to wait for its database longer than systemd's patience lasts."""
    (dropin,) = [file for file in files(lamp, "controller") if file["path"].endswith(".d/cairn.conf")]
    assert dropin["path"] == "/etc/systemd/system/lamp-api.service.d/cairn.conf"
    assert "StartLimitIntervalSec=0" in dropin["content"]
    lamp["tier"] = "infrastructure"
    assert not [file for file in files(lamp, "controller") if file["path"].endswith(".d/cairn.conf")]


def test_services_without_an_api_start_after_the_apis_at_boot(lamp):
    lamp["units"] = [{"name": "lamp-api"}, {"name": "lamp-worker"}, {"name": "lamp-rpc", "tier": "identity"}]
    found = {file["path"].split("/")[4]: file["content"] for file in files(lamp, "controller") if ".d/" in file["path"]}
    assert found["lamp-api.service.d"].endswith("\nAfter=cairn-identity.service\n\n[Service]\nNice=-3\n")
    assert found["lamp-worker.service.d"].endswith("\nAfter=cairn-identity.service cairn-apis.service\n")
    assert "After=" not in found["lamp-rpc.service.d"]
    assert "Nice=-5" in found["lamp-rpc.service.d"]


def test_units_read_their_files_and_their_nodes_packages(lamp):
    lamp["files"]["agent.conf"] = {"units": ["lamp-agent"]}
    lamp["config"]["agent.conf"] = {"DEFAULT": {"a": 1}}
    (agent,) = definitions.units(lamp, {"compute"}, files(lamp, "compute"))
    assert agent["name"] == "lamp-agent"
    assert agent["watches"] == ["/etc/lamp/agent.conf", "/etc/lamp/lamp.conf"]
    assert agent["packages"] == ["lamp-agent"]
    (api,) = definitions.units(lamp, {"controller"}, files(lamp, "controller"))
    assert (api["name"], api["watches"]) == ("lamp-api", ["/etc/lamp/lamp.conf"])


def test_a_wsgi_service_gets_its_files(lamp):
    wsgi = {"app": "/usr/bin/lamp-api", "preload": ["lamp.wsgi", "lamp.plugin"], "options": {"threads": 2}}
    lamp["apis"][0] = {**lamp["apis"][0], "uwsgi": wsgi}
    found = {file["path"]: file for file in files(lamp, "controller")}
    assert found["/etc/default/lamp-api"]["content"].endswith('DAEMON_ARGS="--ini /etc/lamp/lamp-api-uwsgi.ini"\n')
    ini = found["/etc/lamp/lamp-api-uwsgi.ini"]
    assert ini["units"] == ["lamp-api"]
    uwsgi = options(ini)["uwsgi"]
    assert (uwsgi["http-socket"], uwsgi["processes"], uwsgi["threads"]) == ("192.0.2.11:9999", "3", "2")
    assert (
        "ExecReload=/bin/kill -HUP $MAINPID\n" in found["/etc/systemd/system/lamp-api.service.d/cairn.conf"]["content"]
    )
    (unit,) = definitions.units(lamp, {"controller"}, list(found.values()))
    assert unit["reload"]
    assert set(unit["restart_for"]) >= {"/etc/lamp/lamp-api-uwsgi.ini", "/etc/default/lamp-api", "package lamp-api"}
    assert uwsgi["shared-pyimport"] == "/etc/lamp/lamp-api-uwsgi.py"
    assert "\nimport uwsgi\nimport lamp.wsgi\nimport lamp.plugin\n" in found["/etc/lamp/lamp-api-uwsgi.py"]["content"]


def test_secrets_are_named_after_page_and_purpose(lamp):
    assert definitions.secret_names({"lamp": {**lamp, "secrets": ["key"]}}) == [
        "admin",
        "cloud",
        "lamp_database",
        "lamp_identity",
        "lamp_key",
        "lamp_messaging",
        "message_admin",
    ]


def test_every_secret_of_the_shipped_definitions_is_named_once(catalog):
    found = definitions.secret_names(
        definitions.load({f"catalog_{name}": definition for name, definition in catalog.items()}, {})
    )
    assert len(found) == len(set(found))


def test_endpoints(lamp):
    (service,) = definitions.identity_services(lamp, CLOUD)
    assert service["endpoints"] == {
        "public": "https://cloud.example.org:9999/v1",
        "internal": "https://inside.example.org:9999/v1",
    }


def test_a_page_without_account():
    assert not definitions.has_user({"identity": {}})
    assert not definitions.has_user({"identity": {"user": False, "services": []}})
    assert definitions.has_user({"identity": {"services": []}})


def test_apis_of_absent_pages_are_left_out(lamp):
    other = {**lamp, "state": "absent"}
    found = definitions.apis({"lamp": lamp, "other": other}, "https")
    assert [(api["definition"], api["frontend_port"]) for api in found] == [("lamp", 9999)]


@pytest.mark.parametrize(("scheme", "port"), [("https", 443), ("http", 80)])
def test_an_api_may_have_another_port_in_front(lamp, scheme, port):
    lamp["apis"][0] = {**lamp["apis"][0], "frontend_port": {"https": 443, "http": 80}}
    assert definitions.apis({"lamp": lamp}, scheme)[0]["frontend_port"] == port


def test_a_users_page_replaces_a_shipped_one():
    found = definitions.load({"catalog_lamp": LAMP, "catalog_extra": {"x": {}}}, {"lamp": {"description": "mine"}})
    assert list(found) == ["lamp"]
    assert found["lamp"]["description"] == "mine"


def test_a_page_does_not_share_its_defaults():
    found = definitions.load({}, {"a": {}, "b": {}})
    found["a"]["units"].append("x")
    assert found["b"]["units"] == []


def test_schema_steps_run_as_the_pages_user(lamp):
    step = {"run": "lamp-manage", "unless": {"database": "lamp", "query": "SELECT 1"}}
    definition = {**lamp, "db_sync": [step]}
    assert definitions.steps(definition, definition["db_sync"], {}) == [
        {"name": "lamp", "steps": [{"user": "lamp", **step}]}
    ]
    assert definitions.steps(definition, [], {}) == []


def test_ports_have_one_order():
    """A file that lists them would change in each run."""
    port = {"port": 1, "from": ["any"]}
    found = {name: {"state": "present", "ports": [port]} for name in ("b", "a", "c")}
    assert [one["definition"] for one in definitions.ports(found, {"controller"})] == ["a", "b", "c"]


def test_null_takes_an_option_out(lamp):
    """What is gone is not checked; what was never there is, as it is misspelt."""
    layers = [{"a": {"x": 1, "y": 2}}, {"a": {"x": None, "z": None}}]
    assert definitions.ordered(layers) == {"a": {"y": 2, "z": None}}


def test_steps_with_credentials(lamp):
    """They are in the step's environment, and nowhere else."""
    cloud = {"identity_url": "https://c:5000/v3", "secrets": {"admin": "s3cret"}, "region": "R", "ca_file": None}
    step = {"run": "lamp-manage upgrade", "credentials": "admin", "unless": {"file": "/x"}}
    (found,) = definitions.steps(lamp, [step], cloud)[0]["steps"]
    assert found["secret_environment"] == {"OS_PASSWORD": "s3cret"}
    assert found["environment"]["OS_USERNAME"] == "admin"
    assert "s3cret" not in str(found["environment"])
    assert "credentials" not in found


def test_users_in_domains_of_their_own():
    definition = {"identity": {"domains": [{"name": "heat", "users": [{"name": "heat_domain_admin"}, {"name": "x"}]}]}}
    assert [definitions.secret_of("heat", user["name"]) for _domain, user in definitions.domain_users(definition)] == [
        "heat_domain_admin",
        "heat_x",
    ]
