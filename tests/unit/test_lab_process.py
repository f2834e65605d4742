"""Processes are found by a pid file only as long as they are what it was written for."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from ansible_collections.cairn.openstack.plugins.module_utils.common.processes import alive
from ansible_collections.cairn.openstack.plugins.module_utils.testing.lab import process
from ansible_collections.cairn.openstack.plugins.module_utils.testing.lab.run import LabError, locked, run, write


@pytest.fixture
def sleeper():
    with subprocess.Popen(["sleep", "60"]) as child:
        # For a moment it has no arguments.
        assert process.wait_until(lambda: Path(f"/proc/{child.pid}/cmdline").read_bytes(), 5)
        yield child
        child.kill()


def test_a_pid_file_of_this_process(tmp_path, sleeper):
    path = tmp_path / "pid"
    path.write_text(f"{sleeper.pid}\n")
    assert process.from_pid_file(path, "60") == sleeper.pid


def test_a_pid_that_somebody_else_has_now(tmp_path, sleeper):
    path = tmp_path / "pid"
    path.write_text(f"{sleeper.pid}\n")
    assert process.from_pid_file(path, "/var/lib/cairn-lab/hosts/compute1") is None


@pytest.mark.parametrize("text", ["", "no number", "4194999"])
def test_a_pid_file_that_says_nothing(tmp_path, text):
    path = tmp_path / "pid"
    path.write_text(text)
    assert process.from_pid_file(path, "60") is None
    assert process.from_pid_file(tmp_path / "none", "60") is None


def test_a_process_that_nobody_waited_for_is_dead(sleeper):
    assert alive(sleeper.pid)
    sleeper.kill()
    assert process.wait_until(lambda: not alive(sleeper.pid), 5)


def test_one_that_does_not_listen_is_killed(tmp_path):
    command = ["sh", "-c", f"trap '' TERM; touch {tmp_path}/ready; while :; do sleep 0.1; done"]
    with subprocess.Popen(command) as child:
        assert process.wait_until((tmp_path / "ready").exists, 5)
        process.end([child.pid], grace=0.2)
        assert child.wait() == -9


def test_what_is_started_goes_on_in_a_session_of_its_own(tmp_path):
    child = process.start(["sh", "-c", "ps -o sid= -p $$; echo done"], tmp_path / "log")
    child.wait()
    assert (tmp_path / "log").read_text().split() == [str(child.pid), "done"]


def test_files_are_written_when_they_differ(tmp_path):
    path = str(tmp_path / "file")
    assert write(path, "one", 0o600)
    assert not write(path, "one", 0o600)
    assert write(path, "one", 0o644)
    assert write(path, "two", 0o644)
    assert os.listdir(tmp_path) == ["file"]


def test_a_command_that_fails_says_how():
    with pytest.raises(LabError, match=r"`sh -c echo words >&2; exit 3` failed \(3\): words"):
        run("sh", "-c", "echo words >&2; exit 3")
    with pytest.raises(LabError, match="no-such-program is not installed"):
        run("no-such-program")
    with pytest.raises(LabError, match="did not end within"):
        run("sleep", "5", timeout=0.1)


def test_a_lock_is_held_as_long_as_it_is_used(tmp_path):
    path = str(tmp_path / "lock")
    taken = ["flock", "--timeout", "0", path, "true"]
    with locked(path):
        assert subprocess.run(taken, check=False).returncode == 1
    assert subprocess.run(taken, check=False).returncode == 0
