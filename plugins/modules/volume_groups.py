#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: volume_groups
short_description: Create LVM volume groups from empty devices
version_added: 0.1.0
description:
  - Creates volume groups from devices, and extends them with further devices. Devices and groups are never removed.
  - A device is used only if it is empty. The next run completes what an interrupted run has started.
options:
  groups:
    description: The volume groups.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the volume group.
        type: str
        required: true
      devices:
        description: Its devices, such as C(/dev/disk/by-id/wwn-0x5000c50000000001).
        type: list
        elements: path
        required: true
attributes:
  check_mode:
    support: full
    description: Can run in check mode and report what it would change.
  diff_mode:
    support: full
    description: Shows the devices of each group that changes.
author: The Cairn authors (@cairn)
"""

EXAMPLES = r"""
- name: Create a volume group from two disks
  cairn.openstack.volume_groups:
    groups:
      - name: cinder-volumes
        devices: [/dev/disk/by-id/wwn-0x5000c50000000001, /dev/disk/by-id/wwn-0x5000c50000000002]
  become: true
"""

RETURN = r"""
changes:
  description: Each volume group that was changed, or would be.
  type: list
  elements: dict
  returned: always
  contains:
    kind: {description: Kind of object., type: str, returned: always}
    verb: {description: "The action, as a verb in its base form.", type: str, returned: always}
    name: {description: Name of the object., type: str, returned: always}
    detail: {description: "What changed, or why; may be empty.", type: str, returned: always}
  sample: [{kind: volume group, verb: create, name: cinder-volumes, detail: /dev/sdb}]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.cairn.openstack.plugins.module_utils.common import host_lock
from ansible_collections.cairn.openstack.plugins.module_utils.common.changes import Failed, finish
from ansible_collections.cairn.openstack.plugins.module_utils.storage import volume_groups

GROUP = {
    "name": {"type": "str", "required": True},
    "devices": {"type": "list", "elements": "path", "required": True},
}


def main() -> None:
    """Compare, and apply the changes unless in check mode."""
    module = AnsibleModule(
        argument_spec={"groups": {"type": "list", "elements": "dict", "required": True, "options": GROUP}},
        supports_check_mode=True,
    )
    host_lock.acquire(module)
    try:
        changes = volume_groups.plan(module.params["groups"])
    except Failed as error:
        module.fail_json(msg=str(error))
    finish(module, changes)


if __name__ == "__main__":
    main()
