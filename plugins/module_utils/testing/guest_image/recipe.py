# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What an image is made of, and whether the one on disk is made of just that."""

from __future__ import annotations

import dataclasses
import hashlib
import inspect
import json
import os

from ansible_collections.cairn.openstack.plugins.module_utils.testing.guest_image import disk, kernel, root


@dataclasses.dataclass(frozen=True)
class Recipe:
    """Everything that decides what ends up in the image."""

    files: str
    suite: str
    packages: list[str]
    contents: list[str]
    modules: list[str]
    size_mib: int

    def digest(self) -> str:
        """A fingerprint of the settings, the files that are added, and the code that puts them together."""
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
    """Beside each image lies a note on what it was made from."""
    return f"{image}.json"


def checksum(path: str) -> str:
    """The SHA-256 of a file."""
    total = hashlib.sha256()
    with open(path, "rb") as stream:
        while block := stream.read(1 << 20):
            total.update(block)
    return total.hexdigest()


def record(image: str, digest: str) -> None:
    """Note what an image was made from. Written last: an image without its note is built again."""
    with open(f"{record_path(image)}.new", "w", encoding="utf-8") as stream:
        json.dump({"recipe": digest, "sha256": checksum(image)}, stream, indent=2)
        stream.write("\n")
    os.replace(f"{record_path(image)}.new", record_path(image))


def reason_to_build(image: str, digest: str) -> str:
    """Why the image has to be built, or nothing when it is as the recipe says."""
    if not os.path.exists(image):
        return "there is no image yet"
    try:
        with open(record_path(image), encoding="utf-8") as stream:
            known = json.load(stream)
    except (FileNotFoundError, ValueError):
        return "nothing says what the image was made from"
    if known.get("sha256") != checksum(image):
        return "the image is not the one that was built here"
    if known.get("recipe") != digest:
        return "the recipe changed"
    return ""
