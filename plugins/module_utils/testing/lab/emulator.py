# Copyright (c) 2026 The Cairn authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The process of an emulated host."""

from __future__ import annotations

import json
import socket

from ansible_collections.cairn.openstack.plugins.module_utils.testing.lab import process
from ansible_collections.cairn.openstack.plugins.module_utils.testing.lab.run import LabError


def pid(host):
    """The emulator's pid, or None."""
    path = host.path("qemu.pid")
    return process.from_pid_file(path, path)


def press(host):
    """Send the power button event."""
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(10)
            connection.connect(host.path("qmp"))
            with connection.makefile("rw", encoding="utf-8") as stream:
                stream.readline()  # its greeting
                for command in ("qmp_capabilities", "system_powerdown"):
                    stream.write(json.dumps({"execute": command}) + "\n")
                    stream.flush()
                    # Events may precede the response.
                    while not {"return", "error"} & json.loads(stream.readline()).keys():
                        pass
    except (OSError, ValueError) as error:
        raise LabError(f"{host.name}: its emulator does not accept the power button event: {error}") from error
