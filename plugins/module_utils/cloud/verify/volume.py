# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Volumes: one that a server writes to, and its copies, which must have the same data.

The data is derived from the name of the run, so that all checks know it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection

from ansible_collections.cairn.openstack.plugins.module_utils.cloud.sdk import rest
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify.checks import (
    Bad,
    Check,
    NotRun,
    Service,
    poll,
)
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify.run import TENANT, Guest, Run
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify.servers import active

TYPES = ("block-storage", "volumev3")
SERVICES, STORES = ("cinder", "nova", "glance", "libvirt", "ceph"), ("controller", "compute", "storage")
SIZE, LARGER = 1, 2  # GiB
WRITTEN = 4 * 2**20
CLONE, RESTORED = "clone", "restored"


def _disk(volume: str) -> str:
    """Return the shell commands that set C($disk) to the device of a volume, found by its serial."""
    return (
        f"for try in 1 2 3 4 5 6 7 8 9 10; do disk=$(cd /sys/block && grep -l {volume[:20]} */serial | cut -d/ -f1); "
        '[ -n "$disk" ] && break; sleep 2; done; [ -n "$disk" ] || { echo "no such disk" >&2; exit 1; }; '
    )


def write(run: str, volume: str) -> str:
    """Return the shell command that writes the run's data."""
    return f"{_disk(volume)} yes {run} | head -c {WRITTEN} | sudo -n dd of=/dev/$disk bs=65536 conv=fsync 2>/dev/null"


def read(volume: str) -> str:
    """Return the shell command that prints the digest of the data, and the size of the disk in GiB."""
    blocks = WRITTEN // 65536
    return (
        f"{_disk(volume)} sudo -n dd if=/dev/$disk bs=65536 count={blocks} 2>/dev/null | sha256sum | cut -c1-64; "
        "echo $(($(cat /sys/block/$disk/size) / 2097152))"
    )


def digest(run: str) -> str:
    """Return the digest of the run's data."""
    line = f"{run}\n".encode()
    return hashlib.sha256((line * (WRITTEN // len(line) + 1))[:WRITTEN]).hexdigest()


def served(run: Run) -> None:
    """Check that the cloud has volumes.

    :raises NotRun: it has none.
    """
    catalog = run.user.session.auth.get_access(run.user.session).service_catalog.catalog
    if not any(service["type"] in TYPES for service in catalog):
        raise NotRun("no volume service")


def attached(run: Run) -> str:
    """Create a volume and attach it to the running first server."""
    served(run)
    made = run.user.block_storage.create_volume(name=f"{run.name}-volume", size=SIZE)
    volume = wait(run, "volume", made.id, "available")
    guest = run.on(TENANT)[0]
    attach(run, guest, volume["id"])
    run.disks["volume"] = volume["id"]
    return f"{SIZE} GiB of type {volume['volume_type']}, attached to {guest.name}"


def booted(run: Run) -> str:
    """Boot a server from a volume that Cinder creates from the image."""
    served(run)
    name = f"{run.name}-volume-root"
    root = {
        "boot_index": 0,
        "uuid": run.image,
        "source_type": "image",
        "destination_type": "volume",
        "volume_size": SIZE,
        "delete_on_termination": True,
    }
    made = run.user.compute.create_server(
        name=name,
        flavor_id=run.flavor.id,
        key_name=run.name,
        networks=[{"uuid": run.network.id}],
        block_device_mapping=[root],
    )
    guest = Guest(name, made.id, "volume")
    run.guests.append(guest)
    active(run, [guest])
    return f"on {guest.host}"


def wait(run: Run, kind: str, name: str, state: str, failed: str = "error") -> dict:
    """Wait until a volume, snapshot or backup has this *state*, and return it.

    :param failed: prefix of states that end the wait.
    :raises Bad: it does not reach the state.
    """
    seconds = run.options["boot_timeout"]

    def look():
        found = rest(run.user.block_storage, "GET", f"/{kind}s/{name}").json()[kind]
        return found if found["status"] == state or found["status"].startswith(("error", failed)) else None

    found = poll(look, seconds)
    if not found or found["status"] != state:
        now = found["status"] if found else "missing"
        raise Bad(f"the {kind} is {now}, not {state}, after at most {seconds} s", (name,))
    return found


def attach(run: Run, guest: Guest, volume: str) -> None:
    """Attach a volume to a running server."""
    run.user.compute.create_volume_attachment(guest.id, volume_id=volume)
    # It was reserved before; Nova releases a volume that it cannot attach.
    wait(run, "volume", volume, "in-use", failed="available")


def to_image(run: Run, volume: str, name: str) -> str:
    """Create an image from a volume that is not attached, and return its id.

    :raises Bad: it does not become active.
    """
    body = {"image_name": name, "disk_format": "raw", "container_format": "bare"}
    path = f"/volumes/{volume}/action"
    said = rest(run.user.block_storage, "POST", path, json={"os-volume_upload_image": body}).json()
    image = said["os-volume_upload_image"]["image_id"]

    def ended():
        status = run.user.image.get_image(image).status
        return status if status in ("active", "killed", "deleted") else None

    state = poll(ended, run.options["boot_timeout"])
    if state != "active":
        raise Bad(f"the image is {state or 'not active'}", (image, volume))
    return image


class Copies:
    """Copies of a volume after data was written to it.

    :param run: with C(name), C(options) and connections to the run's project.
    :param made: the objects created by the first checks.
    :param services: the cloud's optional services.
    """

    def __init__(self, run: Run, made: dict, services: Collection[Service] = ()):
        self.run = run
        self.services = services
        self.guest = next((Guest(**one) for one in made["servers"] if one["network"] == TENANT), None)
        self.disks = made["disks"]
        self.balancer = made.get("balancer", {})
        self.volume = self.disks.get("volume")
        self.snapshot = None

    def checks(self) -> list[Check]:
        """Return the checks in the order of the table."""
        services, nodes = ("cinder", "nova", "ceph"), ("controller", "compute", "storage")

        def check(name, function, *needs, after=()):
            return Check(name, function, needs, after, services, nodes)

        return [
            check("volume detached", self.detached, "volume written"),
            # Cinder refuses snapshots of a volume during a backup.
            check("volume snapshot", self.snapped, "volume detached"),
            check("volume clone", self.cloned, "volume snapshot"),
            check("volume backup", self.backed_up, "volume detached", after=("volume snapshot",)),
            check("image from volume", self.uploaded, "volume detached", after=("volume clone", "volume backup")),
            *(check for service in self.services for check in service.copies(self)),
        ]

    def detached(self) -> str:
        """Detach the volume from the server."""
        self.run.user.compute.delete_volume_attachment(self.guest.id, self.volume)
        wait(self.run, "volume", self.volume, "available")
        return f"from {self.guest.name}"

    def made(self, **of) -> str:
        """Create a volume, wait for it, and return its id."""
        made = self.run.user.block_storage.create_volume(size=SIZE, **of)
        return wait(self.run, "volume", made.id, "available")["id"]

    def snapped(self) -> str:
        """Create a snapshot of the volume."""
        made = self.run.user.block_storage.create_snapshot(name=f"{self.run.name}-snapshot", volume_id=self.volume)
        self.snapshot = wait(self.run, "snapshot", made.id, "available")["id"]
        return f"of {SIZE} GiB"

    def cloned(self) -> str:
        """Create a volume from the snapshot, and extend it while it is attached."""
        block = self.run.user.block_storage
        clone = self.made(name=f"{self.run.name}-{CLONE}", snapshot_id=self.snapshot)
        attach(self.run, self.guest, clone)
        body = {"os-extend": {"new_size": LARGER}}
        headers = {"OpenStack-API-Version": "volume 3.42"}
        rest(block, "POST", f"/volumes/{clone}/action", json=body, headers=headers)
        wait(self.run, "volume", clone, "in-use")
        self.run.disks[CLONE] = clone
        return f"from the snapshot, attached to {self.guest.name}, extended to {LARGER} GiB there"

    def backed_up(self) -> str:
        """Create a backup, and restore it to another volume."""
        block, name = self.run.user.block_storage, self.run.name
        services = self.run.admin.block_storage.services()
        if not any(service.binary == "cinder-backup" and service.state == "up" for service in services):
            raise NotRun("no cinder-backup is up")
        backup = block.create_backup(name=f"{name}-backup", volume_id=self.volume)
        wait(self.run, "backup", backup.id, "available")
        restored = self.made(name=f"{name}-{RESTORED}")
        rest(block, "POST", f"/backups/{backup.id}/restore", json={"restore": {"volume_id": restored}})
        wait(self.run, "backup", backup.id, "available")
        wait(self.run, "volume", restored, "available")
        attach(self.run, self.guest, restored)
        self.run.disks[RESTORED] = restored
        return f"restored to another volume, attached to {self.guest.name}"

    def uploaded(self) -> str:
        """Create an image from the volume."""
        to_image(self.run, self.volume, f"{self.run.name}-of-volume")
        return "active"
