# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The sources of service definitions: the collection, the inventory's variables, and the user's files."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml
from ansible.errors import AnsibleError

try:
    from ansible.template import trust_as_template
except ImportError:  # ansible-core 2.18

    def trust_as_template(value):
        """Return *value*: 2.18 templates all text."""
        return value


try:
    from ansible._internal._datatag._tags import Origin
except ImportError:  # ansible-core 2.18
    Origin = None

ROLES = Path(__file__).resolve().parents[3] / "roles"
PREFIX = "catalog_"
# Variables with the prefix of definitions that are not definitions.
NO_DEFINITION = ("catalog_extra", "catalog_dir")
# A hundred times faster, if PyYAML has it.
_YAML = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def load(path: Path | str) -> dict[str, Any]:
    """Return the data of a YAML file.

    :raises yaml.YAMLError: the file is not YAML.
    """
    with open(path, encoding="utf-8") as file:
        return yaml.load(file, Loader=_YAML) or {}


def trusted(value: Any) -> Any:
    """Return *value* with its texts trusted as templates: it comes from the collection or from the user's files."""
    if isinstance(value, str):
        return trust_as_template(value)
    if isinstance(value, dict):
        return {key: trusted(item) for key, item in value.items()}
    return [trusted(item) for item in value] if isinstance(value, list) else value


@functools.cache
def _defaults() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for path in sorted((ROLES / "catalog/defaults/main").glob("*.yml")):
        found.update(load(path))
    return trusted(found)


@functools.cache
def settings() -> dict[str, Any]:
    """Return the settings of the cloud with their defaults."""
    own = {name: value for name, value in _defaults().items() if name in NO_DEFINITION}
    return {**trusted(load(ROLES / "cloud/defaults/main.yml")), **own}


@functools.cache
def shipped() -> dict[str, Any]:
    """Return the untemplated definitions of the collection, by the names of their variables."""
    return {name: value for name, value in _defaults().items() if name not in NO_DEFINITION}


def files(directory: str) -> dict[str, Path]:
    """Return the files of the user's definitions by name; none without a directory."""
    return {path.stem: path for path in sorted(Path(directory).glob("*.y*ml"))} if directory else {}


def own(variables: Mapping[str, Any], template: Callable[[Any], Any]) -> dict[str, Any]:
    """Return the user's definitions by name: files of ``catalog_dir``, and ``catalog_extra``, which takes precedence.

    Templates with ``cloud`` are resolved later.

    :raises yaml.YAMLError: a file is not YAML.
    """
    given = variables.get("catalog_dir")
    directory = template(given) if given else ""
    found = {name: trusted(load(path)) for name, path in files(directory if os.path.isdir(directory) else "").items()}
    extra = variables.get("catalog_extra") or {}
    extra = extra if isinstance(extra, Mapping) else template(extra)
    return {**found, **extra} if isinstance(extra, Mapping) else found


def program(name: str, directory: str) -> str:
    """Return the text of the program *name* of a definition, from ``programs`` in catalog_dir or in the collection.

    That of a Python program begins with the interpreter of Debian.

    :param directory: catalog_dir; may be empty.
    :raises AnsibleError: neither has it.
    """
    places = [*([Path(directory) / "programs"] if directory else []), ROLES / "catalog/files/programs"]
    for place in places:
        if (path := place / name).is_file():
            text = path.read_text(encoding="utf-8")
            return f"#!/usr/bin/python3\n{text}" if path.suffix == ".py" and not text.startswith("#!") else text
    raise AnsibleError(f"there is no program {name!r} in {' or '.join(shortest(str(place)) for place in places)}")


def own_place(variables: Mapping[str, Any], template: Callable[[Any], Any], name: str) -> str:
    """Return the file or the variable with the user's definition *name*; empty if there is none."""
    if name in (variables.get("catalog_extra") or {}):
        return "catalog_extra"
    given = variables.get("catalog_dir")
    directory = template(given) if given else ""
    path = files(directory if os.path.isdir(directory) else "").get(name)
    return shortest(str(path)) if path else ""


def place(key: Any, value: Any) -> str:
    """Return file and line of a variable, as recorded on its name or value; empty if on neither."""
    # The place of a list is that of its first entry.
    for item in (key, value) if isinstance(value, (dict, list)) else (value, key):
        if Origin:
            tag = Origin.get_tag(item)
            found = (tag.path, tag.line_num or 0, tag.description) if tag else None
        else:
            position = getattr(item, "ansible_pos", None)
            found = (*position[:2], None) if position else None
        if found and found[0]:
            return f"{shortest(found[0])}:{found[1]}" if found[1] else shortest(found[0])
        if found:
            return found[2].strip("<>")
    return ""


def shortest(path: str) -> str:
    """Return *path* relative to the working directory, if that is shorter."""
    # In a checkout the path of the collection is a symbolic link.
    relative = os.path.relpath(os.path.realpath(path))
    return path if relative.startswith("..") else relative
