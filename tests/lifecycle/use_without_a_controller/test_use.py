# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A controller loses its power while verify uses the optional services: what was asked for is finished all the same."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import pytest
from support import ROOT

sys.path.insert(0, str(ROOT / "tests/faults"))
import rounds

# Seconds until what is asked for is under way, and until verify has ended; servers may be emulated.
BEGUN, ENDED = 900, 3600
# What has to be under way: a query of the service's database that finds it.
UNDER_WAY = {
    "heat": "SELECT id FROM stack WHERE action = 'CREATE' AND status = 'IN_PROGRESS'",
    "octavia": "SELECT id FROM load_balancer WHERE provisioning_status = 'PENDING_CREATE'",
    "aodh": "SELECT alarm_id FROM alarm WHERE state = 'insufficient data'",
}


def asked(lab, name, services):
    """Return which of *services* have something under way, as the database on the controller *name* says."""
    return {service for service in services if lab.ssh(name, f'mariadb -N {service} -e "{UNDER_WAY[service]}"')}


def test_verify_passes_though_a_controller_is_off(playbooks, tmp_path, table):
    lab = rounds.Lab(playbooks)
    settings = json.loads(
        subprocess.run(
            ["ansible-inventory", f"--inventory={playbooks.inventory}", "--host", lab.controllers[0]],
            env=playbooks.environment(),
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    )
    wanted = set(UNDER_WAY) & set(settings.get("cloud_services", []))
    if len(lab.controllers) < 3 or not wanted:
        pytest.skip("not run: it needs three controllers, and Heat, Octavia or Aodh")
    # The modules of verify run on the first controller.
    first = lab.controllers[0]
    words = tmp_path / "verify.log"
    with words.open("w", encoding="utf-8") as file:
        process = subprocess.Popen(
            playbooks.command("playbooks/verify.yml"),
            cwd=ROOT,
            env=playbooks.environment(),
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    seen: set[str] = set()
    began = time.monotonic()
    while wanted - seen and process.poll() is None and time.monotonic() - began < BEGUN:
        seen |= asked(lab, first, wanted - seen)
        time.sleep(1)
    assert process.poll() is None, words.read_text(encoding="utf-8")[-6000:]
    holder = lab.with_address()
    victim = holder if holder not in (None, first) else lab.controllers[-1]
    lab.set([victim], "killed")
    try:
        process.wait(ENDED)
    finally:
        process.kill()
        lab.set([victim], "started")
    said = words.read_text(encoding="utf-8")
    print(said[-6000:])
    whole = lab.until_whole()
    table("use", "off", "under way", "verify", "whole again (s)").add(
        victim, ", ".join(sorted(seen)), "passed" if process.returncode == 0 else "failed", whole
    )
    assert process.returncode == 0
    assert whole is not None
