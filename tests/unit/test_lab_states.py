"""From what a lab host is to what it should be, and the same for what hosts share."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest
from ansible_collections.cairn.openstack.plugins.module_utils.testing.lab import (
    base,
    cache,
    fleet,
    known_hosts,
    network,
    power,
    seed,
    states,
    store,
)
from ansible_collections.cairn.openstack.plugins.module_utils.testing.lab.host import Host, Lab
from ansible_collections.cairn.openstack.plugins.module_utils.testing.lab.run import LabError
from ansible_collections.cairn.openstack.plugins.modules import lab_base, lab_cache, lab_network

NETWORKS = {"management": "10.203.0.0/24", "tunnel": "10.203.1.0/24", "external": "10.203.2.0/24"}
OFF = {"power": "off", "exists": True, "leftovers": False, "cable": "in", "snapshots": [], "disk": ""}
ON = {**OFF, "power": "on"}
NONE = {**OFF, "exists": False}


@pytest.fixture
def lab(tmp_path):
    # Another prefix than a lab that may be up on this machine: some tests remove what they find.
    return Lab(str(tmp_path / "lab"), "unit", NETWORKS)


@pytest.fixture
def host(lab):
    return Host(lab, "compute1", "10.203.0.13")


@pytest.mark.parametrize(
    ("state", "before", "after"),
    [
        ("started", NONE, ON),
        ("started", OFF, ON),
        ("started", ON, ON),
        ("started", {**OFF, "disk": "clean"}, ON),
        ("stopped", ON, OFF),
        ("stopped", OFF, OFF),
        ("killed", ON, OFF),
        ("frozen", ON, {**ON, "power": "frozen"}),
        ("started", {**ON, "power": "frozen"}, ON),
        ("killed", {**ON, "power": "frozen"}, OFF),
        ("cut", ON, {**ON, "cable": "cut"}),
        ("joined", {**ON, "cable": "cut"}, ON),
        ("isolated", ON, {**ON, "cable": "isolated"}),
        ("isolated", {**ON, "cable": "cut"}, {**ON, "cable": "isolated"}),
        ("joined", {**ON, "cable": "isolated"}, ON),
        ("snapshotted", OFF, {**OFF, "snapshots": ["clean"], "disk": "clean"}),
        ("snapshotted", {**OFF, "snapshots": ["clean"]}, {**OFF, "snapshots": ["clean"], "disk": "clean"}),
        (
            "snapshotted",
            {**OFF, "snapshots": ["clean"], "disk": "clean"},
            {**OFF, "snapshots": ["clean"], "disk": "clean"},
        ),
        ("restored", {**OFF, "snapshots": ["clean"]}, {**OFF, "snapshots": ["clean"], "disk": "clean"}),
        ("restored", {**NONE, "snapshots": ["clean"]}, {**OFF, "snapshots": ["clean"], "disk": "clean"}),
        ("absent", ON, NONE),
        ("absent", {**NONE, "leftovers": True, "power": "on"}, NONE),
        ("absent", {**ON, "snapshots": ["clean"]}, {**NONE, "snapshots": ["clean"]}),
    ],
)
def test_states(state, before, after):
    assert states.wanted(state, before, "clean") == after
    assert states.wanted(state, after, "clean") == after


@pytest.mark.parametrize(
    ("state", "before", "snapshot", "word"),
    [
        ("killed", NONE, "", "not a host of this lab"),
        ("frozen", OFF, "", "must be a container that is running"),
        ("snapshotted", OFF, "", "needs the name"),
        ("snapshotted", ON, "clean", "powered off"),
        ("snapshotted", NONE, "clean", "not a host of this lab"),
        ("restored", OFF, "clean", "no snapshot 'clean'"),
        ("started", {**NONE, "power": "on"}, "", "has no record"),
    ],
)
def test_what_cannot_be_done_is_refused(host, state, before, snapshot, word):
    with pytest.raises(LabError, match=word):
        states.check(host, state, before, snapshot)


def params(hosts, **more):
    items = [{"name": name, "address": address, "networks": list(NETWORKS)} for name, address in hosts.items()]
    default = {
        "hosts": items,
        "state": "started",
        "snapshot": "",
        "others": False,
        "supervise": "#!/bin/sh\n",
        "timeout": 1,
        "emulated_timeout": 1,
    }
    return {**default, "base": "", "emulated_base": "", "user": "cairn", **more}


def test_check_mode_makes_nothing(lab):
    result = fleet.apply(lab, params({"compute1": "10.203.0.13"}), check_mode=True)
    assert result["changed"]
    assert not result["failures"]
    assert result["remaining"] == ["compute1"]
    assert result["diff"]["after"]["compute1"] == ON
    assert not os.path.exists(lab.directory)


def test_removing_what_never_was_makes_nothing(lab):
    result = fleet.apply(lab, params({"compute1": ""}, state="absent"), check_mode=False)
    assert not result["changed"]
    assert not result["failures"]
    assert result["remaining"] == []
    assert not os.path.exists(lab.directory)


def test_every_fault_is_named_and_nothing_done(lab, monkeypatch):
    monkeypatch.setattr(states, "begin", lambda *_args: pytest.fail("something was done"))
    result = fleet.apply(
        lab, params({"one": "192.0.2.1", "two": "10.203.0.1", "three": "10.203.0.3"}), check_mode=False
    )
    assert len(result["failures"]) == 2
    assert not result["changed"]


def test_one_host_that_fails_does_not_hide_another(lab, monkeypatch):
    def begin(host, *_args):
        if host.name == "one":
            raise LabError("one is broken")

    def finish(host, *_args):
        raise LabError(f"{host.name} is late")

    monkeypatch.setattr(states, "begin", begin)
    monkeypatch.setattr(states, "finish", finish)
    monkeypatch.setattr(seed, "run", lambda *_args: "")
    result = fleet.apply(lab, params({"one": "10.203.0.2", "two": "10.203.0.3"}), check_mode=False)
    assert result["failures"] == ["one is broken", "two is late"]


def made(host, **differs):
    Path(host.path("upper")).mkdir(parents=True)
    record = {"name": host.name, "address": host.address, "networks": list(host.networks), "base": "/base", **differs}
    Path(host.path("host.json")).write_text(json.dumps(record))


def test_a_host_that_was_made_otherwise(host):
    made(host, address="10.203.0.99")
    with pytest.raises(LabError, match=r"was created with address 10.203.0.99"):
        store.check_same(host)


def test_current_state_is_read_from_what_there_is(host):
    assert states.current(host) == NONE
    os.makedirs(host.path())
    assert states.current(host) == {**NONE, "leftovers": True}
    made(host)
    assert states.current(host) == OFF
    Path(host.path("cut")).touch()
    assert states.current(host) == {**OFF, "cable": "cut"}
    Path(host.path("cut")).rename(host.path("isolated"))
    assert states.current(host) == {**OFF, "cable": "isolated"}


def test_a_snapshot_comes_back(host):
    made(host)
    upper = Path(host.path("upper"))
    (upper / "file").write_text("before")
    (upper / "link").hardlink_to(upper / "file")
    store.save(host, "clean")
    assert store.snapshots(host) == ["clean"]
    (upper / "file").write_text("after")
    (upper / "more").write_text("after")
    store.restore(host, "clean")
    assert sorted(path.name for path in upper.iterdir()) == ["file", "link"]
    assert (upper / "file").read_text() == "before"
    assert (upper / "file").stat().st_nlink == 2
    assert states.current(host) == {**OFF, "snapshots": ["clean"], "disk": "clean"}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes whiteouts")
def test_a_snapshot_keeps_what_was_deleted(host):
    made(host)
    os.mknod(host.path("upper", "gone"), 0o020000, os.makedev(0, 0))
    os.mkdir(host.path("upper", "opaque"))
    os.setxattr(host.path("upper", "opaque"), "trusted.overlay.opaque", b"y")
    store.save(host, "clean")
    store.restore(host, "clean")
    assert os.stat(host.path("upper", "gone")).st_rdev == 0
    assert os.getxattr(host.path("upper", "opaque"), "trusted.overlay.opaque") == b"y"


def test_a_broken_snapshot_is_none(host):
    Path(store.snapshot_path(host, "half"), "upper").mkdir(parents=True)
    assert store.snapshots(host) == []
    with pytest.raises(LabError, match="no snapshot 'half'; it has: none"):
        store.restore(host, "half")


def test_known_hosts_follow_the_hosts(lab, host):
    made(host)
    Path(os.path.dirname(host.key())).mkdir(parents=True)
    Path(host.key(".pub")).write_text("ssh-ed25519 KEY root@compute1\n")
    assert known_hosts.refresh(lab)
    assert Path(lab.path("ssh", "known_hosts")).read_text() == "10.203.0.13,compute1 ssh-ed25519 KEY\n"
    assert not known_hosts.refresh(lab)
    store.discard(host)
    assert known_hosts.refresh(lab)
    assert Path(lab.path("ssh", "known_hosts")).read_text() == ""


@pytest.mark.skipif(os.geteuid() != 0, reason="changes owners")
def test_what_is_sown_keeps_the_modes_of_the_base(lab, tmp_path):
    below, upper = tmp_path / "base", tmp_path / "upper"
    (below / "home/cairn").mkdir(parents=True)
    (below / "home/cairn").chmod(0o700)
    os.chown(below / "home/cairn", 1000, 1001)
    upper.mkdir()
    seed.Tree(str(below), str(upper)).place("/home/cairn/.ssh/authorized_keys", "key\n", 0o600, 1000, 1001)
    home, file = (upper / "home/cairn").stat(), (upper / "home/cairn/.ssh/authorized_keys").stat()
    assert (home.st_mode & 0o777, home.st_uid, home.st_gid) == (0o700, 1000, 1001)
    assert (file.st_mode & 0o777, file.st_uid, file.st_gid) == (0o600, 1000, 1001)


def test_the_base_is_known_by_its_recipe(lab):
    one = base.path(lab, base.recipe("trixie", ["b", "a"], "http://10.203.0.1:3142", "cairn", False))
    assert one == base.path(lab, base.recipe("trixie", ["a", "b"], "http://10.203.0.1:3142", "cairn", False))
    assert one != base.path(lab, base.recipe("trixie", ["a", "b", "c"], "http://10.203.0.1:3142", "cairn", False))


def test_the_base_is_made_once_and_old_ones_go(lab, host, monkeypatch):
    def run(*argv, **_kwargs):
        tree = Path(argv[-1])
        (tree / "etc").mkdir(parents=True) if "mmdebstrap" in argv else os.rmdir(tree)
        if "mmdebstrap" in argv:
            Path(f"{tree}.pid").touch()

    keys = ("suite", "packages", "proxy", "user", "emulated")
    values = ("trixie", ["systemd"], "http://10.203.0.1:3142", "cairn", False)
    options = dict(zip(keys, values, strict=True))
    made(host, base=lab.path("base", "in-use"))
    for name in ("in-use", "old"):
        os.makedirs(lab.path("base", name))
    assert lab_base.apply(lab, options, check_mode=True)["changed"]
    assert sorted(os.listdir(lab.path("base"))) == ["in-use", "old"]
    monkeypatch.setattr(
        base, "run", lambda *argv, **kw: run(*argv, **kw) if os.path.exists(argv[-1]) or "mmdebstrap" in argv else ""
    )
    result = lab_base.apply(lab, options, check_mode=False)
    assert result["changed"]
    assert sorted(os.listdir(lab.path("base"))) == sorted(["in-use", os.path.basename(result["path"])])
    assert not lab_base.apply(lab, options, check_mode=False)["changed"]


def test_the_cache_has_no_guessed_back_ends(lab):
    text = cache.configuration(lab, "10.203.0.1", 3142, "")
    assert "BindAddress: 10.203.0.1\n" in text
    assert "Remap" not in text
    assert "Proxy" not in text
    assert "Proxy: http://proxy:3128\n" in cache.configuration(lab, "10.203.0.1", 3142, "http://proxy:3128")


def test_the_cache_restarts_for_another_configuration(lab, monkeypatch):
    options = {"state": "present", "port": 3142, "upstream": ""}
    monkeypatch.setattr(cache, "current", lambda _lab: {"running": True, "configuration": "old"})
    done = []
    monkeypatch.setattr(cache, "start", lambda *args: done.append(args))
    assert lab_cache.apply(lab, options, check_mode=True)["changed"]
    assert not done
    assert lab_cache.apply(lab, options, check_mode=False)["changed"]
    assert done
    text = cache.configuration(lab, "10.203.0.1", 3142, "")
    monkeypatch.setattr(cache, "current", lambda _lab: {"running": True, "configuration": text})
    assert not lab_cache.apply(lab, options, check_mode=False)["changed"]


@pytest.mark.parametrize(
    ("route", "word"),
    [
        (
            {"dst": "10.203.1.128/25", "dev": "eth0"},
            "lab_tunnel_network 10.203.1.0/24 overlaps .* 10.203.1.128/25 eth0",
        ),
        ({"dst": "10.0.0.0/8", "dev": "tun0"}, "lab_external_network"),
        ({"dst": "10.203.0.7", "dev": "tun0"}, "lab_management_network"),
    ],
)
def test_networks_that_overlap_with_the_machines_own(lab, monkeypatch, route, word):
    monkeypatch.setattr(network, "run_json", lambda *_args: [{"dst": "default", "dev": "eth0"}, route])
    with pytest.raises(LabError, match=word):
        network.overlaps(lab)


def test_networks_that_overlap_with_each_other(monkeypatch):
    monkeypatch.setattr(network, "run_json", lambda *_args: [])
    with pytest.raises(LabError, match=r"lab_management_network .* lab_external_network"):
        network.overlaps(Lab("/nowhere", "cairn", {**NETWORKS, "external": "10.203.0.128/25"}))


def test_the_labs_own_routes_do_not_count(lab, monkeypatch):
    routes = [{"dst": "10.203.0.0/24", "dev": "unit-mgmt"}, {"type": "local", "dst": "10.203.2.1", "dev": "unit-ext"}]
    monkeypatch.setattr(network, "run_json", lambda *_args: routes)
    network.overlaps(lab)


def test_the_machine_stays_off_the_tunnel_network(lab, monkeypatch):
    monkeypatch.setattr(network, "run_json", lambda *_args, **_more: [])
    commands = []
    monkeypatch.setattr(network, "run", lambda *argv: commands.append(" ".join(argv)))
    assert lab_network.apply(lab, "present", check_mode=True)["changed"]
    assert not commands
    lab_network.apply(lab, "present", check_mode=False)
    addresses = [command for command in commands if command.startswith("ip address")]
    assert addresses == ["ip address add 10.203.0.1/24 dev unit-mgmt", "ip address add 10.203.2.1/24 dev unit-ext"]
    # It routes between these two, and from them to nowhere else.
    number = network.table(lab)
    assert sorted(command for command in commands if command.startswith(("ip route", "ip rule"))) == [
        f"ip route replace 10.203.0.0/24 dev unit-mgmt table {number}",
        f"ip route replace 10.203.2.0/24 dev unit-ext table {number}",
        f"ip route replace unreachable default table {number}",
        f"ip rule add iif unit-ext lookup {number} priority {number}",
        f"ip rule add iif unit-mgmt lookup {number} priority {number}",
    ]


def test_removed_routing_leaves_no_rule(lab, monkeypatch):
    number = str(network.table(lab))
    rules = [{"iif": "unit-mgmt", "table": number}, {"iif": "unit-mgmt", "table": number}, {"table": "main"}]
    monkeypatch.setattr(network, "run_json", lambda *_args, **_more: list(rules))

    def run(*argv, **_more):
        if argv[:3] == ("ip", "rule", "delete"):
            rules.remove({"iif": argv[4], "table": argv[6]})

    monkeypatch.setattr(network, "run", run)
    network.remove(lab, {})
    assert rules == [{"table": "main"}]


def test_a_host_that_does_not_boot_says_why(host, monkeypatch):
    monkeypatch.setattr(power, "ready", lambda _host: False)
    monkeypatch.setattr(power, "running", lambda _host: False)
    Path(os.path.dirname(host.log)).mkdir(parents=True)
    Path(host.log).write_text("mount: no such thing\n")
    with pytest.raises(LabError, match=r"compute1 is not reachable at 10.203.0.13:22(.|\n)*no such thing"):
        power.wait_ready(host, 1)


def test_a_boot_that_hangs_says_where(host, monkeypatch):
    monkeypatch.setattr(power, "ready", lambda _host: False)
    monkeypatch.setattr(power, "running", lambda _host: True)
    monkeypatch.setattr(power, "supervisor", lambda _host: os.getpid())
    monkeypatch.setattr(power, "processes", lambda _host: [])
    name = Path("/proc/self/comm").read_text().strip()
    with pytest.raises(LabError, match=rf"Its processes: {re.escape(name)}. .* ends:\n\(empty\)"):
        power.wait_ready(host, 0)
