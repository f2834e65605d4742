"""What a lab host is, out of its line in the inventory."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.cairn.openstack.plugins.filter.lab_hosts import lab_hosts
from ansible_collections.cairn.openstack.plugins.module_utils.testing.lab import fleet, seed
from ansible_collections.cairn.openstack.plugins.module_utils.testing.lab.host import Host, Lab
from ansible_collections.cairn.openstack.plugins.module_utils.testing.lab.run import LabError

NETWORKS = {"management": "10.203.0.0/24", "tunnel": "10.203.1.0/24", "external": "10.203.2.0/24"}


@pytest.fixture
def lab(tmp_path):
    return Lab(str(tmp_path), "cairn", NETWORKS)


def test_three_cards(lab):
    nics = Host(lab, "compute1", "10.203.0.13").nics()
    assert [nic.name for nic in nics] == ["eth0", "eth1", "eth2"]
    assert [nic.bridge for nic in nics] == ["cairn-mgmt", "cairn-tun", "cairn-ext"]
    assert [nic.address for nic in nics] == ["10.203.0.13/24", "10.203.1.13/24", None]
    assert [nic.gateway for nic in nics] == ["10.203.0.1", None, None]


def test_one_card_on_the_external_network(lab):
    host = Host(lab, "edge", "10.203.2.30", ("external",))
    host.check()
    (nic,) = host.nics()
    assert (nic.name, nic.bridge, nic.address, nic.gateway) == ("eth0", "cairn-ext", "10.203.2.30/24", "10.203.2.1")


def test_names_fit_and_differ(lab):
    names = [f"{'a' * 50}{number}" for number in range(200)]
    outer = [nic.outer for name in names for nic in Host(lab, name, "10.203.0.13").nics()]
    macs = {nic.mac for name in names for nic in Host(lab, name, "10.203.0.13").nics()}
    assert len(set(outer)) == len(macs) == 600
    assert all(len(name) <= 15 for name in outer)


def test_a_card_keeps_its_mac(lab):
    assert Host(lab, "aio1", "10.203.0.10").nics()[0].mac == Host(lab, "aio1", "10.203.0.99").nics()[0].mac


@pytest.mark.parametrize(
    ("name", "address", "networks", "word"),
    [
        ("Compute1", "10.203.0.13", ("management",), "lowercase letters"),
        ("compute1", "", ("management",), "ansible_host must be an address"),
        ("compute1", "compute1", ("management",), "ansible_host must be an address"),
        ("compute1", "192.0.2.1", ("management",), "must be in 10.203.0.0/24"),
        ("compute1", "10.203.0.13", ("external",), "must be in 10.203.2.0/24"),
        ("compute1", "10.203.0.1", ("management",), "which the computer has"),
        ("compute1", "10.203.0.13", ("managment",), "lab_networks must be a list from"),
    ],
)
def test_what_cannot_work_is_refused(lab, name, address, networks, word):
    with pytest.raises(LabError, match=word):
        Host(lab, name, address, networks).check()


def test_two_hosts_with_one_address(lab):
    hosts = [Host(lab, "one", "10.203.0.13"), Host(lab, "two", "10.203.0.13")]
    assert fleet.twice(hosts) == ["two and one have the same address 10.203.0.13"]


@pytest.mark.parametrize("prefix", ["", "cairn-1", "verylong", "UP"])
def test_prefix(prefix, monkeypatch):
    monkeypatch.setattr(fleet.os, "geteuid", lambda: 0)
    with pytest.raises(LabError, match="prefix"):
        fleet.lab_from({"directory": "/nowhere", "prefix": prefix})


def test_only_root(monkeypatch):
    monkeypatch.setattr(fleet.os, "geteuid", lambda: 1000)
    with pytest.raises(LabError, match="root"):
        fleet.lab_from({"directory": "/nowhere", "prefix": "cairn"})


def test_interfaces(lab):
    text = seed.interfaces(Host(lab, "compute1", "10.203.0.13").nics())
    assert "iface eth0 inet static\n    address 10.203.0.13/24\n    gateway 10.203.0.1\n" in text
    assert "iface eth1 inet static\n    address 10.203.1.13/24\n" in text
    assert text.endswith("auto eth2\niface eth2 inet manual\n")
    assert text.count("gateway") == 1


def test_devices_are_only_those_that_there_are():
    lines = seed.devices(("/dev/null", "/dev/no-such-device")).splitlines()
    assert lines == ["c /dev/null 0666 root root - 1:3"]


GROUPS = {"controller": ["a"], "network": ["a"], "compute": ["b", "c"], "lab": ["d"], "other": ["other"]}
VARIABLES = {
    "a": {"ansible_host": "10.203.0.2"},
    "b": {"ansible_host": "10.203.0.3"},
    "c": {"lab_networks": ["external"]},
    "d": {"ansible_host": "10.203.0.5", "lab_emulated": True, "lab_disks": ["4G"], "lab_memory": 1024},
    "other": {},
}


def test_hosts_of_the_inventory():
    assert lab_hosts(GROUPS, VARIABLES) == [
        {"name": "a", "address": "10.203.0.2"},
        {"name": "b", "address": "10.203.0.3"},
        {"name": "c", "address": "", "networks": ["external"]},
        {"name": "d", "address": "10.203.0.5", "emulated": True, "disks": ["4G"], "memory": 1024},
    ]


def test_hosts_by_name():
    assert [host["name"] for host in lab_hosts(GROUPS, VARIABLES, only=["c", "a"])] == ["c", "a"]
    with pytest.raises(AnsibleFilterError, match=r"not in the groups .*: other"):
        lab_hosts(GROUPS, VARIABLES, only=["a", "other"])


def test_a_host_that_exists_is_known_by_its_name(lab):
    host = Host(lab, "edge")
    record = {"name": "edge", "address": "10.203.2.30", "networks": ["external"], "base": "/base"}
    Path(host.path()).mkdir(parents=True)
    Path(host.path("host.json")).write_text(json.dumps(record))
    found = fleet.host_from(lab, {"name": "edge", "address": "", "networks": ["management"]})
    assert (found.address, found.networks) == ("10.203.2.30", ("external",))
    assert lab.bases() == {"/base"}
