# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Checks of cloud_ldap_domains, cloud_identity_providers and cloud_login_rules."""

from __future__ import annotations

import re
import string
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.cairn.openstack.plugins.module_utils.common import options
from ansible_collections.cairn.openstack.plugins.plugin_utils.catalog.option_index import shipped
from ansible_collections.cairn.openstack.plugins.plugin_utils.preflight.finding import Finding, nearest, shown
from ansible_collections.cairn.openstack.plugins.plugin_utils.preflight.settings import Settings

_NAME = "cloud_ldap_domains"
_RULES = "cloud_login_rules"
_NEEDED = ("url", "user_tree_dn")
_PROVIDERS = "cloud_identity_providers"
# Each has a port of its own.
_MOST = 10
# In URLs, names of cookies, and Keystone's ids.
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}")
# What Apache would read as more than text.
_SPECIAL = re.compile(r"""[^!-~]|["'\\$%<>]""")
_LOCAL = ("user", "group", "groups", "group_ids", "domain", "projects")
_REMOTE = ("type", "any_one_of", "not_any_of", "blacklist", "whitelist", "regex")
_CONDITIONS = _REMOTE[1:5]


def findings(cloud: Settings, definitions: Mapping[str, Mapping[str, Any]]) -> Iterator[Finding]:
    """Check the rules, the domains and their options.

    :param cloud: the settings of a host.
    :param definitions: the service definitions: some have domains, one is the service that reads directories.
    """
    identities = {name: one["identity"] for name, one in definitions.items() if isinstance(one["identity"], Mapping)}
    names = ["Default", *(domain["name"] for one in identities.values() for domain in one.get("domains") or ())]
    taken = {_folded(name): name for name in names}
    service = next((name for name, one in identities.items() if "ldap_domains" in one), "")
    yield from _rules(cloud, service)
    yield from _providers(cloud, taken)
    found = cloud.values.get(_NAME)
    if not isinstance(found, list):
        return
    for number, one in enumerate(found):
        if not isinstance(one, Mapping) or not isinstance(one.get("name"), str):
            continue  # reported as a wrong type
        where = f"{cloud.where(_NAME)}[{number}]"
        if (other := taken.get(_folded(one["name"]))) is not None:
            said = shown(one["name"]) if other == one["name"] else f"{shown(one['name'])}, beside {shown(other)}"
            remedy = "Choose another; it exists already: case, accents and final spaces do not count."
            yield Finding(f"{where}.name", said, "the name of a domain of its own", remedy)
        taken.setdefault(_folded(one["name"]), one["name"])
        given = one.get("options")
        if isinstance(given, Mapping) or given is None:
            yield from _options(where, one, given or {}, service)
    yield from _shared(cloud.where(_NAME), found)


def _folded(name: str) -> str:
    """Return a name as the database's collation, utf8mb4_general_ci, compares it."""
    plain = "".join(one for one in unicodedata.normalize("NFKD", name) if not unicodedata.combining(one))
    return plain.casefold().rstrip(" ")


def _rules(cloud: Settings, service: str) -> Iterator[Finding]:
    given = cloud.values.get(_RULES)
    index = shipped(service) if given and isinstance(given, Mapping) else None
    sections = {"security_compliance": given}
    for found in options.findings(service, f"{service}.conf", sections, index) if index else ():
        # An unknown one is reported as an unknown key.
        if found.option in given and "no such option" not in found.message:
            remedy = "Correct it, or remove the line."
            yield Finding(f"{cloud.where(_RULES)}.{found.option}", found.message, "a value that it takes", remedy)


def _shared(where: str, found: Sequence[Mapping[str, Any]]) -> Iterator[Finding]:
    """Find options that a process has once, whatever the domain."""
    several = [one["options"] for one in found if isinstance(one, Mapping) and isinstance(one.get("options"), Mapping)]
    for name in ("tls_cacertdir", "tls_cacertfile", "tls_req_cert"):
        values = {str(given[name]) for given in several if name in given}
        if len(values) > 1:
            text = f"{name} is {' and '.join(sorted(values))}"
            yield Finding(where, text, "one value for all domains", "Each process has only one.", "warning")


def _options(where: str, one: Mapping[str, Any], given: Mapping[str, Any], service: str) -> Iterator[Finding]:
    if one.get("state") != "absent":
        for name in _NEEDED:
            if not given.get(name):
                remedy = "Write it such as " + (
                    "ldaps://ldap.example.org." if name == "url" else "ou=people,dc=example."
                )
                yield Finding(f"{where}.options.{name}", "nothing", "text", remedy)
    # The file of a domain's own options has the same ones.
    file = f"domains/{service}.conf"
    index = shipped(service) if given else None
    for found in options.findings(service, file, {"ldap": given}, index) if index else ():
        severity = "warning" if found.warning else "error"
        yield Finding(f"{where}.options.{found.option}", found.message, "an option of [ldap]", "Correct it.", severity)
    urls = [url.strip() for url in str(given.get("url") or "").split(",") if url.strip()]
    for url in urls:
        if not url.lower().startswith(("ldap://", "ldaps://")):
            remedy = "Write it such as ldaps://ldap.example.org."
            yield Finding(f"{where}.options.url", shown(url), "ldaps://… or ldap://…", remedy)
    plain = any(url.lower().startswith("ldap://") for url in urls)
    started = str(given.get("use_tls", "")).lower() in ("true", "yes", "1", "on")
    if plain and not started:
        found = "ldap:// without use_tls: passwords of users go over the network in plain text"
        yield Finding(f"{where}.options.url", found, "ldaps://…, or use_tls: true", "Use TLS.", "warning")
    elif urls and started and not plain:
        remedy = "Remove use_tls; it is for ldap://."
        yield Finding(f"{where}.options.use_tls", "true, with ldaps://", "one of both", remedy)
    if one.get("ca") and "-----BEGIN CERTIFICATE-----" not in str(one["ca"]):
        remedy = "Read a file by \"{{ lookup('file', 'PATH') }}\"."
        yield Finding(f"{where}.ca", "no certificate in it", "certificates in PEM format", remedy)
    if one.get("ca") and given.get("tls_cacertfile"):
        remedy = "Remove one of them: ca is copied to the controllers, tls_cacertfile is a file there."
        yield Finding(f"{where}.options.tls_cacertfile", "it, beside ca", "one of both", remedy)


def _providers(cloud: Settings, taken: Mapping[str, str]) -> Iterator[Finding]:
    found = cloud.values.get(_PROVIDERS)
    if not isinstance(found, list) or not found:
        return
    if not cloud.flag("cloud_tls"):
        remedy = "Set cloud_tls to true, or leave the providers out."
        yield cloud.finding(_PROVIDERS, "providers, and cloud_tls: false", "cloud_tls: true", remedy)
    if len(found) > _MOST:
        yield cloud.finding(_PROVIDERS, f"{len(found)} providers", f"{_MOST} at most", "Leave some out.")
    names: dict[str, str] = {}
    # Keystone lists users of a provider among those of the domain, by a name that the provider chooses.
    directories = cloud.values.get(_NAME)
    directories = (
        [one.get("name") for one in directories if isinstance(one, Mapping)] if isinstance(directories, list) else []
    )
    domains = {_folded(name): name for name in directories if isinstance(name, str)} | dict(taken)
    issuers: set[str] = set()
    for number, one in enumerate(found):
        where = f"{cloud.where(_PROVIDERS)}[{number}]"
        if not isinstance(one, Mapping):
            continue  # reported as a wrong type
        yield from _provider(where, one)
        name, issuer = one.get("name"), one.get("issuer")
        domain = one.get("domain")
        if isinstance(name, str):
            if (other := names.get(_folded(name))) is not None:
                said = shown(name) if other == name else f"{shown(name)}, beside {shown(other)}"
                yield Finding(f"{where}.name", said, "a name of its own", "Choose another; case does not count.")
            elif not domain:
                domain = name
            names.setdefault(_folded(name), name)
        if isinstance(domain, str):
            if (other := domains.get(_folded(domain))) is not None:
                said = shown(domain) if other == domain else f"{shown(domain)}, beside {shown(other)}"
                remedy = "Choose another: a user of the provider could be taken for one of that domain."
                where_from = f"{where}.{'domain' if one.get('domain') else 'name'}"
                yield Finding(where_from, said, "a domain of the provider's own", remedy)
            domains.setdefault(_folded(domain), domain)
        if isinstance(issuer, str):
            if issuer in issuers:
                remedy = "Join their mapping rules in one entry: an issuer has one."
                yield Finding(f"{where}.issuer", shown(issuer), "an issuer of its own", remedy)
            issuers.add(issuer)


def _provider(where: str, one: Mapping[str, Any]) -> Iterator[Finding]:
    name = one.get("name")
    if isinstance(name, str) and not _WORD.fullmatch(name):
        remedy = "Choose a short word, such as corp; label is for people."
        yield Finding(f"{where}.name", shown(name), "letters, digits, - and _, at most 32", remedy)
    for key in ("issuer", "metadata"):
        url = one.get(key)
        if isinstance(url, str) and not _is_url(url):
            remedy = "Write it as the provider says, such as https://login.example.org/realms/staff."
            yield Finding(f"{where}.{key}", shown(url), "an https URL without a query", remedy)
    words = [("client_id", one.get("client_id"))]
    for key in ("clients", "scopes"):
        listed = one.get(key)
        words += [(f"{key}[{index}]", word) for index, word in enumerate(listed if isinstance(listed, list) else ())]
    for key, word in words:
        if isinstance(word, str) and (not word or _SPECIAL.search(word)):
            yield Finding(f"{where}.{key}", shown(word), "a word without spaces and quotes", "Correct it.")
    if isinstance(one.get("scopes"), list) and "openid" not in one["scopes"]:
        found = ", ".join(map(str, one["scopes"])) or "none"
        yield Finding(
            f"{where}.scopes", found, "openid among them", "Add openid: without it the provider names no user."
        )
    secret = one.get("client_secret")
    if isinstance(secret, str) and (not secret.strip() or "${" in secret or not secret.isprintable()):
        remedy = "Write what the provider has given, with Ansible Vault."
        yield Finding(f"{where}.client_secret", "an empty text, a line break, or ${", "one line of text", remedy)
    if one.get("ca") and "-----BEGIN CERTIFICATE-----" not in str(one["ca"]):
        remedy = "Read a file by \"{{ lookup('file', 'PATH') }}\"."
        yield Finding(f"{where}.ca", "no certificate in it", "certificates in PEM format", remedy)
    rules = one.get("mapping")
    if isinstance(rules, list):
        if not rules:
            remedy = "Write a rule with local and remote, see docs/users.md."
            yield Finding(f"{where}.mapping", "no rule", "at least one rule", remedy)
        for number, rule in enumerate(rules):
            if isinstance(rule, Mapping):
                yield from _mapping(f"{where}.mapping[{number}]", rule)
        locals_ = [part for rule in rules if isinstance(rule, Mapping) for part in _parts(rule, "local")]
        if locals_ and all(key in _LOCAL and key != "user" for part in locals_ for key in part):
            remedy = 'Write user: {name: "{0}"} in local.'
            yield Finding(f"{where}.mapping", "no user", "a user in local of at least one rule", remedy)


def _is_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return (
            parts.scheme == "https" and bool(parts.hostname) and not (_SPECIAL.search(url) or parts.query or "#" in url)
        )
    except ValueError:
        return False


def _mapping(where: str, rule: Mapping[str, Any]) -> Iterator[Finding]:
    """Find errors in one of Keystone's mapping rules, which Keystone itself would refuse, or never match."""
    for side, known in (("local", _LOCAL), ("remote", _REMOTE)):
        parts = rule.get(side)
        if not isinstance(parts, list):
            continue  # reported as a wrong type
        if not parts:
            remedy = (
                "Say who the user is." if side == "local" else "Name a claim: a rule without one lets in every user."
            )
            yield Finding(f"{where}.{side}", "an empty list", "at least one entry", remedy)
        for number, part in enumerate(parts):
            if not isinstance(part, Mapping):
                continue
            place = f"{where}.{side}[{number}]"
            for key in part:
                if key not in known:
                    yield Finding(place, shown(key), ", ".join(known), nearest(str(key), known, "Correct it."))
            yield from (_claim if side == "remote" else _identity)(place, part)
    remote = _parts(rule, "remote")
    # Keystone numbers those that give values: of the others it knows only whether they match.
    known = len([part for part in remote if not {"any_one_of", "not_any_of"} & set(part)])
    for text in _texts(_parts(rule, "local")) if remote else ():
        try:
            names = [name for _text, name, _format, _conversion in string.Formatter().parse(text) if name is not None]
        except ValueError:
            names = ["none"]
        wrong = [name for name in names if not name.isdecimal() or int(name) >= known]
        if wrong:
            allowed = f"numbers in braces from 0 to {known - 1}" if known else "no number in braces"
            remedy = "Count the entries in remote without any_one_of and not_any_of, from 0."
            yield Finding(f"{where}.local", shown(text), allowed, remedy)


def _parts(rule: Mapping[str, Any], side: str) -> list[Mapping[str, Any]]:
    """Return the entries of a rule; those of another type are reported elsewhere."""
    found = rule.get(side)
    return [part for part in found if isinstance(part, Mapping)] if isinstance(found, list) else []


def _texts(value: Any) -> Iterator[str]:
    """Return all texts in a value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from _texts(one)
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one)


def _identity(where: str, part: Mapping[str, Any]) -> Iterator[Finding]:
    """Check an entry of local."""
    if "user" in part:
        user = part["user"]
        if not isinstance(user, Mapping) or not (user.get("name") or user.get("id")):
            yield Finding(f"{where}.user", "neither of them", "name or id", 'Write user: {name: "{0}"}.')
    if "group" in part:
        group = part["group"]
        domain = group.get("domain") if isinstance(group, Mapping) else None
        named = isinstance(domain, Mapping) and bool(domain.get("name") or domain.get("id"))
        if not isinstance(group, Mapping) or not (group.get("id") or (group.get("name") and named)):
            remedy = "Write group: {name: NAME, domain: {name: DOMAIN}}."
            yield Finding(f"{where}.group", "none of them, or a name alone", "an id, or a name and a domain", remedy)


def _claim(where: str, part: Mapping[str, Any]) -> Iterator[Finding]:
    kind = part.get("type")
    if not isinstance(kind, str) or not re.fullmatch(r"OIDC_\S+", kind):
        remedy = "Put OIDC_ before the claim's name, such as OIDC_preferred_username."
        yield Finding(f"{where}.type", shown(kind) if kind else "nothing", "OIDC_ and the name of a claim", remedy)
    given = [key for key in _CONDITIONS if key in part]
    if len(given) > 1:
        yield Finding(where, " and ".join(given), f"one of {', '.join(_CONDITIONS)}", "Leave one.")
    for key in given:
        if not isinstance(part[key], list) or not part[key]:
            yield Finding(f"{where}.{key}", shown(part[key]), "a list of values", "Write [a, b]; a list of one is [a].")
            continue
        for value in part[key]:
            if not isinstance(value, str):
                yield Finding(f"{where}.{key}", shown(value), "texts", "Write it in quotes: other values never match.")
    if "regex" in part and not given:
        remedy = "Remove it, or name a condition."
        yield Finding(f"{where}.regex", "regex without a condition", f"beside one of {', '.join(_CONDITIONS)}", remedy)
    if part.get("regex") is not None and not isinstance(part["regex"], bool):
        yield Finding(f"{where}.regex", shown(part["regex"]), "true or false", "Write true or false without quotes.")
