# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images, as an ordinary user has them."""

from __future__ import annotations

import secrets

from ansible_collections.cairn.openstack.plugins.module_utils.sdk import rest
from ansible_collections.cairn.openstack.plugins.module_utils.verify.checks import Bad, poll
from ansible_collections.cairn.openstack.plugins.module_utils.verify.run import TENANT, Run

SAMPLE_BYTES = 256 * 1024
BINARY = {"Content-Type": "application/octet-stream", "Accept": ""}


def upload(run: Run, name: str, data, disk_format: str) -> str:
    """Make a private image as the user and return its id.

    :param data: bytes, or an open file.
    """
    image = run.user.image
    body = {"name": name, "disk_format": disk_format, "container_format": "bare", "visibility": "private"}
    body.update({key: str(value) for key, value in run.options["image_properties"].items()})
    made = rest(image, "POST", "/images", json=body).json()["id"]
    rest(image, "PUT", f"/images/{made}/file", data=data, headers=BINARY)
    return made


def round_trip(run: Run) -> str:
    """Upload random bytes and read the same again."""
    sample = secrets.token_bytes(SAMPLE_BYTES)
    made = upload(run, f"{run.name}-sample", sample, "raw")
    back = rest(run.user.image, "GET", f"/images/{made}/file", headers={"Accept": ""}).content
    if back != sample:
        raise Bad(f"{len(sample)} bytes were sent, and {len(back)} others came back", (made,))
    rest(run.user.image, "DELETE", f"/images/{made}")
    return f"{SAMPLE_BYTES // 1024} KiB sent and read back"


def guest(run: Run) -> str:
    """Find the guest's image, or upload it."""
    name, file = run.options["image"], run.options["image_file"]
    found = [image for image in run.user.image.images(name=name) if image.status == "active"]
    if found:
        run.image = found[0].id
        return f"{name}, {found[0].size / 2**20:.0f} MiB"
    if not file:
        raise Bad(f"there is no image {name}: playbooks/resources.yml uploads it once it was built or fetched")
    with open(file, "rb") as data:
        run.image = upload(run, f"{run.name}-image", data, "qcow2")
    return f"{name} uploaded"


def snapshot(run: Run) -> str:
    """Make an image of the first machine."""
    machine = run.on(TENANT)[0]
    made = run.user.compute.create_server_image(machine.id, f"{run.name}-snapshot", wait=False)
    seconds = run.options["boot_timeout"]
    state = poll(lambda: _ended(run.user.image.get_image(made.id)), seconds)
    if state != "active":
        raise Bad(f"the snapshot is not active after {seconds} s", (machine.id, made.id), (machine.host,))
    return "active"


def _ended(image) -> str:
    return image.status if image.status not in ("queued", "saving") else ""
