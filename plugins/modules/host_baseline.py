#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: host_baseline
short_description: Take a snapshot of a host's state for comparison
version_added: 0.1.0
description:
  - Reads the state that a rerun of C(site.yml) must not change, with the host's own commands and without code of the
    modules that change it.
  - Compare two snapshots with P(cairn.openstack.baseline_diff#filter).
  - Changes nothing. Snapshots contain passwords and keys only as digests.
author: The Cairn authors (@cairn)
options:
  sections:
    description:
      - What to read; by default everything.
      - V(files) are all files below C(/etc) and a few more, with digest, mode and owner. V(units) are services,
        sockets, timers and paths with their current invocation. V(packages) are those of dpkg. V(kernel), V(addresses),
        V(routes), V(firewall) and V(openvswitch) are the host's own, without those of guests and tenant networks.
      - V(databases), V(identity) and V(cells) are read by SQL through the local socket, V(messaging) by the broker's
        command; each is empty on a host where that server is not running.
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
    description: Returns no diff.
    support: none
"""

EXAMPLES = r"""
- name: Take a snapshot of the host
  cairn.openstack.host_baseline:
  register: before

- name: Take a snapshot of the units only
  cairn.openstack.host_baseline:
    sections: [units]
  register: units
"""

RETURN = r"""
snapshot:
  description: The state, by section and object; the attributes of an object are strings.
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
