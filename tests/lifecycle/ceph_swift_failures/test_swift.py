# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Objects outlive a storage host's power loss, and rings that grow, shift and shrink by the inventory.

On a cloud whose inventory has its storage devices in ``test_devices`` and ``min_part_hours: 0``, with the policies of
molecule/ceph_swift_failures.
"""

from __future__ import annotations

import json
import secrets
import threading
import time

import pytest
from objects import Client, Store
from support import POWER, REPLACED, ask, host, told

OBJECTS = 1100
BEFORE = 300
# Read again after each change of the rings, when the places of all are looked at as well.
SAMPLE = 150
VICTIM = "storage2"
# Container → the index of its policy.
CONTAINERS = {"three": 0, "coded": 1}
# What each storage host gives to Swift, and what it has besides.
ONE, TWO, MORE = "virtio-disk2", "virtio-disk3", "virtio-disk4"
HEALED = 600


@pytest.fixture(scope="module")
def client(playbooks, controller):
    """Return a user with a container of each policy."""
    address = controller.ansible.get_variables()["ansible_host"]
    client = Client(Store(address=address, **ask(controller, "cloud/scripts/store.py")))
    for name in CONTAINERS:
        assert client.store.ask("PUT", f"/{name}", X_Storage_Policy=name)[0] in (201, 202)
    return client


def rings(controller):
    """Return which devices each partition is on."""
    return {name: found["places"] for name, found in ask(controller, "cloud/scripts/rings.py").items()}


def missing(controller, client):
    """Return how many copies and fragments are not where they belong, by device."""
    account = client.store.url.rpartition("/")[2]
    total = {}
    for container, policy in CONTAINERS.items():
        names = [path.rpartition("/")[2] for path in client.acknowledged if path.startswith(f"/{container}/")]
        found = ask(controller, "cloud/scripts/rings.py", account, str(policy), container, ",".join(names))
        for device, number in found["lacking"].items():
            total[device] = total.get(device, 0) + number
    return total


def healed(controller, client):
    """Wait until every copy is where it belongs, and return the seconds that it took."""
    began = time.monotonic()
    while left := missing(controller, client):
        assert time.monotonic() - began < HEALED, left
        time.sleep(5)
    return time.monotonic() - began


def with_devices(playbooks, controller, **changes):
    """Return the option that gives the inventory other devices.

    :param changes: for a host its devices' names and weights.
    """
    devices = dict(controller.ansible.get_variables()["test_devices"])
    for name, found in changes.items():
        devices[name] = [
            {"path": f"/dev/disk/by-id/{device}", "backend": "objects", "weight": weight}
            for device, weight in found.items()
        ]
    return f"--extra-vars={json.dumps({'test_devices': devices})}"


def moves(before, after):
    """Return for each ring how many replicas moved, from where, to where, and at most how many of one partition."""
    found = {}
    for name, rows in before.items():
        pairs = [(set(was) - set(now), set(now) - set(was)) for was, now in zip(rows, after[name], strict=True)]
        found[name] = {
            "moved": sum(len(left) for left, _come in pairs),
            "most": max(len(left) for left, _come in pairs),
            "from": sorted({device for left, _come in pairs for device in left}),
            "to": sorted({device for _left, come in pairs for device in come}),
        }
    return found


def restarts(run):
    """Return the restarted units, except the one that creates directories and mounts disks."""
    changes = [change for _host, _task, said in run.results for change in said.get("changes", [])]
    restarted = [change["name"] for change in changes if (change["kind"], change["verb"]) == ("unit", "restart")]
    return [name for name in restarted if not name.startswith("swift-devices")]


@pytest.fixture(scope="module")
def row(table):
    """Return what is known of the loss of power, and write it down at the end."""
    known = {}
    yield known
    if len(known) == len(POWER) - 1:
        table("power", *POWER).add("objects, in three copies and in 2 + 1 fragments", *known.values())


def test_no_acknowledged_object_is_lost(playbooks, controller, client, capsys, row):
    """One of three storage hosts loses its power in the middle of writes."""
    # Never the same twice: of an object that was overwritten Swift may have an older one for a while.
    names = [f"{secrets.token_hex(4)}-{number}" for number in range(OBJECTS)]
    paths = [f"/{list(CONTAINERS)[number % 2]}/{name}" for number, name in enumerate(names)]
    writer = threading.Thread(target=client.write, args=(paths,))
    began = time.monotonic()
    writer.start()
    while len(client.acknowledged) < BEFORE:
        assert writer.is_alive(), client.refused
        time.sleep(0.1)
    playbooks.must("playbooks/lab_host.yml", f"--extra-vars=host={VICTIM}", "--extra-vars=state=killed")
    during = len(client.acknowledged)
    writer.join()
    seconds = time.monotonic() - began
    told(
        capsys,
        f"{len(client.acknowledged)} of {OBJECTS} objects acknowledged in {seconds:.0f} s, {during} of them when "
        f"{VICTIM} had lost its power; refused: {len(client.refused)}",
    )
    assert len(client.acknowledged) >= 1000
    assert during < len(client.acknowledged), "nothing was written without the host"
    lost = client.lost()
    told(capsys, f"read without it: {len(client.acknowledged) - len(lost)}, lost: {len(lost)}")
    assert lost == {}
    row.update(acknowledged=len(client.acknowledged), before=during, lost=0)


def test_all_heals_when_it_is_back(playbooks, controller, client, capsys, row):
    """Every copy and fragment gets to where it belongs, and is read back."""
    playbooks.must("playbooks/lab_host.yml", f"--extra-vars=host={VICTIM}", "--extra-vars=state=started")
    lacking = sum(missing(controller, client).values())
    seconds = healed(controller, client)
    told(capsys, f"{lacking} copies and fragments were not where they belong; whole again after {seconds:.0f} s")
    assert client.lost() == {}
    row.update(healed=f"{seconds:.0f} s")


def test_a_run_with_nothing_to_do(playbooks):
    """Rings and all else stay."""
    assert playbooks.must("playbooks/site.yml").changes == []


@pytest.fixture
def change(playbooks, controller, client, capsys):
    """Change the inventory's devices: planned, run, healed; returns what moved, and what the run said."""

    def do(what, **devices):
        option = with_devices(playbooks, controller, **devices)
        before = rings(controller)
        planned = playbooks.must("playbooks/site.yml", option, "--check").of("Object storage rings")
        assert rings(controller) == before, "a plan has changed a ring"
        run = playbooks.must("playbooks/site.yml", option)
        (said,) = run.of("Object storage rings").values()
        assert next(iter(planned.values()))["changes"] == said["changes"], "the plan told something else"
        found = moves(before, rings(controller))
        assert client.lost(SAMPLE) == {}, "not all could be read while replicas moved"
        seconds = healed(controller, client)
        words = "; ".join(f"{name}: {one['moved']} replicas" for name, one in found.items())
        told(capsys, f"{what}: {words}; all where it belongs after {seconds:.0f} s")
        assert restarts(run) == [], "a unit was restarted for a ring"
        assert all(one["most"] <= 1 for one in found.values())
        return found

    return do


def test_a_device_is_added(change):
    """Replicas move to it, and nowhere else."""
    found = change("added", storage3={ONE: 100, TWO: 100, MORE: 100})
    assert all(one["to"] == [f"storage3/{MORE}"] for one in found.values()), found
    # Each host has a replica of every partition, and goes on so: a third of the host's moves.
    assert all(80 <= one["moved"] <= 90 for one in found.values()), found


def test_a_device_gets_another_weight(change):
    """Replicas leave it, and no other."""
    found = change("reweighted", storage3={ONE: 100, TWO: 100, MORE: 50})
    assert all(one["from"] == [f"storage3/{MORE}"] for one in found.values()), found


def test_a_device_is_removed(change, playbooks, controller):
    """It is drained, then taken out of the rings, which moves nothing any more."""
    found = change("drained", storage3={ONE: 100, TWO: 100})
    assert all(one["from"] == [f"storage3/{MORE}"] for one in found.values()), found
    found = change("removed", storage3={ONE: 100, TWO: 100})
    assert all(one["moved"] == 0 for one in found.values()), found
    assert playbooks.must("playbooks/site.yml").changes == []


def test_a_disk_that_died_is_replaced(playbooks, groups, controller, client, table):
    """An empty one in its place: no ring changes, and copies come back."""
    storage = host(playbooks, groups["storage"][-1])
    before = rings(controller)
    directory = f"/srv/node/{TWO}"
    storage.check_output("xfs_io -x -c shutdown %s", directory)
    # Swift's daemons keep databases open for good.
    first = f"systemctl stop 'swift-*' && umount {directory}"
    storage.check_output(first)
    storage.check_output("blkdiscard --force --zeroout /dev/disk/by-id/%s", TWO)
    # What has made the old one's file system ends with the device, had somebody pulled it.
    storage.check_output('systemctl stop "systemd-makefs@$(systemd-escape --path /dev/disk/by-id/%s).service"', TWO)
    began = time.monotonic()
    playbooks.must("playbooks/site.yml")
    assert sum(missing(controller, client).values()) > 0
    healed(controller, client)
    seconds = time.monotonic() - began
    assert storage.check_output("findmnt --noheadings --output FSTYPE %s", directory) == "xfs"
    gone = client.lost()
    table("replaced", *REPLACED).add("Swift", first, len(gone), f"{seconds:.0f} s")
    assert gone == {}
    assert rings(controller) == before


def test_more_is_not_removed_than_is_safe(playbooks, controller):
    """Two of three hosts leave the inventory's devices: refused before anything is touched."""
    before = rings(controller)
    option = with_devices(playbooks, controller, storage2={}, storage3={ONE: 0, TWO: 0})
    run = playbooks.run("playbooks/site.yml", option)
    assert run.code != 0
    assert rings(controller) == before


def test_another_disk_takes_a_dead_one_s_place(playbooks, change):
    """One run drains the dead one and gives its share to the new one, of another name; the next forgets it."""
    storage = host(playbooks, VICTIM)
    storage.check_output("xfs_io -x -c shutdown /srv/node/%s", ONE)
    storage.check_output("umount --lazy /srv/node/%s", ONE)
    storage.check_output("systemctl restart 'swift-account*' 'swift-container*'")
    devices = {VICTIM: {TWO: 100, MORE: 100}}
    found = change("another disk", **devices)
    assert all(f"{VICTIM}/{ONE}" in one["from"] and f"{VICTIM}/{MORE}" in one["to"] for one in found.values()), found
    found = change("the dead one forgotten", **devices)
    assert all(one["moved"] == 0 for one in found.values()), found
