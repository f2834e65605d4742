# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Volumes of a disk of a machine with a kernel of its own, used by another machine as a compute host uses them.

Cinder is asked by its API, os-brick on the other machine does what Nova has it do, and digests are compared.
"""

from __future__ import annotations

import json
import time

import pytest
import yaml
from support import ROOT, ask, host, stream

GIB = 1 << 30


class Volumes:
    """What is done to volumes, each step with its seconds in the table."""

    def __init__(self, controller, initiator, connector, table):
        self.controller, self.initiator, self.connector = controller, initiator, connector
        self.table = table("volumes", "what", "result", "seconds")
        self.began = time.monotonic()
        self.volumes, self.snapshots, self.backups, self.attachments = [], [], [], {}

    def cinder(self, action, **values):
        """Have Cinder do something."""
        return ask(self.controller, "lifecycle/scripts/volumes.py", action, json.dumps(values))

    def brick(self, volume, *words):
        """Have os-brick do something with a volume, on the initiator."""
        connection = self.attachments[volume]["connection"] if volume else {}
        print(json.dumps([connection, words]), file=self.connector.stdin, flush=True)
        answer = json.loads(self.connector.stdout.readline())
        assert "error" not in answer, answer["error"]
        return answer

    def make(self, **what):
        """Make a volume and return its id."""
        volume = self.cinder("make", **what)["id"]
        self.volumes.append(volume)
        return volume

    def snapshot(self, volume):
        """Make a snapshot of a volume and return its id."""
        snapshot = self.cinder("snapshot", volume=volume)["id"]
        self.snapshots.append(snapshot)
        return snapshot

    def backup(self, volume):
        """Make a backup of a volume that nobody uses and return its id."""
        backup = self.cinder("backup", volume=volume)["id"]
        self.backups.append(backup)
        return backup

    def attach(self, volume, describe="describe"):
        """Let the initiator have a volume."""
        connector = self.brick(None, describe)[describe]
        self.attachments[volume] = self.cinder("attach", volume=volume, connector=connector)
        self.attachments[volume]["connection"]["multipath"] = connector["multipath"]

    def detach(self, volume):
        """Take a volume from the initiator."""
        self.brick(volume, "disconnect")
        self.cinder("detach", attachment=self.attachments.pop(volume)["id"])

    def seen(self, what, result):
        """Write a row: what was done since the last one."""
        now = time.monotonic()
        self.table.add(what, result, f"{now - self.began:.0f}")
        self.began = now


@pytest.fixture(scope="module")
def initiator(playbooks):
    """Return the host that uses volumes."""
    return host(playbooks, "initiator1")


@pytest.fixture(scope="module")
def connector(initiator):
    """Return os-brick on that host, started once: an emulated machine takes long to import it."""
    address = initiator.backend.get_variables()["ansible_host"]
    with stream(initiator, "lifecycle/scripts/connector.py", address) as started:
        yield started


@pytest.fixture
def volumes(controller, initiator, connector, table):
    """Return what makes, uses and finally removes volumes."""
    found = Volumes(controller, initiator, connector, table)
    yield found
    for volume in [*found.attachments]:
        found.detach(volume)
    found.cinder("remove", volumes=found.volumes, snapshots=found.snapshots, backups=found.backups)


def test_lvm(playbooks, groups, volumes):
    """A thin volume is written over iSCSI, keeps that through a new login, grows in use, and its snapshot has it."""
    storage = host(playbooks, groups["storage"][0])
    volumes.cinder("hear", backend="disks")
    volume = volumes.make(size=1, volume_type="disks")
    said = storage.check_output("lvs --noheadings --options segtype,lv_name cinder-volumes")
    assert f"thin volume-{volume}" in " ".join(said.split())
    volumes.attach(volume)
    written = volumes.brick(volume, "write", "disconnect")["write"]
    read = volumes.brick(volume, "connect", "read")
    assert read["connect"].startswith("/dev/sd")
    assert read["read"] == written
    volumes.seen("LVM: a volume over iSCSI, 4 MiB written; logged out and in, read", "the digest of what was written")

    assert volumes.cinder("extend", volume=volume, size=2) == {"size": 2}
    grown = volumes.brick(volume, "extend", "read")
    assert grown == {"extend": 2 * GIB, "read": written}
    volumes.seen("LVM: extended to 2 GiB in use, read", "the initiator has 2 GiB; the same digest")

    clone = volumes.make(size=2, snapshot_id=volumes.snapshot(volume), volume_type="disks")
    overwritten = volumes.brick(volume, "write")["write"]
    volumes.detach(volume)
    volumes.attach(clone)
    assert overwritten != written
    assert volumes.brick(clone, "connect", "read")["read"] == written
    volumes.detach(clone)
    volumes.seen("LVM: a volume of a snapshot, after its origin was overwritten", "the digest of before")


@pytest.fixture
def compute(volumes):
    """Return the initiator with the files that a compute host gets."""
    page = yaml.safe_load((ROOT / "roles/catalog/defaults/main/cinder.yml").read_text(encoding="utf-8"))
    for name, path in (("multipath", "/etc/multipath.conf"), ("lvmlocal", "/etc/lvm/lvmlocal.conf")):
        volumes.initiator.check_output(f"echo %s > {path}", page["catalog_cinder"]["config"][name])
    volumes.initiator.check_output("systemctl restart multipathd")
    return volumes.initiator


def test_several_paths(volumes, compute):
    """A volume that is reached over two networks is one disk, which is read while one of them is away."""
    initiator = compute
    volume = volumes.make(size=1, volume_type="disks")
    volumes.attach(volume, "describe_paths")
    assert len(volumes.attachments[volume]["connection"]["target_portals"]) == 2
    found = volumes.brick(volume, "write", "connect")
    assert found["connect"].startswith("/dev/dm-")
    assert len(initiator.check_output("iscsiadm --mode session").splitlines()) == 2
    initiator.check_output("ip link set eth1 down")
    try:
        assert volumes.brick(volume, "read")["read"] == found["write"]
    finally:
        initiator.check_output("ip link set eth1 up")
    volumes.detach(volume)
    volumes.seen("LVM: a volume by two paths, 4 MiB written; one network cut, read", "the digest of what was written")


@pytest.mark.parametrize(("describe", "paths"), [("describe", "one path"), ("describe_paths", "two paths")])
def test_a_guests_volume_group_is_the_guests(volumes, compute, describe, paths):
    """What a guest makes of its disk is not a volume group of the host that has the disk."""
    every = '--config=devices{global_filter=["a|.*|"]}'
    groups = "vgs --noheadings --options vg_name"
    volume = volumes.make(size=1, volume_type="disks")
    volumes.attach(volume, describe)
    device = volumes.brick(volume, "connect")["connect"]
    compute.check_output(f"vgcreate %s guests {device}", every)
    try:
        assert "guests" in compute.check_output(f"{groups} %s", every)
        assert "guests" not in compute.check_output(groups)
    finally:
        compute.check_output("vgremove %s guests", every)
    volumes.detach(volume)
    volumes.seen(f"LVM: a volume group made inside a volume, by {paths}", "the host does not see it")


def test_nfs(volumes):
    """A volume on a share is a file there, written and read back through a new mount."""
    volumes.cinder("hear", backend="share")
    volume = volumes.make(size=1, volume_type="share")
    volumes.attach(volume)
    assert volumes.attachments[volume]["connection"]["driver_volume_type"] == "nfs"
    written = volumes.brick(volume, "write", "disconnect")["write"]
    read = volumes.brick(volume, "connect", "read")
    assert read["connect"].endswith(f"/volume-{volume}")
    assert read["read"] == written
    volumes.detach(volume)
    volumes.seen(
        "NFS: a volume on a share, 4 MiB written; unmounted and mounted, read", "the digest of what was written"
    )


def test_a_volume_moves(volumes):
    """A volume of one back end gets the type of the other, and has what was written before."""
    volume = volumes.make(size=1, volume_type="disks")
    volumes.attach(volume)
    written = volumes.brick(volume, "write")["write"]
    volumes.detach(volume)
    assert "@share" in volumes.cinder("retype", volume=volume, volume_type="share")["host"]
    volumes.attach(volume)
    assert volumes.brick(volume, "read")["read"] == written
    volumes.detach(volume)
    volumes.seen("retyped from LVM to NFS, read", "the digest of what was written")


def test_a_backup_on_a_share(playbooks, groups, volumes):
    """A volume of LVM is backed up to files on the share, and another volume is made of them."""
    volume = volumes.make(size=1, volume_type="disks")
    volumes.attach(volume)
    written = volumes.brick(volume, "write")["write"]
    volumes.detach(volume)
    backup = volumes.backup(volume)
    share = host(playbooks, groups["storage"][0])
    assert backup in share.check_output("find /srv/volumes -name '*%s*'", backup)
    volumes.seen("NFS: a backup of a volume of LVM", "files on the share")
    restored = volumes.make(size=1, volume_type="disks")
    volumes.cinder("restore", backup=backup, volume=restored)
    volumes.attach(restored)
    assert volumes.brick(restored, "read")["read"] == written
    volumes.detach(restored)
    volumes.seen("NFS: that restored, read", "the digest of what was written")


@pytest.mark.parametrize(("backend", "kind"), [("disks", "LVM"), ("share", "NFS")])
def test_an_image_is_kept(volumes, backend, kind):
    """Beside the first volume of an image one is kept, and the second volume is the clone of that."""
    volumes.cinder("hear", backend=backend)
    image = volumes.cinder("image")
    used = f"SELECT last_used FROM cinder.image_volume_cache_entries WHERE image_id = '{image['id']}'"
    volumes.make(size=1, volume_type=backend, image_id=image["id"])
    (kept,) = volumes.cinder("kept", image=image["id"])["volumes"]
    volumes.volumes.append(kept)
    first = volumes.controller.check_output("mariadb -Ne %s", used)
    volumes.seen(f"{kind}: a volume of an image", "the image is kept as another")
    second = volumes.make(size=1, volume_type=backend, image_id=image["id"])
    volumes.cinder("forget", image=image["id"])
    assert volumes.controller.check_output("mariadb -Ne %s", used) > first
    volumes.attach(second)
    assert volumes.brick(second, "read")["read"] == image["digest"]
    volumes.detach(second)
    volumes.seen(f"{kind}: another volume of it, read", "the image's digest")
