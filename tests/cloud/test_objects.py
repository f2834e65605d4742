# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who looks after objects finds them, and nobody else reaches them. That they are kept, playbooks/verify.yml tries."""

from __future__ import annotations

import pytest

OBJECTS = {
    ".rgw.root",
    *(f"default.rgw.{name}" for name in ("control", "log", "meta", "otp")),
    *(f"default.rgw.buckets.{name}" for name in ("data", "index", "non-ec")),
}


@pytest.fixture
def files(part):
    """Return which of the rings' files the host gets."""
    kind = part["cairn"]["rings"].get("files")
    if not kind:
        pytest.skip("not run: the host has no part of Swift")
    return ("ring.gz", "builder") if kind == "controller" else ("ring.gz",)


def test_rings_are_everywhere_the_same(node, controller, files):
    """Rings, and on controllers their builders, are those of the first controller."""
    for suffix in files:
        command = f"cd /etc/swift && sha256sum *.{suffix}"
        assert node.check_output(command) == controller.check_output(command)


def test_nobody_else_reads_how_objects_are_found(node, files):
    """The affixes of hashes, the key of encryption and the rings are Swift's own to read."""
    modes = node.check_output("stat --format='%a %U:%G %n' /etc/swift/*.conf /etc/swift/*.ring.gz").splitlines()
    shipped = ("container-sync-realms.conf", "dispersion.conf", "drive-full-checker.conf", "memcache.conf")
    ours = [line for line in modes if not line.endswith((*shipped, "internal-client.conf"))]
    assert ours
    assert [line for line in ours if not line.startswith("640 root:swift ")] == []


@pytest.fixture
def gateway(part, name):
    """Return the account in Ceph of the host's gateway."""
    if f"ceph-radosgw@rgw.{name}" not in [unit["name"] for unit in part["cairn"]["units"]["service"]]:
        pytest.skip("not run: the host has no gateway to Ceph")
    return f"rgw.{name}"


def test_nobody_else_reads_what_the_gateway_enters_by(node, gateway):
    """Its key in Ceph and its password in Keystone are its own to read."""
    command = (
        f"stat --format='%a %U:%G' /etc/ceph/ceph.client.{gateway}.keyring /etc/ceph/ceph.client.{gateway}.password"
    )
    assert node.check_output(command).splitlines() == ["640 root:ceph"] * 2


def test_the_gateway_reaches_the_pools_of_objects_alone(node, gateway):
    """With its key the pools of objects are read, and no other."""
    ask = f"setpriv --reuid=ceph --regid=ceph --init-groups rados --id {gateway} --pool"
    assert node.run(f"{ask} default.rgw.buckets.data ls").rc == 0
    others = set(node.check_output(f"rados --id {gateway} lspools").splitlines()) - OBJECTS
    assert [pool for pool in others if node.run(f"{ask} {pool} ls").rc == 0] == []


def test_the_gateway_has_made_no_pool(node, gateway):
    """All that it needs was there: its own would have copies on different hosts, whether there are any or not."""
    found = node.check_output(f"rados --id {gateway} lspools").splitlines()
    assert {pool for pool in found if "rgw" in pool} == OBJECTS
