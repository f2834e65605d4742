# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Contributions of service definitions to others: packages, files, units and options.

A definition lists them under ``contributes``, and under ``each_backend`` for each back end of ``cloud_storage``.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ansible.errors import AnsibleError

Definition = dict[str, Any]

# The keys that a definition may contribute.
KEYS = ("packages", "files", "units", "config")
# Stands for the name of the back end, as a section or in the name of a file.
BACKEND_NAME = re.compile(r"\{\{\s*backend\.name\s*\}\}")


class Conflict(AnsibleError):
    """Two definitions contribute different values to the same thing."""


@dataclass(frozen=True)
class Contribution:
    """A contribution of the definition *source* to the definition *target*.

    :param content: templated; has some of ``KEYS``.
    :param absent: whether the source is removed, and its files and units are removed from the target.
    """

    source: str
    target: str
    content: Mapping[str, Any]
    absent: bool = False


def of(definition: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the untemplated contributions of *definition*: the target's name and the content."""
    for entry in ({"contributes": definition.get("contributes")}, *(definition.get("each_backend") or [])):
        yield from (entry.get("contributes") or {}).items()


def files(definitions: Mapping[str, Mapping[str, Any]]) -> dict[str, set[str]]:
    """Return the files that get contributed options, by the definition that they belong to."""
    found: dict[str, set[str]] = {}
    for definition in definitions.values():
        for target, content in of(definition):
            found.setdefault(target, set()).update(content.get("config") or {})
    return found


def own_section(content: Mapping[str, Any], backend: str) -> dict[str, Any]:
    """Return a contribution's *content* with the name of the back end inserted."""

    def named(found: Any) -> Any:
        if not isinstance(found, Mapping):
            return found
        return {BACKEND_NAME.sub(backend, name): value for name, value in found.items()}

    config = {name: named(sections) for name, sections in (content.get("config") or {}).items()}
    return {**content, "files": named(content.get("files") or {}), "config": named(config)}


def add(definition: Definition, found: Iterable[Contribution]) -> Definition:
    """Return *definition* with all contributions to it.

    Its ``contributions`` are the options with their sources, which override its own ``config`` and are overridden by
    the user's options.

    :raises Conflict: two contributions differ.
    """
    result = {**definition, "contributions": []}
    for key in ("packages", "files"):
        result[key] = {name: list(of) if isinstance(of, list) else of for name, of in definition[key].items()}
    result["units"] = list(definition["units"])
    found = list(found)
    for one in (one for one in found if not one.absent):
        content = one.content
        for group, names in (content.get("packages") or {}).items():
            packages = result["packages"].setdefault(group, [])
            packages += [name for name in names if name not in packages]
        for unit in content.get("units") or []:
            _add_unit(result["units"], {**unit, "packages": unit.get("packages", [])}, one.source)
        for name, attributes in (content.get("files") or {}).items():
            result["files"][name] = _joined(result["files"], name, attributes or {}, one.source)
        for name, options in (content.get("config") or {}).items():
            result["contributions"].append((one.source, name, options))
    kept = {*result["files"], *result["config"], *(name for _source, name, _options in result["contributions"])}
    running = {unit["name"] for unit in result["units"]}
    for one in (one for one in found if one.absent):
        for name, attributes in (one.content.get("files") or {}).items():
            if name not in kept:
                result["files"][name] = {**(attributes or {}), "state": "absent"}
        for unit in one.content.get("units") or []:
            if unit["name"] not in running:
                gone = {"packages": [], "state": "stopped", "enabled": False}
                _add_unit(result["units"], {**unit, **gone}, one.source)
    return result


def layers(definition: Mapping[str, Any], name: str) -> Iterator[tuple[str, Any]]:
    """Yield the contributions to the file *name*, each with its source."""
    yield from ((source, options) for source, file, options in definition.get("contributions", ()) if file == name)


def check_texts(found: Iterable[tuple[str, Any]], where: str) -> None:
    """Check that a file gets at most one contributed text, and no options besides it.

    :param where: service and file.
    :raises Conflict: there are several texts.
    """
    given = list(found)
    texts = {value for _source, value in given if isinstance(value, str)}
    if len(texts) > 1 or (texts and any(isinstance(value, Mapping) for _source, value in given)):
        sources = " and ".join(dict.fromkeys(source for source, _value in given))
        raise Conflict(f"service definition {where}: {sources} contribute different texts")


def merged(found: Iterable[tuple[str, Mapping[str, Any]]], where: str = "") -> dict[str, dict[str, Any]]:
    """Merge the options of several sources: lists are joined, other values must agree; None is ignored.

    :param found: pairs of a source and its sections with their options.
    :param where: service and file, for the error message.
    :raises Conflict: two values differ.
    """
    sections: dict[str, dict[str, Any]] = {}
    sources: dict[tuple[str, str], str] = {}
    for source, given in found:
        for section, options in (given or {}).items():
            into = sections.setdefault(section, {})
            for option, value in (options or {}).items():
                before = into.get(option)
                if isinstance(before, list) and isinstance(value, list):
                    into[option] = [*before, *(item for item in value if item not in before)]
                elif before is None:
                    into[option] = copy.deepcopy(value)
                elif value is not None and value != before:
                    other = sources[section, option]
                    said = f"[{section}] {option} is {before!r} for {other} and {value!r} for {source}"
                    raise Conflict(f"service definition {where}: {said}" if where else said)
                sources.setdefault((section, option), source)
    return sections


def _add_unit(units: list[dict[str, Any]], unit: dict[str, Any], source: str) -> None:
    """Add a *unit*, which several back ends may contribute equally."""
    for other in units:
        if other["name"] == unit["name"]:
            if other != unit:
                raise Conflict(f"unit {unit['name']} differs for {source}")
            return
    units.append(unit)


def _joined(files: Mapping[str, Any], name: str, more: Mapping[str, Any], source: str) -> dict[str, Any]:
    """Return the attributes of a file merged with *more*: lists and dictionaries are joined, others must agree."""
    result = dict(files.get(name) or {})
    for key, value in more.items():
        old = result.get(key)
        if isinstance(old, list) and isinstance(value, list):
            result[key] = [*old, *(item for item in value if item not in old)]
        elif isinstance(old, Mapping) and isinstance(value, Mapping):
            result[key] = {**old, **value}
        elif old is not None and old != value:
            raise Conflict(f"file {name}: {key} is {old!r}, and {value!r} for {source}")
        elif key not in ("groups", "units") or name not in files:
            # Without these keys a file is for all groups and all units.
            result[key] = value
    return result
