# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Preflight finds every fault at once: each says where, what was found, what is allowed, what to do."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.vault import VaultSecret
from ansible.template import Templar
from ansible.vars.hostvars import HostVars
from ansible.vars.manager import VariableManager
from ansible_collections.cairn.openstack.plugins.action.preflight import ActionModule
from ansible_collections.cairn.openstack.plugins.module_utils.preflight import hosts, secrets, settings
from ansible_collections.cairn.openstack.plugins.module_utils.preflight.fault import Fault, merged, report
from ansible_collections.cairn.openstack.plugins.plugin_utils import authority, run_lock
from ansible_collections.cairn.openstack.plugins.plugin_utils.secrets import Folder

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = sorted(path.parent.name for path in (ROOT / "inventories").glob("*/hosts.yml"))

HOSTS = {
    "controller": {"controller1": {"ansible_host": "192.0.2.11"}},
    "network": {"network1": {"ansible_host": "192.0.2.12"}},
    "compute": {"compute1": {"ansible_host": "192.0.2.13"}, "compute2": {"ansible_host": "192.0.2.14"}},
}
ALL = {
    "cloud_tunnel_interface": "eth1",
    "cloud_external_interface": "eth2",
    "cloud_external_network": "198.51.100.0/24",
    "cloud_public_name": "cloud.example.org",
}
LAMP = {
    "description": "Light service",
    "packages": {"controller": ["lamp-api"]},
    "identity": {"services": [{"type": "light"}]},
    "apis": [{"name": "lamp-api", "port": 9999, "health": "/"}],
    "units": [{"name": "lamp-api"}],
}


class Site:
    """An inventory that a test may spoil, and what preflight says of it."""

    def __init__(self, folder):
        self.folder = folder
        self.hosts = copy.deepcopy(HOSTS)
        self.all = copy.deepcopy(ALL)
        self.loader = DataLoader()
        self.warnings = []

    @property
    def secrets(self):
        """The folder of the secrets, made by whoever asks."""
        path = self.folder / ".secrets"
        path.mkdir(mode=0o700, exist_ok=True)
        return path

    def write(self):
        """Write the inventory; returns its files."""
        groups = {name: {"hosts": members} for name, members in self.hosts.items()}
        (self.folder / "hosts.yml").write_text(yaml.safe_dump(groups, sort_keys=False))
        (self.folder / "settings.yml").write_text(yaml.safe_dump({"all": {"vars": self.all}}, sort_keys=False))
        return ["hosts.yml", "settings.yml"]

    def said(self, monkeypatch, stage="input", facts=None, more=None, source=None, check=True):
        """Run the action in this process; returns its result."""
        sources = [str(source)] if source else self.write()
        inventory = InventoryManager(self.loader, sources)
        manager = VariableManager(self.loader, inventory)
        manager._hostvars = HostVars(inventory, manager, self.loader)
        for name, found in (facts or {}).items():
            manager.set_nonpersistent_facts(name, found)
        first = next(iter(inventory.get_hosts()), None)
        variables = manager.get_vars(host=first)
        variables.update(
            {"ansible_inventory_sources": inventory._sources, "hostvars": manager._hostvars, **(more or {})}
        )
        variables.setdefault("ansible_play_hosts_all", [host.name for host in inventory.get_hosts()])
        task = SimpleNamespace(args={"stage": stage}, check_mode=check, async_val=0, diff=False, environment=None)
        connection = SimpleNamespace(_shell=SimpleNamespace(tmpdir=None))
        templar = Templar(self.loader, variables=variables)
        action = ActionModule(task, connection, None, self.loader, templar, None)
        monkeypatch.setattr(action._display, "display", lambda text, **_options: self.warnings.append(text))
        return action.run(task_vars=variables)


@pytest.fixture
def site(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return Site(tmp_path)


def put(*keys, to):
    """Return a change: *to* at *keys* of the site's ``hosts`` or ``all``."""

    def change(site):
        place = getattr(site, keys[0])
        for key in keys[1:-1]:
            place = place[key]
        place[keys[-1]] = to

    return change


def take(*keys):
    """Return a change: what is at *keys* goes."""

    def change(site):
        place = getattr(site, keys[0])
        for key in keys[1:-1]:
            place = place[key]
        del place[keys[-1]]

    return change


def both(*changes):
    """Return a change that makes all *changes*."""

    def change(site):
        for one in changes:
            one(site)

    return change


def given(**values):
    """Return a change: settings of all hosts."""
    return both(*(put("all", name, to=value) for name, value in values.items()))


def three_controllers(site):
    site.hosts["controller"] |= {f"controller{n}": {"ansible_host": f"192.0.2.2{n}"} for n in (2, 3)}


def file(name, text, mode=0o600):
    """Return a change: a file in the secrets folder."""

    def change(site):
        (site.secrets / name).write_text(text)
        (site.secrets / name).chmod(mode)

    return change


def vaulted(password, other):
    """Return a change: secrets encrypted with *password*, and *other* to read them with."""

    def change(site):
        site.loader.set_vault_secrets([("default", VaultSecret(password))])
        Folder(str(site.secrets), site.loader).replace({"admin": "x"})
        site.loader.set_vault_secrets([("default", VaultSecret(other))] if other else [])

    return change


def certificate(names, **others):
    """Return a change: a certificate of the user's own for *names*, with *others* in place of its files."""

    def change(site):
        site.folder.mkdir(exist_ok=True)
        ca_key, key = authority.new_key(), authority.new_key()
        ca = authority.authority("Test", ca_key)
        texts = {"ca": ca, "key": key, "certificate": authority.issue(names, key, ca, ca_key), **others}
        for name, text in texts.items():
            if text is not None:
                (site.folder / f"{name}.pem").write_text(text)
            site.all[f"cloud_tls_{name}"] = str(site.folder / f"{name}.pem")

    return change


def stored(*backends, devices=2):
    """Return a change: the cloud's *backends*, and a storage host with as many *devices*."""

    def change(site):
        disks = [{"path": f"/dev/sd{letter}"} for letter in "bcdef"[:devices]]
        site.hosts["storage"] = {"storage1": {"ansible_host": "192.0.2.15", "storage_devices": disks}}
        site.all["cloud_storage"] = list(backends)

    return change


def given_ceph(*serves):
    """Return a change: the cloud has a Ceph that was there before, and that serves this."""

    def change(site):
        (site.folder / "ceph.conf").write_text("[global]\n")
        stored({**CEPH, "cluster": str(site.folder), "serves": list(serves)}, devices=0)(site)

    return change


def device(**values):
    """Return a change: the storage host's first device has other *values*."""
    return lambda site: site.hosts["storage"]["storage1"]["storage_devices"][0].update(values)


CEPH = {"name": "ceph", "kind": "ceph"}
LVM = {"name": "lvm", "kind": "lvm"}
SWIFT = {"name": "objects", "kind": "swift"}
CODED = {
    "name": "coded",
    "ec_type": "liberasurecode_rs_vand",
    "ec_num_data_fragments": 3,
    "ec_num_parity_fragments": 1,
}
GOLD = {"index": 0, "name": "gold"}
NFS = {"name": "nfs", "kind": "nfs", "share": "192.0.2.20:/srv/volumes"}
YML = "settings.yml:"
AT = f"{YML}7, cloud_storage"
# What is changed in a good input; and of the one fault that follows: where, found, allowed, to do.
BAD = {
    # The inventory
    "no controller": (
        put("hosts", "controller", to={}),
        ("hosts.yml", "no host in the group controller", "at least one", "Name the hosts"),
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
        ("host compute2", "192.0.2.13, which compute1 has too", "an address of its own", "Give each host its own"),
    ),
    "IPv6": (
        put("hosts", "compute", "compute2", "ansible_host", to="2001:db8::1"),
        ("hosts.yml:1", "2001:db8::1 is IPv6", "an IPv4 address", "Set cloud_address"),
    ),
    "no address": (
        put("hosts", "compute", "compute2", to={}),
        ("host compute2", "'compute2' is no address", "an IPv4 address", "Set ansible_host"),
    ),
    "a loopback address": (
        put("hosts", "compute", "compute2", "cloud_address", to="127.0.0.1"),
        ("hosts.yml:1", "127.0.0.1, which no other host can reach", "a network card", "Set cloud_address"),
    ),
    "an address as a name": (
        put("hosts", "storage", to={"192.0.2.15": {}}),
        ("host 192.0.2.15", "an address as a name", "a host name", "Name the host"),
    ),
    "an underscore in a name": (
        put("hosts", "storage", to={"storage_1": {"ansible_host": "192.0.2.15"}}),
        ("host storage_1", "'storage_1'", "letters, digits, hyphens", "'storage-1'"),
    ),
    # Names of settings
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
        given(verify_machine_min=3),
        (f"{YML}7, verify_machine_min", "unknown setting", "roles/verify", "'verify_machines_min'"),
    ),
    "catalog_extra misspelt": (
        given(catalog_extras={}),
        (f"{YML}7, catalog_extras", "unknown page catalog_extras", "catalog_extra", "'catalog_extra'"),
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
        (f"{YML}7, cloud_region", "'nowhere' is undefined", "what is known", "Mend the template"),
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
        (f"{YML}7, cloud_tenant_network_types", "no cloud_vlan_range", "vxlan alone", "Set cloud_vlan_range"),
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
        (f"{YML}7, cloud_package_mirror", "'mirror.example.org'", "http://", "whole address"),
    ),
    "updates of another kind": (
        given(cloud_package_updates="all"),
        (f"{YML}7, cloud_package_updates", "'all'", "none or security", "Choose one"),
    ),
    "a size with a blank": (
        given(cloud_journal_size="1 GB"),
        (f"{YML}7, cloud_journal_size", "'1 GB'", "K, M, G or T", "1G"),
    ),
    "a source with host bits": (
        given(cloud_firewall_sources=["192.0.2.1/24"]),
        (f"{YML}7, cloud_firewall_sources", "192.0.2.1/24", "CIDR", "host bits zero"),
    ),
    "another name for each host": (
        put("hosts", "compute", "compute2", "cloud_name", to="other"),
        ("hosts.yml:1", "'other', and 'cairn' for controller1", "one value for the whole cloud", "group_vars/all.yml"),
    ),
    "resources of an unknown kind": (
        given(cloud_resources={"network": []}),
        (f"{YML}7, cloud_resources", "unknown key 'network'", "networks", "'networks'"),
    ),
    "a resource without a name": (
        given(cloud_resources={"flavors": [{"ram": 1}]}),
        (f"{YML}7, cloud_resources.flavors[0]", "'name' is missing", "name: text", "Add it"),
    ),
    # Addresses and networks
    "no VIP": (
        three_controllers,
        ("cloud_internal_address", "3 controllers, and no address", "a free address", "Set cloud_internal_address"),
    ),
    "a VIP that is no address": (
        given(cloud_internal_address="vip"),
        (f"{YML}7, cloud_internal_address", "'vip'", "an IPv4 address", "free address"),
    ),
    "a VIP that a host has": (
        given(cloud_internal_address="192.0.2.13"),
        (f"{YML}7, cloud_internal_address", "compute1's own", "or a controller's", "free address"),
    ),
    "a VIP that does not move": (
        both(three_controllers, given(cloud_internal_address="192.0.2.11")),
        (f"{YML}7, cloud_internal_address", "goes away with it", "no host has", "free address"),
    ),
    "a network with host bits": (
        given(cloud_external_network="198.51.100.7/24"),
        (f"{YML}5, cloud_external_network", "host bits", "CIDR", "Write 198.51.100.0/24"),
    ),
    "a network of one": (
        given(cloud_external_network="198.51.100.7/32"),
        (f"{YML}5, cloud_external_network", "no address to hand out", "/30 or larger", "whole network"),
    ),
    "a gateway outside": (
        given(cloud_external_gateway="192.0.2.1"),
        (f"{YML}7, cloud_external_gateway", "192.0.2.1", "198.51.100.1 to 198.51.100.254", "router"),
    ),
    "a gateway among the floating IPs": (
        given(cloud_external_gateway="198.51.100.254"),
        ("cloud_external_pool", "198.51.100.254 in it, which is the gateway's", "nobody else has", "Set it"),
    ),
    "a gateway without its network": (
        both(take("all", "cloud_external_network"), given(cloud_external_gateway="192.0.2.1")),
        (
            f"{YML}6, cloud_external_gateway",
            "no cloud_external_network",
            "with the network",
            "Set cloud_external_network",
        ),
    ),
    "a pool that is none": (
        given(cloud_external_pool="198.51.100.128/25"),
        (f"{YML}7, cloud_external_pool", "'198.51.100.128/25'", "first-last", "198.51.100.128-198.51.100.254"),
    ),
    "a pool outside": (
        given(cloud_external_pool="198.51.101.1-198.51.101.9"),
        (f"{YML}7, cloud_external_pool", "not all in 198.51.100.0/24", "198.51.100.0/24", "Correct it"),
    ),
    "a pool backwards": (
        given(cloud_external_pool="198.51.100.9-198.51.100.1"),
        (f"{YML}7, cloud_external_pool", "the first comes after the last", "first-last", "Turn it"),
    ),
    "a host among the floating IPs": (
        both(given(cloud_external_network="192.0.2.0/24", cloud_external_pool="192.0.2.13-192.0.2.13")),
        (f"{YML}7, cloud_external_pool", "192.0.2.13 in it, which is compute1's", "nobody else", "range that is free"),
    ),
    "tunnels from one address": (
        given(cloud_tunnel_address="10.0.1.1"),
        (f"{YML}7, cloud_tunnel_address", "10.0.1.1, which controller1 has too", "of the host's own", "host_vars"),
    ),
    "a tunnel network that cuts across": (
        put("hosts", "compute", "compute1", "cloud_tunnel_address", to="198.51.0.1/16"),
        ("hosts.yml:1", "198.51.0.0/16, which overlaps with cloud_external_network", "networks apart", "prefix length"),
    ),
    # Pages and options
    "a page's key": (
        given(catalog_extra={"lamp": {**LAMP, "pakages": {}}}),
        (f"{YML}7, catalog_extra: catalog_lamp", "unknown key 'pakages'", "packages", "'packages'"),
    ),
    "no page": (
        given(catalog_extra=[LAMP]),
        (f"{YML}7, catalog_extra", "a list of 1", "a dictionary of pages", "Write {name:"),
    ),
    "a page's port is another's": (
        given(catalog_extra={"lamp": {**LAMP, "apis": [{"name": "lamp-api", "port": 9292, "health": "/"}]}}),
        ("port 9292", "glance's glance-api and lamp's lamp-api", "one service for each port", "another port"),
    ),
    "a page's port is the database's": (
        given(catalog_extra={"lamp": {**LAMP, "apis": [{"name": "lamp-api", "port": 3306, "health": "/"}]}}),
        ("port 3306", "lamp's lamp-api and mariadb", "one service for each port", "Give lamp another port"),
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
        (f"{YML}7, cloud_config", "libvirt: libvirtd.conf: sections", "no sections", "whole text"),
    ),
    # Storage
    "a back end of an unknown kind": (
        stored({"name": "disks", "kind": "cehp"}),
        (f"{AT}[0].kind", "'cehp'", "ceph, file, lvm, nfs, swift", "'ceph'"),
    ),
    "a back end without a name": (
        stored({"kind": "nfs", "share": "192.0.2.20:/srv"}, devices=0),
        (f"{AT}[0]", "'name' is missing", "name: text", "Add it"),
    ),
    "a back end's key misspelt": (
        stored({**NFS, "shares": "x"}, devices=0),
        (f"{AT}[0]", "unknown key 'shares'", "share", "'share'"),
    ),
    "a back end's name that is no word": (
        stored({**NFS, "name": "My Storage"}, devices=0),
        (f"{AT}[0]", "'My Storage'", "small letters", "Choose another"),
    ),
    "a back end with another kind's key": (
        stored({**NFS, "volume_group": "x"}, devices=0),
        (f"{AT}[0].volume_group", "volume_group for nfs", "share", "another kind than nfs"),
    ),
    "a back end that serves nothing": (
        stored({**NFS, "serves": []}, devices=0),
        (f"{AT}[0].serves", "nothing", "volumes, backups", "Say what it serves"),
    ),
    "a back end that serves what there isn't": (
        stored({**NFS, "serves": ["volume"]}, devices=0),
        (f"{AT}[0].serves", "'volume'", "volumes, images", "'volumes'"),
    ),
    "a back end that can't serve that": (
        stored({**LVM, "serves": ["volumes", "images"]}, devices=0),
        (f"{AT}[0].serves", "images, which lvm can't serve", "volumes", "ceph or file"),
    ),
    "a default for what has no choice": (
        stored({**NFS, "serves": ["backups"], "default": True}, devices=0),
        (f"{AT}[0].default", "it serves backups", "volumes and images", "Remove the line"),
    ),
    "quality of service by whom there isn't": (
        stored({**NFS, "qos": {"consumer": "backend"}}, devices=0),
        (f"{AT}[0].qos.consumer", "'backend'", "front-end, back-end, both", "'back-end'"),
    ),
    "fewer than no images kept as volumes": (
        stored({**NFS, "image_cache": -1}, devices=0),
        (f"{AT}[0].image_cache", "-1", "a number of images", "Leave it out"),
    ),
    "a back end named like a section": (
        stored({**NFS, "name": "nova"}, devices=0),
        (f"{AT}[0]", "'nova'", "not audit, backend", "Choose another"),
    ),
    "NFS without its share": (
        stored({"name": "nfs", "kind": "nfs"}, devices=0),
        (f"{AT}[0].share", "nothing", "an export, SERVER:/PATH", "192.0.2.20:/srv/volumes"),
    ),
    "a share without its server": (
        stored({**NFS, "share": "/srv/volumes"}, devices=0),
        (f"{AT}[0].share", "'/srv/volumes'", "SERVER:/PATH", "192.0.2.20:/srv/volumes"),
    ),
    "volumes over a network that is none": (
        stored({**LVM, "networks": ["192.0.3.11/24"]}, devices=0),
        (f"{AT}[0].networks", "'192.0.3.11/24': 192.0.3.11/24 has host bits set", "CIDR", "192.0.2.0/24"),
    ),
    "images in a relative folder": (
        stored({"name": "files", "kind": "file", "path": "images"}, devices=0),
        (f"{AT}[0].path", "'images'", "an absolute path", "slash"),
    ),
    "no storage host": (
        given(cloud_storage=[LVM]),
        (f"{AT}[0]", "lvm, and no host in the group storage", "at least one", "Name the hosts"),
    ),
    "a back end on a host of another group": (
        stored({**LVM, "hosts": ["compute1"]}, devices=0),
        (f"{AT}[0].hosts", "'compute1'", "storage1", "group storage"),
    ),
    "a back end on a host that there isn't": (
        stored({**LVM, "hosts": ["storage11"]}, devices=0),
        (f"{AT}[0].hosts", "'storage11'", "storage1", "'storage1'"),
    ),
    "two back ends of one name": (
        stored(LVM, {**NFS, "name": "lvm"}, devices=0),
        (AT, "two back ends called lvm", "of its own", "Rename"),
    ),
    "two back ends of one type": (
        stored(LVM, {**NFS, "type": "lvm"}, devices=0),
        (AT, "two back ends with the type lvm", "a type for each", "another type"),
    ),
    "two defaults": (
        stored({**LVM, "default": True}, {**NFS, "default": True}, devices=0),
        (AT, "lvm and nfs, both the default for volumes", "one default", "Leave default"),
    ),
    "two for backups": (
        stored({**NFS, "serves": ["backups"]}, {**NFS, "name": "other", "serves": ["backups"]}, devices=0),
        (AT, "nfs and other serve backups", "one back end", "Take backups out"),
    ),
    "two Cephs": (
        stored(CEPH, {**CEPH, "name": "fast", "serves": ["ephemeral"]}, devices=0),
        (AT, "ceph and fast, both ceph", "one back end of ceph", "all of it"),
    ),
    "Ceph without devices": (
        stored(CEPH, devices=0),
        (f"{AT}[0]", "ceph with no device, for 2 copies", "for each copy", "storage_devices"),
    ),
    "fewer devices than copies": (
        stored({**CEPH, "replicas": 3}),
        (f"{AT}[0]", "ceph with 2 devices, for 3 copies", "for each copy", "lower replicas"),
    ),
    "one copy of all data": (
        stored({**CEPH, "replicas": 1}),
        (f"{AT}[0].replicas", "1", "2 to 10", "Three bear"),
    ),
    "a Ceph that is there, without its keys": (
        stored({**CEPH, "cluster": "/nowhere"}, devices=0),
        (f"{AT}[0].cluster", "/nowhere without ceph.conf, ceph.client.cinder.keyring", "glance.keyring", "ceph auth"),
    ),
    "two for objects, of which one has the endpoint anyway": (
        stored({**CEPH, "serves": ["objects"], "hosts": ["storage1"]}, {**SWIFT, "serves": ["backups"]}, devices=0),
        (AT, "ceph and objects serve objects", "one back end", "Take objects out"),
    ),
    "objects in a Ceph that is there": (
        given_ceph("objects"),
        (f"{AT}[0].serves", "objects beside cluster", "that Cairn makes", "Take them out"),
    ),
    "storage that differs between hosts": (
        both(stored(NFS, devices=0), put("hosts", "compute", "compute1", "cloud_storage", to=[LVM])),
        ("cloud_storage (host compute1)", "a list of 1", "one value for the whole cloud", "group_vars/all.yml"),
    ),
    "a device by a relative path": (
        both(stored(CEPH), device(path="sdb")),
        ("storage_devices[0]", "sdb", "an absolute path", "/dev/disk/by-id"),
    ),
    "a device twice": (
        both(stored(CEPH), device(path="/dev/sdc")),
        ("storage_devices[1]", "/dev/sdc, which stands there twice", "each device once", "Remove one"),
    ),
    "a device without its path": (
        both(stored(CEPH), put("hosts", "storage", "storage1", "storage_devices", to=[{}])),
        ("storage_devices[0]", "'path' is missing", "path", "Add it"),
    ),
    "a device for no back end": (
        stored(NFS, devices=1),
        ("storage_devices[0]", "/dev/sdb for no back end", "takes it", "Add a back end"),
    ),
    "a device for one of two": (
        stored(CEPH, {"name": "objects", "kind": "swift"}, devices=1),
        ("storage_devices[0]", "/dev/sdb for no back end", "ceph, objects", "Add backend"),
    ),
    "a device for a back end that there isn't": (
        both(stored(CEPH, devices=3), device(backend="cehp")),
        ("storage_devices[0]", "for cehp, which cloud_storage lacks", "ceph", "'ceph'"),
    ),
    "a device for a back end that takes none": (
        both(stored(CEPH, NFS, devices=3), device(backend="nfs")),
        ("storage_devices[0]", "for nfs, which takes none of storage1", "ceph", "Name the host"),
    ),
    "a device for LVM that does not say so": (
        stored(LVM, devices=1),
        ("storage_devices[0]", "/dev/sdb for no back end", "lvm", "Add backend"),
    ),
    "a file for LVM": (
        both(stored(LVM, devices=1), device(path="/srv/disk", size="10G", backend="lvm")),
        ("storage_devices[0]", "/srv/disk, a file for LVM", "a block device", "Name a disk"),
    ),
    "a size with a unit of its own": (
        both(stored(CEPH), device(path="/srv/osd", size="10 GB")),
        ("storage_devices[0]", "size 10 GB", "M, G or T", "10G"),
    ),
    "a device with a size": (
        both(stored(CEPH), device(size="10G")),
        ("storage_devices[0]", "/dev/sdb with a size", "files alone", "Remove size"),
    ),
    "an option misspelt": (
        given(cloud_config_site={"nova": {"nova.conf": {"DEFAULT": {"reclaim_instance_intervall": 60}}}}),
        (YML, "no such option; did you mean reclaim_instance_interval?", "nova of this", "Correct it"),
    ),
    "an option in the wrong section": (
        given(cloud_config={"nova": {"nova.conf": {"DEFAULT": {"virt_type": "qemu"}}}}),
        (YML, "[DEFAULT] virt_type: no such option here; it is one of [libvirt]", "nova of this", "Correct it"),
    ),
    "a section misspelt": (
        given(cloud_config={"keystone": {"keystone.conf": {"tokens": {"expiration": 60}}}}),
        (YML, "[tokens]: no such section; did you mean [token]?", "keystone of this", "Correct it"),
    ),
    "an option's value of another type": (
        given(cloud_config={"glance": {"glance-api.conf": {"DEFAULT": {"workers": "many"}}}}),
        (YML, "[DEFAULT] workers: 'many' is not an integer", "glance of this", "Correct it"),
    ),
    "a file of options misspelt": (
        given(cloud_config={"neutron": {"l3-agent.ini": {"DEFAULT": {"debug": True}}}}),
        (YML, "neutron: l3-agent.ini: no such file; did you mean l3_agent.ini?", "neutron.conf", "Correct it"),
    ),
    "a file for Swift": (
        both(stored(SWIFT), device(path="/var/swift", size="10G")),
        ("storage_devices", "/var/swift with a size", "no file", "/srv/node/d1"),
    ),
    "two devices of one name for Swift": (
        both(stored(SWIFT), device(path="/dev/disk/by-path/sdc")),
        ("storage_devices", "a second device called sdc", "a name for each", "another link"),
    ),
    "a weight below nothing": (
        both(stored(SWIFT, devices=3), device(weight=-1)),
        ("storage_devices", "the weight -1", "0 or more", "drains"),
    ),
    "partitions without number": (
        stored({**SWIFT, "part_power": 40}),
        (f"{AT}[0].part_power", "40", "1 to 24", "Leave it out"),
    ),
    "no first policy": (
        stored({**SWIFT, "policies": [{**GOLD, "index": 1}]}),
        (f"{AT}[0].policies", "no policy with the index 0", "one of them", "before policies"),
    ),
    "two policies of one index": (
        stored({**SWIFT, "policies": [GOLD, {**GOLD, "name": "silver"}]}),
        (f"{AT}[0].policies", "2 policies with the index 0", "one each", "another"),
    ),
    "two policies of one name": (
        stored({**SWIFT, "policies": [GOLD, {"index": 1, "name": "Gold"}]}),
        (f"{AT}[0].policies", "2 policies with the name gold", "one each", "another"),
    ),
    "two policies by default": (
        stored({**SWIFT, "policies": [{**GOLD, "default": True}, {"index": 1, "name": "tin", "default": True}]}),
        (f"{AT}[0].policies", "gold and tin, both the default", "one default", "Leave it"),
    ),
    "a policy that all get and none": (
        stored({**SWIFT, "policies": [{**GOLD, "default": True, "deprecated": True}]}),
        (f"{AT}[0].policies: gold", "deprecated, and the default", "one of them", "another policy"),
    ),
    "a policy's name with a blank": (
        stored({**SWIFT, "policies": [{"index": 0, "name": "pure gold"}]}),
        (f"{AT}[0].policies: pure gold", "'pure gold'", "letters, digits", "another"),
    ),
    "fragments without a scheme": (
        stored({**SWIFT, "policies": [{**GOLD, "ec_num_data_fragments": 2}]}),
        (f"{AT}[0].policies: gold", "ec_num_data_fragments without ec_type", "all three", "liberasurecode"),
    ),
    "a scheme without fragments": (
        stored({**SWIFT, "policies": [{**GOLD, "ec_type": "liberasurecode_rs_vand", "ec_num_data_fragments": 2}]}),
        (f"{AT}[0].policies: gold", "ec_type without ec_num_parity_fragments", "both", "Add ec_num_parity"),
    ),
    "more fragments than devices": (
        stored({**SWIFT, "policies": [GOLD, {**CODED, "index": 1}]}, devices=3),
        (f"{AT}[0]", "policy coded with 4 fragments on 3 devices", "for each", "ask for less"),
    ),
    "copies on devices without weight": (
        both(stored(SWIFT, devices=3), device(weight=0)),
        (f"{AT}[0]", "policy replicated with 3 copies on 2 devices that have a weight", "for each", "storage_devices"),
    ),
    # Secrets
    "a vault password that is wrong": (
        vaulted(b"right", b"wrong"),
        (".secrets/secrets.yml", "ecrypt", "a vault password", "--vault-password-file"),
    ),
    "no vault password": (
        vaulted(b"right", None),
        (".secrets/secrets.yml", "ault", "a vault password", "--ask-vault-pass"),
    ),
    "secrets lost": (
        both(file("ca.crt", "x"), file("ca.key", "x")),
        (".secrets/secrets.yml", "missing, and ca.key is there", "all of the folder's files, or none", "Bring it back"),
    ),
    "a key lost": (
        both(file("secrets.yml", "admin: x"), file("ca.crt", "x")),
        (".secrets/ca.key", "missing, and ca.crt is there", "all of the folder's files, or none", "Bring ca.key back"),
    ),
    "secrets that are none": (
        file("secrets.yml", "- admin"),
        (".secrets/secrets.yml", "no dictionary", "name: secret", "Bring it back"),
    ),
    "a secret without a value": (
        file("secrets.yml", "admin:\ncloud: x"),
        (".secrets/secrets.yml", "nothing for admin", "a value for each name", "Bring them back"),
    ),
    "a folder that is a file": (
        given(cloud_secrets_dir="/dev/null"),
        ("/dev/null", "not a folder", "can read", "the path"),
    ),
    "no place for the secrets": (
        given(cloud_secrets_dir="None/.secrets"),
        (f"{YML}7, cloud_secrets_dir", "'None/.secrets'", "an absolute path", "set cloud_secrets_dir"),
    ),
    "a certificate without its key": (
        both(certificate(["cloud.example.org"]), take("all", "cloud_tls_key")),
        ("cloud_tls_key (not set)", "cloud_tls_certificate, cloud_tls_ca is set", "all three", "Set cloud_tls_key too"),
    ),
    "a certificate that is not there": (
        certificate(["cloud.example.org"], key=None),
        (f"{YML}8, cloud_tls_key", "No such file", "a PEM file", "Correct the path"),
    ),
    "a certificate for another name": (
        certificate(["other.example.org"]),
        (f"{YML}9, cloud_tls_certificate", "not for cloud.example.org", "for cloud.example.org", "another one"),
    ),
    "a certificate of another key": (
        certificate(["cloud.example.org"], key=authority.new_key()),
        (f"{YML}9, cloud_tls_certificate", "belongs to another key", "with its key", "another one"),
    ),
    "a certificate that is none": (
        certificate(["cloud.example.org"], certificate="x"),
        (f"{YML}9, cloud_tls_certificate", "is no PEM", "with its key", "another one"),
    ),
}


def told(result):
    """Return the faults of a result as (where, found, allowed, to do)."""
    found = []
    for paragraph in result.get("msg", "").split("\n\n")[1:]:
        first, *lines = paragraph.splitlines()
        found.append((first.split(". ", 1)[1], *(line[12:] for line in lines)))
    return found


class TestInput:
    @pytest.mark.parametrize(("change", "parts"), BAD.values(), ids=BAD.keys())
    def test_one_fault(self, site, monkeypatch, change, parts):
        change(site)
        result = site.said(monkeypatch)
        (fault,) = told(result)
        for part, text in zip(parts, fault, strict=True):
            assert part in text
        assert result["msg"].startswith("Preflight found one fault, and touched nothing.")

    def test_there_are_many(self):
        assert len(BAD) >= 40

    def test_all_at_once(self, site, monkeypatch):
        changes = ("an address twice", "an unknown setting", "text for a flag", "a pool backwards", "a page's key")
        both(*(BAD[name][0] for name in changes))(site)
        found = told(site.said(monkeypatch))
        assert len(found) == len(changes)
        for name in changes:
            assert any(BAD[name][1][1] in fault[1] for fault in found), name

    def test_a_good_input(self, site, monkeypatch):
        assert site.said(monkeypatch).get("msg") is None
        assert site.warnings == []

    @pytest.mark.parametrize("name", SHIPPED)
    def test_what_is_shipped(self, site, monkeypatch, name):
        assert site.said(monkeypatch, source=ROOT / "inventories" / name / "hosts.yml").get("msg") is None
        assert site.warnings == []

    @pytest.mark.parametrize("scenario", ["killed", "onecard"])
    def test_what_is_tested(self, site, monkeypatch, scenario):
        own = ROOT / "molecule" / scenario / "inventory"
        at = own / "hosts.yml" if (own / "hosts.yml").exists() else ROOT / "inventories/lab_aio/hosts.yml"
        site.hosts = {name: group["hosts"] for name, group in yaml.safe_load(at.read_text()).items()}
        site.all = yaml.safe_load((own / "group_vars/all.yml").read_text())
        assert site.said(monkeypatch).get("msg") is None

    def test_nothing_at_all(self, site, monkeypatch):
        site.hosts = {}
        (fault,) = told(site.said(monkeypatch, more={"groups": {"all": [], "ungrouped": []}}))
        assert fault[1] == "no host in the group controller"

    def test_a_hundred_hosts_share_their_fault(self, site, monkeypatch):
        site.hosts["compute"] = {f"compute{n}": {"ansible_host": f"192.0.2.{n}"} for n in range(100, 200)}
        site.all["cloud_mtu"] = 1
        site.hosts["compute"]["compute111"]["cloud_journal_size"] = "big"
        found = told(site.said(monkeypatch))
        assert [fault[0] for fault in found] == [
            f"{YML}7, cloud_mtu",
            "hosts.yml:35, cloud_journal_size (host compute111)",
        ]

    def test_a_part_of_a_group_may_be_called_as_it_likes(self, site, monkeypatch):
        site.hosts["computes"] = {"compute1": {}}
        assert site.said(monkeypatch).get("msg") is None

    def test_variables_of_the_users_own(self, site, monkeypatch):
        given(verify_the_backup=True, resources_folder="/srv", lab_networks=["management"])(site)
        assert site.said(monkeypatch).get("msg") is None

    def test_flags_from_the_command_line_are_text(self, site, monkeypatch):
        given(verify_keep="true", cloud_tls="False", cloud_firewall="no")(site)
        assert site.said(monkeypatch).get("msg") is None

    def test_what_is_known_only_on_the_host_waits(self, site, monkeypatch):
        site.all["cloud_reserved_memory_mb"] = "{{ cairn_probe.memory_mb // 10 }}"
        assert site.said(monkeypatch).get("msg") is None

    def test_a_page_and_options_that_are_right(self, site, monkeypatch):
        given(
            catalog_extra={"lamp": {**LAMP, "config": {"lamp.conf": {"DEFAULT": {"host": "{{ cloud.bind }}"}}}}},
            cloud_config={"lamp": {"lamp.conf": {"DEFAULT": {"x": 1}}}, "nova": {"policy.yaml": "x: y\n"}},
        )(site)
        assert site.said(monkeypatch).get("msg") is None
        assert site.warnings == []

    def test_two_controllers_and_who_may_decide(self, site, monkeypatch):
        site.hosts["controller"]["controller2"] = {"ansible_host": "192.0.2.22"}
        site.all["cloud_internal_address"] = "192.0.2.9"
        assert site.said(monkeypatch).get("msg") is None
        (warning,) = site.warnings
        assert "Make network1 the arbiter" in warning

    def test_storage_of_many_kinds(self, site, monkeypatch):
        stored(CEPH, {**LVM, "type": "local", "qos": {"total_iops_sec": 500}}, NFS, devices=3)(site)
        assert site.said(monkeypatch).get("msg") is None

    def test_options_of_a_back_end(self, site, monkeypatch):
        """Its section is known once the host's part is."""
        stored(CEPH)(site)
        options = {"cinder": {"cinder.conf": {"ceph": {"rbd_max_clone_depth": 3}}}}
        given(cloud_config=options, cloud_config_files={"glance": {"glance-api.conf": {"fs": None}}})(site)
        assert site.said(monkeypatch).get("msg") is None

    def test_swift_on_folders_with_policies(self, site, monkeypatch):
        stored({**SWIFT, "policies": [GOLD, {**CODED, "index": 4}], "encryption": True}, devices=4)(site)
        for disk in site.hosts["storage"]["storage1"]["storage_devices"]:
            disk.update(path=disk["path"].replace("/dev/", "/srv/node/"), weight=50, zone=2)
        assert site.said(monkeypatch).get("msg") is None

    def test_secrets_that_can_be_read(self, site, monkeypatch):
        vaulted(b"right", b"right")(site)
        certificate(["cloud.example.org", "*.example.org"])(site)
        assert site.said(monkeypatch).get("msg") is None

    def test_no_secret_is_told(self, site, monkeypatch):
        given(cloud_resources={"users": [{"password": "sesame"}]}, cloud_package_proxy="me:sesame@proxy")(site)
        file("secrets.yml", "admin: sesame\ncloud:\n")(site)
        assert "sesame" not in site.said(monkeypatch)["msg"].replace("'me:sesame@proxy'", "")


class TestPlaybook:
    """The whole way: a playbook stops before it contacts anybody."""

    def run(self, site, *options, playbook=ROOT / "playbooks/site.yml"):
        site.write()
        return subprocess.run(
            ["ansible-playbook", "-i", site.folder, playbook, *options],
            cwd=site.folder,
            env={
                **os.environ,
                "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
                "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".venv/collections"),
                "ANSIBLE_NOCOLOR": "1",
            },
            capture_output=True,
            text=True,
            check=False,
        )

    @pytest.mark.parametrize("name", ["site", "resources", "verify", "destroy"])
    def test_faults_with_a_limit(self, site, name):
        """--limit leaves out who stands for the others; the group has not even its name."""
        site.hosts["controllers"] = site.hosts.pop("controller")
        site.all["cloud_mtuu"] = 1
        playbook = ROOT / "playbooks" / f"{name}.yml"
        done = self.run(site, "--check", "--limit", "compute1", playbook=playbook)
        assert done.returncode == 2
        words = done.stdout + done.stderr
        assert "Preflight found 3 faults" in words
        assert "Did you mean 'controller'?" in words
        assert "Did you mean 'cloud_mtu'?" in words
        assert "Look at the host" not in words

    def test_no_host_is_reached(self, site):
        """Every host that is away is named, by one fault each or a warning."""
        for group in site.hosts.values():
            for number, host in enumerate(group.values()):
                host["ansible_host"] = f"127.1.{len(group)}.{number + 1}"
                host["cloud_address"] = f"192.0.2.{len(group)}{number}"
        site.hosts["network"] = {"network1": {"ansible_host": "127.2.0.1", "cloud_address": "192.0.2.77"}}
        site.all |= {"ansible_port": 1, "ansible_ssh_common_args": "-o BatchMode=yes -o ConnectTimeout=5"}
        done = self.run(site, "--check")
        assert done.returncode == 2
        words = done.stdout + done.stderr
        assert "Preflight found 2 faults" in words
        assert "1. host controller1\n" in words
        assert "Connection refused" in words
        assert "to be reached by ssh: the cloud has no majority" in words
        assert "none of its hosts can be reached" in words
        assert all(f"--limit {name}." in words for name in ("network1", "compute1", "compute2"))
        assert not (site.folder / ".secrets").exists()

    def test_the_run_goes_on_without_a_compute_host(self, site):
        """All later plays are without it; the exit code says so, as does the end."""
        (site.secrets / "secrets.yml").write_text("cloud: mine\n")
        for group in site.hosts.values():
            for host in group.values():
                host["found"] = probe(host["ansible_host"])
        del site.hosts["compute"]["compute2"]["found"]
        done = self.run(site, "--check", playbook=ROOT / "tests/unit/files/left_out.yml")
        words = done.stdout + done.stderr
        assert done.returncode == 4, words
        here = [name for name in ("controller1", "network1", "compute1", "compute2") if f"{name} is here" in words]
        assert here == ["controller1", "network1", "compute1"], words
        assert "host compute2: left out: No route to host" in words


def probe(address, **changes):
    """What host_probe finds on a good host, with *changes*."""
    last = address.rsplit(".", 1)[1]
    links = {
        "lo": ("127.0.0.1/8", "00:00:00:00:00:00"),
        "eth0": (f"{address}/24", f"52:54:00:00:00:{last}"),
        "eth1": (f"203.0.113.{last}/24", f"52:54:00:00:01:{last}"),
        "eth2": ("", f"52:54:00:00:02:{last}"),
    }
    return {
        "release": {"id": "debian", "version": "13", "codename": "trixie"},
        "architecture": "x86_64",
        "hostname": "x",
        "cpus": 2,
        "memory_mb": 8000,
        "disk_free_mb": 20000,
        "time": time.time(),
        "clock_offset": 0.5,
        "init": "systemd",
        "interfaces": {
            name: {
                "mac": mac,
                "mtu": 1500,
                "up": True,
                "addresses": [one] if one else [],
                "kind": "loopback" if name == "lo" else "physical",
            }
            for name, (one, mac) in links.items()
        },
        "default_interface": "eth0",
        "default_gateway": "192.0.2.1",
        "connection_address": address,
        "hypervisor": {"type": "qemu", "why": "a test"},
        "ovs_datapath": {"type": "netdev", "why": "a test"},
        "listening": [{"address": "0.0.0.0", "port": 22, "protocol": "tcp", "process": "sshd", "unit": "ssh.service"}],
        "unconfigured_units": [],
        "unresolved": [],
        "neighbours": {},
        "bridges": None,
        "cloud": None,
        "devices": {},
        "volume_groups": [],
        **changes,
    }


def listener(port, address="0.0.0.0", process="nginx", unit="nginx.service"):
    return {"address": address, "port": port, "protocol": "tcp", "process": process, "unit": unit}


def card(name, **changes):
    """Return the cards of controller1, one of them changed."""
    found = probe("192.0.2.11")["interfaces"]
    return {**found, name: {**found[name], **changes}}


VIP = {"cloud_internal_address": "192.0.2.9"}
STORED = {"cloud_storage": [CEPH]}
EMPTY = {"kind": "block", "holds": "", "owner": "", "group": None, "mounted": ""}
# Settings; the host that is changed and what its probe finds; where, found, allowed, to do of the fault that follows.
UNFIT = {
    "an older release": (
        {},
        ("compute1", {"release": {"id": "debian", "version": "12", "codename": "bookworm"}}),
        ("host compute1", "debian 12 bookworm", "debian 13", "Install Debian 13"),
    ),
    "another system": (
        {},
        ("compute1", {"release": {"id": "ubuntu", "version": "24.04", "codename": "noble"}}),
        ("host compute1", "ubuntu 24.04 noble", "debian 13", "Install Debian 13"),
    ),
    "another processor": (
        {},
        ("compute1", {"architecture": "aarch64"}),
        ("host compute1", "aarch64", "x86_64", "another machine"),
    ),
    "another process 1": ({}, ("compute1", {"init": "sysvinit"}), ("host compute1", "sysvinit", "systemd", "Boot it")),
    "little memory": (
        {},
        ("controller1", {"memory_mb": 2000}),
        (
            "host controller1",
            "2000 MiB of memory",
            "2920 MiB or more: 790 nova (390 and 200 for each of 2 workers) + 480 neutron (180 and 150",
            "fewer cloud_workers",
        ),
    ),
    "little memory for its workers": (
        {"cloud_workers": 8},
        ("controller1", {"memory_mb": 6000}),
        ("host controller1", "6000 MiB of memory", "for each of 8 workers", "fewer cloud_workers"),
    ),
    "little disk": (
        {},
        ("network1", {"disk_free_mb": 900}),
        ("host network1", "900 MiB of free disk", "1000 MiB or more: 700 all + 300 network", "Make room"),
    ),
    "no disk to go on": (
        {},
        ("network1", {"disk_free_mb": 100, "cloud": {"identity": secrets.identity("mine"), "names": ["cloud"]}}),
        ("host network1", "100 MiB of free disk", "500 MiB or more: to go on", "Make room"),
    ),
    "a clock behind": (
        {},
        ("compute1", {"clock_offset": -3600.2}),
        ("host compute1", "a clock 3600 s behind this machine's", "at most 30 s", "Set the clock"),
    ),
    "a clock ahead": (
        {},
        ("compute1", {"clock_offset": 3600.2, "time": time.time() + 3600}),
        ("host compute1", "s ahead of this machine's", "at most 30 s", "Set the clock"),
    ),
    "a card that is missing": (
        {"cloud_external_interface": "eth3"},
        ("network1", {}),
        (f"{YML}4, cloud_external_interface", "no interface eth3", "eth0 192.0.2.12/24", "host_vars"),
    ),
    "an address that no card has": (
        {},
        ("compute1", {"interfaces": probe("192.0.2.99")["interfaces"]}),
        (
            "cloud_address (not set) (host compute1)",
            "192.0.2.13, which no card has",
            "192.0.2.99/24",
            "Set cloud_address",
        ),
    ),
    "a tunnel without an address": (
        {},
        ("compute1", {"interfaces": {**probe("192.0.2.13")["interfaces"], "eth1": card("eth2")["eth2"]}}),
        (f"{YML}3, cloud_tunnel_interface", "eth1 has no address", "a card with an address", "cloud_tunnel_address"),
    ),
    "an MTU that a card does not have": (
        {"cloud_mtu": 1501, "cloud_external_interface": "", "cloud_tunnel_interface": "eth0"},
        ("compute1", {}),
        (f"{YML}7, cloud_mtu", "1501, and eth0 has 1500", "every card", "lower cloud_mtu"),
    ),
    "networks that overlap": (
        {},
        ("controller1", {"interfaces": card("eth1", addresses=["192.0.3.1/23"])}),
        ("host controller1", "eth0 in 192.0.2.0/24 and eth1 in 192.0.2.0/23, which overlap", "apart", "prefix length"),
    ),
    "an external network that overlaps": (
        {"cloud_external_network": "203.0.112.0/23"},
        ("controller1", {}),
        (f"{YML}5, cloud_external_network", "203.0.112.0/23, which overlaps with 203.0.113.0/24", "the same", "router"),
    ),
    "a time server that is unknown": (
        {"cloud_time_servers": ["ntp.example.org"]},
        ("compute1", {"unresolved": ["ntp.example.org"]}),
        (f"{YML}7, cloud_time_servers", "ntp.example.org, which compute1 can't resolve", "DNS", "resolv.conf"),
    ),
    "a port of an API": (
        {},
        ("controller1", {"listening": [listener(5000)]}),
        (
            "host controller1",
            "port 5000 at 0.0.0.0 is taken by nginx.service (nginx)",
            "free for",
            "disable --now nginx",
        ),
    ),
    "a port of the front": (
        {},
        ("controller1", {"listening": [listener(443, "192.0.2.11")]}),
        ("host controller1", "port 443 at 192.0.2.11", "free for haproxy", "Stop it"),
    ),
    "a port of the infrastructure": (
        {},
        ("controller1", {"listening": [listener(3306, "::", "postgres", "")]}),
        ("host controller1", "port 3306 at :: is taken by postgres", "free for mariadb", "Stop it"),
    ),
    "a VIP outside": (
        {"cloud_internal_address": "10.0.0.9"},
        ("controller1", {}),
        (f"{YML}7, cloud_internal_address", "10.0.0.9, which is outside", "192.0.2.0/24", "that network"),
    ),
    "a public VIP outside": (
        {**VIP, "cloud_public_address": "10.0.0.9"},
        ("controller1", {}),
        (f"{YML}8, cloud_public_address", "10.0.0.9, in no network of controller1", "203.0.113.0/24", "a network that"),
    ),
    "a VIP that answers": (
        VIP,
        ("controller1", {"neighbours": {"192.0.2.9": "52:54:00:99:99:99"}}),
        (f"{YML}7, cloud_internal_address", "which 52:54:00:99:99:99 answers for", "free", "Find who has it"),
    ),
    "another cloud's host": (
        {},
        ("controller1", {"cloud": {"identity": "other", "names": ["cloud"]}}),
        (".secrets", "of a cloud that has other secrets", "the secrets of the cloud", "cloud_secrets_dir"),
    ),
    "a device that is not there": (
        STORED,
        ("storage1", {"devices": {"/dev/sdb": {**EMPTY, "kind": "missing"}}}),
        ("storage_devices", "no device /dev/sdb", "a block device", "/dev/disk/by-id"),
    ),
    "a device that is a folder": (
        STORED,
        ("storage1", {"devices": {"/dev/sdb": {**EMPTY, "kind": "folder"}}}),
        ("storage_devices", "/dev/sdb, which is a folder", "a block device", "Correct the path"),
    ),
    "a device that holds something": (
        STORED,
        ("storage1", {"devices": {"/dev/sdb": {**EMPTY, "holds": "ext4", "mounted": "/srv"}}}),
        ("storage_devices", "/dev/sdb, which holds ext4, mounted at /srv", "an empty device", "wipefs --all /dev/sdb"),
    ),
    "somebody else's disk for Swift": (
        {"cloud_storage": [SWIFT]},
        ("storage1", {"devices": {"/dev/sdb": {**EMPTY, "holds": "xfs", "mounted": "/home"}}}),
        ("storage_devices", "/dev/sdb, which holds xfs, mounted at /home", "an empty device", "wipefs --all /dev/sdb"),
    ),
    "a disk of Swift's that has died": (
        {"cloud_storage": [SWIFT]},
        ("storage1", {"devices": {"/dev/sdb": {**EMPTY, "kind": "missing"}}}),
        ("storage_devices", "no device /dev/sdb", "a block device", "docs/swift.md"),
    ),
    "the gateway's port": (
        {"cloud_storage": [{**CEPH, "serves": ["objects"]}]},
        ("controller1", {"listening": [listener(7480)]}),
        ("host controller1", "port 7480", "free for radosgw", "Stop it"),
    ),
    "no volume group": (
        {"cloud_storage": [CEPH, {**LVM, "hosts": ["storage2"]}]},
        ("storage2", {"volume_groups": ["vg0"]}),
        ("cloud_storage", "no volume group cinder-volumes on storage2", "vg0", "vgcreate cinder-volumes"),
    ),
    "no card in a network of volumes": (
        {"cloud_storage": [CEPH, {**LVM, "hosts": ["storage2"], "networks": ["198.51.100.0/24"]}]},
        ("storage2", {"volume_groups": ["cinder-volumes"]}),
        ("cloud_storage", "no address of storage2 in 198.51.100.0/24", "192.0.2.16/24", "take the network from lvm"),
    ),
    "an older copy of the secrets": (
        {},
        ("controller1", {"cloud": {"identity": secrets.identity("mine"), "names": ["cloud", "lamp_database"]}}),
        (".secrets", "it lacks lamp_database", "every secret of the cloud", "Get the newer folder"),
    ),
}
FIT = {
    "a host that took a minute to look at its clock": ({}, {"clock_offset": 60}),
    "ours on its own ports": (
        {},
        {
            "listening": [
                listener(5000, "127.0.0.1", "uwsgi", "keystone.service"),
                listener(443, process="haproxy", unit="haproxy.service"),
            ]
        },
    ),
    "our instance of a unit": (
        {"cloud_storage": [{**CEPH, "serves": ["objects"]}]},
        {"listening": [listener(7480, "127.0.0.1", "radosgw", "ceph-radosgw@rgw.controller1.service")]},
    ),
    "systemd for epmd": ({}, {"listening": [listener(4369, "192.0.2.11", "systemd", "init.scope")]}),
    "somebody on the loopback": ({}, {"listening": [listener(443, "127.0.0.1")]}),
    "a VIP that we hold": (VIP, {"interfaces": card("eth0", addresses=["192.0.2.11/24", "192.0.2.9/32"])}),
    "a VIP that another of ours holds": (VIP, {"neighbours": {"192.0.2.9": "52:54:00:00:00:12"}}),
    "its own cloud": ({}, {"cloud": {"identity": secrets.identity("mine"), "names": ["cloud"]}}),
    "its own device": (STORED, {"devices": {"/dev/sdb": {**EMPTY, "holds": "ceph_bluestore", "owner": "ceph"}}}),
    "its own disk, not mounted": (
        {"cloud_storage": [SWIFT]},
        {"devices": {"/dev/sdb": {**EMPTY, "holds": "xfs", "owner": "swift"}}},
    ),
    "one network twice": ({}, {"interfaces": card("eth1", addresses=["192.0.2.12/24"])}),
}


AWAY = {"unreachable": True, "msg": "Task failed: ssh: No route to host"}


class TestHosts:
    def said(self, site, monkeypatch, changes=None, results=None, **more):
        """Return the result for the site's hosts, each as *changes* has it, by the probe's *results*."""
        facts = {}
        (site.secrets / "secrets.yml").write_text("cloud: mine\n")
        for group in site.hosts.values():
            for name, host in group.items():
                found = probe(host["ansible_host"], **(changes or {}).get(name, {}))
                facts[name] = {"cairn_probe": found, "preflight_probe": {"ansible_facts": {}}}
        for name, result in (results or {}).items():
            facts[name] = {"preflight_probe": result}
        return site.said(monkeypatch, "hosts", facts, **more)

    def storage(self, site):
        """Two storage hosts, the first with two devices."""
        stored()(site)
        site.hosts["storage"]["storage2"] = {"ansible_host": "192.0.2.16"}

    @pytest.mark.parametrize(("values", "change", "parts"), UNFIT.values(), ids=UNFIT.keys())
    def test_one_fault(self, site, monkeypatch, values, change, parts):
        if "cloud_storage" in values:
            self.storage(site)
        given(**values)(site)
        (fault,) = told(self.said(site, monkeypatch, dict([change])))
        for part, text in zip(parts, fault, strict=True):
            assert part in text

    @pytest.mark.parametrize(("values", "found"), FIT.values(), ids=FIT.keys())
    def test_no_fault(self, site, monkeypatch, values, found):
        if "cloud_storage" in values:
            self.storage(site)
        given(**values)(site)
        result = self.said(site, monkeypatch, {"storage1" if "devices" in found else "controller1": found})
        assert result.get("msg") is None
        assert result["ansible_facts"] == {"cairn_left_out": {}}

    @pytest.mark.parametrize(("group", "fits"), [("cinder-volumes", True), ("", True), ("vg0", False), (None, False)])
    def test_a_disk_of_a_volume_group(self, site, monkeypatch, group, fits):
        """Ours, that of a run that was killed, somebody's, and one that nobody can read."""
        both(stored(LVM, devices=1), device(backend="lvm"))(site)
        found = {"/dev/sdb": {**EMPTY, "holds": "LVM2_member", "group": group}}
        said = self.said(site, monkeypatch, {"storage1": {"devices": found}})
        assert bool(said.get("failed")) is not fits
        if not fits:
            assert told(said)[0][1] == "/dev/sdb, which holds LVM2_member"

    def test_all_at_once(self, site, monkeypatch):
        names = ("an older release", "little memory", "little disk", "a clock behind")
        changes = {}
        for name in names:
            host, found = UNFIT[name][1]
            changes.setdefault(host, {}).update(found)
        assert len(told(self.said(site, monkeypatch, changes))) == len(names)

    def test_no_secrets_here(self, site, monkeypatch):
        """Before any are made: a second operator would lock the first one out."""
        cloud = {"identity": secrets.identity("mine"), "names": ["cloud"]}
        changes = {name: {"cloud": cloud} for name in ("controller1", "compute1")}
        site.all["cloud_secrets_dir"] = str(site.folder / "elsewhere")
        (fault,) = told(self.said(site, monkeypatch, changes))
        assert fault[0] == "elsewhere (hosts controller1, compute1)"
        assert "secrets that are not here" in fault[1]

    def test_a_mirror_may_be_known_to_a_proxy(self, site, monkeypatch):
        site.all["cloud_package_mirror"] = "http://mirror.example.org/debian"
        changes = {"compute1": {"unresolved": ["mirror.example.org"]}}
        assert self.said(site, monkeypatch, changes).get("msg") is None
        assert len(site.warnings) == 1

    def test_a_compute_host_is_left_out(self, site, monkeypatch):
        result = self.said(site, monkeypatch, results={"compute2": AWAY})
        assert result["ansible_facts"]["cairn_left_out"] == {"compute2": AWAY["msg"]}
        (warning,) = site.warnings
        assert warning.startswith(
            "[WARNING]: host compute2: ssh: No route to host; allowed: to be reached by ssh. It is left out"
        )

    def test_the_controller_is_not(self, site, monkeypatch):
        (fault,) = told(self.said(site, monkeypatch, results={"controller1": AWAY}))
        assert fault[:2] == ("host controller1", "ssh: No route to host")
        assert "no majority" in fault[2]

    def three(self, site):
        three_controllers(site)
        site.all |= VIP

    def test_one_of_three_controllers(self, site, monkeypatch):
        self.three(site)
        result = self.said(site, monkeypatch, results={"controller2": AWAY})
        assert list(result["ansible_facts"]["cairn_left_out"]) == ["controller2"]
        assert "2 of 3 go on" in site.warnings[0]

    def test_one_of_three_that_the_run_is_about(self, site, monkeypatch):
        self.three(site)
        result = self.said(site, monkeypatch, results={"controller2": AWAY}, more={"ansible_limit": "controller2"})
        assert "the run is about it" in told(result)[0][2]

    def test_two_of_three_controllers(self, site, monkeypatch):
        self.three(site)
        result = self.said(site, monkeypatch, results={"controller2": AWAY, "controller3": AWAY})
        assert [fault[0] for fault in told(result)] == ["host controller2", "host controller3"]

    def test_a_host_that_can_not_be_looked_at(self, site, monkeypatch):
        (fault,) = told(self.said(site, monkeypatch, results={"compute1": {"msg": "Missing sudo password"}}))
        assert fault[0] == "host compute1"
        assert fault[1] == "Missing sudo password"
        assert "Python 3" in fault[3]

    def test_who_was_left_out_is_said_at_the_end(self, site, monkeypatch):
        result = site.said(monkeypatch, "end", more={"cairn_left_out": {"compute2": AWAY["msg"]}})
        assert result.get("msg") is None
        (warning,) = site.warnings
        assert warning.startswith("[WARNING]: host compute2: left out: ssh: No route to host")

    def test_what_is_present_counts(self):
        """The sum has the units of the host's groups, once each."""
        values = settings.Settings("x", {"cloud_workers": 0})
        page = {"units": [{"name": "a", "nodes": ["network", "compute"], "memory": 10}, {"name": "b", "memory": 1}]}
        host = hosts.Host("x", "192.0.2.1", {"network", "compute"}, {"cpus": 2}, values, {"lamp": page})
        assert hosts.memory_needed(host) == [(hosts.SYSTEM_MB, "system"), (10, "lamp")]

    def test_the_host_s_own_units_count(self, site, monkeypatch):
        """A host with volumes needs nothing for the objects and the Ceph of another one."""
        there = {"hosts": ["storage1"]}
        stored({**CEPH, **there, "serves": ["images"]}, SWIFT | there, LVM, devices=4)(site)
        for disk, backend in zip(site.hosts["storage"]["storage1"]["storage_devices"], "ccoo", strict=True):
            disk["backend"] = {"c": "ceph", "o": "objects"}[backend]
        disk = {"path": "/dev/sdb", "backend": "lvm"}
        site.hosts["storage"]["storage2"] = {"ansible_host": "192.0.2.16", "storage_devices": [disk]}
        devices = {"devices": {f"/dev/sd{letter}": EMPTY for letter in "bcde"}, "memory_mb": 150}
        found = told(self.said(site, monkeypatch, {"storage1": devices, "storage2": devices}))
        sums = {fault[0]: fault[2] for fault in found}
        assert "swift" in sums["host storage1"]
        assert "ceph" in sums["host storage1"]
        assert sums["host storage2"] == "370 MiB or more: 200 system + 170 cinder"


class TestRunLock:
    @pytest.fixture
    def sleeper(self):
        """A process that stands for a run."""
        process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        yield process
        process.kill()
        process.wait()

    def test_a_run_beside_a_run(self, tmp_path, sleeper, monkeypatch):
        monkeypatch.setattr(run_lock, "_PATIENCE", 0)
        assert run_lock.held(str(tmp_path)) is None
        assert run_lock.take(str(tmp_path), sleeper.pid) is None
        assert f"process {sleeper.pid}" in run_lock.take(str(tmp_path), os.getpid())
        assert f"process {sleeper.pid}" in run_lock.held(str(tmp_path))

    def test_the_same_run_again(self, tmp_path, sleeper):
        assert run_lock.take(str(tmp_path), sleeper.pid) is None
        assert run_lock.take(str(tmp_path), sleeper.pid) is None

    def test_a_killed_run_leaves_nothing(self, tmp_path, sleeper, monkeypatch):
        assert run_lock.take(str(tmp_path), sleeper.pid) is None
        sleeper.kill()
        sleeper.wait()
        monkeypatch.setattr(run_lock, "_PATIENCE", 60)  # for a machine that is very busy
        assert run_lock.take(str(tmp_path), os.getppid()) is None

    def test_who_looks_leaves_no_trace(self, tmp_path):
        assert run_lock.held(str(tmp_path)) is None
        assert list(tmp_path.iterdir()) == []

    def test_it_is_its_owners(self, tmp_path, sleeper):
        run_lock.take(str(tmp_path / "new"), sleeper.pid)
        assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700
        assert (tmp_path / "new" / run_lock.FILE).stat().st_mode & 0o777 == 0o600

    def test_preflight_says_so(self, site, monkeypatch, sleeper):
        monkeypatch.setattr(run_lock, "_PATIENCE", 0)
        run_lock.take(str(site.secrets), sleeper.pid)
        (fault,) = told(site.said(monkeypatch, check=False))
        assert fault[0] == ".secrets/run.lock"
        assert f"process {sleeper.pid}" in fault[1]
        assert fault[2] == "one run at a time"

    def test_a_plan_is_only_warned(self, site, monkeypatch, sleeper):
        run_lock.take(str(site.secrets), sleeper.pid)
        assert site.said(monkeypatch).get("msg") is None
        assert "one run at a time" in site.warnings[0]


class TestFaults:
    def test_hosts_with_one_fault(self):
        faults = [Fault("x", "a", "b", "c", hosts=(name,)) for name in ("one", "two")]
        assert [fault.place() for fault in merged(faults)] == ["x (hosts one, two)"]
        assert [fault.place() for fault in merged(faults, ["one", "two"])] == ["x"]
        assert [fault.place() for fault in merged(faults[:1], ["one", "two"])] == ["x (host one)"]

    def test_many_hosts_are_counted(self):
        (fault,) = merged(Fault("x", "a", "b", "c", hosts=(f"h{number}",)) for number in range(9))
        assert fault.place() == "x (hosts h0, h1, h2, h3, h4 and 4 more)"

    def test_all_of_it_is_one_text(self):
        text = report([Fault("x", "a", "b", "c."), Fault("y", "a", "b", "c.")])
        assert text.splitlines()[:3] == ["Preflight found 2 faults, and touched nothing.", "", "1. x"]
        assert json.dumps(text)
