# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Services restart and hosts reboot under a guest; it answers again without anybody's hand."""

from __future__ import annotations

import json
import subprocess
import threading
import time

import pytest
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify import probe
from support import ask, host, reboot

LIMIT = 180


class Loop(threading.Thread):
    """Logs into the guest again and again, and remembers when that worked."""

    def __init__(self, command):
        super().__init__(daemon=True)
        self.command = command
        self.answers = []
        self.done = threading.Event()

    def run(self):
        """Go on until told to stop."""
        while not self.done.is_set():
            began = time.monotonic()
            said = subprocess.run(self.command, capture_output=True, timeout=60, check=False)
            if said.returncode == 0:
                # Only an attempt that began after the reboot counts as an answer after it.
                self.answers.append(began)
            self.done.wait(max(0.2, 1 - (time.monotonic() - began)))

    def stop(self):
        """Stop and wait."""
        self.done.set()
        self.join()

    def answered_after(self, moment, limit):
        """Wait for an answer after *moment* and return when it came, or None."""
        while time.monotonic() < moment + limit:
            later = [answer for answer in self.answers if answer > moment]
            if later:
                return later[0]
            time.sleep(0.5)
        return None


@pytest.fixture(scope="module")
def guest(playbooks, controller):
    """Return the guest that the scenario's verify has kept: its host, and the command that logs in."""
    kept = ask(controller, "lifecycle/scripts/kept.py")
    kept["ssh"] = probe.ssh(f"{playbooks.scenario}/secrets/server.key", "cairn", kept["address"])
    return kept


def test_guest_outlives_restarts(playbooks, guest):
    """A restart of nova-compute and libvirtd leaves the guest's process as it is, and the guest answers."""
    compute = host(playbooks, guest["host"])
    guests = "pgrep --full '^/usr/bin/qemu.* guest=[i]nstance-'"
    before = compute.check_output(guests)
    compute.check_output("systemctl restart nova-compute libvirtd")
    assert compute.check_output(guests) == before
    subprocess.run([*guest["ssh"], "true"], timeout=60, check=True)


@pytest.mark.parametrize("kind", ["compute", "network"])
def test_guest_answers_again(playbooks, guest, groups, kind, capsys):
    """The guest's floating IP answers within the limit after its compute node, or the network node, is rebooted."""
    name = guest["host"] if kind == "compute" else groups["network"][0]
    if kind == "network" and name in groups["compute"]:
        pytest.skip(f"not run: {name} is a compute node, too, and was rebooted as such")
    if name in groups["controller"] and len(groups["all"]) > 1:
        pytest.skip(f"not run: {name} is a controller, too")
    loop = Loop([*guest["ssh"], "-o", "ServerAliveInterval=3", "true"])
    loop.start()
    try:
        assert loop.answered_after(time.monotonic(), 60), f"no answer before the reboot: {json.dumps(guest)}"
        began = time.monotonic()
        reboot(playbooks, name)
        back = time.monotonic()
        # An answer from before the host went down proves nothing: its ssh was gone in between.
        answer = loop.answered_after(back, LIMIT - (back - began))
    finally:
        loop.stop()
    assert answer, f"no answer within {LIMIT} s after {name} was rebooted"
    gaps = [b - a for a, b in zip(loop.answers, loop.answers[1:], strict=False)]
    with capsys.disabled():
        print(f"\n{kind} node {name} back after {back - began:.0f} s; the guest's longest gap {max(gaps):.0f} s")
    assert max(gaps) <= LIMIT
