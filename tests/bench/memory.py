# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a test host's processes use of the computer's memory."""

from __future__ import annotations

import contextlib
import re
from collections import Counter
from pathlib import Path

from support import children


def held(supervisor: int) -> Counter:
    """Return the MiB of all processes below *supervisor* by their names; shared pages count in part (PSS)."""
    found: Counter = Counter()
    for pid in children(supervisor):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            rollup = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
            pages = re.search(r"^Pss:\s+(\d+) kB", rollup, re.MULTILINE)
            found[name(pid)] += int(pages[1]) / 1024 if pages else 0
    return found


def name(pid: int) -> str:
    """Return the name of the service that the process is of."""
    words = Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8", errors="replace").split("\0")
    program = Path(words[0].split(":")[0].split(" ")[0]).name
    if program.startswith("python3"):
        program = next((Path(word).name for word in words[1:] if not word.startswith("-")), program)
    elif program.startswith("uwsgi"):
        program = next((Path(word).name.removesuffix("-uwsgi.ini") for word in words if word.endswith(".ini")), program)
    return program or Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip()
