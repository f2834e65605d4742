# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Magnum knows its options, needs Heat, and keeps certificates where each controller reads them."""

from __future__ import annotations

import pytest
import resolving
from ansible_collections.cairn.openstack.plugins.module_utils.common import options
from ansible_collections.cairn.openstack.plugins.plugin_utils.catalog import definitions, option_index, sources
from ansible_collections.cairn.openstack.plugins.plugin_utils.preflight import definition_checks, settings

HOSTS = {
    "c1": {"groups": ["controller", "storage"], "address": "192.0.2.11", "storage_devices": [{"path": "/dev/sdb"}]}
}


def sections(tmp_path, **given):
    """Return Magnum's options in a cloud with these settings."""
    services = ["heat", "magnum", *given.pop("more", [])]
    model = resolving.resolve(HOSTS, "c1", tmp_path, {"cloud_services": services, **given})
    return resolving.files(model, "magnum", ["controller"])["magnum.conf"]["sections"], model


@pytest.mark.parametrize(("more", "manager"), [([], "x509keypair"), (["barbican"], "barbican")])
def test_certificates(tmp_path, more, manager):
    """Of Magnum's three ways one writes files, which only the controller that wrote them reads."""
    assert sections(tmp_path, more=more)[0]["certificates"] == {"cert_manager_type": manager}


@pytest.mark.parametrize("more", [[], ["barbican", "octavia"]])
def test_it_knows_its_options(tmp_path, more):
    given = {"cloud_storage": [{"name": "blue", "kind": "ceph"}]}
    found, _model = sections(tmp_path, more=more, **given)
    assert found["cinder"]["default_docker_volume_type"] == "blue"
    assert options.findings("magnum", "magnum.conf", found, option_index.shipped("magnum")) == []


def test_nodes_and_magnum_itself_have_their_own_endpoints(tmp_path):
    names = {"cloud_internal_name": "int.example.org", "cloud_public_name": "api.example.org"}
    found, _model = sections(tmp_path, **names)
    assert found["magnum_client"]["endpoint_type"] == "publicURL"
    assert found["keystone_authtoken"]["www_authenticate_uri"] == "https://int.example.org:5000/v3"
    for service in ("barbican", "cinder", "glance", "heat", "neutron", "nova", "octavia"):
        assert found[f"{service}_client"]["endpoint_type"] == "internalURL"
        assert found[f"{service}_client"]["region_name"] == "RegionOne"
    assert found["drivers"] == {"openstack_ca_file": "/etc/cairn/ca.crt"}


def test_the_domain_of_its_clusters_users(tmp_path):
    found, model = sections(tmp_path)
    (domain,) = model.definitions["magnum"]["identity"]["domains"]
    assert found["trust"]["trustee_domain_name"] == domain["name"]
    assert found["trust"]["trustee_domain_admin_name"] == domain["users"][0]["name"]
    assert found["trust"]["trustee_domain_admin_password"] == model.cloud["secrets"]["magnum_domain_admin"]


def test_without_heat_it_is_refused():
    catalog = definitions.load(sources.shipped(), {})
    given = settings.Settings("c1", {"cloud_services": ["magnum"]})
    assert [one.found for one in definition_checks.services(given, catalog)] == ["magnum without heat"]
