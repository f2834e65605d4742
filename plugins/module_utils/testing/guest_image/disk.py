# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The disk: partition table, boot partition and root partition, written into one file without mounting anything."""

from __future__ import annotations

import os

from ansible_collections.cairn.openstack.plugins.module_utils.testing.guest_image.run import BuildError, run

MIB = 1 << 20
SECTOR = 512
BOOT_START_MIB = 1
BOOT_CODE = "/usr/lib/syslinux/mbr/mbr.bin"


def boot_mib(files: list[str]) -> int:
    """The size of a boot partition for these files: what they hold, rounded up, and room for the boot loader."""
    return -(-sum(os.path.getsize(path) for path in files) // MIB) + 2


def partition_table(boot: int, size: int) -> str:
    """The partition table in sfdisk's words. All sizes are in MiB."""
    root_start = BOOT_START_MIB + boot
    return (
        "label: dos\n"
        f"start={BOOT_START_MIB}MiB, size={boot}MiB, type=c, bootable\n"
        f"start={root_start}MiB, size={size - root_start}MiB, type=83\n"
    )


def _write_root(raw: str, directory: str, start: int, size: int) -> None:
    """The root partition. Written first: mke2fs may discard what is around it."""
    if size <= 0:
        raise BuildError(f"the disk is {-size} MiB too small for its boot partition")
    run(
        "mke2fs",
        "-q",
        "-F",
        "-t",
        "ext4",
        "-L",
        "cairn-root",
        "-b",
        "4096",
        "-i",
        "8192",
        "-m",
        "1",
        "-E",
        f"offset={start * MIB},root_owner=0:0",
        "-d",
        directory,
        raw,
        f"{size}M",
    )


def _write_boot(raw: str, files: list[str], size: int) -> None:
    """The boot partition. Its header must say where it lies, or the boot loader does not find itself."""
    partition = f"{raw}@@{BOOT_START_MIB}M"
    hidden = BOOT_START_MIB * MIB // SECTOR
    run("mformat", "-i", partition, "-h", "255", "-s", "63", "-H", str(hidden), "-T", str(size * MIB // SECTOR), "::")
    run("mcopy", "-i", partition, *files, "::")
    run("syslinux", "--install", "--offset", str(BOOT_START_MIB * MIB), raw)


def _write_boot_code(raw: str) -> None:
    """The first sector's program, which starts the bootable partition."""
    with open(BOOT_CODE, "rb") as source, open(raw, "r+b") as target:
        target.write(source.read(440))


def make(boot_files: list[str], root: str, size: int, work: str) -> str:
    """Make a disk of *size* MiB from the boot partition's files and the root's directory, and compress it."""
    raw, image = f"{work}/disk.raw", f"{work}/disk.qcow2"
    boot = boot_mib(boot_files)
    with open(raw, "wb") as stream:
        stream.truncate(size * MIB)
    _write_root(raw, root, BOOT_START_MIB + boot, size - BOOT_START_MIB - boot)
    run("sfdisk", "--quiet", "--no-tell-kernel", "--no-reread", raw, stdin=partition_table(boot, size))
    _write_boot_code(raw)
    _write_boot(raw, boot_files, boot)
    run("qemu-img", "convert", "-c", "-W", "-m", "4", "-f", "raw", "-O", "qcow2", raw, image)
    return image
