# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Optional services: there by one setting, gone without it, and of no cost to clouds that never had them."""

from __future__ import annotations

import pytest
import resolving
import yaml
from ansible_collections.cairn.openstack.plugins.plugin_utils.catalog import definitions, sources
from ansible_collections.cairn.openstack.plugins.plugin_utils.control_node.secrets import generate

HOSTS = {"c1": {"groups": ["controller"], "address": "192.0.2.11"}}
OPTIONAL = sorted(name.removeprefix(sources.PREFIX) for name, one in sources.shipped().items() if one.get("optional"))


@pytest.fixture(params=OPTIONAL)
def service(request):
    return request.param


def had(directory, service):
    """Write the secrets of a cloud that has had the *service*."""
    every = definitions.load(sources.shipped(), {})
    names = definitions.secret_names(definitions.of_cloud(every, [service], []))
    (directory / "secrets.yml").write_text(yaml.safe_dump({name: generate(name) for name in names}))


def test_one_has_secrets_by_which_a_cloud_knows_it(service):
    assert definitions.own_secrets(service, definitions.load(sources.shipped(), {})[service])


def test_a_cloud_without_it_knows_nothing_of_it(service, tmp_path):
    resolver = resolving.resolver(HOSTS, "c1", tmp_path)
    model = resolver.resolve(resolving.probe("192.0.2.11"))
    assert service not in model.definitions
    assert not [name for name in resolver.missing_secrets if name.startswith(f"{service}_")]
    assert not [api for api in model.cloud["apis"] if api["definition"] == service]


def test_it_is_there_by_its_name(service, tmp_path):
    model = resolving.resolve(HOSTS, "c1", tmp_path, {"cloud_services": [service]})
    assert model.definitions[service]["state"] == "present"
    for target, content in sources.shipped()[f"{sources.PREFIX}{service}"].get("contributes", {}).items():
        for name in content.get("packages", {}).get("controller", []):
            assert name in model.definitions[target]["packages"]["controller"]


def test_it_is_removed_where_it_was(service, tmp_path):
    had(tmp_path, service)
    model = resolving.resolve(HOSTS, "c1", tmp_path)
    assert model.definitions[service]["state"] == "absent"
    assert not [api for api in model.cloud["apis"] if api["definition"] == service]
    for target, content in sources.shipped()[f"{sources.PREFIX}{service}"].get("contributes", {}).items():
        for name in content.get("packages", {}).get("controller", []):
            assert name not in model.definitions[target]["packages"]["controller"]


def test_notifications_are_sent_to_who_reads_them(tmp_path):
    """Without a reader, RabbitMQ would keep them for ever."""
    sources_of = {"glance": "glance-api.conf", "heat": "heat.conf", "nova": "nova.conf"}
    sources_of["neutron"] = "plugins/ml2/ml2_conf.ini"
    for services in (["heat"], ["heat", "gnocchi", "ceilometer"]):
        model = resolving.resolve(HOSTS, "c1", tmp_path, {"cloud_services": services})
        for service, file in sources_of.items():
            sections = resolving.files(model, service, HOSTS["c1"]["groups"])[file]["sections"]
            found = sections.get("oslo_messaging_notifications", {})
            if "ceilometer" not in services:
                assert found.get("driver", "noop") == "noop"
                continue
            password = model.cloud["secrets"]["ceilometer_messaging"]
            url = f"rabbit://ceilometer:{password}@192.0.2.11:5672/ceilometer"
            assert found == {"driver": "messagingv2", "transport_url": url}
            assert sections["oslo_concurrency"]["lock_path"] == f"/run/lock/{service}"
    assert (
        "/nova" in resolving.files(model, "nova", ["controller"])["nova.conf"]["sections"]["DEFAULT"]["transport_url"]
    )


def test_what_a_service_needs_is_optional():
    every = definitions.load(sources.shipped(), {})
    assert {needed for one in every.values() for needed in one["needs"]} <= set(OPTIONAL)
