#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a report says of a host, in one call."""

from __future__ import annotations

DOCUMENTATION = r"""
module: host_report
short_description: Read what a report says of a host, in one call
version_added: 0.1.0
description:
  - Reads the host's load, memory, disks, NICs, package versions, pending updates, units, the last error lines of their
    logs, certificates, and how it differs from its desired state. Secrets are masked.
  - Uses no network but the host's own APIs. Pending updates are those of apt's lists, as the host last read them.
  - Changes nothing.
options:
  units:
    description: The units, in the form of M(cairn.openstack.units).
    type: list
    elements: dict
    default: []
  packages:
    description: Names of packages.
    type: list
    elements: str
    default: []
  health:
    description: The host's APIs, in the form of the option O(cairn.openstack.service_health#module:services).
    type: list
    elements: dict
    default: []
  first:
    description: Steps to compare, in the form of the option O(cairn.openstack.pending#module:first).
    type: dict
    default: {}
  steps:
    description: Steps to compare if none of O(first) is pending, in the same form.
    type: dict
    default: {}
  networks:
    description:
      - C(address) is the host's management address; C(tunnel), C(external) and C(vlan) are the NICs of these networks;
        C(bridges) are those of M(cairn.openstack.ovs_bridges).
    type: dict
    default: {}
  log_age:
    description: Maximum age of log lines in seconds.
    type: int
    default: 86400
  log_lines:
    description: Maximum number of log lines per source.
    type: int
    default: 3
  mask:
    description: Values to mask in log lines.
    type: list
    elements: str
    default: []
attributes:
  check_mode:
    support: full
    description: Returns the same in check mode.
  diff_mode:
    support: none
    description: Returns no diff.
author: The Cairn authors (@cairn)
"""

EXAMPLES = r"""
- name: Read the host
  cairn.openstack.host_report:
    units: [{name: nova-compute, log: /var/log/nova/nova-compute.log}]
    packages: [nova-compute]
  become: true
  register: read
"""

RETURN = r"""
report:
  description: What was read.
  type: dict
  returned: success
  contains:
    kernel: {description: Release of the running kernel., type: str}
    newer_kernel: {description: "Release of a kernel that was installed after it, or empty.", type: str}
    uptime: {description: Seconds since the boot., type: float}
    disks: {description: "Mounted file systems with bytes, and inodes in percent.", type: list, elements: dict}
    nics: {description: "NICs with carrier, speed in Mbit/s (0 if unknown) and addresses.", type: list, elements: dict}
    packages: {description: Versions of the packages., type: list, elements: dict}
    updates: {description: "Pending updates; new packages have no old version.", type: list, elements: dict}
    units: {description: "The units with state, time of the last change, and memory.", type: list, elements: dict}
    cluster: {description: "State and capacity of Ceph on a host that may ask for them, else null.", type: dict}
    silent: {description: "APIs that do not answer, with the reason.", type: dict}
    errors: {description: Error lines by source., type: dict}
    certificates: {description: Certificates with their ends., type: list, elements: dict}
    drift: {description: The changes that a run would make., type: list, elements: dict}
    unread: {description: "The parts that could not be read, with the reason.", type: dict}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.cairn.openstack.plugins.module_utils.overview import host_report

# AnsibleModule would return its parameters: all passwords and files of a host.
SILENT = {"invocation": {"module_args": {}}}
SECRET = {"no_log": True}


def main() -> None:
    """Read, and return what was read."""
    module = AnsibleModule(
        argument_spec={
            "units": {"type": "list", "elements": "dict", "default": []},
            "packages": {"type": "list", "elements": "str", "default": []},
            "health": {"type": "list", "elements": "dict", "default": [], **SECRET},
            "first": {"type": "dict", "default": {}, **SECRET},
            "steps": {"type": "dict", "default": {}, **SECRET},
            "networks": {"type": "dict", "default": {}},
            "log_age": {"type": "int", "default": 86400},
            "log_lines": {"type": "int", "default": 3},
            "mask": {"type": "list", "elements": "str", "default": [], **SECRET},
        },
        supports_check_mode=True,
    )
    # Otherwise a value as short as "e" would be masked everywhere; the report masks secrets by itself.
    module.no_log_values.clear()
    module.exit_json(changed=False, report=host_report.report(module.params), **SILENT)


if __name__ == "__main__":
    main()
