# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Everything that a host should run runs, and would run after a reboot."""

from __future__ import annotations

import time

import pytest
from support import host

STARTS_AT_BOOT = {"enabled", "enabled-runtime", "static", "indirect", "generated", "alias"}


def shown(node, names):
    """Return systemd's properties of the units, by the name that was asked for."""
    properties = "Id,LoadState,ActiveState,UnitFileState,NeedDaemonReload"
    said = node.check_output("systemctl show --property=" + properties + " %s" * len(names), *names)
    blocks = said.strip().split("\n\n")
    assert len(blocks) == len(names)
    return {
        name: dict(line.split("=", 1) for line in block.splitlines()) for name, block in zip(names, blocks, strict=True)
    }


def wanted(part):
    """Return the units of all tiers that should run."""
    units = [unit for tier in part["cairn"]["units"].values() for unit in tier]
    assert units, "the host has no part in the cloud"
    return [unit for unit in units if unit["state"] == "started"]


def test_units_are_up(node, part):
    """Each unit of the host's part is active."""
    found = shown(node, [unit["name"] for unit in wanted(part)])
    assert {name: unit["ActiveState"] for name, unit in found.items() if unit["ActiveState"] != "active"} == {}


def test_units_start_at_boot(node, part):
    """Each unit that should starts at boot."""
    found = shown(node, [unit["name"] for unit in wanted(part) if unit["enabled"]])
    assert {
        name: unit["UnitFileState"] for name, unit in found.items() if unit["UnitFileState"] not in STARTS_AT_BOOT
    } == {}


def test_systemd_has_read_the_files(node, part):
    """No unit file is newer than what systemd has read of it."""
    found = shown(node, [unit["name"] for unit in wanted(part)])
    assert [name for name, unit in found.items() if unit["NeedDaemonReload"] != "no"] == []


def test_no_unit_has_failed(node):
    """systemd knows of no failed unit, ours or not."""
    assert node.check_output("systemctl list-units --failed --plain --no-legend") == ""


@pytest.fixture(scope="module")
def restarts(playbooks, looks):
    """Return for each host how often systemd has restarted each service by itself, and that a moment later."""

    def counts():
        return {name: restarted(host(playbooks, name), look["part"]) for name, look in looks.items()}

    first = counts()
    time.sleep(5)
    second = counts()
    return {name: (first[name], second[name]) for name in looks}


def test_no_unit_is_being_restarted(restarts, name):
    """No service of ours dies and is started again and again: none has been restarted by systemd lately."""
    first, second = restarts[name]
    assert second == first


def restarted(node, part):
    """Return how often systemd has restarted each service of a host by itself."""
    names = [unit["name"] for unit in wanted(part) if "." not in unit["name"]]
    return node.check_output("systemctl show --property=Id,NRestarts" + " %s" * len(names), *names)
