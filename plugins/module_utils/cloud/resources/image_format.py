# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The format of an image's file, by its first bytes, beside the declared one.

Glance (image_format/require_image_format_match) refuses other mismatches after the upload, but takes whatever is
declared raw: Nova then writes a qcow2 file to the server's disk as it is, and the server does not boot.
"""

from __future__ import annotations

import os

# Format as in Glance's disk_format: offset, and the bytes there. The formats' own specifications name them.
MAGIC = (
    ("qcow2", 0, b"QFI\xfb"),
    ("vmdk", 0, b"KDMV"),
    ("vmdk", 0, b"COWD"),
    ("vmdk", 0, b"# Disk DescriptorFile"),
    ("vdi", 0x40, b"\x7f\x10\xda\xbe"),
    ("vhdx", 0, b"vhdxfile"),
    ("vhd", 0, b"conectix"),
    ("iso", 0x8001, b"CD001"),
)
# The footer of a VHD of fixed size; one that grows has a copy of it at the start.
FOOTER = 512
COMPRESSED = (
    ("gzip", b"\x1f\x8b\x08"),
    ("xz", b"\xfd7zXZ\0"),
    ("zstd", b"\x28\xb5\x2f\xfd"),
    ("bzip2", b"BZh"),
    ("zip", b"PK\x03\x04"),
)
# What an image of a hybrid ISO has as well, so that it also boots as a disk: the mark of a partition table.
BOOTABLE = (510, b"\x55\xaa")
JUDGED = {"raw", *(name for name, _offset, _bytes in MAGIC)}


def found(path: str) -> str:
    """Return the format of a file as in disk_format, ``NAME-compressed``, or ``empty``.

    :raises OSError: the file can't be read.
    """
    with open(path, "rb") as file:

        def at(offset: int, magic: bytes) -> bool:
            file.seek(offset)
            return file.read(len(magic)) == magic

        size = file.seek(0, os.SEEK_END)
        if not size:
            return "empty"
        for name, offset, magic in MAGIC:
            if at(offset, magic):
                return name
        for name, magic in COMPRESSED:
            if at(0, magic):
                return f"{name}-compressed"
        return "vhd" if size >= FOOTER and at(size - FOOTER, b"conectix") else "raw"


def _also_disk(path: str) -> bool:
    """Whether an ISO image is a disk as well."""
    offset, mark = BOOTABLE
    with open(path, "rb") as file:
        file.seek(offset)
        return file.read(len(mark)) == mark


def mismatch(path: str, declared: str, container: str = "bare") -> str:
    """Return what is wrong with the declared format of a file and what to do, empty if nothing is.

    :param declared: disk_format.
    :param container: container_format; only ``bare`` files are an image themselves.
    :raises OSError: the file can't be read.
    """
    if container != "bare" or declared not in JUDGED:
        return ""
    actual = found(path)
    if actual == declared or (declared == "raw" and actual == "iso" and _also_disk(path)):
        return ""
    said = f"declared as {declared}, but its content is {actual}"
    if actual == "empty":
        return f"{said}: download or build it again"
    if actual.endswith("-compressed"):
        return f"{said}: decompress it first"
    other = f"set disk_format: {actual}"
    if actual == "raw":
        return f"{said}, or no format that can be recognized: {other} if it is a disk, or download it again"
    if actual == "iso":
        return f"{said}: {other}"
    return f"{said}: {other}, or convert it: qemu-img convert -O {declared if declared != 'vhd' else 'vpc'}"
