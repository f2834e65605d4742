# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The ids of Keystone's users, read from its database: a user that was recreated has a different id."""

from __future__ import annotations

from ansible_collections.cairn.openstack.plugins.module_utils.common.changes import Failed
from ansible_collections.cairn.openstack.plugins.module_utils.control_plane.mariadb import SOCKET, Missing, Server


def user_ids() -> dict[str, str] | None:
    """Return the ids of the users in the default domain by name.

    None if Keystone's database is not on this host or does not respond.
    """
    try:
        rows = Server(SOCKET).rows("SELECT name, user_id FROM keystone.local_user WHERE domain_id = 'default'")
    except Missing:
        return {}
    except Failed:
        return None
    return {row["name"]: row["user_id"] for row in rows}
