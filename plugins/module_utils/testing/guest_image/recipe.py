# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The recipe of an image, and whether the existing image was built from it."""

from __future__ import annotations

import dataclasses
import hashlib
import inspect
import json
import os

from ansible_collections.cairn.openstack.plugins.module_utils.testing.guest_image import disk, kernel, root


@dataclasses.dataclass(frozen=True)
class Recipe:
    """Everything that determines the content of the image."""

    files: str
    suite: str
    packages: list[str]
    contents: list[str]
    modules: list[str]
    size_mib: int

    def digest(self) -> str:
        """A fingerprint of the settings, the added files, and the code of the build."""
        settings = {**dataclasses.asdict(self), "files": None}
        total = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
        for builder in (disk, kernel, root):
            total.update(inspect.getsource(builder).encode())
        for path, name in sorted(root.overlay(self.files)):
            total.update(f"{name}\0{root.mode(path):o}\0".encode())
            with open(path, "rb") as stream:
                total.update(hashlib.sha256(stream.read()).digest())
        return total.hexdigest()


def record_path(image: str) -> str:
    """Return the path of the record of the recipe, next to the image."""
    return f"{image}.json"


def checksum(path: str) -> str:
    """The SHA-256 of a file."""
    total = hashlib.sha256()
    with open(path, "rb") as stream:
        while block := stream.read(1 << 20):
            total.update(block)
    return total.hexdigest()


def record(image: str, digest: str) -> None:
    """Record the recipe of an image. Written last: an image without a record is rebuilt."""
    with open(f"{record_path(image)}.new", "w", encoding="utf-8") as stream:
        json.dump({"recipe": digest, "sha256": checksum(image)}, stream, indent=2)
        stream.write("\n")
    os.replace(f"{record_path(image)}.new", record_path(image))


def reason_to_build(image: str, digest: str) -> str:
    """Return why the image must be built, empty if it matches the recipe."""
    if not os.path.exists(image):
        return "there is no image yet"
    try:
        with open(record_path(image), encoding="utf-8") as stream:
            known = json.load(stream)
    except (FileNotFoundError, ValueError):
        return "there is no record of the image's recipe"
    if known.get("sha256") != checksum(image):
        return "the image is not the one that was built"
    if known.get("recipe") != digest:
        return "the recipe changed"
    return ""
