# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Preflight of the hosts, by what was found on them."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import yaml
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.vars.manager import VariableManager
from ansible_collections.cairn.openstack.plugins.plugin_utils.catalog import definitions, sources, topology
from ansible_collections.cairn.openstack.plugins.plugin_utils.control_node.secrets import identity
from ansible_collections.cairn.openstack.plugins.plugin_utils.preflight import hosts, settings
from preflight_site import CEPH, LVM, NFS, SWIFT, YML, both, device, given, probe, stored, three_controllers, told

ROOT = Path(__file__).resolve().parents[2]
INVENTORIES = sorted(
    path.parent.resolve()
    for pattern in ("inventories/*", "molecule/*/inventory")
    for path in ROOT.glob(f"{pattern}/hosts.yml")
)


def listener(port, address="0.0.0.0", process="nginx", unit="nginx.service"):
    return {"address": address, "port": port, "protocol": "tcp", "process": process, "unit": unit}


def nic(name, **changes):
    """Return the nics of controller1, one of them changed."""
    found = probe("192.0.2.11")["interfaces"]
    return {**found, name: {**found[name], **changes}}


VIP = {"cloud_internal_address": "192.0.2.9"}
STORED = {"cloud_storage": [CEPH]}
EMPTY = {"kind": "block", "holds": "", "owner": "", "group": None, "mounted": ""}
MINE = {"identity": identity("mine"), "names": ["cloud"]}
HOST = {"name": "controller1", "address": "192.0.2.11", "groups": ["controller"]}
EMPTY = {
    "kind": "block",
    "real": "/dev/sdb",
    "number": "8:16",
    "beneath": [],
    "holds": "",
    "owner": "",
    "group": None,
    "mounted": "",
}
OTHER = {**EMPTY, "real": "/dev/sdc", "number": "8:32"}
# Settings; the host that is changed and what its probe finds; where, found, allowed, to do of the finding that follows.
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
        ("host compute1", "aarch64", "x86_64", "x86_64 host"),
    ),
    "another process 1": (
        {},
        ("compute1", {"init": "sysvinit"}),
        ("host compute1", "sysvinit", "systemd", "Boot the host"),
    ),
    "little memory": (
        {},
        ("controller1", {"memory_mb": 2000}),
        (
            "host controller1",
            "2000 MiB of memory",
            "2920 MiB or more: 790 nova (390 and 200 for each of 2 workers) + 480 neutron (180 and 150",
            "lower cloud_workers",
        ),
    ),
    "little memory for its workers": (
        {"cloud_workers": 8},
        ("controller1", {"memory_mb": 6000}),
        ("host controller1", "6000 MiB of memory", "for each of 8 workers", "lower cloud_workers"),
    ),
    "little disk": (
        {},
        ("network1", {"disk_free_mb": 900}),
        ("host network1", "900 MiB of free disk", "1000 MiB or more: 700 all + 300 network", "Free space"),
    ),
    "no disk to go on": (
        {},
        ("network1", {"disk_free_mb": 100, "cloud": {"identity": identity("mine"), "names": ["cloud"]}}),
        ("host network1", "100 MiB of free disk", "500 MiB or more: to continue", "Free space"),
    ),
    "a clock behind": (
        {},
        ("compute1", {"clock_offset": -3600.2}),
        ("host compute1", "clock 3600 s behind the control node's", "at most 30 s", "Set the clock"),
    ),
    "a clock ahead": (
        {},
        ("compute1", {"clock_offset": 3600.2, "time": time.time() + 3600}),
        ("host compute1", "s ahead of the control node's", "at most 30 s", "Set the clock"),
    ),
    "a nic that is missing": (
        {"cloud_external_interface": "eth3"},
        ("network1", {}),
        (f"{YML}4, cloud_external_interface", "no interface eth3", "eth0 192.0.2.12/24", "host_vars"),
    ),
    "an address that no nic has": (
        {},
        ("compute1", {"interfaces": probe("192.0.2.99")["interfaces"]}),
        (
            "cloud_address (not set) (host compute1)",
            "192.0.2.13, which is on no network interface",
            "192.0.2.99/24",
            "Set cloud_address",
        ),
    ),
    "a tunnel without an address": (
        {},
        ("compute1", {"interfaces": {**probe("192.0.2.13")["interfaces"], "eth1": nic("eth2")["eth2"]}}),
        (
            f"{YML}3, cloud_tunnel_interface",
            "eth1 has no address",
            "a network interface with an address",
            "cloud_tunnel_address",
        ),
    ),
    "an MTU that a nic does not have": (
        {"cloud_mtu": 1501, "cloud_external_interface": "", "cloud_tunnel_interface": "eth0"},
        ("compute1", {}),
        (f"{YML}7, cloud_mtu", "1501, and eth0 has 1500", "(cloud_tunnel_interface)", "set a lower cloud_mtu"),
    ),
    "an external MTU that is too large": (
        {"cloud_external_mtu": 9000},
        ("network1", {}),
        (f"{YML}7, cloud_external_mtu", "9000, and eth2 has 1500", "the MTU of eth2", "set a lower cloud_external_mtu"),
    ),
    "networks that overlap": (
        {},
        ("controller1", {"interfaces": nic("eth1", addresses=["192.0.3.1/23"])}),
        (
            "host controller1",
            "eth0 in 192.0.2.0/24 and eth1 in 192.0.2.0/23, which overlap",
            "do not overlap",
            "prefix length",
        ),
    ),
    "an external network that overlaps": (
        {"cloud_external_network": "203.0.112.0/23"},
        ("controller1", {}),
        (f"{YML}5, cloud_external_network", "203.0.112.0/23, which overlaps with 203.0.113.0/24", "the same", "router"),
    ),
    "a time server that is unknown": (
        {"cloud_time_servers": ["ntp.example.org"]},
        ("compute1", {"unresolved": ["ntp.example.org"]}),
        (f"{YML}7, cloud_time_servers", "ntp.example.org, which compute1 cannot resolve", "DNS", "resolv.conf"),
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
        ("host controller1", "port 443 at 192.0.2.11", "free for the load balancer", "Stop it"),
    ),
    "a port of the infrastructure": (
        {},
        ("controller1", {"listening": [listener(3306, "::", "postgres", "")]}),
        ("host controller1", "port 3306 at :: is taken by postgres", "free for mariadb", "Stop it"),
    ),
    "a firewall that would lock the control node out": (
        {"cloud_firewall_sources": ["10.0.0.0/8", "2001:db8::/32"]},
        ("controller1", {"connection_client": "203.0.113.200"}),
        (f"{YML}7, cloud_firewall_sources", "without 203.0.113.200", "the control node among", "Add 203.0.113.200"),
    ),
    "another firewall": (
        {},
        ("compute1", {"firewalls": [{"name": "ufw", "chain": "", "hook": ""}]}),
        ("host compute1", "ufw is active, and drops", "lets in what the cloud needs", "(ufw disable); or let in"),
    ),
    "another table that drops": (
        {"cloud_known_firewalls": ["ufw", "ip filter"]},
        ("compute1", {"firewalls": [{"name": "inet filter", "chain": "in", "hook": "input"}]}),
        (
            "host compute1",
            "chain in (hook input) of the table inet filter drops",
            "no other firewall",
            "add 'inet filter' to cloud_known_firewalls",
        ),
    ),
    "a database server that serves somebody": (
        {"cloud_take_over": ["memcached"]},
        ("controller1", {"unconfigured_units": ["cron", "mariadb", "memcached", "chrony", "ssh"]}),
        (
            "host controller1",
            "mariadb of another installation, running before the first run",
            "a host without mariadb",
            "add mariadb to cloud_take_over",
        ),
    ),
    "a load balancer on a network node, where it would be stopped": (
        {},
        ("network1", {"unconfigured_units": ["haproxy"], "listening": [listener(443, "0.0.0.0", "haproxy")]}),
        ("host network1", "haproxy of another installation", "a host without haproxy", "Use another host"),
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
        (f"{YML}7, cloud_internal_address", "which 52:54:00:99:99:99 answers for", "free", "Find the host"),
    ),
    "another cloud's host": (
        {},
        ("controller1", {"cloud": {"identity": "other", "names": ["cloud"]}}),
        (".secrets", "belongs to a cloud that has other secrets", "the secrets of the cloud", "cloud_secrets_dir"),
    ),
    "a host under another name": (
        {},
        ("controller1", {"cloud": {**MINE, "host": {**HOST, "name": "ctl1"}}}),
        ("host controller1", "which is the host ctl1 of this cloud", "the name ctl1", "destroy.yml --limit ctl1"),
    ),
    "a copied host": (
        {},
        ("controller1", {"identities": probe("192.0.2.13")["identities"]}),
        ("host compute1", "the same /etc/machine-id as controller1", "one of its own", "systemd-machine-id-setup"),
    ),
    "a device that is not there": (
        STORED,
        ("storage1", {"devices": {"/dev/sdb": {**EMPTY, "kind": "missing"}}}),
        ("storage_devices", "no device /dev/sdb", "a block device", "/dev/disk/by-id"),
    ),
    "a device that is a directory": (
        STORED,
        ("storage1", {"devices": {"/dev/sdb": {**EMPTY, "kind": "directory"}}}),
        ("storage_devices", "/dev/sdb, which is a directory", "a block device", "Correct the path"),
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
    "a link to a disk that is listed": (
        STORED,
        ("storage1", {"devices": {"/dev/sdb": EMPTY, "/dev/sdc": EMPTY}}),
        (
            "storage_devices[1] (host storage1)",
            "/dev/sdc, which is the same device as /dev/sdb (storage_devices[0]): /dev/sdb",
            "each device once",
            "Remove one of them",
        ),
    ),
    "another node of a disk that is listed": (
        {"cloud_storage": [SWIFT]},
        ("storage1", {"devices": {"/dev/sdb": EMPTY, "/dev/sdc": {**OTHER, "number": "8:16"}}}),
        ("storage_devices[1]", "/dev/sdc, which is the same device as /dev/sdb", "each device once", "Remove one"),
    ),
    "a file that is missing, by two names": (
        STORED,
        ("storage1", {"devices": {path: {**EMPTY, "number": ""} for path in ("/dev/sdb", "/dev/sdc")}}),
        ("storage_devices[1]", "/dev/sdc, which is the same device as /dev/sdb", "each device once", "Remove one"),
    ),
    "a disk and its partition": (
        STORED,
        ("storage1", {"devices": {"/dev/sdb": EMPTY, "/dev/sdc": {**OTHER, "beneath": ["8:16"]}}}),
        ("storage_devices[1]", "/dev/sdc, which is on /dev/sdb (storage_devices[0])", "each device once", "not both"),
    ),
    "a path of a multipath device, and the device": (
        STORED,
        ("storage1", {"devices": {"/dev/sdb": {**EMPTY, "number": "254:0", "beneath": ["8:32"]}, "/dev/sdc": OTHER}}),
        ("storage_devices[1]", "/dev/sdb (storage_devices[0]), which is on /dev/sdc", "each device once", "not both"),
    ),
    "no volume group": (
        {"cloud_storage": [CEPH, {**LVM, "hosts": ["storage2"]}]},
        ("storage2", {"volume_groups": ["vg0"]}),
        ("cloud_storage", "no volume group cinder-volumes on storage2", "vg0", "vgcreate cinder-volumes"),
    ),
    "no nic in a network of volumes": (
        {"cloud_storage": [CEPH, {**LVM, "hosts": ["storage2"], "networks": ["198.51.100.0/24"]}]},
        ("storage2", {"volume_groups": ["cinder-volumes"]}),
        ("cloud_storage", "no address of storage2 in 198.51.100.0/24", "192.0.2.16/24", "remove the network from lvm"),
    ),
    "an older copy of the secrets": (
        {},
        ("controller1", {"cloud": {"identity": identity("mine"), "names": ["cloud", "lamp_database"]}}),
        (".secrets", "it lacks lamp_database", "every secret of the cloud", "Use the newer directory"),
    ),
}
FIT = {
    "its own name, address and groups": ({}, {"cloud": {**MINE, "host": HOST}}),
    "the control node among the sources": (
        {"cloud_firewall_sources": ["10.0.0.0/8", "203.0.113.0/24"]},
        {"connection_client": "203.0.113.200"},
    ),
    "the control node in the other family": (
        {"cloud_firewall_sources": ["2001:db8::/32"]},
        {"connection_client": "2001:db8::5"},
    ),
    "no firewall": (
        {"cloud_firewall_sources": ["10.0.0.0/8"], "cloud_firewall": False},
        {"connection_client": "203.0.113.200"},
    ),
    "a firewall that the operator has opened": (
        {"cloud_known_firewalls": ["ufw", "inet filter"]},
        {"firewalls": [{"name": name, "chain": "input", "hook": "input"} for name in ("ufw", "inet filter")]},
    ),
    "the operator's own firewall": (
        {"cloud_firewall": False},
        {"firewalls": [{"name": "inet filter", "chain": "input", "hook": "input"}]},
    ),
    "services that a boot has started after an interrupted run": (
        {},
        {"first_run": False, "unconfigured_units": ["mariadb", "apache2"]},
    ),
    "a service that the run may take over": ({"cloud_take_over": ["mariadb"]}, {"unconfigured_units": ["mariadb"]}),
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
    "a VIP that we hold": (VIP, {"interfaces": nic("eth0", addresses=["192.0.2.11/24", "192.0.2.9/32"])}),
    "a VIP that another of ours holds": (VIP, {"neighbours": {"192.0.2.9": "52:54:00:00:00:12"}}),
    "its own cloud": ({}, {"cloud": {"identity": identity("mine"), "names": ["cloud"]}}),
    "its own device": (STORED, {"devices": {"/dev/sdb": {**EMPTY, "holds": "ceph_bluestore", "owner": "ceph"}}}),
    "its own disk, not mounted": (
        {"cloud_storage": [SWIFT]},
        {"devices": {"/dev/sdb": {**EMPTY, "holds": "xfs", "owner": "swift"}}},
    ),
    "one network twice": ({}, {"interfaces": nic("eth1", addresses=["192.0.2.12/24"])}),
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
    def test_one_error(self, site, monkeypatch, values, change, parts):
        if "cloud_storage" in values:
            self.storage(site)
        given(**values)(site)
        (finding,) = told(self.said(site, monkeypatch, dict([change])))
        for part, text in zip(parts, finding, strict=True):
            assert part in text

    def test_one_initiator_on_two_hosts(self, site, monkeypatch):
        same = {"identities": {"/etc/iscsi/initiatorname.iscsi": "InitiatorName=iqn.1993-08.org.debian:01:1"}}
        stored(CEPH, devices=4)(site)
        assert not self.said(site, monkeypatch, {"controller1": same, "compute1": same}).get("failed")
        (warning,) = site.warnings
        assert "the same /etc/iscsi/initiatorname.iscsi as controller1" in " ".join(warning.split())
        both(stored(LVM, devices=1), device(backend="lvm"))(site)
        (finding,) = told(self.said(site, monkeypatch, {"controller1": same, "compute1": same}))
        assert finding[0] == "host compute1 (host controller1)"
        assert finding[1] == "the same /etc/iscsi/initiatorname.iscsi as controller1"
        assert "iscsi-iname" in finding[3]
        assert finding[3].endswith("and systemctl restart iscsid.")

    @pytest.mark.parametrize(("values", "found"), FIT.values(), ids=FIT.keys())
    def test_no_error(self, site, monkeypatch, values, found):
        if "cloud_storage" in values:
            self.storage(site)
        given(**values)(site)
        result = self.said(site, monkeypatch, {"storage1" if "devices" in found else "controller1": found})
        assert result.get("msg") is None
        assert result["ansible_facts"] == {"cairn_skipped": {}}

    @pytest.mark.parametrize(("group", "fits"), [("cinder-volumes", True), ("", True), ("vg0", False), (None, False)])
    def test_a_disk_of_a_volume_group(self, site, monkeypatch, group, fits):
        """Ours, that of a run that was killed, somebody's, and one that nobody can read."""
        both(stored(LVM, devices=1), device(backend="lvm"))(site)
        found = {"/dev/sdb": {**EMPTY, "holds": "LVM2_member", "group": group}}
        said = self.said(site, monkeypatch, {"storage1": {"devices": found}})
        assert bool(said.get("failed")) is not fits
        if not fits:
            assert told(said)[0][1] == "/dev/sdb, which holds LVM2_member"

    @pytest.mark.parametrize(
        ("was", "text"),
        [
            ({"address": "192.0.2.99"}, "its address in the cloud was 192.0.2.99"),
            ({"groups": ["controller", "storage"]}, "in the groups controller, and before also in storage"),
        ],
    )
    def test_what_changed_in_the_inventory(self, site, monkeypatch, was, text):
        """It may be meant."""
        result = self.said(site, monkeypatch, {"controller1": {"cloud": {**MINE, "host": {**HOST, **was}}}})
        assert not result.get("failed")
        (warning,) = site.warnings
        assert text in " ".join(warning.split())

    def test_large_frames_for_tunnels_alone(self, site, monkeypatch):
        """The external network's interface has the usual MTU: an error until its own setting says so."""
        changes = {}
        for group in site.hosts.values():
            for name, host in group.items():
                links = probe(host["ansible_host"])["interfaces"].items()
                changes[name] = {"interfaces": {nic: {**link, "mtu": 9000} for nic, link in links}}
                changes[name]["interfaces"]["eth2"]["mtu"] = 1500
        given(cloud_mtu=9000)(site)
        (finding,) = told(self.said(site, monkeypatch, changes))
        assert finding[:2] == (f"{YML}7, cloud_mtu (host network1)", "9000, and eth2 has 1500")
        assert "or set a lower cloud_external_mtu" in finding[3]
        given(cloud_external_mtu=1500)(site)
        assert self.said(site, monkeypatch, changes).get("msg") is None

    def test_two_back_ends_on_one_disk(self, site, monkeypatch):
        """By two names for two back ends: neither is empty once the other has it."""
        stored(CEPH, SWIFT, devices=4)(site)
        disks = site.hosts["storage"]["storage1"]["storage_devices"]
        for disk, name in zip(disks, ("ceph", "ceph", "objects", "objects"), strict=True):
            disk["backend"] = name
        names = {"/dev/sdb": "/dev/sdb", "/dev/sdc": "/dev/sdc", "/dev/sdd": "/dev/sdb", "/dev/sde": "/dev/sde"}
        found = {path: {**EMPTY, "real": real, "number": real} for path, real in names.items()}
        (finding,) = told(self.said(site, monkeypatch, {"storage1": {"devices": found}}))
        assert finding[0].endswith("storage_devices[2] (host storage1)")
        assert finding[1] == "/dev/sdd, which is the same device as /dev/sdb (storage_devices[0]): /dev/sdb"

    @pytest.mark.parametrize(("backend", "warnings"), [(CEPH, 1), (LVM, 0)])
    def test_two_copies_on_one_disk(self, site, monkeypatch, backend, warnings):
        """Two partitions: doubtful for copies, usual for a volume group."""
        stored(backend)(site)
        for disk in site.hosts["storage"]["storage1"]["storage_devices"]:
            disk["backend"] = backend["name"]
        found = {"/dev/sdb": {**EMPTY, "beneath": ["8:0"]}, "/dev/sdc": {**OTHER, "beneath": ["8:0"]}}
        assert self.said(site, monkeypatch, {"storage1": {"devices": found}}).get("msg") is None
        assert len(site.warnings) == warnings
        assert all("both copies are lost with it" in warning for warning in site.warnings)

    def test_what_runs_where_it_does_not_matter(self, site, monkeypatch):
        """Each service is told by itself; on a host that does not get it, it may stay."""
        units = ["apache2", "haproxy", "mariadb"]
        changes = {name: {"unconfigured_units": units} for name in ("controller1", "compute1")}
        found = told(self.said(site, monkeypatch, changes))
        assert {finding[0] for finding in found} == {"host controller1"}
        assert sorted(finding[1].partition(" ")[0] for finding in found) == units

    def test_all_at_once(self, site, monkeypatch):
        names = ("an older release", "little memory", "little disk", "a clock behind")
        changes = {}
        for name in names:
            host, found = UNFIT[name][1]
            changes.setdefault(host, {}).update(found)
        assert len(told(self.said(site, monkeypatch, changes))) == len(names)

    def test_no_secrets_here(self, site, monkeypatch):
        """Before any are made: a second operator would lock the first one out."""
        cloud = {"identity": identity("mine"), "names": ["cloud"]}
        changes = {name: {"cloud": cloud} for name in ("controller1", "compute1")}
        site.all["cloud_secrets_dir"] = str(site.directory / "elsewhere")
        (finding,) = told(self.said(site, monkeypatch, changes))
        assert finding[0] == "elsewhere (hosts controller1, compute1)"
        assert "secrets that are not in this directory" in finding[1]

    def test_a_mirror_may_be_known_to_a_proxy(self, site, monkeypatch):
        site.all["cloud_package_mirror"] = "http://mirror.example.org/debian"
        changes = {"compute1": {"unresolved": ["mirror.example.org"]}}
        assert self.said(site, monkeypatch, changes).get("msg") is None
        assert len(site.warnings) == 1

    def test_a_compute_host_is_left_out(self, site, monkeypatch):
        result = self.said(site, monkeypatch, results={"compute2": AWAY})
        assert result["ansible_facts"]["cairn_skipped"] == {"compute2": AWAY["msg"]}
        (warning,) = site.warnings
        assert warning.startswith(
            "[WARNING]: host compute2: ssh: No route to host; allowed: reachable by ssh. The host is skipped"
        )

    def test_the_controller_is_not(self, site, monkeypatch):
        (finding,) = told(self.said(site, monkeypatch, results={"controller1": AWAY}))
        assert finding[:2] == ("host controller1", "ssh: No route to host")
        assert "no majority" in finding[2]

    def three(self, site):
        three_controllers(site)
        site.all |= VIP

    def test_one_of_three_controllers(self, site, monkeypatch):
        self.three(site)
        member = {"identity": identity("mine"), "names": ["cloud"]}
        result = self.said(site, monkeypatch, {"controller1": {"cloud": member}}, {"controller2": AWAY})
        assert list(result["ansible_facts"]["cairn_skipped"]) == ["controller2"]
        assert "2 of 3 controllers continue" in site.warnings[0]

    def test_the_first_run_needs_all_controllers(self, site, monkeypatch):
        """The one that is away may have the data: the others would start a database without it."""
        self.three(site)
        (finding,) = told(self.said(site, monkeypatch, results={"controller2": AWAY}))
        assert "the first run needs all controllers" in finding[2]

    def test_one_of_three_that_the_run_is_about(self, site, monkeypatch):
        self.three(site)
        result = self.said(site, monkeypatch, results={"controller2": AWAY}, more={"ansible_limit": "controller2"})
        assert "the run is limited to it" in told(result)[0][2]

    def test_two_of_three_controllers(self, site, monkeypatch):
        self.three(site)
        result = self.said(site, monkeypatch, results={"controller2": AWAY, "controller3": AWAY})
        assert [finding[0] for finding in told(result)] == ["host controller2", "host controller3"]

    def test_a_host_that_can_not_be_looked_at(self, site, monkeypatch):
        (finding,) = told(self.said(site, monkeypatch, results={"compute1": {"msg": "Missing sudo password"}}))
        assert finding[0] == "host compute1"
        assert finding[1] == "Missing sudo password"
        assert "Python 3" in finding[3]

    def test_who_was_left_out_is_said_at_the_end(self, site, monkeypatch):
        result = site.said(monkeypatch, "end", more={"cairn_skipped": {"compute2": AWAY["msg"]}})
        assert result.get("msg") is None
        (warning,) = site.warnings
        assert warning.startswith("[WARNING]: host compute2: skipped: ssh: No route to host")

    @pytest.mark.parametrize(
        "share", ["192.0.2.11:/srv", "controller1:/srv", "[2001:db8::1]:/srv", "203.0.113.11:/srv"]
    )
    def test_two_services_on_one_port(self, site, monkeypatch, share):
        """A controller exports volumes, and the shares of Manila."""
        shares = {**CEPH, "serves": ["volumes", "shares"]}
        both(stored(shares, {**NFS, "share": share}), given(cloud_services=["manila"]))(site)
        found = {"interfaces": nic("eth1", addresses=["203.0.113.11/24", "2001:db8::1/64"])}
        disks = {"devices": {"/dev/sdb": EMPTY, "/dev/sdc": OTHER}}
        (finding,) = told(self.said(site, monkeypatch, {"controller1": found, "storage1": disks}))
        assert finding == (
            "host controller1",
            "port 2049 (tcp) for manila's nfs-ganesha and nfs",
            "one service for each port of a host",
            (
                "Give manila or nfs another port, take one of them out of the cloud, or move what it serves to a host"
                " without the other."
            ),
        )

    def test_two_services_on_one_port_of_two_hosts(self, site, monkeypatch):
        shares = {**CEPH, "serves": ["volumes", "shares"]}
        both(stored(shares, {**NFS, "share": "192.0.2.15:/srv"}), given(cloud_services=["manila"]))(site)
        disks = {"devices": {"/dev/sdb": EMPTY, "/dev/sdc": OTHER}}
        assert told(self.said(site, monkeypatch, {"storage1": disks})) == []

    @pytest.mark.parametrize("path", INVENTORIES, ids=lambda path: str(path.relative_to(ROOT)))
    def test_the_catalog_has_each_port_once(self, site, monkeypatch, path):
        """With all optional services, on the hosts of each inventory."""
        every = [name for name, one in definitions.load(sources.shipped(), {}).items() if one["optional"]]
        (site.directory / "services.yml").write_text(yaml.safe_dump({"all": {"vars": {"cloud_services": every}}}))
        loader = DataLoader()
        inventory = InventoryManager(loader, [str(path)])
        manager, facts = VariableManager(loader, inventory), {}
        for number, host in enumerate(inventory.get_hosts()):
            if {group.name for group in host.groups} & {*topology.NODE_GROUPS}:
                address = manager.get_vars(host=host).get("ansible_host", f"192.0.2.{number + 50}")
                facts[host.name] = {"cairn_probe": probe(address), "preflight_probe": {"ansible_facts": {}}}
        listeners, counts = hosts._listeners, []

        def counted(host):
            found = listeners(host)
            counts.append(len(found))
            return found

        monkeypatch.setattr(hosts, "_listeners", counted)
        given_sources = [str(path), str(site.directory / "services.yml")]
        more = {"ansible_play_hosts_all": list(facts)}
        found = told(site.said(monkeypatch, "hosts", facts, more, given_sources))
        assert [finding for finding in found if finding[1].startswith("port ")] == []
        assert len(counts) == len(facts)
        assert max(counts) > 30

    @pytest.mark.parametrize(
        ("ports", "clash"),
        [
            ([{"port": 9999, "unit": "oven"}], "lamp's lamp-api and oven's oven"),
            ([{"port": 9999}], "lamp's lamp-api and oven"),
            # The load balancer has the addresses of the cloud.
            ([{"port": 443, "loopback": False}], "the load balancer for lamp's lamp-api and oven"),
            ([{"port": 9998, "unit": "oven"}], ""),
            ([{"port": 9999, "protocol": "udp", "unit": "oven"}], ""),
            ([{"port": "9990-9999", "unit": "oven"}], ""),
            ([{"port": 9999, "unit": "oven", "interface": "eth1"}], ""),
            # It opens the port of the other to more hosts.
            ([{"port": 9999, "unit": "lamp.service"}], ""),
            # The host's own ssh server, as another definition says too.
            ([{"port": 22}], ""),
            ([{"port": 22, "unit": "oven"}], "base and oven's oven"),
        ],
    )
    def test_who_listens_where(self, ports, clash):
        api = {"name": "lamp-api", "port": 9999, "unit": "lamp.service", "frontend_port": {"http": 443}, "health": "/"}
        catalog = {
            "base": {"state": "present", "apis": [], "ports": [{"port": 22, "from": []}]},
            "lamp": {"state": "present", "apis": [api], "ports": [{"port": 9999, "unit": "lamp.service", "from": []}]},
            "oven": {"state": "present", "apis": [], "ports": [{"from": [], **port} for port in ports]},
        }
        values = {"cloud_internal_address": "192.0.2.1", "cloud_public_address": "192.0.2.1"}
        host = hosts.Host("x", "192.0.2.1", {"controller"}, {}, settings.Settings("x", values), catalog)
        host.ports, host.apis = definitions.ports(catalog, host.groups), definitions.apis(catalog, "http")
        found = [finding.found.partition(") for ")[2] for finding in hosts._shared_ports(host)]
        assert found == ([clash] if clash else [])

    @pytest.mark.parametrize(("address", "clashes"), [("192.0.2.1", False), ("192.0.2.9", True)])
    def test_the_load_balancer_of_several_controllers_has_their_own_addresses_too(self, address, clashes):
        """Beside the API's own on the loopback address, on the same port."""
        api = {"name": "lamp-api", "port": 9999, "frontend_port": {"http": 80}, "health": "/"}
        oven = {"port": 9999, "loopback": False, "from": []}
        catalog = {
            "lamp": {"state": "present", "apis": [api], "ports": []},
            "oven": {"state": "present", "apis": [], "ports": [oven]},
        }
        values = {"cloud_internal_address": address, "cloud_public_address": address}
        host = hosts.Host("x", "192.0.2.1", {"controller"}, {}, settings.Settings("x", values), catalog)
        host.apis = definitions.apis(catalog, "http")
        assert list(hosts._shared_ports(host)) == []
        host.ports = definitions.ports(catalog, host.groups)
        assert bool(list(hosts._shared_ports(host))) == clashes

    def test_what_is_present_counts(self):
        """The sum has the units of the host's groups, once each."""
        values = settings.Settings("x", {"cloud_workers": 0})
        definition = {
            "units": [{"name": "a", "groups": ["network", "compute"], "memory": 10}, {"name": "b", "memory": 1}]
        }
        host = hosts.Host("x", "192.0.2.1", {"network", "compute"}, {"cpus": 2}, values, {"lamp": definition})
        assert hosts.memory_needed(host) == [(hosts.SYSTEM_MB, "system"), (10, "lamp")]

    def test_a_unit_that_another_program_may_start_counts(self):
        values = settings.Settings("x", {"cloud_workers": 2})
        units = [{"name": state, "memory": 10, "state": state} for state in ("started", "kept", "any", "stopped")]
        host = hosts.Host("x", "192.0.2.1", {"controller"}, {"cpus": 2}, values, {"lamp": {"units": units}})
        assert hosts.memory_needed(host) == [(hosts.SYSTEM_MB, "system"), (20, "lamp")]

    def test_the_host_s_own_units_count(self, site, monkeypatch):
        """A host with volumes needs nothing for the objects and the Ceph of another one."""
        there = {"hosts": ["storage1"]}
        stored({**CEPH, **there, "serves": ["images"]}, SWIFT | there, LVM, devices=4)(site)
        for disk, backend in zip(site.hosts["storage"]["storage1"]["storage_devices"], "ccoo", strict=True):
            disk["backend"] = {"c": "ceph", "o": "objects"}[backend]
        disk = {"path": "/dev/sdb", "backend": "lvm"}
        site.hosts["storage"]["storage2"] = {"ansible_host": "192.0.2.16", "storage_devices": [disk]}
        disks = {f"/dev/sd{letter}": {**EMPTY, "real": letter, "number": letter} for letter in "bcde"}
        devices = {"devices": disks, "memory_mb": 150}
        found = told(self.said(site, monkeypatch, {"storage1": devices, "storage2": devices}))
        sums = {finding[0]: finding[2] for finding in found}
        assert "swift" in sums["host storage1"]
        assert "ceph" in sums["host storage1"]
        assert sums["host storage2"] == "370 MiB or more: 200 system + 170 cinder"
