# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The program cairn-galera: which member bootstraps the cluster, and what the definition gives it."""

from __future__ import annotations

import json
import os
import types
from typing import ClassVar

import pytest
import resolving
from programs import program_of

A, B = "11111111-0000-11ee-0000-000000000000", "22222222-0000-11ee-0000-000000000000"
HOSTS = {f"c{number}": {"groups": ["controller"], "address": f"192.0.2.1{number}"} for number in (1, 2, 3)}
NEVER = "00000000-0000-0000-0000-000000000000"
VIP = {"cloud_internal_address": "192.0.2.100"}


@pytest.fixture(scope="module")
def galera():
    return program_of("cairn_galera")


def at(position, uuid=A, state="waiting", **more):
    """A member whose position is known."""
    own = {"data": True, "damaged": False, "intact": True, "view": {}, **more}
    return {"server": state, "synced": False, "uuid": uuid, "position": position, **own}


def new(data=False, **more):
    """A member that was in no cluster."""
    return at(-1, NEVER, data=data, **more)


def seen(me, *members, view="3 x 9"):
    """The saved view of the member *me*."""
    return {"view": view, "me": me, "members": list(members)}


def server(state, synced=False):
    return {"server": state, "synced": synced}


class TestVerdict:
    @pytest.mark.parametrize(
        ("members", "starter"),
        [
            ([at(7), at(9), at(8)], "c2"),
            # of the same position the first one whose state file fits
            ([at(9), at(9), at(8)], "c1"),
            ([at(9, intact=False), at(9), at(8)], "c2"),
            # one has lost its disk
            ([new(), at(3), at(4)], "c3"),
            ([at(7), at(9, state="stopped"), at(8)], "c2"),
            # interrupted while it received all data, or marked as inconsistent
            ([at(9, damaged=True), at(9), at(8)], "c2"),
            ([new(damaged=True), at(9), at(8)], "c2"),
            # the first deployment, and a cloud that grows
            ([new(), new(), new()], "c1"),
            ([new(), new(data=True), new()], "c2"),
        ],
    )
    def test_one_member_starts_the_cluster(self, galera, members, starter):
        found = dict(zip(HOSTS, members, strict=True))
        assert [name for name in HOSTS if galera.verdict(name, found)[0] == "bootstrap"] == [starter]
        assert {galera.verdict(name, found)[0] for name in HOSTS} == {"bootstrap", "wait"}

    @pytest.mark.parametrize("other", [server("running"), at(99), None, new()])
    def test_a_cluster_that_runs_is_joined(self, galera, other):
        found = {"c1": at(7), "c2": server("primary"), "c3": other}
        assert galera.verdict("c1", found) == ("join", "the cluster runs on c2")

    @pytest.mark.parametrize(
        ("others", "why"),
        [
            ([None, at(3)], "does not respond: c2"),
            ([server("running"), at(3)], "runs or starts, but has not formed the cluster: c2"),
            ([server("stopped"), at(3)], "was stopped with an unknown position, and has to be started: c2"),
            ([at(3, B), at(3, A)], "c1 and c2 and c3 have data of different clusters; choose the right data"),
            # a controller that ran alone for a while has what the others have not
            ([new(data=True), at(3)], "c2 have data, and were not in the cluster of c1, c3; choose"),
        ],
    )
    def test_nothing_is_guessed(self, galera, others, why):
        found = dict(zip(HOSTS, [at(7), *others], strict=True))
        assert galera.verdict("c1", found) == ("wait", why)

    @pytest.mark.parametrize("members", [[new(data=True), new(data=True), new()], [new(damaged=True), new(), new()]])
    def test_data_that_nobody_can_choose(self, galera, members):
        found = dict(zip(HOSTS, members, strict=True))
        assert {galera.verdict(name, found)[0] for name in HOSTS} == {"wait"}


class TestMissingMember:
    """One of three does not come back."""

    def verdict(self, galera, first, second):
        return galera.verdict("c1", {"c1": at(7, view=first), "c2": at(6, view=second), "c3": None})[0]

    def test_it_had_left_before(self, galera):
        assert self.verdict(galera, seen("a", "a", "b"), seen("b", "a", "b")) == "bootstrap"

    @pytest.mark.parametrize(
        ("first", "second"),
        [
            # It was there to the end, and may have more.
            (seen("a", "a", "b", "c"), seen("b", "a", "b", "c")),
            # The others remember nothing, or each something else.
            ({}, {}),
            (seen("a", "a", "b"), {}),
            (seen("a", "a"), {}),
            (seen("a", "a", "b"), seen("b", "a", "b", view="3 x 8")),
        ],
    )
    def test_it_may_have_more(self, galera, first, second):
        assert self.verdict(galera, first, second) == "wait"

    def test_one_of_three_is_no_majority(self, galera):
        found = {"c1": at(7, view=seen("a", "a")), "c2": None, "c3": None}
        assert galera.verdict("c1", found)[0] == "wait"


class TestFiles:
    @pytest.mark.parametrize(
        ("others", "stops"),
        [
            (["waiting", "waiting"], True),
            (["waiting", None], True),
            # It may join this one again, as it was.
            (["waiting", "running"], False),
            (["primary", "waiting"], False),
            ([None, None], False),
            (["stopped", None], False),
        ],
    )
    def test_a_server_without_a_majority_stops_for_those_that_wait(self, galera, others, stops):
        assert galera.awaited({f"c{n}": one and {"server": one} for n, one in enumerate(others)}) is stops

    @pytest.mark.parametrize(
        ("status", "stops"),
        [
            ({"wsrep_cluster_status": "Disconnected", "provider": "/usr/lib/galera/libgalera_smm.so"}, True),
            # One that is not yet a member, one that does not respond, and members.
            ({"wsrep_cluster_status": "Disconnected", "provider": "none"}, False),
            ({}, False),
            ({"wsrep_cluster_status": "Primary", "provider": "galera"}, False),
            ({"wsrep_cluster_status": "non-Primary", "provider": "galera"}, False),
        ],
    )
    def test_a_server_that_has_left_after_an_error_stops(self, galera, monkeypatch, status, stops):
        monkeypatch.setattr(galera, "others", lambda _own: {"c2": {"server": "primary"}, "c3": {"server": "waiting"}})
        assert bool(galera.stuck(status, {})) is stops

    def test_a_clean_stop_tells_the_position(self, galera, tmp_path):
        (tmp_path / "grastate.dat").write_text(f"# GALERA saved state\nversion: 2.1\nuuid:    {A}\nseqno:   12\n")
        known = {"uuid": A, "position": 12, "data": True, "damaged": False, "intact": True}
        assert galera.stopped_position(str(tmp_path)) == known

    @pytest.mark.parametrize("text", [f"uuid: {A}\nseqno: -1\n", "", "\0\0\0\0", None])
    def test_no_other_one_does(self, galera, tmp_path, text):
        if text is not None:
            (tmp_path / "grastate.dat").write_text(text)
        assert galera.stopped_position(str(tmp_path)) == {}

    VIEW = f"my_uuid: {B}\n#vwbeg\nview_id: 3 {A} 7\nbootstrap: 0\nmember: {A} 0\nmember: {B} 0\n#vwend\n"

    @pytest.mark.parametrize("name", ["gvwstate.dat", "gvwstate.dat.cairn"])
    def test_the_last_view(self, galera, tmp_path, name):
        assert galera.view(str(tmp_path)) == {}
        (tmp_path / name).write_text(self.VIEW)
        assert galera.view(str(tmp_path)) == {"view": f"3 {A} 7", "me": B, "members": [A, B]}
        (tmp_path / name).write_text("\0\0\0")
        assert galera.view(str(tmp_path)) == {}

    @pytest.fixture
    def recovered(self, galera, tmp_path, monkeypatch):
        """What a member with a position in InnoDB says of itself, by its state file."""

        def read(state, position=f"{A}:9"):
            said = types.SimpleNamespace(returncode=0, stdout=f"--wsrep_start_position={position}\n", stderr="")
            monkeypatch.setattr(galera.subprocess, "run", lambda *_words, **_options: said)
            (tmp_path / "grastate.dat").write_text(state)
            return galera.recovered(str(tmp_path))

        return read

    def test_after_a_power_failure(self, recovered):
        found = recovered(f"uuid: {A}\nseqno: -1\n")
        assert (found["uuid"], found["position"], found["damaged"], found["intact"]) == (A, 9, False, True)

    def test_a_lost_state_file(self, recovered):
        found = recovered("")
        assert (found["uuid"], found["position"], found["damaged"], found["intact"]) == (A, 9, False, False)

    def test_data_that_galera_has_given_up(self, recovered, tmp_path):
        assert recovered(f"uuid: {NEVER}\nseqno: -1\n")["damaged"]
        assert not recovered(f"uuid: {NEVER}\nseqno: -1\n", f"{NEVER}:-1")["damaged"]
        (tmp_path / "sst_in_progress").write_text("")
        assert recovered(f"uuid: {NEVER}\nseqno: -1\n", f"{NEVER}:-1")["damaged"]

    def test_a_server_that_ran_alone_is_no_member(self, recovered, tmp_path):
        (tmp_path / "cairn-standalone").write_text("")
        (tmp_path / "nova").mkdir()
        found = recovered(f"uuid: {A}\nseqno: 9\n")
        assert (found["uuid"], found["data"], found["damaged"]) == (NEVER, True, False)

    def test_a_command_is_not_obeyed_later(self, galera, tmp_path, monkeypatch):
        monkeypatch.setattr(galera, "FORCED", str(tmp_path / "bootstrap"))
        assert not galera.forced()
        (tmp_path / "bootstrap").write_text("")
        assert galera.forced()
        assert not galera.forced()
        (tmp_path / "bootstrap").write_text("")
        os.utime(tmp_path / "bootstrap", (0, 0))
        assert not galera.forced()

    @pytest.mark.parametrize(("name", "data"), [("keystone", True), ("mysql", False), ("lost+found", False)])
    def test_data(self, galera, tmp_path, name, data):
        (tmp_path / name).mkdir()
        (tmp_path / "ibdata1").write_text("")
        assert galera.has_data(str(tmp_path)) == data

    def test_the_starter_accepts_its_state(self, galera, tmp_path, monkeypatch):
        """Mariadbd refuses to start a cluster from a member that was not the last one."""
        monkeypatch.setattr(galera, "DECISION", str(tmp_path / "decision"))
        (tmp_path / "grastate.dat").write_text(f"uuid: {A}\nseqno: -1\nsafe_to_bootstrap: 0\n")
        galera.decided("bootstrap", "a test", str(tmp_path))
        assert (tmp_path / "grastate.dat").read_text() == f"uuid: {A}\nseqno: -1\nsafe_to_bootstrap: 1\n"
        assert (tmp_path / "decision").read_text() == "bootstrap"


class TestLeaving:
    """Clients go to another member before the server stops."""

    OWN: ClassVar = {"name": "a", "datadir": "/nowhere"}

    @pytest.fixture
    def leaving(self, galera, tmp_path, monkeypatch):
        monkeypatch.setattr(galera, "LEAVING", str(tmp_path / "leaving"))
        monkeypatch.setattr(galera, "LEAVE", 0)
        status = {"wsrep_cluster_status": "Primary", "wsrep_local_state": galera.SYNCED, "wsrep_ready": "ON"}
        monkeypatch.setattr(galera, "server_status", lambda: {**status, "read_only": "OFF"})
        return tmp_path / "leaving"

    def test_load_balancers_hear_of_it(self, galera, leaving, monkeypatch):
        monkeypatch.setattr(galera, "others", lambda _own: {"b": None, "c": {"synced": True}})
        assert galera.state("/nowhere")["synced"] is True
        assert galera.leave(self.OWN) == 0
        found = galera.state("/nowhere")
        assert (found["server"], found["synced"], found["complete"]) == ("primary", False, False)

    def test_the_last_one_stays_in_use(self, galera, leaving, monkeypatch):
        monkeypatch.setattr(galera, "others", lambda _own: {"b": None, "c": {"synced": False}})
        galera.leave(self.OWN)
        assert not leaving.exists()


class TestDefinition:
    @pytest.fixture
    def found(self, tmp_path):
        def read(hosts, service):
            model = resolving.resolve(hosts, "c1", tmp_path, VIP)
            return resolving.files(model, service, ["controller"]), model

        return read

    def test_members(self, found, galera):
        files, _model = found(HOSTS, "galera")
        given = json.loads(files["settings"]["content"])
        assert given["name"] == "c1"
        assert given["members"] == {name: host["address"] for name, host in HOSTS.items()}
        assert files["program"]["content"].startswith("#!/usr/bin/python3\n")

    def test_the_server_is_a_member(self, found):
        files, _model = found(HOSTS, "mariadb")
        assert files["galera.cnf"]["sections"]["mariadbd"]["wsrep_cluster_address"] == (
            "gcomm://192.0.2.11,192.0.2.12,192.0.2.13"
        )
        assert files["galera.cnf"]["units"] is None
        assert files["galera key"]["secret"]

    def test_one_controller_is_no_cluster(self, found):
        one = {"c1": HOSTS["c1"]}
        assert found(one, "mariadb")[0]["galera.cnf"]["state"] == "absent"
        assert found(one, "mariadb")[0]["galera standalone"]["state"] == "present"
        assert "galera standalone" not in found(HOSTS, "mariadb")[0]
        assert "9200" not in found(one, "haproxy")[0]["haproxy.cfg"]["content"]
        _files, model = found(one, "galera")
        assert model.definitions["galera"]["units"][0]["state"] == "stopped"
        assert not model.definitions["galera"]["packages"]["controller"]
        assert not model.definitions["galera"]["health"]
        assert model.cloud["database_ca"] is None

    def test_connections_to_several_are_encrypted(self, found):
        files, _model = found(HOSTS, "keystone")
        assert "&ssl_ca=/etc/cairn/hosts-ca.crt\n" in files["keystone.conf"]["content"]
