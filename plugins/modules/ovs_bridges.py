#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: ovs_bridges
short_description: Open vSwitch bridges that hold the host's addresses
version_added: 0.1.0
description:
  - Configures Open vSwitch's bridges, their network interfaces, addresses and routes, persistently over reboots and
    restarts of Open vSwitch, however the host's network is configured.
  - What others put on the bridges (Neutron's ports, a virtual address) is left alone. Bridges of an earlier call that
    are no longer listed are removed, and their network interfaces get back their addresses.
  - A change of the interface that carries the default route or Ansible's own connection is on trial. If no new
    connection reaches the host within 30 seconds, it undoes the change by itself and the task fails.
author: The Cairn authors (@cairn)
options:
  datapath:
    description: V(system) is in the kernel, V(netdev) in user space, for kernels without it (needs C(ethtool)).
    type: str
    choices: [system, netdev]
    default: system
  bridges:
    description: All bridges of this host that this module shall manage.
    type: list
    elements: dict
    default: []
    suboptions:
      name: {description: Name of the bridge and of its internal port., type: str, required: true}
      ports: {description: Cards that become ports and lose their addresses., type: list, elements: str, default: []}
      patches:
        description: Bridges to be joined to this one, which must be listed before it.
        type: list
        elements: dict
        default: []
        suboptions:
          peer: {description: The other bridge., type: str, required: true}
      addresses: {description: Addresses with prefix length of the bridge., type: list, elements: str, default: []}
      routes:
        description: Routes through the bridge.
        type: list
        elements: dict
        default: []
        suboptions:
          to: {description: V(default) or a network., type: str, required: true}
          via: {description: Gateway's address., type: str, required: true}
      take_over: {description: Interface to add as a port; its addresses and routes move to the bridge., type: str}
      mtu: {description: MTU of the bridge and its network interfaces. Unchanged by default., type: int}
  state:
    description: V(absent) removes every bridge of this module and restores the addresses of the interfaces.
    type: str
    choices: [present, absent]
    default: present
  confirm:
    description: Keep the change on trial. The action plugin of the same name does it; no playbook needs to.
    type: bool
    default: false
attributes:
  check_mode:
    description: Can run in check mode and say what it would change, on a host without Open vSwitch too.
    support: full
  diff_mode:
    description: Says what it changes, as a diff.
    support: full
"""

EXAMPLES = r"""
- name: A host with one network interface, and one whose tunnel interface in user space also carries VLANs
  cairn.openstack.ovs_bridges:
    datapath: netdev
    bridges:
      - {name: br-ex, take_over: eth0}
      - {name: br-tep, ports: [eth1], addresses: [10.1.0.13/24], mtu: 1500}
      - {name: br-vlan, patches: [{peer: br-tep}]}
"""

RETURN = r"""
changes:
  description: The bridges, network interfaces, files and the unit that differ.
  type: list
  elements: dict
  returned: always
  contains:
    kind: {description: What it is., type: str, returned: always}
    verb: {description: "What is done to it, in the verb's base form.", type: str, returned: always}
    name: {description: Which one., type: str, returned: always}
    detail: {description: "What of it, or why; may be empty.", type: str, returned: always}
  sample: [{kind: bridge, verb: change, name: br-tep, detail: "addresses, mtu"}]
commands:
  description: The commands that lead there.
  type: list
  elements: str
  returned: always
  sample: [ip address replace 10.1.0.13/24 dev br-tep]
trial:
  description: Whether the change was undone unless confirmed.
  type: bool
  returned: always
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.cairn.openstack.plugins.module_utils.common import host_lock
from ansible_collections.cairn.openstack.plugins.module_utils.host import ovs_bridges
from ansible_collections.cairn.openstack.plugins.module_utils.host.bridge_setup import BridgesError


def main() -> None:
    """Compare, and unless in check mode change; or confirm a change."""
    module = AnsibleModule(argument_spec=ovs_bridges.SPEC, supports_check_mode=True)
    host_lock.acquire(module)
    try:
        if module.params["confirm"]:
            module.exit_json(**ovs_bridges.confirm())
        result = ovs_bridges.bring(module.params, module.check_mode)
    except BridgesError as error:
        module.fail_json(msg=str(error))
    for warning in result.pop("warnings"):
        module.warn(warning)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
