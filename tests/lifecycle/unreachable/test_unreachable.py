# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Hosts without power: one that is not needed is left out and named, a controller stops the run before it begins."""

from __future__ import annotations

import pytest
from support import host

FILES = {"controller": "/etc/glance/glance-api.conf", "compute": "/etc/nova/nova-compute.conf"}


@pytest.fixture(scope="module")
def compute(groups):
    """Return a compute host that the cloud can do without."""
    spare = [name for name in groups["compute"] if name not in groups["controller"] + groups["network"]]
    if not spare:
        pytest.skip("not run: every compute host is something else, too")
    return spare[-1]


def power(playbooks, name, state):
    """Bring a host of the lab to a state."""
    playbooks.must("playbooks/lab_host.yml", f"--extra-vars=host={name}", f"--extra-vars=state={state}")


def test_a_compute_host_is_left_out(playbooks, groups, compute):
    """The others are repaired, the one that is away is named, and the exit code says that not all is well."""
    for name, kind in ((groups["controller"][0], "controller"), (compute, "compute")):
        host(playbooks, name).check_output("rm %s", FILES[kind])
    power(playbooks, compute, "killed")
    run = playbooks.run("playbooks/site.yml")
    assert run.code == 4, run.words
    assert f"host {compute}" in run.words
    assert "skipped" in run.words
    assert [line for line in run.changes if FILES["controller"] in line], run.changes
    assert {line.partition(":")[0] for line in run.changes} == {groups["controller"][0]}


def test_back_again_it_is_repaired(playbooks, compute):
    """``--limit`` mends it, and then nothing is left to do."""
    power(playbooks, compute, "started")
    run = playbooks.must("playbooks/site.yml", f"--limit={compute}")
    assert [line for line in run.changes if FILES["compute"] in line], run.changes
    assert playbooks.must("playbooks/site.yml").changes == []


def test_nothing_is_touched_without_a_controller(playbooks, groups, baseline, compute):
    """Its absence is a fault, found before any host is changed; with it nothing is left to do."""
    name = groups["controller"][0]
    host(playbooks, compute).check_output("rm %s", FILES["compute"])
    baseline.look("without", f"--limit=!{name}")
    power(playbooks, name, "killed")
    run = playbooks.run("playbooks/site.yml")
    assert run.code == 2, run.words
    assert f"host {name}" in run.words
    assert "controller" in run.words
    assert baseline.differences("without", f"--limit=!{name}") == []
    power(playbooks, name, "started")
    run = playbooks.must("playbooks/site.yml")
    assert [line for line in run.changes if FILES["compute"] not in line] == []
