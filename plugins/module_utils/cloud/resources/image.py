# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images of the admin project, from a file or a URL."""

from __future__ import annotations

import os
import shutil

from ansible.module_utils.urls import open_url
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.resources.image_format import mismatch
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.resources.kind import Kind, part, texts
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.sdk import rest
from ansible_collections.cairn.openstack.plugins.module_utils.common.changes import Failed

# Length of a shortened digest, sufficient to distinguish images.
DIGEST = 16
# A change of one of these needs a new upload, as the data of an image cannot be changed.
DATA = ("sha512", "status")
# The fields of all images; the others are properties.
FIELDS = ("visibility", "min_disk", "min_ram")
DOWNLOAD_TIMEOUT = 60


class Image(Kind):
    """An image. If its file has changed, a new image is created, and the old one is renamed and hidden."""

    name = "image"

    def __init__(self, cloud):
        super().__init__(cloud)
        # Files of the control node that planned changes upload.
        self.files: list[str] = []

    def found(self):
        path = f"/images?limit=500&owner={self.cloud.conn.current_project_id}"
        while path:
            page = rest(self.cloud.conn.image, "GET", path).json()
            for image in page["images"]:
                yield image["name"], image
            path = page.get("next", "")[len("/v2") :]

    def facts(self, thing):
        return {
            "sha512": (thing.get("os_hash_value") or "")[:DIGEST],
            "status": thing["status"],
            **{field: thing[field] for field in FIELDS},
            "properties": texts({name: value for name, value in thing.items() if name not in FIELDS}),
        }

    def wanted(self, item):
        return {
            "sha512": item["sha512"] and item["sha512"][:DIGEST],
            "status": "active",
            **{field: item[field] for field in FIELDS},
            "properties": texts(item["properties"]),
        }

    def creation(self, item, fields):
        self.files += [item["file"]] if item["file"] else []
        return super().creation(item, fields)

    def renewal(self, key, fields, item):
        if any(field in fields for field in DATA):
            self.files += [item["file"]] if item["file"] else []
        return super().renewal(key, fields, item)

    def create(self, item, fields):
        image = self.cloud.conn.image
        with self.data(item) as data:
            body = {
                "name": item["name"],
                "disk_format": item["disk_format"],
                "container_format": item["container_format"],
                **{field: fields[field] for field in FIELDS if field in fields},
                **{name: value for name, value in part(fields, "properties").items() if value is not None},
            }
            made = rest(image, "POST", "/images", json=body).json()
            try:
                rest(
                    image,
                    "PUT",
                    f"/images/{made['id']}/file",
                    data=data,
                    headers={"Content-Type": "application/octet-stream", "Accept": ""},
                )
                made = rest(image, "GET", f"/images/{made['id']}").json()
                digest = made.get("os_hash_value") or ""
                if made["status"] != "active" or (item["sha512"] and digest != item["sha512"]):
                    raise Failed(f"after the upload its status is {made['status']}, its sha512 {digest[:DIGEST]}")
            except BaseException:
                rest(image, "DELETE", f"/images/{made['id']}")
                raise
        return made

    def update(self, thing, fields, item):
        if any(field in fields for field in DATA):
            declared = {name: value for name, value in self.declared(item).items() if value is not None}
            self.existing[item["name"]] = self.create(item, declared)
            self.retire(thing)
            return
        values = {field: fields[field] for field in FIELDS if field in fields}
        values.update(part(fields, "properties"))
        self.patch(thing, values)

    def retire(self, thing):
        """Rename and hide a replaced image."""
        if thing["status"] == "active":
            self.patch(thing, {"name": f"{thing['name']} {thing['id'][:8]}", "os_hidden": True})
        else:
            self.delete(thing)

    def patch(self, thing, values):
        """Set fields and properties; None removes a property."""
        steps = []
        for name, value in values.items():
            path = "/" + name.replace("~", "~0").replace("/", "~1")
            if value is None:
                steps.append({"op": "remove", "path": path})
            else:
                steps.append({"op": "replace" if name in thing else "add", "path": path, "value": value})
        content_type = {"Content-Type": "application/openstack-images-v2.1-json-patch"}
        rest(self.cloud.conn.image, "PATCH", f"/images/{thing['id']}", json=steps, headers=content_type)

    def delete(self, thing):
        rest(self.cloud.conn.image, "DELETE", f"/images/{thing['id']}")

    def data(self, item):
        """Return the content of the image as an open file.

        :raises Failed: there is no content, or it is of another format than declared.
        """
        if item["file"]:
            path = self.cloud.params["staged"].get(item["file"], item["file"])
            if not os.path.exists(path):
                raise Failed(f"there is no file {path}")
            return open(path, "rb")
        if not item["url"]:
            raise Failed("it does not exist, and neither a file nor a URL is given")
        path = os.path.join(self.cloud.tmpdir, "image")
        try:
            with open_url(item["url"], timeout=DOWNLOAD_TIMEOUT) as source, open(path, "wb") as target:
                shutil.copyfileobj(source, target)
        except OSError as error:
            raise Failed(f"cannot download {item['url']}: {error}") from error
        if why := mismatch(path, item["disk_format"], item["container_format"]):
            raise Failed(f"{item['url']} is {why}")
        return open(path, "rb")
