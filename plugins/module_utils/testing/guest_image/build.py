# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From packages to a disk image, in a directory that is gone afterwards."""

from __future__ import annotations

import os
import tempfile
import time

from ansible_collections.cairn.openstack.plugins.module_utils.testing.guest_image import disk, kernel, packages, root
from ansible_collections.cairn.openstack.plugins.module_utils.testing.guest_image.recipe import Recipe, record


class Stopwatch:
    """How long each step took."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.monotonic()

    def lap(self, name: str) -> None:
        """Name the step that has just ended."""
        now = time.monotonic()
        self.seconds[name] = round(now - self._last, 1)
        self._last = now


def _boot_files(tree: str, recipe: Recipe, work: str) -> list[str]:
    """The files of the boot partition, under the names that the boot loader's configuration gives them."""
    os.symlink(kernel.vmlinuz(tree), f"{work}/vmlinuz")
    with open(f"{work}/initramfs", "wb") as stream:
        stream.write(kernel.initramfs(tree, recipe.modules, recipe.files))
    return [f"{work}/vmlinuz", f"{work}/initramfs", f"{recipe.files}/boot/syslinux.cfg"]


def build(image: str, recipe: Recipe, proxy: str) -> dict[str, float]:
    """Build the image and put it in place whole."""
    watch = Stopwatch()
    os.makedirs(os.path.dirname(image), mode=0o755, exist_ok=True)
    # Beside the image, so that it can be moved into place at once, and because /tmp may be small.
    with tempfile.TemporaryDirectory(prefix=".guest-image-", dir=os.path.dirname(image)) as work:
        os.chmod(work, 0o755)  # apt fetches as a user of its own
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
