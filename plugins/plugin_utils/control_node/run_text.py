# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The output of a run: lines, each with its colour or None."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Iterable
from dataclasses import replace

from ansible_collections.cairn.openstack.plugins.module_utils.common.changes import full_name
from ansible_collections.cairn.openstack.plugins.module_utils.common.masking import masked
from ansible_collections.cairn.openstack.plugins.module_utils.common.service_logs import VARYING, chosen
from ansible_collections.cairn.openstack.plugins.plugin_utils.control_node import run_changes
from ansible_collections.cairn.openstack.plugins.plugin_utils.control_node.run_changes import Change
from ansible_collections.cairn.openstack.plugins.plugin_utils.control_node.run_record import Failure, Phase, Run, Step

Lines = list[tuple[str, str | None]]

PAST = {
    "bootstrap": "bootstrapped",
    "drop": "dropped",
    "run": "ran",
    "stop": "stopped",
}
# A run lists this many changes of one verb on the same hosts, and counts the others.
SHOWN = 8
# Restarts are always listed, each with its cause.
NEVER_SHORTENED = ("restart", "reload")
# Kinds whose names are listed in one row, after their number.
LISTED = ("package", "secret")
# Limits for a failure's message and for each log of a unit in it.
LOG_LINES = 8
HEAD_LINES = 12
# Longer lines, in characters, are unreadable and take minutes to wrap.
LINE_LENGTH = 2000
HOSTS_WIDTH = 24
TITLE_WIDTH = 44
SLOW = 1.0
_NUMBERED = re.compile(r"(.*?)(\d+)(\D*)")


def hosts(names: Iterable[str], everybody: Iterable[str] = (), exact: bool = False) -> str:
    """Return a short text for hosts: ``compute1-3, network1``, or their number if that gets too long.

    :param everybody: the hosts of the run, to recognize all of them.
    :param exact: always list their names.
    """
    names = sorted(set(names), key=_natural)
    if len(names) > 1 and set(names) == set(everybody):
        return f"all {len(names)} hosts"
    runs: list[list[str]] = []
    for name in names:
        if runs and _follows(runs[-1][-1], name):
            runs[-1].append(name)
        else:
            runs.append([name])
    words = ", ".join(_range(run) for run in runs)
    return words if exact or len(words) <= HOSTS_WIDTH or len(names) == 1 else f"{len(names)} hosts"


def _natural(name: str) -> list:
    return [(int(part), "") if part.isdigit() else (0, part) for part in re.split(r"(\d+)", name)]


def _follows(one: str, other: str) -> bool:
    first, second = _NUMBERED.fullmatch(one), _NUMBERED.fullmatch(other)
    if not first or not second or (first[1], first[3]) != (second[1], second[3]):
        return False
    return int(second[2]) == int(first[2]) + 1 and len(second[2]) - len(first[2]) in (0, len(str(int(second[2]))) - 1)


def _range(run: list[str]) -> str:
    if len(run) == 1:
        return run[0]
    first, last = _NUMBERED.fullmatch(run[0]), _NUMBERED.fullmatch(run[-1])
    return f"{first[1]}{first[2]}-{last[2]}{first[3]}"


def number(count: int, thing: str) -> str:
    """Return a count with its noun: ``2 key repositories``."""
    if count != 1:
        thing = f"{thing[:-1]}ies" if thing.endswith("y") else f"{thing}es" if thing.endswith("s") else f"{thing}s"
    return f"{count} {thing}"


def clipped(text: str, width: int) -> str:
    """Return *text* shortened to the available width."""
    return text if len(text) <= width else text[: max(0, width - 1)] + "…"


def phase_lines(run: Run, phase: Phase, everybody: list[str], width: int, render: Callable | None) -> Lines:
    """Return the line of a finished phase, and its changes.

    :param render: formats a module's diff; None without --diff.
    """
    changed = {host for host, _step, _change in phase.changes}
    failed = {failure.host for failure in phase.failures if not failure.unreachable}
    away = {failure.host for failure in phase.failures if failure.unreachable}
    room = max(8, min(TITLE_WIDTH, width - 32))
    line = f"{clipped(phase.name, room):<{room}} {number(len(phase.hosts), 'host'):>9} {phase.seconds:8.1f} s"
    notes = [f"{len(failed)} failed"] if failed else []
    notes += [f"{len(away)} unreachable"] if away else []
    lines: Lines = [(clipped("  ".join([line, *notes]), width), "red" if notes else "yellow" if changed else "green")]
    return lines + change_lines(
        run, [(host, change) for host, _step, change in phase.changes], everybody, width, render
    )


def change_lines(
    run: Run, changes: list[tuple[str, Change]], everybody: list[str], width: int, render: Callable | None
) -> Lines:
    """Return changes by verb, hosts, and in a plan service; equal changes of several hosts are merged."""
    verbs: dict[str, dict[str, tuple[Change, list[str]]]] = {}
    for host, change in changes:
        # Not the change itself: a diff is not hashable, and matters only if it is shown.
        key = repr(change if render else replace(change, diff=()))
        verbs.setdefault(change.verb, {}).setdefault(key, (change, []))[1].append(host)
    blocks: list[tuple[tuple[str, ...], list[Change]]] = []
    for verb, rows in verbs.items():
        by_hosts: dict[tuple[str, ...], list[Change]] = {}
        for change, names in rows.values():
            by_hosts.setdefault(tuple(sorted(set(names))), []).append(change)
        for names, found in sorted(by_hosts.items(), key=lambda block: (-len(block[0]), _natural(" ".join(block[0])))):
            columns = _verb(verb, run.check), hosts(names, everybody, exact=run.check)
            blocks += [((*columns, *service), part) for service, part in _by_service(run, found)]
    widths = [max(map(len, column)) for column in zip(*(columns for columns, _part in blocks), strict=True)]
    beside = sum(widths) + 2 * len(widths) + 2 <= width // 2
    lines: Lines = []
    said: tuple[str, ...] = ()
    for columns, part in blocks:
        start = _columns(columns, said, widths) if beside else " " * 4
        if not beside:  # on a narrow terminal a heading leaves more room for the rows
            lines += wrapped([(f"  {'  '.join(filter(None, columns))}", None)], width)
        said = columns
        for text, change in rows_of(run.check or render is not None, part, width - len(start)):
            lines += [(line, None) for line in _wrapped(start, text, width)]
            start = " " * len(start)
            difference = diff_lines(change, render) if render and change else []
            lines += difference
            if difference and beside:  # the diff separates the rows
                start, said = _columns(columns, (), widths), ()
    return lines


def _by_service(run: Run, changes: list[Change]) -> list[tuple[tuple[str, ...], list[Change]]]:
    """Return changes by their service as a column, in a plan only."""
    if not run.check:
        return [((), changes)]
    found: dict[str, list[Change]] = {}
    for change in changes:
        found.setdefault(run_changes.service_of(change, run.definitions), []).append(change)
    return [((name,), found[name]) for name in sorted(found)]


def _columns(columns: tuple[str, ...], said: tuple[str, ...], widths: list[int]) -> str:
    """Return the columns before a row, without those that repeat the row above."""
    same = 0
    while same < min(len(said), len(columns)) and said[same] == columns[same]:
        same += 1
    words = [*("" for _column in columns[:same]), *columns[same:]]
    return "".join(f"  {word:<{width}}" for word, width in zip(words, widths, strict=True)) + "  "


def _verb(verb: str, check: bool) -> str:
    past = PAST.get(verb) or (f"{verb}d" if verb.endswith("e") else f"{verb}ed")
    return f"would {verb}" if check else past


def rows_of(complete: bool, changes: list[Change], width: int) -> list[tuple[str, Change | None]]:
    """Return the rows of changes with one verb on the same hosts: those with only a name in one row.

    :param complete: list all changes, not only the first ones and a count.
    """
    rows: list[tuple[str, Change | None]] = []
    for kind in LISTED:
        names = [change.name for change in changes if change.kind == kind]
        count = number(len(names), kind)
        if names:
            rows.append((f"{count}: {', '.join(names if complete else _some(names, width - len(count) - 2))}", None))
    others = [change for change in changes if change.kind not in LISTED]
    # Sorting groups the files of a directory; other kinds keep their order.
    others = sorted((change for change in others if change.kind == "file"), key=lambda change: change.name) + [
        change for change in others if change.kind != "file"
    ]
    complete = complete or len(others) <= SHOWN or others[0].verb in NEVER_SHORTENED
    shown = others if complete else others[: SHOWN - 1]
    for change in shown:
        name = full_name(change.kind, change.name)
        rows.append((f"{name}: {change.detail}" if change.detail else name, change))
    if len(shown) < len(others):
        rows.append((f"… {len(others) - len(shown)} more", None))
    return rows


def _some(names: list[str], width: int) -> list[str]:
    """Return the names that fit in a line, and the number of the others."""
    if len(", ".join(names)) <= width:
        return names
    end = f"… {len(names)} more"
    shown: list[str] = []
    for name in names:
        if len(", ".join([*shown, name, end])) > width:
            break
        shown.append(name)
    return [*shown, f"… {len(names) - len(shown)} more"]


def _wrapped(start: str, text: str, width: int) -> list[str]:
    room = max(20, width - len(start))
    lines = [
        line
        for part in text.splitlines() or [""]
        for line in textwrap.wrap(_clipped(part), room, subsequent_indent="  ", break_on_hyphens=False) or [""]
    ]
    return [(start if place == 0 else " " * len(start)) + line for place, line in enumerate(lines)]


def _clipped(line: str) -> str:
    return line if len(line) <= LINE_LENGTH else f"{line[:LINE_LENGTH]} … {len(line) - LINE_LENGTH} characters more"


def wrapped(lines: Lines, width: int) -> Lines:
    """Return lines that fit in the terminal."""
    return [(part, colour) for text, colour in lines for part in _wrapped("", text, width)]


def diff_lines(change: Change, render: Callable) -> Lines:
    """Return the diff of a change, indented but not wrapped, so that it can be copied."""
    text = "".join(render(diff) for diff in change.diff).rstrip("\n")
    return [(f"    {line}", None) for line in text.split("\n")] if text else []


def cause(result: dict) -> list[str]:
    """Return the cause in a failed result: the message, and the last error lines that it quotes."""
    text = "\n".join(_words(result)).strip() or "no reason given; -v shows the complete result"
    # The module units puts the name of a unit after dashes before its log.
    head, *logs = re.split(r"\n(?=--- )", masked(text))
    lines = head.splitlines()
    # Preflight's errors are all causes; none is a line of a log.
    if len(lines) > HEAD_LINES and "errors" not in result:
        lines = [lines[0], *(chosen([(line, False) for line in lines[1:]], [], LOG_LINES) or lines[-LOG_LINES:])]
    for log in logs:
        title, *body = log.splitlines()
        found = chosen([(line, False) for line in body], [], LOG_LINES) if len(body) > LOG_LINES else body
        lines += [title, *(found or body[-LOG_LINES:])]
    return lines


def _words(result: dict) -> Iterable[str]:
    items = [item for item in result.get("results") or () if isinstance(item, dict)]
    failed = [item for item in items if item.get("failed") or item.get("unreachable")]
    if failed:
        for item in failed[:3]:
            yield from _words(item)
        return
    message = result.get("censored") or result.get("msg")
    if message:
        yield str(message).removeprefix("Task failed: ")  # ansible-core 2.19 adds it to each message
    for key in ("stderr", "module_stderr", "stdout", "module_stdout"):
        said = result.get(key)
        if isinstance(said, str) and said.strip() and said.strip() not in str(message):
            yield "\n".join(said.strip().splitlines()[-LOG_LINES:])
            return


def services(result: dict, words: list[str], definitions: dict[str, str]) -> list[str]:
    """Return the units or services of a failure, empty if unknown."""
    silent = result.get("silent")
    if isinstance(silent, dict) and silent:
        return sorted(map(str, silent))
    units = [line.removeprefix("--- ").strip() for line in words if line.startswith("--- ")]
    definition = run_changes.service(words[0] if words else "", definitions)
    return units or ([definition] if definition else [])


def failure_lines(failures: list[Failure], phase: str, everybody: list[str], width: int) -> Lines:
    """Return a frame for each different failure of one task."""
    different: dict[tuple, list[Failure]] = {}
    for failure in failures:
        # Times, numbers and host names may differ although the cause is the same.
        same = VARYING.sub("", "\n".join(failure.cause).replace(failure.host, ""))
        different.setdefault((failure.unreachable, same), []).append(failure)
    lines: Lines = []
    for equal in different.values():
        one = equal[0]
        alike = all(failure.cause == one.cause for failure in equal)
        title = "UNREACHABLE" if one.unreachable else "FAILED"
        where = hosts((failure.host for failure in equal), everybody, exact=True) + (
            "" if alike else f"; as reported by {one.host}"
        )
        rows = [("task", [f"{phase}: {one.step}"]), ("on", [where])]
        rows += [("service", [", ".join(one.services)])] if one.services else []
        rows += [("cause", one.cause)]
        rows += [("remedy", [one.remedy])] if one.remedy else []
        lines.append((f"┌─ {title} {'─' * max(0, width - len(title) - 4)}", "red"))
        for word, texts in rows:
            start = f"{word:<9}"
            for text in texts:
                colour = "cyan" if word == "remedy" else "red"
                lines += [(f"│ {line}", colour) for line in _wrapped(start, text, width - 2)]
                start = " " * len(start)
        lines.append(("└" + "─" * (width - 1), "red"))
    return lines


def live_text(where: str, phase: Phase, step: Step, width: int) -> str:
    """Return the current activity, in at most a line.

    :param where: the progress of the run, such as ``[2/8]``.
    """
    waiting, everybody = step.waiting, len(step.started)
    text = f"{where} {phase.name}: {step.name}  {int(phase.seconds) // 60}:{int(phase.seconds) % 60:02}"
    if everybody > 1:
        text += f"  {everybody - len(waiting)} of {everybody} hosts"
        text += f", waiting for {hosts(waiting)}" if 0 < len(waiting) < everybody else ""
    return clipped(text, width - 1)


def slowest_lines(run: Run, width: int) -> Lines:
    """Return the slowest tasks."""
    lines: Lines = []
    for seconds, phase, step in run.slowest(5, SLOW):
        inside = ""
        if run_changes.module_of(step.action) == "packages" and phase.changes and run.packages:
            inside = ", ".join(f"{name} {spent:.0f}" for name, spent in run.packages.items() if spent >= SLOW)
        text = f"{phase.name}: {step.name}" + (f" ({inside})" if inside else "")
        lines.append((clipped(f"{'' if lines else 'Slowest':<8}{seconds:8.1f} s  {text}", width), None))
    return lines


def end_line(run: Run, names: list[str], failed: list[str], unreachable: list[str]) -> tuple[str, str]:
    """Return the summary of the run and its colour."""
    changed = {host for host, _change in run.changes} & set(names)
    would = "would change" if run.check else "changed"
    parts = [
        number(len(names), "host"),
        f"{len(changed)} {would}" if changed else "nothing changed" if not run.check else "",
        f"{len(failed)} failed ({hosts(failed, names)})" if failed else "",
        f"{len(unreachable)} unreachable ({hosts(unreachable, names)})" if unreachable else "",
        f"{run.seconds:.1f} s",
        f"at most {number(max(run.tasks.values(), default=0), 'task')} executed on a host",
    ]
    colour = "red" if failed or unreachable else "yellow" if changed else "green"
    return ", ".join(part for part in parts if part), colour


def _where(names: set[str], everybody: list[str]) -> str:
    others = names - {"localhost"}
    words = [hosts(others, everybody)] if others else []
    return " and ".join([*words, "localhost"] if "localhost" in names else words)


def plan_line(run: Run, everybody: list[str]) -> tuple[str, str]:
    """Return the summary of a plan and its colour."""
    incomplete = any(phase.failures for phase in run.phases)
    counts = run_changes.counts(run.changes)
    parts = []
    for kind, verbs in counts.items():
        if kind == "unit":
            parts += [f"{number(count, kind)} to {verb}" for verb, count in verbs.items()]
        else:
            parts.append(number(sum(verbs.values()), kind))
    if not parts:
        said = "no change so far" if incomplete else "nothing to do"
    else:
        said = f"{', '.join(parts)} on {_where({host for host, _change in run.changes}, everybody)}"
    if incomplete:
        return f"Plan, incomplete because of the failures above: {said}", "red"
    return f"Plan: {said}", "yellow" if parts else "green"
