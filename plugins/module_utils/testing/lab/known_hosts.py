# Copyright (c) 2026 The Cairn authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The known_hosts file of a lab, always up to date."""

from __future__ import annotations

import os

from ansible_collections.cairn.openstack.plugins.module_utils.testing.lab.host import Host
from ansible_collections.cairn.openstack.plugins.module_utils.testing.lab.run import read, write
from ansible_collections.cairn.openstack.plugins.module_utils.testing.lab.store import record


def refresh(lab):
    """Rewrite it; return True if that changed it."""
    lines = []
    for name in lab.names():
        host = Host(lab, name)
        key = read(host.key(".pub")).split()
        if key and host.exists():
            lines.append(f"{record(host)['address']},{name} {key[0]} {key[1]}\n")
    if not os.path.isdir(lab.path("ssh")):
        return False
    return write(lab.path("ssh", "known_hosts"), "".join(lines))
