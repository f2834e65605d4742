# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The source of an option's value, and the units that read it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.cairn.openstack.plugins.module_utils.common import ini, masking
from ansible_collections.cairn.openstack.plugins.plugin_utils.catalog import contributions, definitions
from ansible_collections.cairn.openstack.plugins.plugin_utils.catalog.resolver import Model
from ansible_collections.cairn.openstack.plugins.plugin_utils.catalog.sources import place

# The source of a section that a definition requests.
COMPUTED = "computed from the definition's databases, messaging and auth"


class Unknown(Exception):
    """The service or file does not exist on this host; the message lists those that do."""


@dataclass
class Explanation:
    """An option on one host.

    :param value: its value in the file; None if the file does not have the option.
    :param path: the file's path.
    :param layers: pairs of source and value in order of precedence; the last one is effective.
    :param units: the units that read the file, each with the effect of a change: restart, reload or nothing.
    """

    path: str
    value: str | None
    layers: list[tuple[str, str]] = field(default_factory=list)
    units: list[tuple[str, str]] = field(default_factory=list)


def explain(
    model: Model,
    groups: Collection[str],
    variables: Mapping[str, Any],
    option: tuple[str, str, str, str],
    place_of: Callable[[str], str] = lambda name: "",
) -> Explanation:
    """Return the explanation of an option on a host.

    :param model: the desired state of the host.
    :param groups: the host's node groups.
    :param variables: the host's untemplated variables, which carry their files and lines.
    :param option: service, file, section and option.
    :param place_of: returns the place of the user's definition of a name; empty for a shipped one.
    :raises Unknown: the host has no such file.
    """
    service, name, section, key = option
    definition = model.definitions.get(service)
    if definition is None:
        raise Unknown(f"no service {service} on this host; it has {', '.join(sorted(model.definitions))}")
    layers = [layer[service] for _name, layer in model.layers if layer.get(service)]
    files = definitions.files(definition, {*groups, "all"}, model.cloud, layers)
    file = next((file for file in files if file["name"] == name), None)
    if file is None:
        names = ", ".join(sorted(file["name"] for file in files if file["name"])) or "none"
        raise Unknown(f"no file {name} of {service} on this host; it has {names}")
    if file["sections"] is None:
        raise Unknown(f"{name} of {service} is text without options")
    value = (file["sections"].get(section) or {}).get(key)
    found = [(where, _shown(key, said)) for where, said in _layers(model, definition, option, variables, place_of)]
    units = [
        (unit["name"], _effect(unit, file["path"]))
        for unit in definitions.units(definition, {*groups, "all"}, files)
        if file["path"] in unit["watches"] and unit["state"] in definitions.RESTARTING
    ]
    return Explanation(file["path"], None if value is None else _shown(key, value), found, units)


def _effect(unit: Mapping[str, Any], path: str) -> str:
    if path in unit["reload_for"]:
        return "reload"
    return "reload" if unit["reload"] and path not in unit["restart_for"] else "restart"


def _shown(key: str, value: Any) -> str:
    """Return the value in the format of the file, with secrets masked."""
    if value is None:
        return "(taken out)"
    return masking.masked(f"{key} = {ini.text(value)}").partition(" = ")[2]


def _layers(
    model: Model,
    definition: Mapping[str, Any],
    option: tuple[str, str, str, str],
    variables: Mapping[str, Any],
    place_of: Callable[[str], str],
) -> Iterator[tuple[str, Any]]:
    """Yield the sources of the option with their values, in order of precedence."""
    service, name, section, key = option
    common = definitions.common_sections(definition, definition["files"].get(name) or {}, model.cloud)
    if key in common.get(section, {}):
        yield COMPUTED, common[section][key]
    own = (definition["config"].get(name) or {}).get(section) or {}
    if key in own:
        variable = f"catalog_{service}"
        where = place_of(service) or _line(variables.get(variable), ["config", name, section, key])
        yield f"definition {service}{where and f', {where}'}", own[key]
    for source, sections in contributions.layers(definition, name):
        if key in ((sections or {}).get(section) or {}):
            where = place_of(source)
            yield f"contributed by definition {source}{where and f', {where}'}", sections[section][key]
    computed = ((definition["files"].get(name) or {}).get("sections") or {}).get(section) or {}
    if key in computed:
        yield f"computed by definition {service}", computed[key]
    for variable, layer in model.layers:
        said = ((layer.get(service) or {}).get(name) or {}).get(section) or {}
        if key in said:
            where = _line(variables.get(variable), [service, name, section, key])
            yield f"{variable}{where and f', {where}'}", said[key]


def _line(value: Any, keys: list[str]) -> str:
    """Return file and line of the value at *keys* in *value*, empty if unknown."""
    found = ""
    for following in keys:
        if not isinstance(value, Mapping):
            break
        key = next((each for each in value if each == following), None)
        if key is None:
            break
        value = value[key]
        found = place(key, value) or found
    return found


def lines(host: str, option: tuple[str, str, str, str], found: Explanation) -> list[str]:
    """Return the explanation as text."""
    service, _name, section, key = option
    value = f"{key} = {found.value}" if found.value is not None else f"{key} is not set"
    result = [f"{host}: {service}, {found.path}, [{section}] {value}"]
    width = max((len(where) for where, _value in found.layers), default=0)
    for index, (where, said) in enumerate(found.layers):
        counts = "  <- effective" if index == len(found.layers) - 1 and len(found.layers) > 1 else ""
        result.append(f"  {where:<{width}}  {said}{counts}")
    if not found.layers:
        result.append("  not set: the service uses its own default")
    effects = {effect: [name for name, does in found.units if does == effect] for effect in ("reload", "restart")}
    result += [f"  a change would {effect} {', '.join(names)}" for effect, names in effects.items() if names]
    return result
