# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Preflight of the user's own definitions and options."""

from __future__ import annotations

import pytest
from preflight_site import LAMP, YML, check_one_error, given

# What is changed in a good input; and of the one finding that follows: where, found, allowed, to do.
BAD = {
    "a definition's key": (
        given(catalog_extra={"lamp": {**LAMP, "pakages": {}}}),
        (f"{YML}7, catalog_extra: catalog_lamp", "unknown key 'pakages'", "packages", "'packages'"),
    ),
    "no definition": (
        given(catalog_extra=[LAMP]),
        (f"{YML}7, catalog_extra", "a list of 1", "a dictionary of service definitions", "Write {name:"),
    ),
    "a definition's port is another's": (
        given(catalog_extra={"lamp": {**LAMP, "apis": [{"name": "lamp-api", "port": 9292, "health": "/"}]}}),
        ("port 9292", "glance's glance-api and lamp's lamp-api", "one service for each port", "another port"),
    ),
    "a definition's port is the database's": (
        given(catalog_extra={"lamp": {**LAMP, "apis": [{"name": "lamp-api", "port": 3306, "health": "/"}]}}),
        ("port 3306", "lamp's lamp-api and mariadb", "one service for each port", "Set another port for lamp"),
    ),
    "ports of two definitions": (
        given(catalog_extra={"lamp": {"description": "Light", "ports": [{"port": 25672, "from": ["any"]}]}}),
        ("port 25672", "lamp and rabbitmq", "one service for each port", "Set another port for lamp"),
    ),
    "an optional service misspelt": (
        given(cloud_services=["heta"]),
        (f"{YML}7, cloud_services", "'heta' is no optional service", "heat", "Did you mean 'heat'?"),
    ),
    "a service that is not optional": (
        given(cloud_services=["nova"]),
        (f"{YML}7, cloud_services", "'nova' is not optional", "heat", "each cloud has it"),
    ),
    "an optional service without another that it needs": (
        given(cloud_services=["ceilometer"]),
        (f"{YML}7, cloud_services", "ceilometer without gnocchi", "ceilometer and gnocchi", "Add gnocchi"),
    ),
    "what only an optional service has": (
        given(cloud_resources={"prices": [{"name": "m1.tiny", "of": "flavor", "price": 1}]}),
        (f"{YML}7, cloud_resources", "prices without cloudkitty", "cloudkitty, which has prices", "Add cloudkitty"),
    ),
    "options of an unknown service": (
        given(cloud_config_site={"glanse": {}}),
        (f"{YML}7, cloud_config_site", "unknown service 'glanse'", "glance", "Did you mean 'glance'?"),
    ),
    "options without a section": (
        given(cloud_config={"nova": {"nova.conf": {"debug": True}}}),
        (f"{YML}7, cloud_config", "nova: nova.conf: debug: True", "section → option", "often DEFAULT"),
    ),
    "options that are a list": (
        given(cloud_config=["nova"]),
        (f"{YML}7, cloud_config", "a list of 1", "service → file", "Write a dictionary"),
    ),
    "sections for a text": (
        given(cloud_config={"libvirt": {"libvirtd.conf": {"DEFAULT": {}}}}),
        (f"{YML}7, cloud_config", "libvirt: libvirtd.conf: sections", "no sections", "complete text"),
    ),
    "an option misspelt": (
        given(cloud_config_site={"nova": {"nova.conf": {"DEFAULT": {"reclaim_instance_intervall": 60}}}}),
        (YML, "no such option; did you mean reclaim_instance_interval?", "options of nova", "Correct it"),
    ),
    "an option in the wrong section": (
        given(cloud_config={"nova": {"nova.conf": {"DEFAULT": {"virt_type": "qemu"}}}}),
        (YML, "[DEFAULT] virt_type: no such option here; it is one of [libvirt]", "options of nova", "Correct it"),
    ),
    "an option's value of another type": (
        given(cloud_config={"glance": {"glance-api.conf": {"DEFAULT": {"workers": "many"}}}}),
        (YML, "[DEFAULT] workers: 'many' is not an integer", "options of glance", "Correct it"),
    ),
    "a file of options misspelt": (
        given(cloud_config={"neutron": {"l3-agent.ini": {"DEFAULT": {"debug": True}}}}),
        (YML, "neutron: l3-agent.ini: no such file; did you mean l3_agent.ini?", "neutron.conf", "Correct it"),
    ),
}


@pytest.mark.parametrize(("change", "parts"), BAD.values(), ids=BAD.keys())
def test_one_error(site, monkeypatch, change, parts):
    check_one_error(site, monkeypatch, change, parts)


def test_a_page_and_options_that_are_right(site, monkeypatch):
    given(
        catalog_extra={"lamp": {**LAMP, "config": {"lamp.conf": {"DEFAULT": {"host": "{{ cloud.bind }}"}}}}},
        cloud_config={"lamp": {"lamp.conf": {"DEFAULT": {"x": 1}}}, "nova": {"policy.yaml": "x: y\n"}},
    )(site)
    assert site.said(monkeypatch).get("msg") is None
    assert site.warnings == []
