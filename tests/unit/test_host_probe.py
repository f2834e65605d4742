# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the probe makes of the kernel's and dpkg's files."""

from __future__ import annotations

import json
import time

import pytest
from ansible_collections.cairn.openstack.plugins.module_utils import host_probe

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


def test_the_probe_is_cheap_and_plain():
    """It runs on any machine, costs little, and what it returns can be sent."""
    start = time.process_time()
    found = host_probe.probe(1.0)
    assert time.process_time() - start < 1
    assert json.loads(json.dumps(found)) == found
    assert found["interfaces"]["lo"]["kind"] == "loopback"
