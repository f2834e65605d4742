# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What one service definition adds to another: packages, files, units, and options between its own and the user's.

A definition says so under ``contributes``, and under ``each_backend`` for each back end of ``cloud_storage``.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ansible.errors import AnsibleError

Definition = dict[str, Any]

# What a definition may add to another.
KEYS = ("packages", "files", "units", "config")
# A section, or a file, that is called like the back end which a contribution is made for.
BACKEND_NAME = re.compile(r"\{\{\s*backend\.name\s*\}\}")


class Conflict(AnsibleError):
    """Two definitions contribute different values to the same thing."""


@dataclass(frozen=True)
class Contribution:
    """What the definition *source* adds to the definition *target*.

    :param content: templated, with some of ``KEYS``.
    :param absent: the source is removed: its files and units go from the target.
    """

    source: str
    target: str
    content: Mapping[str, Any]
    absent: bool = False


def of(definition: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield what *definition* may add to others, as it is written: the other's name and the content."""
    for entry in ({"contributes": definition.get("contributes")}, *(definition.get("each_backend") or [])):
        yield from (entry.get("contributes") or {}).items()


def files(definitions: Mapping[str, Mapping[str, Any]]) -> dict[str, set[str]]:
    """Return the files to which some definition may contribute options, by the definition whose they are."""
    found: dict[str, set[str]] = {}
    for definition in definitions.values():
        for target, content in of(definition):
            found.setdefault(target, set()).update(content.get("config") or {})
    return found


def own_section(content: Mapping[str, Any], backend: str) -> dict[str, Any]:
    """Return a contribution's *content*, whose section of the back end is called by its name."""

    def named(found: Any) -> Any:
        if not isinstance(found, Mapping):
            return found
        return {BACKEND_NAME.sub(backend, name): value for name, value in found.items()}

    config = {name: named(sections) for name, sections in (content.get("config") or {}).items()}
    return {**content, "files": named(content.get("files") or {}), "config": named(config)}


def add(definition: Definition, found: Iterable[Contribution]) -> Definition:
    """Return *definition* with all that others contribute to it.

    Its ``contributions`` are the options, each with its source, which are laid over its own ``config`` and under what
    the user says.

    :raises Conflict: two of them want different things.
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
    """Yield what others contribute to the file *name*, each with its source."""
    yield from ((source, options) for source, file, options in definition.get("contributions", ()) if file == name)


def check_texts(found: Iterable[tuple[str, Any]], where: str) -> None:
    """Check that at most one source contributes a text to a file, and then nobody options.

    :param where: service and file.
    :raises Conflict: there are several.
    """
    given = list(found)
    texts = {value for _source, value in given if isinstance(value, str)}
    if len(texts) > 1 or (texts and any(isinstance(value, Mapping) for _source, value in given)):
        sources = " and ".join(dict.fromkeys(source for source, _value in given))
        raise Conflict(f"service definition {where}: {sources} contribute different texts")


def merged(found: Iterable[tuple[str, Mapping[str, Any]]], where: str = "") -> dict[str, dict[str, Any]]:
    """Return the options of several sources as one: lists are joined, other values have to agree; None says nothing.

    :param found: sections with their options, each with its source.
    :param where: service and file, for the error.
    :raises Conflict: two of them want different values.
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
    """Add a *unit*, which several back ends may bring alike."""
    for other in units:
        if other["name"] == unit["name"]:
            if other != unit:
                raise Conflict(f"unit {unit['name']} is another one for {source}")
            return
    units.append(unit)


def _joined(files: Mapping[str, Any], name: str, more: Mapping[str, Any], source: str) -> dict[str, Any]:
    """Return a file's attributes with *more*: lists and dictionaries are joined, other values have to agree."""
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
            # A file that is there without them is for all groups and all units.
            result[key] = value
    return result
