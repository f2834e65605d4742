# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Checks of the settings: known names, types, allowed values, and equality where hosts must not differ."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from ansible.module_utils.parsing.convert_bool import BOOLEANS, boolean
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.resources.spec import SPEC as RESOURCES
from ansible_collections.cairn.openstack.plugins.plugin_utils.preflight import value_types
from ansible_collections.cairn.openstack.plugins.plugin_utils.preflight.finding import Finding, nearest, shown

# Host variables that are read although no role declares them.
OTHERS = ("lab_networks",)
# User variables may start with a role's prefix: only a near match of a setting is an error.
SLIP = 0.85

# Settings of the cloud as a whole, which must not differ between hosts.
CLOUD_WIDE = (
    "cloud_name",
    "cloud_domain",
    "cloud_region",
    "cloud_secrets_dir",
    "cloud_output_dir",
    "cloud_internal_address",
    "cloud_public_address",
    "cloud_internal_name",
    "cloud_public_name",
    "cloud_dashboard_names",
    "cloud_tls",
    "cloud_tls_certificate",
    "cloud_tls_key",
    "cloud_tls_ca",
    "cloud_ca_certificate",
    "cloud_ca_key",
    "cloud_external_mtu",
    "cloud_external_network",
    "cloud_external_gateway",
    "cloud_external_pool",
    "cloud_vlan_mtu",
    "cloud_vlan_range",
    "cloud_tenant_network_types",
    "cloud_vip_router_id",
    "cloud_storage",
    "cloud_services",
    "cloud_metrics_interval",
    "cloud_metrics_days",
    "cloud_host_ha_seconds",
    "cloud_name_servers",
    "cloud_amphora_network",
    "cloud_ldap_domains",
    "cloud_identity_providers",
    "cloud_login_rules",
)


@dataclass
class Settings:
    """The settings of one host.

    :param host: its name.
    :param values: templated; without those that depend on facts of the host.
    :param places: name → file and line, for those set by the user.
    :param errors: name → why it could not be templated.
    """

    host: str
    values: dict[str, Any]
    places: dict[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)

    def where(self, name: str) -> str:
        """Return the place of the setting *name*."""
        return f"{self.places[name]}, {name}" if name in self.places else f"{name} (not set)"

    def flag(self, name: str) -> bool:
        """Return the setting *name* as a boolean: from the command line it is text."""
        return boolean(self.values.get(name, False), strict=False)

    def finding(self, name: str, found: str, allowed: str, remedy: str, severity: str = "error") -> Finding:
        """Return a finding about the setting *name* of this host."""
        return Finding(self.where(name), found, allowed, remedy, severity, (self.host,))


class Rule(NamedTuple):
    """A condition on a setting's value beyond its type: its description, the test and the remedy."""

    allowed: str
    fits: Callable[[Any], bool]
    remedy: str


def _between(low: float, high: float, remedy: str) -> Rule:
    return Rule(f"{low} to {high}", lambda value: low <= float(value) <= high, remedy)


def _least(low: float, remedy: str) -> Rule:
    return Rule(f"{low} or more", lambda value: float(value) >= low, remedy)


_LABEL = r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)"
DNS_NAME = re.compile(rf"{_LABEL}(\.{_LABEL})*")


def is_name(value: Any) -> bool:
    """Whether *value* is a valid DNS name."""
    return bool(DNS_NAME.fullmatch(str(value))) and len(str(value)) <= 253


def is_network(value: Any) -> bool:
    """Whether *value* is a network in CIDR notation."""
    try:
        ipaddress.ip_network(str(value))
    except ValueError:
        return False
    return "/" in str(value)


def _matching(pattern: str) -> Callable[[Any], bool]:
    return lambda value: bool(re.fullmatch(pattern, str(value)))


def _url(value: Any) -> bool:
    return not value or _matching(r"https?://[^\s/]+\S*")(value)


_NAME = Rule("a DNS name: letters, digits, hyphens, dots", is_name, "Write it without other characters.")
_ENDPOINT = Rule(
    "a DNS name: letters, digits, hyphens, dots; or an IPv4 address",
    lambda value: is_name(value) and (not _matching(r"[\d.]+")(value) or _is_address(value)),
    "Write it without other characters.",
)
_URL = Rule(
    "http://… or https://…, or empty", _url, "Write the complete URL, such as http://mirror.example.org/debian."
)

RULES: dict[str, Rule] = {
    "cloud_name": Rule(
        "letters, digits, hyphens, underscores",
        _matching(r"[A-Za-z0-9][\w-]*"),
        "Choose a simple name; it is a key in clouds.yaml.",
    ),
    "cloud_domain": _NAME,
    "cloud_region": Rule("a word of at most 255 characters", _matching(r"\S{1,255}"), "Choose one word."),
    "cloud_public_name": _ENDPOINT,
    "cloud_internal_name": _ENDPOINT,
    "cloud_dashboard_names": Rule(
        "DNS names, with or without a port",
        lambda value: all(is_name(re.sub(r":\d{1,5}$", "", str(name))) for name in value),
        "Write them such as portal.example.org or portal.example.org:8443, without a scheme and a path.",
    ),
    "cloud_secrets_dir": Rule(
        "an absolute path on the control node",
        lambda value: str(value).startswith("/") and "None" not in str(value).split("/"),
        "Set cloud_secrets_dir; an inventory without a directory, such as -i 'host,', has no default.",
    ),
    "cloud_vip_router_id": _between(0, 255, "0 derives it from the address. Each cloud in a network needs its own."),
    **dict.fromkeys(
        ("cloud_mtu", "cloud_external_mtu", "cloud_vlan_mtu"),
        _between(1280, 9216, "Set the MTU of the switches, usually 1500 or 9000."),
    ),
    "cloud_name_servers": Rule(
        "DNS names",
        lambda value: all(is_name(item) and not _matching(r"[\d.]+")(item) for item in value),
        "Write them such as ns1.example.org, without a dot at the end.",
    ),
    "cloud_metrics_interval": _between(
        10, 1800, "60 shows a busy server after two minutes; 300 costs a fifth. Hours are kept apart."
    ),
    "cloud_host_ha_seconds": _between(
        90, 3600, "In less, a host that has lost the controllers might not have stopped its guests."
    ),
    "cloud_login_rules": Rule(
        "a password_regex that passwords of services match, 40 letters and digits",
        lambda value: _matches_services(value.get("password_regex")),
        "Don't require other characters.",
    ),
    "cloud_metrics_days": _between(1, 3660, "Each metric has 72 values a day."),
    "cloud_vlan_range": Rule(
        "first:last, both from 1 to 4094, or empty",
        lambda value: not value or _vlans(value),
        "Write it in quotes, such as '100:199'; without them YAML may read a number.",
    ),
    "cloud_tenant_network_types": Rule(
        "one or both of vxlan, vlan",
        lambda value: bool(value) and set(value) <= {"vxlan", "vlan"} and len(set(value)) == len(value),
        "The first choice comes first.",
    ),
    "cloud_dns_servers": Rule(
        "addresses of DNS servers that guests can reach",
        lambda value: all(_is_address(item) and not ipaddress.ip_address(str(item)).is_loopback for item in value),
        "Write them such as 192.0.2.53.",
    ),
    "cloud_time_servers": Rule(
        "names or addresses",
        lambda value: all(is_name(item) or _is_address(item) for item in value),
        "Name NTP servers.",
    ),
    "cloud_package_mirror": _URL,
    "cloud_package_proxy": _URL,
    "cloud_package_updates": Rule(
        "unchanged, none or security",
        lambda value: value in ("unchanged", "none", "security"),
        "Choose one of them.",
    ),
    "cloud_sysctl": Rule(
        "names with dots, such as vm.swappiness",
        lambda value: all(_matching(r"[\w-]+([./][\w.*/:@-]+)+")(name) for name in value),
        "Use names as sysctl prints them.",
    ),
    "cloud_journal_size": Rule(
        "a number with K, M, G or T", _matching(r"[1-9]\d*[KMGT]?"), "Write it such as 1G, without a space."
    ),
    "cloud_firewall_sources": Rule(
        "networks in CIDR notation",
        lambda value: all(map(is_network, value)),
        "Write them such as 192.0.2.0/24, with host bits zero.",
    ),
    "cloud_known_firewalls": Rule(
        "ufw, firewalld, or family and name of a table",
        lambda value: all(_matching(r"ufw|firewalld|(ip|inet|netdev) \S+")(name) for name in value),
        "Write the name as the error about the firewall does.",
    ),
    "cloud_amphora_network": Rule(
        "an IPv4 network in CIDR notation, /28 or larger",
        lambda value: is_network(value) and _matching(r"[\d.]+/([1-9]|1\d|2[0-8])")(value),
        "Write it such as 198.19.0.0/16, with host bits zero. Each amphora and each network host takes an address.",
    ),
    "cloud_image_cache": _least(0, "The unit is GiB; 0 disables the cache."),
    "cloud_workers": _least(0, "0 derives it from the number of processors."),
    "cloud_scheduler_filters": Rule("at least one filter", bool, "Remove the line to use the default filters."),
    "cloud_cpu_ratio": Rule(
        "more than 0", lambda value: float(value) > 0, "4.0 is usual; 1.0 disables overcommitment."
    ),
    "cloud_ram_ratio": Rule("more than 0", lambda value: float(value) > 0, "1.0 disables overcommitment."),
    "cloud_deleted_rows_days": _least(0, "The unit is days; 0 keeps all rows."),
    "cloud_fernet_rotation_days": _least(0, "The unit is days; 0 never rotates."),
    "cloud_reserved_memory_mb": _least(0, "The unit is MiB."),
    "cloud_availability_zone": Rule(
        "a name without a colon", _matching(r"[^:]{1,255}"), "A colon separates zone and host in server requests."
    ),
}


# What users of other deployment tools look for, where no letter is like the setting's.
OTHER_NAMES = {
    "vip": "cloud_internal_address",
    "internal_vip": "cloud_internal_address",
    "external_vip": "cloud_public_address",
    "public_vip": "cloud_public_address",
}
_RESOURCES = {"type": "dict", "options": {kind: value_types.of_arguments(item) for kind, item in RESOURCES.items()}}


def _is_address(value: Any) -> bool:
    try:
        ipaddress.ip_address(str(value))
    except ValueError:
        return False
    return True


def _matches_services(pattern: Any) -> bool:
    """Whether a generated password matches the regular expression, as Keystone asks also of users of services."""
    try:
        return not pattern or bool(re.match(str(pattern), "aB3" * 13 + "z"))
    except re.error:
        return False


def _vlans(value: Any) -> bool:
    found = re.fullmatch(r"(\d+):(\d+)", str(value))
    return bool(found) and 1 <= int(found[1]) <= int(found[2]) <= 4094


def unknown(settings: Settings, specs: Mapping[str, Iterable[str]], definitions: Iterable[str]) -> Iterator[Finding]:
    """Find unknown settings.

    :param specs: role → its settings.
    :param definitions: the names of the shipped service definitions.
    """
    shipped = ["catalog_dir", "catalog_extra", *(f"catalog_{name}" for name in definitions)]
    for name in settings.places:
        prefix = next((role for role in specs if name.startswith(f"{role}_")), "")
        if prefix == "cloud" and name not in specs["cloud"] and not name.startswith("cloud_config_"):
            remedy = nearest(name, specs["cloud"], "Remove it. All settings are in roles/cloud/defaults/main.yml.")
            if other := OTHER_NAMES.get(name.removeprefix("cloud_")):
                remedy = f"The setting is {other!r}."
            yield settings.finding(
                name, f"unknown setting {name}", "the settings of roles/cloud, and cloud_config_*", remedy
            )
        elif prefix and prefix != "cloud" and name not in (*specs[prefix], *OTHERS):
            if remedy := nearest(name, specs[prefix], "", SLIP):
                yield settings.finding(name, f"unknown setting {name}", f"the settings of roles/{prefix}", remedy)
        elif name.startswith("catalog") and name not in shipped:
            remedy = nearest(name, shipped, "Put your own service definitions into catalog_extra.")
            yield settings.finding(
                name,
                f"unknown service definition {name}",
                "catalog_extra, or the name of a shipped service definition",
                remedy,
            )


def _common(settings: list[Settings]) -> Iterator[Finding]:
    """Find settings of the cloud as a whole that differ between hosts."""
    for name in CLOUD_WIDE:
        first: Settings | None = None
        for one in settings:
            if name not in one.values:
                continue
            first = first or one
            if one.values[name] != first.values[name]:
                if name == "cloud_output_dir" and name not in one.places and name not in first.places:
                    continue  # It follows from cloud_secrets_dir.
                found = f"{shown(one.values[name])}, but {shown(first.values[name])} for {first.host}"
                remedy = "Set it once for all hosts, in group_vars/all.yml."
                if name == "cloud_secrets_dir" and name not in one.places:
                    found += ": the inventory has several directories"
                    remedy = f"Set it for all hosts, in group_vars/all.yml: {first.values[name]}, or another directory."
                yield one.finding(name, found, "one value for the whole cloud", remedy)


def findings(
    settings: list[Settings], specs: Mapping[str, Mapping[str, Any]], definitions: Iterable[str]
) -> Iterator[Finding]:
    """Check the settings of all hosts.

    :param specs: role → the options of its argument spec.
    """
    options = {name: value_types.of_arguments(option) for role in specs.values() for name, option in role.items()}
    definitions = list(definitions)
    for one in settings:
        yield from unknown(one, specs, definitions)
        for name, why in one.errors.items():
            if "decrypt" in why.lower():
                allowed, remedy = (
                    "a value that the vault password decrypts",
                    "Use --vault-password-file or --ask-vault-pass.",
                )
                yield one.finding(name, why, allowed, remedy)
                continue
            yield one.finding(
                name, f"a template that fails: {why}", "a template of defined variables", "Correct the template."
            )
        yield from _values(one, options)
    yield from _common(settings)


def _values(one: Settings, options: Mapping[str, value_types.Shape]) -> Iterator[Finding]:
    """Find values of a wrong type or out of range: first the user's; if those are valid, the derived ones."""
    fine, seen = True, []
    for name, value in sorted(one.values.items(), key=lambda item: item[0] not in one.places):
        # cloud_config is checked separately.
        if name.startswith("cloud_config") or (name not in one.places and (not fine or value in seen)):
            continue
        for finding in _value(one, name, value, options.get(name)):
            fine = False
            seen.append(value)
            yield finding


# Settings with passwords, and the key that has them.
_WITH_SECRETS = {"cloud_ldap_domains": ".options", "cloud_identity_providers": ".client_secret"}


def _value(one: Settings, name: str, value: Any, option: value_types.Shape | None) -> Iterator[Finding]:
    """Check the value of one setting."""
    # -e name=true passes text, which is accepted as a boolean.
    if option and option["type"] == "bool" and str(value).lower() in BOOLEANS:
        return
    wrong = list(value_types.findings(one.where(name), value, option, lenient=True)) if option else []
    if name == "cloud_resources" and not wrong:
        wrong = list(value_types.findings(one.where(name), value, _RESOURCES, lenient=True))
    if name in _WITH_SECRETS:
        # It may be a password, or all of them.
        whole = [one.where(name)] if not isinstance(value, list) else []
        if not whole:
            whole = [
                f"{one.where(name)}[{number}]" for number, part in enumerate(value) if not isinstance(part, Mapping)
            ]
        hidden = "a value of another type"
        wrong = [
            replace(finding, found=hidden)
            if finding.where in whole or _WITH_SECRETS[name] in finding.where.rpartition("]")[2]
            else finding
            for finding in wrong
        ]
    yield from (replace(finding, hosts=(one.host,)) for finding in wrong)
    rule = RULES.get(name)
    if rule and not wrong and not rule.fits(value):
        listed = isinstance(value, (list, tuple, Mapping)) and value
        yield one.finding(name, ", ".join(map(str, value)) if listed else shown(value), rule.allowed, rule.remedy)
