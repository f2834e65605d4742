#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks that other hosts have what this host would take with it."""

from __future__ import annotations

DOCUMENTATION = r"""
module: redundancy
short_description: Check that the units of a host may stop without harm to the cloud
version_added: 0.1.0
description:
  - Asks the conditions under which M(cairn.openstack.units) restarts the units of this host, such as whether all other
    members of a database cluster are in sync. Fails with all that are not met. Changes nothing.
options:
  units:
    description: The units with their conditions, in the form of M(cairn.openstack.units). Other keys are ignored.
    type: list
    elements: dict
    required: true
  timeout:
    description: Timeout in seconds for each condition.
    type: int
    default: 60
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  platform:
    platforms: posix
extends_documentation_fragment: [ansible.builtin.action_common_attributes]
author: The Cairn authors (@cairn)
"""

EXAMPLES = r"""
- name: Check that the other members of the database cluster are in sync
  cairn.openstack.redundancy:
    units:
      - {name: mariadb, restart_when: [/usr/local/sbin/cairn-galera others]}
  become: true
"""

RETURN = r"""
units:
  description: The units that have conditions.
  type: list
  elements: str
  returned: success
  sample: [mariadb, rabbitmq-server]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.cairn.openstack.plugins.module_utils.common import host_lock
from ansible_collections.cairn.openstack.plugins.module_utils.host.units import unmet


def main():
    module = AnsibleModule(
        argument_spec={
            "units": {"type": "list", "elements": "dict", "required": True},
            "timeout": {"type": "int", "default": 60},
        },
        supports_check_mode=True,
    )
    host_lock.acquire(module)
    asked = {unit["name"]: unit["restart_when"] for unit in module.params["units"] if unit.get("restart_when")}
    found = [f"{name}: {why}" for name, asks in asked.items() if (why := unmet(asks, module.params["timeout"]))]
    if found:
        module.fail_json(msg="other hosts do not replace this one yet\n" + "\n".join(found))
    module.exit_json(changed=False, units=list(asked))


if __name__ == "__main__":
    main()
