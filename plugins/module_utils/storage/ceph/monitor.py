# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Talking to a cluster's monitors, through librados: a command is a dictionary, and no process is started for it."""

from __future__ import annotations

import json
from typing import Any

from ansible_collections.cairn.openstack.plugins.module_utils.common.changes import Failed, Unreachable

try:
    import rados
except ImportError:  # comes with the packages
    rados = None

# A monitor that has not heard of the command's object.
ABSENT = 2


class Monitor:
    """The monitors, as the user C(client.admin).

    :param conf: the path of ceph.conf, beside which the user's keyring is.
    :param wait: seconds until somebody has to answer.
    :raises Unreachable: nobody does.
    """

    def __init__(self, conf: str, wait: float) -> None:
        if rados is None:
            raise Unreachable("python3-rados is not installed")
        try:
            # Its options have the defaults of a command line tool: without these it would wait for ever.
            options = {"client_mount_timeout": str(wait), "rados_mon_op_timeout": str(wait)}
            self._cluster = rados.Rados(conffile=conf, rados_id="admin", conf=options)
            self._cluster.connect(timeout=wait)
        except rados.Error as error:
            raise Unreachable(
                f"Ceph's monitors do not answer within {wait:.0f} s ({error}): journalctl -u 'ceph-mon@*' on the "
                "storage hosts says why"
            ) from error

    def ask(self, prefix: str, **arguments: Any) -> Any:
        """Return what a command that reads says, as data."""
        return json.loads(self._said({"prefix": prefix, "format": "json", **arguments}, b""))

    def tell(self, prefix: str, given: str = "", **arguments: Any) -> str:
        """Carry out a command that changes something, with *given* as its input; returns its answer."""
        return self._said({"prefix": prefix, **arguments}, given.encode())

    def manage(self, prefix: str, **arguments: Any) -> str:
        """Carry out a command of the manager's, which monitors don't pass on in full; returns its answer.

        It waits for a manager for ever: ask first whether there is one, by any that they do pass on.
        """
        return self._answer(prefix, *self._cluster.mgr_command(json.dumps({"prefix": prefix, **arguments}), b""))

    def _said(self, command: dict, given: bytes) -> str:
        return self._answer(command["prefix"], *self._cluster.mon_command(json.dumps(command), given))

    def _answer(self, prefix: str, code: int, out: bytes, words: str) -> str:
        if code:
            raise Failed(f"ceph {prefix}: {words or f'error {code}'}")
        return out.decode()
