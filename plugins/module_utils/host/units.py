# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""systemd units, and whether the invocation that runs has read what lies on the disk.

A stamp records, for the invocation that was started last, a digest of everything that the unit reads: its files with
modes and owners, its packages' versions, and what it left in the kernel. So a run that died between writing and
restarting is repaired by the next one, and a jumped clock fools nobody.
"""

from __future__ import annotations

import glob
import hashlib
import json
import math
import os
import shlex
import stat
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from ansible.module_utils.urls import open_url
from ansible_collections.cairn.openstack.plugins.module_utils.host.config_files import fingerprint

STAMPS = "/var/lib/cairn/units.json"
# Written by a host's first run, after its packages and before its units.
MEMBER = "/etc/cairn/cloud.json"
MOST_CAUSES = 20
_OUTPUT = "output of "
_SERVICE_USER = "service user "

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
)
UNIT = {
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["started", "stopped", "any"], "default": "started"},
    "enabled": {"type": "bool"},
    "watches": {"type": "list", "elements": "str", "default": []},
    "packages": {"type": "list", "elements": "str", "default": []},
    "state_commands": {"type": "list", "elements": "str", "default": []},
    "keystone_user": {"type": "str"},
    "reload": {"type": "bool", "default": False},
    "restart_for": {"type": "list", "elements": "str", "default": []},
    "restart_anytime": {"type": "bool", "default": False},
    "restart_when": {"type": "list", "elements": "str", "default": []},
    "restart_with": {"type": "str"},
    "log": {"type": "path"},
}
SPEC = {"units": {"type": "list", "elements": "dict", "required": True, "options": UNIT}}
# What HAProxy says of itself when it goes on with what it had.
_RELOAD_FAILED = "Reload failed"


def systemctl(*arguments: str) -> subprocess.CompletedProcess:
    """Run systemctl and return what it said; the caller judges the exit code."""
    return subprocess.run(["systemctl", *arguments], capture_output=True, text=True, check=False)


def command(line: str) -> subprocess.CompletedProcess:
    """Run a command without a shell and return what it said; the caller judges the exit code."""
    try:
        return subprocess.run(shlex.split(line), capture_output=True, text=True, check=False)
    except OSError as error:
        return subprocess.CompletedProcess(line, 127, "", str(error))


def restarts_alone(unit: Unit) -> bool:
    """Whether *unit* restarts on a condition or by a command of its own; one that never ran as configured does not."""
    return unit.guarded and not unit.restart_anytime


def unmet(conditions: list[str], seconds: float) -> str:
    """Wait until all *conditions* for a restart hold; return what the first that does not says, empty if all do.

    :param conditions: URLs that answer, and commands that exit 0.
    :param seconds: how long to wait; 0 asks nobody.
    """
    end = time.monotonic() + seconds
    for condition in conditions if seconds else ():
        while failed := _fails(condition):
            if time.monotonic() > end:
                return failed
            time.sleep(3)
    return ""


def _fails(condition: str) -> str:
    """Return why *condition* does not hold; empty if it does."""
    if not condition.startswith("http://"):
        said = command(condition)
        return f"{condition}: {(said.stderr or said.stdout).strip()}" if said.returncode else ""
    try:
        open_url(condition, timeout=10, use_proxy=False)
    except OSError as error:
        return f"{condition}: {error}"
    return ""


def show(names: list[str]) -> dict[str, dict[str, str]]:
    """Return the properties of the units *names*, asked for in one call, by the name that was asked for."""
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
    """Return the installed versions of the packages *names*; what is not installed is left out."""
    if not names:
        return {}
    said = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Package} ${Version} ${db:Status-Status}\n", *sorted(names)],
        capture_output=True,
        text=True,
        check=False,  # it exits 1 when one of the names is unknown, and still lists the others
    ).stdout
    rows = (line.split() for line in said.splitlines())
    return {row[0]: row[1] for row in rows if len(row) == 3 and row[2] == "installed"}


def reads(unit: dict, versions: dict[str, str], will_change: dict[str, str], ids: dict[str, str] | None) -> dict:
    """Return what *unit* reads, each thing with its fingerprint; a missing file's is empty.

    :param will_change: fingerprints of files that are taken as written.
    :param ids: those of Keystone's accounts, None where they are not known: then no account is among what is read.
    """
    found = {}
    for pattern in unit["watches"]:
        for path in _files(pattern):
            try:
                found[path] = will_change[path] if path in will_change else _fingerprint(path)
            except FileNotFoundError:
                found[path] = ""
    found.update({f"package {name}": versions.get(name, "") for name in unit["packages"]})
    if unit["keystone_user"] and ids is not None:
        found[f"{_SERVICE_USER}{unit['keystone_user']}"] = ids.get(unit["keystone_user"], "")
    return {**found, **effects(unit)}


def effects(unit: dict) -> dict[str, str]:
    """Return what *unit* has set up, as a digest of what each of its commands prints; a failing one's is empty."""
    found = {}
    for command in unit["state_commands"]:
        try:
            said = subprocess.run(shlex.split(command), capture_output=True, check=True).stdout
        except (OSError, subprocess.CalledProcessError):  # nothing is set up, or its package is yet to come
            said = b""
        found[f"{_OUTPUT}{command}"] = hashlib.sha256(said).hexdigest() if said else ""
    return found


def load_stamps(path: str = STAMPS) -> dict[str, dict]:
    """Return the stamps that earlier runs left on this host."""
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except (FileNotFoundError, ValueError):  # a stamp cut short by a power loss is no stamp
        return {}


def save_stamps(stamps: dict[str, dict], path: str = STAMPS) -> None:
    """Write the stamps, in one rename."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path + ".new", "w", encoding="utf-8") as file:
        json.dump(stamps, file, indent=1, sort_keys=True)
    os.replace(path + ".new", path)


def member_since(path: str = MEMBER) -> float:
    """Return when this host became part of the cloud, in seconds since the epoch; never, if it is not."""
    try:
        return os.stat(path).st_mtime
    except FileNotFoundError:
        return math.inf


def boot_id() -> str:
    """Return the identity of this boot of the machine."""
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        # In a container the kernel's id is the machine's own; the init's start tells its boots apart.
        kernel = file.read().strip()
    with open("/proc/1/stat", encoding="ascii") as file:
        return f"{kernel}-{file.read().rsplit(')', 1)[1].split()[19]}"


@dataclass
class Unit:
    """One unit: what is asked of it, what is, and what follows from both."""

    asked: dict
    found: dict[str, str]
    reads: dict[str, str]
    stamp: dict | None
    boot: str
    # What a real run would have written by now, with its fingerprint; empty in a real run.
    will_change: dict[str, str] = field(default_factory=dict)
    # When this host became part of the cloud, in seconds since the epoch.
    member_since: float = math.inf

    @property
    def name(self) -> str:
        """The unit's name as the definition writes it."""
        return self.asked["name"]

    @property
    def missing(self) -> bool:
        """No package has brought the unit yet."""
        return self.found.get("LoadState") == "not-found"

    @property
    def masked(self) -> bool:
        """Somebody made it impossible to start."""
        return self.found.get("LoadState") == "masked"

    @property
    def running(self) -> bool:
        """It runs, or has done its one task."""
        return self.found.get("ActiveState") in ("active", "reloading")

    @property
    def enable(self) -> bool:
        """It should start at boot and would not.

        A package enables what it brings, but for a template's instances; what the run writes, nobody does.
        """
        brought = "@" not in self.name and f"/etc/systemd/system/{self.name}.service" not in self.will_change
        if self.missing and brought:
            return False
        state = self.found.get("UnitFileState")
        return self.asked["enabled"] is True and state in ("disabled", "masked", "masked-runtime", "")

    @property
    def disable(self) -> bool:
        """It starts at boot and should not."""
        return self.asked["enabled"] is False and self.found.get("UnitFileState") == "enabled"

    @property
    def start(self) -> bool:
        """It should run and does not."""
        return self.asked["state"] == "started" and not self.running

    @property
    def guarded(self) -> bool:
        """It restarts on a condition, or by a command of its own."""
        return bool(self.asked["restart_when"] or self.asked["restart_with"])

    @property
    def restart_anytime(self) -> bool:
        """A restart disturbs nobody: by the definition's word, or since the unit never ran as Cairn configured it."""
        # Without a stamp, one that was started after its package's installation may be in use: the stamps were lost.
        in_use = self.guarded and self._started > self.member_since
        return self.asked["restart_anytime"] or (self.stamp is None and not in_use)

    @property
    def _started(self) -> float:
        return float(self.found.get("ActiveEnterTimestamp", "@0").lstrip("@") or 0)

    def was_started(self, wrote: list[str]) -> None:
        """Take it as started, with all read but what it *wrote* itself after that."""
        running = {"LoadState": "loaded", "ActiveState": "active", "UnitFileState": "enabled", "InvocationID": "new"}
        self.found = {**self.found, **running}
        self.stamp = {"invocation": "new", "boot": self.boot, "reads": self.reads}
        self.reads = {**self.reads, **{path: "new" for path in wrote if not self.reads.get(path)}}

    @property
    def waits_for(self) -> str:
        """The service that has to stop before this socket can start, empty for none."""
        service = self.found.get("Triggers", "") if self.start and self.name.endswith(".socket") else ""
        return service if service and show([service])[service]["ActiveState"] == "active" else ""

    @property
    def stop(self) -> bool:
        """It runs, or is about to, and should not."""
        on_its_way = self.found.get("ActiveState") in ("activating", "failed") or bool(self.found.get("Job"))
        return self.asked["state"] == "stopped" and (self.running or (on_its_way and not self.missing))

    def stale(self) -> list[str]:
        """Return why the invocation that runs does not have what lies on the disk; empty where it has."""
        if self.asked["state"] != "started" or not self.running:
            return []
        if _refused(self.found):
            return ["the last reload, which failed"]
        stamp = self.stamp
        if stamp is None:
            # Started by a boot or by somebody else, perhaps before its database was there.
            return sorted(path for path in self.reads if path.startswith("/"))
        if stamp["invocation"] == self.found["InvocationID"]:
            return self._differing(stamp)
        if stamp["boot"] != self.boot:
            # Started by the boot. If nothing differs from what the last run saw, this invocation read the same.
            return self._differing(stamp)
        return self._newer_than_start()

    @property
    def reloads(self) -> bool:
        """A reload makes it take up what differs."""
        return self.asked["reload"] and not set(self.asked["restart_for"]) & set(self.stale())

    def _differing(self, stamp: dict) -> list[str]:
        old = stamp["reads"]
        # What a definition names no longer is no reason, unless it has gone from the disk.
        gone = {what for what in old if what.startswith("/") and what not in self.reads and not os.path.exists(what)}
        # It can't hold a token of an account that was not there yet.
        later = {what for what in self.reads if what.startswith(_SERVICE_USER) and not old.get(what)}
        return sorted(gone | {what for what in self.reads if old.get(what) != self.reads[what]} - later)

    def _newer_than_start(self) -> list[str]:
        newer = [path for path in self.reads if path in self.will_change]
        for path in set(self.reads) - set(newer):
            try:
                # A second's grace: systemd rounds the start down to seconds.
                if os.stat(path).st_ctime > self._started + 1:
                    newer.append(path)
            except FileNotFoundError:
                continue
        # What it set up may have been undone since that start.
        return sorted([*newer, *(what for what in self._differing(self.stamp) if what.startswith(_OUTPUT))])


def survey(
    asked: list[dict],
    will_change: dict[str, str] | None = None,
    will_stop: list[str] | None = None,
    will_start: dict[str, list[str]] | None = None,
    user_ids: Callable[[], dict[str, str] | None] | None = None,
) -> list[Unit]:
    """Return every unit that is *asked* for, beside what is.

    *user_ids* returns the ids of Keystone's users by name, None where they are not known; it is called if a
    unit names such a user.

    The run would write *will_change*, end *will_stop*, and begin *will_start*, which writes the files given with it.
    """
    found = show([unit["name"] for unit in asked])
    for name in found.keys() & set(will_stop or ()):
        found[name]["ActiveState"] = "inactive"
    versions = package_versions({package for unit in asked for package in unit["packages"]})
    ids = user_ids() if user_ids and any(unit["keystone_user"] for unit in asked) else None
    stamps, boot, change, since = load_stamps(), boot_id(), will_change or {}, member_since()
    units = [
        Unit(unit, found[name], reads(unit, versions, change, ids), stamps.get(name), boot, change, since)
        for name, unit in ((unit["name"], unit) for unit in asked)
    ]
    for unit in units:
        if unit.name in (will_start or {}) and unit.start:
            unit.was_started(will_start[unit.name])
    return units


# A verb of systemctl, and the units that it is for.
Action = tuple[str, list[Unit]]


def actions(units: list[Unit], restart: bool) -> list[Action]:
    """Return what is to be done to which units, in order.

    :param restart: restart all that is stale, not only what may restart at any time.
    """
    # A socket can't start while its service runs without it.
    services = {unit.waits_for.removesuffix(".service") for unit in units}
    blocked = [unit for unit in units if unit.name.removesuffix(".service") in services]
    stale = [unit for unit in units if unit.stale() and unit not in blocked and (restart or unit.restart_anytime)]
    found = [
        ("unmask", [unit for unit in units if unit.masked and unit.asked["state"] == "started"]),
        ("disable", [unit for unit in units if unit.disable]),
        ("enable", [unit for unit in units if unit.enable]),
        ("stop", [unit for unit in units if unit.stop] + blocked),
        # Workers load while other units are still stopping, which keeps all processors busy.
        ("reload", [unit for unit in stale if unit.reloads and unit.asked["restart_for"]]),
        # Before the starts, which may need what these configure: sysctl, a D-Bus policy.
        ("restart", [unit for unit in stale if not unit.reloads]),
        # HAProxy cannot reload before sysctl allows it to bind to a new address.
        ("reload", [unit for unit in stale if unit.reloads and not unit.asked["restart_for"]]),
        ("start", [unit for unit in units if unit.start or unit in blocked]),
    ]
    return [(verb, names) for verb, names in found if names]


def restart_required(units: list[Unit], acted: set[str]) -> list[dict]:
    """Return which of the *units* should be restarted and why, but for those in *acted*."""
    return [{"name": unit.name, "why": unit.stale()} for unit in units if unit.name not in acted and unit.stale()]


def stamp(units: list[Unit], acted: set[str]) -> None:
    """Record which invocation read what: of the units in *acted* just now, of the others what was found fresh."""
    stamps = load_stamps()
    new = _stamped(units, acted, stamps, show([unit.name for unit in units]))
    if new != stamps:
        save_stamps(new)


def _stamped(
    units: list[Unit], acted: set[str], stamps: dict[str, dict], found: dict[str, dict[str, str]]
) -> dict[str, dict]:
    """Return *stamps* with those of the *units*, of which *found* was found.

    ``last_restart`` of a stamp is for people: when Cairn restarted or reloaded the unit, and why.
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
    return new


def differ(asked: list[dict], user_ids: Callable[[], dict[str, str] | None] | None = None) -> bool:
    """Return whether something is to be done to one of the units *asked* for, or recorded of it."""
    units, stamps = survey(asked, user_ids=user_ids), load_stamps()
    if actions(units, restart=True):
        return True
    return _stamped(units, set(), stamps, {unit.name: unit.found for unit in units}) != stamps


def _refused(found: dict[str, str]) -> bool:
    return found.get("StatusText", "").startswith(_RELOAD_FAILED)


def refused(names: list[str]) -> list[str]:
    """Return those of the units *names* whose last reload failed, though systemctl told of no failure."""
    return [name for name, found in show(names).items() if _refused(found)]


def settled(names: list[str], seconds: float) -> list[str]:
    """Wait until none of the units *names* is on its way; return those that are not active then."""
    end = time.monotonic() + seconds
    while True:
        states = {name: found["ActiveState"] for name, found in show(names).items()}
        if "activating" not in states.values() or time.monotonic() > end:
            return [name for name, state in states.items() if state != "active"]
        time.sleep(1)


def last_words(name: str, log: str | None, lines: int = 12) -> str:
    """Return the unit's own last lines: its journal, and its log file's errors where it has one."""
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
