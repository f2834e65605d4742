# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Two of Cairn's modules never change a host at the same time, though the run of one was killed."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
import time

import pytest
from ansible_collections.cairn.openstack.plugins.module_utils.common import host_lock
from ansible_collections.cairn.openstack.plugins.module_utils.host import bridge_setup, units
from ansible_collections.cairn.openstack.plugins.module_utils.testing.lab import fleet

HOLDS = """
import sys, time
sys.path[:0] = {path!r}
from ansible_collections.cairn.openstack.plugins.module_utils.common import host_lock
host_lock.LOCK = {lock!r}
host_lock.os.geteuid = lambda: 0
class Module:
    check_mode, _name = False, "cairn.openstack.units"
host_lock.acquire(Module)
print("holds", flush=True)
time.sleep({seconds})
"""


class Module:
    """As much of an AnsibleModule as is asked for."""

    check_mode, _name = False, "cairn.openstack.config_files"

    def fail_json(self, msg):
        raise SystemExit(msg)


@pytest.fixture
def lock(tmp_path, monkeypatch):
    monkeypatch.setattr(host_lock, "LOCK", str(tmp_path / "lock"))
    monkeypatch.setattr(host_lock.os, "geteuid", lambda: 0)
    return host_lock.LOCK


@pytest.fixture
def other(lock):
    """Start a process that holds the lock for some seconds."""
    started = []

    def start(seconds):
        code = HOLDS.format(path=sys.path, lock=lock, seconds=seconds)
        process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout.readline() == "holds\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_the_second_waits_for_the_first(other):
    other(1)
    began = time.monotonic()
    host_lock.acquire(Module())
    assert time.monotonic() - began > 0.5


def test_a_dead_one_holds_nothing(other):
    other(60).kill()
    began = time.monotonic()
    host_lock.acquire(Module())
    assert time.monotonic() - began < 5


def test_one_that_never_ends_is_named(other, monkeypatch):
    process = other(60)
    monkeypatch.setattr(host_lock, "SECONDS", 0.3)
    with pytest.raises(SystemExit, match=rf"cairn.openstack.units, process {process.pid}"):
        host_lock.acquire(Module())


class TestUmask:
    """The host's root, or its sudo, may have one that hides new files from services."""

    @pytest.fixture(autouse=True)
    def strict(self):
        before = os.umask(0o077)
        yield
        os.umask(before)

    def test_what_a_module_makes_is_readable(self, lock, tmp_path):
        host_lock.acquire(Module())
        units.save_stamps({}, str(tmp_path / "lib/cairn/units.json"))
        modes = [stat.S_IMODE((tmp_path / path).stat().st_mode) for path in ("lib", "lib/cairn/units.json", "lock")]
        assert modes == [0o755, 0o644, 0o600]

    def test_its_commands_inherit_it(self, lock):
        host_lock.acquire(Module())
        assert subprocess.run(["sh", "-c", "umask"], capture_output=True, text=True, check=True).stdout == "0022\n"

    def test_others_keep_their_own(self, lock, monkeypatch):
        """A user's files on the control node are private if the user wants that."""
        monkeypatch.setattr(host_lock.os, "geteuid", lambda: 1000)
        host_lock.acquire(Module())
        assert os.umask(0o077) == 0o077

    def test_the_command_of_the_bridges(self, monkeypatch):
        monkeypatch.setattr(bridge_setup, "converge", lambda *_records: None)
        monkeypatch.setattr(bridge_setup.sys, "argv", ["cairn-bridges", "apply"])
        bridge_setup.main()
        assert os.umask(0o077) == 0o022

    def test_the_lab(self, monkeypatch, tmp_path):
        monkeypatch.setattr(fleet.os, "geteuid", lambda: 0)
        fleet.lab_from({"directory": str(tmp_path), "prefix": "cairn"})
        assert os.umask(0o077) == 0o022


def test_a_plan_waits_for_nobody(other, monkeypatch):
    other(60)
    monkeypatch.setattr(Module, "check_mode", True)
    host_lock.acquire(Module())


def test_every_module_that_changes_a_host_takes_its_turn(root):
    """Of the life cycle: what runs on the control node is an action plugin, whose module has no code."""
    away = {"guest_image", "lab", "verify"}
    roles = [path for path in (root / "roles").glob("*/tasks/*.yml") if path.parts[-3] not in away]
    used = {name for path in roles for name in re.findall(r"cairn\.openstack\.(\w+):\n", path.read_text())}
    texts = {name: (root / f"plugins/modules/{name}.py").read_text() for name in used}
    careless = {name for name, text in texts.items() if "def main" in text and "host_lock.acquire(module)" not in text}
    # They only look.
    assert careless == {"capacity_facts", "cloud_report", "host_probe", "host_report", "service_health"}
