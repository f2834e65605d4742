# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ini files of oslo.config from nested dictionaries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_HEADER = "# Written by Cairn. Use cloud_config to change it; the next run reverts edits of this file.\n"


def text(value: Any) -> str:
    """Return *value* in the format of the file."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ",".join(text(item) for item in value)
    return str(value)


def render(sections: Mapping[str, Mapping[str, Any]]) -> str:
    """Return *sections* as an ini file.

    A list is joined by commas, for ListOpt. An option whose name ends in ``[]`` is repeated for each item, for
    MultiStrOpt. An option with None is omitted.
    """
    lines = [_HEADER]
    for section in sorted(sections, key=lambda name: (name != "DEFAULT", name)):
        options = {name: value for name, value in (sections[section] or {}).items() if value is not None}
        if not options:
            continue
        lines.append(f"\n[{section}]\n")
        for name in sorted(options):
            if name.endswith("[]"):
                lines += [f"{name[:-2]} = {text(item)}\n" for item in options[name]]
            else:
                lines.append(f"{name} = {text(options[name])}\n")
    return "".join(lines)


def parse(content: str) -> dict[str, dict[str, list[str]]]:
    """Return the sections of the ini file *content*: each option, with ``[]`` after its name, and all its values."""
    sections: dict[str, dict[str, list[str]]] = {}
    options: dict[str, list[str]] = {}
    values: list[str] = []
    for line in content.splitlines():
        if not line.strip() or line[0] in "#;":
            continue
        if line[0] == "[":
            options = sections.setdefault(line.strip()[1:-1], {})
        elif line[0].isspace() and values:
            values[-1] += f"\n{line.strip()}"
        else:
            name, _sign, value = line.partition("=")
            values = options.setdefault(f"{name.strip()}[]", [])
            values.append(value.strip())
    return sections
