# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of this name, which has the code. Nothing of it runs on a host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: preflight
short_description: Find all errors before a host is changed
version_added: 0.1.0
description:
  - Runs on the control node, once for all hosts, and fails with all errors at once, each with its place, what was
    found, what is allowed and what to do. Doubtful values are warnings.
  - With O(stage=input) it checks the inventory, the settings, the user's service definitions and the secrets without
    contacting a host; without errors it takes the lock that prevents a second run.
  - With O(stage=hosts) it checks the facts C(cairn_probe) of M(cairn.openstack.host_probe), and at the results of
    that module, registered as C(preflight_probe), to tell which hosts were not reached. It sets the fact
    C(cairn_skipped), the hosts that the run goes on without, with the reason.
  - With O(stage=end) it reports the unreachable hosts once more.
author: The Cairn authors (@cairn)
options:
  stage:
    description: What to check.
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
errors:
  description: Number of errors; the message lists them all.
  type: int
  returned: failure
  sample: 2
ansible_facts:
  description: With O(stage=hosts), the fact C(cairn_skipped).
  type: dict
  returned: success
  sample: {cairn_skipped: {compute2: "ssh: connect to host 192.0.2.14 port 22: No route to host"}}
"""
