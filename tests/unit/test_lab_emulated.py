"""The differences of an emulated lab host."""

from __future__ import annotations

import json
import os
import socket
import threading
from pathlib import Path

import pytest
from ansible_collections.cairn.openstack.plugins.module_utils.testing.lab import (
    base,
    emulator,
    fleet,
    image,
    states,
    store,
)
from ansible_collections.cairn.openstack.plugins.module_utils.testing.lab import host as hosts
from ansible_collections.cairn.openstack.plugins.module_utils.testing.lab.host import Host, Lab
from ansible_collections.cairn.openstack.plugins.module_utils.testing.lab.run import LabError, run
from ansible_collections.cairn.openstack.plugins.modules import lab_base

NETWORKS = {"management": "10.203.0.0/24", "tunnel": "10.203.1.0/24", "external": "10.203.2.0/24"}
RECIPE = ("trixie", ["systemd"], "http://10.203.0.1:3142", "cairn")


@pytest.fixture
def lab(tmp_path):
    return Lab(str(tmp_path), "unit", NETWORKS)


@pytest.fixture
def emulated(lab):
    return Host(lab, "storage1", "10.203.0.15", emulated=True, disks=("4G", "512M"))


def test_what_it_writes_is_in_images(emulated, lab):
    assert emulated.parts() == ["root.img", "disk1.img", "disk2.img"]
    assert list(emulated.images().values())[1:] == ["4G", "512M"]
    assert Host(lab, "aio1", "10.203.0.10", disks=("4G",)).parts() == ["upper", "disk1.img"]


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ({"emulated": True, "disks": ("4 GB",)}, "sizes such as 4G; not 4 GB"),
        ({"emulated": False, "disks": ("4GB",)}, "sizes such as 4G; not 4GB"),
    ],
)
def test_what_cannot_work_is_refused(lab, values, word):
    with pytest.raises(LabError, match=word):
        Host(lab, "storage1", "10.203.0.15", **values).check()


def test_a_container_has_disks_where_the_kernel_makes_them_of_files(lab, monkeypatch, tmp_path):
    container = Host(lab, "storage1", "10.203.0.15", disks=("4G",))
    monkeypatch.setattr(hosts, "LOOP", str(tmp_path))
    container.check()
    monkeypatch.setattr(hosts, "LOOP", str(tmp_path / "none"))
    with pytest.raises(LabError, match="lab_disks needs lab_emulated here"):
        container.check()


def record(host, **more):
    Path(host.path()).mkdir(parents=True)
    values = {"name": host.name, "address": host.address, "networks": list(host.networks), "base": "/base", **more}
    Path(host.path("host.json")).write_text(json.dumps(values))


def test_one_that_exists_is_known_by_its_name(emulated, lab):
    record(emulated, emulated=True, disks=["4G", "512M"])
    found = fleet.host_from(lab, {"name": "storage1", "address": ""})
    assert (found.emulated, found.disks, found.address) == (True, ("4G", "512M"), "10.203.0.15")


def test_a_container_does_not_become_an_emulated_host(emulated):
    record(emulated)
    with pytest.raises(LabError, match="was created with emulated False, disks"):
        store.check_same(emulated)


def test_an_older_container_stays_what_it_is(lab):
    host = Host(lab, "compute1", "10.203.0.13")
    record(host)
    store.check_same(host)


def test_a_snapshot_comes_back_with_its_holes(emulated):
    record(emulated, emulated=True, disks=["4G", "512M"])
    for name, size in emulated.images().items():
        run("truncate", f"--size={size}", emulated.path(name))
    with open(emulated.path("disk1.img"), "r+b") as disk:
        disk.write(b"before")
    store.save(emulated, "clean")
    with open(emulated.path("disk1.img"), "r+b") as disk:
        disk.write(b"after!")
    store.restore(emulated, "clean")
    with open(emulated.path("disk1.img"), "rb") as disk:
        assert disk.read(6) == b"before"
    stat = os.stat(emulated.path("disk1.img"))
    assert stat.st_size == 4 << 30
    assert stat.st_blocks < 100


@pytest.mark.skipif(os.geteuid() != 0, reason="not run: only root mounts")
def test_its_root_is_the_base_under_what_was_sown(emulated, tmp_path):
    below = tmp_path / "base"
    below.mkdir()
    (below / "name").write_text("everybody's")
    (below / "same").write_text("everybody's")
    for name in ("upper", "work", "root"):
        Path(emulated.path(name)).mkdir(parents=True)
    Path(emulated.path("upper", "name")).write_text("its own")
    image.make(emulated)
    image.fill(emulated, str(below))
    assert sorted(os.listdir(emulated.path())) == sorted(emulated.parts())
    assert run("debugfs", "-R", "cat /name", emulated.path("root.img")) == "its own"
    assert run("debugfs", "-R", "cat /same", emulated.path("root.img")) == "everybody's"


def test_each_kind_has_its_base(lab, emulated, monkeypatch):
    made = []
    options = {"base": "/one", "emulated_base": "/other", "user": "cairn", "supervise": "", "timeout": 1}
    monkeypatch.setattr(store, "create", lambda host, where, _user: made.append((host.name, where)))
    monkeypatch.setattr(store, "record", lambda _host: {"base": "/nowhere"})
    for host in (emulated, Host(lab, "aio1", "10.203.0.10")):
        with pytest.raises(LabError, match="which no longer exists"):
            states.begin(host, "started", {"power": "off", "exists": False}, options)
    assert made == [("storage1", "/other"), ("aio1", "/one")]


def test_bases_of_one_kind_stay_when_the_other_is_made(lab):
    trees = [base.path(lab, base.recipe(*RECIPE, emulated)) for emulated in (False, True)]
    assert os.path.basename(trees[1]).startswith("emulated-trixie-")
    for tree in (*trees, lab.path("base", "trixie-old"), lab.path("base", "emulated-trixie-old")):
        os.makedirs(tree)
    keys = ("suite", "packages", "proxy", "user")
    for emulated, old in ((False, "trixie-old"), (True, "emulated-trixie-old")):
        options = {**dict(zip(keys, RECIPE, strict=True)), "emulated": emulated}
        assert lab_base.apply(lab, options, check_mode=True)["diff"]["before"] == sorted(
            [trees[emulated], lab.path("base", old)]
        )


def monitor(path, said):
    """A QEMU's monitor: greets, tells of an event, and answers two commands."""
    server = socket.socket(socket.AF_UNIX)
    server.bind(path)
    server.listen()

    def serve():
        with server, server.accept()[0] as connection, connection.makefile("rw") as stream:
            for line in ('{"QMP": {}}', '{"return": {}}', '{"event": "POWERDOWN"}\n{"return": {}}'):
                stream.write(line + "\n")
                stream.flush()
                said.append(stream.readline())

    thread = threading.Thread(target=serve)
    thread.start()
    return thread


def test_the_power_button(emulated):
    said = []
    Path(emulated.path()).mkdir(parents=True)
    thread = monitor(emulated.path("qmp"), said)
    emulator.press(emulated)
    thread.join()
    assert [json.loads(line)["execute"] for line in said if line] == ["qmp_capabilities", "system_powerdown"]


def test_no_emulator_accepts_the_power_button(emulated):
    with pytest.raises(LabError, match="storage1: its emulator does not accept the power button event"):
        emulator.press(emulated)


def test_a_pid_that_another_process_has_now(emulated):
    Path(emulated.path()).mkdir(parents=True)
    Path(emulated.path("qemu.pid")).write_text(f"{os.getpid()}\n")
    assert emulator.pid(emulated) is None
