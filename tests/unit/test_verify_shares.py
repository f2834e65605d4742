# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Verification of Manila, against an API of the same form, and the commands in servers."""

from __future__ import annotations

import subprocess
from types import SimpleNamespace

import pytest
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify import optional, shares, volume
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify.checks import Bad, NotRun
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify.run import Run

RUN = "cairn-verify-20260102000000-0a0b"


class Manila:
    """Shares, snapshots and rules of one project.

    :param status: that of a new share or snapshot.
    :param state: that of a new rule.
    """

    def __init__(self, status="available", state="active"):
        self.status, self.state = status, state
        self.shares, self.snapshots, self.rules = {}, {}, {}

    def request(self, path, method, json=None, headers=None):
        assert headers == shares.VERSION
        path, _, query = path.partition("?")
        _, kind, *rest = path.split("/")
        found = {}
        if method == "DELETE":
            self.deleted(kind, rest[0])
        elif kind in ("shares", "snapshots"):
            found = self.objects(kind, rest, query, method, json)
        elif kind == "share-access-rules":
            share = query.removeprefix("share_id=")
            rules = [{"access_to": to} for of, to in self.rules.values() if of == share]
            found = {"access_list": rules, "access": {"state": self.state}}
        elif kind == "messages":
            found = {"messages": [{"user_message": "no pool has room"}]}
        return SimpleNamespace(content=b"x", json=lambda: found)

    def objects(self, kind, rest, query, method, json):
        there, one = getattr(self, kind), kind[:-1]
        if rest[1:] == ["action"]:
            key = f"r{len(self.rules) + 1}"
            self.rules[key] = rest[0], json["allow_access"]["access_to"]
            return {"access": {"id": key}}
        if rest[1:] == ["export_locations"]:
            return {"export_locations": [{"path": f"192.0.2.9:/volumes/{rest[0]}"}]}
        if method == "POST":
            key = f"{one}{len(there) + 1}"
            there[key] = json[one]
            return {one: {"id": key}}
        if rest:
            return {one: {"status": self.status}}
        wanted = query.removeprefix("name=")
        return {kind: [{"id": key, **made} for key, made in there.items() if wanted in ("", made["name"])]}

    def deleted(self, kind, key):
        if kind == "shares" and any(one["share_id"] == key for one in self.snapshots.values()):
            return
        getattr(self, kind).pop(key)


@pytest.fixture
def begin(monkeypatch):
    """Return a run with a Manila, whose checks wait for nothing."""
    monkeypatch.setattr(shares, "rest", lambda proxy, method, path, **more: proxy.request(path, method, **more))
    monkeypatch.setattr(shares, "client", lambda connection, kind: connection)
    monkeypatch.setattr(shares, "poll", lambda function, *_: function())

    def run(manila):
        made = Run(RUN, manila, {"boot_timeout": 1}, user=manila)
        made.floating_address, made.router_address = "203.0.113.5", "203.0.113.1"
        return made

    return run


def test_a_share_its_rules_and_its_snapshot(begin):
    manila = Manila()
    run = begin(manila)
    assert shares.created(run) == "1 GiB, 192.0.2.9"
    assert run.made()["shares"] == {"share": "192.0.2.9:/volumes/share1", "closed": "192.0.2.9:/volumes/share2"}
    assert shares.opened(run) == "203.0.113.5, 203.0.113.1"
    # None for the other one.
    assert {share for share, _to in manila.rules.values()} == {"share1"}
    shares.snapped(run)
    # Another module, which knows what the first one returned.
    later = begin(manila)
    later.floating_address = ""
    assert shares.restored(later) == "1 GiB, with 2 rules"
    assert manila.shares["share3"]["snapshot_id"] == "snapshot1"
    assert later.shares == {"restored": "192.0.2.9:/volumes/share3"}


def test_a_share_that_no_back_end_takes(begin):
    with pytest.raises(Bad, match="the share is error after at most 1 s: no pool has room") as error:
        shares.created(begin(Manila(status="error")))
    assert error.value.ids == ("share1",)


def test_a_rule_that_the_nfs_server_does_not_take(begin):
    run = begin(Manila(state="error"))
    shares.created(run)
    with pytest.raises(Bad, match=r"the rule for 203.0.113.5 is error"):
        shares.opened(run)


def test_shares_that_are_left_are_deleted(begin, monkeypatch):
    manila = Manila()
    run = begin(manila)
    shares.created(run)
    shares.snapped(run)
    monkeypatch.setattr(shares.account, "admin_of", lambda admin, project: manila)
    assert shares.sweep(run.admin, "p1", 0) == []
    assert not manila.shares
    assert [service.name for service in optional.of(["manila"])] == ["manila"]


class Probe:
    """Two servers, which answer what a test says."""

    def __init__(self, *answers):
        self.made = {"run": RUN, "shares": {name: f"192.0.2.9:/v/{name}" for name in ("share", "closed", "restored")}}
        self.guest, second = ({"name": f"m{n}", "address": f"198.18.0.{n}"} for n in (1, 2))
        self.neighbours, self.answers, self.said = [second], list(answers), []

    def within(self, command, guest=None):
        self.said.append((command, (guest or self.guest)["name"]))
        return self.answers.pop(0)

    def bad(self, message, guest=None):
        return Bad(message)


def test_written_by_one_server_and_read_by_the_other():
    digest = volume.digest(RUN)
    probe = Probe("", digest, digest, digest)
    assert shares.wrote(probe) == f"4 MiB, and read back: sha256 {digest[:12]}…"
    assert shares.other(probe).startswith("in m2, read back")
    (check,) = shares.reread(probe)
    assert check.run().startswith("read back")
    assert [server for _command, server in probe.said] == ["m1", "m1", "m2", "m1"]
    assert "clientaddr=198.18.0.2 192.0.2.9:/v/share " in probe.said[2][0]
    assert "192.0.2.9:/v/restored " in probe.said[3][0]


def test_other_data_than_what_was_written():
    with pytest.raises(Bad, match="differs from what was written"):
        shares.read(Probe("0" * 64), "share")


def test_a_cloud_with_one_server():
    probe = Probe()
    probe.neighbours = []
    with pytest.raises(NotRun):
        shares.other(probe)


@pytest.mark.parametrize(
    ("said", "why"), [(shares.NO_CLIENT, "no NFS client"), (shares.UNREACHED, "do not reach 192.0.2.9, port 2049")]
)
def test_servers_that_cannot_mount(said, why):
    with pytest.raises(NotRun, match=why):
        shares.wrote(Probe(said))


def test_a_share_without_a_rule():
    assert shares.refused(Probe("mount: access denied\nrefused")) == "without a rule"
    with pytest.raises(Bad, match=r"without a rule was mounted: 192.0.2.9:/v/closed"):
        shares.refused(Probe("mounted"))


@pytest.mark.parametrize(
    ("kernel", "connection", "mounts", "said"),
    [
        ("ext4", "", 0, shares.NO_CLIENT),
        ("nfs4", "echo timed out; false", 0, shares.UNREACHED),
        ("nfs4", "echo refused; false", 1, "refused"),
        ("nfs4", "true", 1, "refused"),
        ("nfs4", "true", 0, "mounted"),
    ],
)
def test_the_commands_themselves(tmp_path, kernel, connection, mounts, said):
    """In a shell, with programs in place of those that need a server."""
    probe = Probe("refused")
    shares.refused(probe)
    command = probe.said[0][0]
    (tmp_path / "filesystems").write_text(f"nodev\t{kernel}\n")
    (tmp_path / "mounts").write_text("")
    command = command.replace("/tmp/", f"{tmp_path}/at/").replace("/proc/", f"{tmp_path}/")
    programs = {"sudo": 'shift; exec "$@"', "modprobe": "true", "mount": f"exit {mounts}", "umount": "true"}
    programs["timeout"] = f'case $2 in bash) {connection};; *) shift; exec "$@";; esac'
    for name, text in programs.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    done = subprocess.run(
        ["sh", "-c", command], env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == said
