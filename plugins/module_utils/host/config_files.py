# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Files with their contents, modes and owners: the actual and the desired state, and the change."""

from __future__ import annotations

import base64
import grp
import hashlib
import os
import pwd
import re
import shlex
import stat
import subprocess
import tempfile
from dataclasses import dataclass, replace

from ansible_collections.cairn.openstack.plugins.module_utils.common.changes import returned
from ansible_collections.cairn.openstack.plugins.module_utils.common.masking import masked

_BLOCK = "# {} cairn: the next run replaces this block"
_DROPPED = "# (Cairn) "

FILE = {
    "path": {"type": "path", "required": True},
    "content": {"type": "str"},
    "encoding": {"type": "str", "choices": ["text", "base64"], "default": "text"},
    "mode": {"type": "str", "default": "0644"},
    "owner": {"type": "str", "default": "root"},
    "group": {"type": "str", "default": "root"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "managed_block": {"type": "bool", "default": False},
    "comment_out": {"type": "str"},
    "secret": {"type": "bool", "default": False},
    "replace": {"type": "bool", "default": True},
    "validate": {"type": "str"},
    "contributors": {"type": "list", "elements": "str", "default": []},
    "options_of": {
        "type": "dict",
        "options": {"service": {"type": "str", "required": True}, "file": {"type": "str", "required": True}},
    },
}
SPEC = {"files": {"type": "list", "elements": "dict", "required": True, "options": FILE}}


@dataclass(frozen=True)
class State:
    """The state of a path: content (None if there is no file), mode bits, owner and group by name."""

    content: str | None = None
    mode: int | None = None
    owner: str | None = None
    group: str | None = None

    def meta(self) -> str:
        """Mode and owner as text, empty for a missing file."""
        return "" if self.content is None else f"{self.mode:04o} {self.owner}:{self.group}"


def _name(lookup, number: int) -> str:
    try:
        return lookup(number)[0]
    except KeyError:
        return str(number)


def read(path: str) -> State:
    """Return the actual state of *path*."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
            found = os.fstat(file.fileno())
            content = file.read()
    except FileNotFoundError:
        return State()
    return State(
        content, stat.S_IMODE(found.st_mode), _name(pwd.getpwuid, found.st_uid), _name(grp.getgrgid, found.st_gid)
    )


def with_block(old: str, block: str | None, drop: str | None) -> str:
    """Return *old* with *block* between Cairn's markers, and lines that match the expression *drop* as comments.

    For files that others also edit, such as /etc/hosts. None removes the block, and uncomments the lines.
    """
    begin, end = _BLOCK.format("BEGIN"), _BLOCK.format("END")
    rest = re.sub(rf"{re.escape(begin)}\n.*?{re.escape(end)}\n", "", old, flags=re.DOTALL)
    if block is None:
        return rest.replace(_DROPPED, "")
    if drop:
        lines = rest.splitlines(keepends=True)
        rest = "".join(_DROPPED + line if re.search(drop, line) else line for line in lines)
    if rest and not rest.endswith("\n"):
        rest += "\n"
    return f"{rest}{begin}\n{block.rstrip()}\n{end}\n"


def wanted(file: dict, before: State) -> State:
    """Return the desired state of *file*, an item of the module's option ``files``."""
    if not file["replace"] and before.content is not None:
        return before
    if file["state"] == "absent":
        if file["managed_block"] and before.content is not None:
            return replace(before, content=with_block(before.content, None, None))
        return State()
    content = file["content"] or ""
    if file["encoding"] == "base64":
        content = base64.b64decode(content).decode("utf-8", "surrogateescape")
    if file["managed_block"]:
        content = with_block(before.content or "", content, file["comment_out"])
    owner = file["owner"] or before.owner or _name(pwd.getpwuid, os.geteuid())
    group = file["group"] or before.group or _name(grp.getgrgid, os.getegid())
    return State(content, int(file["mode"], 8), owner, group)


def conflict(file: dict, before: State) -> str:
    """Return why *file*, which may not be replaced, cannot have its content; empty if it has it or may be written."""
    if file["replace"] or file["content"] is None or before.content is None:
        return ""
    found, asked = before.content.strip(), file["content"].strip()
    if found == asked:
        return ""
    shown = ("other content", "the right one") if file["secret"] else (masked(found) or "no content", masked(asked))
    return f"{file['path']} has {shown[0]}, and should have {shown[1]}"


def differ(files: list[dict]) -> bool:
    """Return whether one of *files*, items of the module's option ``files``, is not as it asks for."""
    return any(wanted(file, before) != before for file in files for before in (read(file["path"]),))


def difference(path: str, before: State, after: State, secret: bool, binary: bool = False) -> dict | None:
    """Return Ansible's diff of one file with secrets masked, or None without differences."""
    if before == after:
        return None
    shown = {"before": "", "after": ""}
    if before.content != after.content:
        old, new = before.content or "", after.content or ""
        if secret:
            shown = {"before": "(secret)\n" if old else "", "after": "(another secret)\n" if new else ""}
        elif binary:
            shown = {"before": _digest(old), "after": _digest(new)}
        else:
            shown = {"before": masked(old), "after": masked(new)}
            if shown["before"] == shown["after"]:
                shown["after"] += "(a secret in it differs)\n"
    shown["before_header"] = f"{path} {before.meta() or '(absent)'}"
    shown["after_header"] = f"{path} {after.meta() or '(absent)'}"
    if shown["before"] == shown["after"]:  # only the mode or the owner: add it to the body, which is always shown
        shown["before"], shown["after"] = before.meta() + "\n", after.meta() + "\n"
    return shown


def _digest(content: str) -> str:
    """Return a summary of a binary file for the diff."""
    data = content.encode("utf-8", "surrogateescape")
    return f"({len(data)} bytes, sha256 {hashlib.sha256(data).hexdigest()})\n" if data else ""


def change(path: str, before: State, after: State) -> dict[str, str]:
    """Return the difference between two states as a change."""
    if before.content is None:
        return returned("file", "create", path)
    if after.content is None:
        return returned("file", "remove", path)
    parts = [
        word
        for word, differs in (
            ("content", before.content != after.content),
            ("mode", before.mode != after.mode),
            ("owner", (before.owner, before.group) != (after.owner, after.group)),
        )
        if differs
    ]
    return returned("file", "change", path, ", ".join(parts))


def fingerprint(content: bytes, mode: int, uid: int, gid: int) -> str:
    """Return a digest of everything that a reader of a file may depend on."""
    return hashlib.sha256(content + f"{mode:o} {uid} {gid}".encode()).hexdigest()


def future(after: State) -> str:
    """Return the fingerprint of a file in the state *after*, empty if it is absent.

    A user of a package that is not installed yet has no number; then no unit is running that depends on it.
    """
    if after.content is None:
        return ""
    try:
        uid, gid = pwd.getpwnam(after.owner).pw_uid, grp.getgrnam(after.group).gr_gid
    except KeyError:
        return "unknown"
    return fingerprint(after.content.encode("utf-8", "surrogateescape"), after.mode, uid, gid)


def refused(command: str, content: str) -> str:
    """Return what a *command*, in which ``%s`` is a file, says against *content*; empty if it accepts it.

    A command that is not installed yet accepts everything.
    """
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", errors="surrogateescape", prefix="cairn-") as file:
        file.write(content)
        file.flush()
        words = [word.replace("%s", file.name) for word in shlex.split(command)]
        try:
            done = subprocess.run(words, capture_output=True, text=True, check=False)
        except FileNotFoundError:
            return ""
    return (done.stderr or done.stdout or f"exit code {done.returncode}").strip() if done.returncode else ""


def write(path: str, after: State) -> None:
    """Change *path* to the state *after* atomically: a reader gets the old file or the new one.

    :raises KeyError: the owner or the group does not exist on this host.
    :raises OSError: the file cannot be written.
    """
    if after.content is None:
        os.unlink(path)
        directory = os.path.dirname(path)
        if directory.startswith("/etc/systemd/") and not os.listdir(directory):
            os.rmdir(directory)
        return
    uid, gid = pwd.getpwnam(after.owner).pw_uid, grp.getgrnam(after.group).gr_gid
    directory = os.path.dirname(path)
    os.makedirs(directory, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=directory, prefix=".cairn-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(after.content)
            os.fchown(file.fileno(), uid, gid)
            os.fchmod(file.fileno(), after.mode)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.replace(temporary, path)
        except OSError as error:
            # A file that is a mount point (/etc/hosts in some containers) cannot be replaced, only rewritten.
            if error.errno != 16:
                raise
            with open(path, "w", encoding="utf-8", errors="surrogateescape") as file:
                os.fchown(file.fileno(), uid, gid)
                os.fchmod(file.fileno(), after.mode)
                file.write(after.content)
    finally:
        if os.path.exists(temporary):
            os.unlink(temporary)
