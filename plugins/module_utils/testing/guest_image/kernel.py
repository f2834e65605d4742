# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The kernel, and the small first file system with the drivers that it needs to find its root."""

from __future__ import annotations

import glob
import gzip
import lzma
import os
import re
import stat
from collections.abc import Callable

from ansible_collections.cairn.openstack.plugins.module_utils.testing.guest_image.root import BUSYBOX
from ansible_collections.cairn.openstack.plugins.module_utils.testing.guest_image.run import BuildError

_DEPENDS = re.compile(rb"(?:^|\0)depends=([^\0]*)\0")


def depends(module: bytes) -> list[str]:
    """The modules that a module says must be loaded before it."""
    found = _DEPENDS.search(module)
    return [name.decode() for name in found.group(1).split(b",") if name] if found else []


def load_order(wanted: list[str], read: Callable[[str], bytes | None]) -> dict[str, bytes]:
    """The wanted modules and all that they depend on, each after what it depends on.

    *read* gives a module's bytes, or nothing for one that is built into the kernel.
    """
    ordered: dict[str, bytes] = {}

    def add(name: str) -> None:
        if name in ordered:
            return
        data = read(name)
        if data is not None:
            for other in depends(data):
                add(other.replace("-", "_"))
            ordered[name] = data

    for name in wanted:
        add(name)
    return ordered


def _reader(directory: str) -> Callable[[str], bytes | None]:
    """A function that reads modules by name from a kernel's directory."""
    paths = {}
    for path in glob.iglob(f"{directory}/kernel/**/*.ko*", recursive=True):
        paths[os.path.basename(path).split(".ko")[0].replace("-", "_")] = path
    with open(f"{directory}/modules.builtin", encoding="utf-8") as stream:
        builtin = {os.path.basename(line.strip())[:-3].replace("-", "_") for line in stream}

    def read(name: str) -> bytes | None:
        if name in paths:
            with open(paths[name], "rb") as stream:
                data = stream.read()
            return lzma.decompress(data) if paths[name].endswith(".xz") else data
        if name in builtin:
            return None
        raise BuildError(f"the kernel has no module {name}")

    return read


def archive(entries: dict[str, tuple[int, bytes]]) -> bytes:
    """A cpio archive, in the form that the kernel unpacks, of path: (mode, content)."""
    parts = []

    def pad() -> None:
        parts.append(b"\0" * (-sum(map(len, parts[-2:])) % 4))

    for inode, (name, (mode, data)) in enumerate({**entries, "TRAILER!!!": (0, b"")}.items()):
        fields = (inode, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0)
        parts += [b"070701" + b"".join(b"%08X" % field for field in fields), name.encode() + b"\0"]
        pad()
        parts += [b"", data]
        pad()
    return b"".join(parts)


def vmlinuz(tree: str) -> str:
    """The one kernel that was unpacked."""
    found = glob.glob(f"{tree}/boot/vmlinuz-*")
    if len(found) != 1:
        raise BuildError(f"expected one kernel among the packages, found {len(found)}")
    return found[0]


def initramfs(tree: str, modules: list[str], files: str) -> bytes:
    """The first file system: busybox, the drivers numbered in the order of loading, and a short init."""
    version = os.path.basename(vmlinuz(tree)).removeprefix("vmlinuz-")
    entries: dict[str, tuple[int, bytes]] = dict.fromkeys(
        ("bin", "dev", "modules", "proc", "root", "sys"), (stat.S_IFDIR | 0o755, b"")
    )
    entries["bin/sh"] = (stat.S_IFLNK | 0o777, b"busybox")
    for name, path in (("bin/busybox", f"{tree}{BUSYBOX}"), ("init", f"{files}/initramfs/init")):
        with open(path, "rb") as stream:
            entries[name] = (stat.S_IFREG | 0o755, stream.read())
    order = load_order([name.replace("-", "_") for name in modules], _reader(f"{tree}/usr/lib/modules/{version}"))
    for number, (name, data) in enumerate(order.items()):
        entries[f"modules/{number:02}-{name}.ko"] = (stat.S_IFREG | 0o644, data)
    return gzip.compress(archive(entries), mtime=0)
