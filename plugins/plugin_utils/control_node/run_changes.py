# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The changes reported by a task's result, as a list of one type, and their counts."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

# The kind for modules that report only whether they changed something.
STEP = "step"
# Kinds whose names are listed in service definitions.
OWNED = ("package", "file", "unit")
# Action plugins that run on the control node, whatever the host of the task.
AT_THE_OPERATOR = {"secrets", "certificates"}
# Kinds in which several things have the same name, and differ in their details.
SEVERAL = (STEP, "schema step")
# Several changes of one unit are counted once, as the last of these.
UNIT_VERBS = ("unmask", "disable", "enable", "stop", "change", "reload", "start", "restart")
KEYS = ("kind", "verb", "name", "detail")


@dataclass(frozen=True)
class Change:
    """A change that was or would be made.

    :param kind: the kind of thing, such as C(file).
    :param verb: the action, in its base form.
    :param detail: the part that changed, or the cause.
    :param diff: as returned by the module.
    """

    kind: str
    verb: str
    name: str
    detail: str = ""
    diff: tuple = ()


def module_of(action: str) -> str:
    """Return the short name of one of the collection's modules or action plugins."""
    return action.removeprefix("cairn.openstack.")


def read(step: str, result: dict) -> list[Change]:
    """Return the changes reported by the result of one task on one host.

    :param step: the task's name, for modules that report only whether they changed something.
    """
    items = result.get("results")
    if isinstance(items, list):
        return [change for item in items if isinstance(item, dict) for change in read(step, item)]
    if not result.get("changed"):
        return []
    found, diff = result.get("changes"), result.get("diff")
    if not _changes(found):
        label = result.get("_ansible_item_label", result.get("item"))
        detail = label if isinstance(label, str) and not result.get("_ansible_no_log") else ""
        diffs = [one for one in (diff if isinstance(diff, list) else [diff]) if isinstance(one, dict)]
        return [Change(STEP, "change", step, detail, tuple(diffs))]
    # A list has one for each change, in their order; a single one is for all of them and adds nothing.
    diffs = diff if isinstance(diff, list) and len(diff) == len(found) else [None] * len(found)
    return [
        Change(*(one[key] for key in KEYS), (own,) if isinstance(own, dict) else ())
        for one, own in zip(found, diffs, strict=True)
    ]


def _changes(found: Any) -> bool:
    """Whether these are changes in the format of the collection's modules."""
    return (
        isinstance(found, list)
        and bool(found)
        and all(isinstance(one, dict) and all(isinstance(one.get(key), str) for key in KEYS) for one in found)
    )


def service(words: str, definitions: dict[str, str]) -> str:
    """Return the service definition that *words* mention, empty if none.

    :param definitions: the definitions' texts by name.
    """
    return next((word for word in re.split(r"[^a-z0-9]+", words.lower()) if word in definitions), "")


def service_of(change: Change, definitions: dict[str, str]) -> str:
    """Return the definition of a change: the one in its name, or the only one that mentions it."""
    named = service(change.name, definitions)
    if named or change.kind not in OWNED:
        return named
    whole = re.compile(rf"(?<![\w/.-]){re.escape(change.name.removesuffix('.service'))}(?![\w/-])")
    mentioning = [name for name, text in definitions.items() if whole.search(text)]
    return mentioning[0] if len(mentioning) == 1 else ""


def counts(changes: Iterable[tuple[str, Change]]) -> dict[str, dict[str, int]]:
    """Return the number of changes by kind and verb.

    :param changes: each with its host.
    """
    verbs: dict[tuple[str, str, str], str] = {}
    for host, change in changes:
        thing = (host, change.kind, f"{change.name}\n{change.detail}" if change.kind in SEVERAL else change.name)
        verbs[thing] = max(verbs.get(thing, ""), change.verb, key=_weight)
    found: dict[str, Counter] = {}
    for (_host, kind, _name), verb in verbs.items():
        found.setdefault(kind, Counter())[verb] += 1
    return {kind: dict(number) for kind, number in found.items()}


def _weight(verb: str) -> int:
    return UNIT_VERBS.index(verb) if verb in UNIT_VERBS else len(UNIT_VERBS) if verb else -1
