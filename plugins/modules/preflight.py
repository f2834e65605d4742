#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: preflight
short_description: Find every fault before anything is touched
version_added: 0.1.0
description:
  - Runs on the operator's machine, once for all hosts, and fails with all faults that it finds, each with where it is,
    what was found, what is allowed and what to do. What may be right is a warning.
  - With O(stage=input) it looks at the inventory, the settings, the user's catalog pages and the secrets, and at no
    host; where all is well it takes the lock by which a second run is stopped.
  - With O(stage=hosts) it looks at the facts C(cairn_probe) of M(cairn.openstack.host_probe), and at the results of
    that module, registered as C(preflight_probe), to tell which hosts were not reached. It sets the fact
    C(cairn_left_out), the hosts that the run goes on without, with the reason.
  - With O(stage=end) it says once more who was left out.
author: The Cairn authors (@cairn)
options:
  stage:
    description: What to look at.
    type: str
    choices: [input, hosts, end]
    required: true
attributes:
  check_mode:
    description: Finds the same in check mode, and takes no lock.
    support: full
  diff_mode:
    description: There is nothing to show.
    support: none
"""

EXAMPLES = r"""
- name: Check inventory, settings and secrets
  cairn.openstack.preflight:
    stage: input
  run_once: true
"""

RETURN = r"""
faults:
  description: How many faults there are; the message has them all.
  type: int
  returned: failure
  sample: 2
ansible_facts:
  description: With O(stage=hosts), the fact C(cairn_left_out).
  type: dict
  returned: success
  sample: {cairn_left_out: {compute2: "ssh: connect to host 192.0.2.14 port 22: No route to host"}}
"""
