# Copyright (c) 2026 The Cairn authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The base tree of all hosts: a small Debian, named by the digest of its recipe."""

from __future__ import annotations

import hashlib
import json
import os

from ansible_collections.cairn.openstack.plugins.module_utils.testing.lab import process
from ansible_collections.cairn.openstack.plugins.module_utils.testing.lab.run import run

# Prefix of the names of trees for emulated hosts.
EMULATED = "emulated-"

# Script that mmdebstrap runs in the finished tree, $1.
CUSTOMIZE = r"""
set -eu
chroot "$1" useradd --create-home --shell /bin/bash --uid 1000 "$LAB_USER"
install -d -m 0700 -o 1000 -g 1000 "$1/home/$LAB_USER/.ssh"
printf '%s ALL=(ALL) NOPASSWD: ALL\n' "$LAB_USER" >"$1/etc/sudoers.d/$LAB_USER"
chmod 0440 "$1/etc/sudoers.d/$LAB_USER"
# Each host gets its own.
rm -f "$1"/etc/ssh/ssh_host_* "$1/var/lib/dbus/machine-id" "$1/var/lib/systemd/random-seed"
printf 'LANG=C.UTF-8\n' >"$1/etc/default/locale"
# There is no name server in the lab.
rm -f "$1/etc/resolv.conf"
: >"$1/etc/resolv.conf"
"""
# Script that it runs before the kernel of an emulated host is installed.
EMULATION = r"""
set -eu
mkdir -p "$1/etc/initramfs-tools/conf.d" "$1/usr/share/initramfs-tools/modules.d"
# Only the driver of the disk: a small initramfs is unpacked faster.
echo MODULES=list >"$1/etc/initramfs-tools/conf.d/lab"
echo virtio_blk >"$1/usr/share/initramfs-tools/modules.d/lab"
# The usual time slice of 1.4 ms is too short for the emulator.
mkdir -p "$1/etc/tmpfiles.d"
echo "w /sys/kernel/debug/sched/base_slice_ns - - - - 100000000" >"$1/etc/tmpfiles.d/lab.conf"
"""


def recipe(suite, packages, proxy, user, emulated):
    """Return everything that determines the tree."""
    made_of = {"suite": suite, "packages": sorted(packages), "proxy": proxy, "user": user, "customize": CUSTOMIZE}
    return {**made_of, "essential": EMULATION} if emulated else made_of


def path(lab, made_of):
    digest = hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()[:12]
    return lab.path("base", f"{EMULATED if 'essential' in made_of else ''}{made_of['suite']}-{digest}")


def _remove(tree):
    run("rm", "-rf", "--one-file-system", tree, timeout=600)


def build(lab, made_of):
    """Build the tree in a temporary place, so that a tree in its place is complete."""
    target = path(lab, made_of)
    os.makedirs(lab.path("base"), exist_ok=True)
    partial = f"{target}.partial"
    _remove(partial)
    # Its own namespaces: its mounts and processes end with it. The shell writes its pid, so that a build of a
    # killed Ansible run can be found.
    command = [
        "sh",
        "-c",
        'echo $$ >"$1.pid"; shift; exec "$@"',
        "sh",
        partial,
        "unshare",
        "--mount",
        "--propagation",
        "private",
        "--pid",
        "--fork",
        "--kill-child",
        "--mount-proc",
        "mmdebstrap",
        "--mode=root",
        "--variant=minbase",
        "--format=directory",
        f"--include={','.join(made_of['packages'])}",
        # Both remain in the tree: the proxy as in a site's own image, the other for speed.
        f'--aptopt=Acquire::http::Proxy "{made_of["proxy"]}"',
        "--dpkgopt=force-unsafe-io",
        *(f"--{when}-hook={made_of[when]}" for when in ("essential", "customize") if when in made_of),
        made_of["suite"],
        partial,
    ]
    run(*command, timeout=1800, env={**os.environ, "LAB_USER": made_of["user"]})
    os.rename(partial, target)
    os.unlink(f"{partial}.pid")
    return target


def broken(lab):
    """Return incomplete trees, and running builds."""
    top = lab.path("base")
    names = sorted(os.listdir(top)) if os.path.isdir(top) else []
    trees = [os.path.join(top, name) for name in names if name.endswith(".partial")]
    files = [os.path.join(top, name) for name in names if name.endswith(".partial.pid")]
    return trees, files


def stop(trees, files):
    """Stop builds, and remove their trees."""
    for path in files:
        pid = process.from_pid_file(path, path.removesuffix(".pid"))
        if pid is not None:
            process.end([pid], grace=0)
        os.unlink(path)
    prune(trees)


def unused(lab, keep):
    """Return unused trees of the same kind: of other recipes and failed builds."""
    top = lab.path("base")
    if not os.path.isdir(top):
        return []
    used = {*lab.bases(), keep}
    emulated = os.path.basename(keep).startswith(EMULATED)
    names = [name for name in os.listdir(top) if name.startswith(EMULATED) == emulated]
    return sorted(os.path.join(top, name) for name in names if os.path.join(top, name) not in used)


def prune(trees):
    for tree in trees:
        _remove(tree)
