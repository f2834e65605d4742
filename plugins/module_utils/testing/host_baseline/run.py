# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Running commands that only read."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess

_ENVIRONMENT = {**os.environ, "LC_ALL": "C.UTF-8", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}


class ReadError(Exception):
    """Something exists but cannot be read."""


def there(command: str) -> bool:
    """Whether *command* is installed."""
    return shutil.which(command, path=_ENVIRONMENT["PATH"]) is not None


def read(*command: str, given: str | None = None) -> str:
    """Return the output of *command*.

    :raises ReadError: it fails.
    """
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=False, env=_ENVIRONMENT)
    if done.returncode:
        raise ReadError(f"{' '.join(command)}: {done.stderr.strip() or done.returncode}")
    return done.stdout


def digest(value: bytes | str) -> str:
    """Return a short digest, which shows changes but no secrets."""
    return hashlib.sha256(value.encode() if isinstance(value, str) else value).hexdigest()[:20]
