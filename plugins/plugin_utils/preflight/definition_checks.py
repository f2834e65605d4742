# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Checks of the user's service definitions, and of the options in cloud_config."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, NamedTuple

from ansible_collections.cairn.openstack.plugins.module_utils.common import options as judge
from ansible_collections.cairn.openstack.plugins.plugin_utils.catalog import contributions, definitions
from ansible_collections.cairn.openstack.plugins.plugin_utils.catalog.topology import NODE_GROUPS
from ansible_collections.cairn.openstack.plugins.plugin_utils.preflight import definition_spec
from ansible_collections.cairn.openstack.plugins.plugin_utils.preflight.finding import Finding, nearest, shown
from ansible_collections.cairn.openstack.plugins.plugin_utils.preflight.settings import Settings
from ansible_collections.cairn.openstack.plugins.plugin_utils.preflight.value_types import is_template

# A cloud whose inventory is not known may have a host that is all of it.
ALL_IN_ONE: tuple[set[str], ...] = (set(NODE_GROUPS),)


def own(where: str, extra: Any) -> Iterator[Finding]:
    """Check *extra*, the value of catalog_extra.

    :param where: its place in the input.
    """
    if not isinstance(extra, Mapping):
        yield Finding(
            where, shown(extra), "a dictionary of service definitions by name", "Write {name: {description: …}}."
        )
        return
    for name, definition in extra.items():
        for finding in definition_spec.findings(str(name), definition):
            yield Finding(f"{where}: {finding.where}", finding.found, finding.allowed, finding.remedy, finding.severity)


def targets(catalog: Mapping[str, Mapping[str, Any]]) -> Iterator[Finding]:
    """Find contributions to unknown definitions or files."""
    files: dict[str, set[str]] = {name: {*one["files"], *one["config"]} for name, one in catalog.items()}
    for definition in catalog.values():
        for target, content in contributions.of(definition):
            files.setdefault(target, set()).update(definition_spec.mapping(content.get("files")))
    for name, definition in catalog.items():
        for target, content in contributions.of(definition):
            if target not in catalog:
                remedy = nearest(target, catalog, "Remove it, or add that definition.")
                yield Finding(
                    f"catalog_{name}.contributes", f"unknown definition {target!r}", ", ".join(catalog), remedy
                )
                continue
            known = files[target]
            for file in definition_spec.mapping(content.get("config")):
                if file not in known and (near := difflib.get_close_matches(file, known, 1, 0.9)):
                    where = f"catalog_{name}.contributes.{target}.config"
                    remedy = f"Did you mean {near[0]!r}? If not, add {file} to the files that it contributes."
                    yield Finding(where, f"unknown file {file!r}", ", ".join(sorted(known)), remedy)


def units(catalog: Mapping[str, Mapping[str, Any]], hosts: Collection[set[str]] = ALL_IN_ONE) -> Iterator[Finding]:
    """Find units that two definitions of this cloud have on one host.

    :param catalog: the definitions that are present.
    :param hosts: the node groups of each host.
    """
    owners: dict[str, dict[str, set[str]]] = {}
    for name, definition in catalog.items():
        # A contributed unit becomes one of the target; several definitions may contribute the same unit.
        given = [(name, definition.get("units")), *((to, one.get("units")) for to, one in contributions.of(definition))]
        for owner, found in given:
            for unit in definition_spec.items(found):
                groups = owners.setdefault(str(unit["name"]), {}).setdefault(owner, set())
                groups.update(unit.get("groups", ["controller"]))
    for unit, of in owners.items():
        names = [name for name in of if any(_meet(of[name], of[other], hosts) for other in of if other != name)]
        if names and not is_template(unit):
            remedy = "Keep it in the definition whose package installs it; the other can contribute to that one."
            yield Finding(f"unit {unit}", " and ".join(names), "one definition for each unit", remedy)


LOOPBACK, OTHERS = "the loopback address", "other addresses"
ALL_PLACES = frozenset({LOOPBACK, OTHERS})


class Listener(NamedTuple):
    """What listens on a port.

    :param definition: its definition's name.
    :param title: its name in findings.
    :param unit: the unit that listens, if it is known.
    :param groups: the node groups that it runs on.
    :param places: the kinds of the host's addresses that it listens on.
    """

    definition: str
    title: str
    unit: str | None
    groups: set[str]
    is_api: bool
    places: frozenset[str] = ALL_PLACES

    def shares_with(self, other: Listener) -> bool:
        """Whether both may be the same process; a definition may open another's port to more hosts."""
        if self.is_api and other.is_api:
            return False
        return self.definition == other.definition or (self.unit is not None and self.unit == other.unit)


def _listeners(catalog: Mapping[str, Mapping[str, Any]]) -> dict[tuple[str, int], list[Listener]]:
    """Return what listens on each protocol and port, APIs first."""
    found: dict[tuple[str, int], list[Listener]] = {}
    for name, definition in catalog.items():
        for api in definition_spec.items(definition.get("apis")):
            if not is_template(api["port"]):
                one = Listener(name, f"{name}'s {api['name']}", api.get("unit", api["name"]), {"controller"}, True)
                found.setdefault(("tcp", api["port"]), []).append(one)
    for name, definition in catalog.items():
        for entry in definition_spec.items(definition.get("ports")):
            # Whether those with a condition or an interface meet others is not known here.
            if isinstance(entry.get("port"), int) and not {"when", "interface", "source_port"} & entry.keys():
                one = Listener(name, name, entry.get("unit"), set(entry.get("groups", ["controller"])), False)
                found.setdefault((entry.get("protocol", "tcp"), entry["port"]), []).append(one)
    return found


def clashes(catalog: Mapping[str, Mapping[str, Any]], hosts: Collection[set[str]] = ALL_IN_ONE) -> Iterator[Finding]:
    """Find ports that two definitions of this cloud listen on, by their APIs or their ``ports``.

    :param catalog: the definitions that are present.
    :param hosts: the node groups of each host.
    """
    for (_protocol, port), found in sorted(_listeners(catalog).items()):
        for index, one in enumerate(found):
            others = [
                other.title
                for other in found[index + 1 :]
                if not one.shares_with(other) and _meet(one.groups, other.groups, hosts)
            ]
            if others:
                remedy = f"Set another port for {one.definition}, or disable it."
                titles = " and ".join([one.title, *others])
                yield Finding(f"port {port}", titles, "one service for each port", remedy)
                break


def _meet(groups: set[str], others: set[str], hosts: Collection[set[str]]) -> bool:
    """Whether one of *hosts* is in one of *groups* and in one of the *others*."""
    return any(groups & {*host, "all"} and others & {*host, "all"} for host in hosts)


def services(settings: Settings, catalog: Mapping[str, Mapping[str, Any]]) -> Iterator[Finding]:
    """Find names in cloud_services that are no optional service, and services that others or cloud_resources need.

    :param catalog: the whole catalog.
    """
    optional = sorted(name for name, one in catalog.items() if one.get("optional"))
    value = settings.values.get("cloud_services")
    given = definitions.services(value) if isinstance(value, (str, list)) else []
    for name in given:
        if name in optional:
            for needed in catalog[name].get("needs") or ():
                if needed not in given:
                    found = f"{name} without {needed}"
                    remedy = f"Add {needed}, which {name} needs, or remove {name}."
                    yield settings.finding("cloud_services", found, f"{name} and {needed}", remedy)
            continue
        found, remedy = f"{name!r} is no optional service", nearest(name, optional, "Remove it.")
        if name in catalog:
            found = f"{name!r} is not optional"
            remedy = "Remove it: each cloud has it, or its definition or cloud_storage says which one has."
        yield settings.finding("cloud_services", found, ", ".join(optional), remedy)
    declared = settings.values.get("cloud_resources")
    for name in (one for one in optional if one not in given):
        for kind in catalog[name].get("resources") or ():
            if isinstance(declared, Mapping) and declared.get(kind):
                remedy = f"Add {name} to cloud_services, or remove {kind} from cloud_resources."
                yield settings.finding("cloud_resources", f"{kind} without {name}", f"{name}, which has {kind}", remedy)


def options(settings: Settings, layer: str, catalog: Mapping[str, Mapping[str, Any]]) -> Iterator[Finding]:
    """Find unknown services and wrong shapes in *layer*: cloud_config or a cloud_config_*.

    :param catalog: the whole catalog.
    """
    value = settings.values[layer]
    if not isinstance(value, Mapping):
        yield settings.finding(layer, shown(value), "service → file → section → option", "Write a dictionary.")
        return
    for service, files in value.items():
        if service not in catalog:
            remedy = nearest(service, catalog, "Remove it; docs/adding_a_service.md describes how to add a service.")
            yield settings.finding(layer, f"unknown service {service!r}", ", ".join(sorted(catalog)), remedy)
            continue
        if catalog[service].get("optional") and catalog[service]["state"] == "absent":
            remedy = f"Add {service} to cloud_services, or remove its options."
            allowed = "options of services that the cloud has"
            yield settings.finding(layer, f"options of {service}, which is not enabled", allowed, remedy, "warning")
        if files is not None and not isinstance(files, Mapping):
            found = f"{service}: {shown(files)}"
            yield settings.finding(
                layer, found, "file → section → option", "Put the options below a file and a section."
            )
        else:
            yield from _files(settings, layer, service, files or {}, catalog[service])


def _files(
    settings: Settings, layer: str, service: str, files: Mapping[str, Any], definition: Mapping[str, Any]
) -> Iterator[Finding]:
    config = definition.get("config") or {}
    for name, content in files.items():
        place = f"{service}: {name}"
        if isinstance(config.get(name), str) and isinstance(content, Mapping) and not is_template(config[name]):
            remedy = "Set the complete text of the file, such as name: |."
            yield settings.finding(layer, f"{place}: sections", "text: this file has no sections", remedy)
        elif isinstance(config.get(name), Mapping) and isinstance(content, str):
            yield settings.finding(layer, f"{place}: text", "section → option", "Put the options below their sections.")
        if isinstance(content, Mapping):
            for section, values in content.items():
                if values is not None and not isinstance(values, Mapping):
                    found = f"{place}: {section}: {shown(values)}"
                    remedy = f"Put {section} below its section, often DEFAULT."
                    yield settings.finding(layer, found, "section → option", remedy)


def checked(
    settings: Settings,
    catalog: Mapping[str, Mapping[str, Any]],
    index_of: Callable[[str], Mapping[str, Any] | None],
    place: Callable[[str, list[str]], str],
) -> Iterator[Finding]:
    """Find the user's options that are unknown or have invalid values, by the shipped indexes.

    The definitions' own options are templated for each host, and checked with its desired state.

    :param catalog: the whole catalog.
    :param index_of: returns the index of a service.
    :param place: returns the place of a variable's key, found by the keys above it.
    """
    layers = [(name, value) for name, value in definitions.overrides(settings.values) if _has_shape(value)]
    known = settings.values.get("cloud_known_options") or []

    def finding(variable: str, keys: list[str], says: str, allowed: str) -> Finding:
        where = place(variable, keys) or settings.places.get(variable, "")
        remedy = "Correct it; if an add-on reads it, list it in cloud_known_options."
        return Finding(", ".join(filter(None, (where, variable))), says, allowed, remedy, "error", (settings.host,))

    for service in dict.fromkeys(service for _name, value in layers for service in value):
        if service not in catalog:
            continue
        definition, index = catalog[service], index_of(service)
        mine = [(name, value) for name, value in layers if value.get(service)]
        for variable, file, near in judge.misspelt(definition, mine, index, known):
            files = ", ".join(dict.fromkeys([*definition["config"], *definition["files"]]))
            yield finding(variable, [service, file], f"{service}: {file}: no such file; did you mean {near}?", files)
        for file, variable, wrong in judge.written(definition, mine, index, known) if index else ():
            keys = [service, file, wrong.section, *filter(None, [wrong.option])]
            yield finding(variable, keys, f"{service}: {file}: {wrong}", f"options of {service} in this release")


def _has_shape(value: Any) -> bool:
    """Whether *value* is service → file → section → option, or service → file → text."""
    if not isinstance(value, Mapping) or not all(isinstance(files or {}, Mapping) for files in value.values()):
        return False
    contents = [content for files in value.values() for content in (files or {}).values()]
    sections = [options for content in contents if isinstance(content, Mapping) for options in content.values()]
    return all(isinstance(options or {}, Mapping) for options in sections)
