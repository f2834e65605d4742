# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands to the monitors of a cluster through librados: a command is a dictionary, and needs no process."""

from __future__ import annotations

import json
from typing import Any

from ansible_collections.cairn.openstack.plugins.module_utils.common.changes import Failed, Unreachable

try:
    import rados
except ImportError:  # installed with the packages
    rados = None

# The object of the command is unknown to the monitor.
ABSENT = 2


class Monitor:
    """The monitors, as the user C(client.admin).

    :param conf: the path of ceph.conf; the user's keyring is in the same directory.
    :param wait: timeout in seconds for a response.
    :raises Unreachable: no response.
    """

    def __init__(self, conf: str, wait: float) -> None:
        if rados is None:
            raise Unreachable("python3-rados is not installed")
        try:
            # Without these options it would wait forever.
            options = {"client_mount_timeout": str(wait), "rados_mon_op_timeout": str(wait)}
            self._cluster = rados.Rados(conffile=conf, rados_id="admin", conf=options)
            self._cluster.connect(timeout=wait)
        except rados.Error as error:
            raise Unreachable(
                f"Ceph's monitors do not respond within {wait:.0f} s ({error}): see journalctl -u 'ceph-mon@*' on the "
                "storage hosts"
            ) from error

    def ask(self, prefix: str, **arguments: Any) -> Any:
        """Return the output of a read command as data."""
        return json.loads(self._said({"prefix": prefix, "format": "json", **arguments}, b""))

    def tell(self, prefix: str, given: str = "", **arguments: Any) -> str:
        """Run a command that makes a change, with *given* as its input; return its output."""
        return self._said({"prefix": prefix, **arguments}, given.encode())

    def manage(self, prefix: str, **arguments: Any) -> str:
        """Run a command of the manager, which monitors do not forward completely; return its output.

        It waits forever for a manager: first check that there is one, with a command that they forward.
        """
        return self._answer(prefix, *self._cluster.mgr_command(json.dumps({"prefix": prefix, **arguments}), b""))

    def _said(self, command: dict, given: bytes) -> str:
        return self._answer(command["prefix"], *self._cluster.mon_command(json.dumps(command), given))

    def _answer(self, prefix: str, code: int, out: bytes, words: str) -> str:
        if code:
            raise Failed(f"ceph {prefix}: {words or f'error {code}'}")
        return out.decode()
