# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The results of the benchmarks as docs/evidence/benchmarks.md, with its pictures."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterator
from pathlib import Path

import plot
from computes import line

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/evidence/benchmarks.md"
IMAGES = ROOT / "docs/images"

HEAD = """\
# Benchmarks

Written by `make bench`, which measures on [test hosts](../lab.md) of its own: an all-in-one, a cloud of four
hosts, and one of five hosts with three controllers. Seconds are wall-clock seconds unless a column says otherwise. No
test fails on time.

Measured on: {machine}.

| measured | on | of commit | load before |
|---|---|---|---|
{circumstances}

The load before a step includes the step before it; 0 is an idle computer.
"""

FLOOR = """\
`tests/bench/raw.py` is the lower bound: a script that installs the same packages in one transaction, writes the same
files, and runs the same schema steps and units. It checks nothing, waits only for units and APIs, and can't be run
twice. Both ran on a bare all-in-one, one after the other, with packages from the lab's cache.
"""
GROWTH = """\
A run with nothing to do on a controller, a network node and a growing number of compute hosts. The compute hosts are
simulated: they replay the recorded answers of a real one (`tests/bench/connection/answers.py`), which measures all work
of the control node but ssh. Over ssh, a module on a shared connection takes {ms:.0f} ms of processor time, and a
compute host gets {tasks} tasks.
"""


def machine() -> str:
    """Return a description of this computer."""
    model = re.search(r"^model name\s*: (.*)", Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.MULTILINE)
    memory = int(re.search(r"MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text(encoding="ascii"))[1]) / 2**20
    kernel = platform.release().split("-")[0]
    return f"{os.cpu_count()} processors ({model[1] if model else 'unknown'}), {memory:.0f} GiB, Linux {kernel}"


def table(columns: tuple[str, ...], rows: list[tuple]) -> str:
    """Return a table, numbers at the right."""
    right = [all(not isinstance(row[at], str) for row in rows) for at in range(len(columns))]
    lines = [columns, ["---:" if one else "---" for one in right]]
    lines += [[f"{cell:.1f}" if isinstance(cell, float) else str(cell) for cell in row] for row in rows]
    return "\n".join(f"| {' | '.join(one)} |" for one in lines) + "\n"


def packages(site: dict) -> float:
    """Return the seconds of a first run that apt and dpkg took."""
    return sum(seconds for name, seconds in site["parts"].items() if name.startswith("packages: "))


def budgets(found: dict) -> list[tuple]:
    """Return the rows of what was aimed at and what is: what, budget, measured."""
    rows = []
    if first := found.get("first"):
        raw = sum(first["raw"].values())
        site, verify = first["site"]["seconds"], first["verify"]["seconds"]
        rows += [
            (
                "bare all-in-one → cloud, beside the plain script",
                "ratio 1.1",
                f"{site / raw:.2f} ({site:.0f} s / {raw:.0f} s)",
            ),
            (
                "the same and all of verify: a server booted and used by ssh, another resized",
                "ratio 1.25",
                f"{(site + verify) / raw:.2f}",
            ),
        ]
    for name, what in (("rerun", "all-in-one"), ("nodes", "four hosts")):
        if name in found:
            run = found[name]["rerun"] if name == "nodes" else found[name]
            did = f"{run['seconds']:.1f} s, {run['tasks']} tasks, {run['changes']} changes"
            rows.append((f"nothing to do, {what}", "12 s, 20 tasks a host, no change", did))
    if three := found.get("controllers"):
        rerun = three["rerun"]
        did = f"{rerun['seconds']:.1f} s, {rerun['tasks']} tasks, {rerun['changes']} changes"
        rows.append(("nothing to do, three controllers and two compute hosts", "20 s, no change", did))
    if change := found.get("option"):
        did = f"{change['seconds']:.1f} s, {len(change['restarts'])} units"
        rows.append(("an option of nova.conf, all-in-one", "12 s, only units that read it restart", did))
    if growth := found.get("growth"):
        cpu = each(growth)
        more = growth["ssh"] * growth["tasks"]
        rows.append(
            (
                "each further compute host",
                "0.8 s of the control node's processor",
                f"{cpu:.2f} s, and {more:.2f} s for ssh",
            )
        )
    if guest := found.get("guest"):
        rows.append(("all-in-one with a small guest", "5 GiB", f"{guest['together'] / 1024:.1f} GiB"))
    return rows


def each(growth: dict) -> float:
    """Return the processor's seconds of a further compute host."""
    return line({int(number): run["cpu"] for number, run in growth["runs"].items()})[1]


def first_lines(found: dict) -> Iterator[str]:
    """Give the section on bare hosts."""
    raw, site = found["raw"], found["site"]
    yield "\n## From bare host to cloud\n"
    yield FLOOR
    yield "![Where the seconds go](../images/bench_first.svg)\n"
    total = sum(raw.values())
    rest = site["seconds"] - packages(site)
    yield table(
        ("", "plain script", "site.yml", "ratio"),
        [
            ("packages", raw["packages"], packages(site), f"{packages(site) / raw['packages']:.2f}"),
            ("all else", total - raw["packages"], rest, f"{rest / (total - raw['packages']):.2f}"),
            ("together", total, site["seconds"], f"{site['seconds'] / total:.2f}"),
            (
                "and verify",
                "",
                found["verify"]["seconds"],
                f"{(site['seconds'] + found['verify']['seconds']) / total:.2f}",
            ),
        ],
    )


def steps_table(run: dict, number: int = 12) -> str:
    """Return the slowest tasks of a run."""
    rows = [(f"{phase}: {task}", seconds) for phase, task, seconds in run["steps"][:number]]
    return table(("task", "seconds"), rows)


def controllers_lines(three: dict) -> Iterator[str]:
    """Give the section on three controllers."""
    yield "\n## Three controllers\n"
    yield "Three controllers, which are network hosts too, two compute hosts, and Ceph on two disks of a controller.\n"
    yield table(
        ("", "seconds", "of processor", "tasks a host", "changes", "restarts"),
        [
            (what, run["seconds"], run["cpu"], run["tasks"], run["changes"], len(run["restarts"]))
            for what, run in (
                ("bare hosts → cloud", three["bare"]),
                ("nothing to do", three["rerun"]),
                ("an option of nova.conf", three["option"]),
            )
        ],
    )


def growth_lines(growth: dict) -> Iterator[str]:
    """Give the section on many compute hosts."""
    yield "\n## Many compute hosts\n"
    yield GROWTH.format(ms=growth["ssh"] * 1000, tasks=growth["tasks"])
    yield "![Seconds by number of compute hosts](../images/bench_computes.svg)\n"
    rows = [(int(number), run["seconds"], run["cpu"]) for number, run in growth["runs"].items()]
    yield table(("compute hosts", "seconds", "of processor"), rows)


def lines(results: dict) -> Iterator[str]:
    """Give the page."""
    found = {name: step["found"] for name, step in results.items()}
    of = [
        f"| {name} | {step['of']['date']} | {step['of']['commit']} | {step['of']['load']:.1f} |"
        for name, step in results.items()
    ]
    yield HEAD.format(machine=machine(), circumstances="\n".join(of))
    yield "\n## Beside the budgets\n"
    yield table(("what", "budget", "measured"), budgets(found))
    if "first" in found:
        yield from first_lines(found["first"])
        yield "\nThe slowest tasks of that run:\n"
        yield steps_table(found["first"]["site"])
    if "rerun" in found:
        yield "\n## With nothing to do\n"
        rows = [("all-in-one", found["rerun"])]
        rows += [("the same over mitogen, which is no part of Cairn", found["mitogen"])] if "mitogen" in found else []
        rows += [("four hosts", found["nodes"]["rerun"])] if "nodes" in found else []
        yield table(
            ("", "seconds", "of processor", "tasks a host", "changes"),
            [(name, run["seconds"], run["cpu"], run["tasks"], run["changes"]) for name, run in rows],
        )
        yield f"\nThe slowest tasks, {rows[-1][0]}:\n"
        yield steps_table(rows[-1][1])
    if "option" in found:
        yield "\n## One option\n"
        yield (
            "`reclaim_instance_interval` in nova.conf of the all-in-one. What restarts: "
            + ", ".join(f"`{name.split()[-1]}`" for name in found["option"]["restarts"])
            + ".\n"
        )
        yield steps_table(found["option"], 5)
    if "controllers" in found:
        yield from controllers_lines(found["controllers"])
    if "growth" in found:
        yield from growth_lines(found["growth"])
    if "guest" in found:
        yield "\n## Memory\n"
        yield "The all-in-one with one guest of 192 MiB, MiB by program (PSS: shared pages count in part):\n"
        yield table(("program", "MiB"), [(f"`{name}`", round(size)) for name, size in found["guest"]["most"]])
        yield f"Together {found['guest']['together']:.0f} MiB.\n"


def write(results: dict) -> str:
    """Write the page and its pictures, and return the table of budgets."""
    found = {name: step["found"] for name, step in results.items()}
    if first := found.get("first"):
        raw, site = first["raw"], first["site"]
        bars = {
            "plain script": {"packages": raw["packages"], "all else": sum(raw.values()) - raw["packages"]},
            "site.yml": {"packages": packages(site), "all else": site["seconds"] - packages(site)},
            "and verify": {"": site["seconds"], "verify": first["verify"]["seconds"]},
        }
        (IMAGES / "bench_first.svg").write_text(plot.bars(bars), encoding="utf-8")
    if growth := found.get("growth"):
        runs = {int(number): run for number, run in growth["runs"].items()}
        series = {
            "seconds": {number: run["seconds"] for number, run in runs.items()},
            "of processor": {number: run["cpu"] for number, run in runs.items()},
        }
        (IMAGES / "bench_computes.svg").write_text(plot.lines(series, "compute hosts"), encoding="utf-8")
    PAGE.write_text("\n".join(lines(results)), encoding="utf-8")
    return table(("what", "budget", "measured"), budgets(found))
