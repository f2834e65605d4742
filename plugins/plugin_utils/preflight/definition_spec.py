# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a catalog page may say, as data, and whether pages say it.

A string with a template in it stands for any type, as definitions are checked before they are templated; but for what
is ``LITERAL``, which decides what there is before anything is templated.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.cairn.openstack.plugins.plugin_utils.catalog import definitions
from ansible_collections.cairn.openstack.plugins.plugin_utils.catalog.backends import COMMON, OF_VOLUMES, USES
from ansible_collections.cairn.openstack.plugins.plugin_utils.preflight.fault import Fault, nearest, shown
from ansible_collections.cairn.openstack.plugins.plugin_utils.preflight.value_types import faults as faults_of
from ansible_collections.cairn.openstack.plugins.plugin_utils.preflight.value_types import is_template, keys

_NODES = ["controller", "network", "compute", "storage", "all"]
_KEY_TYPES = ["str", "int", "bool", "path", "list", "dict"]

TEXT = {"type": "str"}
NAME = {"type": "str", "required": True}
FLAG = {"type": "bool"}
LITERAL = {"literal": True}
LITERAL_TEXT = {"type": "str", **LITERAL}
TEXTS = {"type": "list", "elements": TEXT}
ANYTHING: dict[str, Any] = {"type": "raw"}


def literally(shape: Mapping[str, Any]) -> dict[str, Any]:
    """Return *shape* without a template anywhere in it."""
    result = {**shape, **LITERAL}
    for key in ("elements", "values"):
        if key in shape:
            result[key] = literally(shape[key])
    if "options" in shape:
        result["options"] = {name: literally(inner) for name, inner in shape["options"].items()}
    return result


STEPS = {
    "type": "list",
    "elements": {
        "type": "dict",
        **LITERAL,
        "options": {
            "run": NAME,
            "user": TEXT,
            "environment": {"type": "dict", "values": TEXT},
            # in a step after the start: run it with the administrator's credentials in its environment
            "credentials": {"type": "str", "choices": ["admin"]},
            # done already: by a database (alembic or query), a file that is there, or a path of an API that answers
            "unless": {
                "type": "dict",
                **LITERAL,
                "required": True,
                "options": {"database": TEXT, "alembic": TEXT, "table": TEXT, "query": TEXT, "file": TEXT, "get": TEXT},
            },
        },
    },
}

SPEC: dict[str, dict[str, Any]] = {
    "name": TEXT,
    "description": NAME,
    "state": {"type": "str", "choices": ["present", "absent"]},
    "when": FLAG,
    "tier": {"type": "str", "choices": ["infrastructure", "identity", "service"]},
    "user": TEXT,
    "packages": {"type": "dict", **LITERAL, "options": dict.fromkeys(_NODES, TEXTS)},
    "secrets": {"type": "list", **LITERAL, "elements": LITERAL_TEXT},
    "databases": {"type": "list", **LITERAL, "elements": {"type": "dict", **LITERAL, "options": {"name": NAME}}},
    "db_sync": STEPS,
    # what runs once for the cloud when the services answer
    "after_start": STEPS,
    # what makes new hosts known to the cloud, once their units have started
    "registration": {
        "type": "dict",
        "options": {
            "steps": {**STEPS, "required": True},
            # these start once more on the new hosts, as soon as they are registered
            "units": TEXTS,
            # files that these write at their first start
            "writes": TEXTS,
        },
    },
    "keys": {
        "type": "list",
        "elements": {
            "type": "dict",
            "options": {"path": NAME, "keys": {**TEXTS, "required": True}, "owner": TEXT, "group": TEXT},
        },
    },
    "messaging": FLAG,
    # what it listens on beside its APIs, and from where the firewall lets others reach it
    "ports": {
        "type": "list",
        "elements": {
            "type": "dict",
            "options": {
                # a number, a range (6800-7568), or none where the protocol has no ports
                "port": ANYTHING,
                "protocol": TEXT,
                "source_port": ANYTHING,
                "unit": TEXT,
                "groups": {"type": "list", **LITERAL, "elements": {"type": "str", "choices": _NODES}},
                "when": FLAG,
                "interface": TEXT,
                # public (cloud_firewall_sources), nodes, controllers, any, or networks in CIDR form
                "from": {**TEXTS, "required": True},
            },
        },
    },
    # folders that destroy.yml removes
    "purge_paths": TEXTS,
    "identity": {
        "type": "dict",
        **LITERAL,
        "options": {
            "account": FLAG,
            "roles": TEXTS,
            "new_roles": TEXTS,
            # domains with users of their own, who have the roles on the domain
            "domains": {
                "type": "list",
                **LITERAL,
                "elements": {
                    "type": "dict",
                    **LITERAL,
                    "options": {
                        "name": NAME,
                        "description": TEXT,
                        "users": {
                            "type": "list",
                            **LITERAL,
                            "elements": {
                                "type": "dict",
                                **LITERAL,
                                "options": {"name": {**NAME, **LITERAL}, "roles": {**TEXTS, "required": True}},
                            },
                        },
                    },
                },
            },
            "services": {
                "type": "list",
                "elements": {"type": "dict", "options": {"type": NAME, "name": TEXT, "api": TEXT, "path": TEXT}},
            },
        },
    },
    "apis": {
        "type": "list",
        **LITERAL,
        "elements": {
            "type": "dict",
            **LITERAL,
            "options": {
                "name": NAME,
                "port": {"type": "int", "required": True},
                "health": {**TEXT, "required": True},
                "load_balanced": FLAG,
                "frontend_port": {"type": "dict", "options": {"http": {"type": "int"}, "https": {"type": "int"}}},
                "unit": TEXT,
                "websocket": FLAG,
                "uwsgi": {
                    "type": "dict",
                    "options": {
                        "app": NAME,
                        "file": TEXT,
                        "default": TEXT,
                        "preload": TEXTS,
                        "processes": {"type": "int"},
                        "options": {"type": "dict", "values": ANYTHING},
                    },
                },
            },
        },
    },
    # calls with the administrator's token, which a run makes when all is up: a path of an API, and what it answers
    "checks": {
        "type": "list",
        "elements": {
            "type": "dict",
            "options": {"get": NAME, "api": TEXT, "status": {"type": "int"}},
        },
    },
    "units": {
        "type": "list",
        **LITERAL,
        "elements": {
            "type": "dict",
            **LITERAL,
            "options": {
                "name": NAME,
                "groups": {"type": "list", **LITERAL, "elements": {"type": "str", "choices": _NODES}},
                "when": FLAG,
                "tier": {"type": "str", "choices": ["infrastructure", "identity", "service"]},
                "state": {"type": "str", "choices": ["started", "stopped", "any"]},
                # null leaves it as it is
                "enabled": {**FLAG, "null": True},
                "restart_anytime": FLAG,
                # what must hold before it restarts: a URL that answers, a command that ends well
                "restart_when": TEXTS,
                # a command that restarts it, in the place of systemctl
                "restart_with": TEXT,
                "reload": FLAG,
                # it belongs to any host: it stays when the page goes
                "host_owned": FLAG,
                "watches": TEXTS,
                "packages": TEXTS,
                "state_commands": TEXTS,
                "log": TEXT,
                # MiB that it takes at least, and those of each of cloud_workers on top
                "memory": {"type": "int"},
                "worker_memory": {"type": "int"},
            },
        },
    },
    "files": {
        "type": "dict",
        **LITERAL,
        "values": {
            "type": "dict",
            "options": {
                "path": TEXT,
                "groups": {"type": "list", **LITERAL, "elements": {"type": "str", "choices": [*_NODES, "operator"]}},
                "when": FLAG,
                "state": {"type": "str", "choices": ["present", "absent"]},
                "mode": TEXT,
                "owner": TEXT,
                "group": TEXT,
                "managed_block": FLAG,
                "comment_out": TEXT,
                "secret": FLAG,
                "before_packages": FLAG,
                "host_owned": FLAG,
                "units": TEXTS,
                # section → database, or with the option that takes its URL: {database: NAME, option: url}
                "databases": {"type": "dict", "values": ANYTHING},
                "database_groups": {"type": "list", "elements": {"type": "str", "choices": _NODES}},
                "sections": {"type": "dict", "values": ANYTHING},
                "messaging": FLAG,
                # sections of keystoneauth's options: names, or {section: NAME, omit: [OPTION], rename: {OPTION: OTHER}}
                "auth": {"type": "list", "elements": ANYTHING},
            },
        },
    },
    # A file's text, or its sections with their options.
    "config": {"type": "dict", **LITERAL, "values": ANYTHING},
    # what it makes of an entry of cloud_storage whose kind is its name
    "backend": {
        "type": "dict",
        "options": {
            "can": {"type": "list", "elements": {"type": "str", "choices": list(USES)}, "required": True},
            "serves": {"type": "list", "elements": {"type": "str", "choices": list(USES)}},
            # what it provides whatever it serves
            "always": {"type": "list", "elements": {"type": "str", "choices": list(USES)}},
            "keys": {
                "type": "dict",
                "values": {
                    "type": "dict",
                    "options": {
                        "type": {"type": "str", "choices": _KEY_TYPES},
                        "elements": {"type": "str", "choices": _KEY_TYPES},
                        "required": FLAG,
                        "default": ANYTHING,
                        # a regular expression, and the words for what it lets pass
                        "match": TEXT,
                        "description": TEXT,
                        "example": TEXT,
                    },
                },
            },
            "hosts": FLAG,
            "devices": FLAG,
            "by_name": FLAG,
            "alone": FLAG,
            "served_from_hosts": FLAG,
            "volume_group": FLAG,
            "device_memory": {"type": "int"},
        },
    },
}
# Back ends are completed before anything is templated.
SPEC["backend"] = literally(SPEC["backend"])
# What a definition adds to others, by their names.
_CONTRIBUTION = {key: SPEC[key] for key in ("packages", "files", "units", "config")}
SPEC["contributes"] = {
    "type": "dict",
    **LITERAL,
    "values": {"type": "dict", **LITERAL, "options": _CONTRIBUTION},
}
# The same for each back end of cloud_storage; of its own kind, if it has a key backend.
SPEC["each_backend"] = {
    "type": "list",
    **LITERAL,
    "elements": {
        "type": "dict",
        **LITERAL,
        "options": {"when": FLAG, "contributes": {**SPEC["contributes"], "required": True}},
    },
}


def mapping(value: Any) -> Mapping[str, Any]:
    """Return the dictionary *value*, an empty one where it is absent or yet to be templated."""
    return value if isinstance(value, Mapping) else {}


def items(value: Any) -> list[Mapping[str, Any]]:
    """Return the dictionaries in the list *value*, none where it is absent or yet to be templated."""
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, (list, tuple)) else []


def _references(where: str, page: Mapping[str, Any]) -> Iterator[Fault]:
    """Find the names in *page* that nothing in it bears."""
    have = {key: [item["name"] for item in items(page.get(key))] for key in ("units", "apis", "databases")}
    wanted = [("apis", "units", api.get("unit", api["name"])) for api in items(page.get("apis"))]
    first = next(iter(have["apis"]), None)
    services = items(mapping(page.get("identity")).get("services"))
    wanted += [("checks", "apis", check.get("api", first)) for check in items(page.get("checks"))]
    wanted += [("identity.services", "apis", service.get("api", first)) for service in services]
    for name, file in mapping(page.get("files")).items():
        units, databases = mapping(file).get("units"), mapping(file).get("databases")
        wanted += [(f"files.{name}", "units", unit) for unit in (units if isinstance(units, list) else ())]
        wanted += [
            (f"files.{name}", "databases", given if isinstance(given, str) else mapping(given).get("database"))
            for given in mapping(databases).values()
        ]
    for at, key, name in wanted:
        if name not in have[key] and not is_template(name) and not is_template(page.get(key)):
            known = ", ".join(have[key]) or f"none, as the service definition has no {key}"
            remedy = nearest(name, have[key], f"Add it to the {key} of the service definition, or name another.")
            yield Fault(f"{where}.{at}", f"the {key} of the service definition lack {name!r}", known, remedy)
    wrong = [
        fault
        for key, steps in (
            ("db_sync", page.get("db_sync")),
            ("after_start", page.get("after_start")),
            ("registration.steps", mapping(page.get("registration")).get("steps")),
        )
        for index, step in enumerate(items(steps))
        for fault in _guard(f"{where}.{key}[{index}].unless", step["unless"], key)
    ]
    yield from wrong
    yield from _backend(where, mapping(page.get("backend")))
    yield from _secrets(where, page)
    yield from _contents(where, page)
    yield from _asked(where, page)
    yield from _sources(where, page)
    if not wrong and not is_template(page.get("db_sync")):
        done = {step["unless"].get("database") for step in items(page.get("db_sync"))}
        bare = [name for name in have["databases"] if name not in done]
        for name in bare:
            yield Fault(
                f"{where}.databases",
                f"no db_sync step for {name!r}",
                "a step of db_sync for each database",
                f"Add a step whose unless has database: {name}.",
            )


def _guard(where: str, unless: Any, key: str) -> Iterator[Fault]:
    """Find a guard that does not say what it looks at."""
    kinds = ["alembic", "query", "file", "get"]
    given = [kind for kind in kinds if kind in mapping(unless)]
    if key == "db_sync":
        # The APIs do not run yet.
        kinds.remove("get")
    if len(given) != 1 or given[0] not in kinds:
        yield Fault(where, " and ".join(given) or "no guard", f"one of {', '.join(kinds)}", "Name one of them.")
    elif given[0] in ("alembic", "query") and "database" not in unless:
        yield Fault(where, "'database' is missing", "database: text", "Add it.")
    elif given[0] == "get" and not (
        is_template(unless["get"]) or str(unless["get"]).startswith(("http://", "https://"))
    ):
        remedy = "Write it as in {{ cloud.scheme }}://{{ cloud.internal_name }}:8041/v1/resource_type/instance."
        yield Fault(where, shown(unless["get"]), "a URL", remedy)


def _backend(where: str, kind: Mapping[str, Any]) -> Iterator[Fault]:
    """Find descriptions of a back end's keys that describe nothing, and a volume group that no key names."""
    known = mapping(kind.get("keys"))
    for name, asked in known.items():
        at = f"{where}.backend.keys.{name}"
        shape = asked.get("type", "str")
        if name in (*COMMON, *OF_VOLUMES):
            yield Fault(at, f"the key {name!r}", "a key that not every back end has", "Choose another name.")
        if "match" in asked and shape in ("list", "dict", "bool"):
            yield Fault(f"{at}.match", f"match for the type {shape}", "match for text and numbers", "Remove it.")
        elif "match" in asked:
            try:
                re.compile(asked["match"])
            except re.error as error:
                yield Fault(f"{at}.match", f"{shown(asked['match'])}: {error}", "a regular expression", "Correct it.")
        if "elements" in asked and shape != "list":
            yield Fault(f"{at}.elements", f"elements of type {shape}", "type: list", "Add type: list, or remove it.")
        if "default" in asked:
            yield from faults_of(f"{at}.default", asked["default"], {"type": shape})
    if kind.get("volume_group") and "volume_group" not in known:
        remedy = "Add volume_group: {type: str} to the keys."
        yield Fault(f"{where}.backend.volume_group", "true, and no key volume_group", "a key that names it", remedy)


def _secrets(where: str, page: Mapping[str, Any]) -> Iterator[Fault]:
    """Find two secrets of one name: of the service itself, of ``secrets``, and of users in its domains."""
    name = where.removeprefix("catalog_")
    whole = {**definitions.DEFAULTS, **page}
    taken = {f"{name}_{secret}" for secret in whole["secrets"]}
    for one, there in (
        ("database", whole["databases"]),
        ("messaging", whole["messaging"]),
        ("identity", definitions.has_account(whole)),
    ):
        if there:
            taken.add(f"{name}_{one}")
    for _domain, user in definitions.domain_users(whole):
        secret = definitions.secret_of(name, user["name"])
        if secret in taken:
            found = f"the user {user['name']!r}, whose secret is {secret}, which is another's"
            yield Fault(f"{where}.identity.domains", found, "a secret for each", "Choose another name for the user.")
        taken.add(secret)


def _contents(where: str, page: Mapping[str, Any]) -> Iterator[Fault]:
    """Find files whose content is neither a text nor sections with options, of the service's own and of others'."""
    places = [(f"{where}.config", page.get("config"))]
    entries = [("contributes", page.get("contributes"))]
    entries += [(f"each_backend[{n}]", one.get("contributes")) for n, one in enumerate(items(page.get("each_backend")))]
    for key, targets in entries:
        places += [
            (f"{where}.{key}.{target}.config", mapping(content).get("config"))
            for target, content in mapping(targets).items()
        ]
    for place, files in places:
        for name, content in mapping(files).items():
            if isinstance(content, str):
                continue
            if not isinstance(content, Mapping):
                remedy = "Put the options below a section."
                yield Fault(f"{place}.{name}", shown(content), "a text, or section → option", remedy)
                continue
            for section, options in content.items():
                if options is not None and not isinstance(options, Mapping) and not is_template(options):
                    remedy = f"Put {section} below its section, often DEFAULT."
                    yield Fault(f"{place}.{name}", f"{section}: {shown(options)}", "section → option", remedy)


def _asked(where: str, page: Mapping[str, Any]) -> Iterator[Fault]:
    """Find files that ask for what the service does not have: a user in Keystone, or one in RabbitMQ."""
    identity = page.get("identity")
    user = bool(identity) and (not isinstance(identity, Mapping) or identity.get("account", True) is not False)
    for name, file in mapping(page.get("files")).items():
        auth = mapping(file).get("auth")
        if auth and not user:
            remedy = "Add identity: {services: []} for a user without endpoints."
            yield Fault(f"{where}.files.{name}.auth", "auth, and no identity", "a service user (identity)", remedy)
        for item in auth if isinstance(auth, (list, tuple)) else ():
            if not isinstance(item, str) and "section" not in mapping(item):
                remedy = "Write {section: NAME, omit: [OPTION]}."
                yield Fault(f"{where}.files.{name}.auth", shown(item), "a section's name", remedy)
        if mapping(file).get("messaging") is True and not page.get("messaging"):
            remedy = "Add messaging: true to the service definition."
            yield Fault(
                f"{where}.files.{name}.messaging",
                "messaging, and no user",
                "a user of the message queue (messaging: true)",
                remedy,
            )


def _sources(where: str, page: Mapping[str, Any]) -> Iterator[Fault]:
    """Find ports that are opened for whom the firewall does not know."""
    words = ("public", "nodes", "controllers", "any")
    for index, port in enumerate(items(page.get("ports"))):
        for source in port["from"] if isinstance(port["from"], (list, tuple)) else ():
            if source in words or is_template(source):
                continue
            try:
                ipaddress.IPv4Network(str(source))
            except ValueError:
                allowed = f"{', '.join(words)}, or an IPv4 network"
                yield Fault(
                    f"{where}.ports[{index}].from", shown(source), allowed, nearest(str(source), words, "Correct it.")
                )


def faults(name: str, page: Any) -> list[Fault]:
    """Return what is wrong with the catalog page *name*."""
    where = f"catalog_{name}"
    if not isinstance(page, Mapping):
        return [Fault(where, shown(page), "a dictionary", "See docs/adding_a_service.md for its keys.")]
    # Names can be compared once the shape is right.
    return list(keys(where, page, SPEC)) or list(_references(where, page))


def clashes(pages: Mapping[str, Mapping[str, Any]]) -> list[Fault]:
    """Return the ports that more than one API of *pages* listens on."""
    users: dict[int, list[str]] = {}
    for name, page in pages.items():
        for api in items(page.get("apis")):
            if is_template(api["port"]):
                continue
            users.setdefault(api["port"], []).append(f"{name}'s {api['name']}")
    return [
        Fault(
            f"port {port}",
            " and ".join(names),
            "one service for each port",
            "Set another port for one of them, or disable it.",
        )
        for port, names in sorted(users.items())
        if len(names) > 1
    ]
