# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The content of service definitions for one host: pure functions over plain data."""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any
from urllib.parse import quote

from ansible_collections.cairn.openstack.plugins.module_utils.common import ini
from ansible_collections.cairn.openstack.plugins.plugin_utils.catalog import contributions
from ansible_collections.cairn.openstack.plugins.plugin_utils.catalog.sources import trust_as_template

Definition = dict[str, Any]
TIERS = ("infrastructure", "identity", "service")

# The defaults of a definition's keys.
DEFAULTS: Definition = {
    "state": "present",
    "optional": False,
    "needs": [],
    "resources": [],
    "when": True,
    "tier": "service",
    "packages": {},
    "secrets": [],
    "databases": [],
    "db_sync": [],
    "after_start": [],
    "registration": {},
    "keys": [],
    "messaging": False,
    "shared_storage": "",
    "needs_storage": "",
    "ports": [],
    "identity": {},
    "apis": [],
    "checks": [],
    "health": [],
    "process_list": {},
    "in_use": {},
    "capacity": {},
    "maintenance": [],
    "leaving": {},
    "around_restarts": {},
    "units": [],
    "files": {},
    "config": {},
    "contributes": {},
    "backend": {},
    "each_backend": [],
}

# States of units that need memory, and restart for what they read: those that run, or may run any time.
RESTARTING = ("started", "kept")


def load(variables: Mapping[str, Any], extra: Mapping[str, Definition]) -> dict[str, Definition]:
    """Return all definitions, from variables ``catalog_NAME`` and the user's own, with their defaults."""
    shipped = {
        key.removeprefix("catalog_"): variables[key]
        for key in variables
        if key.startswith("catalog_") and key not in ("catalog_extra", "catalog_dir")
    }
    return {
        name: {**copy.deepcopy(DEFAULTS), **_of_name(name, definition), **definition}
        for name, definition in sorted({**shipped, **extra}.items())
    }


def _of_name(name: str, definition: Mapping[str, Any]) -> Definition:
    """Return *definition* with the defaults that depend on its name."""
    found: Definition = {"name": name, "user": name, "purge_paths": directories(definition.get("user", name))}
    if definition.get("backend"):
        found["when"] = trust_as_template(f"{{{{ '{name}' in cloud.storage.kinds }}}}")
    return found


def directories(user: str) -> list[str]:
    """Return the directories for configuration, data and logs of a service's Debian package."""
    return [f"/etc/{user}", f"/var/lib/{user}", f"/var/log/{user}"]


def secret_names(catalog: Mapping[str, Definition]) -> list[str]:
    """Return the names of all secrets that the definitions need."""
    # The last one identifies the cloud to its hosts.
    return sorted({"admin", "message_admin", "cloud"}.union(*(own_secrets(name, one) for name, one in catalog.items())))


def own_secrets(name: str, definition: Definition) -> set[str]:
    """Return the names of the secrets that the definition *name* needs."""
    names = {f"{name}_{secret}" for secret in definition["secrets"]}
    if definition["databases"]:
        names.add(f"{name}_database")
    if definition["messaging"]:
        names.add(f"{name}_messaging")
    if has_user(definition):
        names.add(f"{name}_identity")
    return names | {secret_of(name, user["name"]) for _domain, user in domain_users(definition)}


def services(setting: Any) -> list[str]:
    """Return the optional services that the *setting* ``cloud_services`` names; from the command line it is text."""
    return (
        [one.strip() for one in setting.split(",") if one.strip()] if isinstance(setting, str) else list(setting or [])
    )


def of_cloud(
    catalog: Mapping[str, Definition], services: Collection[str], have: Collection[str]
) -> dict[str, Definition]:
    """Return the definitions that concern a cloud: those not optional, those it has, and those it had.

    :param services: the setting ``cloud_services``.
    :param have: the names of the secrets that the cloud has. A service's are generated before all else of it, and kept
        after its removal.
    """
    return {
        name: one
        for name, one in catalog.items()
        if not one["optional"] or name in services or own_secrets(name, one) & set(have)
    }


def secret_of(name: str, user: str) -> str:
    """Return the name of the secret of a *user* in a domain of the definition *name*."""
    return f"{user}" if user.startswith(f"{name}_") else f"{name}_{user}"


def domain_users(definition: Definition) -> list[tuple[str, dict[str, Any]]]:
    """Return the users of the service in its own domains, each with its domain."""
    domains = definition["identity"].get("domains") or [] if isinstance(definition["identity"], Mapping) else []
    return [(domain["name"], user) for domain in domains for user in domain.get("users") or []]


def checks(definition: Definition, cloud: Mapping[str, Any], logs: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the requests that check the service, in the form of the module ``service_health``."""
    result = []
    for check in definition["checks"]:
        api = _api(definition, check)
        unit = api.get("unit", api["name"])
        url = _frontend(api, cloud) + check["get"]
        status = check.get("status", 200)
        result.append({"name": api["name"], "url": url, "status": status, "unit": unit, "log": logs.get(unit)})
    return result


def process_lists(definition: Definition, cloud: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the list of the service's processes, if its API has one, in the form of the module ``service_health``."""
    if not (given := definition["process_list"]):
        return []
    entry = {key: value for key, value in given.items() if key != "api"}
    runs_on = {
        unit["name"]: [host["name"] for host in cloud["hosts"] if {*host["groups"], "all"} & set(groups)]
        for unit in definition["units"]
        for groups in [unit.get("groups", ["controller"])]
    }
    api = _api(definition, given)
    return [{**entry, "url": _frontend(api, cloud), "unit": api.get("unit", api["name"]), "runs_on": runs_on}]


def _api(definition: Definition, entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return the API that *entry* names; the first one by default."""
    return next(api for api in definition["apis"] if api["name"] == entry.get("api", definition["apis"][0]["name"]))


def _frontend(api: Mapping[str, Any], cloud: Mapping[str, Any]) -> str:
    """Return the URL of an API at the load balancer, without a path."""
    port = api.get("frontend_port", {}).get(cloud["scheme"], api["port"])
    return f"{cloud['scheme']}://{cloud['internal_name']}:{port}"


def has_user(definition: Definition) -> bool:
    """Whether the service has its own user in Keystone."""
    return bool(definition["identity"]) and definition["identity"].get("user", True)


def groups_of(definition: Definition) -> set[str]:
    """Return the node groups that *definition* applies to."""
    named = set(definition["packages"])
    named.update(group for unit in definition["units"] for group in unit.get("groups", ["controller"]))
    named.update(group for file in definition["files"].values() for group in (file or {}).get("groups", []))
    return named


def workers(setting: Any, processors: int) -> int:
    """Return the number of processes per API: the *setting*, or half of the controller's processors within limits."""
    return int(setting or 0) or max(2, min(8, processors // 2))


def merged(base: Any, over: Any) -> Any:
    """Return *base* overridden by *over*, with dictionaries merged at every level; None in *over* removes an option."""
    if not (isinstance(base, Mapping) and isinstance(over, Mapping)):
        return copy.deepcopy(over)
    result = dict(base)
    for key, value in over.items():
        if value is None and base.get(key) is not None:
            del result[key]
        else:
            result[key] = merged(base[key], value) if key in base else copy.deepcopy(value)
    return result


def overrides(variables: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Return the user's layers of options in order of precedence: ``cloud_config``, then ``cloud_config_*`` by name."""
    return [
        (name, variables[name])
        for name in sorted(variables)
        if name == "cloud_config" or name.startswith("cloud_config_")
    ]


def apis(
    catalog: Mapping[str, Definition], scheme: str, template: Callable[[Any], Any] = lambda value: value
) -> list[dict[str, Any]]:
    """Return every API of the cloud with its definition's name, for the load balancer and the firewall.

    :param template: templates a definition's ``apis``.

    ``frontend_port`` is the port for clients: the service's own, unless the definition has one for *scheme*. ``unit``
    is omitted, as its name may differ between hosts.
    """
    return [
        {
            "load_balanced": True,
            "health": None,
            "definition": name,
            **{key: value for key, value in api.items() if key != "unit"},
            "frontend_port": api.get("frontend_port", {}).get(scheme, api["port"]),
        }
        for name, definition in catalog.items()
        if definition["state"] == "present"
        for api in template(definition["apis"])
    ]


def ports(
    catalog: Mapping[str, Definition], groups: set[str], template: Callable[[Any], Any] = lambda value: value
) -> list[dict[str, Any]]:
    """Return the ports of a host in *groups* besides those of its APIs, for the firewall.

    :param catalog: the definitions of this cloud.
    :param template: templates a definition's ``ports``.
    """
    defaults = {"port": None, "protocol": "tcp", "source_port": None, "interface": "", "unit": None, "loopback": True}
    return [
        {**defaults, "definition": name, **port}
        for name, definition in sorted(catalog.items())
        if definition["state"] == "present"
        for port in template(definition["ports"])
        if set(port.get("groups", ["controller"])) & {*groups, "all"} and port.get("when", True) is True
    ]


def packages(
    catalog: Mapping[str, Definition],
    groups: set[str],
    added: Iterable[contributions.Contribution],
    template: Callable[[Any], Any] = lambda value: value,
) -> dict[str, list[str]]:
    """Return the packages of a host in *groups*, by definition.

    :param catalog: the definitions of this cloud.
    :param added: contributions to them, which are templated already.
    :param template: templates a definition's ``packages``.
    """
    given = [(name, template(one["packages"])) for name, one in catalog.items() if one["state"] == "present"]
    given += [(one.target, one.content.get("packages", {})) for one in added if not one.absent]
    found: dict[str, set[str]] = {}
    for name, by_group in given:
        found.setdefault(name, set()).update(package for group in groups for package in by_group.get(group, ()))
    return {name: sorted(names) for name, names in found.items()}


def common_sections(
    definition: Definition, file: Mapping[str, Any], cloud: Mapping[str, Any]
) -> dict[str, dict[str, Any]]:
    """Return the oslo sections that *file* requests: databases, message queue, authentication, cache."""
    name, secrets = definition["name"], cloud["secrets"]
    sections: dict[str, dict[str, Any]] = {}
    # By default only controllers get the database passwords.
    reach = set(file.get("database_groups") or ["controller"])
    databases = file.get("databases") or {} if reach & set(cloud["me"]["groups"]) else {}
    for section, given in databases.items():
        wanted = {"database": given} if isinstance(given, str) else given
        password = quote(secrets[f"{name}_database"], safe="")
        url = f"mysql+pymysql://{name}:{password}@{cloud['database_host']}/{wanted['database']}?charset=utf8mb4"
        if cloud["database_ca"]:
            url += f"&ssl_ca={cloud['database_ca']}"
        if "option" in wanted:
            sections[section] = {wanted["option"]: url}
            continue
        sections[section] = {
            "connection": url,
            "max_pool_size": cloud["pool"],
            "max_overflow": cloud["pool"] * 4,
            "connection_recycle_time": 280,
        }
    if file.get("messaging"):
        sections["DEFAULT"] = {"transport_url": _transport_url(name, cloud)}
    if file.get("messaging") or file.get("notifications"):
        ca = cloud["messaging_ca"]
        # use_queue_manager needs it; Debian's units create the directory.
        sections["oslo_concurrency"] = {"lock_path": f"/run/lock/{definition['user']}"}
        sections["oslo_messaging_rabbit"] = {
            "rabbit_quorum_queue": True,
            "rabbit_transient_quorum_queue": True,
            "rabbit_stream_fanout": True,
            "rabbit_qos_prefetch_count": 10,
            "use_queue_manager": True,
            # An idle RPC server polls every (60 s / rate / 2), also for a request to stop: 1.5 s, not 5.
            "heartbeat_rate": 20,
            **({"ssl": True, "ssl_ca_file": ca} if ca else {}),
        }
        # Nobody would read them.
        sections["oslo_messaging_notifications"] = {"driver": "noop"}
        if reader := file.get("notifications"):
            url = _transport_url(reader, cloud)
            sections["oslo_messaging_notifications"] = {"driver": "messagingv2", "transport_url": url}
    for given in file.get("auth") or []:
        wanted = {"section": given} if isinstance(given, str) else given
        sections[wanted["section"]] = _auth(definition, wanted, cloud)
    return sections


def _transport_url(name: str, cloud: Mapping[str, Any]) -> str:
    """Return oslo.messaging's URL of the virtual host of the definition *name*, as its user."""
    password = quote(cloud["secrets"][f"{name}_messaging"], safe="")
    port = 5671 if cloud["messaging_ca"] else 5672
    nodes = ",".join(f"{name}:{password}@{host['address']}:{port}" for host in cloud["controllers"])
    return f"rabbit://{nodes}/{name}"


def _auth(definition: Definition, wanted: Mapping[str, Any], cloud: Mapping[str, Any]) -> dict[str, Any]:
    """Return the section with keystoneauth's options, by which the service authenticates.

    :param wanted: ``section``; ``omit``, options that it lacks; ``rename``, options with other names.
    """
    name, secrets, section = definition["name"], cloud["secrets"], wanted["section"]
    options = {
        "auth_type": "password",
        "auth_url": cloud["identity_url"],
        "username": name,
        "password": secrets[f"{name}_identity"],
        "user_domain_name": "Default",
        "project_name": "service",
        "project_domain_name": "Default",
        "region_name": cloud["region"],
        "cafile": cloud["ca_file"],
    }
    # keystonemiddleware, which validates the tokens of clients
    if section == "keystone_authtoken":
        services = definition["identity"].get("services") or []
        options |= {
            "www_authenticate_uri": cloud["identity_public_url"],
            "memcached_servers": cloud["cache_servers"],
            "memcache_security_strategy": "ENCRYPT",
            "memcache_secret_key": secrets["memcached_encryption_key"],
            "service_token_roles": "service",
            "service_token_roles_required": True,
            **({"service_type": services[0]["type"]} if services else {}),
        }
    # The service token, sent besides the client's; it is requested from Keystone only.
    if section == "service_user":
        options["send_service_user_token"] = True
        del options["region_name"]
    renamed = {(wanted.get("rename") or {}).get(option, option): value for option, value in options.items()}
    return {option: value for option, value in renamed.items() if option not in (wanted.get("omit") or ())}


def ordered(layers: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Merge *layers*; later ones take precedence."""
    result: dict[str, Any] = {}
    for layer in layers:
        result = merged(result, layer or {})
    return result


def _uwsgi_files(definition: Definition, api: Mapping[str, Any], cloud: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the files that make Debian's start scripts run a WSGI service with this address and these workers."""
    uwsgi, unit, user = api["uwsgi"], api["name"], definition["user"]
    path, default, shared = _uwsgi_paths(definition, api)
    options = {
        "http-socket": f"{cloud['bind']}:{api['port']}",
        "processes": uwsgi.get("processes", cloud["workers"]),
        # eventlet and threads lose replies and deadlock: one thread, more processes
        "threads": 1,
        "enable-threads": True,
        "master": True,
        # Each worker loads its application. A reload replaces the workers; the master keeps its imports.
        "lazy": True,
        # else it would return 500 until restarted, if it was loaded while its database was unavailable
        "need-app": True,
        # No thunder-lock: a worker that waits for it during a reload returns errors until it is killed.
        "worker-reload-mercy": 10,
        # Its exit handlers, which run without its threads, abort or hang.
        "skip-atexit-teardown": True,
        "die-on-term": True,
        "no-orphans": True,
        "close-on-exec": True,
        "close-on-exec2": True,
        "paste-logger": True,
        "plugins": "python3",
        "buffer-size": 65535,
        "rem-header": "Content-Length",
        "listen": 100,
        "env[]": [
            # Else all are "uwsgi" for oslo.messaging's queue manager: one file in /dev/shm, owned by the first of
            # them, and the same reply queues for two services of one user.
            f"OS_OSLO_MESSAGING_RABBIT__PROCESSNAME={unit}",
            # An idle worker runs no threads, so it sends no heartbeats: RabbitMQ would close its connection.
            "OS_OSLO_MESSAGING_RABBIT__HEARTBEAT_TIMEOUT_THRESHOLD=0",
        ],
        "uid": user,
        "gid": user,
        "chdir": f"/var/lib/{user}",
        "name": unit,
        "wsgi-file": uwsgi["app"],
        "shared-pyimport": shared if uwsgi.get("preload") else None,
        "logto": f"/var/log/{user}/{unit}.log",
        **uwsgi.get("options", {}),
    }
    files = [
        {"path": path, "content": ini.render({"uwsgi": options})},
        {
            "path": default,
            "content": "# Written by Cairn: the address and the workers are set in the ini file.\n"
            f'DAEMON_ARGS="--ini {path}"\n',
        },
    ]
    return files + ([{"path": shared, "content": _shared(uwsgi["preload"])}] if uwsgi.get("preload") else [])


def _uwsgi_paths(definition: Definition, api: Mapping[str, Any]) -> tuple[str, str, str]:
    """Return the files that uWSGI's master reads: its ini file, the start script's defaults, its imports."""
    uwsgi, unit, directory = api["uwsgi"], api["name"], f"/etc/{definition['user']}"
    default = f"/etc/default/{uwsgi.get('default', unit)}"
    return uwsgi.get("file", f"{directory}/{unit}-uwsgi.ini"), default, f"{directory}/{unit}-uwsgi.py"


def _shared(modules: Iterable[str]) -> str:
    """Return the code that uWSGI's master runs before it forks workers: it imports these *modules*."""
    return _SHARED.format("\n".join(f"import {module}" for module in modules))


_SHARED = """\
# Written by Cairn: uWSGI's master imports this once, and its workers share the memory. Each worker creates its own
# application and connections.
import gc
import random
import sys

import uwsgi
{}


def apart():
    # Python does not notice uWSGI's forks: all workers would use the same random numbers, such as for MAC addresses.
    random.seed()
    # If eventlet has patched Python, it has created a hub in the master.
    if "eventlet.hubs" in sys.modules:
        sys.modules["eventlet.hubs"].use_hub()


uwsgi.post_fork_hook = apart
# The garbage collector writes to the objects that it visits, which would unshare their memory.
gc.freeze()
"""


def files(
    definition: Definition, groups: set[str], cloud: Mapping[str, Any], layers: list[Mapping[str, Any]]
) -> list[dict]:
    """Return the files of *definition* for a host in *groups*.

    Each has ``name``, its name in the definition, ``sections``, its options (None for a text), and ``units``, the names
    of the units that read it. *layers* are the user's options for this definition; later ones take precedence.
    """
    result = []
    contributed = [file for _source, file, _options in definition.get("contributions", ())]
    names = dict.fromkeys(
        [*definition["config"], *definition["files"], *contributed, *(name for layer in layers for name in layer)]
    )
    for name in names:
        attributes = definition["files"].get(name) or {}
        on = set(attributes.get("groups") or definition.get("own_groups") or definition["packages"] or ["all"])
        if attributes.get("when", True) is not True or not on & groups:
            continue
        shipped = definition["config"].get(name, {})
        sections = None
        given = list(contributions.layers(definition, name))
        contributions.check_texts(given, f"{definition['name']}: {name}")
        texts = [shipped, *(text for _source, text in given), *(layer.get(name) for layer in layers)]
        texts = [text for text in texts if isinstance(text, str)]
        if texts:
            content = texts[-1]
        else:
            common = common_sections(definition, attributes, cloud)
            computed = attributes.get("sections")
            base = contributions.merged([(definition["name"], shipped), *given], f"{definition['name']}: {name}")
            sections = ordered([common, base, computed, *(layer.get(name, {}) for layer in layers)])
            content = ini.render(sections)
        result.append(
            {
                "name": name,
                "sections": sections,
                "path": attributes.get("path") or f"/etc/{definition['user']}/{name}",
                "content": content,
                "state": attributes.get("state", "present"),
                "mode": str(attributes.get("mode", "0640")),
                "owner": attributes.get("owner", "root"),
                "group": attributes.get("group", definition["user"]),
                "managed_block": attributes.get("managed_block", False),
                "comment_out": attributes.get("comment_out"),
                "secret": attributes.get("secret", False),
                "before_packages": attributes.get("before_packages", False),
                "validate": attributes.get("validate"),
                "state_commands": attributes.get("state_commands", []),
                "host_owned": attributes.get("host_owned", False),
                "units": attributes.get("units"),
                "contributors": sorted({source for source, _options in given}),
            }
        )
    for api in definition["apis"]:
        if api.get("uwsgi") and "controller" in groups:
            result += [{**_PLAIN, **file, "units": [api["name"]]} for file in _uwsgi_files(definition, api, cloud)]
    wsgi = {api["name"] for api in definition["apis"] if api.get("uwsgi")}
    lasting = [unit for unit in definition["units"] if _lasts(definition, unit) and runs(unit, groups)]
    apis = {api.get("unit", api["name"]) for api in definition["apis"]}
    return result + [_drop_in(unit, _order(definition, unit, apis), unit["name"] in wsgi) for unit in lasting]


def _order(definition: Definition, unit: Mapping[str, Any], apis: set[str]) -> str:
    """Return what systemd does with *unit* at boot, in which services start after Keystone, those without an API last.

    :param apis: the units that serve the definition's APIs.
    """
    if unit.get("tier", definition["tier"]) == "identity":
        return "\n[Service]\n# Others wait for this one.\nNice=-5\n"
    if unit["name"] not in apis:
        return "\n[Unit]\nAfter=cairn-identity.service cairn-apis.service\n"
    # The services that start after it would delay its first requests.
    return "\n[Unit]\nAfter=cairn-identity.service\n\n[Service]\nNice=-3\n"


def _lasts(definition: Definition, unit: Mapping[str, Any]) -> bool:
    """Whether *unit* is an OpenStack service, which must wait for databases and queues instead of giving up."""
    return unit.get("tier", definition["tier"]) != "infrastructure" and "." not in unit["name"]


def runs(unit: Mapping[str, Any], groups: set[str]) -> bool:
    """Whether a host in *groups* has *unit*."""
    return bool(set(unit.get("groups", ["controller"])) & groups) and unit.get("when", True) is True


def maintenance(definition: Definition, groups: set[str], state: str) -> list[dict[str, str]]:
    """Return the commands of *definition* for a host in *groups* whose maintenance is in *state*."""
    return [one[state] for one in definition["maintenance"] if runs(one, groups)]


def _drop_in(unit: Mapping[str, Any], order: str, wsgi: bool) -> dict[str, Any]:
    """Return the drop-in that lets systemd restart *unit* without limit, and configures its name resolution.

    :param order: sections for its start at boot.
    :param wsgi: whether uWSGI runs it, which can reload its workers.
    """
    return {
        **_PLAIN,
        "path": f"/etc/systemd/system/{unit['name']}.service.d/cairn.conf",
        # The host may not even have a unit that must not run.
        "state": "absent" if unit.get("state") == "stopped" else "present",
        "content": _DROP_IN + (_UWSGI_DROP_IN if wsgi else "") + order,
        # systemd reads most of it without a restart, and the rest can wait for the next one.
        "units": [],
    }


_DROP_IN = """\
# Written by Cairn.
[Unit]
StartLimitIntervalSec=0

[Service]
# Resolve names as everything else on the host does, which also saves 0.1 s of each start.
Environment=EVENTLET_NO_GREENDNS=yes
# Units of a service share its directory for locks. systemd would remove it when the first of them stops, while others
# run or start, which would then fail.
RuntimeDirectoryPreserve=yes
Restart=on-failure
RestartSec=3
# While all services of a busy host start, Nova's may need more than the default of 90 s; ended and started again, they
# would need more still.
TimeoutStartSec=300
"""
_UWSGI_DROP_IN = """\
# Debian's value for all but Neutron's API, which delays a shutdown by 90 s while it waits for its database.
TimeoutStopSec=15
ExecReload=/bin/kill -HUP $MAINPID
"""

_PLAIN = {
    "name": None,
    "sections": None,
    "state": "present",
    "mode": "0644",
    "owner": "root",
    "group": "root",
    "managed_block": False,
    "comment_out": None,
    "secret": False,
    "before_packages": False,
    "validate": None,
    "state_commands": [],
    "host_owned": False,
    "contributors": [],
}


def units(definition: Definition, groups: set[str], host_files: list[dict]) -> list[dict]:
    """Return the units of *definition* for a host in *groups*, each with the files that it reads and its tier."""
    result = []
    packages = sorted({name for group in groups for name in definition["packages"].get(group, [])})
    wsgi = {api["name"]: _uwsgi_paths(definition, api) for api in definition["apis"] if api.get("uwsgi")}
    # The first API validates tokens in Keystone as the user of the service.
    asks = (
        definition["apis"][0].get("unit", definition["apis"][0]["name"])
        if has_user(definition) and definition["apis"]
        else None
    )
    for unit in definition["units"]:
        if not runs(unit, groups):
            continue
        name = unit["name"]
        files = [file for file in host_files if file["units"] is None or name in file["units"]]
        result.append(
            {
                "name": name,
                "tier": unit.get("tier", definition["tier"]),
                "definition": definition["name"],
                "watches": sorted({*(file["path"] for file in files), *unit.get("watches", [])}),
                "packages": unit.get("packages", packages),
                "state_commands": [
                    *unit.get("state_commands", []),
                    *(command for file in files if file["state"] == "present" for command in file["state_commands"]),
                ],
                "expected_values": unit.get("expected_values", []),
                "service_user": definition["name"] if name == asks else None,
                "restart_anytime": unit.get("restart_anytime", False),
                "restart_anytime_if": unit.get("restart_anytime_if", []),
                "restart_when": unit.get("restart_when", []),
                "restart_with": unit.get("restart_with"),
                "reload": unit.get("reload", name in wsgi),
                # A reload of the workers does not apply changes of these, which only the master reads.
                "restart_for": [*wsgi[name], *(f"package {package}" for package in packages)] if name in wsgi else [],
                "reload_for": unit.get("reload_for", []),
                "host_owned": unit.get("host_owned", False),
                "enabled": unit.get("enabled", True),
                "state": unit.get("state", "started"),
                "log": unit.get("log", f"/var/log/{definition['user']}/{name}.log"),
            }
        )
    return result


def steps(definition: Definition, commands: list[dict], cloud: Mapping[str, Any]) -> list[dict]:
    """Return the guarded *commands* of a definition in the form of the module ``db_sync``."""
    found = []
    for command in commands:
        step = {"user": definition["user"], **{key: value for key, value in command.items() if key != "credentials"}}
        if command.get("credentials"):
            step["environment"] = {**credentials(cloud), **command.get("environment", {})}
            step["secret_environment"] = {"OS_PASSWORD": cloud["secrets"]["admin"]}
        found.append(step)
    return [{"name": definition["name"], "steps": found}] if found else []


def records(definition: Definition, host_units: list[dict]) -> list[dict[str, Any]]:
    """Return the files that the *host_units* write at their first start, and whose content the cloud keeps.

    In the form of the module ``host_records``.
    """
    registration = definition["registration"]
    if not {unit["name"] for unit in host_units if unit["state"] == "started"} & set(registration.get("units", [])):
        return []
    return [
        {
            "file": {
                "path": file["path"],
                "mode": str(file.get("mode", "0644")),
                "owner": file.get("owner", definition["user"]),
                "group": file.get("group", definition["user"]),
                "replace": False,
            },
            **file["record"],
            "units": [unit["name"] for unit in definition["units"] if runs(unit, {"controller"})],
        }
        for file in registration.get("writes", [])
        if file.get("record")
    ]


def credentials(cloud: Mapping[str, Any]) -> dict[str, str]:
    """Return the credentials of the admin user for OpenStack clients, without the password."""
    return {
        "OS_AUTH_URL": cloud["identity_url"],
        "OS_USERNAME": "admin",
        "OS_PROJECT_NAME": "admin",
        "OS_USER_DOMAIN_NAME": "Default",
        "OS_PROJECT_DOMAIN_NAME": "Default",
        "OS_REGION_NAME": cloud["region"],
        "OS_INTERFACE": "internal",
        "OS_IDENTITY_API_VERSION": "3",
        **({"OS_CACERT": cloud["ca_file"]} if cloud["ca_file"] else {}),
    }


def identity_services(definition: Definition, cloud: Mapping[str, Any]) -> list[dict]:
    """Return the services with their endpoints, in the form of the module ``identity``."""
    ports = {api["name"]: api["port"] for api in definition["apis"]}
    result = []
    for service in definition["identity"].get("services", []):
        port = ports[service["api"]] if "api" in service else next(iter(ports.values()))
        path = service.get("path", "")
        result.append(
            {
                "name": service.get("name", definition["name"]),
                "type": service["type"],
                "description": definition["description"],
                "state": definition["state"],
                "endpoints": {
                    "public": f"{cloud['scheme']}://{cloud['public_name']}:{port}{path}",
                    "internal": f"{cloud['scheme']}://{cloud['internal_name']}:{port}{path}",
                },
            }
        )
    return result
