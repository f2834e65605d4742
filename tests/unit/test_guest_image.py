"""What a guest image is made of, and when it has to be made again."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import pytest
import yaml
from ansible_collections.cairn.openstack.plugins.module_utils.testing.guest_image import disk, kernel, root
from ansible_collections.cairn.openstack.plugins.module_utils.testing.guest_image.recipe import (
    Recipe,
    reason_to_build,
    record,
    record_path,
)
from ansible_collections.cairn.openstack.plugins.module_utils.testing.guest_image.run import BuildError, run

FILES = Path(__file__).parents[2] / "roles/guest_image/files"
DEFAULTS = Path(__file__).parents[2] / "roles/guest_image/defaults/main.yml"


@pytest.fixture
def recipe(tmp_path):
    (tmp_path / "files/root").mkdir(parents=True)
    (tmp_path / "files/root/hello").write_text("hello\n")
    return Recipe(str(tmp_path / "files"), "trixie", ["curl"], ["/usr/bin/curl"], ["ext4"], 128)


@pytest.fixture
def image(tmp_path):
    path = tmp_path / "guest.qcow2"
    path.write_bytes(b"a disk")
    record(str(path), "digest")
    return path


def test_the_same_recipe_has_the_same_digest(recipe):
    assert recipe.digest() == dataclasses.replace(recipe).digest()


@pytest.mark.parametrize(
    "change",
    [{"suite": "forky"}, {"packages": ["wget"]}, {"contents": []}, {"modules": ["ext4", "e1000"]}, {"size_mib": 256}],
)
def test_every_setting_counts(recipe, change):
    assert dataclasses.replace(recipe, **change).digest() != recipe.digest()


def test_where_the_files_lie_does_not_count(recipe, tmp_path):
    before = recipe.digest()
    (tmp_path / "files").rename(tmp_path / "elsewhere")
    assert dataclasses.replace(recipe, files=str(tmp_path / "elsewhere")).digest() == before


def test_what_the_files_hold_and_whether_they_run_counts(recipe):
    digests = {recipe.digest()}
    hello = Path(recipe.files, "root/hello")
    hello.chmod(0o755)
    digests.add(recipe.digest())
    hello.write_text("bye\n")
    digests.add(recipe.digest())
    hello.rename(hello.with_name("bye"))
    digests.add(recipe.digest())
    assert len(digests) == 4


def test_an_image_of_this_recipe_is_left_alone(image):
    assert reason_to_build(str(image), "digest") == ""


def test_reasons_to_build(image):
    assert reason_to_build(str(image), "another") == "the recipe changed"
    image.write_bytes(b"a dis")
    assert reason_to_build(str(image), "digest") == "the image is not the one that was built"
    Path(record_path(str(image))).write_text("{")
    assert reason_to_build(str(image), "digest") == "there is no record of the image's recipe"
    image.unlink()
    assert reason_to_build(str(image), "digest") == "there is no image yet"


def test_the_record_says_what_and_from_what(image):
    known = json.loads(Path(record_path(str(image))).read_text())
    assert known["recipe"] == "digest"
    assert len(known["sha256"]) == 64


def test_modules_come_after_what_they_depend_on():
    modules = {
        "ext4": b"license=GPL\0depends=jbd2,mbcache,virtio-ring\0name=ext4\0",
        "jbd2": b"\x7fELF\0depends=mbcache\0",
        "mbcache": b"\0depends=\0",
        "virtio_ring": None,
    }
    assert list(kernel.load_order(["ext4", "mbcache"], modules.__getitem__)) == ["mbcache", "jbd2", "ext4"]


def test_the_loaders_listing():
    listing = (
        "\tlinux-vdso.so.1 (0x00007ffc)\n"
        "\tlibcurl.so.4 => /lib/x86_64-linux-gnu/libcurl.so.4 (0x00007f00)\n"
        "\t/lib64/ld-linux-x86-64.so.2 (0x00007f10)\n"
    )
    assert root.libraries(listing) == ["/lib/x86_64-linux-gnu/libcurl.so.4", "/lib64/ld-linux-x86-64.so.2"]


def test_the_archive_is_aligned_and_ends():
    data = kernel.archive({"init": (0o100755, b"#!/bin/sh\n"), "dev": (0o040755, b"")})
    names, offset = [], 0
    while offset < len(data):
        assert offset % 4 == 0
        assert data[offset : offset + 6] == b"070701"
        fields = [int(data[at : at + 8], 16) for at in range(offset + 6, offset + 110, 8)]
        size, name_size = fields[6], fields[11]
        names.append(data[offset + 110 : offset + 110 + name_size - 1].decode())
        offset += -(-(110 + name_size) // 4) * 4
        assert names[-1] != "init" or data[offset : offset + size] == b"#!/bin/sh\n"
        offset += -(-size // 4) * 4
    assert names == ["init", "dev", "TRAILER!!!"]


def test_the_boot_partition_fits_its_files(tmp_path):
    (tmp_path / "kernel").write_bytes(b"k" * (disk.MIB + 1))
    assert disk.boot_mib([str(tmp_path / "kernel")]) == 4


def test_the_partitions_follow_each_other():
    assert disk.partition_table(16, 128).splitlines() == [
        "label: dos",
        "start=1MiB, size=16MiB, type=c, bootable",
        "start=17MiB, size=111MiB, type=83",
    ]


def test_a_failed_tool_says_why():
    with pytest.raises(BuildError, match=r"ended with 3: no space"):
        run("sh", "-c", "echo no space >&2; exit 3")
    with pytest.raises(BuildError, match=r"no-such-tool is not installed"):
        run("no-such-tool")


@pytest.mark.parametrize("name", sorted(name for _path, name in root.overlay(str(FILES))))
def test_scripts_run_and_data_does_not(name):
    starts_as_script = (FILES / name).read_bytes().startswith(b"#!")
    assert root.mode(str(FILES / name)) == (0o755 if starts_as_script else 0o644)


@pytest.mark.parametrize("name", ["passwd", "group"])
def test_no_account_has_a_password(name):
    fields = [line.split(":")[1] for line in (FILES / "root/etc" / name).read_text().splitlines()]
    assert set(fields) <= {"*", "x"}
    assert not (FILES / "root/etc/shadow").exists()


def test_root_may_not_log_in_and_passwords_do_not_count():
    server = (FILES / "root/usr/libexec/cairn/ssh").read_text()
    assert "dropbear -F -E -s -w" in server
    assert "getty" not in (FILES / "root/etc/inittab").read_text()


class TestConfigDrive:
    """An ordinary user finds it by its label, as with udev."""

    @pytest.fixture
    def event(self, tmp_path, monkeypatch):
        """Send the script an event of a disk with a label; returns the links."""
        (tmp_path / "bin").mkdir()
        (tmp_path / "bin/blkid").write_text(f"#!/bin/sh\ncat {tmp_path}/label\n")
        (tmp_path / "bin/blkid").chmod(0o755)
        (tmp_path / "disk").write_text(
            (FILES / "root/usr/libexec/cairn/disk").read_text().replace("links=", f"links={tmp_path}")
        )
        monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")

        def send(action, name, label=""):
            (tmp_path / "label").write_text(f"{label}\n")
            run("env", f"ACTION={action}", f"DEVNAME={name}", "sh", str(tmp_path / "disk"))
            return {link.name: str(link.readlink()) for link in (tmp_path / "dev/disk/by-label").glob("*")}

        return send

    def test_a_disk_comes_changes_and_goes(self, event):
        assert event("add", "sr0", "config-2") == {"config-2": "../../sr0"}
        assert event("add", "vdb", "data") == {"config-2": "../../sr0", "data": "../../vdb"}
        assert event("change", "vdb", "other") == {"config-2": "../../sr0", "other": "../../vdb"}
        assert event("remove", "vdb") == {"config-2": "../../sr0"}

    @pytest.mark.parametrize("label", ["", "../../etc/passwd"])
    def test_what_is_no_name_gets_no_link(self, event, label):
        assert event("add", "vdb", label) == {}

    def test_the_image_has_its_drivers(self):
        modules = yaml.safe_load(DEFAULTS.read_text())["guest_image_modules"]
        # A CD-ROM on IDE or SATA, or a VFAT disk; vfat requests the tables of characters.
        assert {"ata_piix", "ahci", "sr_mod", "isofs", "vfat", "nls_cp437", "nls_ascii"} <= set(modules)


class TestGuestOfTempest:
    """What Tempest runs in a guest as its user, beyond busybox; docs/tempest.md lists it."""

    @pytest.mark.parametrize(
        "command",
        ["bash", "blkid", "curl", "lsblk", "mkfs", "mkfs.ext4", "mkfs.vfat", "ping", "ping6", "sudo"],
    )
    def test_it_has_the_command(self, command):
        contents = yaml.safe_load(DEFAULTS.read_text())["guest_image_contents"]
        assert command in {path.rpartition("/")[2] for path in contents}

    def test_its_user_may_ping(self):
        # Busybox's shell would run busybox's ping, which is for root only.
        users = (FILES / "root/etc/passwd").read_text()
        assert re.search(r"^cairn:.*:/bin/bash$", users, re.MULTILINE)
        assert "/proc/sys/net/ipv4/ping_group_range" in (FILES / "root/usr/libexec/cairn/boot").read_text()

    def test_a_lease_is_renewed_by_the_file_that_it_knows(self):
        assert "/run/udhcpc.$INTERFACE.pid" in (FILES / "root/usr/libexec/cairn/nic").read_text()
        assert root.LINKS["var/run"] == "../run"

    def test_a_lease_leaves_addresses_of_ipv6(self):
        assert "ip -4 address flush" in (FILES / "root/usr/libexec/cairn/lease").read_text()
