# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The tools that a build runs."""

from __future__ import annotations

import os
import subprocess


class BuildError(Exception):
    """The build failed; the message has the cause."""


def run(*argv: str, stdin: str = "") -> str:
    """Return the output of a command; errors contain the end of its error output."""
    path = f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin:/sbin"
    try:
        done = subprocess.run(
            argv,
            check=True,
            text=True,
            capture_output=True,
            input=stdin,
            env={**os.environ, "PATH": path, "LC_ALL": "C.UTF-8"},
        )
    except FileNotFoundError as error:
        raise BuildError(f"{argv[0]} is not installed on this host") from error
    except subprocess.CalledProcessError as error:
        raise BuildError(f"{' '.join(argv)} ended with {error.returncode}: {error.stderr.strip()[-2000:]}") from error
    return done.stdout
