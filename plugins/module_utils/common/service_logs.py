# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The log lines of a host that show why something failed."""

from __future__ import annotations

import contextlib
import datetime
import glob
import json
import os
import re
from collections.abc import Callable

# Bytes to read from the end of a file; older lines do not concern this failure.
TAIL = 4 << 20
# Maximum length of a line, in characters.
WIDTH = 300
# Errors of the services, the last line of a traceback, failed requests in HAProxy's log, and workers whose death uWSGI
# logs.
GRAVE = re.compile(
    r"\b(ERROR|CRITICAL|FATAL)\b|^[\w.]*(Error|Exception)\b|\bhaproxy\[\d+\]: .* 5\d\d \d+ - - |^DAMN ! worker"
)
WARNING = re.compile(r"\bWARN(ING)?\b")
# The lines of dnsmasq for each request and reply.
LEASE = re.compile(r"^DHCP[A-Z]+\(")
# The inner lines of a traceback by oslo.log, each with its own prefix.
INNER = re.compile(r"\b(ERROR|CRITICAL) \S+ (\[[^]]*\] )*( +\S|Traceback \()")
# The parts that differ between repeated messages: times, numbers, ids.
VARYING = re.compile(r"[0-9a-f-]{8,}|\d+")
# Open vSwitch logs UTC and Ceph an offset, the others local time.
TIME = re.compile(r"^\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?")
# An exception that Python ignored, such as eventlet's at each fork: this text, a traceback, the exception.
IGNORED = "Exception ignored in: "
# syslog level "error" and higher.
ERROR = 3


def chosen(lines: list[tuple[str, bool]], ids: list[str], limit: int) -> list[str]:
    """Return the relevant lines, in their order.

    :param lines: each with whether it is an error by other signs than its text.
    :param ids: ids of failed objects and requests; errors with one of them come first, then other errors, then
        warnings and lines of a DHCP server with one of them.
    :param limit: maximum number of lines; of equal ones the latest is used.
    """
    ranked = {}
    ignored = False
    for number, (line, serious) in enumerate(lines):
        if ignored or line.startswith(IGNORED):
            ignored = line.startswith((IGNORED, "Traceback ", " "))
            continue
        named = any(name in line for name in ids)
        grave = serious or bool(GRAVE.search(line))
        if (grave and not INNER.search(line)) or (named and (WARNING.search(line) or LEASE.search(line))):
            ranked[VARYING.sub("", line)] = (named and grave, grave, number)
    best = sorted(ranked.values(), reverse=True)[:limit]
    return [lines[number][0].rstrip()[:WIDTH] for number in sorted(entry[2] for entry in best)]


def suspect(lines: list[tuple[str, bool]]) -> list[tuple[str, bool]]:
    """Return those of *lines* among which ``chosen`` finds errors: far fewer, for what is done to each of them."""
    starts = (IGNORED, "Traceback ", " ")
    return [(line, grave) for line, grave in lines if grave or GRAVE.search(line) or line.startswith(starts)]


def recent(text: str, since: datetime.datetime) -> list[tuple[str, bool]]:
    """Return the lines of a log file from that time on.

    :param since: with its time zone; times of lines without one are local.
    """
    late, lines = False, []
    for line in text.splitlines():
        stamp = TIME.match(line)
        if stamp:
            # A line without a valid time belongs to the previous one.
            with contextlib.suppress(ValueError):
                late = datetime.datetime.fromisoformat(stamp.group(0)).astimezone() >= since
        if late:
            lines.append((line, False))
    return lines


def files(
    services: list[str], age: float, root: str = "/var/log", keep: Callable[[list], list] = list
) -> dict[str, list[tuple[str, bool]]]:
    """Return the recent lines of every log file of the services.

    :param services: directories in C(root), and files in it without C(.log).
    :param age: maximum age of lines in seconds.
    :param keep: returns those lines of a file that are kept, so that only those of one file are in memory.
    """
    begin = datetime.datetime.now().astimezone() - datetime.timedelta(seconds=age)
    found = {}
    for service in services:
        inside = glob.glob(os.path.join(root, service, "**", "*.log"), recursive=True)
        for path in sorted([*inside, *glob.glob(os.path.join(root, f"{service}.log"))]):
            # A file may be rotated meanwhile.
            with contextlib.suppress(FileNotFoundError), open(path, "rb") as file:
                state = os.fstat(file.fileno())
                if state.st_mtime < begin.timestamp():
                    continue
                file.seek(max(0, state.st_size - TAIL))
                found[path] = keep(recent(file.read().decode(errors="replace"), begin))
    return found


def enabled_command(services: list[str]) -> list[str]:
    """Return the command that lists the enabled units of the services."""
    units = [f"{service}*" for service in services]
    return ["systemctl", "list-unit-files", "--no-legend", "--type=service", "--state=enabled", *units]


def state_command(listed: str) -> list[str]:
    """Return the command that shows the state of the units in the first one's output."""
    units = [line.split()[0] for line in listed.splitlines() if line.strip()]
    return ["systemctl", "show", "--property=Id,Type,ActiveState,SubState,Result", *units] if units else []


def idle(shown: str) -> list[str]:
    """Return a line for each unit that is not running, from the output of the second command."""
    found = []
    for block in shown.strip().split("\n\n"):
        unit = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        # Oneshot units that have finished are expected to be inactive.
        if unit and unit["ActiveState"] != "active" and (unit["Type"] != "oneshot" or unit["ActiveState"] == "failed"):
            result = "" if unit["Result"] == "success" else f", {unit['Result']}"
            found.append(f"{unit['Id']} is {unit['ActiveState']} ({unit['SubState']}{result})")
    return found


def journal_command(services: list[str], age: float) -> list[str]:
    """Return the command that reads the units of the services from the journal."""
    units = [argument for service in services for argument in ("-u", f"{service}*")]
    return ["journalctl", "--quiet", "--no-pager", "--output=json", f"--since=-{int(age)}s", *units]


def journal(text: str) -> dict[str, list[tuple[str, bool]]]:
    """Return the lines by unit, from the output of that command; what is no entry is left out."""
    found: dict[str, list[tuple[str, bool]]] = {}
    # A message may have other ends of lines in it, which JSON allows.
    for line in text.split("\n"):
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if not isinstance(entry, dict):
            continue
        message = entry.get("MESSAGE")
        # Messages of systemd about a unit have the unit's name in another field.
        unit = entry.get("UNIT") or entry.get("_SYSTEMD_UNIT") or "journal"
        if isinstance(message, str):
            lines = found.setdefault(unit, [])
            priority = str(entry.get("PRIORITY", 6))
            serious = priority.isdigit() and int(priority) <= ERROR
            lines += [(part, serious) for part in message.splitlines()]
    return found
