# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A run of a playbook as numbers."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOGS = ROOT / "build/bench"


@dataclass
class Measured:
    """What a run took and did.

    :param cpu: seconds of this computer's processors, without what ssh's shared connections take.
    :param tasks: executed on the host with the most.
    :param restarts: the units that restarted, each with its host.
    :param parts: phases, and the steps of the packages, with their seconds.
    :param steps: phase, task, seconds; slowest first.
    """

    seconds: float
    cpu: float
    tasks: int
    changes: int
    restarts: list[str]
    parts: dict[str, float]
    steps: list[tuple[str, str, float]]

    def plain(self) -> dict:
        """Return it for JSON."""
        return asdict(self)


def processor_seconds() -> float:
    """Return the processor's time of all children that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def run(title: str, inventory: Path, playbook: str, *arguments: str, **environment: str) -> Measured:
    """Run *playbook*; what it says goes to a log, and if it fails that's the end."""
    LOGS.mkdir(parents=True, exist_ok=True)
    log = LOGS / f"{title.replace(' ', '_')}.log"
    with tempfile.TemporaryDirectory() as directory:
        timing, changes = Path(directory, "timing"), Path(directory, "changes")
        before = processor_seconds()
        with log.open("w", encoding="utf-8") as file:
            done = subprocess.run(
                [
                    "ansible-playbook",
                    f"--inventory={inventory}",
                    f"--extra-vars=plan_out={changes}",
                    playbook,
                    *arguments,
                ],
                cwd=ROOT,
                env={**os.environ, "CAIRN_TIMING_FILE": str(timing), **environment},
                stdout=file,
                stderr=subprocess.STDOUT,
                check=False,
            )
        cpu = processor_seconds() - before
        if done.returncode:
            sys.exit(f"{title}: {playbook} ended with {done.returncode}:\n{log.read_text(encoding='utf-8')[-3000:]}")
        took = json.loads(timing.read_text(encoding="utf-8"))
        told = json.loads(changes.read_text(encoding="utf-8"))["changes"]
    found = Measured(
        seconds=took["seconds"],
        cpu=round(cpu, 1),
        tasks=max(took["tasks"].values()),
        changes=len(told),
        restarts=sorted(f"{row['host']} {row['name']}" for row in told if row["verb"].startswith("restart")),
        parts=dict(took["parts"]),
        steps=took["steps"],
    )
    did = f"{found.tasks} tasks  {found.changes} changes"
    print(f"{title:<30} {found.seconds:7.1f} s  {found.cpu:6.1f} s of processor  {did}", flush=True)
    return found
