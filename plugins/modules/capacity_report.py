# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of this name, which has the code. Nothing of it runs on a host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: capacity_report
short_description: Show how many servers fit in a cloud
version_added: 0.1.0
description:
  - Computes how many servers of each flavor fit, now and with one host lost, and what a number of servers needs. Prints
    tables, and writes JSON.
  - Runs on the control node. In check mode it does the same.
options:
  cloud:
    description: Name of the cloud.
    type: str
    required: true
  found:
    description: The result of M(cairn.openstack.capacity_facts). Without it, or if there is no cloud, O(plans) count.
    type: dict
    default: {}
  plans:
    description: Results of M(cairn.openstack.capacity_plan) of the hosts.
    type: list
    elements: dict
    required: true
  members:
    description: Names of the hosts that belong to a cloud by their probe.
    type: list
    elements: str
    default: []
  unreachable:
    description: Names of the hosts that were not probed.
    type: list
    elements: str
    default: []
  flavors:
    description:
      - Flavors to count, each with its C(name), and if the cloud has none of that name with C(vcpus), C(ram) in MiB,
        C(disk) in GiB and C(extra_specs). Empty counts those of the cloud.
    type: list
    elements: dict
    default: []
  flavor:
    description: Flavor of the O(servers). Empty is the first of O(flavors), else V(m1.small), or the smallest one.
    type: str
    default: ''
  servers:
    description: Number of servers of which the needs are computed; 0 for none.
    type: int
    default: 0
  floating_ips:
    description: Floating IPs of each of the servers.
    type: int
    default: 0
  from_volume:
    description: Whether the root disk of servers is a volume.
    type: bool
    default: false
  volume_gb:
    description: GiB of a volume of each of the servers; 0 for none, or with O(from_volume) for the flavor's disk.
    type: int
    default: 0
  backend:
    description: Back end of these volumes. Empty for any.
    type: str
    default: ''
  bandwidth:
    description: Mbit/s of each server; 0 does not count them.
    type: int
    default: 0
  json:
    description: JSON file on the control node.
    type: path
attributes:
  check_mode:
    description: Does the same in check mode.
    support: full
  diff_mode:
    description: Returns no diff.
    support: none
  platform:
    platforms: posix
extends_documentation_fragment: [ansible.builtin.action_common_attributes]
author: The Cairn authors (@cairn)
"""

EXAMPLES = r"""
- name: Show how many servers fit
  cairn.openstack.capacity_report:
    cloud: cairn
    found: "{{ found }}"
    plans: "{{ ansible_play_hosts | map('extract', hostvars, 'plan') | list }}"
    flavor: m1.small
    servers: 200
"""

RETURN = r"""
capacity:
  description: All numbers, as in the JSON file.
  type: dict
  returned: always
"""
