# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""On a controller: something done to volumes through Cinder's API, ``ACTION {"key": "value", …}``; JSON of it.

A host that is no part of the cloud is attached as Nova attaches its own, by the attachments of the API.
"""

import hashlib
import json
import os
import sys
import time

import openstack
import yaml

# What is emulated takes its time.
PATIENCE = 600
# The first that extends a volume in use, and the first that completes an attachment.
EXTENDS, COMPLETES = "3.42", "3.44"

MIB = 1 << 20

with open("/etc/openstack/clouds.yaml", encoding="utf-8") as file:
    cloud = openstack.connect(cloud=next(iter(yaml.safe_load(file)["clouds"])))
cinder = cloud.block_storage


def hear(backend):
    """Wait until a back end has told the scheduler what room it has."""
    deadline = time.monotonic() + PATIENCE
    while not any(f"@{backend}#" in pool.name for pool in cinder.backend_pools()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"the scheduler has not heard of {backend}")
        time.sleep(2)
    return {}


def make(**what):
    """Make a volume of these attributes."""
    volume = cinder.wait_for_status(cinder.create_volume(**what), "available", interval=1, wait=PATIENCE)
    return {"id": volume.id, "host": volume.host}


def image():
    """Make an image of 4 MiB."""
    content = os.urandom(4 * MIB)
    made = cloud.image.create_image("kept", disk_format="raw", container_format="bare", data=content)
    return {"id": made.id, "digest": hashlib.sha256(content).hexdigest()}


def kept(image):
    """Find the volumes that Cinder keeps of an image."""
    found = [volume.id for volume in cinder.volumes(all_projects=True) if volume.name == f"image-{image}"]
    return {"volumes": found}


def forget(image):
    """Remove an image."""
    cloud.image.delete_image(image)
    return {}


def snapshot(volume):
    """Make a snapshot, also of a volume that is in use."""
    made = cinder.create_snapshot(volume_id=volume, force=True)
    return {"id": cinder.wait_for_status(made, "available", interval=1, wait=PATIENCE).id}


def backup(volume):
    """Make a backup of a volume that nobody uses."""
    made = cinder.create_backup(volume_id=volume)
    return {"id": cinder.wait_for_status(made, "available", interval=2, wait=PATIENCE).id}


def restore(backup, volume):
    """Write a backup to a volume that nobody uses."""
    cinder.restore_backup(backup, volume)
    for one in (cinder.get_backup(backup), cinder.get_volume(volume)):
        cinder.wait_for_status(one, "available", interval=2, wait=PATIENCE)
    return {}


def extend(volume, size):
    """Extend a volume that is in use."""
    said = cinder.post(f"/volumes/{volume}/action", json={"os-extend": {"new_size": size}}, microversion=EXTENDS)
    openstack.exceptions.raise_from_response(said)
    extended = cinder.wait_for_status(cinder.get_volume(volume), "in-use", interval=1, wait=PATIENCE)
    return {"size": extended.size}


def retype(volume, volume_type):
    """Have a volume that nobody uses moved to the back end of another type, with what is in it."""
    body = {"os-retype": {"new_type": volume_type, "migration_policy": "on-demand"}}
    openstack.exceptions.raise_from_response(cinder.post(f"/volumes/{volume}/action", json=body))
    deadline = time.monotonic() + PATIENCE
    while (found := cinder.get_volume(volume)).volume_type != volume_type or found.status != "available":
        if time.monotonic() > deadline or found.status == "error" or found.migration_status == "error":
            raise RuntimeError(f"{found.status}, of type {found.volume_type}; its migration: {found.migration_status}")
        time.sleep(2)
    return {"host": found.host}


def attach(volume, connector):
    """Attach a volume to the host that *connector* describes, and return how it gets there."""
    body = {"attachment": {"volume_uuid": volume, "connector": connector}}
    said = cinder.post("/attachments", json=body, microversion=COMPLETES)
    openstack.exceptions.raise_from_response(said)
    made = said.json()["attachment"]
    said = cinder.post(f"/attachments/{made['id']}/action", json={"os-complete": {}}, microversion=COMPLETES)
    openstack.exceptions.raise_from_response(said)
    return {"id": made["id"], "connection": made["connection_info"]}


def detach(attachment):
    """Take an attachment away."""
    openstack.exceptions.raise_from_response(cinder.delete(f"/attachments/{attachment}", microversion=COMPLETES))
    return {}


def remove(volumes, snapshots, backups):
    """Remove all of these: snapshots before their volumes, which would else stay."""
    of = {"backup": backups, "snapshot": snapshots, "volume": volumes}
    for kind, names in of.items():
        for one in map(getattr(cinder, f"get_{kind}"), names):
            getattr(cinder, f"delete_{kind}")(one)
            cinder.wait_for_delete(one, interval=1, wait=PATIENCE)
    return {}


of_images = (image, kept, forget)
of_volumes = (hear, make, snapshot, backup, restore, extend, retype, attach, detach, remove)
actions = {function.__name__: function for function in (*of_images, *of_volumes)}
print(json.dumps(actions[sys.argv[1]](**json.loads(sys.argv[2]))))
