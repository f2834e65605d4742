# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Preflight of the inventory and the settings: every finding at once, with where, found, allowed, to do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import test_preflight_definitions as definitions
import test_preflight_networks as networks
import test_preflight_secrets as secrets
import test_preflight_storage as storage
import yaml
from ansible import constants
from ansible_collections.cairn.openstack.plugins.plugin_utils.preflight.finding import Finding, merged, report
from preflight_site import ROOT, YML, both, check_one_error, given, put, told

SHIPPED = sorted(path.parent.name for path in (ROOT / "inventories").glob("*/hosts.yml"))
# What is changed in a good input; and of the one finding that follows: where, found, allowed, to do.
BAD = {
    # The inventory
    "no controller": (
        put("hosts", "controller", to={}),
        ("hosts.yml", "no host in the group controller", "at least one", "Add the hosts"),
    ),
    "a misspelt group": (
        put("hosts", "computes", to={"compute3": {"ansible_host": "192.0.2.15"}}),
        ("hosts.yml", "group computes, with compute3", "controller, network, compute, storage", "'compute'"),
    ),
    "a capital in a group": (
        put("hosts", "Storage", to={"storage1": {"ansible_host": "192.0.2.15"}}),
        ("hosts.yml", "group Storage, with storage1", "storage", "'storage'"),
    ),
    "an address twice": (
        put("hosts", "compute", "compute2", "ansible_host", to="192.0.2.13"),
        ("host compute2", "192.0.2.13, which compute1 also has", "a unique address", "Use a different address"),
    ),
    "IPv6": (
        put("hosts", "compute", "compute2", "ansible_host", to="2001:db8::1"),
        ("hosts.yml:1", "2001:db8::1 is IPv6", "an IPv4 address", "Set cloud_address"),
    ),
    "no address": (
        put("hosts", "compute", "compute2", to={}),
        ("host compute2", "'compute2' is not an address", "an IPv4 address", "Set ansible_host"),
    ),
    "a loopback address": (
        put("hosts", "compute", "compute2", "cloud_address", to="127.0.0.1"),
        ("hosts.yml:1", "127.0.0.1, which no other host can reach", "a network interface", "Set cloud_address"),
    ),
    "an address as a name": (
        put("hosts", "storage", to={"192.0.2.15": {}}),
        ("host 192.0.2.15", "an address as a name", "a host name", "Name the host"),
    ),
    "an underscore in a name": (
        put("hosts", "storage", to={"storage_1": {"ansible_host": "192.0.2.15"}}),
        ("host storage_1", "'storage_1'", "letters, digits, hyphens", "'storage-1'"),
    ),
    "a name that is too long": (
        put("hosts", "storage", to={"s" * 70: {"ansible_host": "192.0.2.15"}}),
        ("host s", "the name 'sss", "at most 63 letters", repr("s" * 63)),
    ),
    "a name with its domain": (
        put("hosts", "storage", to={"storage1.lab.example": {"ansible_host": "192.0.2.15"}}),
        (
            "host storage1.lab.example",
            "the name 'storage1.lab.example', with a domain",
            "at most 63 letters, digits, hyphens",
            "Name the host storage1, with ansible_host: ADDRESS. Its domain can be set as cloud_domain: lab.example.",
        ),
    ),
    "a name with its domain, and no address": (
        put("hosts", "storage", to={"storage1.lab.example": {}}),
        ("host storage1.lab.example", "with a domain", "hyphens", "Name the host storage1, with ansible_host"),
    ),
    "a name with its domain, and another host's": (
        put("hosts", "storage", to={"compute1.lab.example": {"ansible_host": "192.0.2.15"}}),
        ("host compute1.lab.example", "with a domain", "hyphens", "Name the host compute1-lab-example,"),
    ),
    "localhost": (
        put("hosts", "storage", to={"localhost": {"ansible_connection": "local", "ansible_host": "192.0.2.15"}}),
        ("host localhost", "the name localhost", "a name of its own", "ansible_connection: local can stay"),
    ),
    # Names of settings
    "the VIP by another name": (
        given(cloud_vip="192.0.2.9"),
        (f"{YML}7, cloud_vip", "unknown setting cloud_vip", "roles/cloud", "The setting is 'cloud_internal_address'"),
    ),
    "an unknown setting": (
        given(cloud_mtuu=1500),
        (f"{YML}7, cloud_mtuu", "unknown setting cloud_mtuu", "roles/cloud", "Did you mean 'cloud_mtu'?"),
    ),
    "an unknown setting like no other": (
        given(cloud_zzzzzzzz=1),
        (f"{YML}7, cloud_zzzzzzzz", "unknown setting", "roles/cloud", "Remove it"),
    ),
    "an unknown setting of one host": (
        put("hosts", "compute", "compute2", "cloud_tunnel_adress", to="x"),
        ("hosts.yml:1", "unknown setting cloud_tunnel_adress", "roles/cloud", "'cloud_tunnel_address'"),
    ),
    "a role's setting misspelt": (
        given(verify_server_min=3),
        (f"{YML}7, verify_server_min", "unknown setting", "roles/verify", "'verify_servers_min'"),
    ),
    "catalog_extra misspelt": (
        given(catalog_extras={}),
        (f"{YML}7, catalog_extras", "unknown service definition catalog_extras", "catalog_extra", "'catalog_extra'"),
    ),
    # Types
    "text for a flag": (
        given(cloud_tls="nope"),
        (f"{YML}7, cloud_tls", "'nope'", "true or false", "without quotes"),
    ),
    "text for a number": (
        given(cloud_mtu="large"),
        (f"{YML}7, cloud_mtu", "'large'", "an integer", "Write an integer"),
    ),
    "text for a list": (
        given(cloud_time_servers="ntp.example.org"),
        (f"{YML}7, cloud_time_servers", "'ntp.example.org'", "a list", "[a]"),
    ),
    "a list for a dictionary": (
        given(cloud_sysctl=["x"]),
        (f"{YML}7, cloud_sysctl", "a list of 1", "a dictionary", "{"),
    ),
    "a flag for text": (given(cloud_region=True), (f"{YML}7, cloud_region", "True", "text", "Write text")),
    "nothing": (given(cloud_name=None), (f"{YML}7, cloud_name", "nothing", "text", "remove the line")),
    "another role's type": (
        given(verify_keep="yes please"),
        (f"{YML}7, verify_keep", "'yes please'", "true or false", "without quotes"),
    ),
    "none of the choices": (
        given(verify_from="contol"),
        (f"{YML}7, verify_from", "'contol'", "auto, control, controller, none", "'control'"),
    ),
    "an item of a list": (
        given(cloud_firewall_sources=[{}]),
        (f"{YML}7, cloud_firewall_sources[0]", "a dictionary of 0", "text", "Write text"),
    ),
    "a template that fails": (
        given(cloud_region="{{ nowhere }}"),
        (f"{YML}7, cloud_region", "'nowhere' is undefined", "defined variables", "Correct the template"),
    ),
    "a template that fails for the addresses": (
        given(cloud_address="{{ nowhere }}"),
        (f"{YML}7, cloud_address", "'nowhere' is undefined", "defined variables", "Correct the template"),
    ),
    "a template that fails for the directory of definitions": (
        given(catalog_dir="{{ nowhere }}"),
        (f"{YML}7, catalog_dir", "'nowhere' is undefined", "defined variables", "Correct the template"),
    ),
    "a dictionary that is text": (
        given(cloud_sysctl='{"vm.swappiness": true}'),
        (f"{YML}7, cloud_sysctl", "'{", "a dictionary", "In an INI inventory, write True, False and None"),
    ),
    # Values
    "a small MTU": (given(cloud_mtu=150), (f"{YML}7, cloud_mtu", "150", "1280 to 9216", "switches")),
    "a large router id": (
        given(cloud_vip_router_id=256),
        (f"{YML}7, cloud_vip_router_id", "256", "0 to 255", "0 derives it"),
    ),
    "fewer than no workers": (given(cloud_workers=-1), (f"{YML}7, cloud_workers", "-1", "0 or more", "0 derives it")),
    "no share of processors": (given(cloud_cpu_ratio=0), (f"{YML}7, cloud_cpu_ratio", "0", "more than 0", "4.0")),
    "VLANs beyond the last": (
        given(cloud_vlan_range="4000:5000"),
        (f"{YML}7, cloud_vlan_range", "'4000:5000'", "1 to 4094", "quotes"),
    ),
    "VLANs that YAML takes for a number": (
        given(cloud_vlan_range=110),
        (f"{YML}7, cloud_vlan_range", "110", "first:last", "quotes"),
    ),
    "a network type that isn't": (
        given(cloud_tenant_network_types=["vxlan", "gre"]),
        (f"{YML}7, cloud_tenant_network_types", "vxlan, gre", "vxlan, vlan", "first choice"),
    ),
    "VLAN without a range": (
        given(cloud_tenant_network_types=["vlan"]),
        (f"{YML}7, cloud_tenant_network_types", "cloud_vlan_range is not set", "vxlan alone", "Set cloud_vlan_range"),
    ),
    "a name with a blank": (
        given(cloud_public_name="my cloud"),
        (f"{YML}6, cloud_public_name", "'my cloud'", "DNS", "without other characters"),
    ),
    "a name that becomes another": (
        given(cloud_domain="example_org"),
        (f"{YML}7, cloud_domain", "'example_org'", "DNS", "without other characters"),
    ),
    "a mirror without its scheme": (
        given(cloud_package_mirror="mirror.example.org"),
        (f"{YML}7, cloud_package_mirror", "'mirror.example.org'", "http://", "complete URL"),
    ),
    "a DNS server by name": (
        given(cloud_dns_servers=["dns.example.org"]),
        (f"{YML}7, cloud_dns_servers", "dns.example.org", "addresses", "192.0.2.53"),
    ),
    "a DNS server on the host itself": (
        given(cloud_dns_servers=["127.0.0.53"]),
        (f"{YML}7, cloud_dns_servers", "127.0.0.53", "that guests can reach", "192.0.2.53"),
    ),
    "updates of another kind": (
        given(cloud_package_updates="all"),
        (f"{YML}7, cloud_package_updates", "'all'", "unchanged, none or security", "Choose one"),
    ),
    "a size with a blank": (
        given(cloud_journal_size="1 GB"),
        (f"{YML}7, cloud_journal_size", "'1 GB'", "K, M, G or T", "1G"),
    ),
    "a source with host bits": (
        given(cloud_firewall_sources=["192.0.2.1/24"]),
        (f"{YML}7, cloud_firewall_sources", "192.0.2.1/24", "CIDR", "host bits zero"),
    ),
    "a proxy's URL for its name": (
        given(cloud_dashboard_names=["https://portal.example.org"]),
        (f"{YML}7, cloud_dashboard_names", "https://portal.example.org", "DNS names", "without a scheme"),
    ),
    "a firewall by half a name": (
        given(cloud_known_firewalls=["filter"]),
        (f"{YML}7, cloud_known_firewalls", "filter", "ufw, firewalld, or family", "as the error"),
    ),
    "another name for each host": (
        put("hosts", "compute", "compute2", "cloud_name", to="other"),
        ("hosts.yml:1", "'other', but 'cairn' for controller1", "one value for the whole cloud", "group_vars/all.yml"),
    ),
    "resources of an unknown kind": (
        given(cloud_resources={"network": []}),
        (f"{YML}7, cloud_resources", "unknown key 'network'", "networks", "'networks'"),
    ),
    "a resource without a name": (
        given(cloud_resources={"flavors": [{"ram": 1}]}),
        (f"{YML}7, cloud_resources.flavors[0]", "'name' is missing", "name: text", "Add it"),
    ),
}


@pytest.mark.parametrize(("change", "parts"), BAD.values(), ids=BAD.keys())
def test_one_error(site, monkeypatch, change, parts):
    check_one_error(site, monkeypatch, change, parts)


def test_there_are_many():
    assert len({**BAD, **definitions.BAD, **networks.BAD, **secrets.BAD, **storage.BAD}) >= 130


def test_all_at_once(site, monkeypatch):
    bad = {**BAD, **networks.BAD, **definitions.BAD}
    changes = ("an address twice", "an unknown setting", "text for a flag", "a pool backwards", "a definition's key")
    both(*(bad[name][0] for name in changes))(site)
    found = told(site.said(monkeypatch))
    assert len(found) == len(changes)
    for name in changes:
        assert any(bad[name][1][1] in finding[1] for finding in found), name


def test_a_good_input(site, monkeypatch):
    assert site.said(monkeypatch).get("msg") is None
    assert site.warnings == []


@pytest.mark.parametrize("name", SHIPPED)
def test_what_is_shipped(site, monkeypatch, name):
    assert site.said(monkeypatch, source=ROOT / "inventories" / name / "hosts.yml").get("msg") is None
    assert site.warnings == []


@pytest.mark.parametrize("scenario", ["interrupted", "single_nic"])
def test_what_is_tested(site, monkeypatch, scenario):
    own = ROOT / "molecule" / scenario / "inventory"
    at = own / "hosts.yml" if (own / "hosts.yml").exists() else ROOT / "inventories/lab_aio/hosts.yml"
    site.hosts = {name: group["hosts"] for name, group in yaml.safe_load(at.read_text()).items()}
    site.all = yaml.safe_load((own / "group_vars/all.yml").read_text())
    assert site.said(monkeypatch).get("msg") is None


# Files beside a good inventory that Ansible does not parse; where, found, allowed, to do of the findings.
UNPARSED = {
    "a host that is a number": (
        {"more.yml": "storage:\n  hosts:\n    1: {ansible_host: 192.0.2.15}\n"},
        ("more.yml:3", "the host 1, which YAML reads as an integer", "text", "begins with a letter"),
    ),
    "a host that is true": (
        {"more.yml": "storage: {hosts: {on: {ansible_host: 192.0.2.15}}}\n"},
        ("more.yml:1", "the host on, which YAML reads as a boolean", "text", "begins with a letter"),
    ),
    "a host in a group of a group": (
        {"more.yml": "storage:\n  children:\n    fast: {hosts: {2026-11-28: {}}}\n"},
        ("more.yml:3", "the host 2026-11-28, which YAML reads as a date", "text", "begins with a letter"),
    ),
    "a list of hosts": (
        {"more.yml": "storage:\n  hosts:\n  - storage1\n"},
        ("more.yml:3", "hosts of the group storage: a list of 1", "a dictionary", "without a hyphen"),
    ),
    "a list of groups": (
        {"more.yml": "- storage\n"},
        ("more.yml:1", "a list of 1", "groups, each a key", "GROUP"),
    ),
    "no YAML": (
        {"more.yml": "storage:\n  hosts: {storage1: {ansible_host: 192.0.2.15}\n"},
        ("more.yml:", "no YAML: ", "YAML", "Correct it"),
    ),
    "no INI": (
        {"more.ini": "[storage\nstorage1\n"},
        ("more.ini", "Failed to parse inventory", "can parse", "Correct it"),
    ),
    "a plugin that there isn't": (
        {"more.yml": "plugin: nowhere.at.all\n"},
        ("more.yml", "unknown plugin", "can parse", "Correct it"),
    ),
}


@pytest.mark.parametrize(("files", "parts"), UNPARSED.values(), ids=UNPARSED.keys())
def test_an_inventory_that_does_not_parse(site, monkeypatch, files, parts):
    """The other files are fine, so Ansible would go on with the hosts that they have."""
    inventory = site.directory / "inventory"
    inventory.mkdir()
    for path in map(Path, site.write()):
        path.rename(inventory / path.name)
    for name, text in {**files, "ca.pem": "-----BEGIN\n", "README.md": "# Mine\n"}.items():
        (inventory / name).write_text(text)
    (finding,) = told(site.said(monkeypatch, source=inventory))
    for part, text in zip(("inventory/" + parts[0], *parts[1:]), finding, strict=True):
        assert part in text


INI = """\
[controller]
controller1 ansible_host=192.0.2.11
[network]
network1 ansible_host=192.0.2.12
[rack]
compute[1:2]
[compute:children]
rack
[all:vars]
cloud_tunnel_interface=eth1
cloud_external_interface=eth2
cloud_external_network=198.51.100.0/24
cloud_public_name=cloud.example.org
cloud_firewall_sources=["192.0.2.0/24"]
cloud_config={"nova": {"nova.conf": {"DEFAULT": {"reclaim_instance_interval": 3600}}}}
cloud_tls=false
cloud_vlan_range=100:199
cloud_workers=2
"""
ADDRESSES = "compute:\n  hosts:\n    compute1: {ansible_host: 192.0.2.13}\n    compute2: {ansible_host: 192.0.2.14}\n"
PROGRAM = "#!/bin/sh\ncat <<'END'\n%s\nEND\n"


class TestSources:
    """Inventories of other kinds are the same as one of YAML."""

    def directory(self, site, name="inventory"):
        path = site.directory / name
        path.mkdir()
        return path

    def test_ini(self, site, monkeypatch):
        place = self.directory(site)
        (place / "hosts").write_text(INI)
        (place / "more.yml").write_text(ADDRESSES)
        assert site.said(monkeypatch, source=place).get("msg") is None
        (place / "hosts").write_text(INI.replace("cloud_workers=2", "cloud_workers=-2"))
        (finding,) = told(site.said(monkeypatch, source=place))
        assert finding[0] == "inventory/hosts:18, cloud_workers"

    def test_a_program(self, site, monkeypatch):
        groups = {name: {"hosts": list(members)} for name, members in site.hosts.items()}
        known = {name: host for members in site.hosts.values() for name, host in members.items()}
        groups |= {"all": {"vars": site.all}, "_meta": {"hostvars": known}}
        program = self.directory(site) / "inventory.sh"
        program.write_text(PROGRAM % json.dumps(groups))
        program.chmod(0o755)
        assert site.said(monkeypatch, source=program).get("msg") is None
        program.write_text("#!/bin/sh\nexit 3\n")
        (finding,) = told(site.said(monkeypatch, source=program))
        assert finding[0] == "inventory/inventory.sh"

    def test_hosts_in_two_directories(self, site, monkeypatch):
        """There is no second directory of secrets."""
        site.write()
        (site.directory / "hosts.yml").rename(self.directory(site, "one") / "hosts.yml")
        other = 'compute: {hosts: {compute3: {ansible_host: "192.0.2.15"}}}\n'
        (self.directory(site, "two") / "hosts.yml").write_text(other)
        (finding,) = told(site.said(monkeypatch, source=["one", "two", "settings.yml"]))
        assert finding[0] == "cloud_secrets_dir (not set) (host compute3)"
        assert "several directories" in finding[1]
        assert f"{site.directory}/one/.secrets" in finding[3]
        site.all["cloud_secrets_dir"] = f"{site.directory}/one/.secrets"
        settings = yaml.safe_dump({"all": {"vars": site.all}})
        (site.directory / "settings.yml").write_text(settings)
        assert site.said(monkeypatch, source=["one", "two", "settings.yml"]).get("msg") is None

    def test_a_host_in_no_group(self, site, monkeypatch):
        found = told(site.said(monkeypatch, source="controller1,"))
        assert [finding[1] for finding in found] == ["no host in the group controller", "'None/.secrets'"]


def test_an_inventory_that_does_not_exist(site, monkeypatch):
    (finding,) = told(site.said(monkeypatch, source=site.directory / "nowhere"))
    assert finding[1] == "no such file or directory"


def test_definitions_beside_the_inventory_are_none(site, monkeypatch):
    site.write()
    (site.directory / "catalog").mkdir()
    (site.directory / "catalog/lamp.yml").write_text("1: [\n")
    (finding,) = told(site.said(monkeypatch, source=site.directory))
    assert finding[0].startswith("catalog/lamp.yml")


@pytest.mark.parametrize(("kind", "option"), [("run", "--tags"), ("skip", "--skip-tags")])
def test_tags_do_nothing(site, monkeypatch, kind, option):
    (finding,) = told(site.said(monkeypatch, more={"ansible_run_tags": ["all"], f"ansible_{kind}_tags": ["nova"]}))
    assert finding[:3] == (f"command line, {option}", "nova", "no tags; no task has any")
    assert "--limit HOST" in finding[3]


def test_molecules_tags(site, monkeypatch):
    more = {"ansible_run_tags": ["all"], "ansible_skip_tags": ["molecule-notest", "notest"]}
    assert site.said(monkeypatch, more=more).get("msg") is None


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("DEFAULT_STRATEGY", "ansible.builtin.free", "strategy"),
        ("DEFAULT_STRATEGY", "mitogen_free", "strategy"),
        ("DEFAULT_STRATEGY", "host_pinned", "strategy"),
        ("INJECT_FACTS_AS_VARS", False, "inject_facts_as_vars"),
    ],
)
def test_a_configuration_of_their_own(site, monkeypatch, name, value, words):
    monkeypatch.setattr(constants, name, value)
    monkeypatch.setattr(constants, "CONFIG_FILE", str(site.directory / "ansible.cfg"))
    (finding,) = told(site.said(monkeypatch))
    assert finding[:2] == (f"ansible.cfg, {words}", str(value))


@pytest.mark.parametrize("strategy", ["linear", "mitogen_linear"])
def test_a_strategy_that_fits(site, monkeypatch, strategy):
    monkeypatch.setattr(constants, "DEFAULT_STRATEGY", strategy)
    assert site.said(monkeypatch).get("msg") is None


def test_merged_dictionaries(site, monkeypatch):
    monkeypatch.setattr(constants, "DEFAULT_HASH_BEHAVIOUR", "merge")
    assert site.said(monkeypatch).get("msg") is None
    (warning,) = site.warnings
    assert "hash_behaviour: merge" in warning


def test_nothing_at_all(site, monkeypatch):
    site.hosts = {}
    (finding,) = told(site.said(monkeypatch, more={"groups": {"all": [], "ungrouped": []}}))
    assert finding[1] == "no host in the group controller"


def test_a_hundred_hosts_share_their_finding(site, monkeypatch):
    site.hosts["compute"] = {f"compute{n}": {"ansible_host": f"192.0.2.{n}"} for n in range(100, 200)}
    site.all["cloud_mtu"] = 1
    site.hosts["compute"]["compute111"]["cloud_journal_size"] = "big"
    found = told(site.said(monkeypatch))
    assert [finding[0] for finding in found] == [
        f"{YML}7, cloud_mtu",
        "hosts.yml:35, cloud_journal_size (host compute111)",
    ]


def test_a_part_of_a_group_may_be_called_as_it_likes(site, monkeypatch):
    site.hosts["computes"] = {"compute1": {}}
    assert site.said(monkeypatch).get("msg") is None


def test_variables_of_the_users_own(site, monkeypatch):
    given(verify_the_backup=True, resources_folder="/srv", lab_networks=["management"])(site)
    assert site.said(monkeypatch).get("msg") is None


def test_flags_from_the_command_line_are_text(site, monkeypatch):
    given(verify_keep="true", cloud_tls="False", cloud_firewall="no")(site)
    assert site.said(monkeypatch).get("msg") is None


def test_what_is_known_only_on_the_host_waits(site, monkeypatch):
    site.all["cloud_reserved_memory_mb"] = "{{ cairn_probe.memory_mb // 10 }}"
    assert site.said(monkeypatch).get("msg") is None


class TestFindings:
    def test_hosts_with_one_finding(self):
        findings = [Finding("x", "a", "b", "c", hosts=(name,)) for name in ("one", "two")]
        assert [finding.place() for finding in merged(findings)] == ["x (hosts one, two)"]
        assert [finding.place() for finding in merged(findings, ["one", "two"])] == ["x"]
        assert [finding.place() for finding in merged(findings[:1], ["one", "two"])] == ["x (host one)"]

    def test_many_hosts_are_counted(self):
        (finding,) = merged(Finding("x", "a", "b", "c", hosts=(f"h{number}",)) for number in range(9))
        assert finding.place() == "x (hosts h0, h1, h2, h3, h4 and 4 more)"

    def test_all_of_it_is_one_text(self):
        text = report([Finding("x", "a", "b", "c."), Finding("y", "a", "b", "c.")])
        assert text.splitlines()[:3] == ["Preflight found 2 errors; no host was changed.", "", "1. x"]
        assert json.dumps(text)


@pytest.mark.parametrize(("group", "words"), [("compute", "no server can be"), ("network", "no DHCP, no routers")])
def test_a_cloud_that_lacks_what_most_expect(site, monkeypatch, group, words):
    del site.hosts[group]
    assert site.said(monkeypatch).get("msg") is None
    (warning,) = site.warnings
    assert f"no host in the group {group}: {words}" in warning
