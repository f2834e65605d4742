# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Tables of what tests saw, written between two marks of a page: `<!-- table NAME -->` and `<!-- end of NAME -->`."""

from __future__ import annotations

import re
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Table:
    """A table that fills while tests run."""

    columns: tuple[str, ...]
    rows: list[list[str]] = field(default_factory=list)

    def add(self, *cells: object) -> None:
        """Add a row; what Markdown would take for the end of a cell is written otherwise."""
        self.rows.append([" ".join(str(cell).split()).replace("|", "\\|") for cell in cells])

    def lines(self) -> list[str]:
        """Return it as Markdown."""
        return [f"| {' | '.join(row)} |" for row in (list(self.columns), ["---"] * len(self.columns), *self.rows)]


def seen_at(directory: Path) -> str:
    """Return the day and the commit, as they stand above a table; pages that tests have written are no change of it."""
    command = ["git", "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=True).stdout.strip()
    changed = subprocess.run(
        ["git", "diff", "--quiet", "HEAD", "--", ".", ":!docs"], cwd=directory, check=False
    ).returncode
    return f"{time.strftime('%-d %B %Y')}, commit {commit}{'-dirty' if changed else ''}:"


def into(page: str, name: str, table: Table, when: str) -> str:
    """Return *page* with *table* in the place of what stood between the marks of *name*.

    :raises ValueError: the page has no such marks.
    """
    begin, end = f"<!-- table {name} -->\n", f"<!-- end of {name} -->\n"
    found = re.search(rf"{re.escape(begin)}.*?{re.escape(end)}", page, re.DOTALL)
    if not found:
        raise ValueError(f"the page has no marks {begin.strip()} and {end.strip()}")
    text = "\n".join([when, "", *table.lines(), ""])
    return f"{page[: found.start()]}{begin}{text}{end}{page[found.end() :]}"
