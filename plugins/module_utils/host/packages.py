# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Installation of all packages of a host in one transaction, without starting services before their configuration."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import subprocess
import time
from collections.abc import Iterator

from ansible_collections.cairn.openstack.plugins.module_utils.host import py3compile

_POLICY = "/usr/sbin/policy-rc.d"
_MARK = "# cairn: services wait for their configuration"
_HELD = "CAIRN_HOLDS_SERVICES"
# It blocks starts only by maintainer scripts of our own apt, which inherit the variable even if apt outlives a killed
# run; when the run is over, it removes itself.
_SCRIPT = """#!/bin/sh
{mark}
if [ "${variable}" = yes ]; then exit 101; fi
if ! [ -d /proc/{pid} ]; then rm -f {path}; fi
exit 0
"""
# The packages on the host before Cairn's first one, and those that Cairn has installed since.
RECORD = "/var/lib/cairn/packages.json"
_LOCK = "/var/lib/dpkg/lock-frontend"
_LISTS = "/var/lib/apt/lists"
# apt waits for the lock above, and not for those of its lists and downloads, which apt-daily holds.
_LOCKED = re.compile(r"Could not get lock|locked by another process")
# Seconds to wait for another package command.
_PATIENCE = 900
SPEC = {"names": {"type": "list", "elements": "str", "default": []}}
_SOURCES = ("/etc/apt/sources.list", "/etc/apt/sources.list.d", "/etc/apt/preferences.d", "/etc/apt/apt.conf.d")


class PackageError(Exception):
    """apt or dpkg failed; with their message."""


def status() -> tuple[set[str], list[str]]:
    """Return the names of the installed packages, and of those only partly installed."""
    said = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Package} ${db:Status-Abbrev}\n"], capture_output=True, text=True, check=False
    ).stdout
    installed, half = set(), []
    for line in said.splitlines():
        name, _space, state = line.partition(" ")
        if state.startswith(("ii", "hi")):
            installed.add(name)
        elif state[1:2] in "UFHtW":
            half.append(name)
    return installed, sorted({*half, *py3compile.deferred_packages()})


def lacking(names: list[str]) -> tuple[list[str], list[str]]:
    """Return those of *names* that are to be installed, and all packages that are to be configured."""
    installed, half = status()
    return [name for name in dict.fromkeys(names) if name not in installed and name not in half], half


def wait_for_lock(seconds: float = _PATIENCE) -> None:
    """Wait until no other package command is running, such as one that has outlived a killed run.

    :raises PackageError: it is still running after *seconds*.
    """
    end = time.monotonic() + seconds
    with open(_LOCK, "w", encoding="ascii") as file:
        while True:
            try:
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                if time.monotonic() > end:
                    raise PackageError(f"Another package command has held {_LOCK} for {seconds:.0f} s.") from None
                time.sleep(1)
            else:
                return


def lists_outdated() -> bool:
    """Whether the package lists are missing or older than the files of their sources."""
    stamps = [os.stat(os.path.join(_LISTS, name)).st_ctime for name in os.listdir(_LISTS) if "_dists_" in name]
    if not stamps:
        return True
    newest = 0.0
    for source in _SOURCES:
        if os.path.isdir(source):
            newest = max([newest, *(os.stat(os.path.join(source, name)).st_ctime for name in os.listdir(source))])
        elif os.path.exists(source):
            newest = max(newest, os.stat(source).st_ctime)
    return newest > max(stamps)


def _environment() -> dict[str, str]:
    """Return an environment in which apt does not translate what it prints."""
    return {**os.environ, "LC_ALL": "C.UTF-8", "LANGUAGE": ""}


def unknown(names: list[str]) -> list[str]:
    """Return those of *names* that no package source offers."""
    return sorted(set(names) - candidates(names).keys())


def candidates(names: list[str]) -> dict[str, str]:
    """Return the versions of *names* that apt would install, without those that no package source offers."""
    if not names:
        return {}
    said = subprocess.run(
        ["apt-cache", "policy", *names], capture_output=True, text=True, check=False, env=_environment()
    ).stdout
    return dict(re.findall(r"^(\S+):\n(?:  Installed: .*\n)  Candidate: (?!\(none\))(\S+)", said, re.MULTILINE))


@contextlib.contextmanager
def services_held() -> Iterator[None]:
    """Prevent packages from starting services; an existing policy of the host is left unchanged."""
    own = not os.path.exists(_POLICY)
    if not own:
        with open(_POLICY, encoding="utf-8", errors="replace") as file:
            own = _MARK in file.read()
    if own:
        with open(_POLICY, "w", encoding="ascii") as file:
            file.write(_SCRIPT.format(mark=_MARK, variable=_HELD, pid=os.getpid(), path=_POLICY))
        os.chmod(_POLICY, 0o755)
    try:
        yield
    finally:
        if own:
            os.unlink(_POLICY)


def apt(*arguments: str) -> float:
    """Run a package command without prompts and return its seconds.

    :raises PackageError: it failed; with the last lines of its output.
    """
    began = time.monotonic()
    environment = {
        **_environment(),
        "DEBIAN_FRONTEND": "noninteractive",
        "NEEDRESTART_SUSPEND": "1",
        _HELD: "yes",
    }
    while True:
        done = subprocess.run(arguments, capture_output=True, text=True, check=False, env=environment)
        if not (done.returncode and _LOCKED.search(done.stderr)) or time.monotonic() > began + _PATIENCE:
            break
        time.sleep(2)
    if done.returncode:
        words = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        raise PackageError(f"{' '.join(arguments[:6])} …:\n" + "\n".join(words[-25:]))
    return round(time.monotonic() - began, 1)


def record() -> dict[str, list[str]]:
    """Return this host's record: ``before``, the packages before Cairn, and ``asked``, those that it installed."""
    try:
        with open(RECORD, encoding="utf-8") as file:
            return json.load(file)
    except (FileNotFoundError, ValueError):  # truncated by a power loss
        return {"before": [], "asked": []}


def remember(installed: set[str], names: list[str]) -> None:
    """Record atomically that *names* are added to the *installed* packages."""
    old = record()
    new = {"before": old["before"] or sorted(installed), "asked": sorted({*old["asked"], *names})}
    os.makedirs(os.path.dirname(RECORD), exist_ok=True)
    with open(f"{RECORD}.new", "w", encoding="utf-8") as file:
        json.dump(new, file, indent=1)
    os.replace(f"{RECORD}.new", RECORD)


def brought(installed: set[str]) -> list[str]:
    """Return the packages to purge: those of *installed* that Cairn requested, and their unused dependencies.

    :raises PackageError: apt failed.
    """
    known = record()
    asked = sorted(installed & set(known["asked"]))
    if not asked:
        return []
    # Otherwise apt keeps packages that others only suggest.
    strict = [f"-o=APT::AutoRemove::{kind}Important=false" for kind in ("Recommends", "Suggests")]
    done = subprocess.run(
        ["apt-get", "--simulate", *strict, "purge", "--autoremove", *asked],
        capture_output=True,
        text=True,
        check=False,
        env=_environment(),
    )
    if done.returncode:
        raise PackageError(done.stderr.strip())
    going = re.findall(r"^Purg (\S+) ", done.stdout, re.MULTILINE)
    return sorted({name.partition(":")[0] for name in going} - set(known["before"]))


def purge(names: list[str]) -> dict[str, float]:
    """Remove *names* and their configuration; return the seconds.

    :raises PackageError: apt or dpkg failed.
    """
    return {"purge": apt("apt-get", "purge", "-y", "-q", "-o", "DPkg::Lock::Timeout=300", *names)}


def install(names: list[str], half: list[str]) -> dict[str, float]:
    """Complete partly installed packages, then install *names* in one transaction; return the seconds of each step.

    :raises PackageError: no source has a package, or apt or dpkg failed.
    """
    seconds = {}
    with services_held():
        if half:
            seconds["repair"] = apt("dpkg", "--configure", "-a", "--force-confold", "--force-confdef")
            seconds["repair"] += apt(
                "apt-get", "-y", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=300", "-f", "install"
            )
            py3compile.settle()
        if not names:
            return seconds
        if lists_outdated() or unknown(names):
            seconds["lists"] = apt("apt-get", "-q", "-o", "DPkg::Lock::Timeout=300", "update")
            if absent := unknown(names):
                raise PackageError(
                    f"No package source offers: {', '.join(absent)}. Check the release, and that "
                    "cloud_package_sources has all sources that the cloud needs."
                )
        remember(status()[0], names)
        options = ["-y", "-q", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=300"]
        keep = ["-o", "Dpkg::Options::=--force-confold", "-o", "Dpkg::Options::=--force-confdef"]
        seconds["download"] = apt("apt-get", "install", *options, "--download-only", *names)
        with py3compile.beside() as path:
            seconds["install"] = apt("apt-get", "install", *options, *keep, *path, "--no-download", *names)
    return seconds
