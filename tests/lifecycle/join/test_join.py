# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Hosts added later join by ``--limit``, with nothing known of the others, and disturb none of them."""

from __future__ import annotations

import time

import pytest
from support import HostBaseline, ask, node_groups

QUICK = [f"--extra-vars={option}" for option in ("verify_servers_min=1", "verify_servers_max=1", "verify_junit=")]
# What the cloud has to learn of the new host; anything else on the others is a disturbance.
EXPECTED = {
    "network2": (),
    "compute2": ("cells: mapped host compute2 ", "cells: service compute2 nova-compute "),
}


@pytest.fixture(scope="module", params=list(EXPECTED))
def later(request, playbooks):
    """Name the host in the scenario's inventory."""
    (playbooks.scenario / f"joined-{request.param}").touch()
    if request.param not in node_groups(playbooks)["all"]:
        pytest.skip(f"not run: the scenario has no {request.param}")
    return request.param


@pytest.fixture(scope="module")
def joined(later, playbooks, tmp_path_factory):
    """Let the host join, and return what differs on the others, and how long it took."""
    baseline = HostBaseline(playbooks, tmp_path_factory.mktemp("join"))
    baseline.look("before", f"--limit=!{later}")
    playbooks.must("playbooks/lab_up.yml")
    began = time.monotonic()
    run = playbooks.must("playbooks/site.yml", f"--limit={later}")
    seconds = time.monotonic() - began
    packages = run.of("Packages")[later]["seconds"]
    return baseline.differences(
        "before", f"--limit=!{later}"
    ), f"{later} joined in {seconds:.0f} s, packages {packages}"


def test_others_are_untouched(joined, later, capsys):
    """No file, unit, package, account or bridge of the other hosts differs."""
    differences, took = joined
    with capsys.disabled():
        print(f"\n{took}")
    assert [line for line in differences if not line.partition(": ")[2].startswith(EXPECTED[later])] == []


def test_it_carries_guests(joined, later, playbooks, controller):
    """Nova has mapped a compute host and hears it, Neutron's agent lives there."""
    if later not in node_groups(playbooks)["compute"]:
        pytest.skip(f"not run: {later} is no compute host")
    found = ask(controller, "cloud/scripts/state.py")
    computes = {item["host"]: (item["status"], item["state"]) for item in found["compute_services"]}
    assert computes.get(later) == ("enabled", "up")
    assert later in {name.split(".")[0] for name in found["hypervisors"]}
    assert later in {name.split(".")[0] for name in found["resource_providers"]}
    agents = {(item["host"], item["binary"]): item["alive"] for item in found["agents"]}
    assert agents.get((later, "neutron-openvswitch-agent")) is True


def test_it_carries_networks(joined, later, playbooks, controller):
    """Where no other network node may take them, a guest's network, router and floating IP are on the new one."""
    nodes = node_groups(playbooks)["network"]
    if later not in nodes:
        pytest.skip(f"not run: {later} is no network node")
    agents = ask(controller, "cloud/scripts/agents.py", later)
    assert all(agents[later].values()), agents
    try:
        playbooks.must("playbooks/verify.yml", *QUICK)
    finally:
        ask(controller, "cloud/scripts/agents.py", *nodes)
