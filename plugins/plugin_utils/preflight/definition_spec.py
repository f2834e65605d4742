# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The schema of service definitions, and checks against it.

Definitions are checked before they are templated, so a string with a template is accepted for any type. ``LITERAL``
values accept no template: they are needed before templating.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.cairn.openstack.plugins.plugin_utils.catalog import definitions
from ansible_collections.cairn.openstack.plugins.plugin_utils.catalog.backends import COMMON, OF_VOLUMES, USES
from ansible_collections.cairn.openstack.plugins.plugin_utils.preflight.finding import Finding, nearest, shown
from ansible_collections.cairn.openstack.plugins.plugin_utils.preflight.value_types import findings as findings_of
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
    """Return *shape* with templates forbidden at every level."""
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
            # in a step after the start: run it with the admin user's credentials in its environment
            "credentials": {"type": "str", "choices": ["admin"]},
            # skip the step if a database (alembic, or query, which finds a row, or all of rows), an existing file or a
            # path of an API shows it done
            "unless": {
                "type": "dict",
                **LITERAL,
                "required": True,
                "options": {
                    "database": TEXT,
                    "alembic": TEXT,
                    "table": TEXT,
                    "query": TEXT,
                    "rows": TEXTS,
                    "file": TEXT,
                    "get": TEXT,
                },
            },
        },
    },
}

# units: running units that have read what the step changes, and restart if it ran
_SCHEMA_STEPS = {
    **STEPS,
    "elements": {**STEPS["elements"], "options": {**STEPS["elements"]["options"], "units": TEXTS}},
}

SPEC: dict[str, dict[str, Any]] = {
    "name": TEXT,
    "description": NAME,
    "state": {"type": "str", "choices": ["present", "absent"]},
    # whether a cloud has it only if cloud_services names it
    "optional": {**FLAG, **LITERAL},
    # kinds of cloud_resources that only it has
    "resources": {"type": "list", **LITERAL, "elements": LITERAL_TEXT},
    # optional services that it does not work without
    "needs": {"type": "list", **LITERAL, "elements": LITERAL_TEXT},
    "when": FLAG,
    "tier": {"type": "str", "choices": ["infrastructure", "identity", "service"]},
    "user": TEXT,
    "packages": {"type": "dict", **LITERAL, "options": dict.fromkeys(_NODES, TEXTS)},
    "secrets": {"type": "list", **LITERAL, "elements": LITERAL_TEXT},
    "databases": {"type": "list", **LITERAL, "elements": {"type": "dict", **LITERAL, "options": {"name": NAME}}},
    "db_sync": _SCHEMA_STEPS,
    # steps that run once for the cloud, after the services have started
    "after_start": STEPS,
    # how new hosts are registered in the cloud, once their units have started
    "registration": {
        "type": "dict",
        "options": {
            "steps": {**STEPS, "required": True},
            # units to restart on the new hosts after registration
            "units": TEXTS,
            # files that these units write at their first start. With record, the cloud keeps a file's content: a host
            # that has lost the file gets it from the query, which returns the name of a host and its content.
            "writes": {
                "type": "list",
                "elements": {
                    "type": "dict",
                    "options": {
                        "path": NAME,
                        "mode": TEXT,
                        "owner": TEXT,
                        "group": TEXT,
                        "record": {"type": "dict", "options": {"database": NAME, "query": NAME}},
                    },
                },
            },
        },
    },
    "keys": {
        "type": "list",
        "elements": {
            "type": "dict",
            "options": {"path": NAME, "keys": {**TEXTS, "required": True}, "owner": TEXT, "group": TEXT},
        },
    },
    "messaging": {**FLAG, **LITERAL},
    # ports that it listens on besides its APIs, and the sources that the firewall allows
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
                # whether it also listens on the host's loopback address
                "loopback": FLAG,
                # public (cloud_firewall_sources), nodes, controllers, any, or networks in CIDR form
                "from": {**TEXTS, "required": True},
            },
        },
    },
    # directories that destroy.yml removes
    "purge_paths": TEXTS,
    "identity": {
        "type": "dict",
        **LITERAL,
        "options": {
            "user": {**FLAG, **LITERAL},
            "roles": TEXTS,
            "new_roles": TEXTS,
            # domains with their own users, which have the roles on the domain
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
            # domains whose users and groups are in a directory, in the form of the module identity
            "ldap_domains": {
                "type": "list",
                "elements": {
                    "type": "dict",
                    "options": {
                        "name": NAME,
                        "description": TEXT,
                        "ldap": {"type": "dict", "required": True},
                        "ldap_password": TEXT,
                        "state": {"type": "str", "choices": ["present", "absent"]},
                    },
                },
            },
            # providers of users for Keystone's federation, in the form of the module identity
            "identity_providers": {
                "type": "list",
                "elements": {
                    "type": "dict",
                    "options": {
                        "name": NAME,
                        "domain": TEXT,
                        "remote_ids": TEXTS,
                        "protocol": TEXT,
                        "remote_id_attribute": TEXT,
                        "mapping": {"type": "list", "elements": {"type": "dict"}},
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
                # paths of it that another port of the host serves
                "paths": {
                    "type": "list",
                    "elements": {
                        "type": "dict",
                        "options": {"name": NAME, "port": {"type": "int", "required": True}, "paths": TEXTS},
                    },
                },
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
    # requests with an admin token at the end of a run: the path of an API, and the expected status
    "checks": {
        "type": "list",
        "elements": {
            "type": "dict",
            "options": {"get": NAME, "api": TEXT, "status": {"type": "int"}},
        },
    },
    # URLs that answer with a status below 400 if the service works, on controllers
    "health": {
        "type": "list",
        "elements": {
            "type": "dict",
            "options": {
                "name": NAME,
                "url": {**TEXT, "required": True},
                "unit": {**TEXT, "required": True},
                "username": TEXT,
                "password": TEXT,
                "advice": TEXT,
                "expected": {"type": "dict", "values": ANYTHING},
            },
        },
    },
    # node group → patterns of directories that a host has for users; destroy.yml --limit refuses to remove them
    "in_use": {"type": "dict", "values": TEXTS},
    # what its hosts offer to servers or as volumes: the files whose options say how much, a later one takes precedence
    "capacity": {
        "type": "dict",
        "options": {
            "servers": {
                "type": "dict",
                "options": {
                    "files": {**TEXTS, "required": True},
                    # the option whose value says that the disks of all hosts' servers are in one place
                    "shared_disks": {
                        "type": "dict",
                        "options": {name: {**TEXT, "required": True} for name in ("section", "option", "value")},
                    },
                },
            },
            "volumes": {"type": "dict", "options": {"files": {**TEXTS, "required": True}}},
        },
    },
    # commands on a host whose maintenance starts, or has ended
    "maintenance": {
        "type": "list",
        "elements": {
            "type": "dict",
            "options": {
                "groups": {"type": "list", **LITERAL, "elements": {"type": "str", "choices": _NODES}, "required": True},
                "when": FLAG,
                **{
                    state: {
                        "type": "dict",
                        "options": {"run": {**TEXT, "required": True}, "unless": {**TEXT, "required": True}},
                        "required": True,
                    }
                    for state in ("started", "ended")
                },
            },
        },
    },
    # node group → commands on a host before its units restart, and after they work again
    "around_restarts": {
        "type": "dict",
        "values": {
            "type": "list",
            "elements": {
                "type": "dict",
                "options": {"before": {**TEXT, "required": True}, "after": {**TEXT, "required": True}},
            },
        },
    },
    # node group → commands on a controller after a host of the group has left, with %(host)s in place of its name
    "leaving": {
        "type": "dict",
        "values": {
            "type": "list",
            "elements": {
                "type": "dict",
                "options": {"run": {**TEXT, "required": True}, "unless": {**TEXT, "required": True}},
            },
        },
    },
    # the use of cloud_storage without which the service works on one controller only
    "shared_storage": {"type": "str", **LITERAL, "choices": list(USES)},
    # the use of cloud_storage without which the service does not work
    "needs_storage": {"type": "str", **LITERAL, "choices": list(USES)},
    # what the API lists of the service's processes; see the module service_health
    "process_list": {
        "type": "dict",
        "options": {
            "api": TEXT,
            "get": {**TEXT, "required": True},
            "key": {**TEXT, "required": True},
            "headers": {"type": "dict", "values": ANYTHING},
            "name": TEXT,
            "host": TEXT,
            "disabled": {"type": "dict", "values": ANYTHING, "required": True},
            "reason": TEXT,
            "down": {"type": "dict", "values": ANYTHING, "required": True},
            # the key with the time of the last report, and the seconds after which a process is down
            "reported": TEXT,
            "down_after": {"type": "int"},
            "forced_down": {"type": "dict", "values": ANYTHING},
            "enable": {
                "type": "dict",
                "options": {
                    "put": {**TEXT, "required": True},
                    "body": {"type": "dict", "values": ANYTHING, "required": True},
                    "reasons": {**TEXT, "required": True},
                },
            },
            "commands": {
                "type": "dict",
                "options": {"enable": {**TEXT, "required": True}, "remove": {**TEXT, "required": True}, "up": TEXT},
                "required": True,
            },
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
                "state": {"type": "str", "choices": ["started", "stopped", "any", "kept"]},
                # null leaves it unchanged
                "enabled": {**FLAG, "null": True},
                "restart_anytime": FLAG,
                # commands that succeed where a restart disturbs nothing
                "restart_anytime_if": TEXTS,
                # conditions of a restart: a URL that responds, a command that succeeds
                "restart_when": TEXTS,
                # a command that restarts it, instead of systemctl
                "restart_with": TEXT,
                "reload": FLAG,
                # files of which a reload applies all changes, and interrupts nothing
                "reload_for": TEXTS,
                # any host has it: it remains when the definition is removed
                "host_owned": FLAG,
                "watches": TEXTS,
                "packages": TEXTS,
                "state_commands": TEXTS,
                # values in its runtime state; explain prints lines with the cause of a different one
                "expected_values": {
                    "type": "list",
                    "elements": {
                        "type": "dict",
                        "options": {
                            "command": NAME,
                            "values": {"type": "dict", "values": ANYTHING, "required": True},
                            # whether a name that the command does not print is left out
                            "optional": FLAG,
                            # whether larger numbers are accepted
                            "at_least": FLAG,
                            # whether only a difference counts for which explain prints a cause
                            "explained": FLAG,
                            "explain": TEXT,
                            # sets a value in the running unit, with NAME and VALUE in place of both
                            "set_with": TEXT,
                        },
                    },
                },
                "log": TEXT,
                # minimum memory in MiB, and the additional MiB for each of cloud_workers
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
                # a command that accepts the file before it is replaced; %s is the new file
                "validate": TEXT,
                # the file of the directory programs that it is a copy of
                "program": TEXT,
                # commands that print what its units have loaded of it
                "state_commands": TEXTS,
                "host_owned": FLAG,
                "units": TEXTS,
                # section → database, or with the option for its URL: {database: NAME, option: url}
                "databases": {"type": "dict", "values": ANYTHING},
                "database_groups": {"type": "list", "elements": {"type": "str", "choices": _NODES}},
                "sections": {"type": "dict", "values": ANYTHING},
                "messaging": FLAG,
                # the definition whose virtual host gets the service's notifications
                "notifications": TEXT,
                # sections with keystoneauth options: names, or {section: NAME, omit: [OPTION], rename: {OPTION: OTHER}}
                "auth": {"type": "list", "elements": ANYTHING},
            },
        },
    },
    # The text of a file, or its sections with their options.
    "config": {"type": "dict", **LITERAL, "values": ANYTHING},
    # how it handles an entry of cloud_storage whose kind is its name
    "backend": {
        "type": "dict",
        "options": {
            "can": {"type": "list", "elements": {"type": "str", "choices": list(USES)}, "required": True},
            "serves": {"type": "list", "elements": {"type": "str", "choices": list(USES)}},
            # uses that it always provides, whatever serves lists
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
                        # a regular expression, and a description of the values that it accepts
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
            "iscsi": FLAG,
            "device_memory": {"type": "int"},
        },
    },
}
# Back ends are completed before anything is templated.
SPEC["backend"] = literally(SPEC["backend"])
# What a definition adds to other definitions, by their names.
_CONTRIBUTION = {key: SPEC[key] for key in ("packages", "files", "units", "config")}
SPEC["contributes"] = {
    "type": "dict",
    **LITERAL,
    "values": {"type": "dict", **LITERAL, "options": _CONTRIBUTION},
}
# The same for each back end of cloud_storage; if it has the key backend, for those of its own kind.
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
    """Return the dictionary *value*, or an empty one if it is missing or not yet templated."""
    return value if isinstance(value, Mapping) else {}


def items(value: Any) -> list[Mapping[str, Any]]:
    """Return the dictionaries in the list *value*, or none if it is missing or not yet templated."""
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, (list, tuple)) else []


def _references(where: str, definition: Mapping[str, Any]) -> Iterator[Finding]:
    """Find references in *definition* to names that it does not define."""
    have = {key: [item["name"] for item in items(definition.get(key))] for key in ("units", "apis", "databases")}
    wanted = [("apis", "units", api.get("unit", api["name"])) for api in items(definition.get("apis"))]
    first = next(iter(have["apis"]), None)
    if mapping(definition.get("process_list")):
        wanted.append(("process_list", "apis", definition["process_list"].get("api", first)))
    wanted += [("health", "units", entry["unit"]) for entry in items(definition.get("health"))]
    wanted += [
        (f"db_sync[{index}]", "units", unit)
        for index, step in enumerate(items(definition.get("db_sync")))
        for unit in (step.get("units") if isinstance(step.get("units"), list) else ())
    ]
    services = items(mapping(definition.get("identity")).get("services"))
    wanted += [("checks", "apis", check.get("api", first)) for check in items(definition.get("checks"))]
    wanted += [("identity.services", "apis", service.get("api", first)) for service in services]
    for name, file in mapping(definition.get("files")).items():
        units, databases = mapping(file).get("units"), mapping(file).get("databases")
        wanted += [(f"files.{name}", "units", unit) for unit in (units if isinstance(units, list) else ())]
        wanted += [
            (f"files.{name}", "databases", given if isinstance(given, str) else mapping(given).get("database"))
            for given in mapping(databases).values()
        ]
    writes = items(mapping(definition.get("registration")).get("writes"))
    wanted += [
        ("registration.writes", "databases", one["record"]["database"]) for one in writes if mapping(one.get("record"))
    ]
    for at, key, name in wanted:
        if name not in have[key] and not is_template(name) and not is_template(definition.get(key)):
            known = ", ".join(have[key]) or f"none, as the service definition has no {key}"
            remedy = nearest(name, have[key], f"Add it to the {key} of the service definition, or name another.")
            yield Finding(f"{where}.{at}", f"the {key} of the service definition lack {name!r}", known, remedy)
    wrong = [
        finding
        for key, steps in (
            ("db_sync", definition.get("db_sync")),
            ("after_start", definition.get("after_start")),
            ("registration.steps", mapping(definition.get("registration")).get("steps")),
        )
        for index, step in enumerate(items(steps))
        for finding in _guard(f"{where}.{key}[{index}].unless", step["unless"], key)
    ]
    yield from wrong
    yield from _reports(where, mapping(definition.get("process_list")))
    yield from _backend(where, mapping(definition.get("backend")))
    yield from _secrets(where, definition)
    yield from _contents(where, definition)
    yield from _users(where, definition)
    yield from _sources(where, definition)
    if not wrong and not is_template(definition.get("db_sync")):
        done = {step["unless"].get("database") for step in items(definition.get("db_sync"))}
        bare = [name for name in have["databases"] if name not in done]
        for name in bare:
            yield Finding(
                f"{where}.databases",
                f"no db_sync step for {name!r}",
                "a step of db_sync for each database",
                f"Add a step whose unless has database: {name}.",
            )


def _guard(where: str, unless: Any, key: str) -> Iterator[Finding]:
    """Find a guard without a usable condition."""
    kinds = ["alembic", "query", "file", "get"]
    given = [kind for kind in kinds if kind in mapping(unless)]
    if key == "db_sync":
        # At that time no API is running.
        kinds.remove("get")
    if len(given) != 1 or given[0] not in kinds:
        yield Finding(where, " and ".join(given) or "no guard", f"one of {', '.join(kinds)}", "Name one of them.")
    elif given[0] in ("alembic", "query") and "database" not in unless:
        yield Finding(where, "'database' is missing", "database: text", "Add it.")
    elif "rows" in unless and given != ["query"]:
        yield Finding(where, f"rows with {given[0]}", "rows with query", "Leave rows out.")
    elif given[0] == "get" and not (
        is_template(unless["get"]) or str(unless["get"]).startswith(("http://", "https://"))
    ):
        remedy = "Write it as in {{ cloud.scheme }}://{{ cloud.internal_name }}:8041/v1/resource_type/instance."
        yield Finding(where, shown(unless["get"]), "a URL", remedy)


def _reports(where: str, listed: Mapping[str, Any]) -> Iterator[Finding]:
    """Find the time of processes' last report without a limit for it, or the reverse."""
    for one, other in (("reported", "down_after"), ("down_after", "reported")):
        if one in listed and other not in listed:
            allowed = "both, or none"
            yield Finding(f"{where}.process_list", f"{one} without {other}", allowed, f"Add {other}, or remove {one}.")
    seconds = listed.get("down_after")
    if isinstance(seconds, int) and seconds < 1:
        remedy = "Write more seconds than the service lets pass between two reports."
        yield Finding(f"{where}.process_list.down_after", shown(seconds), "1 or more", remedy)


def _backend(where: str, kind: Mapping[str, Any]) -> Iterator[Finding]:
    """Find invalid descriptions of a back end's keys, and a volume group that no key names."""
    known = mapping(kind.get("keys"))
    for name, asked in known.items():
        at = f"{where}.backend.keys.{name}"
        shape = asked.get("type", "str")
        if name in (*COMMON, *OF_VOLUMES):
            yield Finding(at, f"the key {name!r}", "a key that not every back end has", "Choose another name.")
        if "match" in asked and shape in ("list", "dict", "bool"):
            yield Finding(f"{at}.match", f"match for the type {shape}", "match for text and numbers", "Remove it.")
        elif "match" in asked:
            try:
                re.compile(asked["match"])
            except re.error as error:
                yield Finding(f"{at}.match", f"{shown(asked['match'])}: {error}", "a regular expression", "Correct it.")
        if "elements" in asked and shape != "list":
            yield Finding(f"{at}.elements", f"elements of type {shape}", "type: list", "Add type: list, or remove it.")
        if "default" in asked:
            yield from findings_of(f"{at}.default", asked["default"], {"type": shape})
    if kind.get("volume_group") and "volume_group" not in known:
        remedy = "Add volume_group: {type: str} to the keys."
        yield Finding(f"{where}.backend.volume_group", "true, and no key volume_group", "a key that names it", remedy)


def _secrets(where: str, definition: Mapping[str, Any]) -> Iterator[Finding]:
    """Find two secrets with the same name: the service's own, those in ``secrets``, and those of its domains' users."""
    name = where.removeprefix("catalog_")
    whole = {**definitions.DEFAULTS, **definition}
    taken = {f"{name}_{secret}" for secret in whole["secrets"]}
    for one, there in (
        ("database", whole["databases"]),
        ("messaging", whole["messaging"]),
        ("identity", definitions.has_user(whole)),
    ):
        if there:
            taken.add(f"{name}_{one}")
    for _domain, user in definitions.domain_users(whole):
        secret = definitions.secret_of(name, user["name"])
        if secret in taken:
            found = f"the user {user['name']!r}, whose secret {secret} is already in use"
            yield Finding(f"{where}.identity.domains", found, "a secret for each", "Choose another name for the user.")
        taken.add(secret)


def _contents(where: str, definition: Mapping[str, Any]) -> Iterator[Finding]:
    """Find files, also contributed ones, whose content is neither a text nor sections with options."""
    places = [(f"{where}.config", definition.get("config"))]
    entries = [("contributes", definition.get("contributes"))]
    entries += [
        (f"each_backend[{n}]", one.get("contributes")) for n, one in enumerate(items(definition.get("each_backend")))
    ]
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
                yield Finding(f"{place}.{name}", shown(content), "a text, or section → option", remedy)
                continue
            for section, options in content.items():
                if options is not None and not isinstance(options, Mapping) and not is_template(options):
                    remedy = f"Put {section} below its section, often DEFAULT."
                    yield Finding(f"{place}.{name}", f"{section}: {shown(options)}", "section → option", remedy)


def _users(where: str, definition: Mapping[str, Any]) -> Iterator[Finding]:
    """Find files that need a Keystone or RabbitMQ user which the service does not have."""
    identity = definition.get("identity")
    user = bool(identity) and (not isinstance(identity, Mapping) or identity.get("user", True) is not False)
    for name, file in mapping(definition.get("files")).items():
        auth = mapping(file).get("auth")
        if auth and not user:
            remedy = "Add identity: {services: []} for a user without endpoints."
            yield Finding(f"{where}.files.{name}.auth", "auth, and no identity", "a service user (identity)", remedy)
        for item in auth if isinstance(auth, (list, tuple)) else ():
            if not isinstance(item, str) and "section" not in mapping(item):
                remedy = "Write {section: NAME, omit: [OPTION]}."
                yield Finding(f"{where}.files.{name}.auth", shown(item), "a section's name", remedy)
        if mapping(file).get("messaging") is True and not definition.get("messaging"):
            remedy = "Add messaging: true to the service definition."
            yield Finding(
                f"{where}.files.{name}.messaging",
                "messaging, and no user",
                "a user of the message queue (messaging: true)",
                remedy,
            )


def _sources(where: str, definition: Mapping[str, Any]) -> Iterator[Finding]:
    """Find ports that are opened for unknown sources."""
    words = ("public", "nodes", "controllers", "any")
    for index, port in enumerate(items(definition.get("ports"))):
        for source in port["from"] if isinstance(port["from"], (list, tuple)) else ():
            if source in words or is_template(source):
                continue
            try:
                ipaddress.ip_network(str(source))
            except ValueError:
                allowed = f"{', '.join(words)}, or a network"
                yield Finding(
                    f"{where}.ports[{index}].from", shown(source), allowed, nearest(str(source), words, "Correct it.")
                )


def findings(name: str, definition: Any) -> list[Finding]:
    """Check the service definition *name*."""
    where = f"catalog_{name}"
    if not isinstance(definition, Mapping):
        return [Finding(where, shown(definition), "a dictionary", "See docs/adding_a_service.md for its keys.")]
    # References can be checked only if the shape is right.
    return list(keys(where, definition, SPEC)) or list(_references(where, definition))
