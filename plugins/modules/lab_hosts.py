# Copyright (c) 2026 The Cairn authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
---
module: lab_hosts
short_description: Test hosts on the control node
version_added: 0.1.0
description:
  - Makes, starts, breaks, repairs and removes the lab's hosts, which are systemd-nspawn containers or machines
    that QEMU emulates, with a real systemd and sshd, all those named in one call and side by side.
author: The Cairn authors (@cairn)
options:
  hosts:
    description: The hosts.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: The host's name.
        type: str
        required: true
      address:
        description:
          - The address of the host's first network interface.
          - Not needed for a host that exists.
        type: str
        default: ''
      networks:
        description: Segments that the host is connected to, in the order of its network interfaces.
        type: list
        elements: str
        choices: [management, tunnel, external]
        default: [management, tunnel, external]
      emulated:
        description: Whether the host is an emulated one (QEMU) with its own kernel, instead of a container.
        type: bool
        default: false
      disks:
        description:
          - The sizes of its blank disks, such as V(4G). The first is C(/dev/disk/by-id/virtio-disk1).
          - A container's are loop devices of the control node.
        type: list
        elements: str
        default: []
      memory:
        description: Memory of an emulated host in MiB.
        type: int
        default: 2048
  state:
    description:
      - V(started) makes a host that does not exist, boots it and waits until its sshd lets users in.
      - V(stopped) powers off in order, V(killed) takes the power away.
      - V(cut) pulls the network cables and V(joined) plugs them; they stay as they are over a reboot.
      - V(snapshotted) saves the disk of a powered-off host under the name O(snapshot), in an older one's place.
      - V(restored) brings it back.
      - V(absent) takes the power away and removes the host; its snapshots stay.
    type: str
    choices: [started, stopped, killed, cut, joined, snapshotted, restored, absent]
    default: started
  others:
    description: Also the hosts that the lab has and O(hosts) does not name.
    type: bool
    default: false
  snapshot:
    description:
      - The name of a snapshot. One that a host has already is left as it is.
    type: str
    default: ''
  directory:
    description: The directory that all of the lab lives in.
    type: path
    required: true
  prefix:
    description: What the names of the lab's namespaces and interfaces start with.
    type: str
    default: cairn
  networks:
    description: The network of each segment.
    type: dict
    required: true
  base:
    description: The base tree that new containers stand on.
    type: path
    default: ''
  emulated_base:
    description: The base tree that new emulated hosts are filled with, and that has their kernel.
    type: path
    default: ''
  user:
    description: The ordinary user that new hosts let in.
    type: str
    default: cairn
  supervise:
    description: The program that keeps a host running, as text. Needed for O(state=started).
    type: str
    default: ''
  timeout:
    description: How many seconds a container may need to boot or to power off.
    type: int
    default: 90
  emulated_timeout:
    description: Seconds an emulated host may take to boot or to power off.
    type: int
    default: 600
attributes:
  check_mode:
    description: Says what would be done and does nothing.
    support: full
  diff_mode:
    description: Shows the state of each host before and after.
    support: full
"""

EXAMPLES = r"""
- name: Take the power from a host
  cairn.openstack.lab_hosts:
    hosts: [{name: compute1}]
    state: killed
    directory: /var/lib/cairn-lab
    networks: {management: 10.203.0.0/24, tunnel: 10.203.1.0/24, external: 10.203.2.0/24}
"""

RETURN = r"""
hosts:
  description: What each host was and is.
  returned: always
  type: list
  elements: dict
  sample: [{name: compute1, changed: true, before: {power: 'on'}, after: {power: 'off'}}]
remaining:
  description: The names of all hosts of the lab afterwards, of whatever inventory.
  returned: always
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.cairn.openstack.plugins.module_utils.testing.lab.fleet import apply, lab_from
from ansible_collections.cairn.openstack.plugins.module_utils.testing.lab.run import LabError
from ansible_collections.cairn.openstack.plugins.module_utils.testing.lab.states import STATES


def main():
    module = AnsibleModule(
        argument_spec={
            "hosts": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "name": {"type": "str", "required": True},
                    "address": {"type": "str", "default": ""},
                    "networks": {
                        "type": "list",
                        "elements": "str",
                        "choices": ["management", "tunnel", "external"],
                        "default": ["management", "tunnel", "external"],
                    },
                    "emulated": {"type": "bool", "default": False},
                    "disks": {"type": "list", "elements": "str", "default": []},
                    "memory": {"type": "int", "default": 2048},
                },
            },
            "state": {"type": "str", "choices": list(STATES), "default": "started"},
            "others": {"type": "bool", "default": False},
            "snapshot": {"type": "str", "default": ""},
            "directory": {"type": "path", "required": True},
            "prefix": {"type": "str", "default": "cairn"},
            "networks": {"type": "dict", "required": True},
            "base": {"type": "path", "default": ""},
            "emulated_base": {"type": "path", "default": ""},
            "user": {"type": "str", "default": "cairn"},
            "supervise": {"type": "str", "default": ""},
            "timeout": {"type": "int", "default": 90},
            "emulated_timeout": {"type": "int", "default": 600},
        },
        required_if=[("state", "started", ("supervise",))],
        supports_check_mode=True,
    )
    try:
        result = apply(lab_from(module.params), module.params, module.check_mode)
    except LabError as error:
        module.fail_json(msg=str(error))
    if result["failures"]:
        module.fail_json(msg="\n".join(result["failures"]), **result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
