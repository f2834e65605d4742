# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connections to MariaDB through its local socket, as root."""

from __future__ import annotations

import atexit
import os
import time

from ansible_collections.cairn.openstack.plugins.module_utils.common.changes import Failed, Unreachable

SOCKET = "/run/mysqld/mysqld.sock"
DATADIR = "/var/lib/mysql"
WAIT = 30
"""Seconds to wait for a server that was just started."""
LOCKED = 60
"""Seconds to wait for a lock that another connection has."""
HANGS = 300
"""Seconds to wait for the result of a statement."""
# Lock wait timeout, also of metadata and of FLUSH TABLES WITH READ LOCK
LOCKS = {1205}
# Cannot connect, gone away, lost, shutting down; 1047: a Galera node that is not synced.
RETRIED = {2002, 2003, 2006, 2013, 1047, 1053}
REFUSED = {1045, 1698}
MISSING = {1049, 1146}


class Server:
    """A connection to the server on a unix socket.

    :param socket: path of the socket.
    :param wait: seconds to retry without a response.
    :raises Unreachable: no driver, no socket or no response.
    :raises Failed: the server refuses the login as root.
    """

    def __init__(self, socket: str, wait: float = 0):
        try:
            import pymysql
        except ImportError as error:
            raise Unreachable("the Python driver is missing: install python3-pymysql") from error
        self._error = pymysql.MySQLError
        deadline = time.monotonic() + wait
        while True:
            try:
                self._connection = pymysql.connect(
                    unix_socket=socket,
                    user="root",
                    charset="utf8mb4",
                    autocommit=True,
                    connect_timeout=10,
                    # A process that hangs accepts connections.
                    read_timeout=HANGS,
                    # By default a statement waits a day for a lock, such as the read lock of a backup.
                    init_command=f"SET lock_wait_timeout = {LOCKED}",
                    cursorclass=pymysql.cursors.DictCursor,
                )
                # Otherwise the server logs each connection as aborted.
                atexit.register(self._connection.close)
                return
            except pymysql.MySQLError as error:
                code, text = _cause(error)
                if code in REFUSED:
                    raise Failed(
                        f"MariaDB refuses root on {socket}: {text}. The task needs become, and root@localhost the "
                        "plugin unix_socket, as Debian installs it"
                    ) from error
                if code not in RETRIED:
                    raise Failed(f"MariaDB on {socket}: {text}") from error
                if time.monotonic() >= deadline:
                    raise Unreachable(f"MariaDB does not respond on {socket}: {text}") from error
            time.sleep(0.5)

    def rows(self, statement: str, values: tuple = ()) -> list[dict]:
        """Execute a statement; return its rows as dicts.

        :raises Missing: the database or table does not exist.
        :raises Failed: any other error.
        """
        try:
            with self._connection.cursor() as cursor:
                cursor.execute(statement, values or None)
                return list(cursor.fetchall())
        except self._error as error:
            code, text = _cause(error)
            if code in LOCKS:
                text += "; SHOW FULL PROCESSLIST shows which connection has the lock, such as that of a backup"
            raise (Missing if code in MISSING else Failed)(f"MariaDB: {text} (error {code})") from error


class Missing(Failed):
    """The database or table of a statement does not exist."""


def reach(socket: str, check_mode: bool) -> Server | None:
    """Return the server, or in check mode None if it is not installed or not running."""
    try:
        return Server(socket, 0 if check_mode else WAIT)
    except Unreachable:
        if not check_mode:
            raise
        return None


def _cause(error: Exception) -> tuple[int, str]:
    """Return the number and the message of an error of the driver."""
    if len(error.args) >= 2:
        return error.args[0], str(error.args[1])
    return 0, str(error)


def identifier(name: str) -> str:
    """Quote the name of a database or table."""
    return "`" + name.replace("`", "``") + "`"


def stored(database: str) -> bool:
    """Whether a stopped server has this database, by its directory."""
    return os.path.isdir(os.path.join(DATADIR, database))
