# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Each host's part of the cloud, computed by Ansible itself from the shipped inventories."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import resolving
import yaml
from ansible_collections.cairn.openstack.plugins.module_utils.common import ini, options
from ansible_collections.cairn.openstack.plugins.module_utils.overview import pending
from ansible_collections.cairn.openstack.plugins.plugin_utils.catalog import definitions, option_index

HERE = Path(__file__).parent

# A definition of the user: its templates with `cloud` are resolved later.
LAMP = {
    "description": "Light service",
    "packages": {"controller": ["lamp-api"]},
    "databases": [{"name": "lamp"}],
    "db_sync": [{"run": "lamp-manage sync", "unless": {"database": "lamp", "query": "SHOW TABLES"}}],
    "identity": {"services": [{"type": "light"}]},
    "apis": [{"name": "lamp-api", "port": 9999, "health": "/"}],
    "ports": [
        {"port": 53, "protocol": "udp", "from": ["public", "192.0.2.0/24"]},
        {"port": "5555-5559", "groups": ["compute"], "interface": "eth1", "from": ["nodes"]},
        {"port": 9998, "when": False, "from": ["any"]},
        {"port": 9997, "unit": "lamp-api", "from": []},
    ],
    "units": [{"name": "lamp-api"}],
    "files": {"lamp.conf": {"databases": {"database": "lamp"}}},
    "config": {"lamp.conf": {"DEFAULT": {"bind_host": "{{ cloud.bind }}", "color": "red", "shape": "round"}}},
}
OPTIONS = {
    "catalog_extra": {"lamp": LAMP},
    "cloud_config": {"lamp": {"lamp.conf": {"DEFAULT": {"color": "green", "size": 1}}}},
    "cloud_config_site": {"lamp": {"lamp.conf": {"DEFAULT": {"color": "blue", "shape": None}}}},
}


def probe():
    """What host_probe would find on each host: three nics, the first with the management address."""
    interfaces = {
        name: {"mac": f"52:54:00:00:00:0{number}", "mtu": 1500, "up": True, "addresses": [], "kind": "physical"}
        for number, name in enumerate(("eth0", "eth1", "eth2"))
    }
    interfaces["eth0"]["addresses"] = ["{{ ansible_host }}/24"]
    interfaces["eth1"]["addresses"] = ["198.51.100.{{ ansible_host.split('.') | last }}/24"]
    return {
        "cpus": 4,
        "memory_mb": 8000,
        "hostname": "{{ inventory_hostname }}",
        "interfaces": interfaces,
        "default_interface": "eth0",
        "connection_address": "{{ ansible_host }}",
        "connection_client": "",
        "connection_port": 0,
        "hypervisor": {"type": "qemu", "why": "a test"},
        "ovs_datapath": {"type": "netdev", "why": "a test"},
        "apparmor": False,
        "dns_servers": [],
        "has_cloud_init": False,
        "bridges": None,
        "unconfigured_units": ["ssh", "mariadb", "nova-scheduler", "neutron-metadata-agent"],
        "rings": "{{ found_rings | default({}) if inventory_hostname == 'storage2' else {} }}",
    }


def playbook(root, *arguments):
    """Run ansible-playbook, and return what came of it."""
    return subprocess.run(
        ["ansible-playbook", *arguments],
        cwd=root,
        env={**os.environ, "ANSIBLE_CONFIG": str(root / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def parts(root, directory, inventory, options=None, limit="all", status=0):
    """Run the playbook, which ends with *status*; returns every host's part by name."""
    variables = {
        "results": str(directory),
        "cloud_secrets_dir": str(directory / "secrets"),
        "found": probe(),
        **(options or {}),
    }
    (directory / "variables.yml").write_text(yaml.safe_dump(variables))
    inventory = root / "inventories" / inventory
    said = playbook(
        root, "-i", inventory, HERE / "files/desired_state.yml", "-e", f"@{directory}/variables.yml", "--limit", limit
    )
    assert said.returncode == status, said.stdout + said.stderr
    found = {path.stem: json.loads(path.read_text()) for path in directory.glob("*.json")}
    assert all("secrets" not in part for part in found.values())
    secrets = yaml.safe_load((directory / "secrets/secrets.yml").read_text())
    return {name: {**part, "secrets": secrets} for name, part in found.items()}


# Deprecated, but without it Keystone caches the tokens that it issues, also if `caching` is off.
STILL_NEEDED = {("token", "cache_on_issue")}


@pytest.fixture(scope="module", params=["lab", "lab_aio", "aio", "ha", "multinode", "storage", "stored"])
def shipped(request, root, tmp_path_factory):
    directory = tmp_path_factory.mktemp(request.param)
    return parts(root, directory, stored(directory) if request.param == "stored" else request.param)


def stored(directory):
    """Write an inventory with a storage host of every kind of back end; returns its path."""
    served = ["volumes", "images", "backups", "objects", "ephemeral"]
    everything = [
        {"name": "ceph", "kind": "ceph", "serves": served, "default": True},
        {"name": "lvm", "kind": "lvm"},
        {"name": "nfs", "kind": "nfs", "share": "192.0.2.20:/srv/volumes"},
        {"name": "files", "kind": "file"},
    ]
    host = {"ansible_host": "192.0.2.15", "storage_devices": [{"path": "/dev/sdb"}, {"path": "/dev/sdc"}]}
    groups = {
        name: {"hosts": {"aio1": {"ansible_host": "192.0.2.11"}}} for name in ("controller", "network", "compute")
    }
    groups |= {"storage": {"hosts": {"storage1": host}}, "all": {"vars": {"cloud_storage": everything}}}
    path = directory / "inventory" / "hosts.yml"
    path.parent.mkdir()
    path.write_text(yaml.safe_dump(groups))
    return path


OBJECTS = {
    "name": "objects",
    "kind": "swift",
    "serves": ["objects", "images", "backups"],
    "encryption": True,
    "policies": [
        {"index": 0, "name": "gold"},
        {
            "index": 3,
            "name": "coded",
            "ec_type": "liberasurecode_rs_vand",
            "ec_num_data_fragments": 2,
            "ec_num_parity_fragments": 1,
        },
    ],
}


@pytest.fixture(scope="module")
def swift_lab(root, tmp_path_factory):
    """The lab with three storage hosts for Swift and one that has none of it."""
    directory = tmp_path_factory.mktemp("stored")
    inventory = directory / "inventory"
    shutil.copytree(root / "inventories/lab", inventory, ignore=shutil.ignore_patterns(".secrets"))
    hosts = yaml.safe_load((inventory / "hosts.yml").read_text())
    hosts["storage"] = {
        "hosts": {
            f"storage{number}": {
                "ansible_host": f"10.203.0.2{number}",
                "storage_devices": [
                    {"path": "/srv/node/d1" if number == 3 else "/dev/sdb", "weight": 50, "zone": number}
                ],
            }
            for number in (1, 2, 3, 4)
        }
    }
    (inventory / "hosts.yml").write_text(yaml.safe_dump(hosts))
    backend = {**OBJECTS, "hosts": ["storage1", "storage2", "storage3"]}
    volumes = {"name": "nfs", "kind": "nfs", "share": "192.0.2.20:/srv/volumes"}
    options = {"cloud_storage": [backend, volumes], "found_rings": {"object": 7}}
    return lambda limit="all": parts(root, tmp_path_factory.mktemp("parts"), inventory, options, limit)


@pytest.fixture(scope="module")
def lab(root, tmp_path_factory):
    """Four hosts with a definition and options of the user."""
    return parts(root, tmp_path_factory.mktemp("options"), "multinode", OPTIONS)


def kinds(found):
    """Return one part for each kind of host."""
    return {
        "controller": next(part for part in found.values() if part["databases"]),
        "compute": next(part for part in found.values() if "nova-compute" in names(part)),
        "network": next(part for part in found.values() if "neutron-l3-agent" in names(part)),
    }


def names(part):
    return [unit["name"] for tier in part["units"].values() for unit in tier]


def file(part, path):
    return next(item["content"] for item in part["files"] if item["path"] == path)


class TestShipped:
    def test_every_kind_of_host_is_there(self, shipped):
        assert set(kinds(shipped)) == {"controller", "network", "compute"}

    def test_no_template_is_left(self, shipped):
        for part in shipped.values():
            for item in part["files"] + part["before_packages"]:
                assert "{{" not in item["content"], item["path"]
                assert "{%" not in item["content"], item["path"]

    def test_no_path_twice(self, shipped):
        for part in shipped.values():
            paths = [item["path"] for item in part["files"] + part["before_packages"]]
            assert sorted(set(paths)) == sorted(paths)

    def test_no_unit_twice(self, shipped):
        for part in shipped.values():
            assert sorted(set(names(part))) == sorted(names(part))

    def test_a_unit_is_stopped_before_its_file_is_removed(self, shipped):
        controller = kinds(shipped)["controller"]
        removed = {unit["name"]: (unit["state"], unit["enabled"]) for unit in controller["removed"]["service"]}
        assert removed["nova-purge.timer"] == ("stopped", False)
        assert "nova-purge.timer" not in names(controller)

    def test_what_a_boot_has_started_waits_for_what_it_needs(self, shipped):
        held = [unit["name"] for unit in kinds(shipped)["controller"]["premature_units"]]
        assert "nova-scheduler" in held
        assert not {"ssh", "mariadb"} & set(held)

    def test_units_read_only_what_is_written_or_shipped(self, shipped):
        for part in shipped.values():
            written = {item["path"] for item in part["files"] + part["before_packages"]}
            for tier in part["units"].values():
                for unit in tier:
                    stray = [path for path in unit["watches"] if path.startswith("/etc/") and path not in written]
                    assert stray == [], unit["name"]

    def test_secrets_stay_where_they_belong(self, shipped):
        """No file that others may read holds one; only controllers, and cinder-volume, hold those of databases."""
        for part in shipped.values():
            for item in part["files"] + part["before_packages"]:
                held = [name for name, value in part["secrets"].items() if value in item["content"]]
                if int(item["mode"], 8) & 0o004:
                    assert held == [], item["path"]
                if not part["databases"] and item["path"] != "/etc/cinder/cinder.conf":
                    assert [name for name in held if name.endswith("_database")] == [], item["path"]

    def test_no_option_is_wrong_or_old(self, shipped):
        checked = [item for part in shipped.values() for item in part["files"] if item.get("options_of")]
        assert checked
        for item in checked:
            service, name = item["options_of"].values()
            found = options.findings(service, name, ini.parse(item["content"]), option_index.shipped(service))
            assert [one for one in found if (one.section, one.option) not in STILL_NEEDED] == [], item["path"]

    def test_every_file_of_options_is_checked(self, shipped):
        """One that no index knows would never be."""
        for part in shipped.values():
            for item in part["files"]:
                service = item["path"].split("/")[2]
                if option_index.shipped(service) and "[DEFAULT]" in item["content"]:
                    assert item.get("options_of"), item["path"]

    def test_health_is_asked_where_the_service_listens(self, shipped):
        controller = kinds(shipped)["controller"]
        assert controller["health"]
        assert all(item["url"].startswith(f"http://{controller['bind']}:") for item in controller["health"])


@pytest.mark.parametrize("datapath", ["netdev", "system"])
def test_ports_are_kept_up_where_open_vswitch_is_in_user_space(root, tmp_path, datapath):
    seen = {**probe(), "ovs_datapath": {"type": datapath, "why": "a test"}}
    found = parts(root, tmp_path, "multinode", {"found": seen})
    switched = {name for name, part in found.items() if "openvswitch-switch" in names(part)}
    assert {name for name, part in found.items() if "cairn-taps" in names(part)} == (
        switched if datapath == "netdev" else set()
    )


@pytest.mark.parametrize(
    ("datapath", "apparmor", "emulator", "option"),
    [("netdev", False, True, None), ("netdev", True, False, "false"), ("system", True, False, None)],
)
def test_virtio_leaves_no_checksums_to_open_vswitch_in_user_space(root, tmp_path, datapath, apparmor, emulator, option):
    seen = {**probe(), "ovs_datapath": {"type": datapath, "why": "a test"}, "apparmor": apparmor}
    found = parts(root, tmp_path, "multinode", {"found": seen})
    files = {item["path"]: item for item in found["compute1"]["files"]}
    assert ("/usr/local/bin/qemu-system-x86_64" in files) == emulator
    said = files["/etc/nova/nova-compute.conf"]["content"]
    assert re.findall(r"^use_virtio_for_bridges *= *(\S+)", said, re.MULTILINE) == ([option] if option else [])
    assert not any("qemu-system-x86_64" in item["path"] for item in found["controller1"]["files"])


def test_the_emulator_takes_the_options_of_libvirt_as_they_are(root, tmp_path):
    (tmp_path / "qemu").write_text("#!/bin/sh\nprintf '%s\\n' \"$@\"\n")
    (tmp_path / "qemu").chmod(0o755)
    text = yaml.safe_load((root / "roles/catalog/defaults/main/libvirt.yml").read_text())["catalog_libvirt"]["config"]
    script = text["emulator"].replace("/usr/bin/qemu-system-x86_64", str(tmp_path / "qemu"))
    done = subprocess.run(["sh", "-c", script, "sh", "-name", "a b", ""], capture_output=True, text=True, check=True)
    given = done.stdout.split("\n")[:-1]
    assert given[-3:] == ["-name", "a b", ""]
    assert given[:-3].count("-global") == 6
    assert "virtio-net-device.csum=off" in given


@pytest.fixture(scope="module")
def found(root, tmp_path_factory):
    directory = tmp_path_factory.mktemp("storage")
    return parts(root, directory, stored(directory))


class TestStored:
    def test_daemons_are_where_their_devices_are(self, found):
        ceph = {"ceph-mon@storage1", "ceph-mgr@storage1", "ceph-osd.target", "ceph-crash"}
        assert ceph <= set(names(found["storage1"]))
        assert not ceph & set(names(found["aio1"]))
        assert [device["path"] for device in found["storage1"]["ceph"]["osds"]] == ["/dev/sdb", "/dev/sdc"]
        assert found["aio1"]["ceph"] is None

    def test_volumes_are_served_where_they_can_be(self, found):
        assert "enabled_backends = ceph,nfs\n" in file(found["aio1"], "/etc/cinder/cinder.conf")
        assert "swift" not in file(found["aio1"], "/etc/cinder/cinder.conf")
        assert "enabled_backends = lvm\n" in file(found["storage1"], "/etc/cinder/cinder.conf")
        assert "cinder-volume" in names(found["storage1"])
        assert "cinder-api" not in names(found["storage1"])

    def test_stores_of_images(self, found):
        text = file(found["aio1"], "/etc/glance/glance-api.conf")
        assert "enabled_backends = fs:file,ceph:rbd,files:file\n" in text
        assert "default_backend = ceph\n" in text

    def test_libvirt_and_nova_know_one_secret(self, found):
        text = file(found["aio1"], "/etc/nova/nova-compute.conf")
        secret = next(line.split(" = ")[1] for line in text.splitlines() if line.startswith("rbd_secret_uuid"))
        key = file(found["aio1"], f"/etc/libvirt/secrets/{secret}.base64")
        assert key == found["aio1"]["secrets"]["nova_cephx"]

    def test_objects_have_a_gateway_on_controllers(self, found):
        (unit,) = [one for one in found["aio1"]["units"]["service"] if one["name"] == "ceph-radosgw@rgw.aio1"]
        assert "/etc/cairn/ca.crt" in unit["watches"]
        assert "/etc/ceph/ceph.conf" not in unit["watches"]
        assert not [name for name in names(found["storage1"]) if "radosgw" in name]
        conf = file(found["aio1"], "/etc/ceph/radosgw.conf")
        assert "mon_host = 192.0.2.15\n" in conf
        assert "rgw_frontends = beast endpoint=127.0.0.1:7480\n" in conf
        service = file(found["aio1"], "/etc/systemd/system/ceph-radosgw@.service.d/cairn.conf")
        assert "BindReadOnlyPaths=/etc/cairn/ca.crt:" in service
        assert "server aio1 127.0.0.1:7480\n" in file(found["aio1"], "/etc/haproxy/haproxy.cfg")

    def test_keystone_and_ceph_know_the_gateway(self, found):
        part = found["aio1"]
        users = {one["name"]: one["key"] for one in found["storage1"]["ceph"]["users"]}
        key = file(part, "/etc/ceph/ceph.client.rgw.aio1.keyring")
        assert key == f"[client.rgw.aio1]\nkey = {users['client.rgw.aio1']}\n"
        user = next(one for one in part["identity"]["users"] if one["name"] == "radosgw")
        assert file(part, "/etc/ceph/ceph.client.rgw.aio1.password") == user["password"]
        (service,) = [one for one in part["identity"]["services"] if one["type"] == "object-store"]
        assert service["endpoints"]["public"].endswith(":7480/swift/v1/AUTH_%(project_id)s")

    def test_health_shows_the_log_of_whoever_is_silent(self, found):
        logs = {item["name"]: item["log"] for item in found["aio1"]["health"]}
        assert logs["horizon"] == "/var/log/apache2/error.log"
        assert logs["nova-api"] == "/var/log/nova/nova-api.log"

    def test_a_cloud_without_has_none_of_it(self, lab):
        for part in lab.values():
            assert not [name for name in names(part) if name.startswith(("cinder", "ceph", "radosgw"))]
            assert "8776" not in "".join(item["content"] for item in part["files"])


class TestOptions:
    def test_layers(self, lab):
        text = file(kinds(lab)["controller"], "/etc/lamp/lamp.conf")
        assert "color = blue\n" in text  # the more particular layer wins
        assert "size = 1\n" in text  # and leaves the other's options
        assert "shape" not in text  # null removes

    def test_a_page_of_the_users_own(self, lab):
        controller = kinds(lab)["controller"]
        assert f"bind_host = {controller['bind']}\n" in file(controller, "/etc/lamp/lamp.conf")
        assert "lamp-api" in controller["packages"]
        assert "lamp" in [database["name"] for database in controller["databases"]]
        assert "lamp" in [user["name"] for user in controller["identity"]["users"]]
        assert "lamp_database" in controller["secrets"]
        assert "9999" in file(controller, "/etc/haproxy/haproxy.cfg")

    def test_it_concerns_its_nodes_alone(self, lab):
        assert "lamp-api" not in kinds(lab)["compute"]["packages"]


@pytest.fixture(scope="module")
def objects(swift_lab):
    return swift_lab()


class TestSwift:
    def test_who_has_what(self, objects):
        proxy, node = names(objects["controller1"]), names(objects["storage1"])
        assert [name for name in proxy if name.startswith("swift")] == ["swift-proxy"]
        assert {"rsync", "swift-account", "swift-container", "swift-object", "swift-devices"} <= set(node)
        for host in ("storage4", "compute1"):
            assert [name for name in names(objects[host]) if name.startswith("swift")] == []
            assert not any("swift" in package for package in objects[host]["packages"])

    def test_no_secret_for_others(self, objects):
        for part in objects.values():
            for item in part["files"]:
                if any(value in item["content"] for value in part["secrets"].values()):
                    assert int(item["mode"], 8) & 0o007 == 0, item["path"]
        assert "encryption_root_secret" in file(objects["controller1"], "/etc/swift/keymaster.conf")
        assert "/etc/swift/keymaster.conf" not in [item["path"] for item in objects["storage1"]["files"]]

    def test_rings_of_the_inventory(self, objects):
        """Each host has them all, so that any host of the run can carry the task that runs once."""
        asks, *others = ({**part["rings"], "files": ""} for part in objects.values())
        assert all(other == asks for other in others)
        rings = {ring["name"]: ring for ring in asks["rings"]}
        assert sorted(rings) == ["account", "container", "object", "object-3"]
        assert rings["object-3"]["replicas"] == 3
        assert rings["account"]["devices"][1] == {
            "host": "storage2",
            "ip": "10.203.0.22",
            "port": 6202,
            "device": "sdb",
            "region": 1,
            "zone": 2,
            "weight": 50,
        }
        assert (asks["change"], asks["controller"], asks["seen"]) == (True, "controller1", {"object": 7})
        given = {name: part["rings"]["files"] for name, part in objects.items()}
        assert (given["controller1"], given["storage1"], given["storage4"]) == ("controller", "storage", "")

    def test_a_part_of_the_hosts_changes_no_ring(self, swift_lab):
        (part,) = swift_lab("storage3").values()
        assert (part["rings"]["change"], part["rings"]["controller"]) == (False, "controller1")

    def test_disks_are_mounted_and_folders_are_not(self, objects):
        assert file(objects["storage1"], "/etc/fstab").startswith(
            "/dev/sdb /srv/node/sdb xfs noatime,nofail,x-systemd.m"
        )
        assert "WantsMountsFor=/srv/node/sdb\n" in file(
            objects["storage1"], "/etc/systemd/system/swift-devices.service"
        )
        assert "for disk in /srv/node/sdb; do" in file(objects["storage1"], "/etc/systemd/system/swift-devices.service")
        assert "mount_check = true" in file(objects["storage1"], "/etc/swift/object-server.conf")
        assert "mount_check = false" in file(objects["storage3"], "/etc/swift/object-server.conf")
        assert "--owner=swift --group=swift /srv/node/d1" in file(
            objects["storage3"], "/etc/systemd/system/swift-devices.service"
        )

    def test_a_disk_that_is_not_mounted_is_noticed(self, objects):
        def noticed(host):
            (unit,) = [one for one in objects[host]["units"]["infrastructure"] if one["name"] == "swift-devices"]
            return unit["state_commands"]

        assert noticed("storage1") == ["findmnt --noheadings --output TARGET --mountpoint /srv/node/sdb"]
        assert noticed("storage3") == ["stat --format=%F /srv/node/d1"]

    def test_policies(self, objects):
        text = file(objects["storage1"], "/etc/swift/swift.conf")
        assert "[storage-policy:0]\ndefault = true\ndeprecated = false\nname = gold\n" in text
        assert "ec_num_data_fragments = 2\n" in text
        assert text == file(objects["controller1"], "/etc/swift/swift.conf")
        running = {unit["name"]: unit["state"] for unit in objects["storage1"]["units"]["service"]}
        assert running["swift-object-reconstructor"] == running["swift-container-reconciler"] == "started"
        assert running["swift-container-sharder"] == "stopped"

    def test_no_unit_reads_rings(self, objects):
        for part in objects.values():
            for unit in [unit for tier in part["units"].values() for unit in tier]:
                assert not [path for path in unit["watches"] if path.endswith((".ring.gz", ".builder"))]

    def test_who_reads_the_policies(self, objects):
        """Swift's own units, but for those that do not run; not rsync, the log, or the devices."""
        units = [unit for tier in objects["storage1"]["units"].values() for unit in tier]
        readers = {unit["name"] for unit in units if "/etc/swift/swift.conf" in unit["watches"]}
        idle = {unit["name"] for unit in units if unit["state"] == "stopped"}
        swift = {unit["name"] for unit in units if unit["name"].startswith("swift-")}
        assert readers == swift - idle - {"swift-devices"}

    def test_nobody_else_reaches_its_servers(self, objects):
        rules = file(objects["storage1"], "/etc/cairn/firewall.nft")
        for port in (873, 6200, 6201, 6202):
            assert f"ip saddr @nodes tcp dport {port} accept" in rules
        assert "6200" not in file(objects["storage4"], "/etc/cairn/firewall.nft")

    def test_images_in_swift(self, objects):
        part = objects["controller1"]
        assert "enabled_backends = fs:file,objects:swift\n" in file(part, "/etc/glance/glance-api.conf")
        account = file(part, "/etc/glance/glance-swift.conf")
        assert "[service]\nauth_address = https://" in account
        assert "user = service:glance\n" in account
        assert "python3-swiftclient" in part["packages"]

    def test_backups_of_volumes_trust_the_front(self, objects):
        text = file(objects["controller1"], "/etc/cinder/cinder.conf")
        assert "backup_driver = cinder.backup.drivers.swift.SwiftBackupDriver\n" in text
        assert "backup_swift_ca_cert_file = /etc/cairn/ca.crt\n" in text
        assert "swift_catalog_info = object-store:swift:internalURL\n" in text

    def test_a_cloud_without_passes_by_the_rings(self, root, tmp_path, lab):
        """Ansible looks at where a task would run before it looks whether it does."""
        tasks = yaml.safe_load((root / "roles/host/tasks/main.yml").read_text())
        rings = [task for task in tasks if task["name"] == "Object storage rings"]
        play = {"hosts": "localhost", "gather_facts": False, "vars": {"host_desired": lab["compute1"]}, "tasks": rings}
        (tmp_path / "play.yml").write_text(yaml.safe_dump([play]))
        said = playbook(root, tmp_path / "play.yml")
        assert rings
        assert said.returncode == 0, said.stdout + said.stderr


def test_limit_changes_nothing(root, tmp_path, lab):
    """A host's part is the same when the others are left out, but for the secrets, which differ with the directory."""
    (only,) = parts(root, tmp_path, "multinode", OPTIONS, limit="compute1").values()
    assert [item["path"] for item in only["files"]] == [item["path"] for item in lab["compute1"]["files"]]
    assert only["units"] == lab["compute1"]["units"]
    assert only["packages"] == lab["compute1"]["packages"]


def test_a_host_that_was_left_out_is_out_of_the_run(root, tmp_path, lab):
    """Ansible takes it for unreachable, which drops it from all later plays and shows in the exit code."""
    options = {**OPTIONS, "cairn_skipped": {"compute2": "no route to host"}}
    found = parts(root, tmp_path, "multinode", options, status=4)
    assert set(found) == set(lab) - {"compute2"}
    (step,) = found["controller1"]["registration"]["steps"][0]["steps"]
    assert "compute2" not in step["run"]
    assert "compute1" in step["run"]


# A host that ssh does not reach.
DOWN = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1}


class TestRecords:
    """What a host writes once, the cloud keeps: a reinstalled host gets it back."""

    PATH = "/var/lib/nova/compute_id"

    def test_where_its_writer_runs(self, lab):
        writers = {name for name, part in lab.items() if "nova-compute" in names(part)}
        assert {name for name, part in lab.items() if part["records"]} == writers
        assert {name for name, part in lab.items() if "records" in part["compare"]["first"]} == writers

    def test_a_missing_file_is_pending(self, lab, tmp_path):
        (record,) = lab["compute1"]["records"]
        assert (record["file"]["path"], record["file"]["owner"], record["file"]["mode"]) == (self.PATH, "nova", "0644")
        assert (record["database"], record["query"].split()[:3]) == ("nova", ["SELECT", "host,", "uuid"])
        assert "nova-scheduler" in record["units"]
        assert "nova-compute" not in record["units"]
        step = lab["compute1"]["compare"]["first"]["records"]
        assert step == {"module": "config_files", "options": {"files": [record["file"]]}}
        path = tmp_path / "id"
        step["options"]["files"] = [{**record["file"], "path": str(path)}]
        assert pending.pending({"records": step}) == {"records": True}
        path.write_text("anything")
        assert pending.pending({"records": step}) == {"records": False}

    @pytest.fixture
    def run(self, root, tmp_path, lab):
        """Run the tasks on hosts that lack the file, with a stub in place of the database; return what they did."""
        (tmp_path / "library").mkdir()
        for name in ("host_records", "config_files"):
            (tmp_path / f"library/stub_{name}.py").write_text(STUBS[name])
        text = (root / "roles/host/tasks/records.yml").read_text()
        text = re.sub(r"cairn\.openstack\.(host_records|config_files):", r"stub_\1:", text)
        text = text.replace("hosts: ", "answer: \"{{ hostvars[item].answer | default('all') }}\"\n    hosts: ", 1)
        (tmp_path / "records.yml").write_text(text)
        here = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
        desired = {key: lab["compute1"][key] for key in ("records", "mask")}

        def run(controllers, *arguments, playing=(), lacking=True):
            hosts = {f"compute{number}": here for number in (1, 2)}
            state = {"host_desired": {**desired, "controller": "controller1", "playing": [*hosts, *playing]}}
            state["host_pending"] = {"pending": {"records": lacking, "units": True}}
            groups = {"controller": {"hosts": {name: {**here, **of} for name, of in controllers.items()}}}
            groups["compute"] = {"hosts": hosts, "vars": state}
            (tmp_path / "hosts.yml").write_text(yaml.safe_dump(groups))
            include = {"ansible.builtin.include_tasks": "records.yml"}
            files = {
                "ansible.builtin.debug": {
                    "msg": "{{ inventory_hostname }}={{ host_record_files.wrote | default('none') }}"
                }
            }
            plays = [{"hosts": "compute", "gather_facts": False, "tasks": [include, files]}]
            (tmp_path / "play.yml").write_text(yaml.safe_dump(plays))
            said = playbook(root, "-i", tmp_path / "hosts.yml", tmp_path / "play.yml", *arguments)
            return said, dict(re.findall(r"(compute\d)=(.*)", said.stdout))

        return run

    def test_the_first_controller_that_answers(self, run):
        said, files = run({"controller1": DOWN, "controller2": {}})
        assert said.returncode == 0, said.stdout + said.stderr
        assert files == {"compute1": f"{self.PATH} is uuid-1", "compute2": "none"}

    def test_that_of_the_run_alone(self, run):
        said, files = run({"controller1": {}, "controller2": DOWN}, playing=["controller1"])
        assert said.returncode == 0, said.stdout + said.stderr
        assert files == {"compute1": f"{self.PATH} is uuid-1", "compute2": "none"}

    def test_controllers_without_the_database(self, run):
        said, files = run({"controller1": {"answer": "new"}, "controller2": {"answer": "lacks"}, "controller3": {}})
        assert said.returncode == 0, said.stdout + said.stderr
        assert files == {"compute1": f"{self.PATH} is uuid-1", "compute2": "none"}

    def test_a_new_cloud_has_no_records(self, run):
        said, files = run({"controller1": {"answer": "new"}, "controller2": {"answer": "new"}})
        assert said.returncode == 0, said.stdout + said.stderr
        assert files == {"compute1": "none", "compute2": "none"}

    @pytest.mark.parametrize("other", [{"answer": "lacks"}, DOWN])
    def test_only_controllers_without_the_database_answer(self, run, other):
        said, _files = run({"controller1": {"answer": "new"}, "controller2": other})
        assert said.returncode == 2
        text = " ".join(said.stdout.replace("│", "").split())
        assert f"could be asked for {self.PATH} of this host: controller1: no database; controller2: " in text

    @pytest.mark.parametrize("how", [{"answer": "fails"}, DOWN])
    def test_no_controller_answers(self, run, how):
        said, files = run({"controller1": how})
        assert said.returncode == 2
        text = " ".join(said.stdout.replace("│", "").split())
        assert f"No controller could be asked for {self.PATH} of this host: controller1: " in text
        assert ("MariaDB does not respond" if how is not DOWN else "connect to host 127.0.0.1") in text
        # Only a missing file needs an answer.
        said, files = run({"controller1": how}, lacking=False)
        assert (said.returncode, files) == (0, {"compute1": "none", "compute2": "none"})

    def test_a_plan_goes_on_without_an_answer(self, run):
        said, files = run({"controller1": {"answer": "none"}}, "--check")
        assert (said.returncode, files) == (0, {"compute1": "none", "compute2": "none"})


# The first has a record of compute1; the second returns what it is asked to write.
STUBS = {
    "host_records": """
from ansible.module_utils.basic import AnsibleModule
record = {"file": {"type": "dict"}, "database": {}, "query": {}, "units": {"type": "list"}}
records = {"type": "list", "elements": "dict", "options": record}
spec = {"records": records, "hosts": {"type": "list"}, "answer": {"default": "all"}}
module = AnsibleModule(argument_spec=spec, supports_check_mode=True)
if module.params["answer"] == "fails":
    module.fail_json(msg="MariaDB does not respond")
files = [{**record["file"], "content": "uuid-1"} for record in module.params["records"]]
others = [{"path": "/another/definition's", "content": "x"}]
assert "compute1" in module.params["hosts"] and len(files) == 1
answered, deployed = module.params["answer"] == "all", module.params["answer"] != "new"
why = {} if answered else {"msg": "no database"}
files = {"compute1": files + others} if answered else {}
module.exit_json(changed=False, files=files, answered=answered, deployed=deployed, **why)
""",
    "config_files": """
from ansible.module_utils.basic import AnsibleModule
module = AnsibleModule(argument_spec={"files": {"type": "list"}, "mask": {"type": "list"}}, supports_check_mode=True)
wrote = [f"{file['path']} is {file['content']}" for file in module.params["files"]]
module.exit_json(changed=True, wrote=", ".join(wrote))
""",
}


def test_the_hosts_keep_by_what_they_know_the_cloud(lab):
    records = []
    for name, part in lab.items():
        kept = json.loads(file(part, "/etc/cairn/cloud.json"))
        assert kept.pop("host")["name"] == name
        records.append(kept)
        assert kept["names"] == sorted(part["secrets"])
        assert not [value for value in part["secrets"].values() if value in kept["identity"]]
    assert all(kept == records[0] for kept in records)


def test_wrong_options_are_named_all_at_once(root, tmp_path):
    layers = {
        "cloud_config": {
            "nova": {
                "nova.conf": {"DEFAULT": {"shutdown_timout": 1}, "libvrt": {"virt_type": "qemu"}},
                "nova-compute.conf": {"libvirt": {"num_pcie_ports": 99}},
            },
            "glance": {"glance-apo.conf": {"DEFAULT": {"debug": True}}},
        },
        "cloud_config_site": {"neutron": {"neutron.conf": {"DEFAULT": {"global_physnet_mtu": "{{ 'big' }}"}}}},
        "cloud_known_options": ["nova/nova.conf/site/*"],
        "cloud_config_vouched": {"nova": {"nova.conf": {"site": {"own": 1}}}},
    }
    with pytest.raises(AssertionError) as said:
        parts(root, tmp_path, "lab_aio", layers)
    for sentence in (
        "cloud_config: nova nova.conf [DEFAULT] shutdown_timout: no such option; did you mean shutdown_timeout?",
        "cloud_config: nova nova.conf [libvrt]: no such section; did you mean [libvirt]?",
        "cloud_config: nova nova-compute.conf [libvirt] num_pcie_ports: '99' is not an integer from 0 to 28",
        "cloud_config: glance glance-apo.conf: no such file; did you mean glance-api.conf?",
        "cloud_config_site: neutron neutron.conf [DEFAULT] global_physnet_mtu: 'big' is not an integer",
    ):
        assert sentence in str(said.value)
    assert "[site]" not in str(said.value)


@pytest.mark.parametrize(("size", "state"), [(0, "stopped"), ("2", "started")])
def test_images_are_kept_at_hand_where_asked(root, tmp_path, size, state):
    """A number that comes by -e is a text."""
    (part,) = parts(root, tmp_path, "aio", {"cloud_image_cache": size}).values()
    conf = file(part, "/etc/glance/glance-api.conf")
    assert ("image_cache_max_size = 2147483648\n" in conf) == (state == "started")
    assert f"flavor = keystone{'+cachemanagement' if state == 'started' else ''}\n" in conf
    (timer,) = [unit for unit in part["units"]["service"] if unit["name"] == "glance-cache-pruner.timer"]
    assert timer["state"] == state


def test_no_secret_in_a_fact_cache(root, tmp_path, monkeypatch):
    """A cache of facts is a file that others may read: nothing of a host's part gets there, and no secret."""
    cache = tmp_path / "cache"
    monkeypatch.setenv("ANSIBLE_CACHE_PLUGIN", "jsonfile")
    monkeypatch.setenv("ANSIBLE_CACHE_PLUGIN_CONNECTION", str(cache))
    (part,) = parts(root, tmp_path, "lab_aio").values()
    texts = [path.read_text() for path in cache.rglob("*") if path.is_file()]
    assert [name for text in texts for name, value in part["secrets"].items() if value in text] == []


class TestFirewall:
    """Each host's table of rules is made of what the definitions say that they listen on."""

    def test_a_definition_opens_its_ports(self, lab):
        rules = file(lab["controller1"], "/etc/cairn/firewall.nft")
        assert "    udp dport 53 jump public\n" in rules
        assert "    ip saddr 192.0.2.0/24 udp dport 53 accept\n" in rules
        assert "    ip daddr @cloud tcp dport 9999 jump public\n" in rules
        assert not [port for port in ("5555", "9998", "9997") if port in rules]
        rules = file(lab["compute1"], "/etc/cairn/firewall.nft")
        assert "    iifname eth1 ip saddr @nodes tcp dport 5555-5559 accept\n" in rules
        assert not [port for port in ("dport 53 ", "9999") if port in rules]

    def test_each_node_opens_what_it_runs(self, lab):
        controller = file(lab["controller1"], "/etc/cairn/firewall.nft")
        compute = file(lab["compute1"], "/etc/cairn/firewall.nft")
        assert "ip saddr @nodes tcp dport 5671 accept" in controller
        assert "ip saddr @controllers tcp dport 3306 accept" in controller
        assert "ip saddr @nodes tcp dport 3306" not in controller
        assert "ip saddr @controllers tcp dport 5900-6923 accept" in compute
        assert "udp dport 4789 accept" in compute
        assert "4789" not in controller
        for rules in (controller, compute):
            assert "    tcp dport 22 jump public\n" in rules
            assert "    udp sport 67 udp dport 68 accept\n" in rules
            assert "15672" not in rules

    def test_apis_at_the_cloud_s_addresses(self, lab):
        rules = file(lab["controller1"], "/etc/cairn/firewall.nft")
        assert "    ip daddr @cloud tcp dport 5000 jump public\n" in rules
        assert "    ip daddr @cloud ip saddr @nodes tcp dport 5000 accept\n" in rules
        assert "    tcp dport 5000 jump public\n" not in rules

    def test_compute_hosts_reach_each_other_by_ssh(self, lab):
        """A disk that is not in Ceph is copied by it when its server moves."""
        rule = "    ip saddr @nodes tcp dport 22 accept\n"
        assert rule in file(lab["compute1"], "/etc/cairn/firewall.nft")
        assert rule not in file(lab["controller1"], "/etc/cairn/firewall.nft")

    @pytest.mark.parametrize("sources", [["192.0.2.0/24", "2001:db8::/32"], ["2001:db8::/32"], []])
    def test_sources_of_both_families(self, sources, tmp_path):
        hosts = {"c1": {"groups": ["controller", "network", "compute"], "address": "192.0.2.11"}}
        model = resolving.resolve(hosts, "c1", tmp_path, {"cloud_firewall_sources": sources})
        rules = resolving.files(model, "firewall", hosts["c1"]["groups"])["firewall.nft"]["content"]
        for source in sources:
            assert f"    {'ip6' if ':' in source else 'ip'} saddr {source} accept\n" in rules

    def test_ssh_is_reached_at_the_port_that_the_host_knows(self, tmp_path):
        """Another one is forwarded to it."""
        hosts = {"c1": {"groups": ["controller"], "address": "192.0.2.11", "ansible_port": 2222}}
        one = resolving.resolver(hosts, "c1", tmp_path)
        ports = one.resolve({**resolving.probe("192.0.2.11"), "connection_port": 22}).cloud["ports"]
        assert [port["port"] for port in ports if port["definition"] == "base"] == [22, 68]
        ports = one.resolve(resolving.probe("192.0.2.11")).cloud["ports"]
        assert [port["port"] for port in ports if port["definition"] == "base"] == [2222, 68]


class TestScope:
    """What is done once for the cloud is one controller's: the first that was reached."""

    ONCE = frozenset({"databases", "rabbitmq_users", "db_sync", "identity", "registration", "after_start"})

    @pytest.fixture
    def pending(self, root, tmp_path):
        """Return the steps that each reached controller compares."""

        def found(left_out):
            hosts = {f"controller{number}": {"ansible_host": f"192.0.2.{10 + number}"} for number in (1, 2, 3)}
            groups = {"controller": {"hosts": hosts}}
            path = tmp_path / "inventory/hosts.yml"
            path.parent.mkdir()
            path.write_text(yaml.safe_dump(groups))
            options = {"cloud_internal_address": "192.0.2.9", "cairn_skipped": left_out}
            hosts = parts(root, tmp_path, path, options, status=4 if left_out else 0)
            return {name: set(one["compare"]["steps"]) for name, one in hosts.items()}

        return found

    def test_the_first_takes_them(self, pending):
        found = pending({})
        assert found["controller1"] >= self.ONCE
        assert found["controller2"] == found["controller3"] == {"fernet_keys"}

    def test_another_takes_them_where_the_first_was_not_reached(self, pending):
        found = pending({"controller1": "no route to host"})
        assert found["controller2"] >= self.ONCE
        assert found["controller3"] == {"fernet_keys"}


ONE = {"c1": {"groups": ["controller"], "address": "192.0.2.11"}}


class TestCredentials:
    """The administrator's credentials, and certificates, in whatever place and with whatever password."""

    def files(self, directory, **settings):
        directory.mkdir(parents=True)
        (directory / "secrets.yml").write_text("admin: '0~a:b@c=,'\ncloud: x\n")
        for name in ("ca", "frontend"):
            (directory / f"{name}.crt").write_text("x\n")
        (directory / "frontend.key").write_text("x\n")
        model = resolving.resolve(ONE, "c1", directory, settings)
        one = model.definitions["client"]
        return {file["name"]: file["content"] for file in definitions.files(one, {"operator"}, model.cloud, [])}

    def test_a_path_with_blanks(self, tmp_path):
        directory = tmp_path / "my cloud's dir ä"
        found = self.files(directory)
        said = subprocess.run(
            ["bash", "-c", f"{found['operator-openrc']}\nenv"], capture_output=True, text=True, check=True, env={}
        ).stdout
        assert f"OS_CACERT={directory}/ca.crt\n" in said
        assert "OS_PASSWORD=0~a:b@c=,\n" in said
        (cloud,) = yaml.safe_load(found["operator-clouds.yaml"])["clouds"].values()
        assert cloud["cacert"] == f"{directory}/ca.crt"
        assert cloud["auth"]["password"] == "0~a:b@c=,"

    def test_a_certificate_without_its_last_line_end(self, tmp_path):
        paths = {}
        for name in ("ca", "certificate", "key"):
            path = tmp_path / f"{name}.pem"
            path.write_text(f"-----BEGIN {name}-----\nx\n-----END {name}-----")
            paths[f"cloud_tls_{name}"] = str(path)
        one = resolving.resolver(ONE, "c1", tmp_path / "secrets", paths)
        text = one.resolve(resolving.probe("192.0.2.11")).cloud["frontend"]
        assert text.splitlines()[2:4] == ["-----END certificate-----", "-----BEGIN key-----"]
        assert text.endswith("-----END key-----\n")


@pytest.mark.parametrize(
    ("setting", "of_host", "option"),
    [
        ([], ["192.0.2.53", "192.0.2.54"], "dnsmasq_dns_servers = 192.0.2.53,192.0.2.54\n"),
        (["198.51.100.53"], ["192.0.2.53"], "dnsmasq_dns_servers = 198.51.100.53\n"),
        ([], [], ""),
    ],
)
def test_dns_servers_of_networks_without_any(tmp_path, setting, of_host, option):
    """Else dnsmasq would refuse every name outside the network."""
    hosts = {"c1": {"groups": ["controller", "network"], "address": "192.0.2.11"}}
    one = resolving.resolver(hosts, "c1", tmp_path, {"cloud_dns_servers": setting})
    model = one.resolve({**resolving.probe("192.0.2.11"), "dns_servers": of_host})
    text = resolving.files(model, "neutron", hosts["c1"]["groups"])["dhcp_agent.ini"]["content"]
    assert (option in text) if option else ("dnsmasq_dns_servers" not in text)


@pytest.mark.parametrize(
    ("settings", "largest", "networks"),
    [
        ({}, 1500, None),
        ({"cloud_mtu": 9000}, 9000, None),
        ({"cloud_mtu": 9000, "cloud_external_mtu": 1500}, 9000, {"external": 1500, "vlan": 9000}),
        ({"cloud_external_mtu": 9000}, 9000, {"external": 9000, "vlan": 1500}),
        ({"cloud_mtu": 9000, "cloud_vlan_mtu": "4000"}, 9000, {"external": 9000, "vlan": 4000}),
    ],
)
def test_mtus_of_the_networks(tmp_path, settings, largest, networks):
    """Neutron takes the smaller one of the largest and of a network's own."""
    hosts = {"c1": {"groups": ["controller"], "address": "192.0.2.11"}}
    files = resolving.files(resolving.resolve(hosts, "c1", tmp_path, settings), "neutron", hosts["c1"]["groups"])
    assert f"global_physnet_mtu = {largest}\n" in files["neutron.conf"]["content"]
    ml2 = files["plugins/ml2/ml2_conf.ini"]["content"]
    assert f"path_mtu = {settings.get('cloud_mtu', 1500)}\n" in ml2
    own = ",".join(f"{name}:{mtu}" for name, mtu in (networks or {}).items())
    assert (f"physical_network_mtus = {own}\n" in ml2) if networks else "physical_network_mtus" not in ml2


@pytest.mark.parametrize(
    ("names", "lines"),
    [
        ({}, ["192.0.2.11 cairn.cairn.internal"]),
        ({"cloud_public_name": "192.0.2.11"}, []),
        ({"cloud_public_name": "203.0.113.9", "cloud_internal_name": "inside"}, ["192.0.2.11 inside"]),
    ],
)
def test_names_of_the_endpoints_on_hosts(tmp_path, names, lines):
    """An endpoint by its address needs no line in /etc/hosts."""
    hosts = {"c1": {"groups": ["controller"], "address": "192.0.2.11"}}
    files = resolving.files(resolving.resolve(hosts, "c1", tmp_path, names), "base", hosts["c1"]["groups"])
    assert files["hosts"]["content"].splitlines() == [
        "127.0.0.1 localhost",
        "192.0.2.11 c1.cairn.internal c1",
        *lines,
    ]


def test_caches_of_the_dashboard(tmp_path):
    """Sessions are shared by all controllers; parts of pages end with the process that made them."""
    hosts = {
        name: {"groups": ["controller"], "address": address}
        for name, address in (("c1", "192.0.2.11"), ("c2", "192.0.2.12"))
    }
    settings = {"cloud_internal_address": "192.0.2.9"}
    model = resolving.resolve(hosts, "c1", tmp_path, settings)
    text = resolving.files(model, "horizon", hosts["c1"]["groups"])["cairn.py"]["content"]
    (caches,) = [
        ast.literal_eval(one.value)
        for one in ast.parse(text).body
        if isinstance(one, ast.Assign) and one.targets[0].id == "CACHES"
    ]
    assert caches["default"]["LOCATION"] == model.cloud["cache_servers"].split(",")
    assert caches["template_fragments"] == {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}


def test_the_dashboard_behind_a_proxy(tmp_path):
    """Django accepts the proxy's name in requests, and forms that were sent to it; a redirect keeps it."""
    hosts = {"c1": {"groups": ["controller"], "address": "192.0.2.11"}}

    def python(**settings):
        files = resolving.files(resolving.resolve(hosts, "c1", tmp_path, settings), "horizon", hosts["c1"]["groups"])
        assert "RedirectMatch ^/$ /horizon/" in files["apache.conf"]["content"]
        assignments = ast.parse(files["cairn.py"]["content"]).body
        values = {one.targets[0].id: one.value for one in assignments if isinstance(one, ast.Assign)}
        return {
            name: ast.literal_eval(values[name]) for name in ("ALLOWED_HOSTS", "CSRF_TRUSTED_ORIGINS") if name in values
        }

    own = ["cairn.cairn.internal", "cairn.cairn.internal", "192.0.2.11", "127.0.0.1"]
    assert python() == {"ALLOWED_HOSTS": own}
    names = ["portal.example.org", "other.example.org:8443"]
    found = python(cloud_dashboard_names=names)
    assert found["ALLOWED_HOSTS"] == [*own, "portal.example.org", "other.example.org"]
    assert found["CSRF_TRUSTED_ORIGINS"] == [f"https://{name}" for name in names]
    found = python(cloud_dashboard_names=names, cloud_tls=False)
    assert found["CSRF_TRUSTED_ORIGINS"] == [f"{scheme}://{name}" for scheme in ("https", "http") for name in names]
