# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of the collection's modules have something to do on a host, in one call."""

from __future__ import annotations

DOCUMENTATION = r"""
module: pending
short_description: Which of the collection's modules have something to do on a host, in one call
version_added: 0.1.0
description:
  - Compares what is there with what is wanted, as several modules would do in check mode, in one process. Tasks with
    these modules can then be left out where there is nothing to do, which takes most of a run's time.
  - What can't be told now, since a server doesn't answer or the options contradict each other, is due. The module then
    waits, or says what is wrong.
  - Changes nothing.
options:
  steps:
    description: Under a name of any kind, the C(module) and its C(options), as a task with it has them.
    type: dict
    required: true
attributes:
  check_mode:
    support: full
    description: Does the same.
  diff_mode:
    support: none
    description: Changes nothing.
requirements: [python3-pymysql]
author: The Cairn authors (@cairn)
"""

EXAMPLES = r"""
- name: Compare with the desired state
  cairn.openstack.pending:
    steps:
      databases: {module: databases, options: {databases: "{{ databases }}"}}
      bridges: {module: ovs_bridges, options: {bridges: "{{ bridges }}"}}
  become: true
  register: found

- name: Databases and their users
  cairn.openstack.databases:
    databases: "{{ databases }}"
  become: true
  when: found.pending.databases
"""

RETURN = r"""
pending:
  description: Of each name whether its module would change something, or has to say something.
  type: dict
  returned: always
  sample: {databases: false, bridges: true}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.cairn.openstack.plugins.module_utils.common import host_lock
from ansible_collections.cairn.openstack.plugins.module_utils.common.changes import Failed
from ansible_collections.cairn.openstack.plugins.module_utils.overview.pending import pending


def main():
    module = AnsibleModule(
        # Whatever is in it: some of it is secret, and nothing of it is told.
        argument_spec={"steps": {"type": "dict", "required": True, "no_log": True}},
        supports_check_mode=True,
    )
    host_lock.acquire(module)
    try:
        found = pending(module.params["steps"])
    except (Failed, TypeError) as error:
        module.fail_json(msg=str(error))
    # Else a value that is as short as "e" would be masked in True and False.
    module.no_log_values.clear()
    module.exit_json(changed=False, pending=found)


if __name__ == "__main__":
    main()
