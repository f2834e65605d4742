# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A guest dies, or its host loses its power or its network: the server comes back, and runs nowhere twice."""

from __future__ import annotations

import json
import sys
import time

import pytest
from support import ROOT, ask, host

sys.path.insert(0, str(ROOT / "tests/faults"))
import rounds

# Seconds until a server is on another host, and until its own carries servers again; both may be emulated.
MOVED, BACK, LOOK = 600, 600, 5


def until(asked, wanted, seconds):
    """Return the seconds until *wanted* is true of what is asked for, and the last answer."""
    began = time.monotonic()
    while not wanted(answer := asked()) and time.monotonic() - began < seconds:
        time.sleep(LOOK)
    return time.monotonic() - began, answer


class Cloud:
    """The lab's cloud, with servers for the loss of their host."""

    def __init__(self, playbooks, computes):
        self.lab, self.computes = rounds.Lab(playbooks), computes
        self.controller = host(playbooks, self.lab.controllers[0])

    def nova(self, action, **values):
        """Return what comes of an action."""
        return ask(self.controller, "lifecycle/scripts/host_loss.py", action, json.dumps(values))

    def running(self, server):
        """Return the hosts on which the guest of a server runs."""
        asked = "virsh --quiet list --uuid"
        return [name for name in self.computes if server in (self.lab.ssh(name, asked) or "").split()]

    def process(self, name, server):
        """Return the process of a guest on a host."""
        asked = f"cat /run/libvirt/qemu/$(virsh --quiet domname {server} | head -n 1).pid"
        return (self.lab.ssh(name, asked) or "").strip()

    def answers(self, made):
        """Wait until the guest that may be moved has booted; return the seconds."""
        seconds, there = until(lambda: self.nova("answers", server=made["moves"], address=made["address"]), bool, MOVED)
        assert there, f"after {seconds:.0f} s, its console does not show {made['address']}"
        return seconds


@pytest.fixture
def cloud(playbooks, groups):
    """The cloud; its servers of this test are deleted after it."""
    computes = [name for name in groups["compute"] if name not in groups["controller"]]
    found = Cloud(playbooks, computes)
    if len(computes) < 2 or found.controller.run("systemctl is-active cairn-host-monitor").rc != 0:
        pytest.skip("not run: it needs two compute hosts that are no controllers, and Masakari")
    yield found
    found.nova("remove")


def test_a_guest_whose_process_dies_is_started_again(cloud, table):
    made = cloud.nova("make")
    own, moves = made["host"], made["moves"]
    cloud.answers(made)
    before = cloud.process(own, moves)
    assert before
    assert cloud.lab.ssh(own, f"kill -KILL {before}") is not None
    again, after = until(lambda: cloud.process(own, moves), lambda now: now and now != before, MOVED)
    assert after, f"it has no process after {again:.0f} s"
    assert after != before
    ended, at = until(
        lambda: cloud.nova("look", server=moves), lambda at: (at["status"], at["task"]) == ("ACTIVE", None), MOVED
    )
    assert (at["status"], at["host"]) == ("ACTIVE", own), f"after {ended:.0f} s"
    table("guest dies", "host", "has a process again (s)").add(own, f"{again:.0f}")


@pytest.mark.parametrize(("state", "mended"), [("killed", "started"), ("cut", "joined")])
def test_a_server_comes_back_on_another_host(cloud, table, state, mended):
    lab, nova, running = cloud.lab, cloud.nova, cloud.running
    made, stopped = nova("make"), None
    own, moves, stays = made["host"], made["moves"], made["stays"]
    cloud.answers(made)
    assert running(moves) == running(stays) == [own]
    began = time.time()
    try:
        lab.set([own], state)
        moved, found = until(
            lambda: nova("look", server=moves), lambda at: at["host"] != own and at["status"] == "ACTIVE", MOVED
        )
        assert found["host"] in cloud.computes
        assert found["host"] != own, f"on its host after {moved:.0f} s: {found}"
        assert found["status"] == "ACTIVE"
        booted = cloud.answers(made)
        # Its disk is on the host that is lost, and its user has not said that it may be replaced.
        assert nova("look", server=stays)["host"] == own
        lab.set([own], mended)
        carries, service = until(
            lambda: nova("service", host=own), lambda at: at == {"status": "enabled", "state": "up"}, BACK
        )
        assert service == {"status": "enabled", "state": "up"}, f"after {carries:.0f} s"
        again, places = until(lambda: running(stays), lambda at: at == [own], BACK)
        assert places == [own], f"after {again:.0f} s"
        assert running(moves) == [found["host"]]
        if state == "cut":
            words = f"journalctl --unit=cairn-host-fence --since=@{began:.0f} --output=short-unix --no-pager"
            times = [line.split()[0] for line in lab.ssh(own, words).splitlines() if "guests are stopped" in line]
            assert times, "fence has stopped no guests"
            # There, before it was started here.
            stopped = float(times[0])
            assert stopped < nova("evacuated", server=moves)["time"]
    finally:
        lab.set([own], mended)
    table(
        "host loss",
        "host",
        "its guests stopped (s)",
        "server ACTIVE on another (s)",
        "booted there (s)",
        "carries servers again (s)",
    ).add(
        state,
        f"{stopped - began:.0f}" if stopped else "at once",
        f"{moved:.0f}",
        f"{moved + booted:.0f}",
        f"{carries:.0f}",
    )
