# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Base class of all kinds of objects: list once, compare, create, update, delete."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from ansible_collections.cairn.openstack.plugins.module_utils.cloud.sdk import translate_errors
from ansible_collections.cairn.openstack.plugins.module_utils.common.changes import Change, Failed


def flat(fields: dict) -> dict:
    """Return ``{a: {b: 1}}`` as ``{"a.b": 1}``, to compare, change and show single values."""
    result = {}
    for name, value in fields.items():
        if isinstance(value, dict):
            result.update({f"{name}.{inner}": leaf for inner, leaf in flat(value).items()})
        else:
            result[name] = value
    return result


def part(fields: dict, name: str) -> dict:
    """Return ``{b: 1}`` from ``{"a.b": 1}`` for the name ``a``."""
    return {field[len(name) + 1 :]: value for field, value in fields.items() if field.startswith(f"{name}.")}


def text(value: Any) -> str | None:
    """Return a value in the form of the APIs for free-form keys: as text, with lower-case booleans."""
    if value is None:
        return None
    return str(value).lower() if isinstance(value, bool) else str(value)


def texts(values: dict | None) -> dict[str, str | None]:
    """Return free-form keys with their values as text."""
    return {str(name): text(value) for name, value in (values or {}).items()}


def differing(before: dict, wanted: dict) -> dict:
    """Return the declared fields that differ. A field that is absent is None."""
    return {field: value for field, value in wanted.items() if before.get(field) != value}


class Kind:
    """A kind of object. Subclasses define how it is listed, compared and changed."""

    name = ""
    # Fields that can be set only at creation.
    fixed: frozenset[str] = frozenset()

    def __init__(self, cloud: Any):
        self.cloud = cloud

    @cached_property
    def existing(self) -> dict[Any, Any]:
        """All objects by key, listed once; created ones are added."""
        if not self.cloud.conn:
            return {}
        return dict(self.found())

    def id(self, key: Any) -> str:
        """Return the id of the object with that key, which an earlier change may have created.

        :raises Failed: there is none.
        """
        if key not in self.existing:
            raise Failed(f"there is no {self.title(key)}")
        return self.existing[key].id

    def title(self, key: Any) -> str:
        """Return the kind and the name of the object with that key."""
        return f"{self.name} {self.label(key)}"

    def label(self, key: Any) -> str:
        """Return the name of the object with that key."""
        return key[-1] if isinstance(key, tuple) else key

    def items(self, params: dict) -> list[dict]:
        """Return the declared objects of this kind."""
        return params[f"{self.name}s"]

    def key(self, item: dict) -> Any:
        """Return the key of a declared object."""
        return item["name"]

    def found(self):
        """Yield (key, object) of all existing objects."""
        raise NotImplementedError

    def facts(self, thing: Any) -> dict:
        """Return the fields of an object, by the names in ``wanted``."""
        return {}

    def wanted(self, item: dict) -> dict:
        """Return the declared fields; None for an undeclared one."""
        return {}

    def create(self, item: dict, fields: dict) -> Any:
        """Create the object and return it."""
        raise NotImplementedError

    def update(self, thing: Any, fields: dict, item: dict) -> None:
        """Update these fields of the object."""
        raise NotImplementedError

    def delete(self, thing: Any) -> None:
        """Delete the object."""
        raise NotImplementedError

    def errors(self, item: dict, changed: dict) -> list[str]:
        """Return why these fields of an existing object cannot be changed."""
        return [f"{field} cannot be changed" for field in sorted(self.fixed & set(changed))]

    def plan(self, params: dict) -> tuple[list[Change], list[str]]:
        """Return the changes to the declared objects, and the errors."""
        changes, errors = [], []
        for item in self.items(params):
            key, label = self.key(item), self.label(self.key(item))
            thing = self.existing.get(key)
            before = flat(self.facts(thing)) if thing is not None else {}
            if item.get("state") == "absent":
                if thing is not None:
                    changes.append(self.change("delete", label, before, {}, self.deletion(key)))
                continue
            fields = self.declared(item)
            if thing is None:
                fields = {field: value for field, value in fields.items() if value is not None}
                changes.append(self.change("create", label, {}, {"name": label, **fields}, self.creation(item, fields)))
                continue
            new = differing(before, fields)
            errors += [f"{self.title(key)}: {why}" for why in self.errors(item, new)]
            if new:
                old = {field: before.get(field) for field in new}
                detail = ", ".join(f"{field} {old[field]} -> {value}" for field, value in new.items())
                changes.append(self.change("change", label, old, new, self.renewal(key, new, item), detail))
        return changes, errors

    def declared(self, item: dict) -> dict:
        """Return the flat fields to compare. In a declared dict, None removes a key."""
        return {
            field: value
            for name, given in self.wanted(item).items()
            if given is not None
            for field, value in flat({name: given}).items()
        }

    def change(self, verb: str, label: str, before: dict, after: dict, apply, detail: str = "") -> Change:
        """Return a change whose errors are converted to text."""

        def make():
            with translate_errors():
                apply()

        return Change(self.name, verb, label, before, after, make, detail)

    def creation(self, item: dict, fields: dict):
        """Return the function that creates the object and records it for references."""
        return lambda: self.existing.update({self.key(item): self.create(item, fields)})

    def renewal(self, key: Any, fields: dict, item: dict):
        """Return the function that updates the object."""
        return lambda: self.update(self.existing[key], fields, item)

    def deletion(self, key: Any):
        """Return the function that deletes the object."""
        return lambda: self.delete(self.existing[key])
