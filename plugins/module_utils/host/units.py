# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""systemd units, and whether their running invocation has read the current files.

A stamp records, for the last started invocation, a digest of everything that the unit reads: its files with modes and
owners, the versions of its packages, and its state in the kernel. So the next run restarts units that an interrupted
run did not, independent of the clock.
"""

from __future__ import annotations

import contextlib
import functools
import glob
import hashlib
import json
import math
import os
import re
import shlex
import signal
import stat
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from ansible.module_utils.urls import open_url
from ansible_collections.cairn.openstack.plugins.module_utils.host.config_files import fingerprint
from ansible_collections.cairn.openstack.plugins.module_utils.host.packages import candidates

STAMPS = "/var/lib/cairn/units.json"
# Written by the first run on a host, after its packages and before its units.
MEMBER = "/etc/cairn/cloud.json"
MOST_CAUSES = 20
_STAMPS_LOCK = threading.Lock()
_OUTPUT = "output of "
_SERVICE_USER = "service user "
_PACKAGE = "package "
# The stamp of a unit of which nothing is on record.
_UNKNOWN: dict = {"invocation": "", "boot": "", "reads": {}}
# NAME = VALUE, NAME: VALUE, or both separated by a tab; a name may have blanks
_VALUE = re.compile(r"\s*(\S.*?)\s*[=:\t]\s*(.*?)\s*").fullmatch

_PROPERTIES = (
    "Id",
    "LoadState",
    "ActiveState",
    "UnitFileState",
    "InvocationID",
    "NeedDaemonReload",
    "ActiveEnterTimestamp",
    "Triggers",
    "Job",
    "StatusText",
    "MainPID",
)
UNIT = {
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["started", "stopped", "any", "kept"], "default": "started"},
    "enabled": {"type": "bool"},
    "watches": {"type": "list", "elements": "str", "default": []},
    "packages": {"type": "list", "elements": "str", "default": []},
    "state_commands": {"type": "list", "elements": "str", "default": []},
    "expected_values": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "command": {"type": "str", "required": True},
            "values": {"type": "dict", "required": True},
            "optional": {"type": "bool", "default": False},
            "at_least": {"type": "bool", "default": False},
            "explained": {"type": "bool", "default": False},
            "explain": {"type": "str"},
            "set_with": {"type": "str"},
        },
    },
    "service_user": {"type": "str"},
    "reload": {"type": "bool", "default": False},
    "restart_for": {"type": "list", "elements": "str", "default": []},
    "reload_for": {"type": "list", "elements": "str", "default": []},
    "restart_anytime": {"type": "bool", "default": False},
    "restart_anytime_if": {"type": "list", "elements": "str", "default": []},
    "restart_when": {"type": "list", "elements": "str", "default": []},
    "restart_with": {"type": "str"},
    "log": {"type": "path"},
}
SPEC = {"units": {"type": "list", "elements": "dict", "required": True, "options": UNIT}}
# Seconds for a command about a unit. Some wait for an answer of the unit, which does not come if that hangs.
TIMEOUT = 60
# Seconds for the end of a command that was killed: the kernel does not end a process that waits for a disk (state D).
KILL_TIMEOUT = 5
# Of timeout(1).
TIMED_OUT = 124
# Desired states in which a running unit restarts for what it reads.
RESTARTING = ("started", "kept")
# Verbs that start nothing, for units that another program may have stopped since the survey.
_TRY = {"restart": "try-restart", "reload": "try-reload-or-restart"}
# The list of a package's files, which dpkg writes when it unpacks the package.
PACKAGE_FILES = "/var/lib/dpkg/info"
# States of a unit that is running, or of a oneshot unit that has finished.
RUNNING = ("active", "reloading")
# HAProxy's status if it continues with its old configuration.
_RELOAD_FAILED = "Reload failed"


def systemctl(*arguments: str) -> subprocess.CompletedProcess:
    """Run systemctl and return its result; the caller checks the exit code."""
    return subprocess.run(["systemctl", *arguments], capture_output=True, text=True, check=False)


def command(line: str | list[str], seconds: float | None = TIMEOUT) -> subprocess.CompletedProcess:
    """Run a command without a shell and return its result; the caller checks the exit code.

    :param line: the command, or its words.
    :param seconds: timeout, after which it is killed with its children, and the exit code is 124.
    """
    words = shlex.split(line) if isinstance(line, str) else line
    pipe = subprocess.PIPE
    try:
        process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=pipe,
            stderr=pipe,
            text=True,
            errors="replace",
            start_new_session=True,
        )
    except OSError as error:
        return subprocess.CompletedProcess(line, 127, "", str(error))
    try:
        out, err = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(KILL_TIMEOUT)
        for stream in (process.stdout, process.stderr):
            stream.close()
        return subprocess.CompletedProcess(line, TIMED_OUT, "", f"no result within {seconds} s")
    return subprocess.CompletedProcess(line, process.returncode, out, err)


def restarts_alone(unit: Unit) -> bool:
    """Whether *unit* restarts with a condition or its own command; not if it never ran as configured."""
    return unit.guarded and not unit.restart_anytime


def unmet(conditions: list[str], seconds: float) -> str:
    """Wait until all *conditions* for a restart are met; return the error of the first one that is not, or empty.

    :param conditions: URLs that must respond, and commands that must exit with 0.
    :param seconds: timeout; 0 skips the check.
    """
    end = time.monotonic() + seconds
    for condition in conditions if seconds else ():
        while failed := _fails(condition):
            if time.monotonic() > end:
                return failed
            time.sleep(3)
    return ""


def _fails(condition: str) -> str:
    """Return why *condition* is not met; empty if it is."""
    if not condition.startswith("http://"):
        said = command(condition)
        return f"{condition}: {(said.stderr or said.stdout).strip()}" if said.returncode else ""
    try:
        open_url(condition, timeout=10, use_proxy=False)
    except OSError as error:
        return f"{condition}: {error}"
    return ""


def show(names: list[str]) -> dict[str, dict[str, str]]:
    """Return the properties of the units *names* in one call, by these names."""
    if not names:
        return {}
    said = systemctl("show", "--timestamp=unix", "--property=" + ",".join(_PROPERTIES), *names).stdout
    blocks = [dict(line.split("=", 1) for line in block.splitlines()) for block in said.strip().split("\n\n")]
    return dict(zip(names, blocks, strict=True))


def _fingerprint(path: str) -> str:
    found = os.stat(path)
    with open(path, "rb") as file:
        return fingerprint(file.read(), stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid)


def _files(pattern: str) -> list[str]:
    found = []
    for path in glob.glob(pattern) or [pattern]:
        if os.path.isdir(path):
            found += [os.path.join(directory, name) for directory, _folders, names in os.walk(path) for name in names]
        else:
            found.append(path)
    return sorted(found)


def package_versions(names: set[str]) -> dict[str, str]:
    """Return the versions of the installed packages among *names*."""
    if not names:
        return {}
    said = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Package} ${Version} ${db:Status-Status}\n", *sorted(names)],
        capture_output=True,
        text=True,
        check=False,  # it exits with 1 if a name is unknown, but lists the others
    ).stdout
    rows = (line.split() for line in said.splitlines())
    return {row[0]: row[1] for row in rows if len(row) == 3 and row[2] == "installed"}


def reads(unit: dict, versions: dict[str, str], will_change: dict[str, str], ids: dict[str, str] | None) -> dict:
    """Return everything that *unit* reads with its fingerprint, empty for a missing file.

    :param will_change: fingerprints of files to treat as written.
    :param ids: the ids of Keystone's users, None if unknown: then no user is included.
    """
    found = {}
    for pattern in unit["watches"]:
        for path in _files(pattern):
            try:
                found[path] = will_change[path] if path in will_change else _fingerprint(path)
            except FileNotFoundError:
                found[path] = ""
    found.update({f"{_PACKAGE}{name}": versions.get(name, "") for name in unit["packages"]})
    if unit["service_user"] and ids is not None:
        found[f"{_SERVICE_USER}{unit['service_user']}"] = ids.get(unit["service_user"], "")
    return {**found, **effects(unit)}


def _installed(package: str) -> str:
    """Return the file that dpkg wrote when it unpacked *package*."""
    # With the architecture in its name if other architectures can be installed beside it.
    found = glob.glob(f"{PACKAGE_FILES}/{package}.list") or glob.glob(f"{PACKAGE_FILES}/{package}:*.list")
    return next(iter(found), "")


def _changed(path: str) -> float:
    """Return the time of the last change of a file, in seconds since the epoch; 0 if there is none."""
    try:
        return os.stat(path).st_ctime
    except FileNotFoundError:
        return 0


def effects(unit: dict) -> dict[str, str]:
    """Return the runtime state of *unit*: a digest of the output of each of its commands, empty for a failing one."""
    found = {}
    for line in unit["state_commands"]:
        # If it fails, nothing is configured, its package is not installed yet, or it hangs.
        done = command(line)
        said = "" if done.returncode else done.stdout
        found[f"{_OUTPUT}{line}"] = hashlib.sha256(said.encode()).hexdigest() if said else ""
    return found


def unexpected(unit: dict) -> dict[str, str]:
    """Return the values in the runtime state of *unit* that are not the expected ones: name → the difference.

    A command that fails is no difference, as its package may not be installed yet; one that does not return is, by its
    own text. The cause, as far as ``explain`` finds it, is part of the difference.
    """
    found = {}
    for entry in unit["expected_values"]:
        said = command(entry["command"])
        if said.returncode == TIMED_OUT:
            found[entry["command"]] = f"{entry['command'].split()[0]}: {said.stderr}"
        if said.returncode:
            continue
        actual = dict(parts.groups() for line in said.stdout.splitlines() if (parts := _VALUE(line)))
        for name, expected in entry["values"].items():
            if name not in actual:
                if not entry["optional"]:
                    found[name] = f"{name} does not exist, it should be {expected}"
            elif not _fits(actual[name], str(expected), entry["at_least"]):
                cause = _explained(entry, name)
                if cause or not entry["explained"]:
                    found[name] = f"{name} is {actual[name]}, not {expected}{cause}"
    return found


def stopped_processes(pid: int) -> list[str]:
    """Return a message if a signal has stopped the process *pid* of a unit or a child of it.

    systemd calls such a unit active (proc(5): state T in /proc/PID/stat).
    """
    found = []
    for process in [pid, *_children(pid)] if pid else ():
        try:
            with open(f"/proc/{process}/stat", encoding="utf-8", errors="replace") as file:
                if file.read().rsplit(")", 1)[1].split()[0] == "T":
                    found.append(f"process {process}, which a signal has stopped")
        except OSError:  # it has ended meanwhile
            continue
    return found


def _children(pid: int) -> list[int]:
    found = []
    # Each thread has the children that it has started.
    for path in glob.glob(f"/proc/{pid}/task/*/children"):
        try:
            with open(path, encoding="ascii") as file:
                found += [int(child) for child in file.read().split()]
        except OSError:  # it has ended meanwhile
            continue
    return sorted(found)


def _filled(word: str, name: str, value: str) -> str:
    """Return *word* of a command that sets a value, with the *name* and the *value*."""
    return re.sub("NAME|VALUE", lambda found: {"NAME": name, "VALUE": value}[found[0]], word)


def _fits(actual: str, expected: str, at_least: bool) -> bool:
    """Whether a value is the *expected* one, or *at_least* that; numbers are compared as such, in any notation."""
    try:
        numbers = [int(word, 0) for word in actual.split()], [int(word, 0) for word in expected.split()]
    except ValueError:
        return actual.split() == expected.split()
    return numbers[0] == numbers[1] or (at_least and numbers[0] >= numbers[1])


def _explained(entry: dict, name: str) -> str:
    """Return the lines about *name* in the output of ``explain`` as an addition to a message, empty for none."""
    said = command(entry["explain"]).stdout if entry["explain"] else ""
    # sysctl.d(5) allows a slash for each dot
    word = re.escape(name).replace(r"\.", "[./]")
    whole = re.compile(rf"(?:^|[\s:])-?{word}(?=[\s=:]|$)").search
    lines = [line.strip() for line in said.splitlines() if whole(line)]
    return f" ({'; '.join(lines)})" if lines else ""


def setters(units: list[Unit]) -> list[list[str]]:
    """Return the commands that set the values which the running *units* have not as expected now, each as its words."""
    return [
        words
        for unit in units
        for words in replace(
            unit, found={**unit.found, "ActiveState": "active"}, unexpected=unexpected(unit.asked)
        ).settable.values()
    ]


def ineffective(units: list[Unit], acted: set[str], seconds: float) -> dict[str, list[str]]:
    """Return what the actions on the units in *acted* did not achieve: unit → messages.

    :param seconds: timeout for each unit to configure everything after its start.
    """
    found = {}
    for unit in units:
        if unit.name in acted and unit.asked["state"] in RESTARTING:
            end = time.monotonic() + seconds
            while (wrong := _ineffective(unit.asked)) and time.monotonic() < end:
                time.sleep(0.5)
            if wrong:
                found[unit.name] = wrong
    return found


def _ineffective(unit: dict) -> list[str]:
    found = [f"{unit['name']}: {difference}" for difference in unexpected(unit).values()]
    for line in unit["state_commands"]:
        if (said := command(line)).returncode:
            why = said.stderr.strip() or f"exit code {said.returncode}"
            found.append(f"{unit['name']} is running, but {line} fails: {why}")
    return found


def load_stamps(path: str = STAMPS) -> dict[str, dict]:
    """Return the stamps of earlier runs on this host."""
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except (FileNotFoundError, ValueError):  # ignore a file truncated by a power loss
        return {}


def save_stamps(stamps: dict[str, dict], path: str = STAMPS) -> None:
    """Write the stamps atomically."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path + ".new", "w", encoding="utf-8") as file:
        json.dump(stamps, file, indent=1, sort_keys=True)
    os.replace(path + ".new", path)


def outdate(causes: dict[str, str]) -> None:
    """Record on this host that its running units have read what a run changes, with the cause.

    Threads may call it. A unit without a stamp never ran as configured.
    """
    with _STAMPS_LOCK:
        stamps = load_stamps()
        found = show([name for name in causes if name in stamps])
        new = {
            name: _outdated(stamps[name], state, causes[name])
            for name, state in found.items()
            if state.get("ActiveState") in RUNNING
        }
        if new:
            save_stamps({**stamps, **new})


def _outdated(stamp: dict, found: dict[str, str], cause: str) -> dict:
    """Return a stamp that says that the running invocation is outdated."""
    return {**stamp, "outdated": {"invocation": found["InvocationID"], "cause": cause}}


def member_since(path: str = MEMBER) -> float:
    """Return the time when this host became part of the cloud, in seconds since the epoch; infinite if it is not."""
    try:
        return os.stat(path).st_mtime
    except FileNotFoundError:
        return math.inf


def boot_id() -> str:
    """Return an id of the current boot of the host."""
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        # In a container the kernel's id is that of the computer; the start time of init identifies the boot.
        kernel = file.read().strip()
    with open("/proc/1/stat", encoding="ascii") as file:
        return f"{kernel}-{file.read().rsplit(')', 1)[1].split()[19]}"


@dataclass
class Unit:
    """A unit: its desired and actual state, and the differences."""

    asked: dict
    found: dict[str, str]
    reads: dict[str, str]
    stamp: dict | None
    boot: str
    # The files that a real run would have written by now, with their fingerprints; empty in a real run.
    will_change: dict[str, str] = field(default_factory=dict)
    # The time when this host became part of the cloud, in seconds since the epoch.
    member_since: float = math.inf
    # Values in its runtime state that are not the expected ones: name → the difference.
    unexpected: dict[str, str] = field(default_factory=dict)
    # Its processes that a signal has stopped.
    stopped_processes: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The name of the unit in the definition."""
        return self.asked["name"]

    @property
    def missing(self) -> bool:
        """Whether no package provides the unit yet."""
        return self.found.get("LoadState") == "not-found"

    @property
    def masked(self) -> bool:
        """Whether it is masked."""
        return self.found.get("LoadState") == "masked"

    @property
    def running(self) -> bool:
        """Whether it is active, which includes a finished oneshot unit."""
        return self.found.get("ActiveState") in RUNNING

    @property
    def kept(self) -> bool:
        """Whether another program starts and stops it."""
        return self.asked["state"] == "kept"

    def verb(self, verb: str) -> str:
        """Return the verb of systemctl for an action."""
        return _TRY.get(verb, verb) if self.kept else verb

    @property
    def enable(self) -> bool:
        """Whether it must be enabled.

        A package enables its units except instances of templates; units written by the run are not enabled.
        """
        own = {f"/etc/systemd/system/{self.name}{suffix}" for suffix in ("", ".service")}
        brought = "@" not in self.name and not own & self.will_change.keys()
        if self.missing and brought:
            return False
        state = self.found.get("UnitFileState")
        return self.asked["enabled"] is True and state in ("disabled", "masked", "masked-runtime", "")

    @property
    def disable(self) -> bool:
        """Whether it must be disabled."""
        return self.asked["enabled"] is False and self.found.get("UnitFileState") == "enabled"

    @property
    def start(self) -> bool:
        """Whether it must be started."""
        return self.asked["state"] == "started" and not self.running

    @property
    def guarded(self) -> bool:
        """Whether it restarts with a condition or its own command."""
        return bool(self.asked["restart_when"] or self.asked["restart_with"])

    @property
    def restart_anytime(self) -> bool:
        """Whether a restart interrupts no service: by its definition, or as it never ran as configured."""
        # Without a stamp, a unit that was started after its package's installation may be in use: stamps may be lost.
        in_use = (self.guarded or self.kept) and self._started > self.member_since
        return (
            self.asked["restart_anytime"]
            or (self.stamp is None and not in_use)
            or self._reloads_alone
            or self._interrupts_nothing
        )

    @functools.cached_property
    def _interrupts_nothing(self) -> bool:
        """Whether the definition's commands say that a restart interrupts no service now."""
        commands = self.asked["restart_anytime_if"]
        return bool(commands) and all(command(line).returncode == 0 for line in commands)

    @property
    def _started(self) -> float:
        return float(self.found.get("ActiveEnterTimestamp", "@0").lstrip("@") or 0)

    def outdate(self, cause: str) -> None:
        """Record that the running invocation has read what this run changed; nothing if it never ran as configured."""
        # Another program may have started a kept unit since the last run, so without a stamp.
        stamp = _UNKNOWN if self.stamp is None and self.kept else self.stamp
        if stamp is not None and self.running:
            self.stamp = _outdated(stamp, self.found, cause)

    def was_started(self) -> None:
        """Treat it as started, having read everything."""
        running = {"LoadState": "loaded", "ActiveState": "active", "UnitFileState": "enabled", "InvocationID": "new"}
        self.found = {**self.found, **running}
        self.stamp = {"invocation": "new", "boot": self.boot, "reads": self.reads}

    @property
    def waits_for(self) -> str:
        """The service that must stop before this socket can start, empty for none."""
        service = self.found.get("Triggers", "") if self.start and self.name.endswith(".socket") else ""
        return service if service and show([service])[service]["ActiveState"] == "active" else ""

    @property
    def stop(self) -> bool:
        """Whether it must be stopped."""
        on_its_way = self.found.get("ActiveState") in ("activating", "failed") or bool(self.found.get("Job"))
        return self.asked["state"] == "stopped" and (self.running or (on_its_way and not self.missing))

    def stale(self) -> list[str]:
        """Return why the running invocation requires a restart; empty if it does not."""
        if self.asked["state"] not in RESTARTING or not self.running:
            return []
        if _refused(self.found):
            return ["the last reload, which failed"]
        unexpected = [text for name, text in self.unexpected.items() if name not in self.settable]
        return [*self._stale_reads(), *unexpected, *self.stopped_processes]

    @property
    def hangs(self) -> bool:
        """Whether only a restart ends what is wrong: a process is stopped, or a command about it does not return."""
        commands = [entry["command"] for entry in self.asked["expected_values"]]
        return bool(self.stopped_processes) or any(line in self.unexpected for line in commands)

    @property
    def settable(self) -> dict[str, list[str]]:
        """Unexpected values that a command sets in the running unit: name → the words of the command."""
        if self.asked["state"] not in RESTARTING or not self.running or self.hangs:
            return {}
        return {
            name: [_filled(word, name, str(value)) for word in shlex.split(entry["set_with"])]
            for entry in self.asked["expected_values"]
            if entry["set_with"]
            for name, value in entry["values"].items()
            if name in self.unexpected
        }

    def _stale_reads(self) -> list[str]:
        stamp = self.stamp
        if stamp is None and self.kept:
            return self._newer_than_start()
        if stamp is None:
            # Started by a boot or manually, perhaps before its database existed.
            return sorted(path for path in self.reads if path.startswith("/"))
        outdated = stamp.get("outdated", {})
        if outdated.get("invocation") == self.found["InvocationID"]:
            return [outdated["cause"], *self._stale_files(stamp)]
        return self._stale_files(stamp)

    def _stale_files(self, stamp: dict) -> list[str]:
        if stamp["invocation"] == self.found["InvocationID"]:
            return self._differing(stamp)
        # The program of a kept unit may start it long after the boot, and after changes.
        if stamp["boot"] != self.boot and not self.kept:
            # Started by the boot. Without differences from the last run, this invocation has read the same.
            return self._differing(stamp)
        return self._newer_than_start()

    @property
    def reloads(self) -> bool:
        """Whether a reload applies all differences."""
        if self._reloads_alone:
            return True
        return self.asked["reload"] and not self.hangs and not set(self.asked["restart_for"]) & set(self.stale())

    @property
    def _reloads_alone(self) -> bool:
        """Whether only files differ that a reload reads, which interrupts nothing."""
        causes = set(self.stale())
        known = self.stamp is not None or self.kept
        return bool(causes) and known and not self.hangs and causes <= set(self.asked["reload_for"])

    def _differing(self, stamp: dict) -> list[str]:
        old = stamp["reads"]
        # A path that was removed from the definition is no cause, unless it was also removed from the disk.
        gone = {what for what in old if what.startswith("/") and what not in self.reads and not os.path.exists(what)}
        # It cannot hold a token of a user that did not exist.
        later = {what for what in self.reads if what.startswith(_SERVICE_USER) and not old.get(what)}
        # The definition has a new command: its output is that of what the unit has read.
        later |= {what for what in self.reads if what.startswith(_OUTPUT) and what not in old and self.reads[what]}
        return sorted(gone | {what for what in self.reads if old.get(what) != self.reads[what]} - later)

    def _newer_than_start(self) -> list[str]:
        newer = [path for path in self.reads if path in self.will_change]
        differing = None if self.stamp is None else self._differing(self.stamp)
        for what in set(self.reads) - set(newer):
            package = what.removeprefix(_PACKAGE) if what.startswith(_PACKAGE) else ""
            # The same version again is no change.
            if package and differing is not None and what not in differing:
                continue
            # systemd rounds the start down to seconds.
            if _changed(_installed(package) if package else what) > self._started + 1:
                newer.append(what)
        # Its runtime state may have been changed by others since that start.
        return sorted([*newer, *(what for what in differing or () if what.startswith(_OUTPUT))])


def survey(
    asked: list[dict],
    will_change: dict[str, str] | None = None,
    will_stop: list[str] | None = None,
    will_start: list[str] | None = None,
    will_install: bool = False,
    user_ids: Callable[[], dict[str, str] | None] | None = None,
    outdated: dict[str, str] | None = None,
) -> list[Unit]:
    """Return all units that are *asked* for, with their actual state.

    *user_ids* returns the ids of Keystone's users by name, None if unknown; it is called if a unit has such a user.
    *outdated* are units that have read what the run changed, with the cause.

    The run would write *will_change*, stop *will_stop*, and start *will_start*.
    With *will_install*, it would have installed the packages that are missing, in the versions that apt offers.
    """
    found = show([unit["name"] for unit in asked])
    for name in found.keys() & set(will_stop or ()):
        found[name]["ActiveState"] = "inactive"
    packages = {package for unit in asked for package in unit["packages"]}
    versions = package_versions(packages)
    if will_install:
        versions |= candidates(sorted(packages - versions.keys()))
    ids = user_ids() if user_ids and any(unit["service_user"] for unit in asked) else None
    stamps, boot, change, since = load_stamps(), boot_id(), will_change or {}, member_since()
    units = [
        Unit(
            unit,
            found[name],
            reads(unit, versions, change, ids),
            stamps.get(name),
            boot,
            change,
            since,
            unexpected(unit) if unit["expected_values"] else {},
            stopped_processes(int(found[name].get("MainPID", 0))),
        )
        for name, unit in ((unit["name"], unit) for unit in asked)
    ]
    for unit in units:
        if unit.name in (will_start or {}) and unit.start:
            unit.was_started()
        if unit.name in (outdated or {}):
            unit.outdate(outdated[unit.name])
    return units


# A verb of systemctl, and its units.
Action = tuple[str, list[Unit]]


def actions(units: list[Unit], restart: bool) -> list[Action]:
    """Return the required actions in order.

    :param restart: whether to restart all stale units, or only those that may restart at any time.
    """
    # A socket cannot start while its service runs without it.
    services = {unit.waits_for.removesuffix(".service") for unit in units}
    blocked = [unit for unit in units if unit.name.removesuffix(".service") in services]
    stale = [unit for unit in units if unit.stale() and unit not in blocked and (restart or unit.restart_anytime)]
    restarted = [unit for unit in stale if not unit.reloads]
    found = [
        ("unmask", [unit for unit in units if unit.masked and unit.asked["state"] == "started"]),
        ("disable", [unit for unit in units if unit.disable]),
        ("enable", [unit for unit in units if unit.enable]),
        ("stop", [unit for unit in units if unit.stop] + blocked),
        # A start sets all values. A restart that is pending may come much later, so they are changed before it.
        ("change", [unit for unit in units if unit.settable and unit not in [*restarted, *blocked]]),
        # Workers load while other units are still stopping, which keeps all processors busy.
        ("reload", [unit for unit in stale if unit.reloads and unit.asked["restart_for"]]),
        # Before the starts, which may need what these configure: sysctl, a D-Bus policy.
        ("restart", restarted),
        # HAProxy cannot reload before sysctl allows it to bind to a new address.
        ("reload", [unit for unit in stale if unit.reloads and not unit.asked["restart_for"]]),
        ("start", [unit for unit in units if unit.start or unit in blocked]),
    ]
    return [(verb, names) for verb, names in found if names]


def restart_required(units: list[Unit], acted: set[str]) -> list[dict]:
    """Return those of *units* that require a restart, with the causes, except those in *acted*."""
    return [{"name": unit.name, "why": unit.stale()} for unit in units if unit.name not in acted and unit.stale()]


def stamp(units: list[Unit], acted: set[str]) -> None:
    """Record what each invocation has read: for units in *acted* the current state, for the others if not stale."""
    stamps = load_stamps()
    new = _stamped(units, acted, stamps, show([unit.name for unit in units]))
    if new != stamps:
        save_stamps(new)


def _stamped(
    units: list[Unit], acted: set[str], stamps: dict[str, dict], found: dict[str, dict[str, str]]
) -> dict[str, dict]:
    """Return *stamps* with those of *units* updated.

    ``last_restart`` of a stamp is for people: when Cairn restarted or reloaded the unit, and why.

    :param found: the properties of the units.
    """
    new, boot = dict(stamps), boot_id()
    for unit in units:
        fresh = unit.name in acted or not unit.stale()
        if found[unit.name]["ActiveState"] == "active" and fresh:
            reads = {**unit.reads, **effects(unit.asked)} if unit.name in acted else unit.reads
            new[unit.name] = {"invocation": found[unit.name]["InvocationID"], "boot": boot, "reads": reads}
            if unit.name in acted and (causes := unit.stale()):
                now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
                new[unit.name]["last_restart"] = {"time": now, "causes": causes[:MOST_CAUSES]}
            elif last := stamps.get(unit.name, {}).get("last_restart"):
                new[unit.name]["last_restart"] = last
        elif "outdated" in (unit.stamp or {}):
            # For a later task or run, which restarts it.
            new[unit.name] = unit.stamp
    return new


def differ(asked: list[dict], user_ids: Callable[[], dict[str, str] | None] | None = None) -> bool:
    """Return whether an action is required for one of the units in *asked*, or its stamp has to be updated."""
    units, stamps = survey(asked, user_ids=user_ids), load_stamps()
    # A file that no unit watches, such as a drop-in, may have been written before a run was interrupted.
    if actions(units, restart=True) or any(unit.found.get("NeedDaemonReload") == "yes" for unit in units):
        return True
    return _stamped(units, set(), stamps, {unit.name: unit.found for unit in units}) != stamps


def _refused(found: dict[str, str]) -> bool:
    return found.get("StatusText", "").startswith(_RELOAD_FAILED)


def refused(names: list[str]) -> list[str]:
    """Return those of the units *names* whose last reload failed although systemctl succeeded."""
    return [name for name, found in show(names).items() if _refused(found)]


def settled(names: list[str], seconds: float, kept: bool = False) -> list[str]:
    """Wait until none of the units *names* is activating; return those that are not active then.

    :param kept: whether another program starts and stops them, so that one which was stopped is as it should be.
    """
    well = ("active", "inactive", "deactivating") if kept else ("active",)
    end = time.monotonic() + seconds
    while True:
        states = {name: found["ActiveState"] for name, found in show(names).items()}
        if "activating" not in states.values() or time.monotonic() > end:
            return [name for name, state in states.items() if state not in well]
        time.sleep(1)


def last_words(name: str, log: str | None, lines: int = 12) -> str:
    """Return the last log lines of the unit: its journal, and the errors in its log file if it has one."""
    words = subprocess.run(
        ["journalctl", "--unit", name, "--lines", str(lines), "--no-pager", "--output", "cat"],
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    if log and os.path.exists(log):
        with open(log, encoding="utf-8", errors="replace") as file:
            tail = file.readlines()[-400:]
        errors = [line for line in tail if " ERROR " in line or " CRITICAL " in line or "Error" in line] or tail
        words += f"\n{log}:\n" + "".join(errors[-lines:])
    return words.strip()
