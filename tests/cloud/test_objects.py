# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""All hosts of the object store look for objects in the same places. That it keeps them, playbooks/verify.yml tries."""

from __future__ import annotations

import pytest


@pytest.fixture
def files(part):
    """Return which of the rings' files the host gets."""
    kind = part["cairn"]["rings"].get("files")
    if not kind:
        pytest.skip("not run: the host has no part of an object store")
    return ("ring.gz", "builder") if kind == "controller" else ("ring.gz",)


def test_rings_are_everywhere_the_same(machine, controller, files):
    """Rings, and on controllers their builders, are those of the first controller."""
    for suffix in files:
        command = f"cd /etc/swift && sha256sum *.{suffix}"
        assert machine.check_output(command) == controller.check_output(command)


def test_nobody_else_reads_how_objects_are_found(machine, files):
    """The affixes of hashes, the key of encryption and the rings are Swift's own to read."""
    modes = machine.check_output("stat --format='%a %U:%G %n' /etc/swift/*.conf /etc/swift/*.ring.gz").splitlines()
    shipped = ("container-sync-realms.conf", "dispersion.conf", "drive-full-checker.conf", "memcache.conf")
    ours = [line for line in modes if not line.endswith((*shipped, "internal-client.conf"))]
    assert ours
    assert [line for line in ours if not line.startswith("640 root:swift ")] == []
