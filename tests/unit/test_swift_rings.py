# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rings follow the inventory, with Swift's own builders: what moves, what never does, what waits."""

from __future__ import annotations

import base64
import time
from pathlib import Path

import pytest
from ansible_collections.cairn.openstack.plugins.module_utils.storage import swift_rings
from ansible_collections.cairn.openstack.plugins.modules import swift_rings as swift_rings_module
from told import in_words

HOUR = 3600


def ring(hosts=3, disks=1, **other):
    """Return what an inventory with so many hosts asks for."""
    devices = [
        {
            "host": f"storage{host}",
            "ip": f"192.0.2.{host}",
            "port": 6200,
            "device": f"d{disk}",
            "region": 1,
            "zone": 1,
            "weight": 100.0,
        }
        for host in range(1, hosts + 1)
        for disk in range(1, disks + 1)
    ]
    return {"name": "object", "part_power": 8, "replicas": 3, "min_part_hours": 1, "devices": devices, **other}


@pytest.fixture
def library():
    """Swift's own library."""
    from swift.common import ring as found

    return found


class Directory:
    """A controller's directory with rings, and a clock."""

    def __init__(self, path, library, monkeypatch):
        self.path = path
        self.library = library
        self.now = time.time()
        self.waiting = []
        self.loads = 0
        monkeypatch.setattr("swift.common.ring.builder.time", lambda: self.now)

    def load(self):
        """Return the library, and count how often somebody needed it."""
        self.loads += 1
        return self.library

    def run(self, wanted, change=True, check=False, seen=0):
        """Bring the ring to what is wanted, and return the words for it."""
        found = swift_rings.Ring(wanted, seen, str(self.path))
        told = found.reconcile(self.load, self.now, change, check)
        self.waiting = found.waiting
        if told and not check:
            for path, data in found.files():
                (self.path / path).write_bytes(data)
        return in_words(told)

    def places(self):
        """Return the devices of each partition by their names, as those see it that read the ring."""
        data = self.library.RingData.load(str(self.path / "object.ring.gz"))
        rows = zip(*data.to_dict()["replica2part2dev_id"], strict=True)
        return [{f"{data.devs[one]['meta']}/{data.devs[one]['device']}" for one in row} for row in rows]


@pytest.fixture
def directory(tmp_path, library, monkeypatch):
    """A directory with no ring yet."""
    return Directory(tmp_path, library, monkeypatch)


@pytest.fixture
def made(directory):
    """A directory with a ring of three hosts, old enough to change."""
    directory.run(ring())
    directory.now += 2 * HOUR
    return directory


def moved(before, after):
    """Return how many replicas each partition moved."""
    return [len(was - now) for was, now in zip(before, after, strict=True)]


class TestNew:
    def test_it_is_made(self, directory):
        assert directory.run(ring()) == ["create ring object: 256 partitions, 3 replicas, 3 devices of 3 hosts"]
        assert all(len({name.split("/")[0] for name in row}) == 3 for row in directory.places())

    def test_it_stays(self, made):
        loads = made.loads
        before = [(path.name, path.read_bytes()) for path in sorted(made.path.iterdir())]
        assert made.run(ring()) == []
        assert [(path.name, path.read_bytes()) for path in sorted(made.path.iterdir())] == before
        assert made.loads == loads, "a run with nothing to do needs no library"

    def test_a_plan_writes_nothing(self, directory):
        assert len(directory.run(ring(), check=True)) == 1
        assert list(directory.path.iterdir()) == []

    def test_a_plan_on_a_bare_host_needs_no_library(self, tmp_path):
        found = swift_rings.Ring(ring(), 0, str(tmp_path))
        assert in_words(found.reconcile(lambda: None, 0, True, True)) == [
            "create ring object: 256 partitions, 3 replicas, 3 devices of 3 hosts"
        ]
        with pytest.raises(swift_rings.NoLibrary):
            found.reconcile(lambda: None, 0, True, False)

    def test_too_few_devices(self, directory):
        with pytest.raises(swift_rings.RingError, match=r"needs 3 devices with a weight.*has 2"):
            directory.run(ring(hosts=2))


class TestGrown:
    def test_a_device_takes_its_share_and_no_more(self, made):
        before = made.places()
        told = made.run(ring(hosts=4))
        after = moved(before, made.places())
        assert told[0] == "change ring object: storage4/d1 added with weight 100"
        assert told[1].startswith(f"change ring object: {sum(after)} of 256 partitions move one replica, 25.0 %")
        assert max(after) == 1
        assert sum(after) == 192  # a quarter of all replicas
        assert made.run(ring(hosts=4)) == []

    def test_no_host_has_two_replicas_while_there_are_others(self, directory):
        """Not even one with most of the devices."""
        directory.run(ring(disks=2))
        directory.now += 2 * HOUR
        before = directory.places()
        grown = ring(disks=2)
        grown["devices"].append({**grown["devices"][-1], "device": "d3"})
        directory.run(grown)
        rows = directory.places()
        assert all(len({name.split("/")[0] for name in row}) == 3 for row in rows)
        assert 80 <= sum(moved(before, rows)) <= 90

    def test_a_ring_of_before_puts_hosts_first(self, directory, monkeypatch):
        """By weight alone, as Swift does it where nothing is said, and then as Cairn does."""
        grown = ring(disks=2)
        grown["devices"].append({**grown["devices"][-1], "device": "d3"})
        with monkeypatch.context() as patched:
            patched.setattr(swift_rings, "_OVERLOAD", 0.0)
            directory.run(grown)
        assert any(len({name.split("/")[0] for name in row}) < 3 for row in directory.places())
        told = directory.run(grown)
        assert told == ["change ring object: replicas are placed on different hosts first, by weight second"]
        assert any(len({name.split("/")[0] for name in row}) < 3 for row in directory.places()), (
            "moved within min_part_hours"
        )
        directory.now += 2 * HOUR
        assert "move one replica" in directory.run(grown)[0]
        assert all(len({name.split("/")[0] for name in row}) == 3 for row in directory.places())
        assert directory.run(grown) == []

    def test_the_plan_tells_the_same(self, made):
        planned = made.run(ring(hosts=4), check=True)
        assert made.run(ring(hosts=4)) == planned

    def test_within_min_part_hours_nothing_moves(self, directory):
        directory.run(ring())
        before = directory.places()
        directory.now += HOUR / 2
        assert directory.run(ring(hosts=4)) == ["change ring object: storage4/d1 added with weight 100"]
        assert moved(before, directory.places()) == [0] * 256
        assert "30 minutes" in directory.waiting[0]
        assert directory.run(ring(hosts=4)) == []
        directory.now += HOUR / 2
        assert "192 of 256 partitions move" in directory.run(ring(hosts=4))[0]
        assert directory.waiting == []

    def test_more_replicas(self, made):
        made.run(ring(hosts=4, replicas=3))
        made.now += 2 * HOUR
        before = made.places()
        assert made.run(ring(hosts=4, replicas=4))[0] == "change ring object: replicas 3 -> 4"
        assert all(len(row) == 4 for row in made.places())
        assert max(moved(before, made.places())) <= 1

    def test_another_weight(self, made):
        made.run(ring(hosts=4))
        made.now += 2 * HOUR
        wanted = ring(hosts=4)
        wanted["devices"][3]["weight"] = 50.0
        before = made.places()
        told = made.run(wanted)
        assert told[0] == "change ring object: storage4/d1 weight 100 -> 50"
        left = {name for was, now in zip(before, made.places(), strict=True) for name in was - now}
        assert left == {"storage4/d1"}

    def test_another_address_moves_nothing(self, made):
        wanted = ring()
        wanted["devices"][0]["ip"] = "192.0.2.99"
        before = made.places()
        assert made.run(wanted) == ["change ring object: storage1/d1 ip 192.0.2.1 -> 192.0.2.99"]
        assert moved(before, made.places()) == [0] * 256
        assert made.run(wanted) == []


class TestShrunk:
    def test_drained_then_removed(self, made):
        made.run(ring(hosts=4))
        made.now += 2 * HOUR
        before = made.places()
        told = made.run(ring(hosts=3))
        assert (
            told[0] == "change ring object: storage4/d1 is no longer in the inventory and is drained of 192 partitions"
        )
        after = moved(before, made.places())
        assert (max(after), sum(after)) == (1, 192)
        assert not any("storage4/d1" in row for row in made.places())
        assert made.run(ring(hosts=3)) == [], "it may still hold data that others have not fetched"
        made.now += 2 * HOUR
        before = made.places()
        assert made.run(ring(hosts=3)) == ["change ring object: storage4/d1 removed, as it has no partitions left"]
        assert made.places() == before
        assert made.run(ring(hosts=3)) == []

    def test_one_in_the_place_of_another(self, made):
        """A failed disk's successor: all that moves goes from the one to the other."""
        wanted = ring()
        wanted["devices"][2]["device"] = "d9"
        before = made.places()
        assert made.run(wanted)[:2] == [
            "change ring object: storage3/d9 added with weight 100",
            "change ring object: storage3/d1 is no longer in the inventory and is drained of 256 partitions",
        ]
        assert moved(before, made.places()) == [1] * 256
        assert all({"storage1/d1", "storage2/d1", "storage3/d9"} == row for row in made.places())
        made.now += 2 * HOUR
        assert made.run(wanted) == ["change ring object: storage3/d1 removed, as it has no partitions left"]

    def test_drained_by_its_weight_then_removed(self, made):
        wanted = ring(hosts=4)
        made.run(wanted)
        made.now += 2 * HOUR
        wanted["devices"][3]["weight"] = 0.0
        assert made.run(wanted)[0] == "change ring object: storage4/d1 weight 100 -> 0"
        assert not any("storage4/d1" in row for row in made.places())
        made.now += 2 * HOUR
        assert made.run(wanted) == []
        assert made.run(ring()) == ["change ring object: storage4/d1 removed, as it has no partitions left"]

    def test_two_hosts_at_once_lose_no_partition_two_replicas(self, directory):
        directory.run(ring(hosts=6))
        directory.now += 2 * HOUR
        rounds = 0
        while any({"storage5/d1", "storage6/d1"} & row for row in directory.places()):
            before = directory.places()
            directory.run(ring(hosts=4))
            assert max(moved(before, directory.places())) == 1
            assert all(len(row) == 3 for row in directory.places())
            directory.now += 2 * HOUR
            rounds += 1
        assert rounds == 2

    def test_fewer_than_replicas_is_refused(self, made):
        before = made.places()
        with pytest.raises(swift_rings.RingError, match="Nothing was changed"):
            made.run(ring(hosts=2))
        assert made.places() == before

    def test_fewer_replicas_are_refused(self, made):
        with pytest.raises(swift_rings.RingError, match="Keep 3"):
            made.run(ring(replicas=2))

    def test_partitions_can_not_become_others(self, made):
        with pytest.raises(swift_rings.RingError, match="set part_power to 8"):
            made.run(ring(part_power=9))


class TestRepair:
    def test_a_lost_ring_is_made_of_its_builder(self, made):
        before = (made.path / "object.ring.gz").read_bytes()
        (made.path / "object.ring.gz").unlink()
        assert made.run(ring()) == ["change ring object: its file does not match the builder, and is rebuilt"]
        assert (made.path / "object.ring.gz").read_bytes() == before

    def test_an_older_builder_is_refused(self, made):
        held = swift_rings.version((made.path / "object.ring.gz").read_bytes())
        assert made.run(ring(), seen=held) == []
        with pytest.raises(swift_rings.RingError, match=f"have version {held + 1} of"):
            made.run(ring(), seen=held + 1)

    def test_a_lost_builder_is_no_reason_for_new_places(self, directory):
        with pytest.raises(swift_rings.RingError, match=r"newest builder .* is none"):
            directory.run(ring(), seen=5)


class TestPartOfTheHosts:
    def test_rings_stay_as_they_are(self, made):
        before = made.places()
        assert made.run(ring(hosts=4), change=False) == []
        assert made.places() == before
        assert "without --limit" in made.waiting[0]

    def test_none_yet(self, directory):
        with pytest.raises(swift_rings.RingError, match="There is no object ring yet"):
            directory.run(ring(), change=False)


class TestModule:
    """The module itself, as it answers Ansible."""

    @pytest.fixture
    def run(self, run_module, tmp_path, monkeypatch):
        monkeypatch.setattr(swift_rings_module, "DIRECTORY", str(tmp_path))
        monkeypatch.setattr(swift_rings.config_files, "write", self.write)
        return lambda check=False, **options: run_module(
            swift_rings_module, {"rings": [ring()], **options}, check=check
        )

    @staticmethod
    def write(path, state):
        """Write as config_files does, without the group that a test's machine lacks."""
        assert (state.mode, state.owner, state.group) == (0o640, "root", "swift")
        Path(path).write_bytes(state.content.encode("utf-8", "surrogateescape"))

    def test_files_for_both_kinds_of_host(self, run, tmp_path, library):
        result = run()
        assert result["changed"]
        assert [file["path"].rpartition("/")[2] for file in result["files"]["storage"]] == ["object.ring.gz"]
        names = [file["path"].rpartition("/")[2] for file in result["files"]["controller"]]
        assert names == ["object.builder", "object.ring.gz"]
        for file in result["files"]["controller"]:
            assert base64.b64decode(file["content"]) == Path(file["path"]).read_bytes()

    def test_nothing_to_do(self, run, library):
        first = run()
        second = run()
        assert (second["changed"], second["changes"], second["files"]) == (False, [], first["files"])

    def test_a_plan_has_the_files_too(self, run, tmp_path, library):
        assert len(run(check=True)["files"]["controller"]) == 2
        assert list(tmp_path.iterdir()) == []

    def test_what_is_refused_fails(self, run, tmp_path, library):
        assert "needs 3 devices" in run(rings=[ring(hosts=2)])["msg"]
        assert list(tmp_path.iterdir()) == []
