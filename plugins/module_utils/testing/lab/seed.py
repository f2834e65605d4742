# Copyright (c) 2026 The Cairn authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The individual files of a host, written to its upper tree only when it is created."""

from __future__ import annotations

import os
import shutil
import stat
import uuid

from ansible_collections.cairn.openstack.plugins.module_utils.testing.lab.run import read, run

DEVICES = ("/dev/kvm", "/dev/net/tun", "/dev/fuse", "/dev/vhost-net")


# Hosts share the computer's clock, which only one daemon may adjust.
CHRONY = "[Service]\nExecStart=\nExecStart=!/usr/sbin/chronyd -x $DAEMON_OPTS\n"
# Otherwise sshd would respond before users can log in.
SSH = "[Unit]\nAfter=systemd-user-sessions.service\n"


class Tree:
    """The upper tree of a host over its base."""

    def __init__(self, base, upper):
        self.base = base
        self.upper = upper

    def _parents(self, path):
        here = ""
        for part in path.strip("/").split("/")[:-1]:
            here = os.path.join(here, part)
            if not os.path.isdir(os.path.join(self.upper, here)):
                # A directory of the upper tree hides the owner and mode of the base's.
                below = os.path.join(self.base, here)
                os.mkdir(os.path.join(self.upper, here))
                if os.path.isdir(below):
                    shutil.copystat(below, os.path.join(self.upper, here))
                    os.chown(os.path.join(self.upper, here), os.stat(below).st_uid, os.stat(below).st_gid)

    def place(self, path, text, mode=0o644, owner=0, group=0):
        self._parents(path)
        target = os.path.join(self.upper, path.lstrip("/"))
        with open(target, "w", encoding="utf-8") as stream:
            stream.write(text)
        os.chmod(target, mode)
        os.chown(target, owner, group)


def interfaces(nics):
    """Return the file of ifupdown, as written by hand."""
    lines = ["source /etc/network/interfaces.d/*", "", "auto lo", "iface lo inet loopback"]
    for nic in nics:
        lines += ["", f"auto {nic.name}", f"iface {nic.name} inet {'static' if nic.address else 'manual'}"]
        lines += [f"    address {nic.address}"] if nic.address else []
        lines += [f"    gateway {nic.gateway}"] if nic.gateway else []
    return "\n".join(lines) + "\n"


def devices(paths=DEVICES):
    """Return lines of tmpfiles.d that create the host's own nodes for devices of this computer."""
    lines = []
    for path in paths:
        if os.path.exists(path):
            number = os.stat(path).st_rdev
            mode, group = ("0660", "kvm") if path == "/dev/kvm" else ("0666", "root")
            lines.append(f"c {path} {mode} root {group} - {os.major(number)}:{os.minor(number)}")
    return "\n".join(lines) + "\n"


def account(base, user):
    """Return the numbers of a user and its group in a base tree."""
    for line in read(os.path.join(base, "etc/passwd")).splitlines():
        fields = line.split(":")
        if fields[0] == user:
            return int(fields[2]), int(fields[3])
    raise KeyError(user)


def lab_key(lab):
    """Return the public key for all hosts, created with the first of them."""
    path = lab.path("ssh", "id_ed25519")
    if not os.path.exists(path):
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", f"{lab.prefix}-lab", "-f", path)
    return read(f"{path}.pub")


def host_key(host):
    """A recreated host keeps its ssh key as long as the lab exists."""
    if not os.path.exists(host.key()):
        os.makedirs(os.path.dirname(host.key()), mode=0o700, exist_ok=True)
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", f"root@{host.name}", "-f", host.key())
    return read(host.key()), read(host.key(".pub"))


def sow(host, base, upper, user):
    """Write all files that differ between hosts."""
    tree = Tree(base, upper)
    if os.path.isdir(base) and not os.listdir(upper):
        os.chmod(upper, stat.S_IMODE(os.stat(base).st_mode))
    private, public = host_key(host)
    owner, group = account(base, user)
    tree.place("/etc/hostname", f"{host.name}\n")
    # As written by Debian's installer: `hostname -f` must resolve.
    tree.place("/etc/hosts", f"127.0.0.1\tlocalhost\n127.0.1.1\t{host.name}\n")
    tree.place("/etc/machine-id", f"{uuid.uuid4().hex}\n", 0o444)
    tree.place("/etc/network/interfaces", interfaces(host.nics()))
    if host.emulated:
        tree.place("/etc/fstab", "/dev/vda / ext4 errors=remount-ro 0 1\n")
        tree.place("/etc/systemd/system/ssh.service.d/lab.conf", SSH)
        # open-iscsi creates one at its installation, which all hosts of a base would share.
        initiator = f"iqn.1993-08.org.debian:01:{uuid.uuid4().hex[:12]}"
        tree.place("/etc/iscsi/initiatorname.iscsi", f"InitiatorName={initiator}\n", 0o600)
    else:
        tree.place("/etc/tmpfiles.d/lab-devices.conf", devices())
        tree.place("/etc/systemd/system/chrony.service.d/lab.conf", CHRONY)
    tree.place("/etc/ssh/ssh_host_ed25519_key", private, 0o600)
    tree.place("/etc/ssh/ssh_host_ed25519_key.pub", public)
    tree.place(f"/home/{user}/.ssh/authorized_keys", lab_key(host.lab), 0o600, owner, group)
