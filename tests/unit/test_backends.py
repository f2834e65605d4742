# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What follows from cloud_storage: complete back ends, and a host's options, pools and accounts."""

from __future__ import annotations

import base64
import struct

import pytest
from ansible_collections.cairn.openstack.plugins.filter.storage import storage_serves, volume_types
from ansible_collections.cairn.openstack.plugins.plugin_utils.catalog import backends, sources
from ansible_collections.cairn.openstack.plugins.plugin_utils.catalog.backend_kinds import ceph
from ansible_collections.cairn.openstack.plugins.plugin_utils.control_node.secrets import generate
from resolving import files, resolve

KINDS = backends.kinds({name.removeprefix("catalog_"): one for name, one in sources.shipped().items()})
CEPH = {"name": "ceph", "kind": "ceph"}
LVM = {"name": "lvm", "kind": "lvm", "hosts": ["s1"]}
NFS = {"name": "nfs", "kind": "nfs", "share": "192.0.2.20:/srv"}

USERS = ("ceph_mgr", "ceph_crash", "glance", "cinder", "cinder_backup", "nova", "radosgw")
SECRETS = {f"{name}_cephx": f"{name}'s key" for name in USERS}


def hosts(count=1, devices=2, size=None):
    """Return a controller and as many storage hosts, each with as many devices."""
    found = {"c1": {"name": "c1", "address": "192.0.2.1", "groups": ["controller", "compute"]}}
    for number in range(1, count + 1):
        disks = [{"path": f"/dev/sd{letter}", **({"size": size} if size else {})} for letter in "bcdefg"[:devices]]
        address = f"192.0.2.{10 + number}"
        found[f"s{number}"] = {"name": f"s{number}", "address": address, "groups": ["storage"], "devices": disks}
    return found


def of_host(setting, name, found=None, **facts):
    """Return what the host *name* has of Ceph."""
    found = found or hosts()
    cloud = {
        "identity": "mine",
        "secrets": SECRETS,
        "memory_mb": 8000,
        "playing": list(found),
        "keys": {},
        "ceph_conf": None,
        **facts,
    }
    return {"ceph": ceph.ceph(backends.backends(setting, found, KINDS), found, found[name], cloud)}


ACME = """
description: Volumes on an ACME array
backend:
  can: [volumes]
  keys: {san_ip: {required: true}, san_login: {required: true}}
each_backend:
  - when: "{{ backend.here }}"
    contributes:
      cinder:
        packages: {controller: [python3-acme]}
        config:
          cinder.conf:
            "{{ backend.name }}":
              san_ip: "{{ backend.san_ip }}"
              san_login: "{{ backend.san_login }}"
              volume_driver: acme.cinder.Driver
"""


class TestBackends:
    def test_what_is_unsaid(self):
        (one,) = backends.backends([CEPH], hosts(2), KINDS)
        assert one["serves"] == ["volumes", "images", "backups"]
        assert one["hosts"] == ["s1", "s2"]
        assert one["type"] == "ceph"
        assert one["pools"]["ephemeral"] == "vms"
        assert one["replicas"] == 3

    def test_not_more_copies_than_devices(self):
        assert backends.backends([CEPH], hosts(1, 2), KINDS)[0]["replicas"] == 2

    def test_devices_of_the_only_one_that_takes_any(self):
        one, other = backends.backends([CEPH, NFS], hosts(1, 2), KINDS)
        assert [device["path"] for device in one["devices"]["s1"]] == ["/dev/sdb", "/dev/sdc"]
        assert other["devices"] == {}

    def test_devices_by_name(self):
        found = hosts(1, 2)
        found["s1"]["devices"][1]["backend"] = "objects"
        ceph, swift = backends.backends([CEPH, {"name": "objects", "kind": "swift"}], found, KINDS)
        assert ceph["devices"]["s1"] == []
        assert [device["path"] for device in swift["devices"]["s1"]] == ["/dev/sdc"]

    def test_the_default_comes_first(self):
        found = backends.backends([NFS, {**CEPH, "default": True}], hosts(), KINDS)
        assert [one["name"] for one in backends.serving(found, "volumes")] == ["ceph", "nfs"]

    @pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
    def test_a_kind_serves_what_it_can(self, kind):
        assert set(kind.serves) <= set(kind.can) <= set(backends.USES)


class TestFilters:
    def test_what_is_served(self):
        assert storage_serves({}, [CEPH], "volumes")
        assert not storage_serves({}, [{**CEPH, "serves": ["images"]}], "volumes")
        assert not storage_serves({}, [], "images")

    def test_volume_types(self):
        found = volume_types(
            {}, [{**CEPH, "multiattach": True, "qos": {"total_iops_sec": 9}}, {"name": "f", "kind": "file"}]
        )
        specs = {"volume_backend_name": "ceph", "multiattach": "<is> True"}
        assert found == [{"name": "ceph", "extra_specs": specs, "qos": {"total_iops_sec": 9}}]

    def test_volume_types_that_encrypt(self):
        plain, encrypted = volume_types({}, [{**CEPH, "multiattach": True}], encrypted=True)
        assert "encryption" not in plain
        specs = {"volume_backend_name": "ceph"}
        safe = {"name": "ceph-encrypted", "extra_specs": specs, "encryption": {"provider": "luks"}}
        assert encrypted == plain | safe


class TestOptions:
    """What back ends contribute to the services, resolved as in a run."""

    @pytest.fixture
    def options(self, tmp_path):
        """Return the sections of a service's file on a host, None where the host has no such file."""

        def read(setting, name, service, file, addresses=(), found=None):
            found = {
                host: {key: value for key, value in one.items() if key not in ("name", "devices")}
                | {"storage_devices": one.get("devices", [])}
                for host, one in (found or hosts()).items()
            }
            model = resolve(found, name, tmp_path, {"cloud_storage": setting}, addresses)
            if service not in model.definitions:
                return None
            return files(model, service, found[name]["groups"]).get(file, {}).get("sections")

        return read

    def test_no_storage(self, options):
        found = options([], "c1", "glance", "glance-api.conf")
        assert found["DEFAULT"]["enabled_backends"] == ["fs:file"]
        assert found["glance_store"] == {"default_backend": "fs"}
        assert options([], "c1", "cinder", "cinder.conf") is None

    def test_images_on_files_stay_readable(self, options):
        found = options([CEPH], "c1", "glance", "glance-api.conf")
        assert found["DEFAULT"]["enabled_backends"] == ["fs:file", "ceph:rbd"]
        assert found["glance_store"]["default_backend"] == "ceph"
        assert found["image_conversion"] == {"output_format": "raw"}

    def test_images_kept_as_volumes(self, options):
        found = options([CEPH, {**NFS, "image_cache": 3}], "c1", "cinder", "cinder.conf")
        assert found["nfs"]["image_volume_cache_max_count"] == 3
        assert found["ceph"]["image_volume_cache_enabled"] is None
        assert len(found["DEFAULT"]["cinder_internal_tenant_project_id"]) == 32
        found = options([CEPH], "c1", "cinder", "cinder.conf")
        assert found["DEFAULT"]["cinder_internal_tenant_project_id"] is None

    def test_who_serves_volumes(self, options):
        setting = [CEPH, LVM, NFS]
        assert options(setting, "c1", "cinder", "cinder.conf")["DEFAULT"]["enabled_backends"] == ["ceph", "nfs"]
        assert options(setting, "s1", "cinder", "cinder.conf")["DEFAULT"]["enabled_backends"] == ["lvm"]

    def test_the_default_comes_first(self, options):
        setting = [CEPH, {**NFS, "default": True}]
        assert options(setting, "c1", "cinder", "cinder.conf")["DEFAULT"]["enabled_backends"] == ["nfs", "ceph"]

    def test_a_volume_over_several_networks(self, options):
        setting = [{**LVM, "networks": ["198.51.100.0/24", "203.0.113.0/24"]}]
        nics = ["127.0.0.1/8", "::1/128", "198.51.100.11/24", "203.0.113.11/24"]
        found = options(setting, "s1", "cinder", "cinder.conf", nics)
        assert found["lvm"]["target_secondary_ip_addresses"] == ["198.51.100.11", "203.0.113.11"]
        assert options(setting, "c1", "nova", "nova-compute.conf")["libvirt"]["volume_use_multipath"] is True

    def test_a_volume_over_one_network(self, options):
        assert options([LVM], "s1", "cinder", "cinder.conf")["lvm"]["target_secondary_ip_addresses"] is None
        assert "volume_use_multipath" not in options([LVM], "c1", "nova", "nova-compute.conf")["libvirt"]

    def test_a_share_that_controllers_do_not_mount(self, options):
        setting = [LVM, {**NFS, "hosts": ["s1"]}]
        assert options(setting, "c1", "cinder", "cinder.conf")["DEFAULT"]["enabled_backends"] == []
        found = options(setting, "s1", "cinder", "cinder.conf")
        assert found["DEFAULT"]["enabled_backends"] == ["lvm", "nfs"]
        assert found["nfs"]["backend_host"] == "nfs"

    def test_who_makes_backups(self, options):
        for one, controllers, host in (
            (NFS, True, False),
            ({**NFS, "hosts": ["s1"]}, False, True),
            (CEPH, True, False),
            ({"name": "objects", "kind": "swift"}, True, False),
        ):
            setting = [{**one, "serves": ["backups"]}, {**LVM, "hosts": ["s1"]}]
            drivers = [
                "backup_driver" in options(setting, name, "cinder", "cinder.conf")["DEFAULT"] for name in ("c1", "s1")
            ]
            assert drivers == [controllers, host]

    def test_a_share_has_snapshots_that_root_makes_and_cinder_reads(self, options):
        found = options([NFS], "c1", "cinder", "cinder.conf")["nfs"]
        assert found["nfs_snapshot_support"]
        assert found["nas_secure_file_operations"] is False
        assert found["nas_secure_file_permissions"] is False

    def test_the_same_secret_in_cinder_and_in_libvirt(self, tmp_path):
        found = {name: {**one, "storage_devices": one.get("devices", [])} for name, one in hosts().items()}
        model = resolve(found, "c1", tmp_path, {"cloud_storage": [CEPH]})
        cinder = files(model, "cinder", ["controller"])["cinder.conf"]["sections"]
        libvirt = [file["path"] for file in files(model, "libvirt", ["compute"]).values()]
        assert f"/etc/libvirt/secrets/{cinder['ceph']['rbd_secret_uuid']}.base64" in libvirt

    def test_servers_own_disks(self, options):
        assert "rbd_user" not in options([CEPH], "c1", "nova", "nova-compute.conf")["libvirt"]
        found = options([{**CEPH, "serves": ["ephemeral"]}], "c1", "nova", "nova-compute.conf")["libvirt"]
        assert found["images_rbd_pool"] == "vms"
        assert found["images_rbd_glance_store_name"] is None

    def test_a_drivers_file_of_the_users_own(self, tmp_path):
        """A vendor's driver for Cinder is a file: its options, its packages, its volume type."""
        (tmp_path / "catalog").mkdir()
        (tmp_path / "catalog/acme.yml").write_text(ACME)
        found = {name: {**one, "storage_devices": []} for name, one in hosts().items()}
        setting = [{"name": "gold", "kind": "acme", "san_ip": "192.0.2.50", "san_login": "cairn"}]
        model = resolve(found, "c1", tmp_path, {"cloud_storage": setting})
        sections = files(model, "cinder", ["controller"])["cinder.conf"]["sections"]
        assert sections["DEFAULT"]["enabled_backends"] == ["gold"]
        assert sections["gold"]["volume_backend_name"] == "gold"
        assert sections["gold"]["volume_driver"] == "acme.cinder.Driver"
        assert sections["gold"]["san_ip"] == "192.0.2.50"
        assert "python3-acme" in model.definitions["cinder"]["packages"]["controller"]
        assert "cinder-volume" in model.definitions["cinder"]["packages"]["controller"]
        context = {"catalog_dir": f"{tmp_path}/catalog"}
        assert [one["name"] for one in volume_types(context, setting)] == ["gold"]


class TestCeph:
    def test_one_host_has_all_of_it(self):
        ceph = of_host([CEPH], "s1")["ceph"]
        assert ceph["member"]
        assert ceph["monitor"]
        assert [pool["apart"] for pool in ceph["pools_wanted"]] == ["osd"] * 4
        assert ceph["conf"]["global"]["mon_host"] == "192.0.2.11"

    def test_three_hosts(self):
        found = hosts(4)
        one, last = (of_host([CEPH], name, found)["ceph"] for name in ("s1", "s4"))
        assert [host["name"] for host in one["monitors"]] == ["s1", "s2", "s3"]
        assert [pool["apart"] for pool in one["pools_wanted"]] == ["host"] * 4
        assert last["member"]
        assert not last["monitor"]
        assert last["pools_wanted"] == last["users"] == []

    def test_two_hosts_have_one_monitor(self):
        """With two, each would be lost without the other."""
        assert [host["name"] for host in of_host([CEPH], "s1", hosts(2))["ceph"]["monitors"]] == ["s1"]

    def test_somebody_of_the_run_sees_to_pools(self):
        found = hosts(3)
        assert of_host([CEPH], "s2", found, playing=["s2"])["ceph"]["pools_wanted"]

    def test_the_least_rights(self):
        users = {one["name"]: one for one in of_host([{**CEPH, "serves": ["volumes"]}], "s1")["ceph"]["users"]}
        assert list(users) == ["mgr.s1", "client.crash", "client.cinder"]
        assert users["client.cinder"]["caps"]["osd"] == "profile rbd pool=volumes"

    def test_clones_of_images_are_read(self):
        users = {one["name"]: one for one in of_host([CEPH], "s1")["ceph"]["users"]}
        osd = users["client.cinder"]["caps"]["osd"]
        assert osd == "profile rbd pool=volumes, profile rbd-read-only pool=images"

    def test_gateways_reach_the_pools_of_objects_alone(self):
        ceph = of_host([{**CEPH, "serves": ["images", "objects"]}], "s1")["ceph"]
        gateway = next(one for one in ceph["users"] if one["name"] == "client.rgw.c1")
        assert gateway == {
            "name": "client.rgw.c1",
            "key": "radosgw's key",
            "caps": {"mon": "allow r", "osd": "allow rwx tag rgw *=*"},
        }
        pools = {pool["name"]: pool for pool in ceph["pools_wanted"]}
        assert pools["default.rgw.buckets.data"]["application"] == pools[".rgw.root"]["application"] == "rgw"
        assert pools["images"]["application"] == "rbd"
        assert {pool["apart"] for pool in pools.values()} == {"osd"}

    def test_metrics_are_objects_of_a_pool(self):
        serving = [{**CEPH, "serves": ["metrics"]}]
        ceph = of_host(serving, "s1")["ceph"]
        assert {pool["name"]: pool["application"] for pool in ceph["pools_wanted"]}["metrics"] == "rados"
        # A cloud without Gnocchi has no key for it.
        assert "client.gnocchi" not in {user["name"] for user in ceph["users"]}
        users = of_host(serving, "s1", secrets={**SECRETS, "gnocchi_cephx": "gnocchi's key"})["ceph"]["users"]
        caps = {"mon": "allow r", "osd": "allow rwx pool=metrics"}
        assert {"name": "client.gnocchi", "key": "gnocchi's key", "caps": caps} in users

    def test_a_file_system_of_shares(self):
        serving = [{**CEPH, "serves": ["shares"]}]
        secrets = {**SECRETS, "ceph_mds_cephx": "the metadata servers' key", "manila_cephx": "manila's key"}
        found = hosts(3)
        ceph = of_host(serving, "s1", found, secrets=secrets)["ceph"]
        applications = {pool["name"]: pool["application"] for pool in ceph["pools_wanted"]}
        assert applications == {
            "shares": "cephfs",
            "shares.metadata": "cephfs",
            "shares.exports": "rados",
            ".mgr": "mgr",
        }
        assert ceph["filesystems_wanted"] == [{"name": "shares", "data": "shares", "metadata": "shares.metadata"}]
        users = {user["name"]: user for user in ceph["users"]}
        assert users["mds.s2"]["key"] == "the metadata servers' key"
        assert users["client.manila"]["caps"]["osd"] == "allow rwx pool=shares.exports"
        # One serves, one stands by.
        assert [name for name in found if of_host(serving, name, found, secrets=secrets)["ceph"]["mds"]] == ["s1", "s2"]
        assert of_host(serving, "s2", found, secrets=secrets)["ceph"]["filesystems_wanted"] == []

    def test_no_metadata_servers_without_shares(self):
        ceph = of_host([CEPH], "s1")["ceph"]
        assert (ceph["mds"], ceph["filesystem"], ceph["filesystems_wanted"]) == (False, {}, [])

    @pytest.mark.parametrize("count", [2, 3])
    def test_ceph_takes_so_many_groups_of_a_device(self, count):
        """Pools of an earlier run have as many as they got then."""
        everything = {**CEPH, "serves": ["volumes", "images", "backups", "objects", "ephemeral"]}
        found = hosts(1, count)
        before, now = (
            {pool["name"]: pool["groups"] for pool in of_host([one], "s1", found)["ceph"]["pools_wanted"]}
            for one in (CEPH, everything)
        )
        assert sum({**now, **before}.values()) <= 250

    @pytest.mark.parametrize(("devices", "groups"), [(2, 32), (6, 64)])
    def test_placement_groups_for_the_devices(self, devices, groups):
        pools = of_host([CEPH], "s1", hosts(1, devices))["ceph"]["pools_wanted"]
        assert {pool["name"]: pool["groups"] for pool in pools} == {
            **dict.fromkeys(("volumes", "images", "backups"), groups),
            ".mgr": 1,
        }

    def test_memory_of_its_daemons(self):
        assert of_host([CEPH], "s1")["ceph"]["conf"]["osd"]["osd_memory_target"] == "2000M"
        small = of_host([CEPH], "s1", memory_mb=1000)["ceph"]["conf"]["osd"]
        assert small["osd_memory_target"] == "900M"
        assert of_host([CEPH], "s1", hosts(size="10G"))["ceph"]["conf"]["osd"]["bluestore_cache_size"] == "64M"

    def test_groups_of_devices_that_are_meant_for_them(self):
        found = hosts(1)
        found["s1"]["devices"][0]["backend"] = "lvm"

        def groups(name, found):
            ready = backends.backends([LVM], found, KINDS)
            return backends.of_host(ready, found[name], KINDS)["volume_groups"]

        assert groups("s1", found) == [{"name": "cinder-volumes", "devices": ["/dev/sdb"]}]
        assert groups("s1", hosts(1)) == groups("c1", found) == []
        # The others are Ceph's, which takes what is nobody's by name.
        assert len(of_host([LVM, CEPH], "s1", found)["ceph"]["devices"]) == 1

    @pytest.mark.parametrize(("server", "own"), [("192.0.2.11", True), ("s1", True), ("192.0.2.20", False)])
    def test_a_host_that_has_the_share_itself(self, tmp_path, server, own):
        found = {name: {**one, "storage_devices": []} for name, one in hosts().items()}
        model = resolve(found, "s1", tmp_path, {"cloud_storage": [{**NFS, "share": f"{server}:/srv"}]})
        assert (2049 in [port["port"] for port in model.cloud["ports"]]) is own

    def test_one_that_was_there(self):
        setting = [{**CEPH, "cluster": "/etc/other"}]
        ceph = of_host(setting, "c1", keys={"cinder": "k"}, ceph_conf="[global]\n")["ceph"]
        assert not ceph["own"]
        assert not ceph["member"]
        assert ceph["conf"] == "[global]\n"
        assert ceph["keys"] == {"cinder": "k"}

    def test_a_keys_place(self):
        assert ceph.key_of("[client.x]\n\tkey = AQ==\n\tcaps mon = allow\n") == "AQ=="
        assert ceph.key_of("") == ""

    def test_a_generated_key_is_one(self):
        raw = base64.b64decode(generate("glance_cephx"))
        assert struct.unpack("<HIIH", raw[:12]) == (1, 0, 0, 16)
        assert len(raw) == 28
