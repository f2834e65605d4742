# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a catalogue page may say: as data, and the one check of it.

An entry of the data has a ``type`` and, where they apply, ``required``, ``choices``, ``options`` (the keys of a
dictionary), ``elements`` (of a list) or ``values`` (of a dictionary with keys of its own choice). A string with a
template in it stands for any type, as pages are checked before they are templated.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Any

_NODES = ["controller", "network", "compute", "storage", "all"]

TEXT = {"type": "str"}
NAME = {"type": "str", "required": True}
FLAG = {"type": "bool"}
TEXTS = {"type": "list", "elements": TEXT}
ANYTHING: dict[str, Any] = {"type": "raw"}

STEPS = {
    "type": "list",
    "elements": {
        "type": "dict",
        "options": {
            "run": NAME,
            "user": TEXT,
            "environment": {"type": "dict", "values": TEXT},
            "unless": {
                "type": "dict",
                "required": True,
                "options": {"database": NAME, "alembic": TEXT, "table": TEXT, "query": TEXT},
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
    "packages": {"type": "dict", "options": dict.fromkeys(_NODES, TEXTS)},
    "secrets": TEXTS,
    "databases": {"type": "list", "elements": {"type": "dict", "options": {"name": NAME}}},
    "schema": STEPS,
    "completion": STEPS,
    "keys": {
        "type": "list",
        "elements": {
            "type": "dict",
            "options": {"path": NAME, "keys": {**TEXTS, "required": True}, "owner": TEXT, "group": TEXT},
        },
    },
    "messaging": FLAG,
    # folders that destroy.yml removes
    "data": TEXTS,
    "identity": {
        "type": "dict",
        "options": {
            "account": FLAG,
            "roles": TEXTS,
            "new_roles": TEXTS,
            "services": {
                "type": "list",
                "elements": {"type": "dict", "options": {"type": NAME, "name": TEXT, "api": TEXT, "path": TEXT}},
            },
        },
    },
    "apis": {
        "type": "list",
        "elements": {
            "type": "dict",
            "options": {
                "name": NAME,
                "port": {"type": "int", "required": True},
                "health": {**TEXT, "required": True},
                "front": FLAG,
                "front_port": {"type": "dict", "options": {"http": {"type": "int"}, "https": {"type": "int"}}},
                "unit": TEXT,
                "websocket": FLAG,
                "uwsgi": {
                    "type": "dict",
                    "options": {
                        "app": NAME,
                        "file": TEXT,
                        "default": TEXT,
                        "processes": {"type": "int"},
                        "options": {"type": "dict", "values": ANYTHING},
                    },
                },
            },
        },
    },
    "units": {
        "type": "list",
        "elements": {
            "type": "dict",
            "options": {
                "name": NAME,
                "nodes": {"type": "list", "elements": {"type": "str", "choices": _NODES}},
                "when": FLAG,
                "tier": {"type": "str", "choices": ["infrastructure", "identity", "service"]},
                "state": {"type": "str", "choices": ["started", "stopped", "any"]},
                # null leaves it as it is
                "enabled": FLAG,
                "at_once": FLAG,
                "reload": FLAG,
                # it belongs to any host: it stays when the page goes
                "keep": FLAG,
                "reads": TEXTS,
                "packages": TEXTS,
                "log": TEXT,
            },
        },
    },
    "files": {
        "type": "dict",
        "values": {
            "type": "dict",
            "options": {
                "path": TEXT,
                "nodes": {"type": "list", "elements": {"type": "str", "choices": [*_NODES, "operator"]}},
                "when": FLAG,
                "state": {"type": "str", "choices": ["present", "absent"]},
                "mode": TEXT,
                "owner": TEXT,
                "group": TEXT,
                "block": FLAG,
                "drop": TEXT,
                "secret": FLAG,
                "early": FLAG,
                "keep": FLAG,
                "units": TEXTS,
                "databases": {"type": "dict", "values": TEXT},
                "messaging": FLAG,
                "auth": TEXTS,
            },
        },
    },
    # A file's text, or its sections with their options.
    "config": {"type": "dict", "values": ANYTHING},
}

_TYPES: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "bool": (bool,),
    "int": (int,),
    "list": (list, tuple),
    "dict": (Mapping,),
}


def is_template(value: Any) -> bool:
    """Whether *value* is text that is yet to be templated."""
    return isinstance(value, str) and ("{{" in value or "{%" in value)


def _unknown(where: str, key: Any, known: list[str]) -> str:
    near = difflib.get_close_matches(str(key), known, 1)
    hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}"
    return f"{where}: unknown key {key!r}; {hint}"


def _check(where: str, value: Any, spec: Mapping[str, Any]) -> Iterator[str]:
    kind = spec["type"]
    if (value is None and not spec.get("required")) or kind == "raw" or is_template(value):
        return
    if not isinstance(value, _TYPES[kind]) or (kind == "int" and isinstance(value, bool)):
        yield f"{where}: {value!r} is no {kind}"
        return
    if "choices" in spec and value not in spec["choices"]:
        yield f"{where}: {value!r} is none of {', '.join(spec['choices'])}"
    if "elements" in spec:
        for index, item in enumerate(value):
            yield from _check(f"{where}[{index}]", item, spec["elements"])
    if "values" in spec:
        for key, item in value.items():
            yield from _check(f"{where}.{key}", item, spec["values"])
    if "options" in spec:
        yield from _keys(where, value, spec["options"])


def _keys(where: str, value: Mapping[str, Any], options: Mapping[str, Any]) -> Iterator[str]:
    for key, item in value.items():
        if key in options:
            yield from _check(f"{where}.{key}", item, options[key])
        else:
            yield _unknown(where, key, list(options))
    for key, option in options.items():
        if option.get("required") and key not in value:
            yield f"{where}: {key!r} is missing"


def _mapping(value: Any) -> Mapping[str, Any]:
    """Return the dictionary *value*, an empty one where it is absent or yet to be templated."""
    return value if isinstance(value, Mapping) else {}


def _items(value: Any) -> list[Mapping[str, Any]]:
    """Return the dictionaries in the list *value*, none where it is absent or yet to be templated."""
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, (list, tuple)) else []


def _references(where: str, page: Mapping[str, Any]) -> Iterator[str]:
    """Find the names in *page* that nothing in it bears."""
    names = {key: [item["name"] for item in _items(page.get(key))] for key in ("units", "apis", "databases")}
    wanted = [("apis", "units", api.get("unit", api["name"])) for api in _items(page.get("apis"))]
    first = next(iter(names["apis"]), None)
    services = _items(_mapping(page.get("identity")).get("services"))
    wanted += [("identity.services", "apis", service.get("api", first)) for service in services]
    for name, file in _mapping(page.get("files")).items():
        units, databases = _mapping(file).get("units"), _mapping(file).get("databases")
        wanted += [(f"files.{name}", "units", unit) for unit in (units if isinstance(units, list) else ())]
        wanted += [(f"files.{name}", "databases", database) for database in _mapping(databases).values()]
    for at, key, name in wanted:
        if name not in names[key] and not is_template(name) and not is_template(page.get(key)):
            near = difflib.get_close_matches(str(name), names[key], 1)
            hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(names[key]) or 'none'}"
            yield f"{where}.{at}: the page's {key} lack {name!r}; {hint}"
    if not is_template(page.get("schema")):
        done = {step["unless"]["database"] for step in _items(page.get("schema"))}
        bare = [name for name in names["databases"] if name not in done]
        yield from (f"{where}.databases: no schema step for {name!r}" for name in bare)


def faults(name: str, page: Any) -> list[str]:
    """Return what is wrong with the catalogue page *name*, as sentences; an empty list where nothing is."""
    where = f"catalog_{name}"
    if not isinstance(page, Mapping):
        return [f"{where}: a page is a dictionary, not {page!r}"]
    # Names can be compared once the shape is right.
    return list(_keys(where, page, SPEC)) or list(_references(where, page))


def clashes(pages: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the ports that more than one API of *pages* listens on, as sentences."""
    users: dict[int, list[str]] = {}
    for name, page in pages.items():
        for api in _items(page.get("apis")):
            users.setdefault(api["port"], []).append(f"{name}'s {api['name']}")
    return [f"port {port}: {' and '.join(names)}" for port, names in sorted(users.items()) if len(names) > 1]
