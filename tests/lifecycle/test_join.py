# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A compute host added later joins by ``--limit``, with nothing known of the others, and disturbs none of them."""

from __future__ import annotations

import pytest
from support import Witness, ask, host

LATER = "compute2"
# What the cloud has to learn of the new host; anything else on the others is a disturbance.
EXPECTED = (f"cells: mapped host {LATER} ", f"cells: service {LATER} nova-compute ")


@pytest.fixture(scope="module")
def joined(playbooks, tmp_path_factory):
    """Let the host join, and return what differs on the others."""
    witness = Witness(playbooks, tmp_path_factory.mktemp("join"))
    witness.look("before")
    (playbooks.scenario / "joined").touch()
    playbooks.must("playbooks/lab_up.yml")
    playbooks.must("playbooks/site.yml", f"--limit={LATER}")
    return witness.differences("before", f"--limit=!{LATER}")


def test_others_are_untouched(joined):
    """No file, unit, package, account or bridge of the other hosts differs."""
    assert [line for line in joined if not line.partition(": ")[2].startswith(EXPECTED)] == []


def test_it_takes_guests(joined, playbooks):
    """Nova has mapped the host and hears it, Neutron's agent lives there."""
    found = ask(host(playbooks, "controller1"), "cloud/scripts/state.py")
    computes = {item["host"]: (item["status"], item["state"]) for item in found["compute_services"]}
    assert computes.get(LATER) == ("enabled", "up")
    assert LATER in {name.split(".")[0] for name in found["hypervisors"]}
    assert LATER in {name.split(".")[0] for name in found["resource_providers"]}
    agents = {(item["host"], item["binary"]): item["alive"] for item in found["agents"]}
    assert agents.get((LATER, "neutron-openvswitch-agent")) is True
