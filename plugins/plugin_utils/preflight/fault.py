# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What preflight finds: where, what, what would be right, what to do; and all of it as one text."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

LONGEST = 80


@dataclass(frozen=True)
class Fault:
    """One fault, or a warning.

    :param where: a file with its line, and the key; or the host.
    :param found: what stands or is there.
    :param allowed: what may.
    :param remedy: what to do, as a sentence.
    :param severity: ``fault`` stops the run, ``warning`` does not.
    :param hosts: the hosts concerned, where it isn't all of them.
    """

    where: str
    found: str
    allowed: str
    remedy: str
    severity: str = "fault"
    hosts: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.place()}: {self.found}; allowed: {self.allowed}. {self.remedy}"

    def place(self) -> str:
        """Return where, with the hosts that *where* does not name."""
        others = [name for name in self.hosts if not re.search(rf"\bhost {re.escape(name)}$", self.where)]
        if not others:
            return self.where
        shown = ", ".join(others[:5]) + (f" and {len(others) - 5} more" if len(others) > 5 else "")
        return f"{self.where} ({'hosts' if len(others) > 1 else 'host'} {shown})"


def nearest(name: Any, known: Iterable[str], otherwise: str, cutoff: float = 0.6) -> str:
    """Ask about the word of *known* that is most like *name*; return *otherwise* where none is."""
    near = difflib.get_close_matches(str(name), list(known), 1, cutoff)
    return f"Did you mean {near[0]!r}?" if near else otherwise


def shown(value: Any) -> str:
    """Return *value* as a fault shows it: not longer than a line, no password in it."""
    if value is None:
        return "nothing"
    if isinstance(value, (Mapping, list, tuple)):
        return f"a {'dictionary' if isinstance(value, Mapping) else 'list'} of {len(value)}"
    text = re.sub(r"(?<=//)[^/@\s]*:[^/@\s]*@", "***@", repr(value))
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def merged(faults: Iterable[Fault], everyone: Iterable[str] = ()) -> list[Fault]:
    """Return *faults* in their order, each once: those that differ in their hosts alone become one.

    Where that is *everyone*, no host is named.
    """
    hosts: dict[Fault, dict[str, None]] = {}
    for fault in faults:
        hosts.setdefault(replace(fault, hosts=()), {}).update(dict.fromkeys(fault.hosts))
    whole = set(everyone)
    return [replace(fault, hosts=() if set(names) >= whole > set() else tuple(names)) for fault, names in hosts.items()]


def report(faults: list[Fault]) -> str:
    """Return *faults* as one numbered text."""
    count = "1 error" if len(faults) == 1 else f"{len(faults)} errors"
    lines = [f"Preflight found {count}; no host was changed."]
    for number, fault in enumerate(faults, 1):
        lines += [
            "",
            f"{number}. {fault.place()}",
            f"   found    {fault.found}",
            f"   allowed  {fault.allowed}",
            f"   to do    {fault.remedy}",
        ]
    return "\n".join(lines)
