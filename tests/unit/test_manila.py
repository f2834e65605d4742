# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Manila's driver and its NFS server run on the controller with the cloud's address, and know CephFS."""

from __future__ import annotations

import configparser
import json
import subprocess
from types import SimpleNamespace

import pytest
import resolving
from ansible_collections.cairn.openstack.plugins.module_utils.common import options
from ansible_collections.cairn.openstack.plugins.plugin_utils.catalog import definitions, option_index
from programs import program_of

ADDRESSES = {"c1": "192.0.2.11", "c2": "192.0.2.12", "c3": "192.0.2.13"}
CEPH = {"name": "blue", "kind": "ceph", "serves": ["volumes", "images", "shares"]}
PARTS = ["controller", "storage"]


def resolved(tmp_path, number, host="c1"):
    """Return what *host* shall have in a cloud of so many controllers, each with a device for Ceph."""
    devices = [{"path": "/dev/sdb"}]
    hosts = {
        name: {"groups": PARTS, "address": ADDRESSES[name], "storage_devices": devices}
        for name in list(ADDRESSES)[:number]
    }
    address = "192.0.2.9" if number > 1 else ADDRESSES["c1"]
    given = {"cloud_services": ["manila"], "cloud_internal_address": address, "cloud_storage": [CEPH]}
    return resolving.resolve(hosts, host, tmp_path, given)


def unit(model, name):
    """Return a unit of Manila."""
    (found,) = [one for one in model.definitions["manila"]["units"] if one["name"] == name]
    return found


@pytest.mark.parametrize(("number", "address"), [(1, "192.0.2.11"), (3, "192.0.2.9")])
def test_shares_are_in_ceph_and_at_the_clouds_address(tmp_path, number, address):
    model = resolved(tmp_path, number)
    files = resolving.files(model, "manila", PARTS)
    sections = files["manila.conf"]["sections"]
    assert sections["DEFAULT"]["enabled_share_backends"] == ["blue"]
    assert sections["DEFAULT"]["enabled_share_protocols"] == ["NFS"]
    assert sections["blue"]["cephfs_ganesha_server_ip"] == address
    assert sections["blue"]["cephfs_filesystem_name"] == "shares"
    assert sections["blue"]["ganesha_rados_store_pool_name"] == "shares.exports"
    ganesha = files["ganesha.conf"]["content"]
    assert "%url rados://shares.exports/ganesha-export-index" in ganesha
    assert 'pool = "shares.exports";' in ganesha
    assert f"Bind_addr = {address};" in ganesha
    key = model.cloud["secrets"]["manila_cephx"]
    assert f"key = {key}" in files["manila.keyring"]["content"]
    assert "nfs-ganesha-ceph" in model.definitions["manila"]["packages"]["controller"]
    users = {user["name"]: user for user in model.cloud["ceph"]["users"]}
    assert users["client.manila"]["key"] == key
    ports = [(one["port"], one["from"]) for one in model.cloud["ports"] if one["definition"] == "manila"]
    assert ports == [(2049, ["public"])]


@pytest.mark.parametrize("number", [1, 3])
def test_manila_knows_its_options(tmp_path, number):
    sections = resolving.files(resolved(tmp_path, number), "manila", PARTS)["manila.conf"]["sections"]
    assert options.findings("manila", "manila.conf", sections, option_index.shipped("manila")) == []


def test_one_service_for_all_controllers(tmp_path):
    """A share names the service that created it; so it must not be a controller's."""
    found = {resolving.files(resolved(tmp_path, 3, host), "manila", PARTS)["share"]["content"] for host in ("c1", "c2")}
    (text,) = found
    assert "Environment=OS_DEFAULT__HOST=blue\n" in text
    assert "mds stat" in text


def test_a_process_is_down_when_the_scheduler_says_so(tmp_path):
    """It lists one that has died as up, and judges by the default of service_down_time."""
    model = resolved(tmp_path, 3)
    (listed,) = definitions.process_lists(model.definitions["manila"], model.cloud)
    assert (listed["reported"], listed["down_after"]) == ("updated_at", 60)
    assert listed["runs_on"]["manila-share"] == ["c1", "c2", "c3"]


def test_one_controller_starts_them_itself(tmp_path):
    model = resolved(tmp_path, 1)
    for name in ("manila-share", "nfs-ganesha"):
        assert (unit(model, name)["state"], unit(model, name)["enabled"]) == ("started", True)
    assert resolving.files(model, "manila", PARTS)["address_service"]["state"] == "absent"
    # One of a cloud that had several.
    address = unit(model, "cairn-manila-address")
    assert (address["state"], address["enabled"]) == ("stopped", False)


def test_of_several_controllers_the_one_with_the_address_runs_them(tmp_path):
    model = resolved(tmp_path, 3)
    for name in ("manila-share", "nfs-ganesha"):
        assert (unit(model, name)["state"], unit(model, name)["enabled"]) == ("kept", False)
    text = resolving.files(model, "manila", PARTS)["address_service"]["content"]
    parser = configparser.ConfigParser(strict=False)
    parser.read_string(text)
    command = parser["Service"]["ExecStart"]
    assert command == "/usr/local/sbin/cairn-address-units 192.0.2.9 nfs-ganesha manila-share"


def test_metadata_servers(tmp_path):
    for host, there in (("c1", True), ("c2", True), ("c3", False)):
        model = resolved(tmp_path, 3, host)
        files = resolving.files(model, "ceph", PARTS)
        assert ("mds" in files) == there
        assert ("ceph-mds" in model.definitions["ceph"]["packages"]["storage"]) == there
        if there:
            assert files["mds"]["content"].startswith(f"[mds.{host}]\nkey = ")
            assert f"--mds_cache_memory_limit={8000 // 16 * 2**20} " in files["mds-cache"]["content"]


class TestAddress:
    """The program that starts and stops them."""

    @pytest.fixture
    def host(self, monkeypatch):
        """Return a host, which has the address or not, and the states of its units."""
        program = program_of("cairn_address_units")
        host = SimpleNamespace(program=program, has=True, states={}, done=[])

        def run(command, **_options):
            if command[0] == "ip":
                found = json.dumps([{"ifname": "eth0"}] if host.has else [])
                return subprocess.CompletedProcess(command, 0, found)
            if command[1] == "is-active":
                text = "".join(f"{host.states[name]}\n" for name in command[2:])
                return subprocess.CompletedProcess(command, 0, text)
            host.done.append(command[1:])
            return subprocess.CompletedProcess(command, 0)

        monkeypatch.setattr(program.subprocess, "run", run)
        return host

    @pytest.mark.parametrize(
        ("has", "first", "second", "done"),
        [
            (True, "inactive", "inactive", [["start", "--no-block", "a", "b"]]),
            (True, "active", "failed", [["start", "--no-block", "b"]]),
            (True, "active", "activating", []),
            (False, "active", "activating", [["stop", "b"], ["stop", "a"]]),
            (False, "inactive", "failed", []),
        ],
    )
    def test_units_follow_the_address(self, host, has, first, second, done):
        host.has, host.states = has, {"a": first, "b": second}
        host.program.settle("192.0.2.9", ["a", "b"])
        assert host.done == done
