# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Key repositories of Keystone: created once, completely or not at all, and completed if a key was lost."""

from __future__ import annotations

import base64
import binascii
import contextlib
import grp
import os
import pwd
import shutil
import tempfile
from collections.abc import Callable
from functools import partial

from ansible_collections.cairn.openstack.plugins.module_utils.common.changes import Change, Failed

MODES = {"directory": 0o700, "key": 0o600}
_ENTRY = {
    "path": {"type": "path", "required": True},
    "keys": {"type": "list", "elements": "str", "required": True, "no_log": True},
    "owner": {"type": "str", "default": "keystone"},
    "group": {"type": "str", "default": "keystone"},
}
SPEC = {
    "repositories": {"type": "list", "elements": "dict", "required": True, "no_log": False, "options": _ENTRY},
}
"""The options of the module."""


def compute(options: dict) -> list[Change]:
    """Return the changes to the repositories.

    :raises Failed: the given keys are invalid.
    """
    for repository in options["repositories"]:
        check_keys(repository)
    return [change for repository in options["repositories"] for change in plan(repository)]


def check_keys(repository: dict) -> None:
    """Check that Keystone can read the keys, without showing them.

    :raises Failed: a key is not 32 bytes in URL-safe base64, or one is given twice.
    """
    path, keys = repository["path"], repository["keys"]
    if not keys:
        raise Failed(f"repository {path}: no keys were given")
    if len(set(keys)) < len(keys):
        raise Failed(f"repository {path}: a key is given twice")
    for number, key in enumerate(keys):
        try:
            good = len(base64.urlsafe_b64decode(key)) == 32
        except (binascii.Error, ValueError):
            good = False
        if not good:
            raise Failed(f"repository {path}: key {number} is not 32 bytes in URL-safe base64 (44 characters)")


def read(path: str) -> dict[str, str]:
    """Return the keys of a repository by number. Keystone ignores empty files."""
    keys = {}
    for entry in sorted(os.listdir(path)) if os.path.isdir(path) else ():
        if entry.isdigit():
            with open(os.path.join(path, entry), encoding="ascii", errors="replace") as file:
                keys[entry] = file.read().strip()
    return {number: key for number, key in keys.items() if key}


def lacking(held: dict[str, str], given: list[str]) -> dict[str, str]:
    """Return the keys that a repository lacks, by number.

    If it was never rotated, the given ones are known to be right. In another one only the staged key is replaced, by a
    new one: nothing is encrypted with it, and the given one may be a former primary key.
    """
    wanted = {str(number): key for number, key in enumerate(given)}
    if held.items() <= wanted.items():
        return {number: key for number, key in wanted.items() if number not in held}
    return {} if "0" in held else {"0": base64.urlsafe_b64encode(os.urandom(32)).decode()}


def warnings(options: dict) -> list[str]:
    """Return warnings about lost keys that no run can make again."""
    return [
        f"Key repository {repository['path']} has lost {what}: Keystone here refuses what is encrypted with it."
        " Copy the directory from another controller, or from a backup"
        for repository in options["repositories"]
        if (what := lost(read(repository["path"]), repository["keys"]))
    ]


def lost(held: dict[str, str], given: list[str]) -> str:
    """Return which key a rotated repository has lost, as far as the others show it.

    A rotation gives the staged key the next number, and removes the lowest ones.
    """
    wanted = {str(number): key for number, key in enumerate(given)}
    if held.items() <= wanted.items():
        return ""
    numbers = sorted(int(number) for number in held if number != "0")
    last = len(given) - 1
    # The first rotation has made the given staged key the primary one, of the next number.
    rotated_once = numbers and numbers[-1] == last and held[str(last)] == given[last] and "0" in held
    if not numbers or (rotated_once and held["0"] != given[0]):
        return "its primary key"
    missing = sorted(set(range(numbers[0], numbers[-1])) - set(numbers))
    return f"key {', '.join(map(str, missing))}" if missing else ""


def plan(repository: dict) -> list[Change]:
    """Return the changes to a repository: its creation, lost keys, or only modes and owners."""
    path, keys = repository["path"], read(repository["path"])
    held = sorted(keys)
    if not held:
        after = {"owner": repository["owner"], "group": repository["group"], "keys": len(repository["keys"])}
        return [Change("key repository", "create", path, {}, after, lambda: create(repository))]
    changes = []
    if new := lacking(keys, repository["keys"]):
        numbers = ", ".join(sorted(new))
        has, gets = {"keys": ", ".join(held)}, {"keys": ", ".join(sorted({*held, *new}))}
        add = partial(complete, repository, new)
        changes.append(Change("key repository", "repair", path, has, gets, add, f"without key {numbers}"))
    before, after = {}, {}
    paths = [(path, "directory")] + [(os.path.join(path, number), "key") for number in held]
    for file, kind in paths:
        status = os.stat(file)
        found = [
            _name(pwd.getpwuid, status.st_uid),
            _name(grp.getgrgid, status.st_gid),
            f"{status.st_mode & 0o7777:04o}",
        ]
        wanted = [repository["owner"], repository["group"], f"{MODES[kind]:04o}"]
        if found != wanted:
            before[file], after[file] = " ".join(found), " ".join(wanted)
    if not after:
        return changes
    broken = [(file, kind) for file, kind in paths if file in after]
    repair = partial(protect, repository, broken)
    return [*changes, Change("key repository", "repair", path, before, after, repair, "mode and owner")]


def create(repository: dict) -> None:
    """Write all keys to a temporary directory, then rename it: an interrupted run leaves none or all."""
    path = repository["path"].rstrip("/")
    try:
        scratch = tempfile.mkdtemp(prefix=f".{os.path.basename(path)}.", dir=os.path.dirname(path))
    except OSError as error:
        raise Failed(f"{error.strerror}: {os.path.dirname(path)} (it comes with Keystone's package)") from error
    try:
        for number, key in enumerate(repository["keys"]):
            with open(os.open(os.path.join(scratch, str(number)), os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
                file.write(key)
        files = [(os.path.join(scratch, str(number)), "key") for number in range(len(repository["keys"]))]
        protect(repository, [(scratch, "directory"), *files])
        os.rename(scratch, path)
    except OSError as error:
        raise Failed(f"{error.strerror}: {error.filename}") from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def complete(repository: dict, keys: dict[str, str]) -> None:
    """Add keys to a repository that is in use: Keystone sees each of them whole or not at all."""
    for number, key in keys.items():
        path = os.path.join(repository["path"], number)
        scratch = f"{path}.cairn"
        try:
            with open(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
                file.write(key)
            protect(repository, [(scratch, "key")])
            os.rename(scratch, path)
        except OSError as error:
            raise Failed(f"{error.strerror}: {error.filename}") from error
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(scratch)


def protect(repository: dict, paths: list[tuple[str, str]]) -> None:
    """Set the owner and mode of files and directories."""
    uid = _number(pwd.getpwnam, "user", repository["owner"], "pw_uid")
    gid = _number(grp.getgrnam, "group", repository["group"], "gr_gid")
    for path, kind in paths:
        os.chown(path, uid, gid)
        os.chmod(path, MODES[kind])


def _name(lookup: Callable, number: int) -> str:
    """Return the name of a user or group, or its number if it has none."""
    try:
        return lookup(number)[0]
    except KeyError:
        return str(number)


def _number(lookup: Callable, kind: str, name: str, attribute: str) -> int:
    """Return the number of a user or group."""
    try:
        return getattr(lookup(name), attribute)
    except KeyError as error:
        raise Failed(f"the {kind} {name} does not exist (it comes with Keystone's package)") from error
