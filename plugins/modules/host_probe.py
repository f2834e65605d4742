#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: host_probe
short_description: Gather the facts of a host that this collection needs
version_added: 0.1.0
description:
  - Reads the facts that the roles of this collection and preflight use, from C(/proc), C(/sys) and C(ip).
  - Changes nothing, and takes a fraction of the time of M(ansible.builtin.setup).
author: The Cairn authors (@cairn)
options:
  names:
    description: Names to resolve on the host.
    type: list
    elements: str
    default: []
  addresses:
    description: IPv4 addresses of the cloud, probed by ARP on the host's networks to find other hosts that use them.
    type: list
    elements: str
    default: []
  operator_time:
    description: Seconds since the epoch by the clock of the control node, compared with that of the host.
    type: float
  storage:
    description: Paths of devices, or of files used as such, to inspect.
    type: list
    elements: str
    default: []
attributes:
  check_mode:
    description: Reads the same in check mode.
    support: full
  diff_mode:
    description: Returns no diff.
    support: none
"""

EXAMPLES = r"""
- name: Probe the host
  cairn.openstack.host_probe:

- name: Probe the host, its clock and its names
  cairn.openstack.host_probe:
    names: [ntp.example.org]
    operator_time: "{{ now().timestamp() }}"

- name: Show the datapath for Open vSwitch
  ansible.builtin.debug:
    msg: "{{ cairn_probe.ovs_datapath.type }}: {{ cairn_probe.ovs_datapath.why }}"
"""

RETURN = r"""
ansible_facts:
  description: A single fact, so that no other fact of the host is shadowed.
  type: dict
  returned: always
  contains:
    cairn_probe:
      description: The result.
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
          description: Output of C(hostname -f), empty if the name does not resolve within a second.
          type: str
          returned: always
          sample: compute1.example.org
        cpus: {description: Usable processors., type: int, returned: always, sample: 8}
        memory_mb: {description: Total memory in MiB., type: int, returned: always, sample: 16000}
        disk_free_mb: {description: Free space of C(/var/lib) in MiB., type: int, returned: always, sample: 50000}
        disk_mb: {description: Size of that file system in MiB., type: int, returned: always, sample: 90000}
        time: {description: Seconds since the epoch., type: float, returned: always, sample: 1763683200.5}
        clock_offset:
          description: Seconds that the host's clock is ahead of O(operator_time), null without it.
          type: float
          returned: always
          sample: 0.4
        init: {description: "V(systemd), or the name of process 1.", type: str, returned: always, sample: systemd}
        interfaces:
          description:
            - By name, C(mac), C(mtu), C(speed) (in Mbit/s, null if unknown), C(up), C(addresses) (not the link-local
              ones) and C(kind).
          type: dict
          returned: always
          sample:
            eth0:
              {mac: "52:54:00:00:00:01", mtu: 1500, speed: 10000, up: true, addresses: [10.0.0.1/24], kind: physical}
        default_interface: {description: Interface of the default route., type: str, returned: always, sample: eth0}
        default_gateway: {description: Gateway of the default route., type: str, returned: always, sample: 10.0.0.254}
        connection_address:
          description: Address of the host in the current ssh connection, empty without one.
          type: str
          returned: always
          sample: 10.0.0.1
        connection_client:
          description: Address of the control node in the current ssh connection, empty without one.
          type: str
          returned: always
          sample: 10.0.0.200
        connection_port:
          description: Port of the host in the current ssh connection, 0 without one.
          type: int
          returned: always
          sample: 22
        hypervisor:
          description: C(type) is V(kvm) or V(qemu), C(why) the cause.
          type: dict
          returned: always
          sample: {type: kvm, why: vmx and a /dev/kvm that opens}
        ovs_datapath:
          description: C(type) is V(system) or V(netdev), C(why) the cause.
          type: dict
          returned: always
          sample: {type: system, why: the kernel has openvswitch loaded}
        apparmor:
          description: Whether AppArmor confines programs of the host.
          type: bool
          returned: always
          sample: true
        dns_servers:
          description: Addresses of the DNS servers that the host asks, without those on the host itself.
          type: list
          elements: str
          returned: always
          sample: [192.0.2.53]
        has_cloud_init:
          description: Whether the host has a configuration directory of cloud-init.
          type: bool
          returned: always
          sample: false
        listening:
          description:
            - TCP listeners, each with C(address), C(port), C(protocol) (V(tcp) or V(tcp6)), C(process) and the systemd
              C(unit) that it runs in.
          type: list
          elements: dict
          returned: always
          sample: [{address: 0.0.0.0, port: 22, protocol: tcp, process: sshd, unit: ssh.service}]
        firewalls:
          description:
            - Firewalls of the host besides the collection's own that drop packets, each with its C(name) (V(ufw),
              V(firewalld), or family and name of a table), and the C(chain) and C(hook) of a table.
          type: list
          elements: dict
          returned: always
          sample: [{name: inet filter, chain: input, hook: input}]
        unconfigured_units:
          description: Services that were or are being started at boot, and that were never started by a run.
          type: list
          elements: str
          returned: always
          sample: [cron, ssh]
        unfinished_packages:
          description: Packages whose installation was interrupted.
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
          description: Those of O(addresses) that another host uses, with its MAC address.
          type: dict
          returned: always
          sample: {}
        devices:
          description:
            - Those of O(storage), each with its C(kind) (V(block), V(file), V(missing), …), its size in MiB
              (C(size_mb), 0 if it does not open), its C(real) path, its C(number) (major:minor of a block device, file
              system and inode of others), the numbers of what it lies on (C(beneath), such as the disk of a
              partition), what it C(holds) by its signatures, its C(owner) (V(ceph) or V(swift)), its LVM volume
              C(group) (empty for a physical volume in none, null for anything else) and where it is C(mounted).
          type: dict
          returned: always
          sample:
            /dev/sdb:
              {kind: block, size_mb: 95386, real: /dev/sdb, number: "8:16", beneath: [], holds: "", owner: "",
               group: null, mounted: ""}
        volume_groups: {description: Names of the LVM volume groups., type: list, elements: str, returned: always}
        cloud:
          description:
            - The host's record of its cloud, null if it belongs to none. C(identity) is a digest by which preflight
              recognizes the secrets of the cloud, C(names) are the secrets that it was deployed with.
          type: dict
          returned: always
          sample: {identity: 9f86d081, names: [admin, glance_database]}
        first_run:
          description: Whether no run has installed packages on the host, so that all that is there is the host's own.
          type: bool
          returned: always
          sample: false
        rings:
          description: Versions of the host's Swift rings by name.
          type: dict
          returned: always
          sample: {account: 4, container: 4, object: 7}
        bridges:
          description: The record of M(cairn.openstack.ovs_bridges), null if there is none.
          type: dict
          returned: always
        identities:
          description: Names that no other host may have, of the machine and of its iSCSI initiator, by their files.
          type: dict
          returned: always
          sample: {/etc/machine-id: 0123456789abcdef0123456789abcdef}
        boot_id: {description: Id of the current boot., type: str, returned: always}
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
