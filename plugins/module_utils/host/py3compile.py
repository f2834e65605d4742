# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The byte code of a transaction's Python packages, compiled together and beside dpkg.

Each of some 280 maintainer scripts calls py3compile, which starts Python twice and dpkg once: half of the processor's
time for it goes into starting, and dpkg waits. During Cairn's own transaction a stand-in, first in dpkg's path, only
writes down what was asked, and a thread has py3compile do it for all that was asked meanwhile. What a killed run left
written down is compiled by the next.

Test suites, a third of all, are left out: no service imports them, and whoever does has them compiled at that moment.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import subprocess
import threading
from collections.abc import Iterator

OWED = "/var/lib/cairn/py3compile"
_DIRECTORY = "/var/lib/cairn/path"
_PUBLIC = "/usr/lib/python3/dist-packages/"
# A package's public modules, the common form; the versions (-V), if any, have Debian 13's only Python among them.
_PACKAGE = re.compile(r"-p (\S+)(?: -V \S+)?")
_TESTS = ".*/tests/"
_NAME = "py3compile"
_STAND_IN = """#!/bin/sh
echo "$*" >> {owed} && sync {owed}
"""
_PAUSE = 2.0


class CompileError(Exception):
    """py3compile failed; the message is its own."""


def owed(beginning: int = 0) -> list[str]:
    """Return the arguments of the calls that were written down, from the line *beginning* on."""
    try:
        with open(OWED, encoding="utf-8") as file:
            return [line.strip() for line in file.read().split("\n")[:-1]][beginning:]
    except FileNotFoundError:
        return []


def owed_packages() -> list[str]:
    """Return the packages whose byte code a killed run has left to be compiled."""
    return sorted({line.split()[1].partition(":")[0] for line in owed() if line.startswith("-p ")})


def _py3compile(*arguments: str) -> None:
    done = subprocess.run([_NAME, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise CompileError(f"py3compile {' '.join(arguments[:6])}: {done.stderr.strip()[-2000:]}")


def public(packages: list[str]) -> list[str]:
    """Return the modules and directories of modules that *packages* have in Python's public directory."""
    said = subprocess.run(["dpkg-query", "--listfiles", *packages], capture_output=True, text=True, check=False).stdout
    files = (line for line in said.splitlines() if line.startswith(_PUBLIC) and line.endswith(".py"))
    return sorted({_PUBLIC + file.removeprefix(_PUBLIC).partition("/")[0] for file in files})


def compile_all(lines: list[str]) -> None:
    """Do what the calls *lines* asked for, the public modules of all packages in one, their tests left out.

    :raises CompileError: py3compile failed.
    """
    calls = {line: _PACKAGE.fullmatch(line) for line in lines}
    packages = [match[1] for match in calls.values() if match]
    if packages and (modules := public(packages)):
        _py3compile("--exclude", _TESTS, *modules)
    for line, match in calls.items():
        if not match:
            _py3compile(*shlex.split(line))


def settle(done: int = 0) -> None:
    """Compile what is owed but for the first *done* calls, owe nothing more, and take the stand-in away.

    :raises CompileError: py3compile failed; it is owed on.
    """
    compile_all(owed(done))
    for path in (OWED, os.path.join(_DIRECTORY, _NAME)):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
    with contextlib.suppress(FileNotFoundError):
        os.rmdir(_DIRECTORY)


class _Worker(threading.Thread):
    """Compiles now and then what has been asked for; ``done`` counts the calls that are done with."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.done = 0
        self._over = threading.Event()

    def run(self) -> None:
        """Work until :meth:`stop`, or until an error, which the closing :func:`settle` meets again and raises."""
        with contextlib.suppress(CompileError):
            while not self._over.wait(_PAUSE):
                lines = owed(self.done)
                compile_all(lines)
                self.done += len(lines)

    def stop(self) -> None:
        """Finish what was begun."""
        self._over.set()
        self.join()


@contextlib.contextmanager
def beside() -> Iterator[list[str]]:
    """Give apt's options with which packages leave their byte code to us; it is compiled when this is left.

    :raises CompileError: py3compile failed; it is owed on.
    """
    os.makedirs(_DIRECTORY, exist_ok=True)
    stand_in = os.path.join(_DIRECTORY, _NAME)
    with open(stand_in, "w", encoding="ascii") as file:
        file.write(_STAND_IN.format(owed=OWED))
    os.chmod(stand_in, 0o755)
    worker = _Worker()
    worker.start()
    try:
        yield ["-o", f"DPkg::Path={_DIRECTORY}:/usr/sbin:/usr/bin:/sbin:/bin"]
    finally:
        worker.stop()
    settle(worker.done)
