# Copyright (c) 2026 The Cairn authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Commands and files, with descriptive errors."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import subprocess


class LabError(Exception):
    """An error of the lab, for its user."""


def run(*argv, check=True, timeout=120, **kwargs):
    """Run a command and return its standard output."""
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=timeout, **kwargs)
    except FileNotFoundError as error:
        raise LabError(f"{argv[0]} is not installed on this computer") from error
    except subprocess.TimeoutExpired as error:
        raise LabError(f"`{' '.join(argv)}` did not end within {timeout} s") from error
    if check and done.returncode:
        words = (done.stderr or done.stdout).strip()[-2000:]
        raise LabError(f"`{' '.join(argv)}` failed ({done.returncode}): {words}")
    return done.stdout if not done.returncode else ""


def run_json(*argv, **kwargs):
    """Run a command with JSON output; no output is an empty list."""
    text = run(*argv, **kwargs)
    return json.loads(text) if text.strip() else []


def read(path, default=""):
    """Return the text of a file, or the default if it cannot be read."""
    try:
        with open(path, encoding="utf-8") as stream:
            return stream.read()
    except (FileNotFoundError, ProcessLookupError, NotADirectoryError):
        return default


def write(path, text, mode=0o644):
    """Write a file atomically; return True if that changed it."""
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
    """Hold a lock of the kernel, which ends with the process."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "a", encoding="utf-8") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield
