# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One phase of a run of the role verify."""

from __future__ import annotations

DOCUMENTATION = r"""
module: verify_phase
short_description: Use a cloud as an unprivileged user
version_added: 0.1.0
description:
  - The part of the action P(cairn.openstack.verify#module) that runs on a controller. Use that one.
options:
  phase:
    description:
      - V(use) creates a project and a user and, as that user, everything up to running servers.
      - V(copies) copies the volume that a server wrote to.
      - V(reach) pings an address, V(probe) uses the servers, both from this host.
      - V(clean) removes all objects of the run.
    type: str
    choices: [use, copies, reach, probe, clean]
    required: true
  cloud:
    description: Entry of the admin user in the host's C(clouds.yaml).
    type: str
    required: true
  run:
    description: Name, or prefix of the names, of the run's objects.
    type: str
    required: true
  options:
    description: The action's options.
    type: dict
    required: true
  public_key:
    description: The public ssh key for the servers.
    type: str
  private_key:
    description: The private key, for O(phase=probe).
    type: str
  image_file:
    description: A copy on this host of the image to upload if the cloud has none.
    type: path
  image_offered:
    description: Whether such a copy is available on request.
    type: bool
    default: false
  address:
    description: The address for O(phase=reach).
    type: str
  seconds:
    description: Seconds to try.
    type: int
    default: 10
  made:
    description: Objects created by O(phase=use).
    type: dict
    default: {}
  outcomes:
    description: The outcomes so far, by check.
    type: dict
    default: {}
  part:
    description: Which checks of O(phase=probe) to run, those of servers or those that read V(copies).
    type: str
    choices: [servers, copies]
    default: servers
  keep:
    description: With O(phase=clean), keep the first server with its resources.
    type: bool
    default: false
  consoles:
    description: With O(phase=clean), the ids of servers whose console logs are read first.
    type: list
    elements: str
    default: []
attributes:
  check_mode:
    support: none
  diff_mode:
    support: none
  platform:
    platforms: posix
extends_documentation_fragment: [ansible.builtin.action_common_attributes]
requirements: [python3-openstacksdk, ssh]
author: The Cairn authors (@cairn)
"""

EXAMPLES = r"""
- name: Remove the objects of a run
  cairn.openstack.verify_phase:
    phase: clean
    cloud: cairn
    run: cairn-verify-20260101120000-0a1b
    options: {delete_timeout: 60}
  become: true
"""

RETURN = r"""
results:
  description: For each check its name, outcome, seconds and detail, and where to search for the cause of a failure.
  type: list
  elements: dict
  returned: for all phases but C(reach), except when an image is wanted
made:
  description: The servers and addresses, for the phase C(probe).
  type: dict
  returned: for the phases C(use) and C(copies)
image_wanted:
  description: Whether the image is missing, so that this must run again with O(image_file).
  type: bool
  returned: when the image was offered and is missing
reached:
  description: Whether the address responded.
  type: bool
  returned: for the phase C(reach)
consoles:
  description: Ends of console logs by server ID.
  type: dict
  returned: for the phase C(clean)
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.cairn.openstack.plugins.module_utils.cloud import sdk
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify.phases import PHASES
from ansible_collections.cairn.openstack.plugins.module_utils.common.changes import Failed


def main():
    module = AnsibleModule(
        argument_spec={
            "phase": {"type": "str", "choices": list(PHASES), "required": True},
            "cloud": {"type": "str", "required": True},
            "run": {"type": "str", "required": True},
            "options": {"type": "dict", "required": True},
            "public_key": {"type": "str", "no_log": False},
            "private_key": {"type": "str", "no_log": True},
            "image_file": {"type": "path"},
            "image_offered": {"type": "bool", "default": False},
            "address": {"type": "str"},
            "seconds": {"type": "int", "default": 10},
            "made": {"type": "dict", "default": {}},
            "outcomes": {"type": "dict", "default": {}},
            "part": {"type": "str", "choices": ["servers", "copies"], "default": "servers"},
            "keep": {"type": "bool", "default": False},
            "consoles": {"type": "list", "elements": "str", "default": []},
        },
    )
    try:
        admin = sdk.connect(module.params["cloud"])
    except Failed as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, **PHASES[module.params["phase"]](module.params, admin))


if __name__ == "__main__":
    main()
