# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Checks of cloud_ldap_domains and cloud_login_rules."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.cairn.openstack.plugins.module_utils.common import options
from ansible_collections.cairn.openstack.plugins.plugin_utils.catalog.option_index import shipped
from ansible_collections.cairn.openstack.plugins.plugin_utils.preflight.finding import Finding, shown
from ansible_collections.cairn.openstack.plugins.plugin_utils.preflight.settings import Settings

_NAME = "cloud_ldap_domains"
_RULES = "cloud_login_rules"
_NEEDED = ("url", "user_tree_dn")


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
