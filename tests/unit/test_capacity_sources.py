# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What capacities are computed from: the APIs of a running cloud, or the hosts and settings before there is one."""

from __future__ import annotations

import os
import subprocess
import types
from pathlib import Path

import pytest
from ansible.errors import AnsibleActionFail
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible_collections.cairn.openstack.plugins.action import capacity_report
from ansible_collections.cairn.openstack.plugins.action.capacity_report import ActionModule
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.capacity import read
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.capacity.facts import Facts
from ansible_collections.cairn.openstack.plugins.module_utils.common.changes import Failed
from ansible_collections.cairn.openstack.plugins.plugin_utils.capacity import compute, gather, planned
from ansible_collections.cairn.openstack.plugins.plugin_utils.capacity.model import (
    DISK,
    MEMORY,
    PCPU,
    VCPU,
    Cloud,
    Flavor,
)
from ansible_collections.cairn.openstack.plugins.plugin_utils.catalog import sources
from resolving import probe, resolver

SMALL = {"name": "m1.small", "vcpus": 1, "ram": 2048, "disk": 20}
# Recorded of a cloud with two compute hosts and a server on the first.
TWO = {"instances": 10, "cores": 20, "ram": 51200, "key_pairs": 100}


def inventory(total, **more):
    return {
        "total": total,
        "reserved": 0,
        "allocation_ratio": 1.0,
        "min_unit": 1,
        "max_unit": total,
        "step_size": 1,
        **more,
    }


PLACEMENT = {
    "/resource_providers": {
        "resource_providers": [
            {"uuid": "u1", "name": "compute1.cairn.internal", "root_provider_uuid": "u1", "parent_provider_uuid": None},
            {"uuid": "g1", "name": "compute1_gpu", "root_provider_uuid": "u1", "parent_provider_uuid": "u1"},
            {"uuid": "u2", "name": "compute2.cairn.internal", "root_provider_uuid": "u2", "parent_provider_uuid": None},
            {"uuid": "u9", "name": "gone", "root_provider_uuid": "u9", "parent_provider_uuid": None},
        ]
    },
    "/resource_providers/u1/inventories": {
        "inventories": {
            "VCPU": inventory(2, allocation_ratio=4.0),
            "MEMORY_MB": inventory(7979, reserved=512),
            "DISK_GB": inventory(90),
        }
    },
    "/resource_providers/g1/inventories": {"inventories": {"VGPU": inventory(4)}},
    "/resource_providers/u2/inventories": {
        "inventories": {
            "VCPU": inventory(2, allocation_ratio=4.0),
            "MEMORY_MB": inventory(7979),
            "DISK_GB": inventory(90),
        }
    },
    "/resource_providers/u1/allocations": {
        "allocations": {"s1": {"resources": {"VCPU": 1, "MEMORY_MB": 192, "DISK_GB": 1}}}
    },
    "/resource_providers/g1/allocations": {"allocations": {"s1": {"resources": {"VGPU": 1}}}},
}
NOVA = {
    "/os-services?binary=nova-compute": {
        "services": [
            {"host": "compute1", "status": "enabled", "state": "up", "forced_down": False},
            {"host": "compute2", "status": "disabled", "state": "up", "forced_down": False},
        ]
    },
    "/os-hypervisors/detail": {
        "hypervisors": [
            {"hypervisor_hostname": f"compute{n}.cairn.internal", "service": {"host": f"compute{n}"}} for n in (1, 2)
        ]
    },
    "/os-aggregates": {
        "aggregates": [{"hosts": ["compute1"], "metadata": {"ssd": "true,yes", "availability_zone": "z"}}]
    },
    "/flavors/detail?is_public=None&limit=1000": {
        "flavors": [
            {
                **SMALL,
                "id": "1",
                "swap": "",
                "OS-FLV-EXT-DATA:ephemeral": 0,
                "OS-FLV-DISABLED:disabled": False,
                "extra_specs": {},
            }
        ]
    },
    "/os-quota-sets/admin/defaults": {"quota_set": TWO},
    "/os-quota-sets/p1/detail": {
        "quota_set": {name: {"limit": limit, "in_use": 2, "reserved": 1} for name, limit in TWO.items()}
    },
}
CINDER = {
    "/scheduler-stats/get_pools?detail=true": {
        "pools": [
            {
                "name": "storage1@lvm1#lvm1",
                "capabilities": {
                    "volume_backend_name": "lvm1",
                    "total_capacity_gb": 19.0,
                    "free_capacity_gb": 18.05,
                    "provisioned_capacity_gb": 1.0,
                    "max_over_subscription_ratio": "20.0",
                    "reserved_percentage": 5,
                    "thin_provisioning_support": True,
                },
            },
            {
                "name": "controller1@nfs1#nfs1",
                "capabilities": {
                    "total_capacity_gb": "unknown",
                    "free_capacity_gb": "infinite",
                    "allocated_capacity_gb": 7,
                },
            },
        ]
    },
    "/os-quota-sets/admin/defaults": {"quota_set": {"volumes": 10, "gigabytes": 1000}},
    "/os-quota-sets/p1?usage=true": {
        "quota_set": {name: {"limit": -1, "in_use": 3, "reserved": 0} for name in ("volumes", "gigabytes")}
    },
}
NEUTRON = {
    "/networks?router:external=true&fields=id": {"networks": [{"id": "n1"}]},
    "/network-ip-availabilities": {
        "network_ip_availabilities": [
            {
                "network_id": "n1",
                "network_name": "public",
                "subnet_ip_availability": [
                    {"ip_version": 4, "total_ips": 100, "used_ips": 9},
                    {"ip_version": 6, "total_ips": 10**19, "used_ips": 1},
                ],
            },
            {"network_id": "n2", "network_name": "tenant", "subnet_ip_availability": []},
        ]
    },
    "/quotas/admin/default": {"quota": {"port": 500, "floatingip": 50}},
    "/quotas/p1/details.json": {
        "quota": {name: {"limit": 50, "used": 4, "reserved": 0} for name in ("port", "floatingip")}
    },
}
KEYSTONE = {
    "/projects": {"projects": [{"id": "p1", "name": "demo"}, {"id": "p2", "name": "two"}, {"id": "p3", "name": "two"}]}
}


class Api:
    """An API with these responses. One that Placement has not been given is empty."""

    def __init__(self, responses, empty=False):
        self.responses, self.empty = responses, empty

    def request(self, path, method, microversion=None):
        assert method == "GET", "it only reads"
        assert microversion in (None, "1.14", "2.53", "2.61")
        nothing = {path.rpartition("/")[2]: [] if path.endswith(("traits", "aggregates")) else {}}
        body = self.responses.get(path, nothing) if self.empty else self.responses[path]
        return types.SimpleNamespace(status_code=200, json=lambda: body)


def connection(placement=None, cinder=True):
    return types.SimpleNamespace(
        placement=Api({**PLACEMENT, **(placement or {})}, empty=True),
        compute=Api(NOVA),
        block_storage=Api(CINDER),
        network=Api(NEUTRON),
        identity=Api(KEYSTONE),
        current_project_id="admin",
        endpoint_for=lambda kind: "http://cinder" if cinder and kind == "block-storage" else None,
    )


class TestFacts:
    def test_hosts(self):
        first, second = Facts(connection()).read()["hosts"]
        assert (first["name"], first["state"], second["name"], second["state"]) == (
            "compute1",
            "",
            "compute2",
            "disabled",
        )
        assert first["providers"][0]["inventories"]["MEMORY_MB"]["used"] == 192
        assert first["providers"][1]["inventories"]["VGPU"]["used"] == 1
        assert first["servers"] == [{"VCPU": 1, "MEMORY_MB": 192, "DISK_GB": 1, "VGPU": 1}]
        assert first["metadata"]["ssd"] == ["true", "yes"]

    def test_pools(self):
        nfs, lvm = Facts(connection()).read()["pools"]
        assert nfs == {
            "name": "controller1@nfs1#nfs1",
            "backend": "nfs1",
            "total": None,
            "free": None,
            "provisioned": 7,
            "thin": False,
            "ratio": 1.0,
            "reserved": 0,
        }
        assert (lvm["backend"], lvm["thin"], lvm["ratio"], lvm["reserved"]) == ("lvm1", True, 20.0, 5)

    def test_floating_ips_are_v4(self):
        assert Facts(connection()).read()["networks"] == [{"name": "public", "total": 100, "used": 9}]

    def test_quotas(self):
        found = Facts(connection()).read()["quotas"]
        assert found["instances"] == {"limit": 10, "used": 0}
        assert found["floating_ips"] == {"limit": 50, "used": 0}
        found = Facts(connection()).read("demo")["quotas"]
        assert found["cores"] == {"limit": 20, "used": 3}
        assert found["volumes"] == {"limit": -1, "used": 3}
        for name, words in (("two", "there are several projects"), ("none", "there is no project")):
            with pytest.raises(Failed, match=f"^{words} of the name or id {name}$"):
                Facts(connection()).read(name)

    def test_a_cloud_without_cinder(self):
        found = Facts(connection(cinder=False)).read()
        assert found["pools"] == []
        assert "volumes" not in found["quotas"]

    def test_providers_that_share(self):
        providers = [
            *PLACEMENT["/resource_providers"]["resource_providers"],
            {"uuid": "s", "name": "nfs", "root_provider_uuid": "s", "parent_provider_uuid": None},
        ]
        more = {
            "/resource_providers": {"resource_providers": providers},
            "/resource_providers/s/traits": {"traits": ["MISC_SHARES_VIA_AGGREGATE"]},
            "/resource_providers/s/inventories": {"inventories": {"DISK_GB": inventory(500)}},
            "/resource_providers/s/aggregates": {"aggregates": ["one"]},
            "/resource_providers/u2/aggregates": {"aggregates": ["one", "two"]},
        }
        (found,) = Facts(connection(more)).read()["sharing"]
        assert (found["name"], found["hosts"]) == ("nfs", ["compute2"])

    @pytest.mark.parametrize(
        ("said", "ratio"),
        [
            ({"max_over_subscription_ratio": "auto"}, 1 + 60 / (100 - 80 + 1)),
            ({"max_over_subscription_ratio": "auto", "provisioned_capacity_gb": 0}, 20.0),
            ({}, 20.0),
            ({"max_over_subscription_ratio": "3.5"}, 3.5),
            ({"max_over_subscription_ratio": "3.5", "thin_provisioning_support": False}, 1.0),
            ({"max_over_subscription_ratio": "auto", "free_capacity_gb": "unknown"}, 1.0),
        ],
    )
    def test_the_ratio_of_a_pool(self, said, ratio):
        """As calculate_max_over_subscription_ratio in cinder/utils.py computes it."""
        pool = {
            "total_capacity_gb": 100,
            "free_capacity_gb": 80,
            "provisioned_capacity_gb": 60,
            "thin_provisioning_support": True,
            **said,
        }
        assert read.pool("c@a#a", pool)["ratio"] == ratio

    def test_aggregates_are_asked_once(self):
        providers = [
            {"uuid": uuid, "name": uuid, "root_provider_uuid": uuid, "parent_provider_uuid": None} for uuid in "st"
        ]
        conn = connection({f"/resource_providers/{uuid}/aggregates": {"aggregates": ["one"]} for uuid in "st"})
        asked = []
        request = conn.placement.request
        conn.placement.request = lambda path, *more, **options: asked.append(path) or request(path, *more, **options)
        sharing = [{**one, "inventories": {}} for one in providers]
        Facts(conn).shared(sharing, {f"compute{number}": f"u{number}" for number in range(5)})
        assert len(asked) == len(set(asked)) == 7


class TestRunning:
    def plans(self, shared=""):
        pool = {"name": "ceph1", "replicas": 3}
        nics = {"tunnel": {"name": "eth1", "mbit": 10000}, "external": {"name": "eth2", "mbit": 1000}}
        return [
            {"name": name, "groups": [group], "nics": nics, "shared_disk": shared, "pools": [pool]}
            for name, group in (("compute1", "compute"), ("network1", "network"))
        ]

    def test_it_becomes_numbers(self):
        cloud = gather.running("c", Facts(connection()).read(), self.plans())
        found = compute.fit(cloud, Flavor.of(cloud.flavors[0]))
        # (7979 - 512 - 192) // 2048; the other host is disabled.
        assert found.hosts == {"compute1": 3, "compute2": 0}
        assert found.first == MEMORY
        assert cloud.hosts[0].mbit == 10000
        assert cloud.uplinks == {"network1": ("eth2", 1000)}
        assert [pool.room for pool in cloud.pools] == [None, 379.0]
        assert cloud.quotas["instances"] == (10, 0)

    def test_disks_in_ceph(self):
        """90 GiB for three copies are 30, of which the server has one."""
        cloud = gather.running("c", Facts(connection()).read(), self.plans(shared="ceph1"))
        (shared,) = cloud.shared
        assert shared.hosts == {"compute1", "compute2"}
        assert shared.inventory.free == 29
        assert "90 GiB for 3 copies" in cloud.remarks[0]
        assert compute.fit(cloud, Flavor.of(cloud.flavors[0])).now == 1


HOSTS = {
    "controller1": {"address": "192.0.2.11", "groups": ["controller", "network"]},
    "compute1": {"address": "192.0.2.12", "groups": ["compute"]},
    "compute2": {"address": "192.0.2.13", "groups": ["compute"]},
    "storage1": {
        "address": "192.0.2.14",
        "groups": ["storage"],
        "storage_devices": [{"path": f"/dev/sd{n}", "backend": "back1"} for n in "bcd"],
    },
}


def plan(name, directory, settings=None, **facts):
    one = resolver(HOSTS, name, directory, {"cloud_external_interface": "eth1", **(settings or {})})
    found = {
        **probe(HOSTS[name]["address"]),
        "disk_mb": 92160,
        "devices": {f"/dev/sd{n}": {"size_mb": 102400} for n in "bcd"} if name == "storage1" else {},
        **facts,
    }
    found["interfaces"]["eth0"]["speed"], found["interfaces"]["eth1"]["speed"] = 10000, None
    return planned.planned(one.resolve(found, planned.KEYS), one.groups, found)


class TestPlanned:
    def test_as_cairn_configures_nova(self, tmp_path):
        found = plan("compute1", tmp_path, {"cloud_reserved_memory_mb": 1024})
        assert {
            name: (one["total"], one["reserved"], one["allocation_ratio"]) for name, one in found["inventories"].items()
        } == {
            VCPU: (4, 0, 4.0),
            MEMORY: (8000, 1024, 1.0),
            DISK: (90, 0, 1.0),
        }
        assert found["nics"]["tunnel"] == {"name": "eth0", "mbit": 10000}
        assert plan("controller1", tmp_path)["inventories"] == {}
        assert plan("controller1", tmp_path)["nics"]["external"] == {"name": "eth1", "mbit": None}

    def test_options_of_the_user_count(self, tmp_path):
        layers = {
            "cloud_config": {
                "nova": {
                    "nova.conf": {
                        "DEFAULT": {
                            "cpu_allocation_ratio": 2,
                            "ram_allocation_ratio": None,
                            "reserved_host_disk_mb": 1025,
                        },
                        "compute": {"cpu_dedicated_set": "2-3,9", "cpu_shared_set": "0,1"},
                    },
                    "nova-compute.conf": {"DEFAULT": {"cpu_allocation_ratio": 3}},
                }
            }
        }
        found = plan("compute1", tmp_path, layers)["inventories"]
        assert (found[VCPU]["total"], found[VCPU]["allocation_ratio"]) == (2, 3.0)
        assert (found[PCPU]["total"], found[PCPU]["allocation_ratio"]) == (2, 1.0)
        assert found[MEMORY]["allocation_ratio"] == 1.0
        assert found[DISK]["reserved"] == 2

    def test_dedicated_processors_only(self, tmp_path):
        layers = {"cloud_config": {"nova": {"nova.conf": {"compute": {"cpu_dedicated_set": "1-3"}}}}}
        found = plan("compute1", tmp_path, layers)["inventories"]
        assert VCPU not in found
        assert found[PCPU]["total"] == 3

    def cloud(self, directory, backend, **more):
        settings = {"cloud_storage": [{"name": "back1", **backend}], **more}
        plans = [plan(name, directory, settings) for name in HOSTS]
        networks = [{"name": "public", "external": True, "subnets": [{"pools": ["198.51.100.128-198.51.100.254"]}]}]
        return gather.planned("c", plans, [SMALL], networks)

    def test_disks_in_ceph(self, tmp_path):
        cloud = self.cloud(tmp_path, {"kind": "ceph", "serves": ["volumes", "images", "ephemeral"]})
        (shared,) = cloud.shared
        assert (shared.hosts, shared.inventory.total) == ({"compute1", "compute2"}, 100)
        (pool,) = cloud.pools
        assert (pool.name, pool.total, pool.thin, pool.ratio) == ("back1", 100, True, 20.0)
        found = compute.fit(cloud, Flavor.of(SMALL))
        assert (found.now, found.scheduled) == (5, 6)

    def test_volumes_on_lvm(self, tmp_path):
        options = {
            "cinder": {"cinder.conf": {"back1": {"max_over_subscription_ratio": 2.0, "reserved_percentage": 10}}}
        }
        cloud = self.cloud(tmp_path, {"kind": "lvm"}, cloud_config=options)
        (pool,) = cloud.pools
        assert (pool.name, pool.total, pool.room) == ("storage1@back1", 300, 540)
        assert cloud.shared == ()
        assert [(one.name, one.free) for one in cloud.networks] == [("public", 127)]

    def test_a_back_end_of_unknown_size(self, tmp_path):
        (pool,) = self.cloud(tmp_path, {"kind": "nfs", "share": "192.0.2.20:/srv"}).pools
        assert pool.room is None

    def test_a_running_cloud_that_was_not_read_is_said(self, tmp_path):
        unreachable = ["compute3", "compute2"]
        found = gather.planned("c", [plan("compute1", tmp_path)], [SMALL], [], "No answer", unreachable)
        assert found.why == "No answer"
        assert found.remarks[0] == "Unreachable or not probed: compute2, compute3"

    @pytest.mark.parametrize(
        ("found", "members", "unreachable", "why"),
        [
            ({}, [], [], ""),
            ({"found": False, "configured": False, "why": "no clouds.yaml"}, [], ["compute1"], ""),
            ({"found": True}, ["compute1"], ["controller1"], ""),
            ({"found": False, "configured": True, "why": "503"}, [], [], "its APIs do not respond (503)"),
            ({}, [], ["controller1", "compute1"], "unreachable controllers: controller1"),
            (
                {"found": False, "configured": False, "why": "no clouds.yaml"},
                ["compute2", "compute1"],
                [],
                "hosts of a running cloud: compute1, compute2; no clouds.yaml",
            ),
        ],
    )
    def test_why_a_running_cloud_was_not_read(self, found, members, unreachable, why):
        assert gather.why_not_read(found, members, ["controller1", "controller2"], unreachable) == why

    @pytest.mark.parametrize(
        ("subnet", "count"),
        [
            ({"cidr": "198.51.100.0/24"}, 253),
            ({"cidr": "198.51.100.0/24", "gateway": "none"}, 254),
            ({"cidr": "198.51.100.0/24", "pools": ["198.51.100.1 - 198.51.100.3"]}, 3),
            ({"cidr": "198.51.100.0/31"}, 0),
            ({"cidr": "2001:db8::/64"}, 0),
        ],
    )
    def test_addresses_of_a_subnet(self, subnet, count):
        (found,) = gather.addresses([{"name": "public", "external": True, "subnets": [subnet]}])
        assert found.total == count

    def test_disks_in_a_ceph_of_unknown_size(self, tmp_path):
        """One that exists already: no device of it is the inventory's."""
        cluster = tmp_path / "ceph"
        cluster.mkdir()
        (cluster / "ceph.conf").write_text("[global]\nfsid = 1\n")
        for name in ("glance", "cinder", "nova"):
            (cluster / f"ceph.client.{name}.keyring").write_text(f"[client.{name}]\nkey = AQ==\n")
        backend = {"kind": "ceph", "serves": ["volumes", "images", "ephemeral"], "cluster": str(cluster)}
        cloud = self.cloud(tmp_path, backend)
        found = compute.fit(cloud, Flavor.of(SMALL))
        assert (found.now, set(found.limits)) == (6, {VCPU, MEMORY})
        assert "back1 is not known" in cloud.remarks[0]
        needs = compute.needs(cloud, found, 5, compute.Wanted()).needs
        assert compute.Need("disk", 100, None, None, "GiB") in needs


class TestAsked:
    """The flavors that are counted, and the one of the servers in question."""

    CLOUD = Cloud("c", "a test", flavors=({**SMALL, "name": "tiny", "ram": 512}, SMALL))

    def test_flavors(self):
        assert ActionModule.listed(self.CLOUD, []) == list(self.CLOUD.flavors)
        own = {"name": "db", "vcpus": 16, "ram": 65536, "disk": 100}
        assert ActionModule.listed(self.CLOUD, [{"name": "tiny"}, own]) == [self.CLOUD.flavors[0], own]
        # One of the cloud's, changed.
        assert ActionModule.listed(self.CLOUD, [{"name": "tiny", "disk": 2}])[0]["disk"] == 2
        with pytest.raises(AnsibleActionFail, match=r"lacks vcpus, ram, .* it has tiny, m1\.small"):
            ActionModule.listed(self.CLOUD, [{"name": "db"}])

    @pytest.mark.parametrize(
        ("flavors", "given", "name"),
        [(CLOUD.flavors, "", "m1.small"), (CLOUD.flavors, "tiny", "tiny"), (CLOUD.flavors[:1], "", "tiny")],
    )
    def test_the_flavor_of_the_servers(self, flavors, given, name):
        cloud = Cloud("c", "a test", flavors=flavors)
        assert ActionModule.asked(cloud, {"flavor": given, "flavors": []})["name"] == name

    def test_the_first_flavor_that_is_counted(self):
        """Whoever names flavors asks about them."""
        own = {"name": "db", "vcpus": 16, "ram": 65536, "disk": 100}
        assert ActionModule.asked(self.CLOUD, {"flavor": "", "flavors": [own, {"name": "tiny"}]}) == own
        assert ActionModule.asked(self.CLOUD, {"flavor": "tiny", "flavors": [own]})["name"] == "tiny"

    @pytest.mark.parametrize(
        ("more", "words"),
        [
            ({"vcpus": "two"}, "capacity_flavors, db, vcpus: found 'two', allowed: a whole number, 1 or more"),
            ({"vcpus": 0}, "capacity_flavors, db, vcpus: found 0, allowed: a whole number, 1 or more"),
            ({"vcpus": True}, "capacity_flavors, db, vcpus: found True, allowed: a whole number, 1 or more"),
            ({"ram": -1}, "capacity_flavors, db, ram: found -1, allowed: a whole number, 1 or more"),
            ({"disk": 1.5}, "capacity_flavors, db, disk: found 1.5, allowed: a whole number, 0 or more"),
            ({"extra_specs": ["a"]}, "capacity_flavors, db, extra_specs: found ['a'], allowed: a dictionary"),
            ({"name": 7}, "capacity_flavors, name: found 7, allowed: text"),
        ],
    )
    def test_a_flavor_that_is_wrong(self, more, words):
        with pytest.raises(AnsibleActionFail) as error:
            ActionModule.listed(self.CLOUD, [{"name": "db", "vcpus": 16, "ram": 65536, "disk": 100, **more}])
        assert str(error.value) == words

    def test_numbers_as_text(self):
        """As templates may return them."""
        assert ActionModule.listed(self.CLOUD, [{"name": "tiny", "ram": "1024"}])[0]["ram"] == 1024

    def test_extra_specs_that_are_wrong(self):
        specs = {"resources:VGPU": "some"}
        with pytest.raises(AnsibleActionFail, match=r"extra_specs of the flavor m1\.small: found .*'some'"):
            ActionModule.flavor({**SMALL, "extra_specs": specs}, {"from_volume": False, "bandwidth": 0})

    @pytest.mark.parametrize(
        ("more", "words"),
        [
            ({"servers": -1}, "capacity_servers: found -1, allowed: 0 or more"),
            ({"floating_ips": -1}, "capacity_floating_ips: found -1, allowed: 0 or more"),
            ({"volume_gb": -5}, "capacity_volume_gb: found -5, allowed: 0 or more"),
            ({"bandwidth": -5}, "capacity_bandwidth_mbit: found -5, allowed: 0 or more"),
            ({"backend": "a"}, "capacity_volume_backend: found 'a', allowed: only with capacity_volume_gb"),
        ],
    )
    def test_numbers_that_are_wrong(self, more, words):
        given = {"servers": 0, "floating_ips": 0, "volume_gb": 0, "bandwidth": 0, "backend": "", "from_volume": False}
        with pytest.raises(AnsibleActionFail) as error:
            capacity_report.checked({**given, **more})
        assert str(error.value).startswith(words)
        capacity_report.checked({**given, "backend": "a", "volume_gb": 1})

    def test_a_volume_without_a_size(self):
        flavor = Flavor.of({**SMALL, "disk": 0}, from_volume=True)
        with pytest.raises(AnsibleActionFail, match=r"capacity_volume_gb: found 0, .* m1\.small has no disk"):
            capacity_report.with_root_disk(flavor, compute.Wanted(from_volume=True))
        capacity_report.with_root_disk(flavor, compute.Wanted(from_volume=True, volume=5))
        capacity_report.with_root_disk(flavor, compute.Wanted())

    def test_a_flavor_that_is_not_there(self):
        with pytest.raises(
            AnsibleActionFail, match=r"capacity_servers_flavor: found 'big', allowed: one of tiny, m1\.small"
        ):
            ActionModule.asked(self.CLOUD, {"flavor": "big", "flavors": []})
        assert ActionModule.asked(Cloud("c", "a test"), {"flavor": "", "flavors": []}) is None


class TestController:
    """The controller that is asked about the running cloud."""

    @pytest.mark.parametrize(
        ("probes", "controller", "members"),
        [
            # The first one is new, and has no credentials yet.
            ({"controller1": None, "controller2": {"names": []}}, "controller2", ["controller2"]),
            (
                {"controller1": {"names": []}, "controller2": {"names": []}},
                "controller1",
                ["controller1", "controller2"],
            ),
            ({"controller1": None, "controller2": None}, "controller1", []),
            # No controller was probed, and a compute host belongs to the cloud.
            ({"compute1": {"names": []}}, "", ["compute1"]),
            ({}, "", []),
        ],
    )
    def test_one_that_belongs_to_the_cloud(self, probes, controller, members):
        hosts = ["controller1", "controller2", "compute1"]
        hostvars = {name: {"inventory_hostname": name} for name in hosts}
        for name, member in probes.items():
            hostvars[name] |= {"__capacity_plan": {"plan": {}}, "cairn_probe": {"cloud": member}}
        found = sources.trusted(sources.load(sources.ROLES / "capacity/vars/main.yml"))
        variables = {
            **found,
            "hostvars": hostvars,
            "groups": {"controller": hosts[:2]},
            "ansible_play_hosts_all": hosts,
        }
        templar = Templar(loader=DataLoader(), variables=variables)
        assert templar.template(found["__capacity_controller"]) == controller
        assert templar.template(found["__capacity_members"]) == members

    def test_a_limit(self, tmp_path):
        """It would leave out the controllers, and show a running cloud as an empty one."""
        (tmp_path / "hosts.yml").write_text("controller: {hosts: {controller1: }}\ncompute: {hosts: {compute1: }}\n")
        root = Path(__file__).resolve().parents[2]
        done = subprocess.run(
            ["ansible-playbook", "-i", tmp_path / "hosts.yml", root / "playbooks/capacity.yml", "--limit", "compute1"],
            env={
                **os.environ,
                "ANSIBLE_CONFIG": str(root / "ansible.cfg"),
                "ANSIBLE_COLLECTIONS_PATH": str(root / ".venv/collections"),
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 2
        words = done.stdout + done.stderr
        assert "Capacity counts all hosts. Run it without --limit." in words
        assert "Preflight" not in words
