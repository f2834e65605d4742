# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Storage is whole, and everybody reaches his own part of it alone."""

from __future__ import annotations

import json
import time
import uuid

import pytest

POOLS = {"glance": "images", "cinder": "volumes", "cinder-backup": "backups", "nova": "vms"}
# Seconds in which deleted snapshots are trimmed.
TRIMMED = 120


@pytest.fixture
def ceph(node, part):
    """Return what the cluster says of itself, to a host that is part of it."""
    if part["cairn"]["ceph"] is None:
        pytest.skip("not run: no daemon of Ceph here")
    return json.loads(node.check_output("ceph status --format json"))


def test_every_device_is_served(node, name, part, ceph):
    """Each device of the host has a daemon that is up."""
    assert ceph["osdmap"]["num_osds"] > 0
    tree = json.loads(node.check_output("ceph osd tree --format json"))["nodes"]
    mine = next(entry for entry in tree if entry["type"] == "host" and entry["name"] == name)
    up = [entry for entry in tree if entry["id"] in mine["children"] and entry["status"] == "up"]
    assert len(up) == len(part["cairn"]["ceph"]["osds"])


def test_all_copies_are_there(node, ceph):
    """Every placement group is active and clean, once it is rid of the snapshots that verify has just deleted."""
    deadline = time.monotonic() + TRIMMED
    while (states := states_of(ceph)) != {"active+clean"} and time.monotonic() < deadline:
        time.sleep(2)
        ceph = json.loads(node.check_output("ceph status --format json"))
    assert states == {"active+clean"}


def states_of(ceph):
    """Return the states that placement groups are in."""
    return {state["state_name"] for state in ceph["pgmap"]["pgs_by_state"]}


def test_managers_modules_work(node, ceph):
    """No module of the manager failed, and none lacks what it depends on."""
    checks = json.loads(node.check_output("ceph health --format json"))["checks"]
    assert [name for name in checks if name.startswith("MGR_")] == []


def test_crashes_are_reported(node, ceph):
    """Reports are taken from the user whose daemons crash, and none waits that was not."""
    assert node.check_output("find /var/lib/ceph/crash -name meta -not -path '*/posted/*'") == ""
    crash = f"2026-01-01T00:00:00.000000Z_{uuid.uuid4()}"
    report = json.dumps({"crash_id": crash, "timestamp": "2026-01-01T00:00:00.000000Z", "entity_name": "client.test"})
    ask = "setpriv --reuid=ceph --regid=ceph --init-groups ceph --name client.crash crash post -i -"
    node.check_output(f"echo %s | {ask}", report)
    try:
        assert crash in node.check_output("ceph crash ls")
    finally:
        node.check_output("ceph crash rm %s", crash)


@pytest.mark.parametrize("account", POOLS)
def test_an_account_reaches_its_own_pool_alone(node, account):
    """With a service's key its own pool is read, and another's is not."""
    if not node.file(f"/etc/ceph/ceph.client.{account}.keyring").exists:
        pytest.skip(f"not run: no key of client.{account} here")
    user = "cinder" if account == "cinder-backup" else account
    ask = f"setpriv --reuid={user} --regid={user} --init-groups rbd --id {account} --pool"
    assert node.run(f"{ask} {POOLS[account]} ls").rc == 0
    other = "backups" if account != "cinder-backup" else "volumes"
    assert node.run(f"{ask} {other} ls").rc != 0


def test_volume_services_are_up(node, part):
    """Cinder hears of each of its services."""
    if "cinder" not in {user["name"] for user in part["cairn"]["identity"]["users"]}:
        pytest.skip("not run: no volume service")
    said = node.check_output("openstack --os-cloud %s volume service list --format json", part["cloud"])
    services = json.loads(said)
    assert "cinder-scheduler" in {service["Binary"] for service in services}
    assert [service for service in services if service["State"] != "up"] == []
