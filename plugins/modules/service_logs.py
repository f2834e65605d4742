# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The log lines of a host about a failure."""

from __future__ import annotations

DOCUMENTATION = r"""
module: service_logs
short_description: Find the log lines of services that show why something failed
version_added: 0.1.0
description:
  - Reads the services' units in the journal and their files in C(/var/log), and returns from each source errors, and
    warnings with one of the given ids. Errors with an id come first. Of repeated messages the last one is returned,
    and of tracebacks the end.
  - Also returns which of the units are not running.
options:
  services:
    description: Directories and files in C(/var/log), without C(.log), and prefixes of the names of units.
    type: list
    elements: str
    required: true
  ids:
    description: Ids of the objects and requests concerned.
    type: list
    elements: str
    default: []
  age:
    description: Maximum age of lines in seconds.
    type: int
    default: 600
  limit:
    description: Maximum number of lines per source.
    type: int
    default: 6
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  platform:
    platforms: posix
extends_documentation_fragment: [ansible.builtin.action_common_attributes]
author: The Cairn authors (@cairn)
"""

EXAMPLES = r"""
- name: Find out why a server did not boot
  cairn.openstack.service_logs:
    services: [nova, neutron, libvirt]
    ids: [5c7d3c5e-8a44-4c0e-9f3d-3b7f5a0b8a11]
  become: true
"""

RETURN = r"""
idle:
  description: Units of the services that are enabled but not running.
  type: list
  elements: str
  returned: always
  sample: [nova-compute.service is inactive (dead)]
lines:
  description: Lines by source, a file or a unit.
  type: dict
  returned: always
  sample: {/var/log/nova/nova-compute.log: ["2026-01-01 12:00:00.000 1 ERROR nova.compute.manager …"]}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.cairn.openstack.plugins.module_utils.common import service_logs


def main():
    module = AnsibleModule(
        argument_spec={
            "services": {"type": "list", "elements": "str", "required": True},
            "ids": {"type": "list", "elements": "str", "default": []},
            "age": {"type": "int", "default": 600},
            "limit": {"type": "int", "default": 6},
        },
        supports_check_mode=True,
    )
    services, age = module.params["services"], module.params["age"]
    listed = module.run_command(service_logs.enabled_command(services))[1]
    state = service_logs.state_command(listed)
    idle = service_logs.idle(module.run_command(state)[1]) if state else []
    # Without a journal the files are used.
    text = module.run_command(service_logs.journal_command(services, age))[1]
    sources = {**service_logs.journal(text), **service_logs.files(services, age)}
    chosen = {
        source: service_logs.chosen(lines, module.params["ids"], module.params["limit"])
        for source, lines in sources.items()
    }
    module.exit_json(changed=False, idle=idle, lines={source: lines for source, lines in chosen.items() if lines})


if __name__ == "__main__":
    main()
