# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What destroy.yml removes is found without its services, and nothing else is taken for it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from ansible_collections.cairn.openstack.plugins.module_utils.common.processes import alive
from ansible_collections.cairn.openstack.plugins.module_utils.host import host_cleanup
from ansible_collections.cairn.openstack.plugins.modules import host_cleanup as module
from told import in_words


@pytest.fixture
def guest():
    """Start a process that looks like libvirt's QEMU to whoever reads its command line."""
    running = []

    def start(name):
        argv = ["qemu-system-test", "-c", "import time; time.sleep(600)", "-name", f"guest={name},debug-threads=on"]
        running.append(subprocess.Popen(argv, executable=sys.executable))
        return running[-1]

    yield start
    for process in running:
        process.kill()
        process.wait()


def test_guests_end_and_others_stay(guest, run_module):
    # The test's own process is the parent: it must reap, or the guest stays as a zombie.
    mine, other = guest(f"cairn{os.getpid()}-1"), guest("somebody-1")
    prefix = f"cairn{os.getpid()}-"
    planned = run_module(module, {"guests": prefix}, check=True)
    assert in_words(planned["changes"]) == [f"end guest {prefix}1"]
    assert mine.poll() is None
    host_cleanup.os.kill(mine.pid, 15)
    mine.wait()
    assert run_module(module, {"guests": prefix})["changes"] == []
    assert other.poll() is None


def test_end_kills_who_does_not_listen():
    deaf = "import signal, time; signal.signal(15, signal.SIG_IGN); print(flush=True); time.sleep(600)"
    # The process's parent is gone, as a guest's is: init reaps it, or it stays as a zombie.
    script = f'{sys.executable} -c "{deaf}" >/dev/null 2>&1 & echo $!'
    said = subprocess.run(["sh", "-c", script], stdout=subprocess.PIPE, text=True, check=True)
    pid = int(said.stdout)
    host_cleanup.end([pid], seconds=0.5)
    assert not alive(pid)


def test_directories(run_module, tmp_path):
    (tmp_path / "nova" / "instances").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    paths = [str(tmp_path / name) for name in ("nova", "link", "absent")]
    planned = run_module(module, {"directories": paths}, check=True)
    assert in_words(planned["changes"]) == [f"remove directory {path}" for path in paths[:2]]
    assert (tmp_path / "nova").exists()
    assert run_module(module, {"directories": paths})["changes"] == planned["changes"]
    assert [path.name for path in tmp_path.iterdir()] == ["elsewhere"]
    assert run_module(module, {"directories": paths})["changed"] is False


def test_what_another_package_has_stays():
    """A directory goes with the packages that it belongs to."""
    assert host_cleanup.owned("/etc/apt", [])
    said = subprocess.run(["dpkg-query", "--search", "/etc/apt"], capture_output=True, text=True, check=True).stdout
    owners = [name.strip() for line in said.splitlines() for name in line.rpartition(": ")[0].split(",")]
    assert not host_cleanup.owned("/etc/apt", owners)
    assert not host_cleanup.owned("/etc/cairn", [])


@pytest.mark.parametrize("path", ["/", "/var/lib", "/etc/", "relative", "/etc/../etc"])
def test_nobody_removes_what_is_no_services(run_module, path):
    result = run_module(module, {"directories": [path]})
    assert result["failed"]
    assert "nothing was removed" in result["msg"]


def test_a_file_system_in_a_folder_is_refused(monkeypatch, tmp_path):
    (tmp_path / "instances").mkdir()
    mounts = tmp_path / "mounts"
    mounts.write_text(f"/dev/vdb {tmp_path}/instances xfs rw 0 0\n")
    monkeypatch.setattr(host_cleanup, "_MOUNTS", str(mounts))
    with pytest.raises(host_cleanup.CleanupError, match="unmount it first"):
        host_cleanup.drop_directory(str(tmp_path))
    assert (tmp_path / "instances").exists()
