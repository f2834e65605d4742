# Copyright (c) 2026 The Cairn authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
---
module: lab_hosts
short_description: Manage test hosts on the control node
version_added: 0.1.0
description:
  - Creates, starts, breaks, repairs and removes the lab's hosts, which are systemd-nspawn containers or hosts emulated
    by QEMU, with a real systemd and sshd. All hosts of a call are handled in parallel.
author: The Cairn authors (@cairn)
options:
  hosts:
    description: The hosts.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the host.
        type: str
        required: true
      address:
        description:
          - Address of the host's first network interface.
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
        description: Whether the host is emulated by QEMU, with its own kernel, instead of a container.
        type: bool
        default: false
      disks:
        description:
          - Sizes of its blank disks, such as V(4G). The first is C(/dev/disk/by-id/virtio-disk1).
          - In a container they are loop devices of the control node.
        type: list
        elements: str
        default: []
      memory:
        description: Memory of an emulated host in MiB.
        type: int
        default: 2048
  state:
    description:
      - V(started) creates a missing host, boots it and waits until its sshd accepts logins.
      - V(stopped) shuts down, V(killed) turns the power off.
      - V(frozen) stops all processes of a running host, as if it hung, until it is V(started) again.
      - V(cut) unplugs the network cables, V(isolated) disconnects them from the networks but keeps the carrier, and
        V(joined) undoes both; this persists across reboots.
      - V(snapshotted) saves the disk of a powered-off host as O(snapshot), and replaces an older one.
      - V(restored) restores it.
      - V(absent) turns the power off and removes the host; its snapshots are kept.
    type: str
    choices: [started, stopped, killed, frozen, cut, isolated, joined, snapshotted, restored, absent]
    default: started
  others:
    description: Include hosts of the lab that are not in O(hosts).
    type: bool
    default: false
  snapshot:
    description:
      - Name of a snapshot. An existing one is left unchanged.
    type: str
    default: ''
  directory:
    description: Directory of the lab.
    type: path
    required: true
  prefix:
    description: Prefix of the names of the lab's namespaces and interfaces.
    type: str
    default: cairn
  networks:
    description: The network of each segment.
    type: dict
    required: true
  base:
    description: Base tree of new containers.
    type: path
    default: ''
  emulated_base:
    description: Base tree of new emulated hosts, with their kernel.
    type: path
    default: ''
  user:
    description: The unprivileged user of new hosts.
    type: str
    default: cairn
  supervise:
    description: Text of the program that keeps a host running. Needed for O(state=started).
    type: str
    default: ''
  timeout:
    description: Seconds a container may take to boot or to shut down.
    type: int
    default: 300
  emulated_timeout:
    description: Seconds an emulated host may take to boot or to shut down.
    type: int
    default: 600
attributes:
  check_mode:
    description: Can run in check mode and report what it would change.
    support: full
  diff_mode:
    description: Shows the state of each host before and after.
    support: full
"""

EXAMPLES = r"""
- name: Turn off the power of a host
  cairn.openstack.lab_hosts:
    hosts: [{name: compute1}]
    state: killed
    directory: /var/lib/cairn-lab
    networks: {management: 10.203.0.0/24, tunnel: 10.203.1.0/24, external: 10.203.2.0/24}
"""

RETURN = r"""
hosts:
  description: State of each host before and after.
  returned: always
  type: list
  elements: dict
  sample: [{name: compute1, changed: true, before: {power: 'on'}, after: {power: 'off'}}]
remaining:
  description: Names of all hosts of the lab afterwards, of all inventories.
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
            "timeout": {"type": "int", "default": 300},
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
