# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of this name, which has the code. Nothing of it runs on a host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: capacity_plan
short_description: Compute what a host will offer to servers
version_added: 0.1.0
description:
  - Runs on the control node. Computes what nova-compute and cinder-volume will report of the host, from its probe and
    from the options that the collection will write, with those of C(cloud_config).
  - Needs the fact C(cairn_probe) of M(cairn.openstack.host_probe), with the host's devices. Changes nothing.
author: The Cairn authors (@cairn)
options: {}
attributes:
  check_mode:
    description: Computes the same in check mode.
    support: full
  diff_mode:
    description: Returns no diff.
    support: none
"""

EXAMPLES = r"""
- name: Compute what the host will offer
  cairn.openstack.capacity_plan:
  register: plan
"""

RETURN = r"""
plan:
  description: What the host will offer.
  type: dict
  returned: always
  contains:
    name: {description: Name of the host., type: str}
    groups: {description: Its node groups., type: list, elements: str}
    inventories: {description: "Of a compute host: its inventories as in Placement, by resource class.", type: dict}
    shared_disk: {description: Back end in Ceph that has the disks of its servers; empty for none., type: str}
    nics:
      description:
        - The interfaces C(tunnel) (between nodes) and C(external), each with its C(name) and C(mbit), null if unknown.
      type: dict
    pools: {description: The host's devices in each back end., type: list, elements: dict}
"""
