# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""RabbitMQ's virtual hosts, users and permissions, in one call."""

from __future__ import annotations

DOCUMENTATION = r"""
module: rabbitmq_users
short_description: RabbitMQ virtual hosts, users and permissions, in one call
version_added: 0.1.0
description:
  - Creates users with every permission on a virtual host of their own and none elsewhere, and repairs what is missing
    or differs.
  - Virtual hosts get C(quorum) as their default queue type.
  - Works through the management API. An administrator who can't enter (the first run, a changed password) is made or
    repaired by C(rabbitmqctl), which needs C(become). Passwords are never on a command line.
options:
  admin:
    description: The administrator, who may do everything in the virtual host C(/).
    type: dict
    required: true
    suboptions:
      name:
        description: Name of the administrator.
        type: str
        required: true
      password:
        description: The administrator's password.
        type: str
        required: true
  users:
    description: The users.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the user.
        type: str
        required: true
      password:
        description: The user's password. Required unless O(users[].state=absent).
        type: str
      vhost:
        description: The user's virtual host.
        type: str
        required: true
      tags:
        description: Tags such as C(monitoring). A user with tags keeps permissions on other virtual hosts.
        type: list
        elements: str
        default: []
      state:
        description: V(absent) deletes the user, and its virtual host unless another entry uses it.
        type: str
        choices: [present, absent]
        default: present
  remove:
    description: Names of users to delete.
    type: list
    elements: str
    default: [guest]
  url:
    description: The management API.
    type: str
    default: http://127.0.0.1:15672
  wait:
    description: Seconds to wait for the management API. Check mode doesn't wait.
    type: int
    default: 60
attributes:
  check_mode:
    support: full
    description: Where no broker answers, tells what would be created, except for what a stopped one holds.
  diff_mode:
    support: full
    description: Shows one difference per object; of a password only whether it is the given one.
author: The Cairn authors (@cairn)
"""

EXAMPLES = r"""
- name: Message users
  cairn.openstack.rabbitmq_users:
    admin: {name: admin, password: "{{ rabbitmq_password }}"}
    users:
      - {name: nova, password: "{{ nova_password }}", vhost: nova}
      - {name: neutron, password: "{{ neutron_password }}", vhost: neutron}
  become: true
"""

RETURN = r"""
changes:
  description: Each object that was changed, or would be.
  type: list
  elements: dict
  returned: always
  contains:
    kind: {description: What it is., type: str, returned: always}
    verb: {description: "What is done to it, in the verb's base form.", type: str, returned: always}
    name: {description: Which one., type: str, returned: always}
    detail: {description: "What of it, or why; may be empty.", type: str, returned: always}
  sample: [{kind: RabbitMQ user, verb: change, name: nova, detail: password}]
reachable:
  description: Whether the management API answered; C(false) only in check mode.
  type: bool
  returned: always
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.cairn.openstack.plugins.module_utils.common import host_lock
from ansible_collections.cairn.openstack.plugins.module_utils.common.changes import Failed, finish
from ansible_collections.cairn.openstack.plugins.module_utils.control_plane import rabbitmq_users


def main():
    module = AnsibleModule(argument_spec=rabbitmq_users.SPEC, supports_check_mode=True)
    host_lock.acquire(module)
    try:
        changes, reachable = rabbitmq_users.compute(module.params, module.check_mode)
    except Failed as error:
        module.fail_json(msg=str(error))
    finish(module, changes, reachable=reachable)


if __name__ == "__main__":
    main()
