#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the commands whose effect a check does not find."""

from __future__ import annotations

DOCUMENTATION = r"""
module: guarded_commands
short_description: Run a list of commands, each unless a check finds its effect
version_added: 0.1.0
description:
  - Compares all first, then runs what is needed, in order.
options:
  commands:
    description: The commands, without a shell.
    type: list
    elements: dict
    required: true
    suboptions:
      run:
        description: The command.
        type: str
        required: true
      unless:
        description: A command that exits with 0 if O(commands[].run) is not needed.
        type: str
        required: true
  host:
    description: Name of a host that replaces V(%(host\)s) in the commands.
    type: str
    default: ""
attributes:
  check_mode:
    support: full
    description: Runs the checks only.
  diff_mode:
    support: full
  platform:
    platforms: posix
extends_documentation_fragment: [ansible.builtin.action_common_attributes]
author: The Cairn authors (@cairn)
"""

EXAMPLES = r"""
- name: Keep Ceph from moving the data of a host that is off for a while
  cairn.openstack.guarded_commands:
    commands:
      - run: ceph osd set-group noout storage1
        unless: sh -c 'ceph osd dump | grep -q "crush_node_flags.*storage1.*noout"'
  become: true
"""

RETURN = r"""
changes:
  description: Commands that were or would be run.
  type: list
  elements: dict
  returned: always
  contains:
    kind: {description: Kind of object., type: str, returned: always}
    verb: {description: "The action, as a verb in its base form.", type: str, returned: always}
    name: {description: The command., type: str, returned: always}
    detail: {description: Empty., type: str, returned: always}
  sample: [{kind: command, verb: run, name: ceph osd set-group noout storage1, detail: ""}]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.cairn.openstack.plugins.module_utils.common import host_lock
from ansible_collections.cairn.openstack.plugins.module_utils.common.changes import Change, Failed, finish
from ansible_collections.cairn.openstack.plugins.module_utils.host.units import command

# Seconds for a command: RabbitMQ forgets a node only after it has tried to reach it.
TIMEOUT = 300


def change(run):
    """Return the command as a change."""

    def apply():
        said = command(run, TIMEOUT)
        if said.returncode:
            raise Failed((said.stderr or said.stdout).strip() or f"exit status {said.returncode}")

    return Change("command", "run", run, {"run": False}, {"run": True}, apply)


def main():
    module = AnsibleModule(
        argument_spec={
            "commands": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "run": {"type": "str", "required": True},
                    "unless": {"type": "str", "required": True},
                },
            },
            "host": {"type": "str", "default": ""},
        },
        supports_check_mode=True,
    )
    host_lock.acquire(module)
    host = module.params["host"]
    commands = [
        {key: words.replace("%(host)s", host) for key, words in one.items()} for one in module.params["commands"]
    ]
    finish(module, [change(one["run"]) for one in commands if command(one["unless"]).returncode])


if __name__ == "__main__":
    main()
