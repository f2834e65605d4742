#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: host_baseline
short_description: A host's state, to be compared with what it was
version_added: 0.1.0
description:
  - Reads what a rerun of C(site.yml) must leave as it is, by commands of the host's own
    and without any code of the modules that change it.
  - Compare two of its snapshots with P(cairn.openstack.baseline_diff#filter).
  - Changes nothing. A password or key enters a snapshot as a digest only.
author: The Cairn authors (@cairn)
options:
  sections:
    description:
      - What to read; by default everything.
      - V(files) are all below C(/etc) and a few more, with digest, mode and owner. V(units) are services, sockets,
        timers and paths with the invocation that runs. V(packages) are dpkg's. V(kernel), V(addresses), V(routes),
        V(firewall) and V(openvswitch) are the host's own, without those of guests and tenants' networks.
      - V(databases), V(identity) and V(cells) are read by SQL through root's socket, V(messaging) by the broker's own
        command; each is empty on a host that has no such server running.
    type: list
    elements: str
    default: []
    choices:
      - files
      - units
      - packages
      - kernel
      - addresses
      - routes
      - firewall
      - openvswitch
      - databases
      - identity
      - cells
      - messaging
attributes:
  check_mode:
    description: Reads the same in check mode.
    support: full
  diff_mode:
    description: There is nothing to show.
    support: none
"""

EXAMPLES = r"""
- name: Probe the host
  cairn.openstack.host_baseline:
  register: before

- name: Which units run, and since which start
  cairn.openstack.host_baseline:
    sections: [units]
  register: units
"""

RETURN = r"""
snapshot:
  description: The state, by section and object, each object's attributes being plain strings.
  returned: success
  type: dict
  sample:
    files: {/etc/nova/nova.conf: {content: 1a9a2b6c0f2e4c1d8e7f, mode: "0640", owner: "root:nova"}}
    units: {nova-api.service: {at boot: enabled, state: active, started as: c1d8e7f0a2b6c0f2e4c11d8e7f0a2b6c}}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.cairn.openstack.plugins.module_utils.testing.host_baseline import READERS, snapshot
from ansible_collections.cairn.openstack.plugins.module_utils.testing.host_baseline.run import ReadError


def main():
    module = AnsibleModule(
        argument_spec={"sections": {"type": "list", "elements": "str", "default": [], "choices": list(READERS)}},
        supports_check_mode=True,
    )
    try:
        module.exit_json(changed=False, snapshot=snapshot(module.params["sections"]))
    except ReadError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
