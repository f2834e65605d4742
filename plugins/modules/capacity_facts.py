#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads what a running cloud has, and what its servers have taken of it."""

from __future__ import annotations

DOCUMENTATION = r"""
module: capacity_facts
short_description: Read the capacities of a running cloud
version_added: 0.1.0
description:
  - Reads inventories, claims and traits from Placement, compute hosts and flavors from Nova, pools from Cinder,
    floating IPs from Neutron, and quotas, as the admin user on a controller. Changes nothing.
  - If there is no cloud yet, or an API does not respond, RV(found) is false and RV(why) says so.
options:
  cloud:
    description: Entry of the host's C(clouds.yaml) to use.
    type: str
    required: true
  project:
    description: Name or id of the project whose quotas are read. Empty reads those of a new project.
    type: str
    default: ''
attributes:
  check_mode:
    description: Reads the same in check mode.
    support: full
  diff_mode:
    description: Returns no diff.
    support: none
  platform:
    platforms: posix
extends_documentation_fragment: [ansible.builtin.action_common_attributes]
requirements: [python3-openstacksdk]
author: The Cairn authors (@cairn)
"""

EXAMPLES = r"""
- name: Read the capacities of the cloud
  cairn.openstack.capacity_facts:
    cloud: cairn
  become: true
  register: found
"""

RETURN = r"""
found:
  description: Whether there is a cloud whose APIs respond.
  type: bool
  returned: always
why:
  description: Why there is none; empty otherwise.
  type: str
  returned: always
configured:
  description: Whether the host has credentials of the cloud; if so, RV(why) is a failure of an API.
  type: bool
  returned: always
facts:
  description: What the APIs say.
  type: dict
  returned: when there is a cloud
  contains:
    hosts:
      description:
        - Compute hosts with their C(state) (empty, V(disabled), V(down)), C(providers) with C(inventories), C(traits),
          the claims of their C(servers), and the C(metadata) of their aggregates.
      type: list
      elements: dict
    sharing: {description: "Providers that several hosts share, each with its C(hosts).", type: list, elements: dict}
    flavors: {description: Flavors with their extra specs., type: list, elements: dict}
    pools: {description: Cinder's pools., type: list, elements: dict}
    networks: {description: External networks with their numbers of addresses., type: list, elements: dict}
    project: {description: As given., type: str}
    quotas: {description: "C(limit) and C(used) by resource.", type: dict}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.cairn.openstack.plugins.module_utils.cloud import sdk
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.capacity.facts import Facts
from ansible_collections.cairn.openstack.plugins.module_utils.common.changes import Failed, Unreachable


def main():
    module = AnsibleModule(
        argument_spec={
            "cloud": {"type": "str", "required": True},
            "project": {"type": "str", "default": ""},
        },
        supports_check_mode=True,
    )
    try:
        with sdk.translate_errors():
            found = Facts(sdk.connect(module.params["cloud"], plan=True)).read(module.params["project"])
    except sdk.NotConfigured as error:
        module.exit_json(found=False, configured=False, why=str(error))
    except Unreachable as error:
        module.exit_json(found=False, configured=True, why=str(error))
    except Failed as error:
        module.fail_json(msg=str(error))
    module.exit_json(found=True, configured=True, why="", facts=found)


if __name__ == "__main__":
    main()
