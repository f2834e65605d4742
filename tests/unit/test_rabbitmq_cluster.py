# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The program cairn-rabbitmq: which node joins which, and what the definition gives it."""

from __future__ import annotations

import json
import subprocess

import pytest
import resolving
from programs import program_of

HOSTS = {f"c{number}": {"groups": ["controller"], "address": f"192.0.2.1{number}"} for number in (1, 2, 3)}
VIP = {"cloud_internal_address": "192.0.2.100"}


@pytest.fixture(scope="module")
def program():
    return program_of("cairn_rabbitmq")


class TestTarget:
    @pytest.mark.parametrize(
        ("full", "to"),
        [
            # None has anything: they join the first.
            ({"c1": False, "c2": False, "c3": False}, {"c1": None, "c2": "c1", "c3": "c1"}),
            ({"c2": False, "c3": False}, {"c2": None, "c3": "c2"}),
            # One has the virtual hosts.
            ({"c1": False, "c2": True, "c3": False}, {"c1": "c2", "c2": None, "c3": "c2"}),
            ({"c1": True}, {"c1": None}),
        ],
    )
    def test_who_joins_whom(self, program, full, to):
        assert {me: program.target(me, full, [me]) for me in full} == to

    @pytest.mark.parametrize("have", [True, False])
    def test_a_cluster_that_grows(self, program, have):
        members = ["c1", "c2", "c3"]
        full = {**dict.fromkeys(members, have), "c4": False}
        assert [program.target(me, full, members) for me in members] == [None] * 3
        assert program.target("c4", full, ["c4"]) == "c1"

    def test_nothing_is_thrown_away(self, program):
        with pytest.raises(program.Failed, match="c1 and c2 are in different clusters"):
            program.target("c1", {"c1": True, "c2": True}, ["c1"])


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("{[rabbit@c1],[rabbit@c1]}.\n", ["c1"]),
        ("{['rabbit@node-1.example','rabbit@node-2'],['rabbit@node-1.example']}.", ["node-1.example", "node-2"]),
        (None, []),
    ],
)
def test_members(program, tmp_path, monkeypatch, capsys, text, found):
    monkeypatch.setattr(program, "DATA", str(tmp_path))
    (tmp_path / "rabbit@c1").mkdir()
    if text:
        (tmp_path / "rabbit@c1/cluster_nodes.config").write_text(text)
    assert program.members("c1") == found
    own = {"name": "c1", "nodes": dict.fromkeys([*found, "c9"])}
    program.show(own, ["c9", *found])
    assert capsys.readouterr().out == "members = without c9\n"
    program.show(own, found)
    assert capsys.readouterr().out == "members = all\n"


class TestDeparture:
    @pytest.fixture
    def node(self, program, tmp_path, monkeypatch):
        """The node of c1, in a cluster with c2 and c9, of which c9 has left the cloud."""
        monkeypatch.setattr(program, "DATA", str(tmp_path))
        (tmp_path / "rabbit@c1").mkdir()
        file, said = tmp_path / "rabbit@c1/cluster_nodes.config", []
        file.write_text("{[rabbit@c1,rabbit@c2,rabbit@c9],[]}.")

        def control(_host, *words):
            said.append(words)
            if words[1] in ("rabbit@c2", "rabbit@c9") and words[1] not in self.running:
                file.write_text(file.read_text().replace(f",{words[1]}", ""))
            return subprocess.CompletedProcess(words, words[1] in self.running, "", "it is running")

        self.running = set()
        monkeypatch.setattr(program, "control", control)
        return {"name": "c1", "nodes": {"c1": "", "c2": ""}}, said

    def test_it_is_told(self, program, node, capsys):
        program.show(node[0], ["c1", "c2"])
        assert capsys.readouterr().out == "members = with c9\n"

    def test_it_is_forgotten(self, program, node):
        own, said = node
        assert program.forgotten(own, ["c9"]) == 1
        assert program.forget(own, ["c9", "c8"]) == 0
        assert said == [("forget_cluster_node", "rabbit@c9")]
        assert program.forgotten(own, ["c9"]) == 0
        assert program.members("c1") == ["c1", "c2"]

    def test_one_that_runs_is_not(self, program, node):
        self.running = {"rabbit@c9"}
        with pytest.raises(program.Failed, match="c1 cannot forget c9: it is running"):
            program.forget(node[0], ["c9"])


class TestJoin:
    """c2 joins c1, which has data; c2 and c3 have formed a cluster before."""

    @pytest.fixture
    def node(self, program, tmp_path, monkeypatch):
        monkeypatch.setattr(program, "DATA", str(tmp_path))
        (tmp_path / "rabbit@c2").mkdir()
        file, said = tmp_path / "rabbit@c2/cluster_nodes.config", []
        file.write_text("{[rabbit@c2,rabbit@c3],[]}.")

        def control(host, *words):
            if "list_vhosts" in words:
                if host == "c2" and self.stopped:
                    return subprocess.CompletedProcess(words, 69, "", "the application is stopped")
                return subprocess.CompletedProcess(
                    words, 0, json.dumps([{"name": "/"}] + [{"name": "nova"}] * (host == "c1"))
                )
            said.append((host, words[0]) if words[0] == "eval" else (host, *words))
            if words[0] == "join_cluster":
                file.write_text("{[rabbit@c1,rabbit@c2],[]}.")
            if words[0] == "reset":
                return subprocess.CompletedProcess(words, 69, "", "no online nodes")
            self.stopped = {"stop_app": True, "start_app": False}.get(words[0], self.stopped)
            return subprocess.CompletedProcess(words, 0, "", "")

        self.stopped = False
        monkeypatch.setattr(program, "LACKING", str(tmp_path / "lacking"))
        monkeypatch.setattr(program, "control", control)
        monkeypatch.setattr(program, "responds", lambda _address: True)
        return {"name": "c2", "nodes": dict.fromkeys(["c1", "c2", "c3"], "")}, said

    JOINED = (
        ("c2", "stop_app"),
        ("c1", "forget_cluster_node", "rabbit@c2"),
        ("c2", "reset"),
        ("c2", "force_reset"),
        ("c2", "join_cluster", "rabbit@c1"),
        ("c2", "start_app"),
        ("c2", "eval"),
    )

    @pytest.mark.parametrize("stopped", [False, True])
    def test_a_node_without_data(self, program, node, stopped):
        """Also after a join that was interrupted."""
        own, said = node
        self.stopped = stopped
        assert program.join(own, ["c1", "c2"]) == 0
        assert tuple(said) == (("c2", "start_app"),) * stopped + self.JOINED


class TestReplicas:
    @pytest.fixture
    def node(self, program, monkeypatch, tmp_path):
        """The node of c1; what it says for each call, the last one again and again."""
        self.said, self.calls = [], 0

        def control(_host, *words):
            self.calls += 1
            code, out = self.said[min(self.calls, len(self.said)) - 1]
            return subprocess.CompletedProcess(words, code, out, "")

        monkeypatch.setattr(program, "control", control)
        monkeypatch.setattr(program.time, "sleep", lambda _seconds: None)
        monkeypatch.setattr(program, "LACKING", str(tmp_path / "lacking"))
        monkeypatch.setattr(program, "members", lambda _me: ["c1"])
        return {"name": "c1", "nodes": {"c1": ""}}

    def test_tried_until_all_are_there(self, program, node, capsys):
        """A stream refuses while another node gets a replica of it."""
        self.said = [(70, ""), (0, "l3_agent_fanout {noproc,[]}\nok\n"), (0, "ok\n")]
        assert program.replicas(node, []) == 0
        assert self.calls == 3
        program.show(node, ["c1"])
        assert capsys.readouterr().out == "members = all\n"

    def test_what_lacks_is_told(self, program, node, capsys):
        self.said = [(0, "l3_agent_fanout {noproc,[]}\nok\n")]
        assert program.replicas(node, [], 0) == 1
        assert "l3_agent_fanout" in capsys.readouterr().err
        program.show(node, ["c1"])
        assert capsys.readouterr().out == "members = without all replicas of streams\n"


class TestDefinition:
    def test_only_reached_hosts_are_expected(self, tmp_path):
        model = resolving.resolve(HOSTS, "c1", tmp_path, VIP, playing=["c1", "c3"])
        definition = model.definitions["rabbitmq"]
        (unit,) = (unit for unit in definition["units"] if unit["name"] == "rabbitmq-server")
        (entry,) = unit["expected_values"]
        assert entry["command"] == "/usr/local/sbin/cairn-rabbitmq members c1 c3"
        assert entry["values"] == {"members": "all"}
        files = resolving.files(model, "rabbitmq", ["controller"])
        assert json.loads(files["settings"]["content"])["nodes"] == {
            name: host["address"] for name, host in HOSTS.items()
        }
        assert "cluster_formation.classic_config.nodes.3 = rabbit@c3\n" in files["rabbitmq.conf"]["content"]

    def test_one_controller_is_no_cluster(self, tmp_path):
        model = resolving.resolve({"c1": HOSTS["c1"]}, "c1", tmp_path, VIP)
        files = resolving.files(model, "rabbitmq", ["controller"])
        assert files["program"]["state"] == "absent"
        assert "cluster_formation" not in files["rabbitmq.conf"]["content"]
        for unit in model.definitions["rabbitmq"]["units"]:
            assert not any(entry["values"] for entry in unit.get("expected_values", []))


@pytest.mark.parametrize(
    ("pid", "words", "code"),
    [("7", ["beam.smp", "-proto_dist", "inet_tls"], 1), ("7", ["beam.smp", "-noshell"], 0), ("0", [], 1)],
)
def test_standalone(program, monkeypatch, tmp_path, pid, words, code):
    monkeypatch.setattr(program, "PROC", str(tmp_path))
    (tmp_path / "7").mkdir()
    (tmp_path / "7/cmdline").write_text("\0".join(words))
    said = subprocess.CompletedProcess([], 0, f"{pid}\n", "")
    monkeypatch.setattr(program.subprocess, "run", lambda *_words, **_options: said)
    assert program.standalone({}, []) == code
