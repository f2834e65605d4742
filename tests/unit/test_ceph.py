# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A Ceph cluster's users, pools and devices: what would change, and what is never touched."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import pytest
import resolving
from ansible_collections.cairn.openstack.plugins.module_utils.common.changes import Failed
from ansible_collections.cairn.openstack.plugins.module_utils.storage.ceph import cluster, leaving, osd
from ansible_collections.cairn.openstack.plugins.module_utils.storage.ceph.cluster import State
from told import in_words

CLUSTER = "85add48b-1181-5506-8dbc-69947300c7d8"
GLANCE = {"name": "client.glance", "key": "AQ==", "caps": {"mon": "profile rbd", "osd": "profile rbd pool=images"}}
IMAGES = {"name": "images", "application": "rbd", "replicas": 2, "groups": 32, "apart": "osd"}
THERE = {
    "pool_name": "images",
    "application_metadata": {"rbd": {}},
    "size": 2,
    "min_size": 1,
    "crush_rule": 1,
    "quota_max_objects": 0,
    "quota_max_bytes": 0,
}
RULES = {"replicated_osd": 1, "replicated_host": 2}


class Monitor:
    """Says what a test gives, and remembers what it is told."""

    def __init__(self, refused=(), **answers):
        self.said, self.refused, self.answers = [], refused, answers

    def tell(self, prefix, given="", **arguments):
        if prefix in self.refused:
            raise Failed(f"ceph {prefix}: no")
        self.said.append((prefix, given, arguments))
        return ""

    manage = tell

    def ask(self, prefix):
        return self.answers[prefix.replace(" ", "_")]


def lines(changes):
    return in_words(changes)


SHARES = {"name": "shares", "data": "shares", "metadata": "shares.metadata"}


class TestFileSystems:
    def test_a_new_one(self):
        monitor = Monitor(fs_ls=[{"name": "other"}])
        (change,) = cluster.filesystems([SHARES], monitor)
        assert str(change) == "create Ceph file system shares"
        change.make()
        arguments = {"fs_name": "shares", "metadata": "shares.metadata", "data": "shares"}
        assert monitor.said == [("fs new", "", arguments)]

    def test_one_that_is_there(self):
        assert cluster.filesystems([SHARES], Monitor(fs_ls=[{"name": "shares"}])) == []

    def test_none_is_wanted(self):
        """Then nothing is asked."""
        assert cluster.filesystems([], Monitor()) == []

    def test_a_plan_without_monitors(self):
        assert len(cluster.filesystems([SHARES], None)) == 1


class TestAccounts:
    def test_a_new_one(self):
        monitor = Monitor()
        (change,) = cluster.users([GLANCE], State(), monitor)
        assert str(change) == "create Ceph user client.glance"
        change.make()
        prefix, given, _arguments = monitor.said[0]
        assert prefix == "auth import"
        assert given.startswith("[client.glance]\n\tkey = AQ==\n\tcaps mon = ")

    def test_no_key_is_shown(self):
        (change,) = cluster.users([GLANCE], State(), None)
        assert "AQ==" not in str((change.before, change.after))

    def test_as_it_should_be(self):
        found = {"key": "AQ==", "caps": GLANCE["caps"]}
        assert cluster.users([GLANCE], State(users={"client.glance": found}), None) == []

    @pytest.mark.parametrize(
        ("found", "what"),
        [
            ({"key": "other", "caps": GLANCE["caps"]}, "key"),
            ({"key": "AQ==", "caps": {"mon": "allow *"}}, "capabilities"),
        ],
    )
    def test_repaired(self, found, what):
        changes = cluster.users([GLANCE], State(users={"client.glance": found}), None)
        assert lines(changes) == [f"change Ceph user client.glance: {what}"]


class TestPools:
    def test_a_new_one(self):
        monitor = Monitor()
        changes = cluster.rules([IMAGES], State(), monitor) + cluster.pools([IMAGES], State(), monitor)
        assert lines(changes) == ["create Ceph placement rule replicated_osd", "create Ceph pool images"]
        for change in changes:
            change.make()
        assert [prefix for prefix, _given, _arguments in monitor.said] == [
            "osd crush rule create-replicated",
            "osd pool create",
            "osd pool application enable",
            "osd pool set",
        ]
        assert monitor.said[1][2]["rule"] == "replicated_osd"

    @pytest.mark.parametrize(("groups", "least"), [(8, 8), (64, 32)])
    def test_a_small_one_stays_small(self, groups, least):
        monitor = Monitor()
        (change,) = cluster.pools([{**IMAGES, "groups": groups}], State(rules=RULES), monitor)
        change.make()
        (made, _application, _copies) = monitor.said
        assert made[2]["pg_num_min"] == least

    def test_as_it_should_be(self):
        state = State(pools={"images": THERE}, rules=RULES)
        assert cluster.rules([IMAGES], state, None) + cluster.pools([IMAGES], state, None) == []

    def test_more_hosts_have_more_copies_apart(self):
        monitor = Monitor()
        state = State(pools={"images": THERE}, rules=RULES)
        (change,) = cluster.pools([{**IMAGES, "replicas": 3, "apart": "host"}], state, monitor)
        assert (
            str(change)
            == "change Ceph pool images: size 2 -> 3, min_size 1 -> 2, crush_rule replicated_osd -> replicated_host"
        )
        change.make()
        told = [(arguments["var"], arguments["val"]) for _prefix, _given, arguments in monitor.said]
        assert told == [("size", "3"), ("min_size", "2"), ("crush_rule", "replicated_host")]

    def test_what_else_stops_writes(self):
        """A quota that is reached, and a min_size above the copies that one failure leaves."""
        monitor = Monitor()
        found = {**THERE, "min_size": 2, "quota_max_objects": 10, "quota_max_bytes": 4096}
        (change,) = cluster.pools([IMAGES], State(pools={"images": found}, rules=RULES), monitor)
        assert str(change).endswith(": min_size 2 -> 1, max_objects 10 -> 0, max_bytes 4096 -> 0")
        change.make()
        assert monitor.said == [
            ("osd pool set", "", {"pool": "images", "var": "min_size", "val": "1"}),
            ("osd pool set-quota", "", {"pool": "images", "field": "max_objects", "val": "0"}),
            ("osd pool set-quota", "", {"pool": "images", "field": "max_bytes", "val": "0"}),
        ]

    @pytest.mark.parametrize(
        ("size", "lacking", "stays"), [(3, False, False), (3, True, True), (2, True, True), (1, False, True)]
    )
    def test_a_min_size_that_serves_what_lacks_copies_stays(self, size, lacking, stays):
        monitor = Monitor()
        pool, found = {**IMAGES, "replicas": 3}, {**THERE, "size": size, "min_size": 1}
        state = State(pools={"images": found}, rules=RULES, lacking=lacking)
        for change in cluster.pools([pool], state, monitor):
            change.make()
        # Ceph sets it with the size.
        told = {arguments["var"]: arguments["val"] for _prefix, _given, arguments in monitor.said}
        assert told.get("min_size", "1") == ("1" if stays else "2")
        assert ("size" in told) == (size < 3)
        warnings = cluster.low([pool, {**IMAGES, "name": "new"}], state)
        assert [text.endswith(": ceph osd pool set images min_size 2") for text in warnings] == [True] * stays

    @pytest.mark.parametrize(
        ("checks", "lacking"), [({}, False), ({"OSD_FULL": {}}, False), ({"PG_DEGRADED": {}}, True)]
    )
    def test_its_health_tells_that_copies_are_lacking(self, checks, lacking):
        lists = {"osd_tree": {"nodes": []}, "auth_ls": {"auth_dump": []}, "osd_crush_rule_dump": []}
        dump = {"pools": [], "osds": []}
        state = cluster.read(Monitor(osd_dump=dump, mon_dump={"mons": []}, health={"checks": checks}, **lists))
        assert state.lacking is lacking

    def test_min_size_follows_a_size_that_ceph_sets_it_with(self):
        monitor = Monitor()
        found = {**THERE, "size": 3}
        (change,) = cluster.pools([IMAGES], State(pools={"images": found}, rules=RULES), monitor)
        change.make()
        assert [arguments["var"] for _prefix, _given, arguments in monitor.said] == ["size", "min_size"]


FULL = {"severity": "HEALTH_ERR", "summary": {"message": "1 full osd(s)", "count": 1}, "muted": False}


class TestWarnings:
    def told(self, flags="sortbitwise,recovery_deletes,purged_snapdirs,pglog_hardlimit", **more):
        dump = {"flags": flags, "osds": [{"osd": 3, "state": ["exists", "up"]}], "crush_node_flags": {}}
        checks = more.pop("checks", {})
        return cluster.warnings(Monitor(osd_dump=dump | more, health={"status": "x", "checks": checks}))

    def test_a_healthy_cluster(self):
        assert self.told() == []
        mild = {"A": {**FULL, "severity": "HEALTH_WARN"}, "B": {**FULL, "muted": True}}
        assert self.told(checks=mild) == []

    def test_flags_of_the_cluster(self):
        pause, noout = self.told("noout,pauserd,pausewr,sortbitwise")
        assert pause.startswith("Ceph's flag pause is set: all reads and writes wait")
        assert pause.endswith("Unless that is meant: ceph osd unset pause")
        assert noout.endswith("ceph osd unset noout")

    def test_flags_of_hosts_and_devices(self):
        osds = [{"osd": 3, "state": ["exists", "noup"]}]
        noup, noout = self.told(osds=osds, crush_node_flags={"storage1": ["noout"], "storage2": ["noout"]})
        assert noup.endswith("ceph osd unset-group noup osd.3")
        assert "set for storage1, storage2: " in noout
        assert noout.endswith("ceph osd unset-group noout storage1 storage2")

    def test_errors_of_its_health(self):
        assert self.told(checks={"OSD_FULL": FULL}) == [
            "Ceph's health has the error OSD_FULL: 1 full osd(s). See ceph health detail"
        ]


class TestDevices:
    @pytest.fixture
    def device(self, tmp_path, monkeypatch):
        """A file of 4 MiB in a device's place, and no daemon that runs."""
        monkeypatch.setattr(osd, "_is", lambda _what, _number: False)
        path = tmp_path / "disk"
        path.write_bytes(bytes(2**22))
        return path

    def plan(self, path, osds=None, monitor=None, **more):
        device = {"path": str(path), "size": None, **more}
        return osd.plan([device], State(osds=osds or {}), CLUSTER, "s1", monitor)

    def label(self, path, name):
        with Path(path).open("r+b") as file:
            file.write(osd.MARK + name.encode() + b"\n")

    def test_an_empty_one_is_taken(self, device):
        assert lines(self.plan(device)) == [f"add Ceph device {device}"]

    def test_a_file_is_made(self, tmp_path):
        assert lines(self.plan(tmp_path / "new", size="1G")) == [f"add Ceph device {tmp_path}/new"]
        assert not (tmp_path / "new").exists()

    def test_one_that_is_not_there(self, tmp_path):
        with pytest.raises(Failed, match="there is no device"):
            self.plan(tmp_path / "none")

    def test_one_with_a_file_system(self, device):
        subprocess.run(["mkfs.ext4", "-q", device], check=True)
        with pytest.raises(Failed, match="holds ext4; only empty devices are used"):
            self.plan(device)

    def test_one_of_another_cluster(self, device):
        self.label(device, "11111111-1111-1111-1111-111111111111")
        with pytest.raises(Failed, match="another Ceph cluster"):
            self.plan(device)

    def test_what_a_killed_run_began_is_finished(self, device):
        name = osd.new_id(CLUSTER, "s1", str(device))
        for osds in ({}, {name: {"osd": 0, "up_from": 0}}):
            self.label(device, name)
            assert lines(self.plan(device, osds)) == [f"add Ceph device {device}"]

    def test_one_that_was_removed_is_not_taken_for_new(self, device):
        self.label(device, osd.new_id(CLUSTER, "s1", str(device)))
        with pytest.raises(Failed, match=r"before its removal from this cluster; wipefs --all"):
            self.plan(device, monitor=Monitor())

    def test_a_disk_that_was_replaced_is_a_person_s_affair(self, device):
        name = osd.new_id(CLUSTER, "s1", str(device))
        with pytest.raises(Failed, match=r"osd\.3 had its data on it.*ceph osd purge 3"):
            self.plan(device, {name: {"osd": 3, "up_from": 7}})

    def test_one_that_is_served(self, device, monkeypatch):
        name = "11111111-1111-1111-1111-111111111111"
        self.label(device, name)
        monkeypatch.setattr(osd, "_is", lambda _what, _number: True)
        monkeypatch.setattr(osd, "_leads", lambda _number, _path: True)
        assert self.plan(device, {name: {"osd": 3, "up_from": 7}}) == []

    def test_one_whose_daemon_stopped(self, device):
        name = "11111111-1111-1111-1111-111111111111"
        self.label(device, name)
        assert lines(self.plan(device, {name: {"osd": 3, "up_from": 7}})) == [
            f"repair Ceph device {device}: osd.3 does not serve it"
        ]

    def test_all_faults_at_once(self, tmp_path):
        devices = [{"path": f"{tmp_path}/{name}", "size": None} for name in ("a", "b")]
        with pytest.raises(Failed, match=r"(?s)/a.*/b"):
            osd.plan(devices, State(), CLUSTER, "s1", None)

    def test_a_size(self):
        assert osd.size_of("10G") == 10 * 2**30


class TestLeaving:
    @pytest.fixture
    def state(self):
        """Two devices of s1: one that is kept and one that is not; another host's."""
        return State(
            osds={"kept": {"osd": 0}, "gone": {"osd": 3}, "other": {"osd": 1}},
            weights={"s1": {0: 0.5, 3: 0.25}, "s2": {1: 0.5}},
            monitors=["s1", "s2"],
        )

    def devices(self, state, monitor):
        return leaving.devices({"kept"}, state, "s1", monitor)

    def test_it_is_emptied_first(self, state):
        monitor = Monitor()
        (change,), staying = self.devices(state, monitor)
        assert str(change) == "drain Ceph device osd.3: no longer in the inventory"
        assert staying == []
        change.make()
        assert monitor.said == [("osd crush reweight", "", {"name": "osd.3", "weight": 0.0})]

    def test_it_stays_while_it_is_needed(self, state):
        state.weights["s1"][3] = 0
        changes, (why,) = self.devices(state, Monitor(refused=["osd safe-to-destroy"]))
        assert changes == []
        assert why.startswith("osd.3 remains until its device is drained")

    def test_it_is_removed_when_nothing_needs_it(self, state, monkeypatch, tmp_path):
        commands = []
        monkeypatch.setattr(leaving, "run", lambda *command: commands.append(command))
        monkeypatch.setattr(leaving, "DIRECTORY", str(tmp_path))
        (tmp_path / "ceph-3").mkdir()
        state.weights["s1"][3] = 0
        monitor = Monitor(osd_dump={"osds": [{"osd": 3, "up": 0}]})
        (change,), staying = self.devices(state, monitor)
        assert (str(change), staying) == ("remove Ceph device osd.3: it is empty", [])
        change.make()
        assert commands == [("systemctl", "disable", "--now", "ceph-osd@3")]
        assert monitor.said[-1] == ("osd purge", "", {"id": 3})
        assert not (tmp_path / "ceph-3").exists()

    def test_one_that_comes_back_is_filled_again(self, state):
        """Its weight is its size in TiB."""
        state.weights["s1"] = {0: 0}
        monitor = Monitor(osd_df={"nodes": [{"id": 0, "kb": 2**29}, {"id": 1, "kb": 1}]})
        (change,), staying = self.devices(state, monitor)
        assert (str(change), staying) == ("refill Ceph device osd.0", [])
        change.make()
        assert monitor.said == [("osd crush reweight", "", {"name": "osd.0", "weight": 0.5})]

    def test_a_monitor_that_is_elsewhere(self, state):
        monitor = Monitor(quorum_status={"quorum_names": ["s1", "s2"]})
        (change,) = leaving.monitors(["s1"], state, monitor)
        assert str(change) == "remove Ceph monitor s2: not a monitor in the inventory"
        change.make()
        assert monitor.said == [("mon remove", "", {"name": "s2"})]

    def test_no_monitor_goes_that_the_quorum_needs(self, state, monkeypatch):
        monkeypatch.setattr(leaving, "PATIENCE", -1)
        (change,) = leaving.monitors(["s1", "s3"], state, Monitor(quorum_status={"quorum_names": ["s1", "s2"]}))
        with pytest.raises(Failed, match="s3 is not in the quorum"):
            change.make()

    @pytest.mark.parametrize("wanted", [[], ["s1", "s2"]])
    def test_no_monitor_goes(self, state, wanted):
        """This host does not lead, or all are wanted."""
        assert leaving.monitors(wanted, state, None) == []


@pytest.mark.parametrize(
    ("name", "text", "runs"),
    [
        ("discovery.conf", "# Used for default parameters\n#\n  # --transport=<trtype>\n\n", False),
        ("discovery.conf", "# mine\n--transport=tcp --traddr=192.0.2.5\n", True),
        ("config.json", "[]", True),
        (None, "", False),
    ],
)
def test_nvme_connects_where_there_is_something_to_connect_to(tmp_path, name, text, runs):
    """Its unit would fail at each boot of another host."""
    disks = [{"path": "/dev/disk/by-id/one", "backend": "ssd"}]
    hosts = {
        "c1": {"groups": ["controller"], "address": "192.0.2.11"},
        "s1": {"groups": ["storage"], "address": "192.0.2.12", "storage_devices": disks},
    }
    storage = {"cloud_storage": [{"name": "ssd", "kind": "ceph"}]}
    file = resolving.files(resolving.resolve(hosts, "s1", tmp_path, storage), "ceph", ["storage"])["nvme"]
    if name:
        (tmp_path / name).write_text(text)
    (condition,) = [line for line in file["content"].splitlines() if line.startswith("ExecCondition=")]
    command = shlex.split(condition.removeprefix("ExecCondition=").replace("/etc/nvme", str(tmp_path)))
    assert (subprocess.run(command, check=False, capture_output=True).returncode == 0) is runs
