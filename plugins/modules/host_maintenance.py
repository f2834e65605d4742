#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Moves what runs on a host to other hosts, and back into use."""

from __future__ import annotations

DOCUMENTATION = r"""
module: host_maintenance
short_description: Empty a host of the cloud, bring it back into use, or rebuild elsewhere what a lost host had
version_added: 0.1.0
description:
  - Uses the APIs of Nova and Neutron as the admin user; the task runs on a controller, not on the host itself.
  - Nothing is done twice. What an interrupted task has moved stays moved.
options:
  cloud:
    description: Entry of the host's C(clouds.yaml) to use.
    type: str
    required: true
  host:
    description: Name of the host in Nova and Neutron.
    type: str
    required: true
  state:
    description:
      - V(started) disables nova-compute, so that the host gets no new servers, and migrates its servers. Routers and
        DHCP servers move to other network hosts, whose agents take over before those of the host stop serving.
      - V(ended) enables nova-compute and the agents again, if this module has disabled them. Servers stay where they
        are.
      - V(lost) is for a host that is off, and stays off. It waits until the host does not report
        to Nova any more. Nova rebuilds its servers on other hosts, with the same disks.
        A host that still writes to these disks destroys them.
      - V(removed) is for a host that Nova does not list any more. Its resource provider is deleted, which Placement
        keeps if servers were evacuated from it.
    type: str
    choices: [started, ended, lost, removed]
    required: true
  cold:
    description: Whether running servers that cannot be migrated live are shut down, migrated and started.
    type: bool
    default: true
  shared_disks:
    description:
      - Whether the disks of servers are in storage that all compute hosts share.
      - If not, V(lost) rebuilds only servers that start from a volume. The disks of the others are lost with the host.
    type: bool
    default: false
  timeout:
    description: Timeout in seconds for each server, and for the routers.
    type: int
    default: 600
attributes:
  check_mode:
    support: full
    description: Lists what would move. Nova decides at the migration whether a server can be migrated live.
  diff_mode:
    support: full
  platform:
    platforms: posix
extends_documentation_fragment: [ansible.builtin.action_common_attributes]
requirements: [python3-openstacksdk]
author: The Cairn authors (@cairn)
"""

EXAMPLES = r"""
- name: Move servers away from a compute host
  cairn.openstack.host_maintenance:
    cloud: cairn
    host: compute1
    state: started
  become: true

- name: Bring it back into use
  cairn.openstack.host_maintenance:
    cloud: cairn
    host: compute1
    state: ended
  become: true
"""

RETURN = r"""
changes:
  description: What was or would be done.
  type: list
  elements: dict
  returned: always
  contains:
    kind: {description: Kind of object., type: str, returned: always}
    verb: {description: "The action, as a verb in its base form.", type: str, returned: always}
    name: {description: Name of the object., type: str, returned: always}
    detail: {description: "How, or why; may be empty.", type: str, returned: always}
  sample: [{kind: server, verb: migrate, name: web1 (4b7b7a0e-2c2f-4f8c-9a53-0d2b1f2a6f10), detail: live}]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.cairn.openstack.plugins.module_utils.cloud import sdk
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.maintenance.networks import Networks
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.maintenance.providers import Providers
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.maintenance.servers import Servers
from ansible_collections.cairn.openstack.plugins.module_utils.common import host_lock
from ansible_collections.cairn.openstack.plugins.module_utils.common.changes import Failed, by_stages, finish


def main():
    module = AnsibleModule(
        argument_spec={
            "cloud": {"type": "str", "required": True},
            "host": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["started", "ended", "lost", "removed"], "required": True},
            "cold": {"type": "bool", "default": True},
            "shared_disks": {"type": "bool", "default": False},
            "timeout": {"type": "int", "default": 600},
        },
        supports_check_mode=True,
    )
    host_lock.acquire(module)
    options = module.params
    try:
        conn = sdk.connect(options["cloud"], plan=module.check_mode)
        servers = Servers(conn, options["host"], options["timeout"])
        networks = Networks(conn, options["host"], options["timeout"])
        if options["state"] == "started":
            changes = [*servers.start(options["cold"]), *networks.start()]
        elif options["state"] == "ended":
            changes = [*servers.end(), *networks.end()]
        elif options["state"] == "removed":
            changes = list(Providers(conn, options["host"]).remove())
        else:
            changes = list(servers.lost(options["shared_disks"]))
            try:
                changes += networks.start(lost=True)
            except Failed as error:
                # Servers do not wait for that.
                module.warn(str(error))
    except Failed as error:
        module.fail_json(msg=str(error))

    def perform(due):
        by_stages(due)
        if options["state"] == "started":
            servers.settled()
        if options["state"] in ("started", "lost") and (left := servers.remaining()):
            raise Failed(f"servers that are still on {options['host']}: {left}")

    finish(module, sorted(changes, key=lambda change: change.stage), perform)


if __name__ == "__main__":
    main()
