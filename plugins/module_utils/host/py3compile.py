# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Compiles the byte code of a transaction's Python packages together, and in parallel to dpkg.

Each of some 280 maintainer scripts calls py3compile, which starts Python twice and dpkg once: half of its processor
time is spent starting, and dpkg waits. During Cairn's own transaction a replacement, first in dpkg's path, only
records the calls, and a thread runs py3compile for all of them. The next run compiles what an interrupted run has
recorded.

Test suites, a third of the code, are skipped: no service imports them, and Python compiles them on import.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import subprocess
import threading
from collections.abc import Iterator

DEFERRED = "/var/lib/cairn/py3compile"
_DIRECTORY = "/var/lib/cairn/path"
_PUBLIC = "/usr/lib/python3/dist-packages/"
# The common form: the public modules of a package; the versions (-V), if any, include Debian 13's only Python.
_PACKAGE = re.compile(r"-p (\S+)(?: -V \S+)?")
_TESTS = ".*/tests/"
_NAME = "py3compile"
_STAND_IN = """#!/bin/sh
echo "$*" >> {deferred} && sync {deferred}
"""
_PAUSE = 2.0


class CompileError(Exception):
    """py3compile failed; with its message."""


def deferred(beginning: int = 0) -> list[str]:
    """Return the arguments of the recorded calls, from the line *beginning* on."""
    try:
        with open(DEFERRED, encoding="utf-8") as file:
            return [line.strip() for line in file.read().split("\n")[:-1]][beginning:]
    except FileNotFoundError:
        return []


def deferred_packages() -> list[str]:
    """Return the packages whose byte code an interrupted run has not compiled."""
    return sorted({line.split()[1].partition(":")[0] for line in deferred() if line.startswith("-p ")})


def _py3compile(*arguments: str) -> None:
    done = subprocess.run([_NAME, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise CompileError(f"py3compile {' '.join(arguments[:6])}: {done.stderr.strip()[-2000:]}")


def public(packages: list[str]) -> list[str]:
    """Return the modules and packages of *packages* in Python's public directory."""
    said = subprocess.run(["dpkg-query", "--listfiles", *packages], capture_output=True, text=True, check=False).stdout
    files = (line for line in said.splitlines() if line.startswith(_PUBLIC) and line.endswith(".py"))
    return sorted({_PUBLIC + file.removeprefix(_PUBLIC).partition("/")[0] for file in files})


def compile_all(lines: list[str]) -> None:
    """Execute the calls *lines*, with the public modules of all packages in one call and without tests.

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
    """Execute the deferred calls after the first *done* ones, and remove the record and the replacement.

    :raises CompileError: py3compile failed; its calls remain deferred.
    """
    compile_all(deferred(done))
    for path in (DEFERRED, os.path.join(_DIRECTORY, _NAME)):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
    with contextlib.suppress(FileNotFoundError):
        os.rmdir(_DIRECTORY)


class _Worker(threading.Thread):
    """Executes recorded calls periodically; ``done`` counts the executed ones."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.done = 0
        self._over = threading.Event()

    def run(self) -> None:
        """Run until :meth:`stop`, or until an error, which :func:`settle` will raise."""
        with contextlib.suppress(CompileError):
            while not self._over.wait(_PAUSE):
                lines = deferred(self.done)
                compile_all(lines)
                self.done += len(lines)

    def stop(self) -> None:
        """Finish the current call and stop."""
        self._over.set()
        self.join()


@contextlib.contextmanager
def beside() -> Iterator[list[str]]:
    """Yield the options of apt that defer the compilation; it is completed at the end of the context.

    :raises CompileError: py3compile failed; its calls remain deferred.
    """
    os.makedirs(_DIRECTORY, exist_ok=True)
    stand_in = os.path.join(_DIRECTORY, _NAME)
    with open(stand_in, "w", encoding="ascii") as file:
        file.write(_STAND_IN.format(deferred=DEFERRED))
    os.chmod(stand_in, 0o755)
    worker = _Worker()
    worker.start()
    try:
        yield ["-o", f"DPkg::Path={_DIRECTORY}:/usr/sbin:/usr/bin:/sbin:/bin"]
    finally:
        worker.stop()
    settle(worker.done)
