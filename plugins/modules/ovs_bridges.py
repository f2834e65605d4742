#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: ovs_bridges
short_description: Manage Open vSwitch bridges and the addresses on them
version_added: 0.1.0
description:
  - Configures Open vSwitch bridges, their network interfaces, addresses and routes, persistent across reboots and
    restarts of Open vSwitch, whatever configures the host's network.
  - Other ports and addresses of the bridges (Neutron's ports, a virtual address) are left unchanged. Bridges of an
    earlier call that are no longer listed are removed, and their network interfaces get their addresses back.
  - A change of the interface with the default route or Ansible's own connection is provisional. If no new connection
    reaches the host within 30 seconds, it reverts the change by itself and the task fails.
author: The Cairn authors (@cairn)
options:
  datapath:
    description: V(system) is in the kernel, V(netdev) in user space, for kernels without the module (needs C(ethtool)).
    type: str
    choices: [system, netdev]
    default: system
  bridges:
    description: All bridges of this host to manage.
    type: list
    elements: dict
    default: []
    suboptions:
      name: {description: Name of the bridge and of its internal port., type: str, required: true}
      ports: {description: NICs that become ports and lose their addresses., type: list, elements: str, default: []}
      patches:
        description: Bridges to connect to this one; they must be listed before it.
        type: list
        elements: dict
        default: []
        suboptions:
          peer: {description: The other bridge., type: str, required: true}
      addresses: {description: Addresses of the bridge with prefix lengths., type: list, elements: str, default: []}
      routes:
        description: Routes through the bridge.
        type: list
        elements: dict
        default: []
        suboptions:
          to: {description: V(default) or a network., type: str, required: true}
          via: {description: Address of the gateway., type: str, required: true}
      take_over: {description: Interface to add as a port; its addresses and routes move to the bridge., type: str}
      mtu: {description: MTU of the bridge and its network interfaces. Unchanged by default., type: int}
  state:
    description: V(absent) removes every bridge of this module and restores the addresses of the interfaces.
    type: str
    choices: [present, absent]
    default: present
  confirm:
    description: Confirm a provisional change. Used by the action plugin of the same name, not by playbooks.
    type: bool
    default: false
attributes:
  check_mode:
    description: Can run in check mode and report what it would change, also on a host without Open vSwitch.
    support: full
  diff_mode:
    description: Returns a diff of the changes.
    support: full
"""

EXAMPLES = r"""
- name: Create bridges with a single NIC, and with tunnels and VLANs on the same NIC in user space
  cairn.openstack.ovs_bridges:
    datapath: netdev
    bridges:
      - {name: br-ex, take_over: eth0}
      - {name: br-tep, ports: [eth1], addresses: [10.1.0.13/24], mtu: 1500}
      - {name: br-vlan, patches: [{peer: br-tep}]}
"""

RETURN = r"""
changes:
  description: Bridges, network interfaces, files and units that were or would be changed.
  type: list
  elements: dict
  returned: always
  contains:
    kind: {description: Kind of object., type: str, returned: always}
    verb: {description: "The action, as a verb in its base form.", type: str, returned: always}
    name: {description: Name of the object., type: str, returned: always}
    detail: {description: "What changed, or why; may be empty.", type: str, returned: always}
  sample: [{kind: bridge, verb: change, name: br-tep, detail: "addresses, mtu"}]
commands:
  description: The commands for these changes.
  type: list
  elements: str
  returned: always
  sample: [ip address replace 10.1.0.13/24 dev br-tep]
trial:
  description: Whether the change is reverted unless confirmed.
  type: bool
  returned: always
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.cairn.openstack.plugins.module_utils.common import host_lock
from ansible_collections.cairn.openstack.plugins.module_utils.host import ovs_bridges
from ansible_collections.cairn.openstack.plugins.module_utils.host.bridge_setup import BridgesError


def main() -> None:
    """Compare, and apply the changes unless in check mode; or confirm a change."""
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
