# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The options in the code that is installed on a host, if its version differs from that of the shipped indexes."""

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

# Cached indexes of the host's code, valid until a package changes.
DIRECTORY = "/var/lib/cairn/options"
# The interpreter of Debian's packages.
_PYTHON = "/usr/bin/python3"
_SECONDS = 120


class Unanswered(Exception):
    """The index of a service cannot be built from its code; the message has the cause."""


def _program() -> str:
    return source(option_index)


def _asked(service: str) -> dict[str, Any] | None:
    """Return the index of *service* from the installed code, None if it is not installed."""
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
    """Return the index of *service* from the code on this host; None if it is absent or has the versions of *shipped*.

    *shipped* are packages with their versions. The index is cached, if requested, until a version changes.

    :raises Unanswered: the index could not be built.
    """
    installed = option_index.versions(shipped)
    if all(shipped[name] == version for name, version in installed.items()):
        return None
    path = os.path.join(DIRECTORY, f"{service}.json")
    # Another version of this collection may write an index of another format.
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
