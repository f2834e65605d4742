# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The numbers of capacity.yml agree with what fits: servers are booted until Nova's scheduler finds no host."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from support import ask, told

SCRIPT = "lifecycle/scripts/capacity.py"
NAME = "cairn-capacity"
# A server of the smallest size in all but the resource that shall end.
LEAST = {"ram": 64, "vcpus": 1, "disk": 1}
CLASSES = {"ram": "MEMORY_MB", "disk": "DISK_GB", "vcpus": "VCPU"}
# The role's tasks without those that ask a running cloud.
PLAN = """
- hosts: controller:network:compute:storage
  gather_facts: false
  become: true
  roles: [cairn.openstack.cloud, cairn.openstack.catalog]
  tasks:
    - cairn.openstack.host_probe:
        storage: "{{ storage_devices | default([]) | map(attribute='path') | list }}"
    - cairn.openstack.capacity_plan:
      register: plan
    - cairn.openstack.capacity_report:
        cloud: "{{ cloud_name }}"
        plans: "{{ ansible_play_hosts | map('extract', hostvars, 'plan') | list }}"
        json: "{{ capacity_json }}"
      run_once: true
"""


@pytest.fixture
def remove(controller):
    """Remove what an interrupted test has left, and what this one makes."""
    ask(controller, SCRIPT, "remove", "{}")
    yield
    ask(controller, SCRIPT, "remove", "{}")


@pytest.fixture
def capacity(playbooks, tmp_path):
    """Return what capacity.yml says, as its JSON."""

    def said(*arguments):
        path = tmp_path / "capacity.json"
        run = playbooks.must("playbooks/capacity.yml", f"--extra-vars=capacity_json={path}", *arguments)
        assert run.changes == []
        assert "fits now" in run.shown
        return json.loads(path.read_text(encoding="utf-8"))

    return said


def size_of(numbers, resource):
    """Return a size of which the host with the most room holds one or two, or as many as are overcommitted."""
    found = [
        provider[resource]
        for host in numbers["hosts"]
        if not host["unusable"]
        for provider in host["providers"]
        if resource in provider
    ]
    assert found, "no compute host is used"
    most = max(found, key=lambda one: one["free"])
    # Two on each of a few hosts. Of many hosts only the largest have room for one.
    return min(most["free"] // 2 if len(found) <= 2 else most["free"], most["max_unit"])


def offered(numbers):
    """Return what each host offers, by class: the total, what is reserved, the ratio, and the most of one server.

    Without disks in Ceph, which takes some of its devices for itself.
    """
    keys = ("total", "reserved", "ratio", "max_unit")
    shared = {one["resource"] for one in numbers["shared"]}
    return {
        host["name"]: {
            name: tuple(one[key] for key in keys) for name, one in host["providers"][0].items() if name not in shared
        }
        for host in numbers["hosts"]
    }


def test_what_was_planned_is_what_placement_has(capacity, playbooks, tmp_path):
    """Before there is a cloud, hosts are counted by their probe and their configuration to be; it comes true."""
    path = tmp_path / "plan.yml"
    path.write_text(PLAN)
    run = playbooks.must(str(path), f"--extra-vars=capacity_json={tmp_path}/planned.json")
    planned = json.loads((tmp_path / "planned.json").read_text(encoding="utf-8"))
    found = capacity()
    assert planned["source"] != found["source"]
    assert offered(planned) == offered(found), run.shown


@pytest.mark.parametrize("resource", list(CLASSES))
def test_as_many_servers_as_it_says(capacity, controller, remove, capsys, resource):
    """Servers of a flavor of which each host holds a few; the last of them is the last that finds a host."""
    size = size_of(capacity(), CLASSES[resource])
    ask(controller, SCRIPT, "make", json.dumps({**LEAST, resource: size}))
    numbers = capacity("--check", f"--extra-vars={json.dumps({'capacity_flavors': [{'name': NAME}]})}")
    (flavor,) = numbers["flavors"]
    assert flavor["limited_by"] == CLASSES[resource]
    expected = flavor["scheduled"]
    found = ask(controller, SCRIPT, "fill", json.dumps({"most": expected + 2}))
    told(capsys, f"{resource}: {expected} servers of {size} said, {len(found['hosts'])} placed: {found['hosts']}")
    assert found["ended"], "the scheduler still finds a host"
    assert len(found["hosts"]) == expected
    if not numbers["shared"]:
        assert flavor["fits"] == expected
        assert Counter(found["hosts"]) == {name: count for name, count in flavor["hosts"].items() if count}
    (flavor,) = capacity(f"--extra-vars={json.dumps({'capacity_flavors': [{'name': NAME}]})}")["flavors"]
    assert flavor["scheduled"] == 0
