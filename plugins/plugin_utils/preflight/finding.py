# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What preflight finds: errors and warnings, each with its place, what is allowed and the remedy; and their report."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

LONGEST = 80


@dataclass(frozen=True)
class Finding:
    """An error or a warning.

    :param where: a file with its line, and the key; or the host.
    :param found: the value or state that was found.
    :param allowed: the values or states that are allowed.
    :param remedy: what to do, as a sentence.
    :param severity: ``error`` stops the run, ``warning`` does not.
    :param hosts: the hosts concerned, if not all of them.
    """

    where: str
    found: str
    allowed: str
    remedy: str
    severity: str = "error"
    hosts: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.place()}: {self.found}; allowed: {self.allowed}. {self.remedy}"

    def place(self) -> str:
        """Return *where* with the hosts that it does not name."""
        others = [name for name in self.hosts if not re.search(rf"\bhost {re.escape(name)}$", self.where)]
        if not others:
            return self.where
        shown = ", ".join(others[:5]) + (f" and {len(others) - 5} more" if len(others) > 5 else "")
        return f"{self.where} ({'hosts' if len(others) > 1 else 'host'} {shown})"


def nearest(name: Any, known: Iterable[str], otherwise: str, cutoff: float = 0.6) -> str:
    """Suggest the entry of *known* closest to *name*; return *otherwise* if none is close."""
    near = difflib.get_close_matches(str(name), list(known), 1, cutoff)
    return f"Did you mean {near[0]!r}?" if near else otherwise


def shown(value: Any) -> str:
    """Return *value* as a finding shows it: at most a line, without passwords."""
    if value is None:
        return "nothing"
    if isinstance(value, (Mapping, list, tuple)):
        return f"a {'dictionary' if isinstance(value, Mapping) else 'list'} of {len(value)}"
    text = re.sub(r"(?<=//)[^/@\s]*:[^/@\s]*@", "***@", repr(value))
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def merged(findings: Iterable[Finding], everyone: Iterable[str] = ()) -> list[Finding]:
    """Return *findings* in their order, with those that differ only in their hosts merged into one.

    If these are *everyone*, no host is named.
    """
    hosts: dict[Finding, dict[str, None]] = {}
    for finding in findings:
        hosts.setdefault(replace(finding, hosts=()), {}).update(dict.fromkeys(finding.hosts))
    whole = set(everyone)
    return [
        replace(finding, hosts=() if set(names) >= whole > set() else tuple(names)) for finding, names in hosts.items()
    ]


def report(findings: list[Finding]) -> str:
    """Return *findings* as one numbered text."""
    count = "1 error" if len(findings) == 1 else f"{len(findings)} errors"
    lines = [f"Preflight found {count}; no host was changed."]
    for number, finding in enumerate(findings, 1):
        lines += [
            "",
            f"{number}. {finding.place()}",
            f"   found    {finding.found}",
            f"   allowed  {finding.allowed}",
            f"   to do    {finding.remedy}",
        ]
    return "\n".join(lines)
