# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which tests there are, which of them are not run and why, and how the others ended."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from configuration import SettingsError

# What a run may be asked for by name, as regular expressions of stestr.
SETS = {
    "smoke": r"\[.*\bsmoke\b.*\]",
    "scenario": r"^tempest\.scenario",
    "all": r"(\[.*\bsmoke\b.*\])|(^tempest\.scenario)",
}
PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"
# A class that skips in its preparation is one result for all of its tests.
_CLASS = re.compile(r"setUpClass \(([\w.]+)\)")


@dataclass(frozen=True)
class Skip:
    """An entry of skips.yml."""

    test: str
    reason: str

    def matches(self, test: str) -> bool:
        """Whether the entry is for this test."""
        return re.search(self.test, test) is not None


@dataclass(frozen=True)
class Result:
    """How a test ended, or all tests of a class."""

    test: str
    outcome: str
    seconds: float = 0.0
    # Of a failure the last line of its traceback, of a skip its reason.
    said: str = ""

    @property
    def group(self) -> str:
        """The class whose tests all had this result, empty if it is that of a single test."""
        found = _CLASS.match(self.test)
        return found[1] if found else ""


@dataclass
class Run:
    """A run of the selected tests."""

    selected: list[str]
    results: list[Result]
    skips: list[Skip] = field(default_factory=list)
    seconds: float = 0.0

    def tests(self, result: Result) -> list[str]:
        """Return the tests that a result stands for."""
        if not result.group:
            return [result.test]
        return [test for test in self.kept() if test.startswith(f"{result.group}.")] or [result.test]

    def kept(self) -> list[str]:
        """Return the selected tests that skips.yml does not leave out."""
        return [test for test in self.selected if not any(skip.matches(test) for skip in self.skips)]

    def ended(self, outcome: str) -> list[str]:
        """Return the tests that ended so."""
        return sorted(
            {test for result in self.results if result.outcome == outcome for test in self.tests(result)},
        )

    def reasons(self) -> dict[str, list[str]]:
        """Return the tests that Tempest skipped, by its reasons, the most frequent first."""
        found: dict[str, list[str]] = {}
        for result in self.results:
            if result.outcome == SKIPPED:
                found.setdefault(result.said, []).extend(self.tests(result))
        return dict(sorted(found.items(), key=lambda item: (-len(item[1]), item[0])))

    def left_out(self) -> dict[str, list[str]]:
        """Return the tests that skips.yml leaves out, by its reasons."""
        return {
            skip.reason: sorted(test for test in self.selected if skip.matches(test))
            for skip in self.skips
            if any(skip.matches(test) for test in self.selected)
        }

    def missing(self) -> list[str]:
        """Return the tests without a result: their process ended early."""
        seen = {test for result in self.results for test in self.tests(result)}
        return sorted(set(self.kept()) - seen)


def skips(given: Any) -> list[Skip]:
    """Return the entries of skips.yml.

    :raises SettingsError: an entry is no mapping of C(test) and C(reason), or its expression is wrong.
    """
    found = []
    for number, entry in enumerate(given or [], 1):
        if not isinstance(entry, dict) or set(entry) != {"test", "reason"} or not all(entry.values()):
            raise SettingsError(f"skips.yml: entry {number} needs test and reason, and nothing else")
        try:
            re.compile(entry["test"])
        except re.error as error:
            raise SettingsError(f"skips.yml: {entry['test']} is no regular expression: {error}") from error
        found.append(Skip(entry["test"], " ".join(entry["reason"].split())))
    return found


def unused(entries: Iterable[Skip], known: Iterable[str]) -> list[str]:
    """Return the expressions of entries that match none of the known tests."""
    tests = list(known)
    return [skip.test for skip in entries if not any(skip.matches(test) for test in tests)]


def _outcome(case: ET.Element) -> tuple[str, str]:
    """Return how a case ended, and what it said."""
    for tag, outcome in (("failure", FAILED), ("error", FAILED), ("skipped", SKIPPED)):
        found = case.find(tag)
        if found is not None:
            lines = [line.strip() for line in (found.text or "").splitlines() if line.strip(" -}{")]
            if outcome == SKIPPED:
                return outcome, " ".join(lines) or "no reason"
            return outcome, lines[-1] if lines else "no traceback"
    return PASSED, ""


def read(junit: str) -> list[Result]:
    """Return the results in a text of subunit2junitxml."""
    found = []
    for case in ET.fromstring(junit).iter("testcase"):
        name = ".".join(part for part in (case.get("classname"), case.get("name")) if part)
        outcome, said = _outcome(case)
        # A class's preparation that went well says nothing about its tests.
        if outcome != PASSED or not _CLASS.match(name):
            found.append(Result(name, outcome, float(case.get("time") or 0), said))
    return found
