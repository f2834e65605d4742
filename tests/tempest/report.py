# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The results as docs/evidence/tempest.md."""

from __future__ import annotations

import re
from collections.abc import Iterable

from results import FAILED, PASSED, SKIPPED, Run

PAGE = "docs/evidence/tempest.md"
# A page that is read shows the slowest tests only.
SLOWEST = 10

HEAD = """\
# Evidence: Tempest

Written by `make test-tempest` ([how to run it](../tempest.md)). Tempest decides by its configuration what a cloud does
not have, and skips those tests; what a cloud is expected to have and is not run is listed with its reason.
"""

SERVICES_HEAD = """\
# Evidence: Tempest's tests of the optional services

Written by `make tempest-services` ([how to run it](../tempest.md)), with Debian's packages of Tempest and its plugins.
"""


def short(test: str) -> str:
    """Return a test's id without what all ids share: the package and the attributes."""
    return re.sub(r"\[.*\]$", "", test).removeprefix("tempest.")


def table(columns: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """Return a table; numbers are at the right."""
    listed = [[str(cell).replace("|", "\\|").replace("\n", " ") for cell in row] for row in rows]
    heads = list(columns)
    right = [
        bool(listed) and all(re.fullmatch(r"[\d.]+", row[number]) for row in listed) for number in range(len(heads))
    ]
    lines = [heads, ["---:" if one else "---" for one in right], *listed]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _names(tests: Iterable[str]) -> str:
    """Return tests as one cell: those of a class together."""
    classes: dict[str, list[str]] = {}
    for test in sorted(tests):
        group, _, name = short(test).rpartition(".")
        classes.setdefault(group, []).append(name)
    return "; ".join(f"`{group}`: {', '.join(names)}" for group, names in classes.items())


def cloud(facts: dict) -> str:
    """Return what the cloud is, in a sentence."""
    parts = []
    if mine := facts.get("compute"):
        parts.append(f"{len(mine['hosts'])} compute hosts ({mine['hypervisor']})")
    if mine := facts.get("volume"):
        backends = ", ".join(f"{name} ({one['protocol']})" for name, one in sorted(mine["backends"].items()))
        parts.append(f"volumes on {backends}{' with backups' if mine['backup'] else ''}")
    if mine := facts.get("image"):
        parts.append(f"images in {', '.join(mine['stores']) or 'one store'}")
    if "object-store" in facts["services"]:
        parts.append(f"objects in {'Swift' if 'swift' in facts['objects'] else 'an object store without /info'}")
    if facts["dashboard"]:
        parts.append("a dashboard")
    return f"{', '.join(parts)}. Services: {', '.join(sorted(facts['services']))}."


def page(run: Run, facts: dict, about: dict[str, str], leftovers: list[str]) -> str:
    """Return the page.

    :param about: C(when) (day and commit), C(tempest) (its release), C(tests) (what was asked for), C(computer).
    :param leftovers: objects that were not there before the run.
    """
    left_out = run.left_out()
    counts = (
        len(run.selected),
        len(run.ended(PASSED)),
        len(run.ended(FAILED)),
        len(run.ended(SKIPPED)),
        sum(len(tests) for tests in left_out.values()),
        len(run.missing()),
        f"{run.seconds / 60:.0f}",
    )
    parts = [
        HEAD,
        f"{about['when']} Tempest {about['tempest']}, on {about['computer']}.\n\nThe cloud: {cloud(facts)}\n",
        table(
            ("asked for", "tests", "passed", "failed", "skipped", "left out", "without a result", "minutes"),
            [(about["tests"], *counts)],
        ),
        *_failed(run),
        "## Left out\n\nBy `tests/tempest/skips.yml`.\n",
        table(("reason", "tests", "names"), [(why, len(tests), _names(tests)) for why, tests in left_out.items()])
        if left_out
        else "None.\n",
        *_ends(run, leftovers),
    ]
    return "\n".join(parts)


def _failed(run: Run) -> list[str]:
    """Return the parts about tests that failed or have no result."""
    failed = [(f"`{short(one.test)}`", f"{one.seconds:.0f}", one.said) for one in run.results if one.outcome == FAILED]
    parts = ["## Failed\n", table(("test", "seconds", "error"), failed) if failed else "None.\n"]
    if missing := run.missing():
        parts += ["Without a result, as their process ended early:\n", f"{_names(missing)}\n"]
    return parts


def _ends(run: Run, leftovers: list[str]) -> list[str]:
    """Return the parts about what Tempest skipped, what it left, and how long the tests took."""
    skipped = [(why, len(tests), _names(tests)) for why, tests in run.reasons().items()]
    slowest = sorted(run.results, key=lambda one: -one.seconds)[:SLOWEST]
    return [
        "## Skipped\n\nBy Tempest, in its words.\n",
        table(("reason", "tests", "names"), skipped) if skipped else "None.\n",
        "## Left in the cloud\n",
        "".join(f"- {one}\n" for one in leftovers) or "Nothing: the same objects as before the run.\n",
        "## The slowest\n",
        table(("test", "seconds"), [(f"`{short(one.test)}`", f"{one.seconds:.0f}") for one in slowest]),
    ]


def services_page(run: Run, modules: dict[str, str], facts: dict, about: dict[str, str], leftovers: list[str]) -> str:
    """Return the page of the optional services.

    :param modules: plugin → its module.
    :param about: as for `page`.
    """
    left_out = run.left_out()
    lists = (
        run.selected,
        run.ended(PASSED),
        run.ended(FAILED),
        run.ended(SKIPPED),
        [test for tests in left_out.values() for test in tests],
        run.missing(),
    )
    # What fails in a class's preparation has the class's name in place of a test's.
    counts = [
        (name, *(sum(f"{module}." in test for test in tests) for tests in lists)) for name, module in modules.items()
    ]
    parts = [
        SERVICES_HEAD,
        f"{about['when']} Tempest {about['tempest']}, on {about['computer']}; {run.seconds / 60:.0f} minutes.\n",
        f"The cloud: {cloud(facts)}\n",
        table(("plugin", "tests", "passed", "failed", "skipped", "left out", "without a result"), counts),
        *_failed(run),
        "## Left out\n\nBy `tests/tempest/plugins.yml`.\n",
        table(
            ("reason", "tests", "plugin"),
            [
                (
                    why,
                    len(tests),
                    ", ".join(name for name, module in modules.items() if tests[0].startswith(f"{module}.")),
                )
                for why, tests in left_out.items()
            ],
        )
        if left_out
        else "None.\n",
        *_ends(run, leftovers),
    ]
    return "\n".join(parts)
