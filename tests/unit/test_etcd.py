# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The program cairn-etcd: how a member starts, which ones are removed, and when one may stop."""

from __future__ import annotations

import pytest
import resolving
from programs import program_of

ADDRESSES = {"c1": "192.0.2.11", "c2": "192.0.2.12", "c3": "192.0.2.13"}
DEVICE = {"path": "/dev/disk/by-id/one", "backend": "ssd"}
CEPH = [{"name": "ssd", "kind": "ceph"}]


class Cluster:
    """etcd of the controllers; ``members`` are its members, ``up`` those that run."""

    def __init__(self, program, *members, up=None):
        self.program, self.ids = program, 100
        self.members = [self.member(name, program.peer(ADDRESSES.get(name, "192.0.2.19"))) for name in members]
        self.up = set(members if up is None else up)
        # Entries in the log.
        self.index = 50

    def member(self, name, url):
        """Return a new member."""
        self.ids += 1
        return {"ID": str(self.ids), "name": name, "peerURLs": [url]}

    def ask(self, base, path, body=None, context=None):
        """Respond in place of a member."""
        host = next((name for name, address in ADDRESSES.items() if address in base), "c1")
        if host not in self.up:
            raise self.program.Failed("no answer")
        if path.endswith("status"):
            return {"raftIndex": str(self.index)}
        if len(self.up) * 2 <= len(self.members):
            raise self.program.Failed("no majority")
        if path.endswith("list"):
            return {"members": [{k: v for k, v in one.items() if v} for one in self.members]}
        if path.endswith("remove"):
            self.members = [one for one in self.members if one["ID"] != body["ID"]]
        if path.endswith("add"):
            self.members.append(self.member("", body["peerURLs"][0]))
        return {}

    @property
    def names(self):
        """The names of the members; empty for one that has not started."""
        return [one["name"] for one in self.members]


@pytest.fixture
def program(tmp_path, monkeypatch):
    found = program_of("cairn_etcd")
    monkeypatch.setattr(found, "ENVIRONMENT", str(tmp_path / "run/environment"))
    monkeypatch.setattr(found, "trusted", lambda _own: None)
    return found


@pytest.fixture
def run(program, tmp_path, monkeypatch):
    """Return a function that runs a command on a host, and returns its exit code and the file for systemd."""

    def on(cluster, host, command, argument=""):
        monkeypatch.setattr(program, "ask", cluster.ask)
        own = {"name": host, "members": ADDRESSES, "data": str(tmp_path / "data"), "tls": {}}
        code = program.COMMANDS[command](own, argument)
        file = tmp_path / "run/environment"
        return code, file.read_text() if file.exists() else ""

    return on


@pytest.fixture
def data(tmp_path):
    """The log of a member."""
    path = tmp_path / "data/member/wal/0000000000000000-0000000000000000.wal"
    path.parent.mkdir(parents=True)
    path.touch()
    return path


ALL = ",".join(f"{name}=https://{address}:2380" for name, address in ADDRESSES.items())


class TestStart:
    @pytest.mark.parametrize("up", [[], ["c2"]])
    def test_the_first_ones(self, run, program, tmp_path, up):
        """Others do not run yet, or form the same cluster. A start that failed has left something."""
        (tmp_path / "data/member/snap").mkdir(parents=True)
        cluster = Cluster(program, *ADDRESSES, up=up)
        cluster.index = 3
        _code, text = run(cluster, "c1", "prepare")
        assert text == f"ETCD_INITIAL_CLUSTER={ALL}\nETCD_INITIAL_CLUSTER_STATE=new\n"
        assert not (tmp_path / "data").exists()

    def test_a_cluster_without_a_majority(self, run, program):
        """It has data, so no other one may be formed in its place."""
        assert run(Cluster(program, *ADDRESSES, up=["c2"]), "c1", "prepare") == (1, "")

    @pytest.mark.parametrize("up", [["c2", "c3"], ["c2"], []])
    def test_one_that_has_data(self, run, program, data, tmp_path, up):
        (tmp_path / "run").mkdir()
        (tmp_path / "run/environment").write_text("ETCD_INITIAL_CLUSTER_STATE=new\n")
        assert run(Cluster(program, *ADDRESSES, up=up), "c1", "prepare") == (0, "")
        assert data.exists()

    def test_one_that_was_removed(self, run, program, data):
        """etcd never lets it start again with this data."""
        cluster = Cluster(program, "c2", "c3")
        _code, text = run(cluster, "c1", "prepare")
        assert cluster.names == ["c2", "c3", ""]
        assert text.endswith("=existing\n")
        assert not data.exists()

    def test_one_that_is_new(self, run, program):
        cluster = Cluster(program, "c1", "c2")
        _code, text = run(cluster, "c3", "prepare")
        assert cluster.names == ["c1", "c2", ""]
        assert text == f"ETCD_INITIAL_CLUSTER={ALL}\nETCD_INITIAL_CLUSTER_STATE=existing\n"

    def test_one_that_has_lost_its_data(self, run, program):
        cluster = Cluster(program, *ADDRESSES, up=["c1", "c2"])
        before = cluster.members[2]["ID"]
        _code, text = run(cluster, "c3", "prepare")
        assert cluster.names == ["c1", "c2", ""]
        assert cluster.members[2]["ID"] != before
        assert text.endswith("=existing\n")


class TestMembers:
    def test_one_that_has_left(self, run, program, capsys):
        cluster = Cluster(program, *ADDRESSES, "old")
        run(cluster, "c1", "members")
        assert capsys.readouterr().out == "members = with old\n"
        run(cluster, "c1", "tidy")
        assert cluster.names == list(ADDRESSES)
        run(cluster, "c1", "members")
        assert capsys.readouterr().out == "members = all\n"

    @pytest.mark.parametrize("host", ["c3", "old"])
    def test_one_that_leaves(self, run, program, host):
        cluster = Cluster(program, *ADDRESSES, "old")
        assert run(cluster, "c1", "forgotten", host)[0] == 1
        run(cluster, "c1", "forget", host)
        assert host not in cluster.names
        assert run(cluster, "c1", "forgotten", host)[0] == 0

    @pytest.mark.parametrize(("up", "code"), [(["c1", "c2", "c3"], 0), (["c1", "c2"], 1)])
    def test_a_restart_needs_a_majority_of_the_others(self, run, program, up, code):
        assert run(Cluster(program, *ADDRESSES, up=up), "c1", "others")[0] == code

    def test_two_never_have_one(self, run, program, monkeypatch):
        monkeypatch.delitem(ADDRESSES, "c3")
        assert run(Cluster(program, "c1", "c2"), "c1", "others")[0] == 0


@pytest.mark.parametrize(
    ("number", "storage", "state"), [(3, CEPH, "started"), (1, CEPH, "stopped"), (3, [], "started")]
)
def test_where_it_runs(tmp_path, number, storage, state):
    hosts = {name: {"groups": ["controller"], "address": ADDRESSES[name]} for name in list(ADDRESSES)[:number]}
    hosts["s1"] = {"groups": ["storage"], "address": "192.0.2.20", "storage_devices": [DEVICE]}
    settings = {"cloud_storage": storage, "cloud_internal_address": "192.0.2.9" if number > 1 else "192.0.2.11"}
    model = resolving.resolve(hosts, "c1", tmp_path, settings)
    definition = model.definitions["etcd"]
    units = resolving.definitions.units(definition, {"controller", "all"}, [])
    assert {unit["name"]: unit["state"] for unit in units}["cairn-etcd.service"] == state
    assert bool(definition["packages"]["controller"]) is (state == "started")
    files = resolving.files(model, "etcd", ["controller"])
    assert {file["state"] for file in files.values()} == {"present" if state == "started" else "absent"}
