# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Options checked by the shipped indexes and by an installed service's own code."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.cairn.openstack.plugins.module_utils.common import option_index, options
from ansible_collections.cairn.openstack.plugins.module_utils.host import config_files, installed_options
from ansible_collections.cairn.openstack.plugins.modules import config_files as module
from ansible_collections.cairn.openstack.plugins.plugin_utils.catalog.option_index import DIRECTORY, shipped

SHIPPED = sorted(path.stem for path in DIRECTORY.glob("*.json"))


def findings(service, name, sections, known=()):
    return options.findings(service, name, sections, shipped(service), known)


def said(service, name, section, option, value):
    return [finding.message for finding in findings(service, name, {section: {option: value}})]


class TestIndexes:
    def test_every_service_has_one(self):
        assert set(SHIPPED) == set(option_index.SERVICES)

    def test_every_definition_with_oslo_config_has_one(self, catalog):
        """Sections of oslo's are options of oslo.config; one with a colon is paste's."""
        oslo = {
            name
            for name, definition in catalog.items()
            for file in filter(None, definition.get("files", {}).values())
            if {"databases", "messaging"} & file.keys() or any(":" not in section for section in file.get("auth", []))
        }
        assert oslo
        assert oslo - set(SHIPPED) == set()

    @pytest.mark.parametrize("service", SHIPPED)
    def test_it_says_what_it_was_made_from(self, service):
        index = shipped(service)
        assert all(version[0].isdigit() for version in index["packages"].values())
        assert {f"python3-{service}", "python3-oslo.config"} <= index["packages"].keys()

    @pytest.mark.parametrize("service", SHIPPED)
    def test_it_is_whole(self, service):
        index = shipped(service)
        assert {name for names in index["files"].values() for name in names} == index["sets"].keys()
        for sections in [*index["sets"].values(), {"auth": index["auth"]}]:
            for section, known in sections.items():
                assert section == option_index.section_name(section)
                for name, spec in known.items():
                    assert name.strip()
                    kind = spec if isinstance(spec, str) else spec.get("type", "any")
                    assert options.is_right("$my_ip", {"type": kind})
                    assert isinstance(spec, str) or {"type", "renamed"} & spec.keys()

    def test_they_are_small(self):
        assert sum(path.stat().st_size for path in DIRECTORY.iterdir()) < 500_000

    @pytest.mark.parametrize("service", SHIPPED)
    def test_the_libraries_are_in_it(self, service):
        (name, *_others) = shipped(service)["files"]
        sections = {
            "DEFAULT": {"debug": True, "transport_url": "rabbit://a:b@192.0.2.1:5672/x"},
            "keystone_authtoken": {"auth_type": "password", "auth_url": "http://a/", "user_domain_name": "Default"},
            "oslo_messaging_rabbit": {"rabbit_quorum_queue": True},
        }
        assert findings(service, name, sections) == []


class TestNames:
    @pytest.mark.parametrize(
        ("service", "name", "section", "option", "sentence"),
        [
            ("nova", "nova.conf", "libvirt", "virt_typ", "no such option; did you mean virt_type?"),
            ("nova", "nova.conf", "libvirt", "virt-type", "no such option; did you mean virt_type?"),
            ("nova", "nova.conf", "DEFAULT", "my_ipp", "no such option; did you mean my_ip?"),
            ("nova", "nova.conf", "DEFAULT", "virt_type", "no such option here; it is one of [libvirt]"),
            ("nova", "nova.conf", "vnc", "virt_typ", "no such option; did you mean virt_type in [libvirt]?"),
            ("nova", "nova.conf", "DEFAULT", "xyzzy", "no such option"),
            ("nova", "nova.conf", "keystone_authtoken", "user_domain", "no such option; did you mean user_domain_id?"),
            ("nova", "nova.conf", "libvrt", "virt_type", "no such section; did you mean [libvirt]?"),
            ("nova", "nova.conf", "default", "debug", "no such section; did you mean [DEFAULT]?"),
            ("nova", "nova.conf", "xyzzy", "debug", "no such section"),
            ("keystone", "keystone.conf", "token", "expiraton", "no such option; did you mean expiration?"),
            ("keystone", "domains/keystone.corp.conf", "ldap", "urll", "no such option; did you mean url?"),
            ("placement", "placement.conf", "api", "auth_strateg", "no such option; did you mean auth_strategy?"),
            ("neutron", "l3_agent.ini", "DEFAULT", "dnsmasq_dns_servers",
             "no such option in this file; it is one of neutron.conf, dhcp_agent.ini"),
            ("glance", "glance-api.conf", "fs", "filesystem_store_datadir", "no such section"),
        ],
    )  # fmt: skip
    def test_a_slip_is_named(self, service, name, section, option, sentence):
        assert said(service, name, section, option, "1") == [sentence]

    @pytest.mark.parametrize(
        ("service", "name", "section", "option"),
        [
            ("neutron", "dhcp_agent.ini", "DEFAULT", "dnsmasq_dns_servers"),
            ("neutron", "neutron.conf", "DEFAULT", "dnsmasq_dns_servers"),
            ("neutron", "l3_agent.ini", "OVS", "ovsdb_timeout"),  # oslo.config does not mind the case of sections
            ("neutron", "plugins/ml2/ml2_conf.ini", "ml2_type_vxlan", "vni_ranges"),
            ("nova", "nova.conf", "placement", "username"),
            ("nova", "nova.conf", "mdev_nvidia-35", "device_addresses"),
            ("glance", "glance-api.conf", "os_glance_staging_store", "filesystem_store_datadir"),
            ("keystone", "keystone.conf", "openid", "remote_id_attribute"),
            ("barbican", "barbican.conf", "secretstore:soft", "crypto_plugin"),
        ],
    )
    def test_what_is_right_passes(self, service, name, section, option):
        assert said(service, name, section, option, "1") == []

    def test_the_file_of_an_unknown_name_is_not_judged(self):
        assert findings("nova", "api-paste.ini", {"anything": {"goes": 1}}) == []

    def test_sections_that_the_operator_names(self):
        sections = {
            "DEFAULT": {"enabled_backends": ["fast:rbd", "slow:file"]},
            "fast": {"rbd_store_pool": "images", "store_description": "On flash"},
            "slow": {"filesystem_store_datadr": "/srv"},
        }
        (finding,) = findings("glance", "glance-api.conf", sections)
        assert str(finding) == "[slow] filesystem_store_datadr: no such option; did you mean filesystem_store_datadir?"
        sections = {
            "DEFAULT": {"enabled_backends": "lvm-1, ceph"},
            "lvm-1": {"volume_grop": "v"},
            "ceph": {"rbd_pool": "p"},
        }
        (finding,) = findings("cinder", "cinder.conf", sections)
        assert "did you mean volume_group?" in finding.message

    def test_an_option_that_is_taken_away_must_exist_too(self):
        assert said("nova", "nova.conf", "libvirt", "virt_type", None) == []
        assert said("nova", "nova.conf", "libvirt", "virt_typo", None) == ["no such option; did you mean virt_type?"]
        assert said("nova", "nova.conf", "libvirt", "cpu_model", None) == []  # an old name, and nothing is written

    @pytest.mark.parametrize("pattern", ["nova/nova.conf/libvirt/virt_typ", "nova/*", "*/libvirt/*"])
    def test_what_the_operator_vouches_for_passes(self, pattern):
        sections = {"libvirt": {"virt_typ": "x"}}
        assert findings("nova", "nova.conf", sections, [pattern]) == []
        assert findings("nova", "nova.conf", sections, ["neutron/*"]) != []

    def test_a_section_passes_when_all_of_it_is_vouched_for(self):
        sections = {"site": {"a": 1, "b": 2}}
        assert findings("nova", "nova.conf", sections, ["nova/nova.conf/site/*"]) == []
        assert findings("nova", "nova.conf", sections, ["nova/nova.conf/site/a"]) != []

    def test_old_names_work_for_now(self):
        (finding,) = findings("nova", "nova.conf", {"libvirt": {"cpu_model": "Nehalem"}})
        assert finding == ("libvirt", "cpu_model", "deprecated name; use cpu_models", True)
        old = "remove_unused_resized_minimum_age_seconds"
        (finding,) = findings("nova", "nova.conf", {"libvirt": {old: 1}})
        assert (finding.message, finding.warning) == (f"deprecated name; use {old} in [image_cache]", True)
        (finding,) = findings("nova", "nova.conf", {"api": {"auth_strategy": "keystone"}})
        assert (finding.message, finding.warning) == ("deprecated, and will be removed", True)

    def test_an_old_name_must_have_a_right_value_too(self):
        old, wrong = findings("nova", "nova.conf", {"libvirt": {"num_iscsi_scan_tries": "many"}})
        assert old.warning
        assert wrong == ("libvirt", "num_iscsi_scan_tries", "'many' is not an integer", False)


class TestValues:
    @pytest.mark.parametrize(
        ("spec", "right", "wrong"),
        [
            ({"type": "bool"}, ["true", "False", "1", "off", "YES"], ["", "ja", "2"]),
            ({"type": "int", "min": 1, "max": 3}, ["", "1", "3", "$workers"], ["0", "4", "1.0", "one"]),
            ({"type": "int", "choices": [256, 512]}, ["256"], ["128"]),
            ({"type": "float", "min": 0}, ["0", "1.5", "2e3"], ["-0.1", "x"]),
            ({"type": "str"}, ["", "anything: at, all"], []),
            ({"type": "str", "choices": ["kvm", "qemu", None]}, ["kvm"], ["KVM", "", "xen"]),
            ({"type": "str", "choices": ["Off"], "ignore_case": True}, ["off", "OFF"], ["on"]),
            ({"type": "str", "regex": "^CUSTOM_[A-Z]+$"}, ["CUSTOM_A"], ["custom"]),
            ({"type": "str", "max_length": 3}, ["abc"], ["abcd"]),
            ({"type": "list"}, ["", "a", "a,b,"], []),
            ({"type": "list", "items": {"type": "int"}}, ["", "1, 2"], ["1,x"]),
            ({"type": "list", "items": {"type": "list", "bounds": True}}, ["[a,b],[c]"], ["[a,b"]),
            ({"type": "dict"}, ["", "a:1,b:x:y", "a:1,2,b:3"], ["a"]),
            ({"type": "dict", "items": {"type": "int"}}, ["a:1"], ["a:b"]),
            ({"type": "dict", "separator": "="}, ["a=1"], ["a:1"]),
            ({"type": "ip"}, ["192.0.2.1", "fe80::1"], ["", "192.0.2", "name"]),
            ({"type": "host"}, ["192.0.2.1", "fe80::a", "a-b.example.", "my_host"], ["192.0.2.300", "a b", "-a", ""]),
            ({"type": "uri"}, ["http://a/", "https://[::1]:80"], ["a.example.org", "http://"]),
            ({"type": "uri", "schemes": ["https"]}, ["https://a"], ["http://a"]),
            ({"type": "range"}, ["1-5", "7"], ["1-", "a"]),
            ({"type": "any"}, ["", "x"], []),
        ],
    )  # fmt: skip
    def test_what_a_type_takes(self, spec, right, wrong):
        assert [value for value in right if not options.is_right(value, spec)] == []
        assert [value for value in wrong if options.is_right(value, spec)] == []

    @pytest.mark.parametrize(
        ("section", "option", "value", "sentence"),
        [
            ("libvirt", "virt_type", "kwm", "'kwm' is not one of kvm, lxc, qemu, parallels"),
            ("libvirt", "num_pcie_ports", 29, "'29' is not an integer from 0 to 28"),
            ("vnc", "novncproxy_port", 70000, "'70000' is not an integer from 0 to 65535"),
            ("vnc", "enabled", "maybe", "'maybe' is not true or false"),
            ("vnc", "novncproxy_base_url", "cloud", "'cloud' is not a URL"),
            ("scheduler", "workers[]", [1, 2], "takes one value, and is given several"),
            ("pci", "alias", ["{}"], "may be given more than once: write alias[] for a list, a line for each item"),
            ("glance", "timeout", {"a": 1}, "a dictionary is written as text: NAME:VALUE pairs, with commas between"),
        ],
    )  # fmt: skip
    def test_what_is_allowed_is_said(self, section, option, value, sentence):
        assert said("nova", "nova.conf", section, option, value) == [sentence]

    @pytest.mark.parametrize("value", [True, "yes", "$debug"])
    def test_values_are_judged_as_they_are_written(self, value):
        assert said("nova", "nova.conf", "DEFAULT", "debug", value) == []

    def test_several_values(self):
        assert said("nova", "nova.conf", "pci", "alias[]", ["{}", "{}"]) == []
        assert said("nova", "nova.conf", "filter_scheduler", "enabled_filters", ["A", "B"]) == []

    def test_a_secret_is_not_shown(self):
        spec = {"type": "int", "secret": True}
        index = {"files": {"f": ["all"]}, "free": [], "auth": {}, "sets": {"all": {"DEFAULT": {"pin": spec}}}}
        (finding,) = options.findings("lamp", "f", {"DEFAULT": {"pin": "Sesame"}}, index)
        assert finding.message == "its value is not an integer"


class TestSources:
    LAYERS = (
        ("cloud_config", {"nova": {"nova.conf": {"vnc": {"enabled": 1}, "pci": {"alias[]": ["x"]}}}}),
        ("cloud_config_b", {"nova": {"nova.conf": {"vnc": {"enabled": 2}}}, "glance": None}),
    )

    @pytest.mark.parametrize(
        ("section", "option", "variable"),
        [
            ("vnc", "enabled", "cloud_config_b"),
            ("vnc", "", "cloud_config_b"),
            ("pci", "alias", "cloud_config"),
            ("libvirt", "virt_type", "catalog_nova"),
        ],
    )
    def test_the_last_that_says_it(self, section, option, variable):
        assert options.source("nova", "nova.conf", options.Finding(section, option, ""), self.LAYERS) == variable


class TestGenerator:
    def test_where_nothing_is_installed_it_says_so(self):
        """The program runs without Cairn, from its standard input."""
        program = Path(option_index.__file__).read_text()
        command = [sys.executable, "-I", "-", "nova"]
        done = subprocess.run(command, input=program, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (option_index.NOT_INSTALLED, "")

    @pytest.mark.parametrize(
        ("one", "other", "both"),
        [
            ({"type": "int"}, {"type": "int"}, {"type": "int"}),
            ({"type": "int", "min": 1}, {"type": "int"}, {"type": "any"}),
            ({"type": "str", "removal": True}, {"type": "str"}, {"type": "str"}),
            ({"type": "str", "secret": True}, {"type": "str"}, {"type": "str", "secret": True}),
            ({"renamed": "a"}, {"type": "str"}, {"type": "str"}),
        ],
    )
    def test_two_readers_of_one_option(self, one, other, both):
        assert option_index._agreed(one, other) == both
        assert option_index._agreed(other, one) == both


@pytest.fixture
def host(monkeypatch, tmp_path):
    """A host with another nova than the index comes from, whose code knows one option; counts how often it is asked."""

    class Host:
        def __init__(self):
            self.packages = {"python3-nova": "2"}
            self.asked = 0

        def versions(self, names):
            return {name: version for name, version in self.packages.items() if name in names}

        def answer(self, service):
            self.asked += 1
            sections = {"DEFAULT": {"new": "int"}}
            files = {"nova.conf": ["all"]}
            return {"packages": dict(self.packages), "files": files, "free": [], "auth": {}, "sets": {"all": sections}}

    made = Host()
    monkeypatch.setattr(option_index, "versions", made.versions)
    monkeypatch.setattr(installed_options, "_asked", made.answer)
    monkeypatch.setattr(installed_options, "DIRECTORY", str(tmp_path / "options"))
    return made


@pytest.fixture
def write(run_module, tmp_path):
    def run(text, check=False, known=(), packages=None):
        file = {"path": str(tmp_path / "nova.conf"), "content": text, "owner": None, "group": None}
        arguments = {
            "files": [{**file, "options_of": {"service": "nova", "file": "nova.conf"}}],
            "option_packages": {"nova": packages or {"python3-nova": "1"}},
            "known_options": list(known),
        }
        return run_module(module, arguments, check)

    return run


class TestInstalled:
    def test_a_wrong_option_is_refused_before_any_file_is_replaced(self, host, write, tmp_path):
        result = write("[DEFAULT]\nold = 1\nnew = x\n")
        assert result["failed"]
        assert f"{tmp_path}/nova.conf [DEFAULT] old: no such option" in result["msg"]
        assert "new: 'x' is not an integer" in result["msg"]
        assert not (tmp_path / "nova.conf").exists()
        assert "failed" not in write("[DEFAULT]\nold = 1\n", known=["nova/*/old"])

    def test_the_code_is_asked_once_for_a_version(self, host, write):
        for number in (1, 2, 2, 3):
            write(f"[DEFAULT]\nnew = {number}\n")
        assert host.asked == 1
        host.packages = {"python3-nova": "3"}
        write("[DEFAULT]\nnew = 4\n")
        assert host.asked == 2

    def test_the_code_of_the_index_is_not_asked(self, host, write):
        write("[DEFAULT]\nwhatever = 1\n", packages=host.packages)
        assert host.asked == 0

    def test_a_file_that_stays_costs_nothing(self, host, write, monkeypatch):
        write("[DEFAULT]\nnew = 1\n")
        monkeypatch.setattr(option_index, "versions", None)
        assert not write("[DEFAULT]\nnew = 1\n")["changed"]

    def test_a_host_without_the_service_is_not_asked(self, host, write, monkeypatch):
        host.packages = {}
        assert write("[DEFAULT]\nwhatever = 1\n", check=True)["changed"]
        assert host.asked == 0

    def test_check_mode_keeps_nothing(self, host, write, tmp_path):
        assert write("[DEFAULT]\nold = 1\n", check=True)["failed"]
        assert not (tmp_path / "options").exists()

    def test_what_another_program_kept_is_not_read(self, host, write, tmp_path):
        write("[DEFAULT]\nnew = 1\n")
        path = tmp_path / "options/nova.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), "program": "another"}))
        write("[DEFAULT]\nnew = 2\n")
        assert host.asked == 2

    def test_code_that_does_not_answer_stops_nobody(self, host, write, tmp_path, monkeypatch):
        def fail(service):
            raise installed_options.Unanswered("a syntax error")

        said = []
        monkeypatch.setattr(installed_options, "_asked", fail)
        # Ansible gives one warning once a process, and the tests are one.
        monkeypatch.setattr(module.AnsibleModule, "warn", lambda _self, text: said.append(text))
        result = write("[DEFAULT]\nold = 1\n")
        assert result["changed"]
        assert "a syntax error" in str(said)
        assert config_files.read(str(tmp_path / "nova.conf")).content
