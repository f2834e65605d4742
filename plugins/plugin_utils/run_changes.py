# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a task's result says that it changed: read into one shape, whatever module it is of, and counted."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

# By module; what is not listed is a step, told by its task's name.
KINDS = {
    "packages": "package",
    "config_files": "file",
    "units": "unit",
    "databases": "database account",
    "message_users": "message account",
    "schemas": "schema step",
    "keystone_keys": "key repository",
    "identity": "identity object",
    "ovs_bridges": "bridge",
    "swift_rings": "ring",
    "resources": "resource",
    "volume_groups": "volume group",
    "secrets": "secret",
    "certificates": "certificate",
    "remnants": "remnant",
}
STEP = "step"
# What pages list by name.
OWNED = ("package", "file", "unit")
# Action plugins that work on the operator's machine, whichever host's task they are.
AT_THE_OPERATOR = {"secrets", "certificates"}
DONE = {
    "installed": "install",
    "configured": "configure",
    "purged": "purge",
    "created": "create",
    "removed": "remove",
    "unmasked": "unmask",
    "disabled": "disable",
    "enabled": "enable",
    "stopped": "stop",
    "reloaded": "reload",
    "started": "start",
    "restarted": "restart",
    "generated": "generate",
    "made": "make",
    "ended": "end",
}
DEEDS = ("create", "delete", "drop", "grant", "revoke", "set", "let in", "unlock", "bootstrap", "repair")
# What is done to one unit is counted once, by the last of these.
UNIT_VERBS = ("unmask", "disable", "enable", "stop", "reload", "start", "restart")
_DONE = re.compile(rf"(?P<name>.+?) (?P<verb>{'|'.join(DONE)})(?:: (?P<detail>.*))?", re.DOTALL)
_DEED = re.compile(rf"(?P<verb>{'|'.join(DEEDS)})(?: (?P<detail>.*))?", re.DOTALL)


@dataclass(frozen=True)
class Change:
    """One thing that was changed, or would be.

    :param kind: what it is, such as C(file).
    :param verb: what is done to it, in its base form.
    :param detail: what of it, or why.
    :param diff: as the module returned it.
    """

    kind: str
    verb: str
    name: str
    detail: str = ""
    diff: tuple = ()


def module_of(action: str) -> str:
    """Return the name that KINDS knows an action by."""
    return action.removeprefix("cairn.openstack.")


def read(action: str, step: str, result: dict) -> list[Change]:
    """Return what the result of one task on one host says that it changed.

    :param action: the module or action plugin.
    :param step: the task's name, for modules that say only that they changed something.
    """
    items = result.get("results")
    if isinstance(items, list):
        return [change for item in items if isinstance(item, dict) for change in read(action, step, item)]
    if not result.get("changed"):
        return []
    found = result.get("changes")
    diffs = result.get("diff")
    diffs = [diff for diff in (diffs if isinstance(diffs, list) else [diffs]) if isinstance(diff, dict)]
    if not isinstance(found, list) or not found:
        label = result.get("_ansible_item_label", result.get("item"))
        detail = label if isinstance(label, str) and not result.get("_ansible_no_log") else ""
        return [Change(STEP, "change", step, detail, tuple(diffs))]
    module = module_of(action)
    changes = [_one(module, told) for told in found]
    return [
        Change(change.kind, change.verb, change.name, change.detail, _diff_of(change.name, place, len(found), diffs))
        for place, change in enumerate(changes)
    ]


def _one(module: str, told: Any) -> Change:
    kind = KINDS.get(module, STEP)
    if isinstance(told, dict):
        name = str(told.get("path") or told.get("name") or told)
        reason = str(told.get("reason") or "")
        verb, detail = (DONE[reason], "") if reason in DONE else ("change", reason)
    else:
        name, verb, detail = _words(str(told))
    if module == "schemas":
        verb = "run"
    if module == "databases" and name.startswith("database "):
        kind = "database"
    if module == "ovs_bridges" and name.startswith("/"):
        kind = "file"
    if module == "ovs_bridges" and name.endswith(".service"):
        kind = "unit"
    return Change(kind, verb, name, detail)


def _words(text: str) -> tuple[str, str, str]:
    """Take apart ``NAME installed: why`` and ``NAME: create``."""
    if match := _DONE.fullmatch(text):
        return match["name"], DONE[match["verb"]], match["detail"] or ""
    name, _colon, deed = text.partition(": ")
    if match := _DEED.fullmatch(deed):
        return name, match["verb"], match["detail"] or ""
    return name, "change", deed


def _diff_of(name: str, place: int, number: int, diffs: list[dict]) -> tuple:
    """Return the diff under a change's name, of several the one at its place; one without a header says nothing new."""
    likely = [diffs[place]] if number == len(diffs) else []
    for diff in likely + diffs:
        header = str(diff.get("before_header") or "")
        if header == name or header.startswith(f"{name} "):
            return (diff,)
    return ()


def service(words: str, pages: dict[str, str]) -> str:
    """Return the page of the catalogue that *words* name, empty where they name none.

    :param pages: the pages' texts by name.
    """
    return next((word for word in re.split(r"[^a-z0-9]+", words.lower()) if word in pages), "")


def service_of(change: Change, pages: dict[str, str]) -> str:
    """Return the page that a change is about: the one that its name names, or the only one that mentions it."""
    named = service(change.name, pages)
    if named or change.kind not in OWNED:
        return named
    whole = re.compile(rf"(?<![\w/.-]){re.escape(change.name.removesuffix('.service'))}(?![\w/-])")
    mentioning = [name for name, text in pages.items() if whole.search(text)]
    return mentioning[0] if len(mentioning) == 1 else ""


def counts(changes: Iterable[tuple[str, Change]]) -> dict[str, dict[str, int]]:
    """Return how many things of each kind have which verb.

    :param changes: each with its host.
    """
    verbs: dict[tuple[str, str, str], str] = {}
    for host, change in changes:
        thing = (host, change.kind, change.name if change.kind == "unit" else f"{change.name}\n{change.detail}")
        verbs[thing] = max(verbs.get(thing, ""), change.verb, key=_weight)
    found: dict[str, Counter] = {}
    for (_host, kind, _name), verb in verbs.items():
        found.setdefault(kind, Counter())[verb] += 1
    return {kind: dict(number) for kind, number in found.items()}


def _weight(verb: str) -> int:
    return UNIT_VERBS.index(verb) if verb in UNIT_VERBS else len(UNIT_VERBS) if verb else -1
