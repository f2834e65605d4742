# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps that would change something on a host, in one call."""

from __future__ import annotations

DOCUMENTATION = r"""
module: pending
short_description: Find the steps that would change something on a host, in one call
version_added: 0.1.0
description:
  - Compares the actual with the desired state, as several modules would do in check mode, in one process. Tasks with
    these modules can then be skipped where nothing is pending, which saves most of the time of a run.
  - A step that cannot be compared, because a server does not respond or its options conflict, is pending. Its module
    then waits, or reports the error.
  - Changes nothing.
options:
  steps:
    description: For each step, under any name, the C(module) and its C(options) as in a task.
    type: dict
    default: {}
  first:
    description:
      - Steps on which those of O(steps) depend, in the same form. If one of them is pending, O(steps) are not compared.
    type: dict
    default: {}
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
- name: Compare with the desired state
  cairn.openstack.pending:
    steps:
      databases: {module: databases, options: {databases: "{{ databases }}"}}
      bridges: {module: ovs_bridges, options: {bridges: "{{ bridges }}"}}
  become: true
  register: found

- name: Create databases and their users
  cairn.openstack.databases:
    databases: "{{ databases }}"
  become: true
  when: found.pending.databases
"""

RETURN = r"""
pending:
  description:
    - For each of O(first) and O(steps), whether its module would change or report something. Those of O(steps) are
      missing if one of O(first) is pending.
  type: dict
  returned: always
  sample: {databases: false, bridges: true}
first:
  description: Whether a step of O(first) is pending.
  type: bool
  returned: always
any:
  description: Whether any step is pending.
  type: bool
  returned: always
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.cairn.openstack.plugins.module_utils.common import host_lock
from ansible_collections.cairn.openstack.plugins.module_utils.common.changes import Failed
from ansible_collections.cairn.openstack.plugins.module_utils.overview.pending import pending

# AnsibleModule would return its parameters: all passwords and files of a host.
SILENT = {"invocation": {"module_args": {}}}


def main():
    module = AnsibleModule(
        # Some of the options are secret, and none of them is returned.
        argument_spec={name: {"type": "dict", "default": {}, "no_log": True} for name in ("first", "steps")},
        supports_check_mode=True,
    )
    host_lock.acquire(module)
    try:
        found = pending(module.params["first"])
        first = any(found.values())
        found |= {} if first else pending(module.params["steps"])
    except (Failed, TypeError) as error:
        module.fail_json(msg=str(error), **SILENT)
    # Otherwise a value as short as "e" would be masked in True and False.
    module.no_log_values.clear()
    module.exit_json(changed=False, pending=found, first=first, any=first or any(found.values()), **SILENT)


if __name__ == "__main__":
    main()
