# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The format of an image's file, as it is looked at before the file is sent."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase
from ansible_collections.cairn.openstack.plugins.action.resources import ActionModule
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.resources.image_format import found, mismatch
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify.image import qcow2

MBR = bytes(510) + b"\x55\xaa"
ISO = bytes(0x8001) + b"CD001"
FILES = {
    "qcow2": qcow2(b"x"),
    "raw": MBR + bytes(1024),
    "vmdk": b"KDMV" + bytes(600),
    "vdi": bytes(0x40) + b"\x7f\x10\xda\xbe" + bytes(600),
    "vhdx": b"vhdxfile" + bytes(600),
    "vhd": b"conectix" + bytes(600),
    "iso": ISO,
    "gzip-compressed": b"\x1f\x8b\x08" + bytes(600),
    "xz-compressed": b"\xfd7zXZ\0" + bytes(600),
    "zstd-compressed": b"\x28\xb5\x2f\xfd" + bytes(600),
    "empty": b"",
}
VARIANTS = {
    "vmdk of ESX": ("vmdk", b"COWD" + bytes(600)),
    "a VMDK's text": ("vmdk", b"# Disk DescriptorFile\nversion=1\n"),
    "a VHD of fixed size": ("vhd", bytes(2048) + b"conectix" + bytes(504)),
    "a small file": ("raw", b"x"),
    "text": ("raw", b"<html>not found</html>"),
}


@pytest.fixture
def file(tmp_path):
    def write(content):
        path = tmp_path / "image"
        path.write_bytes(content)
        return str(path)

    return write


@pytest.mark.parametrize(("name", "content"), FILES.items(), ids=FILES)
def test_each_format_is_found(file, name, content):
    assert found(file(content)) == name


@pytest.mark.parametrize(("name", "content"), VARIANTS.values(), ids=VARIANTS)
def test_variants(file, name, content):
    assert found(file(content)) == name


@pytest.mark.parametrize("name", [name for name in FILES if name != "empty" and not name.endswith("-compressed")])
def test_what_is_declared_as_it_is(file, name):
    assert mismatch(file(FILES[name]), name) == ""


@pytest.mark.parametrize(
    ("content", "declared", "said"),
    [
        ("qcow2", "raw", "declared as raw, but its content is qcow2: set disk_format: qcow2, or convert it: qemu-img"),
        ("raw", "qcow2", "declared as qcow2, but its content is raw, or no format that can be recognized: set disk_fo"),
        ("iso", "raw", "declared as raw, but its content is iso: set disk_format: iso"),
        ("vmdk", "vhd", "convert it: qemu-img convert -O vpc"),
        ("xz-compressed", "raw", "declared as raw, but its content is xz-compressed: decompress it first"),
        ("empty", "raw", "its content is empty: download or build it again"),
    ],
)
def test_what_is_something_else(file, content, declared, said):
    assert said in mismatch(file(FILES[content]), declared)


def test_a_hybrid_iso_is_a_disk_too(file):
    path = file(MBR + ISO[len(MBR) :])
    assert mismatch(path, "raw") == mismatch(path, "iso") == ""


@pytest.mark.parametrize(("declared", "container"), [("ami", "ami"), ("raw", "compressed"), ("vmdk", "ova")])
def test_what_is_not_judged(file, declared, container):
    assert mismatch(file(FILES["qcow2"]), declared, container) == ""


def test_all_files_are_named_before_anything_is_sent(tmp_path, monkeypatch):
    (tmp_path / "disk.img").write_bytes(FILES["qcow2"])
    (tmp_path / "good.img").write_bytes(FILES["qcow2"])
    action = object.__new__(ActionModule)
    action._loader = SimpleNamespace(path_dwim=lambda path: str(tmp_path / path))
    images = [
        {"name": "a", "file": "disk.img", "disk_format": "raw"},
        {"name": "b", "file": "missing.img"},
        {"name": "c", "file": "good.img"},
        {"name": "d", "file": "missing.img", "state": "absent"},
    ]
    action._task = SimpleNamespace(args={"images": images})
    monkeypatch.setattr(ActionBase, "run", lambda *_args: {})
    with pytest.raises(AnsibleError) as error:
        action.run()
    first, second = str(error.value).splitlines()
    assert first.startswith(f"image a: file {tmp_path}/disk.img is declared as raw, but its content is qcow2")
    assert second == f"image b: file {tmp_path}/missing.img does not exist on the control node"
