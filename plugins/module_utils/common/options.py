# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Checks of options against an index of those in a service's code; ``option_index.py`` builds it and documents it."""

from __future__ import annotations

import difflib
import fnmatch
import ipaddress
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from ansible_collections.cairn.openstack.plugins.module_utils.common import ini
from ansible_collections.cairn.openstack.plugins.module_utils.common.option_index import matches_any, section_name

Spec = Mapping[str, Any]
Options = Mapping[str, Any]
# The name of a user's variable, and its options by service, file and section.
Layer = tuple[str, Mapping[str, Any]]

_TRUE_FALSE = ("true", "1", "on", "yes", "false", "0", "off", "no")
_RANGE = re.compile(r"(0|-?[1-9][0-9]*)(-(0|-?[1-9][0-9]*))?")
_LABEL = re.compile(r"(?!-)[A-Z0-9_-]{1,63}(?<!-)", re.IGNORECASE)
_NAMES = {
    "bool": "true or false",
    "dict": "NAME:VALUE pairs, with commas between",
    "float": "a number",
    "host": "an address or a host name",
    "int": "an integer",
    "ip": "an IP address",
    "list": "a list",
    "range": "a range of integers, FIRST-LAST",
    "str": "text",
    "uri": "a URL",
}


class Finding(NamedTuple):
    """An error or warning in a file: its place (``option`` is empty for a whole section), and the message.

    ``warning`` is set for options that still work, but are deprecated.
    """

    section: str
    option: str
    message: str
    warning: bool = False

    def __str__(self) -> str:
        return f"[{self.section}]{self.option and f' {self.option}'}: {self.message}"


def _number(kind: Callable[[str], float]) -> Callable[[str, Spec], bool]:
    def fits(value: str, spec: Spec) -> bool:
        if not value:
            return True
        number = kind(value)
        if "choices" in spec:
            return number in spec["choices"]
        return spec.get("min", number) <= number <= spec.get("max", number)

    return fits


def _is_text(value: str, spec: Spec) -> bool:
    if len(value) > spec.get("max_length", len(value)):
        return False
    flags = re.IGNORECASE if spec.get("ignore_case") else 0
    if "regex" in spec:
        return re.search(spec["regex"], value, flags) is not None
    choices = [str(choice) for choice in spec.get("choices", [value])]
    return value in choices or bool(flags and value.lower() in [choice.lower() for choice in choices])


def _is_address(value: str, spec: Spec) -> bool:
    return bool(ipaddress.ip_address(value))


def _is_host(value: str, spec: Spec) -> bool:
    labels = value.removesuffix(".").split(".")
    # A name that ends in digits only is an address, or a misspelt one.
    if ":" in value or labels[-1].isdigit():
        return _is_address(value, spec)
    return all(_LABEL.fullmatch(label) for label in labels)


def _is_url(value: str, spec: Spec) -> bool:
    url = urlsplit(value)
    return bool(url.scheme and url.netloc) and url.scheme in spec.get("schemes", [url.scheme])


def _unbound(value: str, spec: Spec, ends: str) -> str:
    if not spec.get("bounds"):
        return value.strip()
    if not (value.startswith(ends[0]) and value.endswith(ends[1])):
        raise ValueError(value)
    return value[1:-1].strip()


def _all_fit(parts: list[str], fits: Callable[[str], bool]) -> bool:
    """Whether all of *parts* fit, as such or joined with the next ones by commas."""
    while parts:
        part = parts.pop(0)
        while not fits(part):
            if not parts:
                return False
            part += "," + parts.pop(0)
    return True


def _is_list(value: str, spec: Spec) -> bool:
    items = spec.get("items", {"type": "str"})
    text = _unbound(value.strip().rstrip(","), spec, "[]")
    return not text or _all_fit(text.split(","), lambda part: is_right(part.strip(), items))


def _is_dict(value: str, spec: Spec) -> bool:
    def fits(pair: str) -> bool:
        name, separator, item = pair.partition(spec.get("separator", ":"))
        return bool(name.strip() and separator) and is_right(item.strip(), spec.get("items", {"type": "str"}))

    text = _unbound(value.strip(), spec, "{}")
    return not text or _all_fit(text.split(","), fits)


_RIGHT: dict[str, Callable[[str, Spec], bool]] = {
    "any": lambda value, spec: True,
    "bool": lambda value, spec: value.lower() in _TRUE_FALSE,
    "dict": _is_dict,
    "float": _number(float),
    "host": _is_host,
    "int": _number(int),
    "ip": _is_address,
    "list": _is_list,
    "range": lambda value, spec: _RANGE.fullmatch(value) is not None,
    "str": _is_text,
    "uri": _is_url,
}


def _spec(found: str | Spec) -> Spec:
    return {"type": found} if isinstance(found, str) else found


def is_right(value: str, spec: Spec) -> bool:
    """Whether oslo.config accepts *value* for *spec*; values with a substitution (``$my_ip``) are not checked."""
    try:
        return "$" in value or _RIGHT[spec["type"]](value, spec)
    except ValueError:
        return False


def taken(spec: Spec) -> str:
    """Return a description of the values of an option."""
    if "choices" in spec:
        return "one of " + ", ".join(str(choice) or "''" for choice in spec["choices"] if choice is not None)
    words = _NAMES[spec["type"]]
    for key, word in (("min", "from"), ("max", "to"), ("max_length", "no longer than"), ("regex", "that matches")):
        if key in spec:
            words += f" {word} {spec[key]}"
    if "schemes" in spec:
        words += f" with {' or '.join(spec['schemes'])}"
    return words + (f", each {taken(spec['items'])}" if "items" in spec else "")


def _near(name: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    by_lower = {item.lower(): item for item in known}
    near = difflib.get_close_matches(name.lower(), by_lower, 1, cutoff)
    return by_lower[near[0]] if near else None


class _File:
    """The sections and options that a file of a service may have."""

    def __init__(self, names: Iterable[str], sections: Mapping[str, Options], index: Mapping[str, Any]) -> None:
        self.sets = [index["sets"][name] for name in names]
        self.index = index
        self.patterns = [name for sections in self.sets for name in sections if "*" in name]
        # A section with a user-defined name → the sections whose options it takes.
        self.free: dict[str, list[str]] = {}
        for free in index["free"]:
            section, name = free["by"].split("/")
            values = _values(sections.get(section) or {}).get(name, [])
            for part in ",".join(text for _value, text in values).split(","):
                self.free[section_name(part.split(":")[0].strip())] = free["like"]

    def names(self) -> list[str]:
        """Return the names of the known sections."""
        return [*dict.fromkeys(name for sections in self.sets for name in sections if "*" not in name), *self.free]

    def options(self, section: str) -> dict[str, Spec] | None:
        """Return the options of *section*, None if it is unknown."""
        section = section_name(section)
        like = self.free.get(section, [])
        found: dict[str, Spec] = {}
        for sections in self.sets:
            for name in (section, *self.patterns, *sections) if like else (section, *self.patterns):
                if name in sections and (fnmatch.fnmatch(section, name) or matches_any(name, like)):
                    found = {**sections[name], **found}
        if "auth_type" in found:
            found = {**self.index["auth"], **found}
        return {name: _spec(spec) for name, spec in found.items()} or None

    def others(self, section: str, option: str) -> list[str]:
        """Return the files of the service that may have *option*."""
        found = {name: _File(names, {}, self.index).options(section) for name, names in self.index["files"].items()}
        return [name for name, known in found.items() if option in (known or {})]


def _values(options: Options) -> dict[str, list[tuple[Any, str]]]:
    """Return *options* by name, each with its values both as given and as text; none for null."""
    found: dict[str, list[tuple[Any, str]]] = {}
    for key, value in options.items():
        name = key.removesuffix("[]")
        items = value if name != key and isinstance(value, list) else [value]
        found.setdefault(name, []).extend((item, ini.text(item).strip()) for item in items if item is not None)
    return found


def _unknown(section: str, option: str, known: Mapping[str, Spec], file: _File) -> str:
    current = [name for name, spec in known.items() if "renamed" not in spec] or list(known)
    if near := _near(option, current, 0.8):
        return f"no such option; did you mean {near}?"
    if homes := [f"[{name}]" for name in file.names() if option in (file.options(name) or {})]:
        return f"no such option here; it is one of {', '.join(homes[:4])}"
    if others := file.others(section, option):
        return f"no such option in this file; it is one of {', '.join(others)}"
    for name in file.names():
        if near := _near(option, file.options(name) or {}, 0.85):
            return f"no such option; did you mean {near} in [{name}]?"
    near = _near(option, current)
    return f"no such option; did you mean {near}?" if near else "no such option"


def _check_values(option: str, values: list[tuple[Any, str]], spec: Spec) -> Iterator[str]:
    """Check *values* of a known option."""
    if len(values) > 1 and not spec.get("multi"):
        yield "takes one value, and is given several"
    for value, text in values:
        if isinstance(value, Mapping):
            yield f"a dictionary is written as text: {_NAMES['dict']}"
        elif isinstance(value, list) and spec.get("multi"):
            yield f"may be given more than once: write {option}[] for a list, a line for each item"
        elif not is_right(text, spec):
            yield f"{'its value' if spec.get('secret') else repr(text)} is not {taken(spec)}"


def _section_findings(section: str, options: Options, file: _File) -> Iterator[Finding]:
    known = file.options(section)
    if known is None:
        near = _near(section, file.names())
        yield Finding(section, "", "no such section" + (f"; did you mean [{near}]?" if near else ""))
        return
    for option, values in _values(options).items():
        spec = known.get(option)
        if spec is None:
            yield Finding(section, option, _unknown(section, option, known, file))
            continue
        if values and "renamed" in spec:
            home, _slash, name = spec["renamed"].rpartition("/")
            yield Finding(section, option, f"deprecated name; use {name}{f' in [{home}]' if home else ''}", True)
            spec = (file.options(home or section) or {}).get(name, {})
        if values and spec.get("removal"):
            yield Finding(section, option, "deprecated, and will be removed", True)
        if "type" in spec:
            yield from (Finding(section, option, message) for message in _check_values(option, values, spec))


def sets_of(name: str, index: Mapping[str, Any]) -> list[str] | None:
    """Return the sets of *index* that the file *name* may have, None for a file unknown to the index."""
    return next((sets for pattern, sets in index["files"].items() if fnmatch.fnmatch(name, pattern)), None)


def findings(
    service: str, name: str, sections: Mapping[str, Options], index: Mapping[str, Any], known: Sequence[str] = ()
) -> list[Finding]:
    """Check *sections* of the file *name* against the *index* of *service*; unknown files have no findings.

    The sections are in the form of service definitions, templated. *known* are patterns of options to accept although
    the index does not have them, ``SERVICE/FILE/SECTION/OPTION``.
    """
    names = sets_of(name, index)
    if names is None:
        return []
    file = _File(names, sections, index)
    found = [
        finding for section, options in sections.items() for finding in _section_findings(section, options or {}, file)
    ]

    def vouched(finding: Finding) -> bool:
        options = [finding.option] if finding.option else list(sections[finding.section])
        paths = [f"{service}/{name}/{finding.section}/{option}" for option in options]
        return all(matches_any(path, known) for path in paths)

    return [finding for finding in found if not vouched(finding)]


def source(service: str, name: str, finding: Finding, layers: Sequence[Layer]) -> str:
    """Return the variable that sets the option of *finding* in the file *name*: the last one, or the definition's."""
    for variable, options in reversed(layers):
        sections = (options.get(service) or {}).get(name)
        section = sections.get(finding.section) if isinstance(sections, Mapping) else None
        if section and (not finding.option or {finding.option, f"{finding.option}[]"} & section.keys()):
            return variable
    return f"catalog_{service}"


def is_checked(file: Mapping[str, Any]) -> bool:
    """Whether *file*, as returned by ``definitions.files``, has options; text is not checked."""
    return bool(file["sections"]) and file["state"] == "present"


def misspelt(
    definition: Mapping[str, Any], layers: Sequence[Layer], index: Mapping[str, Any] | None, known: Sequence[str] = ()
) -> Iterator[tuple[str, str, str]]:
    """Find files unknown to *definition* whose names resemble a known one: yield variable, file and known file."""
    shipped = [*definition["config"], *definition["files"]]
    for variable, options in layers:
        for name in options.get(definition["name"]) or {}:
            if (
                name in shipped
                or matches_any(f"{definition['name']}/{name}", known)
                or (index and sets_of(name, index))
            ):
                continue
            if near := _near(name, shipped, 0.8):
                yield variable, name, near


def written(
    definition: Mapping[str, Any], layers: Sequence[Layer], index: Mapping[str, Any], known: Sequence[str] = ()
) -> Iterator[tuple[str, str, Finding]]:
    """Check the user's options of *definition* before any host is known: yield file, variable and finding.

    *definition* is not templated; a section that its templates or computed options may name is accepted.
    """
    service = definition["name"]
    for name in dict.fromkeys(name for _variable, options in layers for name in options[service]):
        contents = [definition["config"].get(name) or {}]
        contents += [options[service].get(name) or {} for _variable, options in layers]
        if not all(isinstance(content, Mapping) for content in contents):
            continue
        sections: dict[str, Any] = {}
        for content in contents:
            for section, options in content.items():
                sections[section] = {**sections.get(section, {}), **(options if isinstance(options, Mapping) else {})}
        computed = "sections" in (definition["files"].get(name) or {}) or name in definition.get(
            "contributed_files", ()
        )
        late = computed or any("{{" in ini.text(value) for value in _free_names(sections, index))
        asked = _asked(definition["files"].get(name) or {})
        for finding in findings(service, name, sections, index, known):
            variable = source(service, name, finding, layers)
            # null removes an option from the definition's sections for databases, messaging and authentication.
            removed = finding.section in asked and sections[finding.section].get(finding.option, "") is None
            if variable != f"catalog_{service}" and not (finding.warning or removed or (late and not finding.option)):
                yield name, variable, finding


def _asked(file: Mapping[str, Any]) -> set[str]:
    """Return the sections that a definition requests without writing them."""
    auth = file.get("auth") if isinstance(file.get("auth"), list) else []
    names = {given if isinstance(given, str) else given["section"] for given in auth}
    names |= set(file.get("databases") or {})
    return names | ({"oslo_messaging_rabbit", "oslo_messaging_notifications"} if file.get("messaging") else set())


def _free_names(sections: Mapping[str, Options], index: Mapping[str, Any]) -> Iterator[Any]:
    """Yield the values that name user-defined sections."""
    for free in index["free"]:
        section, option = free["by"].split("/")
        yield (sections.get(section) or {}).get(option, "")


def checked(
    definition: Mapping[str, Any],
    files: Iterable[Mapping[str, Any]],
    layers: Sequence[Layer],
    index: Mapping[str, Any] | None,
    known: Sequence[str] = (),
) -> tuple[list[str], list[str]]:
    """Return the errors and the warnings about options in the *files* of *definition*, as sentences.

    *files* are as returned by ``definitions.files`` for a host, *layers* the user's variables.
    """
    service = definition["name"]
    errors, warnings = [], []
    for variable, name, near in misspelt(definition, layers, index, known):
        errors.append(f"{variable}: {service} {name}: no such file; did you mean {near}?")
    for file in filter(is_checked, files if index else ()):
        for finding in findings(service, file["name"], file["sections"], index, known):
            variable = source(service, file["name"], finding, layers)
            message = f"{variable}: {service} {file['name']} {finding}"
            if not finding.warning:
                errors.append(message)
            elif variable != f"catalog_{service}":
                warnings.append(message)
    return errors, warnings
