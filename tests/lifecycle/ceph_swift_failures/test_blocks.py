# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Blocks of volumes in Ceph that were flushed outlive a storage host's power loss.

The list of what was flushed is kept here, outside the cloud.
"""

from __future__ import annotations

import json
import time

import pytest
import yaml
from support import POWER, REPLACED, ask, host, stream, told

SCRIPT = "lifecycle/scripts/blocks.py"
VOLUMES = 20
ROUNDS = 100
BEFORE = 500
VICTIM = "storage2"
HEALED = 600
SPARE = "/dev/disk/by-id/virtio-disk5"
GIVEN = ("ceph.conf", *(f"ceph.client.{name}.keyring" for name in ("cinder", "cinder-backup", "glance", "nova")))


@pytest.fixture(scope="module")
def volumes(controller):
    """Return the ids of volumes made for these tests."""
    return ask(controller, SCRIPT, "make", str(VOLUMES))


@pytest.fixture(scope="module")
def flushed():
    """Return what was flushed: a volume and its block's number → SHA-256; the tests of this page fill it."""
    return {}


def lost(controller, volumes, flushed):
    """Read all volumes, and return the blocks that are not as they were flushed."""
    found = ask(controller, SCRIPT, "read", str(ROUNDS), *volumes)
    return [block for block, digest in flushed.items() if found[block[0]][block[1]] != digest]


def test_no_flushed_block_is_lost(playbooks, controller, volumes, flushed, capsys):
    """One of three storage hosts loses its power in the middle of writes, which go on without it."""
    began = time.monotonic()
    with stream(controller, SCRIPT, "write", str(ROUNDS), *volumes) as writer:
        for line in writer.stdout:
            name, number, digest = line.split()
            flushed[name, int(number)] = digest
            if len(flushed) == BEFORE:
                playbooks.must("playbooks/lab_host.yml", f"--extra-vars=host={VICTIM}", "--extra-vars=state=killed")
    assert writer.returncode == 0
    seconds = time.monotonic() - began
    told(capsys, f"{len(flushed)} blocks of {VOLUMES} volumes flushed in {seconds:.0f} s; {VICTIM} was lost on the way")
    assert len(flushed) == VOLUMES * ROUNDS
    assert lost(controller, volumes, flushed) == []


def test_all_heals_when_it_is_back(playbooks, groups, controller, volumes, flushed, table, capsys):
    """Every placement group gets all its copies again, and what was flushed is read once more."""
    playbooks.must("playbooks/lab_host.yml", f"--extra-vars=host={VICTIM}", "--extra-vars=state=started")
    seconds = clean(host(playbooks, groups["storage"][0]))
    told(capsys, f"whole again after {seconds:.0f} s")
    missing = lost(controller, volumes, flushed)
    row = (f"blocks of 64 KiB in {VOLUMES} volumes, flushed", len(flushed), BEFORE, len(missing), f"{seconds:.0f} s")
    table("power", *POWER).add(*row)
    assert missing == []


def test_a_device_comes_and_goes(playbooks, groups, controller, volumes, flushed):
    """One more in the inventory is taken. Without it one run empties it, and the next removes it; plans tell it."""
    name = groups["storage"][-1]
    storage = host(playbooks, name)
    devices = storage.ansible.get_variables()["test_devices"]
    devices[name] = [*devices[name], {"path": SPARE, "backend": "ceph"}]
    more = f"--extra-vars={json.dumps({'test_devices': devices})}"
    (first,) = daemons(storage, name)
    playbooks.must("playbooks/site.yml", more)
    clean(storage)
    (number,) = daemons(storage, name) - {first}
    assert playbooks.must("playbooks/site.yml", more).changes == []
    for verb, why in (("drain", "no longer in the inventory"), ("remove", "it is empty")):
        (planned, done) = (playbooks.must("playbooks/site.yml", *check) for check in (["--check"], []))
        told_of = {"kind": "Ceph device", "verb": verb, "name": f"osd.{number}", "detail": why}
        assert [one.of("Ceph users, pools and devices")[name]["changes"] for one in (planned, done)] == [[told_of]] * 2
        clean(storage)
    assert daemons(storage, name) == {first}
    assert lost(controller, volumes, flushed) == []
    assert playbooks.must("playbooks/site.yml").changes == []


def test_an_incremental_backup_adds_to_the_full_one(controller, volumes):
    """What was written between them is in the volume restored from the second, and not in the other."""
    (volume, *_others) = volumes
    was = ask(controller, SCRIPT, "read", str(ROUNDS), volume)[volume]
    full = ask(controller, SCRIPT, "backup", "full", volume)
    with stream(controller, SCRIPT, "write", "10", volume) as writer:
        new = [line.split()[2] for line in writer.stdout]
    later = ask(controller, SCRIPT, "backup", "incremental", volume)
    restored = [ask(controller, SCRIPT, "restore", backup) for backup in (full, later)]
    found = ask(controller, SCRIPT, "read", str(ROUNDS), *restored)
    assert len(new) == 10
    assert [found[one] for one in restored] == [was, new + was[10:]]


def test_a_disk_that_died_is_replaced(playbooks, groups, controller, volumes, flushed, table):
    """The run stops at the empty disk and says what to do; that done, the next one takes it, and copies come back."""
    name = groups["storage"][-1]
    storage = host(playbooks, name)
    (device,) = [one["path"] for one in storage.ansible.get_variables()["test_disks"]]
    (number,) = daemons(storage, name)
    storage.check_output("systemctl stop ceph-osd@%s && blkdiscard --force --zeroout %s", number, device)
    refused = playbooks.run("playbooks/site.yml")
    purge = f"ceph osd purge {number} --yes-i-really-mean-it"
    assert refused.code != 0
    assert purge in "\n".join(refused.failures), refused.failures
    began = time.monotonic()
    storage.check_output(purge)
    playbooks.must("playbooks/site.yml")
    clean(storage)
    missing = lost(controller, volumes[1:], {block: sha for block, sha in flushed.items() if block[0] != volumes[0]})
    table("replaced", *REPLACED).add("Ceph", purge, len(missing), f"{time.monotonic() - began:.0f} s")
    assert missing == []
    assert playbooks.must("playbooks/site.yml").changes == []


def test_a_ceph_that_is_there_already(playbooks, controller, tmp_path):
    """A Ceph that Cairn does not deploy, of which it has a directory with files, is used as before."""
    inventory = yaml.safe_load((playbooks.inventory / "group_vars" / "all.yml").read_text(encoding="utf-8"))
    ours, *others = inventory["cloud_storage"]
    for name in GIVEN:
        (tmp_path / name).write_text(controller.file(f"/etc/ceph/{name}").content_string, encoding="utf-8")
    controller.check_output("rm /etc/ceph/ceph.conf /etc/ceph/*.keyring")
    # Its hosts' firewall is not ours to open any more.
    given = {
        "cloud_storage": [{**ours, "cluster": str(tmp_path)}, *others],
        "test_disks": [],
        "cloud_firewall": False,
    }
    said = "--extra-vars=" + json.dumps(given)
    playbooks.must("playbooks/site.yml", said)
    playbooks.must("playbooks/verify.yml", said)
    assert playbooks.must("playbooks/site.yml", said).changes == []
    playbooks.must("playbooks/site.yml")
    assert playbooks.must("playbooks/site.yml").changes == []


def daemons(storage, name):
    """Return the numbers of the daemons on the storage host *name*."""
    return {*storage.check_output("ceph osd ls-tree %s", name).split()}


def clean(storage):
    """Wait until all daemons are up and all placement groups have all copies; returns the seconds."""
    began = time.monotonic()
    while True:
        said = json.loads(storage.check_output("ceph status --format=json"))
        osds, groups = said["osdmap"], said["pgmap"]
        states = {state["state_name"]: state["count"] for state in groups["pgs_by_state"]}
        if osds["num_up_osds"] == osds["num_osds"] and states == {"active+clean": groups["num_pgs"]}:
            return time.monotonic() - began
        assert time.monotonic() - began < HEALED, (osds, states)
        time.sleep(3)
