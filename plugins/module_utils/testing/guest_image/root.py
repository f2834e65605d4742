# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The root file system: chosen files of the packages, the libraries they need, and our own files on top."""

from __future__ import annotations

import glob
import os
import re
import shutil
import stat

from ansible_collections.cairn.openstack.plugins.module_utils.testing.guest_image.run import BuildError, run

DIRECTORIES = (
    "dev",
    "etc/dropbear",
    "etc/ssl/certs",
    "home",
    "mnt",
    "proc",
    "root",
    "run",
    "sys",
    "tmp",
    "usr/bin",
    "usr/lib",
    "usr/lib64",
    "var/lib/cairn",
)
LINKS = {
    "bin": "usr/bin",
    "sbin": "usr/bin",
    "lib": "usr/lib",
    "lib64": "usr/lib64",
    "usr/sbin": "bin",
    "etc/mtab": "../proc/self/mounts",
    "etc/os-release": "../usr/lib/os-release",
    "etc/resolv.conf": "../run/resolv.conf",
    "var/run": "../run",
}
BUSYBOX = "/usr/bin/busybox"
LOADER = "/lib64/ld-linux-x86-64.so.2"
_LIBRARY = re.compile(r"(/\S+) \(0x")


def mode(path: str) -> int:
    """The mode of a file of ours: whether it can be run is all that a checkout keeps."""
    return 0o755 if os.stat(path).st_mode & stat.S_IXUSR else 0o644


def overlay(directory: str) -> list[tuple[str, str]]:
    """The files below a directory, as (path, path relative to it)."""
    paths = (os.path.join(where, name) for where, _directories, names in os.walk(directory) for name in names)
    return [(path, os.path.relpath(path, directory)) for path in paths]


def libraries(listing: str) -> list[str]:
    """The paths in what the dynamic loader lists, itself included."""
    return _LIBRARY.findall(listing)


def _is_dynamic(path: str) -> bool:
    """True for programs and libraries; the interpreter's scripts and data need nothing else."""
    with open(path, "rb") as stream:
        return stream.read(4) == b"\x7fELF"


def _copy(tree: str, path: str, target: str) -> None:
    """Copy one file of the unpacked packages to the same place, following links."""
    source = os.path.realpath(f"{tree}{path}")
    if not os.path.isfile(source):
        raise BuildError(f"no package provides {path}")
    destination = f"{target}{path}"
    os.makedirs(os.path.dirname(destination), exist_ok=True)
    shutil.copy2(source, destination)


def _copy_contents(tree: str, contents: list[str], target: str) -> None:
    """Copy files, and of programs the libraries that their own loader finds for them."""
    wanted = set(contents)
    for path in contents:
        _copy(tree, path, target)
        if _is_dynamic(f"{target}{path}"):
            wanted.update(libraries(run("chroot", tree, LOADER, "--list", path)))
    for path in wanted.difference(contents):
        _copy(tree, path, target)


def _install_busybox(tree: str, target: str) -> None:
    """Give each applet its name, unless the full program is there."""
    _copy(tree, BUSYBOX, target)
    for applet in run(f"{tree}{BUSYBOX}", "--list").split():
        link = f"{target}/usr/bin/{applet}"
        if not os.path.lexists(link):
            os.symlink("busybox", link)


def _trust(tree: str, target: str) -> None:
    """One file of the certificate authorities, which the unpacked package has yet to put together."""
    with open(f"{target}/etc/ssl/certs/ca-certificates.crt", "wb") as bundle:
        for path in sorted(glob.glob(f"{tree}/usr/share/ca-certificates/mozilla/*.crt")):
            with open(path, "rb") as certificate:
                bundle.write(certificate.read())


def make(tree: str, contents: list[str], files: str, target: str) -> None:
    """Make the directory that becomes the root file system."""
    for name in DIRECTORIES:
        os.makedirs(f"{target}/{name}")
    os.chmod(f"{target}/tmp", 0o1777)
    for name, points_to in LINKS.items():
        os.symlink(points_to, f"{target}/{name}")
    _copy_contents(tree, contents, target)
    _install_busybox(tree, target)
    _trust(tree, target)
    for path, name in overlay(f"{files}/root"):
        os.makedirs(os.path.dirname(f"{target}/{name}"), exist_ok=True)
        shutil.copyfile(path, f"{target}/{name}")
        os.chmod(f"{target}/{name}", mode(path))
