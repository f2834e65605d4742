# Copyright (c) 2026 The Cairn authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
---
module: lab_network
short_description: Manage the network segments of the test hosts
version_added: 0.1.0
description:
  - Creates a Linux bridge for each segment of the lab; the control node has the first address of the management and the
    external network, without routing or NAT.
author: The Cairn authors (@cairn)
options:
  state:
    description: Whether the bridges should exist.
    type: str
    choices: [present, absent]
    default: present
  directory:
    description: Directory of the lab.
    type: path
    required: true
  prefix:
    description: Prefix of the names of the bridges.
    type: str
    default: cairn
  networks:
    description: The network of each segment.
    type: dict
    required: true
attributes:
  check_mode:
    description: Can run in check mode and report what it would change.
    support: full
  diff_mode:
    description: Shows the bridges before and after.
    support: full
"""

EXAMPLES = r"""
- name: Create the segments
  cairn.openstack.lab_network:
    directory: /var/lib/cairn-lab
    networks: {management: 10.203.0.0/24, tunnel: 10.203.1.0/24, external: 10.203.2.0/24}
"""

RETURN = r"""
bridges:
  description: The bridges of the lab.
  returned: always
  type: dict
  sample: {management: {up: true, addresses: [10.203.0.1/24]}}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.cairn.openstack.plugins.module_utils.testing.lab import network
from ansible_collections.cairn.openstack.plugins.module_utils.testing.lab.fleet import lab_from
from ansible_collections.cairn.openstack.plugins.module_utils.testing.lab.run import LabError


def apply(lab, state, check_mode):
    before = network.current(lab)
    after = network.wanted(lab) if state == "present" else {}
    if state == "present":
        network.overlaps(lab)
    changed = before != after
    if changed and not check_mode:
        if state == "present":
            network.build(lab, before)
        else:
            network.remove(lab, before)
    return {"changed": changed, "bridges": after, "diff": {"before": before, "after": after}}


def main():
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "directory": {"type": "path", "required": True},
            "prefix": {"type": "str", "default": "cairn"},
            "networks": {"type": "dict", "required": True},
        },
        supports_check_mode=True,
    )
    try:
        result = apply(lab_from(module.params), module.params["state"], module.check_mode)
    except LabError as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
