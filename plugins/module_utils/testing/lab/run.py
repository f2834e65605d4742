# Copyright (c) 2026 The Cairn authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Commands and files, with errors that say what failed."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import subprocess


class LabError(Exception):
    """What went wrong, in words for the person who runs the lab."""


def run(*argv, check=True, timeout=120, **kwargs):
    """Run a command to its end; its standard output is the answer."""
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=timeout, **kwargs)
    except FileNotFoundError as error:
        raise LabError(f"{argv[0]} is not installed on this machine") from error
    except subprocess.TimeoutExpired as error:
        raise LabError(f"`{' '.join(argv)}` did not end within {timeout} s") from error
    if check and done.returncode:
        words = (done.stderr or done.stdout).strip()[-2000:]
        raise LabError(f"`{' '.join(argv)}` failed ({done.returncode}): {words}")
    return done.stdout if not done.returncode else ""


def run_json(*argv, **kwargs):
    """Run a command that answers in JSON; nothing said is an empty list."""
    text = run(*argv, **kwargs)
    return json.loads(text) if text.strip() else []


def read(path, default=""):
    """A file's text, or the default where it can't be read."""
    try:
        with open(path, encoding="utf-8") as stream:
            return stream.read()
    except (FileNotFoundError, ProcessLookupError, NotADirectoryError):
        return default


def write(path, text, mode=0o644):
    """Write a file whole or not at all; True if that changed it."""
    if os.path.exists(path) and read(path) == text and os.stat(path).st_mode & 0o7777 == mode:
        return False
    temporary = f"{path}.{os.getpid()}.tmp"
    with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as stream:
        stream.write(text)
    os.chmod(temporary, mode)
    os.replace(temporary, path)
    return True


@contextlib.contextmanager
def locked(path):
    """One at a time: the lock is the kernel's, so it ends with its holder."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "a", encoding="utf-8") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield
