# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Options by the code that is installed on a host, where it is other code than the shipped indexes come from."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import subprocess
from collections.abc import Mapping
from typing import Any

from ansible_collections.cairn.openstack.plugins.module_utils.common import option_index
from ansible_collections.cairn.openstack.plugins.module_utils.common.module_source import source

# Each index as the host's code answered, until a package has another version.
DIRECTORY = "/var/lib/cairn/options"
# The interpreter that Debian's packages are installed for.
_PYTHON = "/usr/bin/python3"
_SECONDS = 120


class Unanswered(Exception):
    """The service's code does not say its options; the message is its own."""


def _program() -> str:
    return source(option_index)


def _asked(service: str) -> dict[str, Any] | None:
    """Return what the installed code says of *service*, None where the service is not installed."""
    try:
        said = subprocess.run(
            [_PYTHON, "-", service], input=_program(), capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unanswered(str(error)) from error
    if said.returncode == option_index.NOT_INSTALLED:
        return None
    if said.returncode:
        raise Unanswered(said.stderr.strip().rpartition("\n")[2])
    return json.loads(said.stdout)


def index(service: str, shipped: Mapping[str, str], keep: bool) -> dict[str, Any] | None:
    """Return the index of *service* by the code on this host; None where that is the code of *shipped*, or is absent.

    *shipped* are packages with their versions. The answer is kept, if asked to, until a version changes.

    :raises Unanswered: the code could not be asked.
    """
    installed = option_index.versions(shipped)
    if all(shipped[name] == version for name, version in installed.items()):
        return None
    path = os.path.join(DIRECTORY, f"{service}.json")
    # Another program may write an index of another shape.
    program = hashlib.sha256(_program().encode()).hexdigest()
    with contextlib.suppress(OSError, ValueError, KeyError), open(path, encoding="utf-8") as file:
        kept = json.load(file)
        if kept["program"] == program and option_index.versions(kept["packages"]) == kept["packages"]:
            return kept
    found = _asked(service)
    if found and keep:
        os.makedirs(DIRECTORY, exist_ok=True)
        with open(f"{path}.new", "w", encoding="utf-8") as file:
            json.dump({"program": program, **found}, file)
        os.replace(f"{path}.new", path)
    return found
