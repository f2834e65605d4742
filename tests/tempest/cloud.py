# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a cloud offers, as its APIs say. Everything here only reads."""

from __future__ import annotations

import urllib.parse
from typing import Any

import openstack
from keystoneauth1.exceptions import ClientException
from openstack.exceptions import SDKException

# Seconds for a single request.
TIMEOUT = 60


class CloudError(Exception):
    """The cloud can't be used; the message says why and what to do."""


def connect(clouds: str, name: str) -> openstack.connection.Connection:
    """Return a connection as the user in *clouds*.

    :param clouds: path of a clouds.yaml.
    :param name: its entry.
    :raises CloudError: the cloud does not answer, or refuses the user.
    """
    loader = openstack.config.OpenStackConfig(config_files=[clouds], load_envvars=False)
    conn = openstack.connection.Connection(config=loader.get_one(cloud=name, api_timeout=TIMEOUT))
    try:
        conn.authorize()
    except (SDKException, ClientException) as error:
        raise CloudError(f"no token with {clouds}: {error}; run playbooks/site.yml, which writes that file") from error
    return conn


def microversion(adapter: Any) -> str:
    """Return the newest microversion of an API."""
    newest = adapter.get_endpoint_data().max_microversion
    return ".".join(str(part) for part in newest) if newest else ""


def answer(adapter: Any, path: str) -> dict:
    """Return the answer to a GET request; empty if the API does not have it."""
    response = adapter.get(path, raise_exc=False)
    return response.json() if response.status_code == 200 else {}


def _identity(conn: Any) -> dict:
    auth = conn.config.config["auth"]
    return {
        "auth_url": auth["auth_url"].rstrip("/"),
        "username": auth["username"],
        "password": auth["password"],
        "project": auth["project_name"],
        "domain": auth["user_domain_name"],
        "domain_id": conn.identity.find_domain(auth["user_domain_name"], ignore_missing=False).id,
        "region": conn.config.get_region_name(),
        "ca_file": conn.config.config.get("cacert") or "",
        "roles": sorted(role.name for role in conn.identity.roles()),
    }


def _services(conn: Any) -> dict[str, str]:
    """Return the catalog: type and public URL."""
    token = conn.session.auth.get_access(conn.session)
    found = {}
    for entry in token.service_catalog.catalog:
        for endpoint in entry["endpoints"]:
            if endpoint["interface"] == "public":
                found[entry["type"]] = endpoint["url"]
    return found


def _compute(conn: Any) -> dict:
    up = [one for one in conn.compute.services(binary="nova-compute") if (one.state, one.status) == ("up", "enabled")]
    kinds = sorted({one.hypervisor_type for one in conn.compute.hypervisors(details=True) if one.hypervisor_type})
    return {
        "max_microversion": microversion(conn.compute),
        "hosts": sorted(one.host for one in up),
        "hypervisor": kinds[0] if kinds else "",
    }


def _volume(conn: Any) -> dict:
    pools = answer(conn.block_storage, "/scheduler-stats/get_pools?detail=true").get("pools", [])
    backends: dict[str, dict] = {}
    for pool in pools:
        told = pool["capabilities"]
        backends.setdefault(
            told["volume_backend_name"],
            {"protocol": told.get("storage_protocol") or "", "vendor": told.get("vendor_name") or ""},
        )
    services = answer(conn.block_storage, "/os-services").get("services", [])
    extensions = answer(conn.block_storage, "/extensions").get("extensions", [])
    return {
        "max_microversion": microversion(conn.block_storage),
        "backends": backends,
        "backup": any(one["binary"] == "cinder-backup" and one["state"] == "up" for one in services),
        "extensions": sorted(one["alias"] for one in extensions),
    }


def _network(conn: Any) -> dict:
    outer = sorted(
        conn.network.networks(is_router_external=True), key=lambda one: (not one.is_default, not one.subnet_ids)
    )
    return {
        "extensions": sorted(one.alias for one in conn.network.extensions()),
        "external": {"id": outer[0].id, "name": outer[0].name} if outer else None,
    }


def _image(conn: Any) -> dict:
    methods = answer(conn.image, "/info/import").get("import-methods", {}).get("value", [])
    schema = answer(conn.image, "/schemas/image").get("properties", {})
    return {
        "import_methods": sorted(methods),
        "stores": sorted(one["id"] for one in answer(conn.image, "/info/stores").get("stores", [])),
        "disk_formats": [one for one in schema.get("disk_format", {}).get("enum", []) if one],
        "container_formats": [one for one in schema.get("container_format", {}).get("enum", []) if one],
    }


def _objects(conn: Any, url: str) -> dict:
    """Return what the object store tells about itself (Swift's discoverability)."""
    parts = urllib.parse.urlsplit(url)
    response = conn.session.get(f"{parts.scheme}://{parts.netloc}/info", authenticated=False, raise_exc=False)
    return response.json() if response.status_code == 200 else {}


def _dashboard(conn: Any, auth_url: str) -> str:
    """Return the URL of the dashboard on the host of the APIs, empty if there is none."""
    parts = urllib.parse.urlsplit(auth_url)
    url = f"{parts.scheme}://{parts.hostname}/"
    page = url
    try:
        # It leads to the login page, by relative addresses, which a session does not follow.
        for _redirect in range(5):
            response = conn.session.get(page, authenticated=False, raise_exc=False, redirect=False)
            if not response.is_redirect:
                break
            page = urllib.parse.urljoin(page, response.headers["Location"])
    except ClientException:
        return ""
    return url if response.status_code == 200 and "id_username" in response.text else ""


def facts(conn: Any) -> dict[str, Any]:
    """Return what the configuration of Tempest follows from.

    :raises CloudError: an API of the catalog does not answer.
    """
    try:
        identity, services = _identity(conn), _services(conn)
        found: dict[str, Any] = {"identity": identity, "services": services}
        if "compute" in services:
            found["compute"] = _compute(conn)
        if "placement" in services:
            found["placement"] = {"max_microversion": microversion(conn.placement)}
        if "network" in services:
            found["network"] = _network(conn)
        if "image" in services:
            found["image"] = _image(conn)
        if volume := next((one for one in ("block-storage", "volumev3", "volume") if one in services), ""):
            found["volume"] = {"catalog_type": volume, **_volume(conn)}
        if "object-store" in services:
            found["objects"] = _objects(conn, services["object-store"])
        found["dashboard"] = _dashboard(conn, identity["auth_url"])
    except (SDKException, ClientException) as error:
        raise CloudError(f"an API does not answer: {error}; playbooks/verify.yml shows which service failed") from error
    return found
