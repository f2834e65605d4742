# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""oslo.config's ini files from nested dictionaries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_HEADER = "# Written by Cairn. Change it through cloud_config; what is edited here is undone by the next run.\n"


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ",".join(_value(item) for item in value)
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
                lines += [f"{name[:-2]} = {_value(item)}\n" for item in options[name]]
            else:
                lines.append(f"{name} = {_value(options[name])}\n")
    return "".join(lines)
