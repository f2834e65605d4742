# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Checks of data against a description of its shape.

A description has a ``type`` and, where they apply, ``required``, ``choices``, ``options`` (the keys of a dictionary),
``elements`` (of a list), ``values`` (of a dictionary with arbitrary keys) or ``literal`` (it is needed before
templating).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.cairn.openstack.plugins.plugin_utils.preflight.finding import Finding, nearest, shown

Shape = Mapping[str, Any]

_TYPES: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "path": (str,),
    "bool": (bool,),
    "int": (int,),
    "float": (int, float),
    "list": (list, tuple),
    "dict": (Mapping,),
}
_WORDS = {
    "str": "text",
    "path": "a path, as text",
    "bool": "true or false",
    "int": "an integer",
    "float": "a number",
    "list": "a list",
    "dict": "a dictionary",
}
_REMEDIES = {
    "bool": "Write true or false without quotes.",
    "list": "Write [a, b]; a list of one is [a].",
    "dict": "Write {key: value}, or the keys below it, each on a line and indented.",
}


def of_arguments(option: Mapping[str, Any]) -> dict[str, Any]:
    """Return the shape described by *option*, an entry of an argument spec."""
    shape = {key: option[key] for key in ("required", "choices") if key in option}
    shape["type"] = option.get("type", "str")
    inner = {name: of_arguments(item) for name, item in (option.get("options") or {}).items()}
    if shape["type"] == "list" and option.get("elements"):
        shape["elements"] = {"type": option["elements"], **({"options": inner} if inner else {})}
    elif inner:
        shape["options"] = inner
    return shape


def is_template(value: Any) -> bool:
    """Whether *value* is text with a template."""
    return isinstance(value, str) and ("{{" in value or "{%" in value)


def _fits(kind: str, value: Any, lenient: bool) -> bool:
    """Whether *value* is of the type *kind*; *lenient* accepts 3 as text, and '3' as a number."""
    if isinstance(value, bool):
        return kind == "bool"
    if lenient and kind in ("str", "path") and isinstance(value, (int, float)):
        return True
    if lenient and kind in ("int", "float") and isinstance(value, str):
        try:
            (int if kind == "int" else float)(value)
        except ValueError:
            return False
        return True
    return isinstance(value, _TYPES[kind])


def findings(where: str, value: Any, shape: Shape, lenient: bool = False) -> Iterator[Finding]:
    """Find the parts of *value*, at the place *where*, that do not fit *shape*. A template fits any shape."""
    kind = shape["type"]
    if shape.get("literal") and is_template(value):
        remedy = "Write it out. Templates are allowed inside it."
        yield Finding(where, f"the template {shown(value)}", f"{_WORDS.get(kind, 'a value')}, not a template", remedy)
        return
    if (value is None and shape.get("null")) or kind == "raw" or is_template(value):
        return
    if not _fits(kind, value, lenient):
        remedy = _REMEDIES.get(kind, f"Write {_WORDS[kind]}.")
        if value is None:
            remedy = "Give it a value, or remove the line."
        elif kind in ("list", "dict") and isinstance(value, str) and value.lstrip()[:1] in ("[", "{"):
            # Ansible reads Python's literals in an INI inventory, and only text in -e NAME=VALUE.
            remedy = (
                "It is text. In an INI inventory, write True, False and None; with -e, write -e '{\"NAME\": VALUE}'."
            )
        yield Finding(where, shown(value), _WORDS[kind], remedy)
        return
    if "choices" in shape and value not in shape["choices"]:
        choices = ", ".join(shape["choices"])
        yield Finding(where, shown(value), f"one of {choices}", nearest(value, shape["choices"], "Choose one of them."))
    if "elements" in shape:
        for index, item in enumerate(value):
            yield from findings(f"{where}[{index}]", item, shape["elements"], lenient)
    if "values" in shape:
        for key, item in value.items():
            yield from findings(f"{where}.{key}", item, shape["values"], lenient)
    if "options" in shape:
        yield from keys(where, value, shape["options"], lenient)


def keys(
    where: str, value: Mapping[str, Any], options: Mapping[str, Shape], lenient: bool = False
) -> Iterator[Finding]:
    """Find the keys of *value* that are unknown, missing, or have an invalid value."""
    known = ", ".join(options)
    for key, item in value.items():
        if key in options:
            yield from findings(f"{where}.{key}", item, options[key], lenient)
        else:
            yield Finding(where, f"unknown key {key!r}", known, nearest(key, options, "Remove it."))
    for key, option in options.items():
        if option.get("required") and key not in value:
            yield Finding(where, f"{key!r} is missing", f"{key}: {_WORDS[option['type']]}", "Add it.")
