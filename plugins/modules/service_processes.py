#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Removes what services' APIs still list of hosts that leave the cloud."""

from __future__ import annotations

DOCUMENTATION = r"""
module: service_processes
short_description: Remove the processes of hosts from the lists of services
version_added: 0.1.0
description:
  - Services such as Nova keep a record of each of their processes, also of those on hosts that have left the cloud.
    Removes them with the services' own commands.
  - Run it when the processes do not run any more, as a process that runs writes its record again.
options:
  hosts:
    description: The hosts that leave the cloud.
    type: list
    elements: str
    required: true
  auth:
    description: The credentials of an administrator.
    type: dict
    required: true
    suboptions:
      url:
        description: URL of Keystone.
        type: str
        required: true
      username:
        description: Name of the user.
        type: str
        default: admin
      password:
        description: Password of the user.
        type: str
        required: true
      project:
        description: Name of the project.
        type: str
        default: admin
      domain:
        description: Domain of the user and the project.
        type: str
        default: Default
      cafile:
        description: CA bundle for https.
        type: path
  cloud:
    description: Entry of the host's C(clouds.yaml) that the commands use.
    type: str
    required: true
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  platform:
    platforms: posix
extends_documentation_fragment: [ansible.builtin.action_common_attributes, cairn.openstack.process_lists]
author: The Cairn authors (@cairn)
"""

EXAMPLES = r"""
- name: Remove what Nova and Neutron list of a host
  cairn.openstack.service_processes:
    process_lists: "{{ host_desired.process_lists }}"
    hosts: [compute9]
    auth: "{{ host_desired.identity.auth }}"
    cloud: cairn
  become: true
"""

RETURN = r"""
changes:
  description: Processes that were or would be removed.
  type: list
  elements: dict
  returned: always
  contains:
    kind: {description: Kind of object., type: str, returned: always}
    verb: {description: "The action, as a verb in its base form.", type: str, returned: always}
    name: {description: The process and its host., type: str, returned: always}
    detail: {description: The command., type: str, returned: always}
  sample:
    - kind: service process
      verb: remove
      name: nova-compute on compute9
      detail: openstack compute service delete 7
"""

import os
import shlex
import subprocess

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.cairn.openstack.plugins.module_utils.common import host_lock
from ansible_collections.cairn.openstack.plugins.module_utils.common.changes import Change, Failed, finish
from ansible_collections.cairn.openstack.plugins.module_utils.control_plane.process_lists import (
    PROCESS_LIST,
    client,
    processes,
)
from ansible_collections.cairn.openstack.plugins.module_utils.control_plane.service_health import AUTH, Caller

# Seconds for a command.
TIMEOUT = 120


def removal(process, cloud):
    """Return the removal of a process as a change."""
    words = process.command("remove")

    def apply():
        said = subprocess.run(
            ["timeout", str(TIMEOUT), *shlex.split(words)],
            env={**os.environ, "OS_CLOUD": cloud},
            capture_output=True,
            text=True,
            check=False,
        )
        if said.returncode:
            raise Failed(f"{words}: {(said.stderr or said.stdout).strip()}")

    return Change("service process", "remove", str(process), {"listed": True}, {"listed": False}, apply, words)


def main():
    module = AnsibleModule(
        argument_spec={
            "process_lists": {"type": "list", "elements": "dict", "default": [], "options": PROCESS_LIST},
            "hosts": {"type": "list", "elements": "str", "required": True},
            "auth": {"type": "dict", "required": True, "options": AUTH},
            "cloud": {"type": "str", "required": True},
        },
        supports_check_mode=True,
    )
    host_lock.acquire(module)
    options = module.params
    try:
        listed = list(processes(options["process_lists"], client(Caller(options["auth"]))))
    except Failed as error:
        module.fail_json(msg=str(error))
    finish(module, [removal(one, options["cloud"]) for one in listed if one.host in options["hosts"]])


if __name__ == "__main__":
    main()
