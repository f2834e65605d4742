#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a report says of the cloud as a whole."""

from __future__ import annotations

DOCUMENTATION = r"""
module: cloud_report
short_description: Read what a report says of the cloud, on a controller
version_added: 0.1.0
description:
  - Reads the state of the database and the message queue, the processes that services list, endpoints, networks,
    servers, and the used and total capacity.
  - What does not answer is named in the result; the module does not fail for it. Changes nothing.
options:
  auth:
    description: Credentials of an administrator.
    type: dict
    required: true
    suboptions:
      url: {description: Keystone's URL with its version., type: str, required: true}
      username: {description: Name of the user., type: str, default: admin}
      password: {description: Password., type: str, required: true}
      project: {description: Project., type: str, default: admin}
      domain: {description: Domain of user and project., type: str, default: Default}
      cafile: {description: CA bundle for HTTPS., type: path}
  broker:
    description: A user of the message queue's management API. Without it the queue is not read.
    type: dict
    suboptions:
      name: {description: Name., type: str, required: true}
      password: {description: Password., type: str, required: true}
  controllers:
    description: Number of controllers, which are the members of each cluster.
    type: int
    default: 1
  hosts:
    description: Names of all hosts, and of back ends that a list may name in place of a host.
    type: list
    elements: str
    default: []
  mask:
    description: Values to mask in messages.
    type: list
    elements: str
    default: []
  shared_disks:
    description: Whether the disks of servers are in Ceph, which every compute host reports as its own.
    type: bool
    default: false
extends_documentation_fragment: [cairn.openstack.process_lists]
attributes:
  check_mode:
    support: full
    description: Returns the same in check mode.
  diff_mode:
    support: none
    description: Returns no diff.
requirements: [python3-pymysql]
author: The Cairn authors (@cairn)
"""

EXAMPLES = r"""
- name: Read the cloud
  cairn.openstack.cloud_report:
    auth: {url: "https://cairn.example.org:5000/v3", password: "{{ admin_password }}"}
    process_lists: []
  become: true
  register: read
"""

RETURN = r"""
report:
  description: What was read.
  type: dict
  returned: success
  contains:
    parts: {description: "Clusters: name, whether all is well, state and detail.", type: list, elements: dict}
    processes: {description: Processes of services with host and state., type: list, elements: dict}
    endpoints: {description: Services of the catalog with their URLs., type: list, elements: dict}
    capacity: {description: "What is used, and the total.", type: list, elements: dict}
    counts: {description: "Numbers of networks, routers and floating IPs.", type: dict}
    servers: {description: Numbers of servers by state., type: dict}
    broken_servers: {description: Servers in the state ERROR., type: list, elements: dict}
    problems: {description: "What did not answer, with the reason.", type: list, elements: dict}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.cairn.openstack.plugins.module_utils.control_plane import cloud_report
from ansible_collections.cairn.openstack.plugins.module_utils.control_plane.process_lists import PROCESS_LIST
from ansible_collections.cairn.openstack.plugins.module_utils.control_plane.service_health import AUTH

USER = {"name": {"type": "str", "required": True}, "password": {"type": "str", "required": True, "no_log": True}}


def main() -> None:
    """Read, and return what was read."""
    module = AnsibleModule(
        argument_spec={
            "auth": {"type": "dict", "required": True, "options": AUTH},
            "broker": {"type": "dict", "options": USER},
            "controllers": {"type": "int", "default": 1},
            "hosts": {"type": "list", "elements": "str", "default": []},
            "mask": {"type": "list", "elements": "str", "default": [], "no_log": True},
            "shared_disks": {"type": "bool", "default": False},
            "process_lists": {"type": "list", "elements": "dict", "default": [], "options": PROCESS_LIST},
        },
        supports_check_mode=True,
    )
    # Otherwise a value as short as "e" would be masked everywhere; the report masks secrets by itself.
    module.no_log_values.clear()
    silent = {"invocation": {"module_args": {}}}
    module.exit_json(changed=False, report=cloud_report.report(module.params), **silent)


if __name__ == "__main__":
    main()
