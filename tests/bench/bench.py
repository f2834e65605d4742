#!/usr/bin/env python3
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Measures a cloud on test hosts of this computer, and writes docs/evidence/benchmarks.md with its pictures.

usage: tests/bench/bench.py [--aio INVENTORY] [--nodes INVENTORY] [--three INVENTORY] [STEP …]
Without a STEP it takes all, in their order. What a step found is kept in build/bench, so that each can be done again.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

import computes
import memory
import report
from measure import LOGS, run

RESULTS = LOGS / "results.json"
# More than nova.conf is read by: all that the page has.
OPTION = {"nova": {"nova.conf": {"DEFAULT": {"reclaim_instance_interval": 3600}}}}
COMPUTES = (1, 10, 50, 100)
MITOGEN = "mitogen==0.3.54"


def lab(inventory: Path, state: str) -> None:
    """Bring all hosts of *inventory* to *state*: new, there as they were, stopped."""
    names = ",".join(computes.hosts_of(inventory)["_meta"]["hostvars"])
    change = ("playbooks/lab_host.yml", f"--extra-vars=host={names}")
    if state in ("new", "stopped"):
        run("lab", inventory, *change, f"--extra-vars=state={'absent' if state == 'new' else state}")
    if state in ("new", "there"):
        run("lab", inventory, "playbooks/lab_up.yml")


def first(aio: Path) -> dict:
    """The plain script and site.yml, each on a bare host; a server on the cloud."""
    run("guest image", aio, "playbooks/guest_image.yml")
    lab(aio, "new")
    with tempfile.TemporaryDirectory() as directory:
        run("raw", aio, "tests/bench/raw.yml", f"--extra-vars=bench_dir={directory}")
        raw = json.loads(next(Path(directory).glob("*.json")).read_text(encoding="utf-8"))
    lab(aio, "new")
    site = run("site from bare", aio, "playbooks/site.yml")
    one = "--extra-vars=" + json.dumps({"verify_servers_min": 1, "verify_servers_max": 1, "verify_keep": True})
    return {"raw": raw, "site": site.plain(), "verify": run("verify", aio, "playbooks/verify.yml", one).plain()}


def guest(aio: Path) -> dict:
    """The memory of a host with a guest on it."""
    ((name, variables),) = computes.hosts_of(aio)["_meta"]["hostvars"].items()
    directory = Path(variables.get("lab_dir", "/var/lib/cairn-lab"))
    found = memory.held(int((directory / "hosts" / name / "pid").read_text(encoding="ascii")))
    return {"together": sum(found.values()), "most": found.most_common(12)}


def rerun(aio: Path) -> dict:
    """Nothing to do, twice; the first run may find the host just started."""
    lab(aio, "there")
    run("settle", aio, "playbooks/site.yml")
    return run("nothing to do", aio, "playbooks/site.yml").plain()


def option(aio: Path) -> dict:
    """One option there, and gone again."""
    given = "--extra-vars=" + json.dumps({"cloud_config": OPTION})
    changed = run("an option", aio, "playbooks/site.yml", given).plain()
    run("and back", aio, "playbooks/site.yml")
    return changed


def mitogen(aio: Path) -> dict:
    """A rerun over mitogen, which is installed for that alone."""
    with tempfile.TemporaryDirectory() as directory:
        subprocess.run(["uv", "pip", "install", "--quiet", "--target", directory, MITOGEN], check=True)
        strategy = {
            "ANSIBLE_STRATEGY": "mitogen_linear",
            "ANSIBLE_STRATEGY_PLUGINS": f"{directory}/ansible_mitogen/plugins/strategy",
            "PYTHONPATH": directory,
        }
        run("mitogen, its first run", aio, "playbooks/site.yml", **strategy)
        return run("mitogen, nothing to do", aio, "playbooks/site.yml", **strategy).plain()


def nodes(inventory: Path) -> dict:
    """Nothing to do on four hosts; what they say is recorded for the next step."""
    lab(inventory, "there")
    settled = run("four hosts", inventory, "playbooks/site.yml")
    computes.record(inventory, LOGS / "answers")
    again = run("four hosts, nothing to do", inventory, "playbooks/site.yml")
    return {"before": settled.plain(), "rerun": again.plain()}


def growth(inventory: Path) -> dict:
    """Growing numbers of compute hosts, none of which is there."""
    found = {number: computes.measured(inventory, LOGS / "answers", number).plain() for number in COMPUTES}
    lab(inventory, "there")
    answers = json.loads((LOGS / "answers/tasks.json").read_text(encoding="utf-8"))
    return {"runs": found, "ssh": computes.ssh_seconds(inventory), "tasks": answers}


def controllers(inventory: Path) -> dict:
    """Three controllers: bare hosts, nothing to do, an option and back."""
    run("guest image", inventory, "playbooks/guest_image.yml")
    lab(inventory, "new")
    bare = run("three controllers from bare", inventory, "playbooks/site.yml")
    run("settle three controllers", inventory, "playbooks/site.yml")
    again = run("three controllers, nothing to do", inventory, "playbooks/site.yml")
    given = "--extra-vars=" + json.dumps({"cloud_config": OPTION})
    changed = run("three controllers, an option", inventory, "playbooks/site.yml", given)
    run("three controllers, and back", inventory, "playbooks/site.yml")
    return {"bare": bare.plain(), "rerun": again.plain(), "option": changed.plain()}


STEPS = {
    "first": ("aio", first),
    "guest": ("aio", guest),
    "rerun": ("aio", rerun),
    "option": ("aio", option),
    "mitogen": ("aio", mitogen),
    "nodes": ("nodes", nodes),
    "growth": ("nodes", growth),
    "controllers": ("three", controllers),
}


def circumstances() -> dict:
    """When and of what a step was measured, and how busy the computer was."""
    commit = subprocess.check_output(["git", "describe", "--always", "--dirty"], cwd=ROOT, text=True).strip()
    return {"commit": commit, "date": f"{datetime.date.today()}", "load": round(os.getloadavg()[0], 1)}


def main() -> None:
    """Take the steps, keep what each finds, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    inventories = ROOT / "tests/bench/inventories"
    parser.add_argument("--aio", type=Path, default=inventories / "aio", help="one host that is all of a cloud")
    parser.add_argument("--nodes", type=Path, default=inventories / "multinode", help="four hosts")
    parser.add_argument("--three", type=Path, default=inventories / "controllers", help="hosts with three controllers")
    parser.add_argument("steps", nargs="*", choices=[[], *STEPS], metavar="STEP", help=", ".join(STEPS))
    arguments = parser.parse_args()
    LOGS.mkdir(parents=True, exist_ok=True)
    results = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    chosen = arguments.steps or list(STEPS)
    for number, name in enumerate(chosen):
        which, step = STEPS[name]
        before = circumstances()
        results[name] = {"of": before, "found": step(getattr(arguments, which).resolve())}
        RESULTS.write_text(json.dumps(results, indent=1), encoding="utf-8")
        later = [STEPS[one][0] for one in chosen[number + 1 :]]
        if later and which not in later:
            lab(getattr(arguments, which).resolve(), "stopped")  # together they would be too much for a small computer
    print(report.write(json.loads(RESULTS.read_text(encoding="utf-8"))))


if __name__ == "__main__":
    main()
