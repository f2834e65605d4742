# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How many servers fit: the formulas of Placement, Nova and Cinder, hosts that are lost, and what servers need."""

from __future__ import annotations

import json

import pytest
from ansible_collections.cairn.openstack.plugins.plugin_utils.capacity import compute, report
from ansible_collections.cairn.openstack.plugins.plugin_utils.capacity.model import (
    DISK,
    MEMORY,
    NIC,
    PCPU,
    VCPU,
    Cloud,
    Flavor,
    Host,
    Inventory,
    Network,
    Pool,
    Shared,
    processors,
)

SMALL = {"name": "m1.small", "vcpus": 1, "ram": 2048, "disk": 20}


def host(name, vcpus=8, memory=16384, disk=200, servers=(), **more):
    """A host with these totals, on which *servers* claim what they claim."""
    used = {one: sum(claims.get(one, 0) for claims in servers) for one in (VCPU, MEMORY, DISK)}
    own = {
        VCPU: Inventory(vcpus, used[VCPU]),
        MEMORY: Inventory(memory, used[MEMORY]),
        DISK: Inventory(disk, used[DISK]),
    }
    return Host(name, (own,), servers=tuple(servers), **more)


def cloud(*hosts, **more):
    return Cloud("c", "a test", hosts=hosts, **more)


class TestPlacement:
    def test_capacity(self):
        """(total - reserved) * allocation_ratio, as a whole number."""
        assert Inventory(8, reserved=1, ratio=4.0).capacity == 28
        assert Inventory(7, ratio=1.5).capacity == 10
        assert Inventory(7979, used=1000, reserved=512).free == 6467
        assert Inventory(10, used=12).free == 0

    @pytest.mark.parametrize(
        ("inventory", "amount", "count"),
        [
            (Inventory(100), 30, 3),
            (Inventory(100, used=10), 30, 3),
            (Inventory(100, used=11), 30, 2),
            # A ratio lets more servers in, not larger ones.
            (Inventory(4, ratio=16.0, max_unit=4), 8, 0),
            (Inventory(4, ratio=16.0, max_unit=4), 4, 16),
            (Inventory(100, min_unit=20), 10, 0),
            (Inventory(100, step=16), 24, 0),
            (Inventory(100, step=16), 32, 3),
        ],
    )
    def test_units(self, inventory, amount, count):
        assert inventory.fits(amount) == count

    def test_rests_of_hosts_are_no_server(self):
        """3 GiB on each of two hosts hold one server of 2 GiB each, not three."""
        found = compute.fit(cloud(host("a", memory=3072), host("b", memory=3072)), Flavor.of(SMALL))
        assert found.now == 2
        assert found.hosts == {"a": 1, "b": 1}

    def test_an_amount_comes_from_one_provider(self):
        one = Host("a", ({VCPU: Inventory(8), MEMORY: Inventory(8192)}, {"VGPU": Inventory(3)}, {"VGPU": Inventory(3)}))
        flavor = Flavor.of({"name": "g", "vcpus": 1, "ram": 512, "disk": 0, "extra_specs": {"resources:VGPU": "2"}})
        assert compute.fit(cloud(one), flavor).now == 2
        assert compute.fit(cloud(one), flavor).first == "VGPU"

    def test_hosts_that_the_scheduler_passes_over(self):
        found = compute.fit(cloud(host("a"), host("b", unusable="disabled")), Flavor.of(SMALL))
        assert found.hosts == {"a": 8, "b": 0}
        assert set(found.lost) == {"a"}


class TestFlavor:
    @pytest.mark.parametrize(
        ("given", "claims"),
        [
            ({}, {VCPU: 1, MEMORY: 2048, DISK: 20}),
            ({"ephemeral": 5, "swap": 1025}, {VCPU: 1, MEMORY: 2048, DISK: 27}),
            ({"disk": 0}, {VCPU: 1, MEMORY: 2048}),
            (
                {"extra_specs": {"resources:VCPU": "0", "resources:CUSTOM_IRON": "1"}},
                {"CUSTOM_IRON": 1, MEMORY: 2048, DISK: 20},
            ),
            ({"vcpus": 4, "extra_specs": {"hw:cpu_policy": "dedicated"}}, {PCPU: 4, MEMORY: 2048, DISK: 20}),
            (
                {"vcpus": 4, "extra_specs": {"hw:cpu_policy": "mixed", "hw:cpu_dedicated_mask": "^0"}},
                {VCPU: 1, PCPU: 3, MEMORY: 2048, DISK: 20},
            ),
            (
                {"extra_specs": {"hw:cpu_policy": "dedicated", "hw:emulator_threads_policy": "isolate"}},
                {PCPU: 2, MEMORY: 2048, DISK: 20},
            ),
            (
                {"extra_specs": {"hw:mem_encryption": "True"}},
                {VCPU: 1, MEMORY: 2048, DISK: 20, "MEM_ENCRYPTION_CONTEXT": 1},
            ),
        ],
    )
    def test_claims(self, given, claims):
        assert Flavor.of({**SMALL, **given}).claims == claims

    def test_a_root_disk_on_a_volume(self):
        assert Flavor.of({**SMALL, "ephemeral": 5}, from_volume=True).claims[DISK] == 5

    def test_traits_and_aggregates(self):
        specs = {
            "trait:CUSTOM_FAST": "required",
            "trait:CUSTOM_OLD": "forbidden",
            "aggregate_instance_extra_specs:ssd": "true",
            "hw:cpu_thread_policy": "isolate",
        }
        flavor = Flavor.of({**SMALL, "extra_specs": specs})
        fast, ssd = frozenset({"CUSTOM_FAST"}), {"ssd": ["true", "yes"]}
        assert host("a", traits=fast, metadata=ssd).suits(flavor)
        assert not host("a", traits=fast).suits(flavor)
        assert not host("a", metadata=ssd).suits(flavor)
        for trait in ("CUSTOM_OLD", "HW_CPU_HYPERTHREADING"):
            assert not host("a", traits=fast | {trait}, metadata=ssd).suits(flavor)
        assert compute.fit(cloud(host("a")), flavor).first == compute.NO_HOST

    def test_what_more_than_claims_decides_about(self):
        specs = {"hw:mem_page_size": "large", "ssd": "<in> true", "hw_rng:allowed": "True"}
        assert Flavor.of({**SMALL, "extra_specs": specs}).beyond == ("hw:mem_page_size", "ssd")

    @pytest.mark.parametrize(
        "name",
        [
            "hw:cpu_policy",
            "hw:tpm_version",
            "hw:maxphysaddr_mode",
            "os:secure_boot",
            "capabilities:hypervisor_type",
            "accel:device_profile",
        ],
    )
    def test_extra_specs_that_hosts_decide_about(self, name):
        assert Flavor.of({**SMALL, "extra_specs": {name: "x"}}).beyond == (name,)

    def test_lists_of_processors(self):
        assert processors("0-3,^2, 7") == {0, 1, 3, 7}
        assert processors("^0", 4) == {1, 2, 3}
        assert processors("") == set()


class TestCinder:
    @pytest.mark.parametrize(
        ("pool", "room", "count"),
        [
            # Thin: what is free does not count, only what is provisioned.
            (Pool("p", "p", 100, 5, provisioned=150, thin=True, ratio=2.0), 50, 5),
            (Pool("p", "p", 100, 5, provisioned=150, thin=True, ratio=2.0, reserved=10), 30, 3),
            (Pool("p", "p", 100, 100, thin=True, ratio=0.5), 0, 0),
            # Thick: the lesser of what is free and what is not provisioned.
            (Pool("p", "p", 100, 40, provisioned=50), 40, 4),
            (Pool("p", "p", 100, 60, provisioned=50, ratio=20.0), 50, 5),
            (Pool("p", "p", 100.9, 60, provisioned=50, reserved=5), 45.9, 4),
            # Of a driver that does not tell.
            (Pool("p", "p", 100, None), None, None),
            (Pool("p", "p", None, 100), None, None),
            (Pool("p", "p", None, 100, reserved=5), 0, 0),
            (Pool("p", "p", 0, 0), 0, 0),
        ],
    )
    def test_room(self, pool, room, count):
        assert pool.room == room
        assert pool.fits(10) == count


class TestOneHostLost:
    def test_the_worst_one(self):
        found = compute.fit(cloud(host("a"), host("b", memory=4096), host("c", memory=6144)), Flavor.of(SMALL))
        assert found.now == 8 + 2 + 3
        assert found.lost == {"a": 5, "b": 11, "c": 10}
        assert (found.one_lost, found.worst) == (5, "a")

    def test_its_servers_need_room_elsewhere(self):
        """Without that, 8 + 8 processors less those of a lost host would be promised twice."""
        claims = {VCPU: 2, MEMORY: 2048, DISK: 10}
        found = compute.fit(cloud(host("a", servers=[claims] * 3), host("b")), Flavor.of(SMALL))
        assert found.now == 2 + 8
        assert found.lost == {"a": 2, "b": 2}

    def test_servers_that_fit_nowhere(self):
        claims = {VCPU: 6, MEMORY: 2048, DISK: 10}
        found = compute.fit(cloud(host("a", servers=[claims]), host("b", servers=[claims])), Flavor.of(SMALL))
        assert found.now == 4
        assert found.one_lost == 0
        assert found.stranded == {"a", "b"}

    def test_a_disabled_host_with_servers(self):
        """They need room too if it is lost."""
        claims = {VCPU: 6, MEMORY: 2048, DISK: 10}
        found = compute.fit(cloud(host("a"), host("b", unusable="disabled", servers=[claims])), Flavor.of(SMALL))
        assert found.lost == {"a": 0, "b": 2}

    def test_the_most_free_memory_first(self):
        """One after the other, as it decreases; a host that has not the processors is passed over."""
        claims = {VCPU: 1, MEMORY: 4096, DISK: 10}
        hosts = (
            host("lost", servers=[claims] * 3),
            host("a", memory=16384),
            host("b", memory=14336),
            host("c", vcpus=0, memory=32768),
        )
        left, moved = compute.lose_each(cloud(*hosts))["lost"]
        assert moved
        assert [(one.name, len(one.servers)) for one in left] == [("a", 2), ("b", 1), ("c", 0)]

    def test_hosts_are_not_all_tried(self, monkeypatch):
        """Of many hosts, the first that takes a server is enough."""
        tried = []
        takes = compute._takes
        monkeypatch.setattr(compute, "_takes", lambda *arguments: tried.append(1) or takes(*arguments))
        claims = {VCPU: 1, MEMORY: 512, DISK: 1}
        compute.lose_each(cloud(*(host(f"h{number}", servers=[claims] * 3) for number in range(20))))
        assert len(tried) == 20 * 3

    def test_a_single_host(self):
        assert compute.fit(cloud(host("a")), Flavor.of(SMALL)).one_lost == 0


class TestShared:
    def shared(self, total, used=0):
        return Shared("ceph1", DISK, frozenset({"a", "b"}), Inventory(total, used))

    def test_disks_in_ceph_count_once(self):
        """Each host reports all of it, which the scheduler adds up."""
        one = cloud(host("a", disk=60), host("b", disk=60), shared=(self.shared(60),))
        found = compute.fit(one, Flavor.of(SMALL))
        assert (found.now, found.scheduled) == (3, 6)
        assert found.limits[DISK] == 3
        assert found.first == DISK
        # A host that is lost takes nothing of it along.
        assert found.one_lost == 3

    def test_what_all_hosts_use_counts(self):
        one = cloud(host("a", disk=60), host("b", disk=60), shared=(self.shared(60, 30),))
        assert compute.fit(one, Flavor.of(SMALL)).now == 1

    def test_a_provider_that_shares(self):
        """Its hosts have no inventory of their own."""
        own = {VCPU: Inventory(8), MEMORY: Inventory(8192)}
        hosts = [Host(name, (own,)) for name in ("a", "b", "c")]
        found = compute.fit(cloud(*hosts, shared=(self.shared(100),)), Flavor.of(SMALL))
        assert found.hosts == {"a": 4, "b": 4, "c": 0}
        assert (found.now, found.scheduled) == (5, 5)


class TestNeeds:
    def ask(self, one, count, flavor=SMALL, **wanted):
        options = compute.Wanted(**wanted)
        found = compute.fit(one, Flavor.of(flavor, options.from_volume, options.bandwidth))
        return compute.needs(one, found, count, options)

    def test_the_first_to_end(self):
        one = cloud(host("a"), host("b"), networks=(Network("public", 10, 7),))
        answer = self.ask(one, 10, floating_ips=1)
        assert [(need.label, need.needed, need.servers) for need in answer.needs] == [
            ("processors", 10, 16),
            ("memory", 20480, 16),
            ("disk", 200, 20),
            ("compute hosts", 10, 16),
            ("floating IPs", 10, 3),
        ]
        assert (answer.fits, answer.servers, answer.first) == (False, 3, "floating IPs")
        assert self.ask(one, 10).fits
        # The resource, not the hosts, if one limits all of them.
        assert self.ask(one, 10).first == "processors"

    def test_hosts_that_end_by_different_resources(self):
        """Each resource would allow 9, and there are 10 addresses: but 2 servers fit."""
        one = cloud(host("a", vcpus=1), host("b", memory=2048), networks=(Network("public", 5),))
        answer = self.ask(one, 10, floating_ips=1)
        assert min(need.servers for need in answer.needs if need.label != "compute hosts") == 5
        assert (answer.servers, answer.first) == (2, "compute hosts")

    def test_a_cloud_without_an_external_network(self):
        quotas = {"floating_ips": (0, 0)}
        answer = self.ask(cloud(host("a"), quotas=quotas), 4, floating_ips=1)
        assert (answer.fits, answer.allowed) == (True, None)
        assert not any("floating" in need.label for need in answer.needs)
        assert answer.remarks == (compute.NO_NETWORK,)

    def test_a_shared_disk_is_no_lack_of_hosts(self):
        """Further hosts add nothing to a disk that all share."""
        shared = Shared("ceph1", DISK, frozenset("abc"), Inventory(60))
        one = cloud(*(host(name, disk=60) for name in "abc"), shared=(shared,))
        answer = self.ask(one, 10)
        assert (answer.servers, answer.first, answer.like) == (3, "disk in ceph1", ("a", 8))
        assert (answer.further, answer.further_lost) == (0, 0)
        assert (self.ask(one, 20).further, self.ask(one, 20).further_lost) == (0, 1)

    def test_further_hosts(self):
        one = cloud(host("a"), host("b", memory=4096))
        answer = self.ask(one, 20)
        assert answer.like == ("a", 8)
        # 8 + 2 there; 10 are missing. With a lost, 2 are left: 18 are missing.
        assert (answer.further, answer.further_lost) == (2, 3)
        assert (self.ask(one, 2).further, self.ask(one, 2).further_lost) == (0, 0)

    def test_a_new_host_may_be_the_lost_one(self):
        """Of four hosts with room for 8 each, three are left."""
        assert self.ask(cloud(*(host(name) for name in "abc")), 24).further_lost == 1

    def test_a_flavor_that_no_host_can_hold(self):
        answer = self.ask(cloud(host("a")), 1, {**SMALL, "ram": 10**6})
        assert (answer.servers, answer.first, answer.further) == (0, "memory", None)

    def test_volumes(self):
        pools = (Pool("h@a#a", "a", 100, 100), Pool("h@b#b", "b", 50, 35))
        one = cloud(host("a"), pools=pools)
        answer = self.ask(one, 8, from_volume=True)
        assert DISK not in answer.flavor.claims
        assert answer.needs[-1] == compute.Need("volumes", 160, 135, 6, "GiB")
        assert self.ask(one, 8, volume=30, backend="b").needs[-1].servers == 1
        assert self.ask(cloud(host("a"), pools=(Pool("n", "n", None, None),)), 8, volume=1).needs[-1].servers is None

    def test_a_cloud_without_volumes(self):
        assert self.ask(cloud(host("a")), 8, volume=10).servers == 0

    def test_bandwidth(self):
        busy = host("a", mbit=10000, servers=[{VCPU: 1, MEMORY: 512}] * 2)
        one = cloud(busy, uplinks={"n": ("eth2", 1000)})
        answer = self.ask(one, 4, bandwidth=250)
        assert [answer.needs[-3].servers, answer.needs[-1].servers] == [38, 2]
        assert answer.first == "NICs of network hosts"
        assert compute.fit(one, Flavor.of(SMALL, bandwidth=2500)).limits[NIC] == 2

    def test_a_speed_that_is_not_known(self):
        one = cloud(host("a"), uplinks={"n": ("eth2", None)})
        answer = self.ask(one, 4, bandwidth=250)
        assert [(need.label, need.servers) for need in answer.needs if need.servers is None] == [
            ("NICs", None),
            ("NICs of network hosts", None),
        ]
        assert answer.fits

    def test_quotas(self):
        quotas = {
            "instances": (10, 4),
            "cores": (-1, 4),
            "ram": (8192, 0),
            "floating_ips": (5, 5),
            "gigabytes": (10, 0),
        }
        answer = self.ask(cloud(host("a"), quotas=quotas), 6)
        assert [(need.label, need.servers) for need in answer.needs[4:]] == [("quota: instances", 6), ("quota: ram", 4)]
        assert (answer.fits, answer.allowed, answer.raise_first) == (True, 4, "quota: ram")


class TestReport:
    def text(self, one, wanted=None, count=20):
        flavors = [Flavor.of(SMALL), Flavor.of({**SMALL, "name": "huge", "extra_specs": {"hw:mem_page_size": "large"}})]
        fits = [compute.fit(one, flavor) for flavor in flavors]
        wanted = wanted or compute.Wanted(floating_ips=1)
        return "\n".join(
            line for line, _colour in report.lines(one, fits, compute.needs(one, fits[0], count, wanted), wanted)
        )

    def test_tables(self):
        one = cloud(
            host("a", mbit=10000, nic="eth1", servers=[{VCPU: 1, MEMORY: 512, DISK: 1}]),
            host("b", unusable="down"),
            host("c"),
            pools=(Pool("c@lvm1#lvm1", "lvm1", 100, 100),),
            networks=(Network("public", 100, 3),),
            quotas={"instances": (10, 0), "cores": (-1, 0)},
        )
        text = self.text(one)
        for words in (
            "compute host  processors  memory",
            "a             1 of 8      0.5 of 16 GiB  1 of 200 GiB        1  eth1 10 Gbit/s",
            "not used: down",
            "m1.small        15                   7  a           processors",
            "* huge: at most; also decided by hw:mem_page_size",
            "volumes in c@lvm1#lvm1  100 GiB  0 GiB in volumes",
            "quotas of a new project: 10 instances\n",
            "What 20 servers of m1.small need",
            "They do not fit: there is room for 15. Limited by: processors.",
            "Missing: 1 host like a (without servers it takes 8); 2 so that one may be lost.",
            "The quotas allow 10. Limited by: instances.",
        ):
            assert words in text, text
        assert "cores" not in text

    def test_without_hosts(self):
        assert self.text(cloud()).count("There is no compute host.") == 2

    def test_without_usable_hosts(self):
        text = self.text(cloud(host("a", unusable="down"), host("b", unusable="disabled")))
        assert "No compute host is enabled, up, and has the flavor's traits." in text
        assert "large enough" not in text
        assert "Limited by" not in text

    def test_a_single_usable_host(self):
        claims = {VCPU: 1, MEMORY: 512, DISK: 1}
        assert "there is no other host" in self.text(cloud(host("a"), host("b", unusable="down", servers=[claims])))

    def test_a_running_cloud_that_was_not_read(self):
        one = cloud(host("a"), why="unreachable controllers: controller1")
        first, second = self.text(one).splitlines()[:2]
        assert first == "Capacity of c without its servers, from a test"
        assert second == (
            "  The running cloud was not read: unreachable controllers: controller1. Its servers are not counted."
        )
        assert compute.as_json(one, [], None)["why"] == one.why

    def test_no_external_network(self):
        assert compute.NO_NETWORK in self.text(cloud(host("a")))

    def test_json(self):
        one = cloud(host("a"), shared=(Shared("ceph1", DISK, frozenset({"a"}), Inventory(60)),))
        found = compute.fit(one, Flavor.of(SMALL))
        said = compute.as_json(one, [found], compute.needs(one, found, 5, compute.Wanted()))
        assert json.loads(json.dumps(said)) == said
        assert said["flavors"][0]["fits"] == 3
        assert said["servers"]["fit"] is False
