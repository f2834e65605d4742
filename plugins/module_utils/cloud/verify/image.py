# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images, as used by an unprivileged user."""

from __future__ import annotations

import secrets
import struct

from ansible_collections.cairn.openstack.plugins.module_utils.cloud.sdk import rest
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify.checks import Bad, poll
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify.run import TENANT, Run

SAMPLE_BYTES = 256 * 1024
CLUSTER = 1 << 16
MIB = 1 << 20
BINARY = {"Content-Type": "application/octet-stream", "Accept": ""}


def upload(run: Run, name: str, data, disk_format: str, way: str = "file", properties: dict | None = None) -> str:
    """Create a private image as the user and return its id.

    :param data: bytes, or an open file.
    :param way: C(file), or C(stage) for a later import.
    :param properties: of the image, besides those that all have.
    """
    image = run.user.image
    body = {"name": name, "disk_format": disk_format, "container_format": "bare", "visibility": "private"}
    body.update({key: str(value) for key, value in run.options["image_properties"].items()})
    body.update(properties or {})
    made = rest(image, "POST", "/images", json=body).json()["id"]
    rest(image, "PUT", f"/images/{made}/{way}", data=data, headers=BINARY)
    return made


def round_trip(run: Run) -> str:
    """Upload random bytes and read them back."""
    sample = secrets.token_bytes(SAMPLE_BYTES)
    made = upload(run, f"{run.name}-sample", sample, "raw")
    _read_back(run, made, sample)
    return f"{SAMPLE_BYTES // 1024} KiB sent and read back"


def imported(run: Run) -> str:
    """Stage and import a qcow2 image, and read it back: unchanged, or converted to raw."""
    content = secrets.token_bytes(CLUSTER)
    sample = qcow2(content)
    made = upload(run, f"{run.name}-import", sample, "qcow2", "stage")
    rest(run.user.image, "POST", f"/images/{made}/import", json={"method": {"name": "glance-direct"}})
    seconds = run.options["api_timeout"]
    image = poll(lambda: _imported(run.user.image.get_image(made)), seconds)
    if not image or image.status != "active":
        raise Bad(f"the image is not active after {seconds} s", (made,))
    raw = image.disk_format == "raw"
    _read_back(run, made, content + bytes(MIB - CLUSTER) if raw else sample)
    return f"qcow2 staged, {'made raw, ' if raw else ''}read back"


def _imported(image):
    """Return an image whose import has ended."""
    return image if image.status in ("active", "killed", "queued") else None


def qcow2(content: bytes) -> bytes:
    """Return a qcow2 image of 1 MiB that starts with a cluster of *content*: header, refcounts, tables and data."""
    counts, block, first, second, data = (number * CLUSTER for number in range(1, 6))
    owned = 1 << 63
    header = struct.pack(">4sIQIIQIIQQIIQ", b"QFI\xfb", 2, 0, 0, 16, MIB, 0, 1, first, counts, 1, 0, 0)
    clusters = (
        header,
        struct.pack(">Q", block),
        struct.pack(">6H", *[1] * 6),
        struct.pack(">Q", second | owned),
        struct.pack(">Q", data | owned),
        content,
    )
    return b"".join(cluster.ljust(CLUSTER, b"\0") for cluster in clusters)


def _read_back(run: Run, made: str, wanted: bytes) -> None:
    """Read an image and remove it; fail unless the data is *wanted*."""
    back = rest(run.user.image, "GET", f"/images/{made}/file", headers={"Accept": ""}).content
    if back != wanted:
        raise Bad(f"sent {len(wanted)} bytes, read {len(back)} different ones", (made,))
    rest(run.user.image, "DELETE", f"/images/{made}")


def guest(run: Run) -> str:
    """Find the image of the servers, or upload it."""
    name, file = run.options["image"], run.options["image_file"]
    found = [image for image in run.user.image.images(name=name) if image.status == "active"]
    if found:
        run.image = found[0].id
        return f"{name}, {found[0].size / 2**20:.0f} MiB"
    if not file:
        raise Bad(f"there is no image {name}: build or download it, then playbooks/resources.yml uploads it")
    with open(file, "rb") as data:
        run.image = upload(run, f"{run.name}-image", data, "qcow2")
    return f"{name} uploaded"


def snapshot(run: Run) -> str:
    """Create a snapshot image of the first server."""
    guest = run.on(TENANT)[0]
    made = run.user.compute.create_server_image(guest.id, f"{run.name}-snapshot", wait=False)
    seconds = run.options["boot_timeout"]
    state = poll(lambda: _ended(run.user.image.get_image(made.id)), seconds)
    if state != "active":
        raise Bad(f"the snapshot is not active after {seconds} s", (guest.id, made.id), (guest.host,))
    return "active"


def _ended(image) -> str:
    return image.status if image.status not in ("queued", "saving") else ""
