# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Builds a disk image from packages, in a temporary directory."""

from __future__ import annotations

import os
import tempfile
import time

from ansible_collections.cairn.openstack.plugins.module_utils.testing.guest_image import disk, kernel, packages, root
from ansible_collections.cairn.openstack.plugins.module_utils.testing.guest_image.recipe import Recipe, record


class Stopwatch:
    """The duration of each step."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.monotonic()

    def lap(self, name: str) -> None:
        """Record the end of a step."""
        now = time.monotonic()
        self.seconds[name] = round(now - self._last, 1)
        self._last = now


def _boot_files(tree: str, recipe: Recipe, work: str) -> list[str]:
    """Return the files of the boot partition, by their names in the boot loader's configuration."""
    os.symlink(kernel.vmlinuz(tree), f"{work}/vmlinuz")
    with open(f"{work}/initramfs", "wb") as stream:
        stream.write(kernel.initramfs(tree, recipe.modules, recipe.files))
    return [f"{work}/vmlinuz", f"{work}/initramfs", f"{recipe.files}/boot/syslinux.cfg"]


def build(image: str, recipe: Recipe, proxy: str) -> dict[str, float]:
    """Build the image and install it atomically."""
    watch = Stopwatch()
    os.umask(0o022)  # files of the image are read by other users than root
    os.makedirs(os.path.dirname(image), mode=0o755, exist_ok=True)
    # In the directory of the image, so that it can be renamed, and because /tmp may be small.
    with tempfile.TemporaryDirectory(prefix=".guest-image-", dir=os.path.dirname(image)) as work:
        os.chmod(work, 0o755)  # apt downloads as its own user
        tree, target = f"{work}/packages", f"{work}/root"
        packages.unpack(tree, recipe.suite, recipe.packages, proxy)
        watch.lap("packages")
        root.make(tree, recipe.contents, recipe.files, target)
        watch.lap("root")
        boot_files = _boot_files(tree, recipe, work)
        watch.lap("boot")
        os.replace(disk.make(boot_files, target, recipe.size_mib, work), image)
        record(image, recipe.digest())
        watch.lap("disk")
    return watch.seconds
