# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Checks of the back ends in cloud_storage, and of the hosts' devices for them."""

from __future__ import annotations

import copy
import ipaddress
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from ansible_collections.cairn.openstack.plugins.plugin_utils.catalog import backends as storage
from ansible_collections.cairn.openstack.plugins.plugin_utils.catalog.backends import Kind
from ansible_collections.cairn.openstack.plugins.plugin_utils.catalog.definitions import services
from ansible_collections.cairn.openstack.plugins.plugin_utils.catalog.topology import in_networks
from ansible_collections.cairn.openstack.plugins.plugin_utils.preflight import backend_kinds, value_types
from ansible_collections.cairn.openstack.plugins.plugin_utils.preflight.finding import Finding, nearest, shown
from ansible_collections.cairn.openstack.plugins.plugin_utils.preflight.settings import Settings

_HOST = Mapping[str, Any]
_NAME = "cloud_storage"
_DEVICES = "storage_devices"
# A name becomes a section of cinder.conf or glance-api.conf, where these sections exist.
_TAKEN = (
    *("audit", "backend", "barbican", "cache", "cinder", "coordination", "cors", "database", "default", "file", "fs"),
    *("healthcheck", "keymgr", "nova", "privsep", "profiler", "ssl", "task", "vault", "wsgi"),
)
_WORD = re.compile(r"[a-z][a-z0-9-]{0,30}")
SIZE = re.compile(r"[1-9][0-9]*[MGT]")
_CONSUMERS = ("front-end", "back-end", "both")
_COMMON = storage.COMMON


def _given(
    index: int, one: Mapping[str, Any], cloud: Settings, hosts: Mapping[str, _HOST], known: Mapping[str, Kind]
) -> Iterator[Finding]:
    """Check one back end by itself."""
    kind = known[one["kind"]]
    where = f"{cloud.where(_NAME)}[{index}]"
    if not _WORD.fullmatch(str(one["name"])) or one["name"] in _TAKEN:
        allowed = "lowercase letters, digits and hyphens, starting with a letter; not " + ", ".join(_TAKEN)
        yield Finding(
            where, f"the name {one['name']!r}", allowed, "Choose another; it becomes a section of configuration files."
        )
    for key in one:
        if key not in (*_COMMON, *kind.names):
            remedy = nearest(key, kind.names, f"Remove it, or choose a kind other than {one['kind']}.")
            yield Finding(f"{where}.{key}", f"{key} for {one['kind']}", ", ".join((*_COMMON, *kind.names)), remedy)
    serves = one.get("serves", kind.serves)
    if not serves:
        yield Finding(f"{where}.serves", "nothing", ", ".join(kind.can), "Name what it serves, or remove the line.")
    for use in serves:
        if use not in storage.USES:
            remedy = nearest(use, storage.USES, "Remove it.")
            yield Finding(f"{where}.serves", shown(use), ", ".join(storage.USES), remedy)
        elif use not in kind.can:
            able = [name for name, other in known.items() if use in other.can]
            remedy = f"Remove it, and serve them with a back end of {' or '.join(able)}."
            yield Finding(f"{where}.serves", f"{use}, which {one['kind']} can't serve", ", ".join(kind.can), remedy)
    if one.get("default") and not {"volumes", "images"} & set(serves):
        remedy = "Remove the line; only volumes and images have a default."
        yield Finding(f"{where}.default", f"true, but it serves {', '.join(serves)}", "for volumes and images", remedy)
    consumer = (one.get("qos") or {}).get("consumer", _CONSUMERS[0])
    if consumer not in _CONSUMERS:
        remedy = nearest(consumer, _CONSUMERS, "front-end is the hypervisor, back-end the storage.")
        yield Finding(f"{where}.qos.consumer", shown(consumer), ", ".join(_CONSUMERS), remedy)
    if int(one.get("image_cache", 0)) < 0:
        remedy = "Remove the line to disable the cache."
        yield Finding(f"{where}.image_cache", shown(one["image_cache"]), "a number of images", remedy)
    for network in one.get("networks") or ():
        try:
            ipaddress.IPv4Network(str(network))
        except ValueError as error:
            remedy = "Write it such as 192.0.2.0/24, with host bits zero."
            yield Finding(f"{where}.networks", f"{network!r}: {error}", "IPv4 networks in CIDR notation", remedy)
    yield from _keys(where, one, kind)
    checks = backend_kinds.modules().get(one["kind"])
    if checks:
        yield from checks.findings(where, one, serves)
    if not one.get("cluster") and (kind.hosts or one.get("hosts")):
        yield from _hosts(where, one, hosts)


def _keys(where: str, one: Mapping[str, Any], kind: Kind) -> Iterator[Finding]:
    """Find missing and invalid keys of a back end, by its kind."""
    for key, asked in kind.keys.items():
        example = f" as in {asked['example']}" if "example" in asked else ""
        if key not in one:
            if asked.get("required"):
                allowed = asked.get("description") or f"{key}, which {kind.name} needs"
                yield Finding(f"{where}.{key}", "nothing", allowed, f"Write it{example}." if example else "Add it.")
        elif "match" in asked and not re.fullmatch(asked["match"], str(one[key])):
            allowed = asked.get("description") or asked["match"]
            yield Finding(
                f"{where}.{key}", shown(one[key]), allowed, f"Write it{example}." if example else "Correct it."
            )
        elif asked["type"] == "path" and not str(one[key]).startswith("/"):
            yield Finding(f"{where}.{key}", shown(one[key]), "an absolute path", "Begin it with a slash.")


def _hosts(where: str, one: Mapping[str, Any], hosts: Mapping[str, _HOST]) -> Iterator[Finding]:
    group = storage.in_group(hosts)
    for name in one.get("hosts") or ():
        if name not in group:
            remedy = nearest(name, group, "Add it to the group storage, or remove it here.", 0.8)
            yield Finding(f"{where}.hosts", shown(name), ", ".join(group) or "hosts of the group storage", remedy)
    if not group and not one.get("hosts"):
        remedy = "Add the hosts with its devices to the group storage. A host can be in several groups."
        yield Finding(where, f"{one['kind']}, but no host in the group storage", "at least one", remedy)


def _twice(found: list[Any]) -> list[Any]:
    return [item for index, item in enumerate(found) if item in found[:index]]


def _together(where: str, found: list[storage.Backend], known: Mapping[str, Kind]) -> Iterator[Finding]:
    """Find back ends that conflict with each other."""
    for name in _twice([one["name"] for one in found]):
        yield Finding(where, f"two back ends named {name}", "a unique name for each", "Rename one of them.")
    types = [one for one in found if "volumes" in one["serves"]]
    for name in _twice([one["type"] for one in types]):
        if [one["name"] for one in types].count(name) < 2:
            yield Finding(
                where, f"two back ends with the type {name}", "a unique type for each", "Set another type for one."
            )
    for kind in _twice([one["kind"] for one in found if known[one["kind"]].alone]):
        names = " and ".join(one["name"] for one in found if one["kind"] == kind)
        yield Finding(where, f"{names}, both {kind}", f"one back end of {kind}", "Merge them into one back end.")
    for use in storage.USES:
        serving = [one["name"] for one in found if use in one["serves"] or use in known[one["kind"]].always]
        defaults = [one["name"] for one in found if use in one["serves"] and one["default"]]
        if use in storage.SINGLE and len(serving) > 1:
            remedy = f"Remove {use} from the serves of all but one."
            yield Finding(where, f"{' and '.join(serving)} serve {use}", "one back end that serves them", remedy)
        elif len(defaults) > 1:
            remedy = "Set default: true for one of them only."
            yield Finding(where, f"{' and '.join(defaults)}, both the default for {use}", "one default", remedy)


def _enough(index: int, cloud: Settings, one: storage.Backend, known: Mapping[str, Kind]) -> Iterator[Finding]:
    """Find back ends with fewer devices than copies of the data."""
    kind = known[one["kind"]]
    if "replicas" not in kind.keys or one.get("cluster"):
        return
    where = f"{cloud.where(_NAME)}[{index}]"
    count = sum(len(devices) for devices in one["devices"].values())
    if not 2 <= one["replicas"] <= 10 and count >= 2:
        remedy = "Three replicas survive the loss of a device while another is being replaced."
        yield Finding(f"{where}.replicas", shown(one["replicas"]), "2 to 10", remedy)
    elif count < max(2, one["replicas"]):
        of = "no device" if not count else "one device" if count == 1 else f"{count} devices"
        remedy = f"Set {_DEVICES} for its hosts, or lower replicas."
        found = f"{one['kind']} with {of}, for {max(2, one['replicas'])} replicas"
        yield Finding(where, found, "at least one device per replica", remedy)
    elif enough := getattr(backend_kinds.modules().get(one["kind"]), "enough", None):
        yield from enough(where, one)


def _devices(one: Settings, host: _HOST, found: list[storage.Backend], known: Mapping[str, Kind]) -> Iterator[Finding]:
    """Check a host's storage_devices."""
    takers = storage.takers(found, host["name"], known)
    devices = host.get("devices") or []
    for index, device in enumerate(devices):
        path, backend, size = str(device["path"]), device.get("backend"), device.get("size")

        def finding(found: str, allowed: str, remedy: str, index: int = index) -> Finding:
            return Finding(f"{one.where(_DEVICES)}[{index}]", found, allowed, remedy, hosts=(one.host,))

        if not path.startswith("/"):
            yield finding(path, "an absolute path", "Write it such as /dev/disk/by-id/NAME.")
        elif path in [str(other["path"]) for other in devices[:index]]:
            yield finding(f"{path}, which is listed twice", "each device once", "Remove one of them.")
        if backend and backend not in [other["name"] for other in found]:
            remedy = nearest(backend, [other["name"] for other in found], f"Add it to {_NAME}.")
            yield finding(f"for {backend}, which is not in {_NAME}", ", ".join(takers) or "a back end's name", remedy)
        elif backend and backend not in takers:
            remedy = f"Add the host to the back end's hosts, or remove the device from {_DEVICES}."
            yield finding(f"for {backend}, which uses no device of {one.host}", ", ".join(takers) or "none", remedy)
        elif not backend and len(storage.takers(found, host["name"], known, nameless=True)) != 1:
            remedy = "Add backend: NAME." if takers else f"Add a back end to {_NAME}, or remove the device."
            yield finding(f"{path} for no back end", ", ".join(takers) or "a back end that uses it", remedy)
        if size and not SIZE.fullmatch(str(size)):
            yield finding(f"size {size}", "a number with M, G or T", "Write it such as 10G, without a space.")
        elif size and path.startswith("/dev/"):
            yield finding(f"{path} with a size", "a size for files only", "Remove size; a device has its own.")
        elif size and backend in [other["name"] for other in found if known[other["kind"]].volume_group]:
            yield finding(
                f"{path}, a file for LVM", "a block device", "Use a disk without a size; LVM does not use files."
            )
    for backend in found:
        if check := getattr(backend_kinds.modules().get(backend["kind"]), "devices", None):
            where, mine = one.where(_DEVICES), backend["devices"].get(host["name"], [])
            yield from check(mine, lambda *words, where=where: Finding(where, *words, hosts=(one.host,)))


def _shaped(one: Settings, specs: Mapping[str, Any], name: str) -> bool:
    """Whether the value of *name* has the right shape; a wrong one is reported with the other settings."""
    option = next((options[name] for options in specs.values() if name in options), None)
    value = one.values.get(name, [])
    return option is not None and not list(
        value_types.findings(name, value, value_types.of_arguments(option), lenient=True)
    )


def with_kinds(specs: Mapping[str, Mapping[str, Any]], known: Mapping[str, Kind]) -> dict[str, dict[str, Any]]:
    """Return *specs* with all *known* kinds of back ends and their keys in cloud_storage, including the user's."""
    result = {role: dict(options) for role, options in specs.items()}
    option = copy.deepcopy(result["cloud"][_NAME])
    option["options"]["kind"]["choices"] = sorted(known)
    for kind in known.values():
        for key, asked in kind.keys.items():
            option["options"].setdefault(key, {key: asked[key] for key in ("type", "elements") if key in asked})
    result["cloud"][_NAME] = option
    return result


def findings(
    settings: list[Settings], specs: Mapping[str, Any], hosts: Mapping[str, _HOST], known: Mapping[str, Kind]
) -> Iterator[Finding]:
    """Check the cloud's storage in the settings.

    :param settings: of all hosts, a controller first: its values are used for the cloud.
    :param specs: role → the options of its argument spec.
    :param hosts: as returned by ``topology``.
    :param known: the kinds of back ends.
    """
    fine = all(_shaped(one, specs, _DEVICES) for one in settings)
    if not fine or not settings or not _shaped(settings[0], specs, _NAME):
        return
    cloud = Settings("", settings[0].values, settings[0].places)
    given = cloud.values.get(_NAME) or []
    found = [finding for index, one in enumerate(given) for finding in _given(index, one, cloud, hosts, known)]
    yield from found
    if found:
        return
    complete = storage.backends(given, hosts, known)
    found = list(_together(cloud.where(_NAME), complete, known))
    for one in settings:
        if one.host in hosts:
            found += _devices(one, hosts[one.host], complete, known)
    yield from found
    if not found:
        for index, backend in enumerate(complete):
            yield from _enough(index, cloud, backend, known)
        yield from _images(cloud, complete, hosts, known)


def _images(
    cloud: Settings, found: list[storage.Backend], hosts: Mapping[str, _HOST], known: Mapping[str, Kind]
) -> Iterator[Finding]:
    """Find several controllers without a back end for images: each has a directory of its own for them."""
    controllers = [name for name, host in hosts.items() if "controller" in host["groups"]]
    if len(controllers) > 1 and not any("images" in one["serves"] for one in found):
        able = " or ".join(name for name, kind in known.items() if "images" in kind.can)
        text = f"{len(controllers)} controllers and no back end for images: each image is on one controller only"
        remedy = (
            f"Add a back end of {able} that serves images. A directory of the controllers is one too, if all of them "
            "mount the same: {name: shared, kind: file, path: DIRECTORY}."
        )
        yield Finding(cloud.where(_NAME), text, "storage for images that all controllers reach", remedy, "warning")


def shared(
    cloud: Settings,
    definitions: Mapping[str, Mapping[str, Any]],
    hosts: Mapping[str, _HOST],
    known: Mapping[str, Kind],
) -> Iterator[Finding]:
    """Find services that need a back end, always or on several controllers, and that none serves.

    :param definitions: the catalog, with their ``state``.
    """
    given = cloud.values.get(_NAME) or []
    if not isinstance(given, list):
        return
    several = sum("controller" in host["groups"] for host in hosts.values()) > 1
    serving: set[str] = set()
    for one in given:
        kind = known.get(str(one.get("kind"))) if isinstance(one, Mapping) else None
        serving.update(one.get("serves") or (kind.serves if kind else ()) if isinstance(one, Mapping) else ())
    listed = cloud.values.get("cloud_services")
    named = services(listed) if isinstance(listed, (str, list)) else []
    for name, definition in definitions.items():
        # Their states are those of the cloud only if no definition has an error.
        if definition["optional"] and name not in named:
            continue
        uses = {definition["needs_storage"]: name}
        if several:
            uses[definition["shared_storage"]] = f"{name} on several controllers"
        for use, who in uses.items():
            if use and use not in serving and definition["state"] == "present":
                able = " or ".join(sorted(kind.name for kind in known.values() if use in kind.can))
                found = f"{who}, and no back end that serves {use}"
                remedy = f"Add {use} to the serves of a back end of {able}; its other uses stay in the list."
                yield Finding(cloud.where(_NAME), found, f"a back end that serves {use}", remedy)


def removed(cloud: Settings, definitions: Mapping[str, Mapping[str, Any]]) -> Iterator[Finding]:
    """Find back ends whose kind is a definition with state absent.

    :param definitions: the catalog, with their ``state``.
    """
    given = cloud.values.get(_NAME)
    for index, one in enumerate(given if isinstance(given, list) else ()):
        kind = str(one.get("kind")) if isinstance(one, Mapping) else ""
        if kind in definitions and definitions[kind]["state"] == "absent":
            found = f"{kind}, whose service definition has state: absent"
            remedy = f"Remove the back end from {_NAME}, or set state: present."
            yield Finding(f"{cloud.where(_NAME)}[{index}].kind", found, "a kind that is present", remedy)


def found_devices(
    host: Any, finding: Callable[..., Finding], backends: Iterable[storage.Backend], known: Mapping[str, Kind]
) -> Iterator[Finding]:
    """Find addresses, volume groups and devices that back ends need and *host* lacks; devices that are not empty.

    Also devices that are listed twice under different names.

    :param host: with ``name``, ``settings`` and ``facts``, the result of host_probe.
    :param finding: returns a finding about a setting of the host.
    :param backends: the cloud's back ends with their defaults and devices.
    :param known: the kinds of back ends.
    """
    seen = host.facts.get("devices", {})
    groups = host.facts.get("volume_groups", {})
    yield from _same_device(host, backends, known)
    for backend in backends:
        for device in backend["devices"].get(host.name, []):
            yield from _device(device, backend, seen.get(device["path"]), finding, known)
        name = backend.get("volume_group")
        given = backend["devices"].get(host.name)
        if known[backend["kind"]].volume_group and host.name in backend["hosts"] and not given and name not in groups:
            remedy = f"Name devices for it ({_DEVICES}, with backend: {backend['name']}), or vgcreate {name} DEVICE."
            yield finding(_NAME, f"no volume group {name} on {host.name}", ", ".join(groups) or name, remedy)
        addresses = [one for nic in host.facts["interfaces"].values() for one in nic["addresses"]]
        for network in backend.get("networks") or () if host.name in backend["hosts"] else ():
            if not in_networks(addresses, [network]):
                remedy = (
                    f"Configure an address in that network on the host, or remove the network from {backend['name']}."
                )
                yield finding(_NAME, f"no address of {host.name} in {network}", ", ".join(addresses), remedy)


def _same_device(host: Any, backends: Iterable[storage.Backend], known: Mapping[str, Kind]) -> Iterator[Finding]:
    """Find entries of storage_devices that are the same device, one on the other, or two copies on the same disk."""
    seen, where = host.facts.get("devices", {}), host.settings.where(_DEVICES)
    listed = host.settings.values.get(_DEVICES) or []
    copies = [one["devices"].get(host.name, []) for one in backends if "replicas" in known[one["kind"]].keys]
    for index, device in enumerate(listed):
        for before, other in enumerate(listed[:index]):
            path, former = str(device["path"]), str(other["path"])
            found, first = seen.get(path), seen.get(former)
            if not found or not first or path == former:  # Input finds the same path twice
                continue
            place, whose = f"{where}[{index}]", f"{former} ({_DEVICES}[{before}])"
            if found["real"] == first["real"] or found["number"] == first["number"] != "":
                remedy = "Remove one of them, or use another device."
                text = f"{path}, which is the same device as {whose}: {first['real']}"
                yield Finding(place, text, "each device once", remedy, hosts=(host.name,))
            elif first["number"] in found["beneath"] or found["number"] in first["beneath"]:
                part, whole = (path, whose) if first["number"] in found["beneath"] else (whose, path)
                remedy = "List the whole device or its parts, not both."
                yield Finding(place, f"{part}, which is on {whole}", "each device once", remedy, hosts=(host.name,))
            elif set(found["beneath"]) & set(first["beneath"]) and any(
                device in mine and other in mine for mine in copies
            ):
                remedy = "Use a device of another disk for one of them."
                text = f"{path}, which is on the same disk as {whose}: both copies are lost with it"
                yield Finding(place, text, "a disk for each copy", remedy, "warning", (host.name,))


def _groups(backend: storage.Backend, known: Mapping[str, Kind]) -> tuple[str, ...]:
    """Return the volume groups that a device of the back end may belong to; after an interrupted run, none."""
    return ("", backend["volume_group"]) if known[backend["kind"]].volume_group else ()


def _device(
    device: Mapping[str, Any],
    backend: storage.Backend,
    seen: Mapping[str, Any] | None,
    finding: Callable[..., Finding],
    known: Mapping[str, Kind],
) -> Iterator[Finding]:
    path = device["path"]
    checks = backend_kinds.modules().get(backend["kind"])
    is_directory = getattr(checks, "is_directory", lambda _path: False)
    if seen is None or (is_directory(path) and seen["kind"] in ("missing", "directory")):
        return
    if seen["kind"] == "missing" and not device.get("size"):
        guide = getattr(checks, "GUIDE", "storage")
        remedy = f"Correct the path: ls -l /dev/disk/by-id; to replace a failed disk, see docs/{guide}.md."
        yield finding(_DEVICES, f"no device {path}", "a block device", remedy)
    elif seen["kind"] not in ("missing", "file" if device.get("size") else "block"):
        allowed = "a file, or none yet" if device.get("size") else "a block device; with size a file"
        yield finding(_DEVICES, f"{path}, which is a {seen['kind']}", allowed, "Correct the path.")
    elif seen["holds"] and seen["owner"] != backend["kind"] and seen["group"] not in _groups(backend, known):
        holds = seen["holds"] + (f", mounted at {seen['mounted']}" if seen["mounted"] else "")
        remedy = f"Use another device. If its data is not needed, run wipefs --all {path} on the host."
        yield finding(_DEVICES, f"{path}, which holds {holds}", "an empty device", remedy)
