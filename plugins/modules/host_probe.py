#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: host_probe
short_description: What a host is and can do, in one fast call
version_added: 0.1.0
description:
  - Reads what the roles of this collection choose by, and what preflight checks, from C(/proc), C(/sys) and C(ip).
  - Changes nothing, and costs a fraction of M(ansible.builtin.setup).
author: The Cairn authors (@cairn)
options:
  names:
    description: Names to be resolved on the host.
    type: list
    elements: str
    default: []
  addresses:
    description: IPv4 addresses that nobody but the cloud should answer for; asked for by ARP on the host's networks.
    type: list
    elements: str
    default: []
  operator_time:
    description: Seconds since the epoch by the clock of the control node, to compare with the host's.
    type: float
  storage:
    description: Paths of devices, or of files in their place, of which is asked whether they are there and empty.
    type: list
    elements: str
    default: []
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
  cairn.openstack.host_probe:

- name: Probe the host, its clock and its names
  cairn.openstack.host_probe:
    names: [ntp.example.org]
    operator_time: "{{ now().timestamp() }}"

- name: Say which datapath Open vSwitch gets here
  ansible.builtin.debug:
    msg: "{{ cairn_probe.ovs_datapath.type }}: {{ cairn_probe.ovs_datapath.why }}"
"""

RETURN = r"""
ansible_facts:
  description: One fact, so that nothing else of a host's is shadowed.
  type: dict
  returned: always
  contains:
    cairn_probe:
      description: What was found.
      type: dict
      returned: always
      contains:
        release:
          description: The distribution's C(id), C(version) and C(codename).
          type: dict
          returned: always
          sample: {id: debian, version: "13", codename: trixie}
        architecture: {description: Machine architecture., type: str, returned: always, sample: x86_64}
        hostname: {description: Name of the host., type: str, returned: always, sample: compute1}
        fqdn:
          description: What C(hostname -f) says, empty where the name does not resolve within a second.
          type: str
          returned: always
          sample: compute1.example.org
        cpus: {description: Processors that may be used., type: int, returned: always, sample: 8}
        memory_mb: {description: All memory in MiB., type: int, returned: always, sample: 16000}
        disk_free_mb: {description: Free space of C(/var/lib) in MiB., type: int, returned: always, sample: 50000}
        time: {description: Seconds since the epoch., type: float, returned: always, sample: 1763683200.5}
        clock_offset:
          description: Seconds that the host's clock is ahead of O(operator_time), null without it.
          type: float
          returned: always
          sample: 0.4
        init: {description: "V(systemd), or the name of process 1.", type: str, returned: always, sample: systemd}
        interfaces:
          description: By name, C(mac), C(mtu), C(up), C(addresses) (not the link-local ones) and C(kind).
          type: dict
          returned: always
          sample: {eth0: {mac: "52:54:00:00:00:01", mtu: 1500, up: true, addresses: [10.0.0.1/24], kind: physical}}
        default_interface: {description: Where the default route leaves., type: str, returned: always, sample: eth0}
        default_gateway: {description: The default route's gateway., type: str, returned: always, sample: 10.0.0.254}
        connection_address:
          description: The host's own address in the ssh connection of this call, empty without one.
          type: str
          returned: always
          sample: 10.0.0.1
        hypervisor:
          description: C(type) is V(kvm) or V(qemu), C(why) says the cause.
          type: dict
          returned: always
          sample: {type: kvm, why: vmx and a /dev/kvm that opens}
        ovs_datapath:
          description: C(type) is V(system) or V(netdev), C(why) says the cause.
          type: dict
          returned: always
          sample: {type: system, why: the kernel has openvswitch loaded}
        listening:
          description:
            - TCP listeners, each with C(address), C(port), C(protocol) (V(tcp) or V(tcp6)), C(process) and the systemd
              C(unit) that it runs in.
          type: list
          elements: dict
          returned: always
          sample: [{address: 0.0.0.0, port: 22, protocol: tcp, process: sshd, unit: ssh.service}]
        unconfigured_units:
          description: Services that a boot has started, or is about to, and that no run of Cairn ever did.
          type: list
          elements: str
          returned: always
          sample: [cron, ssh]
        unfinished_packages:
          description: Packages whose installation was broken off.
          type: list
          elements: str
          returned: always
          sample: []
        unresolved:
          description: Those of O(names) that do not resolve within two seconds.
          type: list
          elements: str
          returned: always
          sample: []
        neighbours:
          description: Those of O(addresses) that somebody else answers for, with the hardware address.
          type: dict
          returned: always
          sample: {}
        devices:
          description:
            - Those of O(storage), each with its C(kind) (V(block), V(file), V(missing), …), what it C(holds) by the
              marks on it, its C(owner) (V(ceph) or V(swift)), LVM's C(group) that it is of (empty for a physical volume
              in none, null for what is no physical volume) and where it is C(mounted).
          type: dict
          returned: always
          sample: {/dev/sdb: {kind: block, holds: "", owner: "", group: null, mounted: ""}}
        volume_groups: {description: Names of LVM's volume groups., type: list, elements: str, returned: always}
        cloud:
          description:
            - What the host keeps of the cloud that it is part of, null where it is of none. C(identity) is a digest by
              which preflight knows the operator's secrets, C(names) are those that the cloud was made with.
          type: dict
          returned: always
          sample: {identity: 9f86d081, names: [admin, glance_database]}
        rings:
          description: The versions of Swift's rings that the host has, by their names.
          type: dict
          returned: always
          sample: {account: 4, container: 4, object: 7}
        bridges:
          description: The record of M(cairn.openstack.ovs_bridges), null where it made none.
          type: dict
          returned: always
        machine_id: {description: Content of C(/etc/machine-id)., type: str, returned: always}
        boot_id: {description: Differs after each boot., type: str, returned: always}
"""

import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.cairn.openstack.plugins.module_utils.overview.host_probe import probe


def main() -> None:
    """Return the facts."""
    texts = {"type": "list", "elements": "str", "default": []}
    module = AnsibleModule(
        argument_spec={"names": texts, "addresses": texts, "operator_time": {"type": "float"}, "storage": texts},
        supports_check_mode=True,
    )
    module.exit_json(changed=False, ansible_facts={"cairn_probe": probe(time.time(), **module.params)})


if __name__ == "__main__":
    main()
