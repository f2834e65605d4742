# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The flavors and images that Tempest uses, and what a run has left in the cloud."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from typing import Any

from configuration import PREFIX
from openstack.exceptions import SDKException

# Name → MiB of memory, processors, GiB of disk. The second must be larger: servers are resized to it.
FLAVORS = {
    "flavor": (f"{PREFIX}-small", {"ram": 192, "vcpus": 1, "disk": 1}),
    "flavor_alt": (f"{PREFIX}-large", {"ram": 256, "vcpus": 1, "disk": 2}),
}
# Tempest compares images by id, so there are two of the same file.
IMAGES = {"image": f"{PREFIX}-image", "image_alt": f"{PREFIX}-image-alt"}
BLOCK = 1 << 20


def sha512(path: str) -> str:
    """Return the hexadecimal digest of a file."""
    digest = hashlib.sha512()
    with open(path, "rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _flavor(conn: Any, name: str, sizes: dict[str, int]) -> str:
    """Return the id of a flavor, which is created if it is missing or of other sizes."""
    found = conn.compute.find_flavor(name, get_extra_specs=False)
    if found and {key: getattr(found, key) for key in sizes} != sizes:
        conn.compute.delete_flavor(found)
        found = None
    return (found or conn.compute.create_flavor(name=name, is_public=True, **sizes)).id


def _image(conn: Any, name: str, path: str, digest: str, properties: dict[str, Any]) -> str:
    """Return the id of an image with the content of a file; others of the name are deleted.

    :raises SDKException: Glance refuses the image or its data.
    """
    kept = ""
    for image in list(conn.image.images(name=name, owner=conn.current_project_id)):
        if not kept and image.status == "active" and image.hash_value == digest:
            kept = image.id
        else:
            conn.image.delete_image(image.id)
    if kept:
        return kept
    body = {"name": name, "disk_format": "qcow2", "container_format": "bare", "visibility": "public"}
    made = conn.image.post("/images", json={**body, **{key: str(value) for key, value in properties.items()}})
    _fine(made)
    image_id = made.json()["id"]
    with open(path, "rb") as data:
        _fine(
            conn.image.put(
                f"/images/{image_id}/file",
                data=data,
                headers={"Content-Type": "application/octet-stream", "Accept": ""},
            )
        )
    return image_id


def _fine(response: Any) -> None:
    if response.status_code >= 400:
        raise SDKException(f"Glance: {response.status_code} {response.text[:500]}")


def create(conn: Any, path: str, properties: dict[str, Any]) -> dict[str, str]:
    """Create what is missing and return the ids.

    :param path: of the image's file, qcow2.
    :raises SDKException: an API refuses.
    """
    digest = sha512(path)
    made = {key: _flavor(conn, name, sizes) for key, (name, sizes) in FLAVORS.items()}
    made.update({key: _image(conn, name, path, digest, properties) for key, name in IMAGES.items()})
    return made


def existing(conn: Any) -> dict[str, str]:
    """Return the ids of what `create` would use, and `not yet created` for the others. Changes nothing."""
    found = {}
    for key, (name, _sizes) in FLAVORS.items():
        flavor = conn.compute.find_flavor(name, get_extra_specs=False)
        found[key] = flavor.id if flavor else "not yet created"
    for key, name in IMAGES.items():
        images = [image.id for image in conn.image.images(name=name) if image.status == "active"]
        found[key] = images[0] if images else "not yet created"
    return found


def remove(conn: Any) -> None:
    """Delete the flavors and images of `create`; those that are not there are no error."""
    for name, _sizes in FLAVORS.values():
        if flavor := conn.compute.find_flavor(name, get_extra_specs=False):
            conn.compute.delete_flavor(flavor)
    for name in IMAGES.values():
        for image in list(conn.image.images(name=name, owner=conn.current_project_id)):
            conn.image.delete_image(image.id)


def listings(conn: Any, services: Iterable[str]) -> dict[str, Callable[[], Iterable[Any]]]:
    """Return how to list each kind of object, in all projects."""
    found: dict[str, Callable[[], Iterable[Any]]] = {
        "project": conn.identity.projects,
        "user": conn.identity.users,
        "group": conn.identity.groups,
        "domain": conn.identity.domains,
        "role": conn.identity.roles,
        "region": conn.identity.regions,
        "service": conn.identity.services,
    }
    if "compute" in services:
        found |= {
            "server": lambda: conn.compute.servers(details=False, all_projects=True),
            "server group": lambda: conn.compute.server_groups(all_projects=True),
            "flavor": lambda: conn.compute.flavors(details=False, is_public=None),
            "aggregate": conn.compute.aggregates,
        }
    if "network" in services:
        found |= {
            "network": conn.network.networks,
            "subnet": conn.network.subnets,
            "port": conn.network.ports,
            "router": conn.network.routers,
            "floating IP": conn.network.ips,
            "security group": conn.network.security_groups,
            "subnet pool": conn.network.subnet_pools,
        }
    if "image" in services:
        found["image"] = conn.image.images
    if {"block-storage", "volumev3", "volume"} & set(services):
        found |= {
            "volume": lambda: conn.block_storage.volumes(details=False, all_projects=True),
            "volume snapshot": lambda: conn.block_storage.snapshots(details=False, all_projects=True),
            "backup": lambda: conn.block_storage.backups(details=False, all_tenants=True),
            "volume type": conn.block_storage.types,
        }
    return found


def inventory(conn: Any, services: Iterable[str]) -> dict[tuple[str, str], str]:
    """Return all objects of the cloud: (kind, id) → name.

    :raises SDKException: an API refuses.
    """
    return {
        (kind, one.id): getattr(one, "name", None) or one.id
        for kind, listed in listings(conn, services).items()
        for one in listed()
    }


def left(before: dict[tuple[str, str], str], after: dict[tuple[str, str], str]) -> list[str]:
    """Return what is in the second inventory only, as kind, name and id."""
    return sorted(f"{kind} {name} ({key})" for (kind, key), name in after.items() if (kind, key) not in before)
