# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Builds a compact index of all options in a service's code.

It runs as a program where the service's packages are installed: ``python3 - SERVICE < option_index.py`` prints the
index. So it imports nothing from Cairn, and handles one service per process: two services may register an option
differently.

An index is a dictionary:

``packages``
    The Debian packages of the options, with their versions.
``files``
    The service's ini files (patterns) → the names of the sets that each may have.
``sets``
    Name → section → option → its values: a type's name, or a dictionary with ``type`` and its limits
    (``min``, ``max``, ``choices``, ``regex``, ``ignore_case``, ``max_length``, ``schemes``, ``bounds`` and ``items``
    of a list or dictionary), or ``renamed`` to another option, as ``section/option`` if it moved; with ``multi`` if it
    may be given more than once, ``secret`` if it is one, ``removal`` if it is deprecated for removal.
``auth``
    The options of Keystone's authentication plugins, which any section with ``auth_type`` may have.
``free``
    Sections with user-defined names: ``by``, the option that lists them, and ``like``, the sections (patterns)
    whose options they take.

Sections except DEFAULT are in lower case, as oslo.config compares them; one with a ``*`` is a pattern.
"""

from __future__ import annotations

import contextlib
import fnmatch
import importlib
import importlib.metadata
import importlib.util
import json
import pkgutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from typing import Any

# The exit status if the service is not installed.
NOT_INSTALLED = 3
# Libraries whose options services read.
_LIBRARIES = ["oslo.*", "osprofiler", "keystonemiddleware.*"]


def _aodh(conf: Any, cfg: Any) -> None:
    importlib.import_module("aodh.keystone_client").register_keystoneauth_opts(conf)


def _barbican(conf: Any, cfg: Any) -> None:
    options = [cfg.StrOpt("secret_store_plugin"), cfg.StrOpt("crypto_plugin"), cfg.BoolOpt("global_default")]
    conf.register_opts(options, group="secretstore:*")


def _ceilometer(conf: Any, cfg: Any) -> None:
    importlib.import_module("ceilometer.keystone_client").register_keystoneauth_opts(conf)


def _glance(conf: Any, cfg: Any) -> None:
    driver = importlib.import_module("glance_store.driver")
    conf.register_opts(driver._MULTI_BACKEND_OPTS, group="glance.store")
    conf.register_opts(importlib.import_module("glance_store._drivers.filesystem").Store.OPTIONS, group="os_glance_*")


def _keystone(conf: Any, cfg: Any) -> None:
    for protocol in ("mapped", "openid", "saml2"):
        conf.register_opt(cfg.StrOpt("remote_id_attribute"), group=protocol)
        conf.register_opt(cfg.StrOpt(protocol), group="auth")


def _neutron(conf: Any, cfg: Any) -> None:
    importlib.import_module("neutron.agent.dhcp_agent").register_options(conf)


def _nova(conf: Any, cfg: Any) -> None:
    conf.set_override("enabled_mdev_types", ["*"], group="devices")
    conf.set_override("physnets", ["*"], group="neutron")
    for module in ("nova.conf.devices", "nova.conf.neutron"):
        importlib.import_module(module).register_dynamic_opts(conf)


# Facts that the code does not provide. ``sets``: the namespaces (patterns) of entry points that the service reads
# besides the libraries'; each belongs to the first set that matches. ``files``: the service's files, with the sets that
# each may have; all by default. ``imports``: modules that register options when imported. ``dynamic``: registers the
# options of sections that depend on the configuration. ``free``: see above.
SERVICES: dict[str, dict[str, Any]] = {
    "aodh": {"sets": {"all": ["aodh", "aodh-auth"]}, "files": {"aodh.conf": []}, "dynamic": _aodh},
    "barbican": {
        "sets": {"all": ["barbican.*", "castellan.config"]},
        "files": {"barbican.conf": []},
        "dynamic": _barbican,
    },
    "ceilometer": {
        "sets": {"all": ["ceilometer", "ceilometer-auth"]},
        "files": {"ceilometer.conf": []},
        "dynamic": _ceilometer,
    },
    "cinder": {
        "sets": {"all": ["cinder", "castellan.config", "os_brick"]},
        "files": {"cinder.conf": []},
        "imports": ["cinder.privsep", "cinder.volume.drivers.nec.*", "os_brick.privileged"],
        "free": [
            {"by": "DEFAULT/enabled_backends", "like": ["backend", "backend_defaults"]},
            {"by": "fc-zone-manager/fc_fabric_names", "like": ["*_fabric_example"]},
        ],
    },
    "cloudkitty": {"sets": {"all": ["cloudkitty.*"]}, "files": {"cloudkitty.conf": []}},
    "designate": {"sets": {"all": ["designate.conf"]}, "files": {"designate.conf": []}},
    "glance": {
        "sets": {"all": ["glance", "glance.*", "castellan.config", "os_brick"]},
        "files": {
            "glance-api.conf": [],
            "glance-cache.conf": [],
            "glance-image-import.conf": [],
            "glance-manage.conf": [],
            "glance-scrubber.conf": [],
        },
        "imports": [
            "glance.common.swift_store_utils",
            "glance.common.trust_auth",
            "glance.db.sqlalchemy.metadata",
            "os_brick.privileged",
        ],
        "dynamic": _glance,
        "free": [{"by": "DEFAULT/enabled_backends", "like": ["cinder", "file", "glance.store*"]}],
    },
    "gnocchi": {"sets": {"all": ["gnocchi"]}, "files": {"gnocchi.conf": []}},
    "heat": {"sets": {"all": ["heat.*"]}, "files": {"heat.conf": []}},
    "keystone": {
        "sets": {"all": ["keystone"]},
        "files": {"keystone.conf": [], "domains/*.conf": []},
        "dynamic": _keystone,
    },
    "magnum": {"sets": {"all": ["magnum.*"]}, "files": {"magnum.conf": []}},
    "manila": {
        "sets": {"all": ["manila"]},
        "files": {"manila.conf": []},
        "imports": ["manila.privsep", "manila.scheduler.weighers.*", "manila.share.drivers.*"],
        "free": [{"by": "DEFAULT/enabled_share_backends", "like": ["DEFAULT"]}],
    },
    "masakari": {"sets": {"all": ["masakari.conf", "customized_recovery_flow_opts"]}, "files": {"masakari.conf": []}},
    "mistral": {"sets": {"all": ["mistral.config"]}, "files": {"mistral.conf": []}},
    "neutron": {
        "sets": {
            "dhcp": ["neutron.dhcp.agent"],
            "l3": ["neutron.l3.agent"],
            "macvtap": ["neutron.ml2.macvtap.agent"],
            "metadata": ["neutron.metadata.agent"],
            "metering": ["neutron.metering.agent"],
            "ml2": ["neutron.ml2", "neutron.ml2.ovn"],
            "ovn_agent": ["neutron.ml2.ovn.agent"],
            "ovn_metadata": ["neutron.ovn.metadata.agent"],
            "ovs": ["neutron.ml2.ovs.agent"],
            "sriov": ["neutron.ml2.sriov.agent"],
            "all": ["neutron", "neutron.*", "*.auth"],
        },
        # An agent reads neutron.conf and its own file, and an option may be in either; some agents share options.
        "files": {
            "neutron.conf": [],
            "dhcp_agent.ini": ["dhcp", "ovs", "all"],
            "l3_agent.ini": ["l3", "ovs", "all"],
            "metadata_agent.ini": ["metadata", "all"],
            "metering_agent.ini": ["metering", "l3", "ovs", "all"],
            "neutron_ovn_metadata_agent.ini": ["ovn_metadata", "metadata", "ovs", "all"],
            "plugins/ml2/macvtap_agent.ini": ["macvtap", "all"],
            "plugins/ml2/ml2_conf.ini": ["ml2", "ovs", "all"],
            "plugins/ml2/openvswitch_agent.ini": ["ovs", "macvtap", "all"],
            "plugins/ml2/ovn_agent.ini": ["ovn_agent", "ovn_metadata", "metadata", "ovs", "all"],
            "plugins/ml2/sriov_agent.ini": ["sriov", "macvtap", "all"],
        },
        "imports": [
            "neutron.agent.l2.extensions.*",
            "neutron.agent.l3.extensions.*",
            "neutron.extensions.rbac",
            "neutron.notifiers.ironic",
            "neutron.privileged",
        ],
        "dynamic": _neutron,
    },
    "nova": {
        "sets": {"all": ["nova.conf", "castellan.config", "os_brick", "os_vif"]},
        "files": {"nova.conf": [], "nova-compute.conf": []},
        "imports": ["nova.privsep", "os_brick.privileged", "vif_plug_linux_bridge.privsep", "vif_plug_ovs.privsep"],
        "dynamic": _nova,
    },
    "octavia": {"sets": {"all": ["octavia"]}, "files": {"octavia.conf": []}},
    "placement": {"sets": {"all": ["placement.conf"]}, "files": {"placement.conf": []}},
}

# Attributes of an option that do not depend on its type.
_MARKS = ("multi", "secret", "removal")

Options = dict[str, Any]
Sections = dict[str, Options]


def versions(packages: Iterable[str]) -> dict[str, str]:
    """Return the versions of the installed ones of the Debian *packages*."""
    said = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Package} ${Version} ${db:Status-Status}\n", *packages],
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    found = [line.split(" ") for line in said.splitlines()]
    return {name: version for name, version, status in sorted(found) if status == "installed"}


def _packages(modules: Iterable[str]) -> dict[str, str]:
    """Return the packages of *modules*, with versions."""
    paths = {importlib.util.find_spec(module).origin for module in modules}
    said = subprocess.run(["dpkg-query", "-S", *sorted(paths)], capture_output=True, text=True, check=False).stdout
    return versions(sorted({line.split(":")[0] for line in said.splitlines()}))


def section_name(name: str) -> str:
    """Return the section *name* in the form that oslo.config compares."""
    return name if name == "DEFAULT" else name.lower()


def _narrowed(kind: Any) -> dict[str, Any]:
    """Return the index entry of oslo.config's type *kind*."""
    if kind in (str, int, float):
        return {"type": kind.__name__}
    name = type(kind).__name__
    known = {
        "Boolean": "bool",
        "Dict": "dict",
        "Float": "float",
        "HostAddress": "host",
        "HostDomain": "host",
        "Hostname": "host",
        "IPAddress": "ip",
        "Integer": "int",
        "List": "list",
        "MultiString": "str",
        "Port": "int",
        "Range": "range",
        "String": "str",
        "URI": "uri",
    }
    # The rules of a service's own type are unknown.
    if name not in known or type(kind).__module__ != "oslo_config.types":
        return {"type": "any"}
    spec: dict[str, Any] = {"type": known[name]}
    for key in ("min", "max", "ignore_case", "max_length", "bounds", "schemes"):
        value = getattr(kind, key, None)
        if not (value is None or value is False or (key == "max_length" and value == 0)):
            spec[key] = value
    if getattr(kind, "choices", None) is not None:
        spec["choices"] = list(kind.choices)
    if getattr(kind, "regex", None) is not None:
        spec["regex"] = kind.regex.pattern
    if getattr(kind, "key_value_separator", ":") != ":":
        spec["separator"] = kind.key_value_separator
    item = getattr(kind, "item_type", None) or getattr(kind, "value_type", None)
    if item is not None and _narrowed(item) != {"type": "str"}:
        spec["items"] = _narrowed(item)
    return spec


def _spec(option: Any) -> dict[str, Any]:
    """Return the index entry of *option*."""
    marks = {"multi": option.multi, "secret": option.secret, "removal": option.deprecated_for_removal}
    return {**_narrowed(option.type), **{key: True for key, value in marks.items() if value}}


def _agreed(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Return the values that both readers of an option accept; any value if they differ."""
    if "renamed" in one or "renamed" in other:
        return other if "renamed" in one else one
    kinds = [{key: value for key, value in spec.items() if key not in _MARKS} for spec in (one, other)]
    marks = {key for key in _MARKS if (all if key == "removal" else any)(key in spec for spec in (one, other))}
    return {**(kinds[0] if kinds[0] == kinds[1] else {"type": "any"}), **dict.fromkeys(sorted(marks), True)}


def _add(sections: Sections, group: Any, options: Iterable[Any]) -> None:
    """Add *options* of the *group* to *sections*, including their deprecated names."""
    section = section_name(getattr(group, "name", group) or "DEFAULT")
    for option in options:
        specs = [(section, option.dest, _spec(option))]
        for old in option.deprecated_opts:
            there, name = section_name(old.group or section), old.name or option.dest
            if (there, name) != (section, option.dest):
                specs.append(
                    (there, name, {"renamed": f"{section}/{option.dest}" if there != section else option.dest})
                )
        for there, name, spec in specs:
            known = sections.setdefault(there, {})
            known[name] = _agreed(known.get(name, spec), spec)


def _registered(conf: Any) -> Iterator[tuple[str, list[Any]]]:
    """Yield all options registered with *conf* by group."""
    yield "DEFAULT", [entry["opt"] for entry in conf._opts.values()]
    for name, group in conf._groups.items():
        yield name, [entry["opt"] for entry in group._opts.values()]


def _auth(sections: Sections) -> Options:
    """Return the options of all keystoneauth plugins, and remove them from *sections* that authenticate."""
    loading = importlib.import_module("keystoneauth1.loading")
    known: Sections = {}
    for plugin in sorted(loading.get_available_plugin_names()):
        _add(known, "auth", loading.get_auth_plugin_conf_options(plugin))
    for section, options in sections.items():
        if "auth_url" in options or "auth_type" in options:
            _add(sections, section, loading.get_auth_common_conf_options())
            for name in options.keys() & known["auth"].keys():
                if options[name] == known["auth"][name]:
                    del options[name]
    return known["auth"]


def _compact(options: Options) -> Options:
    """Return *options* sorted, with entries that are only a type replaced by its name."""
    return {name: spec["type"] if list(spec) == ["type"] else spec for name, spec in sorted(options.items())}


def matches_any(name: str, patterns: Iterable[str]) -> bool:
    """Whether *name* matches one of *patterns*."""
    return any(fnmatch.fnmatch(name, pattern) for pattern in patterns)


def _import(name: str) -> None:
    """Import the module *name*, or all modules of a package if it ends in ``.*``, as far as possible."""
    package = name.removesuffix(".*")
    # They differ between releases, and the library of a driver may not be installed.
    with contextlib.suppress(Exception):
        module = importlib.import_module(package)
        for found in pkgutil.iter_modules(module.__path__, f"{package}.") if package != name else ():
            _import(f"{found.name}.*" if found.ispkg else found.name)


def index(service: str) -> dict[str, Any]:
    """Return the index of *service*, from the installed code.

    :raises ImportError: oslo.config is not installed.
    :raises LookupError: the service is not installed.
    """
    from oslo_config import cfg

    about = SERVICES[service]
    patterns = {**about["sets"], "all": about["sets"]["all"] + _LIBRARIES}
    sets: dict[str, Sections] = {name: {} for name in patterns}
    modules, own = {"keystoneauth1.loading"}, 0
    for point in sorted(importlib.metadata.entry_points(group="oslo.config.opts")):
        owner = next((name for name, globs in patterns.items() if matches_any(point.name, globs)), None)
        if owner is None or ".tests." in point.name:
            continue
        try:
            listed = point.load()()
        except ImportError as error:
            sys.stderr.write(f"{point.name}: {error}\n")  # the library of a driver is not installed
            continue
        own += matches_any(point.name, about["sets"][owner])
        modules.add(point.module)
        for group, options in listed:
            _add(sets[owner], group, options)
    if not own:
        raise LookupError(service)
    for module in about.get("imports", []):
        _import(module)
    if "dynamic" in about:
        about["dynamic"](cfg.CONF, cfg)
    # Options that the code registers without listing them.
    listed = {(section, name) for sections in sets.values() for section in sections for name in sections[section]}
    for group, options in _registered(cfg.CONF):
        _add(sets["all"], group, [option for option in options if (section_name(group), option.dest) not in listed])
    return {
        "packages": _packages(modules),
        "files": {name: names or sorted(sets) for name, names in about["files"].items()},
        "free": about.get("free", []),
        "auth": _compact(_auth(sets["all"])),
        "sets": {
            name: {section: _compact(options) for section, options in sorted(sections.items()) if options}
            for name, sections in sets.items()
        },
    }


def main() -> int:
    """Print the index of the given service."""
    try:
        # Output of imported modules must not mix with the index.
        with contextlib.redirect_stdout(sys.stderr):
            found = index(sys.argv[1])
    except (ImportError, LookupError) as error:
        sys.stderr.write(f"{sys.argv[1]}: {error!r}\n")
        return NOT_INSTALLED
    json.dump(found, sys.stdout)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
