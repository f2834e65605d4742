# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""RabbitMQ's virtual hosts, users and permissions, in one call."""

from __future__ import annotations

DOCUMENTATION = r"""
module: rabbitmq_users
short_description: Manage RabbitMQ virtual hosts, users and permissions, in one call
version_added: 0.1.0
description:
  - Creates users with all permissions on their own virtual host and none elsewhere, and corrects what is missing or
    differs.
  - Deletes the limits of these users and virtual hosts, such as C(max-connections), and the users' permissions on
    topics of their virtual host, which restrict the others.
  - Virtual hosts get C(quorum) as their default queue type.
  - Uses the management API. If the administrator cannot log in (first run, changed password), it is created or
    corrected with C(rabbitmqctl), which needs C(become). Passwords are never on a command line.
options:
  admin:
    description: The administrator, with all permissions on the virtual host C(/).
    type: dict
    required: true
    suboptions:
      name:
        description: Name of the administrator.
        type: str
        required: true
      password:
        description: Password of the administrator.
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
        description: Password of the user. Required unless O(users[].state=absent).
        type: str
      vhost:
        description: Virtual host of the user.
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
    description: URL of the management API.
    type: str
    default: http://127.0.0.1:15672
  wait:
    description: Seconds to wait for the management API. Check mode does not wait.
    type: int
    default: 60
attributes:
  check_mode:
    support: full
    description: If no broker responds, reports what would be created, except for objects of a stopped broker.
  diff_mode:
    support: full
    description: Shows one difference per object; for a password only whether it matches.
author: The Cairn authors (@cairn)
"""

EXAMPLES = r"""
- name: Create users for Nova and Neutron
  cairn.openstack.rabbitmq_users:
    admin: {name: admin, password: "{{ rabbitmq_password }}"}
    users:
      - {name: nova, password: "{{ nova_password }}", vhost: nova}
      - {name: neutron, password: "{{ neutron_password }}", vhost: neutron}
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
  sample: [{kind: RabbitMQ user, verb: change, name: nova, detail: password}]
reachable:
  description: Whether the management API responded; C(false) only in check mode.
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
