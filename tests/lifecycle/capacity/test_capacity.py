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


@pytest.mark.parametrize("resource", list(CLASSES))
def test_as_many_servers_as_it_says(capacity, controller, remove, capsys, resource):
    """Servers of a flavor of which each host holds a few; the last of them is the last that finds a host."""
    size = size_of(capacity(), CLASSES[resource])
    ask(controller, SCRIPT, "make", json.dumps({**LEAST, resource: size}))
    numbers = capacity("--check", f"--extra-vars={json.dumps({'capacity_flavors': [{'name': NAME}]})}")
    (flavor,) = numbers["flavors"]
    assert flavor["ends_first"] == CLASSES[resource]
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
