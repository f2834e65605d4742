# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the probe makes of the kernel's and dpkg's files."""

from __future__ import annotations

import gzip
import json
import struct
import subprocess
import time
from types import SimpleNamespace

import pytest
from ansible_collections.cairn.openstack.plugins.module_utils.overview import host_probe

LISTENERS = {
    "/proc/net/tcp": """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0B00CB0A:1388 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4242 1 0 100 0 0 10 0
   1: 0100007F:0CEA 0100007F:9999 01 00000000:00000000 00:00000000 00000000     0        0 4343 1 0 100 0 0 10 0
""",
    "/proc/net/tcp6": """\
  sl  local_address                         remote_address                        st tx_queue rx_queue
   0: 00000000000000000000000000000000:0016 00000000000000000000000000000000:0000 0A 0:0 00:0 0 0 0 4444 1 0
   1: 000080FE000000000000000001000000:0035 00000000000000000000000000000000:0000 0A 0:0 00:0 0 0 0 4545 1 0
""",
}


def test_listeners(monkeypatch):
    """Only sockets that listen, addresses in the usual writing."""
    monkeypatch.setattr(host_probe, "text", lambda path: LISTENERS.get(path, ""))
    assert [(item["address"], item["port"], item["protocol"]) for item in host_probe.listening()] == [
        ("::", 22, "tcp6"),
        ("fe80::1", 53, "tcp6"),
        ("10.203.0.11", 5000, "tcp"),
    ]


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("0::/system.slice/keystone.service\n", "keystone.service"),
        ("1:name=systemd:/\n0::/lab/aio1/payload/system.slice/mariadb.service\n", "mariadb.service"),
        ("0::/user.slice/user-0.slice/user@0.service/app.slice/dbus.service\n", "dbus.service"),
        ("0::/system.slice/ssh.service/inner\n", "ssh.service"),
        ("0::/init.scope\n", "init.scope"),
        ("0::/\n", ""),
    ],
)
def test_the_unit_of_a_listener(monkeypatch, text, unit):
    """The innermost, whatever the control group of a host within a host is called."""
    monkeypatch.setattr(host_probe, "text", lambda path: text if path == "/proc/7/cgroup" else "")
    assert host_probe._unit("7") == unit


def test_names_that_do_not_resolve():
    assert host_probe.unresolved(["localhost", "nowhere.invalid", "a" * 70]) == ["nowhere.invalid", "a" * 70]


def test_who_answers_for_an_address(monkeypatch):
    """Asked for where it would be, and nowhere else; what the host itself has is not asked for."""
    links = {
        "lo": {"mac": "00:00:00:00:00:00", "addresses": ["127.0.0.1/8"], "kind": "loopback"},
        "eth0": {"mac": "52:54:00:00:00:01", "addresses": ["192.0.2.11/24", "2001:db8::1/64"], "kind": "physical"},
        "eth1": {"mac": "52:54:00:00:00:02", "addresses": [], "kind": "physical"},
    }
    asked = []

    def arp(*asked_for):
        asked.append(asked_for[:4])
        return "52:54:00:00:00:99" if asked_for[3] == "192.0.2.9" else ""

    monkeypatch.setattr(host_probe, "_arp", arp)
    wanted = ["192.0.2.9", "192.0.2.10", "192.0.2.11", "198.51.100.1"]
    assert host_probe.neighbours(wanted, links) == {"192.0.2.9": "52:54:00:00:00:99"}
    assert asked == [
        ("eth0", "52:54:00:00:00:01", "192.0.2.11", wanted[0]),
        ("eth0", "52:54:00:00:00:01", "192.0.2.11", wanted[1]),
    ]


def test_a_cloud_that_the_host_is_of(monkeypatch):
    monkeypatch.setattr(
        host_probe, "text", lambda path: '{"identity": "x", "names": []}' if path == host_probe.CLOUD else ""
    )
    assert host_probe.cloud() == {"identity": "x", "names": []}
    monkeypatch.setattr(host_probe, "text", lambda path: "")
    assert host_probe.cloud() is None


def test_unfinished_packages():
    """Everything between unpacked and configured, and what dpkg wants installed again."""
    status = "\n\n".join(
        f"Package: {name}\nStatus: {state}\nVersion: 1"
        for name, state in (
            ("good", "install ok installed"),
            ("half", "install ok half-configured"),
            ("gone", "deinstall ok config-files"),
            ("again", "install reinstreq installed"),
            ("waiting", "install ok triggers-pending"),
        )
    )
    assert host_probe.unfinished_packages(status) == ["half", "again", "waiting"]


@pytest.mark.parametrize(
    ("files", "record", "expected"),
    [
        ({}, None, "netdev"),
        ({"modules.dep": "kernel/net/openvswitch/openvswitch.ko.xz: kernel/lib/libcrc32c.ko.xz"}, None, "system"),
        ({"modules.builtin": "kernel/net/openvswitch/openvswitch.ko"}, None, "system"),
        ({"modules.builtin": "kernel/net/openvswitch/openvswitch.ko"}, {"datapath": "netdev"}, "netdev"),
    ],
)
def test_datapath(monkeypatch, files, record, expected):
    """What the kernel has, unless bridges stand already."""
    monkeypatch.setattr(host_probe, "text", lambda path: files.get(path.rpartition("/")[2], ""))
    monkeypatch.setattr(host_probe.os.path, "isdir", lambda path: False)
    assert host_probe.ovs_datapath(record)["type"] == expected


def test_kvm_needs_the_flag_and_the_device(monkeypatch):
    """A device alone is not enough."""
    monkeypatch.setattr(host_probe, "text", lambda path: "flags\t\t: fpu sse\n")
    assert host_probe.hypervisor()["type"] == "qemu"


def test_services_that_only_a_boot_has_started(monkeypatch):
    said = {
        "list-units": "glance-api.service loaded active running Glance\nssh.service loaded active running OpenBSD\n",
        "list-jobs": "1 multi-user.target start waiting\n11 nova-api.service start running\n9 x.service stop waiting\n",
    }
    monkeypatch.setattr(host_probe, "systemctl", lambda verb, *_words: SimpleNamespace(stdout=said[verb]))
    monkeypatch.setattr(host_probe, "load_stamps", lambda: {"glance-api": {}, "cairn-bridges": {}})
    assert host_probe.unconfigured_units() == ["nova-api", "ssh"]


def test_the_probe_is_cheap_and_plain():
    """It runs on any machine, costs little, and what it returns can be sent."""
    start = time.process_time()
    found = host_probe.probe(1.0, operator_time=0.5)
    assert time.process_time() - start < 1
    assert json.loads(json.dumps(found)) == found
    assert found["interfaces"]["lo"]["kind"] == "loopback"
    assert found["clock_offset"] == 0.5


@pytest.mark.parametrize(("said", "found"), [("10000\n", 10000), ("-1\n", None), ("0\n", None), (None, None)])
def test_the_speed_of_an_interface(tmp_path, monkeypatch, said, found):
    """A virtual one has none, and of one without a link the kernel refuses to say."""
    monkeypatch.setattr(host_probe, "NETWORK", str(tmp_path))
    (tmp_path / "eth0").mkdir()
    if said is not None:
        (tmp_path / "eth0/speed").write_text(said)
    assert host_probe.speed("eth0") == found


def test_the_size_of_a_file_system(tmp_path):
    assert host_probe.disk_mb(str(tmp_path)) >= host_probe.disk_free_mb(str(tmp_path)) > 0


@pytest.mark.parametrize(
    ("own", "resolved", "found"),
    [
        (
            "# x\nsearch example.org\nnameserver 192.0.2.53\nnameserver\t2001:db8::53\n",
            "",
            ["192.0.2.53", "2001:db8::53"],
        ),
        ("nameserver 127.0.0.53\noptions edns0\n", "nameserver 192.0.2.54\n", ["192.0.2.54"]),
        ("nameserver ::1\nnameserver fe80::1%eth0\n", "", []),
        ("", "", []),
    ],
)
def test_dns_servers(tmp_path, monkeypatch, own, resolved, found):
    """Those that a network's namespace can reach: a stub on the host itself is not there."""
    for name, words in (("own", own), ("resolved", resolved)):
        (tmp_path / name).write_text(words)
    monkeypatch.setattr(host_probe, "RESOLVERS", (str(tmp_path / "own"), str(tmp_path / "resolved")))
    assert host_probe.dns_servers() == found


@pytest.mark.parametrize("there", [True, False])
def test_cloud_init(tmp_path, monkeypatch, there):
    monkeypatch.setattr(host_probe, "CLOUD_INIT", str(tmp_path if there else tmp_path / "none"))
    assert host_probe.probe(1.0)["has_cloud_init"] is there


class TestDevices:
    def test_what_is_there(self, tmp_path):
        file = tmp_path / "disk"
        file.write_bytes(bytes(2**22))
        found = host_probe.devices([str(file), str(tmp_path), f"{tmp_path}/none"])
        number = found[str(file)].pop("number")
        assert number.endswith(f"/{file.stat().st_ino}")
        assert found[str(file)] == {
            "kind": "file",
            "size_mb": 4,
            "real": str(file),
            "beneath": [],
            "holds": "",
            "owner": "",
            "group": None,
            "mounted": "",
        }
        assert found[str(tmp_path)]["kind"] == "directory"
        assert found[f"{tmp_path}/none"]["kind"] == "missing"

    def test_a_device_that_does_not_open(self, tmp_path, monkeypatch):
        """A drive without a medium: preflight says what is wrong with it, the probe does not fail."""

        def refuse(*_arguments):
            raise OSError(123, "No medium found")

        (tmp_path / "disk").write_bytes(bytes(2**22))
        monkeypatch.setattr("builtins.open", refuse)
        monkeypatch.setattr(host_probe, "signatures", lambda _path: "unreadable data (No medium found)")
        monkeypatch.setattr(host_probe, "text", lambda _path: "")
        monkeypatch.setattr(host_probe, "physical_volumes", dict)
        found = host_probe.devices([f"{tmp_path}/disk"])[f"{tmp_path}/disk"]
        assert (found["kind"], found["size_mb"], found["owner"]) == ("file", 0, "")
        assert found["holds"].startswith("unreadable data")

    def test_one_file_by_several_names(self, tmp_path):
        """Links of both kinds, and a link to a file that is not there yet."""
        (tmp_path / "disk").write_bytes(bytes(2**22))
        (tmp_path / "soft").symlink_to("disk")
        (tmp_path / "hard").hardlink_to(tmp_path / "disk")
        (tmp_path / "later").symlink_to("none")
        found = host_probe.devices([f"{tmp_path}/{name}" for name in ("disk", "soft", "hard", "none", "later")])
        one, soft, hard, none, later = found.values()
        assert one["number"] == soft["number"] == hard["number"] != ""
        assert one["real"] == soft["real"]
        assert (none["real"], none["number"]) == (later["real"], later["number"]) == (f"{tmp_path}/none", "")

    def test_what_a_device_lies_on(self, tmp_path, monkeypatch):
        """A partition on its disk, a mapping on a partition and a disk, a loop device on a file."""
        monkeypatch.setattr(host_probe, "BLOCK_DEVICES", str(tmp_path / "block"))
        disks = {"sda": "8:0", "sda/sda1": "8:1", "sdb": "8:16", "dm-0": "254:0", "loop0": "7:0"}
        (tmp_path / "block").mkdir()
        for name, number in disks.items():
            (tmp_path / name / "slaves").mkdir(parents=True)
            (tmp_path / name / "dev").write_text(f"{number}\n")
            (tmp_path / "block" / number).symlink_to(f"../{name}")
        (tmp_path / "sda/sda1/partition").write_text("1\n")
        for name in ("sda/sda1", "sdb"):
            (tmp_path / "dm-0/slaves" / name.rpartition("/")[2]).symlink_to(tmp_path / name)
        (tmp_path / "loop0/loop").mkdir()
        (tmp_path / "file").touch()
        (tmp_path / "loop0/loop/backing_file").write_text(f"{tmp_path}/file\n")
        assert host_probe._beneath("8:0") == set()
        assert host_probe._beneath("8:1") == {"8:0"}
        assert host_probe._beneath("254:0") == {"8:0", "8:1", "8:16"}
        assert host_probe._beneath("7:0") == {host_probe._number(str(tmp_path / "file"))}

    def test_what_it_holds(self, tmp_path):
        file = tmp_path / "disk"
        file.write_bytes(bytes(2**22))
        subprocess.run(["mkfs.ext4", "-q", file], check=True)
        assert host_probe.devices([str(file)])[str(file)]["holds"] == "ext4"

    def test_a_disk_of_swifts_that_did_not_mount(self, tmp_path, monkeypatch):
        """It keeps its place in fstab, and its data: nobody is told to wipe it."""
        file = tmp_path / "disk"
        file.write_bytes(bytes(2**22))
        monkeypatch.setattr(host_probe, "FSTAB", str(tmp_path / "fstab"))
        for place, holds, owner in (
            ("/srv/node/disk", "xfs", "swift"),
            ("/srv/node/disk", "ext4", ""),
            ("/srv/data", "xfs", ""),
        ):
            (tmp_path / "fstab").write_text(f"#\n\n/dev/sda / ext4 defaults 0 1\n{file} {place} xfs nofail 0 0\n")
            monkeypatch.setattr(host_probe, "signatures", lambda path, holds=holds: holds)
            assert host_probe.devices([str(file)])[str(file)]["owner"] == owner

    def test_a_disk_of_a_volume_group(self, tmp_path, monkeypatch):
        file = tmp_path / "disk"
        file.write_bytes(bytes(2**22))
        for group in ("vg0", ""):
            monkeypatch.setattr(host_probe, "physical_volumes", lambda group=group: {str(file): group})
            assert host_probe.devices([str(file)])[str(file)]["group"] == group

    def test_a_device_of_this_hosts_ceph(self, tmp_path, monkeypatch):
        name = "85add48b-1181-5506-8dbc-69947300c7d8"
        file = tmp_path / "disk"
        file.write_bytes(f"bluestore block device\n{name}\n".encode() + bytes(2**22))
        monkeypatch.setattr(host_probe, "OSDS", str(tmp_path / "osd"))
        assert not host_probe._osd(str(file))
        (tmp_path / "osd/ceph-3").mkdir(parents=True)
        (tmp_path / "osd/ceph-3/fsid").write_text(f"{name}\n")
        assert host_probe._osd(str(file))


def test_rings_by_their_versions(tmp_path):
    """A file that is none has no version, and a host without Swift no rings."""
    head = json.dumps({"version": 7}).encode()
    data = struct.pack("!4sHI", b"R1NG", 1, len(head)) + head + bytes(512)
    (tmp_path / "object-1.ring.gz").write_bytes(gzip.compress(data))
    (tmp_path / "account.ring.gz").write_bytes(b"none")
    (tmp_path / "object.builder").touch()
    assert host_probe.rings(str(tmp_path)) == {"account": 0, "object-1": 7}
    assert host_probe.rings(str(tmp_path / "nowhere")) == {}


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("0123\n", "0123"),
        ("uninitialized\n", ""),
        ("", ""),
        ("## DO NOT EDIT\nInitiatorName=iqn.1993-08.org.debian:01:1\n", "InitiatorName=iqn.1993-08.org.debian:01:1"),
        ("GenerateName=yes\n", ""),
    ],
)
def test_identity_of_a_host(content, found):
    assert host_probe.identity(content) == found
