# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Databases, their users and grants, in one call."""

from __future__ import annotations

DOCUMENTATION = r"""
module: databases
short_description: Manage MariaDB databases, their users and grants, in one call
version_added: 0.1.0
description:
  - Creates databases, each with a user that has all privileges on it, and corrects what is missing or differs.
  - Connects to the server's local socket as root, so the task needs C(become). Passwords are not sent to the server in
    the clear, only their C(mysql_native_password) hashes.
  - Users have no C(REQUIRE), no limits such as C(MAX_USER_CONNECTIONS), a password that never expires, and are not
    locked.
  - Warns about users that the server prefers for connections from their hosts, with the command that drops them. These
    are users without a name, and other users of the same name, such as C(nova@192.0.2.%) to C(nova@%).
options:
  databases:
    description: The databases. Several may share a user.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the database.
        type: str
        required: true
      user:
        description: Name of the user.
        type: str
        required: true
      password:
        description: Password of the user. Required unless O(databases[].state=absent).
        type: str
      host:
        description: Hosts that the user may connect from.
        type: str
        default: '%'
      charset:
        description:
          - Character set of the database and of new tables. A database with tables of another one keeps its own.
        type: str
        choices: [utf8mb4, utf8mb3]
        default: utf8mb4
      state:
        description: V(absent) drops the user, unless another entry uses it, and keeps the data.
        type: str
        choices: [present, absent]
        default: present
      drop_data:
        description: With O(databases[].state=absent), drops the database too.
        type: bool
        default: false
  login_unix_socket:
    description: Socket of the server.
    type: path
    default: /run/mysqld/mysqld.sock
attributes:
  check_mode:
    support: full
    description: If no server responds, reports what would be created, except for databases of a stopped server.
  diff_mode:
    support: full
    description: Shows one difference per object; for a password only whether it matches.
requirements: [python3-pymysql]
author: The Cairn authors (@cairn)
"""

EXAMPLES = r"""
- name: Create Nova's databases
  cairn.openstack.databases:
    databases:
      - {name: nova_api, user: nova, password: "{{ nova_password }}"}
      - {name: nova, user: nova, password: "{{ nova_password }}"}
      - {name: nova_cell0, user: nova, password: "{{ nova_password }}"}
  become: true
"""

RETURN = r"""
changes:
  description: Objects that were or would be changed.
  type: list
  elements: dict
  returned: always
  contains:
    kind: {description: Kind of object., type: str, returned: always}
    verb: {description: "The action, as a verb in its base form.", type: str, returned: always}
    name: {description: Name of the object., type: str, returned: always}
    detail: {description: "What changed, or why; may be empty.", type: str, returned: always}
  sample: [{kind: database grant, verb: create, name: nova@% on nova, detail: ""}]
reachable:
  description: Whether the server responded; C(false) only in check mode.
  type: bool
  returned: always
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.cairn.openstack.plugins.module_utils.common import host_lock
from ansible_collections.cairn.openstack.plugins.module_utils.common.changes import Failed, finish
from ansible_collections.cairn.openstack.plugins.module_utils.control_plane import databases


def main():
    module = AnsibleModule(argument_spec=databases.SPEC, supports_check_mode=True)
    host_lock.acquire(module)
    try:
        changes, warnings, reachable = databases.compute(module.params, module.check_mode)
    except Failed as error:
        module.fail_json(msg=str(error))
    for warning in warnings:
        module.warn(warning)
    finish(module, changes, reachable=reachable)


if __name__ == "__main__":
    main()
