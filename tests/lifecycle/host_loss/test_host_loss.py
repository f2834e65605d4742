# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A compute host loses its power, or its network: its server comes back on another one, and runs nowhere twice."""

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


@pytest.mark.parametrize(("state", "mended"), [("killed", "started"), ("cut", "joined")])
def test_a_server_comes_back_on_another_host(playbooks, groups, table, state, mended):
    lab = rounds.Lab(playbooks)
    controller = host(playbooks, lab.controllers[0])
    computes = [name for name in groups["compute"] if name not in lab.controllers]
    if len(computes) < 2 or controller.run("systemctl is-active cairn-host-monitor").rc != 0:
        pytest.skip("not run: it needs two compute hosts that are no controllers, and Masakari")

    def nova(action, **values):
        return ask(controller, "lifecycle/scripts/host_loss.py", action, json.dumps(values))

    def running(server):
        return [name for name in computes if server in (lab.ssh(name, "virsh --quiet list --uuid") or "").split()]

    made, began = None, time.time()
    try:
        made = nova("make")
        own, moves, stays = made["host"], made["moves"], made["stays"]
        assert running(moves) == running(stays) == [own]
        began = time.time()
        lab.set([own], state)
        moved, found = until(
            lambda: nova("look", server=moves), lambda at: at["host"] != own and at["status"] == "ACTIVE", MOVED
        )
        assert found["host"] in computes
        assert found["host"] != own, f"on its host after {moved:.0f} s: {found}"
        assert found["status"] == "ACTIVE"
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
        stopped = None
        if state == "cut":
            words = f"journalctl --unit=cairn-host-fence --since=@{began:.0f} --output=short-unix --no-pager"
            times = [line.split()[0] for line in lab.ssh(own, words).splitlines() if "guests are stopped" in line]
            assert times, "fence has stopped no guests"
            # There, before it was started here.
            stopped = float(times[0])
            assert stopped < nova("evacuated", server=moves)["time"]
    finally:
        if made:
            lab.set([made["host"]], mended)
        nova("remove")
    table(
        "host loss", "host", "its guests stopped (s)", "server ACTIVE on another (s)", "carries servers again (s)"
    ).add(state, f"{stopped - began:.0f}" if stopped else "at once", f"{moved:.0f}", f"{carries:.0f}")
