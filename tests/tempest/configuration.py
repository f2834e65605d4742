# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The configuration of Tempest: what follows from the cloud's facts, and the constants of settings.yml."""

from __future__ import annotations

import configparser
import io
from typing import Any

Sections = dict[str, dict[str, Any]]

# Names of objects that Tempest creates begin with this.
PREFIX = "cairn-tempest"


class SettingsError(Exception):
    """settings.yml or skips.yml is wrong; the message says what and where."""


def constants(given: Any) -> Sections:
    """Return the options of settings.yml without their reasons.

    :param given: section → option → C(value) and C(why).
    :raises SettingsError: an option has no value or no reason.
    """
    found: Sections = {}
    for section, options in (given or {}).items():
        for option, entry in options.items():
            if not isinstance(entry, dict) or set(entry) != {"value", "why"} or not entry["why"]:
                raise SettingsError(f"settings.yml: {section}.{option} needs value and why, and nothing else")
            found.setdefault(section, {})[option] = entry["value"]
    return found


def _identity(facts: dict) -> Sections:
    mine = facts["identity"]
    return {
        "auth": {
            "admin_username": mine["username"],
            "admin_password": mine["password"],
            "admin_project_name": mine["project"],
            "admin_domain_name": mine["domain"],
            "default_credentials_domain_name": mine["domain"],
            "use_dynamic_credentials": True,
        },
        "identity": {
            "uri_v3": mine["auth_url"],
            "auth_version": "v3",
            "region": mine["region"],
            "ca_certificates_file": mine["ca_file"],
            "default_domain_id": mine["domain_id"],
        },
    }


def _compute(facts: dict, objects: dict) -> Sections:
    mine = facts.get("compute")
    if not mine:
        return {}
    hosts = len(mine["hosts"])
    return {
        "compute": {
            "region": facts["identity"]["region"],
            "image_ref": objects["image"],
            "image_ref_alt": objects["image_alt"],
            "flavor_ref": objects["flavor"],
            "flavor_ref_alt": objects["flavor_alt"],
            "min_compute_nodes": hosts,
            "hypervisor_type": mine["hypervisor"],
            "min_microversion": "2.1",
            "max_microversion": mine["max_microversion"],
        },
        "compute-feature-enabled": {
            "cold_migration": hosts > 1,
            "shelve_migrate": hosts > 1,
            # Without a key manager, Cinder has no keys for encrypted volumes.
            "attach_encrypted_volume": "key-manager" in facts["services"],
        },
        "placement": {
            "region": facts["identity"]["region"],
            "max_microversion": facts.get("placement", {}).get("max_microversion") or None,
            "min_microversion": "1.0" if "placement" in facts else None,
        },
        "validation": {"image_ssh_user": objects["user"], "image_alt_ssh_user": objects["user"]},
        "scenario": {
            "img_file": objects["file"],
            "img_disk_format": objects["disk_format"],
            "img_properties": ",".join(f"{name}:{value}" for name, value in sorted(objects["properties"].items())),
        },
    }


def _network(facts: dict) -> Sections:
    mine = facts.get("network")
    if not mine:
        return {}
    outer, extensions = mine["external"] or {}, mine["extensions"]
    return {
        "network": {
            "region": facts["identity"]["region"],
            "public_network_id": outer.get("id"),
            "floating_network_name": outer.get("name"),
        },
        "network-feature-enabled": {
            "api_extensions": ",".join(extensions),
            "floating_ips": bool(outer) and "router" in extensions,
            "port_security": "port-security" in extensions,
            "ipv6_subnet_attributes": True,
        },
    }


def _volume(facts: dict) -> Sections:
    mine = facts.get("volume")
    if not mine:
        return {}
    names = sorted(mine["backends"])
    first = mine["backends"][names[0]] if names else {}
    newest = tuple(int(part) for part in (mine["max_microversion"] or "3.0").split("."))
    return {
        "volume": {
            "region": facts["identity"]["region"],
            "catalog_type": mine["catalog_type"],
            "backend_names": ",".join(names),
            "storage_protocol": first.get("protocol"),
            "vendor_name": first.get("vendor"),
            "min_microversion": "3.0",
            "max_microversion": mine["max_microversion"] or None,
        },
        "volume-feature-enabled": {
            "api_extensions": ",".join(mine["extensions"]),
            "backup": mine["backup"],
            "multi_backend": len(names) > 1,
            # Cinder extends volumes in use since 3.42.
            "extend_attached_volume": newest >= (3, 42),
        },
    }


def _image(facts: dict) -> Sections:
    mine = facts.get("image")
    if not mine:
        return {}
    return {
        "image": {
            "region": facts["identity"]["region"],
            "disk_formats": ",".join(mine["disk_formats"]) or None,
            "container_formats": ",".join(mine["container_formats"]) or None,
        },
        "image-feature-enabled": {"import_image": bool(mine["import_methods"])},
    }


def _objects(facts: dict) -> Sections:
    if "object-store" not in facts["services"]:
        return {}
    told, roles = facts["objects"], facts["identity"]["roles"]
    hashes = told.get("tempurl", {}).get("allowed_digests", [])
    return {
        "object-storage": {
            "region": facts["identity"]["region"],
            "operator_role": "member",
            "reseller_admin_role": "ResellerAdmin" if "ResellerAdmin" in roles else "admin",
        },
        "object-storage-feature-enabled": {
            "discoverability": bool(told),
            "discoverable_apis": ",".join(sorted(told)) or None,
            "container_sync": "container_sync" in told and bool(told["container_sync"].get("realms")),
            "object_versioning": "versioned_writes" in told,
            "tempurl_digest_hashlib": next((one for one in ("sha256", "sha1", "sha512") if one in hashes), None),
        },
    }


def derive(facts: dict, objects: dict, given: Sections, directory: str) -> Sections:
    """Return all options of tempest.conf.

    :param facts: of `cloud.facts`.
    :param objects: ids of C(image), C(image_alt), C(flavor), C(flavor_alt); C(user), C(file), C(disk_format) and
        C(properties) of the image.
    :param given: `constants`.
    :param directory: for Tempest's locks and logs.
    :raises SettingsError: a constant is set that follows from the cloud.
    """
    services = facts["services"]
    found: Sections = {
        "DEFAULT": {
            "log_dir": directory,
            "log_file": "tempest.log",
            "debug": True,
            "use_stderr": False,
            "resource_name_prefix": PREFIX,
        },
        "oslo_concurrency": {"lock_path": f"{directory}/locks"},
        "service_available": {
            "cinder": "volume" in facts,
            "glance": "image" in services,
            "horizon": bool(facts["dashboard"]),
            "neutron": "network" in services,
            "nova": "compute" in services,
            "swift": "object-store" in services,
        },
    }
    if facts["dashboard"]:
        found["dashboard"] = {"dashboard_url": facts["dashboard"]}
    for part in (
        _identity(facts),
        _compute(facts, objects),
        _network(facts),
        _volume(facts),
        _image(facts),
        _objects(facts),
        given,
    ):
        for section, options in part.items():
            here = found.setdefault(section, {})
            if both := sorted(set(here) & set(options)):
                raise SettingsError(
                    f"settings.yml: {section}.{both[0]} follows from the cloud; remove it, or change configuration.py"
                )
            here.update(options)
    return found


def text(sections: Sections) -> str:
    """Return tempest.conf. An option without a value keeps Tempest's default."""
    parser = configparser.RawConfigParser()
    parser.optionxform = str
    for section, options in sections.items():
        if section != "DEFAULT":
            parser.add_section(section)
        for option, value in options.items():
            if value is not None and value != "":
                parser.set(section, option, _plain(value))
    out = io.StringIO()
    parser.write(out)
    return out.getvalue()


def _plain(value: Any) -> str:
    """Return a value as oslo.config reads it."""
    return str(value).lower() if isinstance(value, bool) else str(value).replace("$", "$$")
