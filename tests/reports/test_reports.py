# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reports from the field: each row of reports.yml is held by unit tests, or by a cloud that is broken and mended.

All that breaks a cloud is broken at once: the plan has to tell each, the run has to mend each so that the use works
again, and the next run has to change nothing. A page that is given (--page) gets the table of all rows.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml
from support import ROOT, Playbooks, host, node_groups

ROWS = yaml.safe_load((Path(__file__).parent / "reports.yml").read_text(encoding="utf-8"))
BROKEN = {name: row["broken"] for name, row in ROWS.items() if "broken" in row}
REFUSED = {name: row["refused"] for name, row in ROWS.items() if "refused" in row}
UNIT = [name for name, row in ROWS.items() if "tests" in row]
# Seconds until something that was mended works again: agents report every 30 s.
PATIENCE = 120


def test_each_row_says_how_it_is_held():
    for name, row in ROWS.items():
        assert {"report", "kind"} < set(row), name
        assert set(row) & {"tests", "broken", "refused"}, name


@pytest.fixture
def note(request, table):
    """Add the outcome of a row to the table, also if it failed."""
    rows = table("reports", "report", "what happened", "it stands for", "held by", "outcome")
    noted: list[str] = []

    def add(name: str, held: str) -> None:
        row = ROWS[name]
        noted[:] = [f"[{name}]({row['source']})" if "source" in row else name, row["report"], row["kind"], held]

    yield add
    if noted:
        failed = getattr(request.node, "failed_call", True)
        rows.add(*noted, "failed" if failed else "passed")


@pytest.fixture(scope="module")
def outcomes():
    """Run the unit tests of all rows once; return id → outcome."""
    ids = sorted({f"tests/unit/{one}" for name in UNIT for one in ROWS[name]["tests"]})
    command = [sys.executable, "-m", "pytest", "-q", "-rA", "--tb=short", "-p", "no:cacheprovider", *ids]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    print(done.stdout[-6000:], done.stderr[-2000:])
    found = re.findall(r"^(PASSED|FAILED|ERROR|SKIPPED) (tests/unit/.+?)(?: - .*)?$", done.stdout, re.MULTILINE)
    return {one: outcome for outcome, one in found}


@pytest.mark.parametrize("name", UNIT)
def test_unit(name, outcomes, note):
    """The unit tests of a row pass, and there are some."""
    note(name, "unit tests")
    for one in ROWS[name]["tests"]:
        wanted = f"tests/unit/{one}"
        within = (f"{wanted}::", f"{wanted}[")
        of_it = {test: said for test, said in outcomes.items() if test == wanted or test.startswith(within)}
        assert of_it, f"there is no {wanted}"
        assert set(of_it.values()) == {"PASSED"}, of_it


@dataclass
class Cloud:
    """A cloud on which all rows were broken, and what came of it."""

    playbooks: Playbooks
    nodes: dict[str, str]
    worked: dict[str, bool] = field(default_factory=dict)
    failed: dict[str, bool] = field(default_factory=dict)
    plan: str = ""
    run: str = ""
    rerun: str = ""

    def shell(self, name: str, script: str) -> subprocess.CompletedProcess | object:
        """Run a script of the row *name* on its host, as root with the administrator's credentials."""
        row = BROKEN.get(name) or REFUSED[name]
        where = host(self.playbooks, self.nodes[row["node"]])
        return where.run("timeout 60 sh -c %s", f"export OS_CLOUD=cairn\n{script}")

    def works(self, name: str, expected: bool = True, seconds: float = PATIENCE) -> bool:
        """Wait until the command ``works`` of a row ends as *expected*; return whether it did."""
        end = time.monotonic() + seconds
        while True:
            if (self.shell(name, BROKEN[name]["works"]).rc == 0) is expected:
                return True
            if time.monotonic() > end:
                return False
            time.sleep(3)

    def undo(self, last: bool) -> None:
        """Undo what a person decides, of the rows that are broken after all others, or of these."""
        for name, row in BROKEN.items():
            if not row.get("mended", True) and row.get("last", False) is last:
                done = self.shell(name, row["undo"])
                assert done.rc == 0, f"{name}: {done.stderr}"

    def site(self, *options: str) -> str:
        """Run site.yml and return what it prints, whatever comes of it."""
        return self.play("playbooks/site.yml", *options)

    def play(self, *words: str) -> str:
        """Run a playbook with options and return what it prints, whatever comes of it."""
        done = subprocess.run(
            self.playbooks.command(*words),
            cwd=ROOT,
            env=self.playbooks.environment(COLUMNS="400"),
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout + done.stderr


def note_failures(cloud: Cloud) -> None:
    """Note of each row that was broken so far whether it fails."""
    for name in BROKEN:
        if not cloud.failed.get(name):
            cloud.failed[name] = cloud.works(name, expected=False, seconds=0)


@pytest.fixture(scope="module")
def cloud(playbooks):
    """Break everything at once, look at the plan, run, let a person undo what is theirs, and run again."""
    groups = node_groups(playbooks)
    broken = Cloud(playbooks, {group: names[0] for group, names in groups.items() if names})
    for name in BROKEN:
        broken.worked[name] = broken.works(name, seconds=0)
    for name, row in sorted(BROKEN.items(), key=lambda item: item[1].get("last", False)):
        if row.get("last"):
            note_failures(broken)
        done = broken.shell(name, row["by"])
        assert done.rc == 0, f"{name}: {done.stderr}"
    note_failures(broken)
    broken.plan = broken.site("--check")
    broken.undo(last=True)
    broken.run = broken.site()
    # Until the run, the cloud may not accept changes.
    broken.undo(last=False)
    broken.rerun = broken.site()
    yield broken
    print(broken.plan, broken.run, broken.rerun, sep="\n\n")


@pytest.mark.parametrize("name", BROKEN)
def test_broken(name, cloud, note):
    """What was broken is told by the plan, and works after the run."""
    row = BROKEN[name]
    note(name, "broken on a cloud, told by the plan, " + ("mended" if row.get("mended", True) else "left to a person"))
    assert cloud.worked[name], "it did not work before"
    assert cloud.failed[name], "it still works after it was broken"
    plan = " ".join(cloud.plan.split())
    assert re.search(row["told"], plan), f"the plan does not tell it:\n{cloud.plan}"
    assert cloud.works(name), f"it does not work after the run:\n{cloud.run}"


def test_the_next_run_changes_nothing(cloud):
    assert "nothing changed" in cloud.rerun, cloud.rerun


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name, cloud, note):
    """A playbook says why it does not do what it is asked for."""
    row = REFUSED[name]
    note(name, f"refused by {Path(row['playbook'][0]).name} on a cloud")
    words = [word.replace("NODE", cloud.nodes[row["node"]]) for word in row["playbook"]]
    try:
        done = cloud.shell(name, row["by"])
        assert done.rc == 0, done.stderr
        said = cloud.play(*words)
    finally:
        undone = cloud.shell(name, row["undo"])
    assert undone.rc == 0, undone.stderr
    assert re.search(row["told"], " ".join(said.split())), said
