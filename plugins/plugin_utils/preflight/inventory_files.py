# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Checks of the inventory's files: Ansible itself only warns about those that it cannot parse, and goes on without."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import Any

import yaml
from ansible.errors import AnsibleError
from ansible.inventory.data import InventoryData
from ansible.inventory.manager import IGNORED
from ansible.plugins.loader import inventory_loader
from ansible.utils.path import unfrackpath
from ansible_collections.cairn.openstack.plugins.plugin_utils.catalog.sources import shortest
from ansible_collections.cairn.openstack.plugins.plugin_utils.preflight.finding import Finding, shown

_YAML = (".yml", ".yaml", ".json")
# What Ansible reads as inventory; certificates and the like may lie beside it.
_SUFFIXES = (*_YAML, ".ini", ".toml", "")
# Where the service definitions of the user are, which have checks of their own.
_DEFINITIONS = "catalog"
_SECTIONS = ("hosts", "vars", "children")
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TYPES = {"int": "an integer", "float": "a number", "bool": "a boolean", "null": "nothing", "timestamp": "a date"}


def findings(sources: Iterable[str], parsed: Iterable[str | None], loader: Any) -> Iterator[Finding]:
    """Find inventory sources that do not exist, and files that Ansible did not parse.

    :param sources: as they are given on the command line.
    :param parsed: the files that Ansible has parsed.
    :param loader: Ansible's, which decrypts files.
    """
    known = {os.path.realpath(path) for path in parsed if path}
    for source in sources:
        path = unfrackpath(source, follow=False)
        if "," in source:
            continue
        if not os.path.exists(path):
            allowed = "an inventory: a file, a directory, or names with a comma"
            yield Finding(source, "no such file or directory", allowed, "Correct the option -i.")
        for file in _files(path):
            if os.path.realpath(file) not in known:
                yield from _unparsed(file, loader)


def _files(path: str) -> Iterator[str]:
    """Yield the files that Ansible reads as inventory of the source *path*."""
    if not os.path.isdir(path):
        if os.path.exists(path):
            yield path
        return
    for name in sorted(os.listdir(path)):
        below = os.path.join(path, name)
        if IGNORED.search(os.fsencode(name)) or name == _DEFINITIONS:
            continue
        if os.path.isdir(below) or os.path.splitext(name)[1] in _SUFFIXES:
            yield from _files(below)


def _unparsed(path: str, loader: Any) -> Iterator[Finding]:
    """Find why Ansible did not parse the file *path*."""
    try:
        with open(path, "rb") as file:
            text = file.read()
    except OSError as error:
        yield Finding(shortest(path), str(error.strerror), "a file that can be read", "Correct its owner and mode.")
        return
    kind, found = os.path.splitext(path)[1].removeprefix(".") or "ini", []
    if f".{kind}" in _YAML:
        kind = "yaml"
        found = [] if text.startswith(b"$ANSIBLE_VAULT") else list(_yaml(path, text))
        if not found and b"plugin:" in text:
            kind = "auto"
    elif text.startswith(b"#!"):
        kind = "script"
    yield from found
    if not found:
        remedy = "Correct it. If it is no inventory, move it to another directory."
        yield Finding(shortest(path), _error(kind, path, loader), "an inventory that Ansible can parse", remedy)


def _error(kind: str, path: str, loader: Any) -> str:
    """Return the error of Ansible's parser *kind* for the file."""
    try:
        inventory_loader.get(kind).parse(InventoryData(), loader, path, cache=False)
    except (AnsibleError, AttributeError, TypeError, ValueError) as error:
        return " ".join(str(error).split())
    return "Ansible can't parse it; its warnings say why"


def _yaml(path: str, text: bytes) -> Iterator[Finding]:
    """Find what in YAML is not a valid inventory, with its lines."""
    try:
        root = yaml.compose(text, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{shortest(path)}:{mark.line + 1}" if mark else shortest(path)
        yield Finding(where, f"no YAML: {error.problem or error.context}", "YAML", "Correct it at this line or above.")
        return
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        yield Finding(shortest(path), f"no YAML: {error}", "YAML", "Correct the file.")
        return
    if isinstance(root, yaml.MappingNode):
        for key, value in root.value:
            yield from _group(path, key, value)
    elif root is not None:
        yield _finding(path, root, _kind(root), "groups, each a key", "Write GROUP: {hosts: {NAME: {…}}}.")


def _finding(path: str, node: yaml.Node, *words: str) -> Finding:
    return Finding(f"{shortest(path)}:{node.start_mark.line + 1}", *words)


def _kind(node: yaml.Node) -> str:
    kinds = {yaml.SequenceNode: f"a list of {len(node.value)}", yaml.MappingNode: "a dictionary"}
    return kinds.get(type(node)) or shown(node.value)


def _group(path: str, name: yaml.Node, group: yaml.Node) -> Iterator[Finding]:
    yield from _name(path, name, "group", "Write it in quotes, or give the group another name.")
    for key, section in group.value if isinstance(group, yaml.MappingNode) else ():
        if key.value not in _SECTIONS or (isinstance(section, yaml.ScalarNode) and key.value != "vars"):
            continue
        if not isinstance(section, yaml.MappingNode):
            if isinstance(section, yaml.ScalarNode) and not section.value:
                continue
            remedy = "Write each as a key, on a line of its own and without a hyphen: NAME: {ansible_host: ADDRESS}."
            if key.value != "hosts":
                remedy = "Write each as a key: NAME: VALUE."
            found = f"{key.value} of the group {name.value}: {_kind(section)}"
            yield _finding(path, section, found, "a dictionary", remedy)
            continue
        for inner, value in section.value:
            if key.value == "children":
                yield from _group(path, inner, value)
            elif key.value == "hosts":
                remedy = "Give the host a name that begins with a letter. The inventory name becomes its host name."
                yield from _name(path, inner, "host", remedy)


def _name(path: str, node: yaml.Node, what: str, remedy: str) -> Iterator[Finding]:
    """Find the name of a group or a host that YAML does not read as text."""
    kind = node.tag.rpartition(":")[2]
    if kind != "str":
        found = f"the {what} {node.value}, which YAML reads as {_TYPES.get(kind, kind)}"
        yield _finding(path, node, found, "a name, as text", remedy)
