# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""oslo.config's ini files from nested dictionaries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_HEADER = "# Written by Cairn. Change it through cloud_config; what is edited here is undone by the next run.\n"


def text(value: Any) -> str:
    """Return *value* as it stands in a file."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ",".join(text(item) for item in value)
    return str(value)


def render(sections: Mapping[str, Mapping[str, Any]]) -> str:
    """Return *sections* as an ini file.

    A list is joined by commas, as ListOpt reads it. An option whose name ends in ``[]`` is repeated for each item, as
    MultiStrOpt reads it. None leaves an option out.
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
    """Return the sections of the ini file *content*: each option, its name ending in ``[]``, with all its values."""
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
