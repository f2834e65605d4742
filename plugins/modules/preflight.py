# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of this name, which has the code. Nothing of it runs on a host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: preflight
short_description: Find all errors before a host is changed
version_added: 0.1.0
description:
  - Runs on the control node, once for all hosts, and fails with all errors at once, each with its place, the value
    found, the values allowed and the remedy. Doubtful values are warnings.
  - With O(stage=input) it checks the inventory, the settings, the user's service definitions and the secrets without
    contacting a host; without errors it takes the lock that prevents a second run.
  - With O(stage=hosts) it checks the facts C(cairn_probe) of M(cairn.openstack.host_probe), and the results of that
    module, registered as C(preflight_probe), to find unreachable hosts. It sets the fact C(cairn_skipped), the hosts
    that the run continues without, with the reasons.
  - With O(stage=end) it reports the skipped hosts again.
author: The Cairn authors (@cairn)
options:
  stage:
    description: What to check.
    type: str
    choices: [input, hosts, end]
    required: true
attributes:
  check_mode:
    description: Checks the same in check mode, without taking the lock.
    support: full
  diff_mode:
    description: Returns no diff.
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
lock_directory:
  description: With O(stage=input), the directory whose lock the run has; the callback records the run there.
  type: str
  returned: success, and not in check mode
  sample: /home/me/inventories/mine/.secrets
ansible_facts:
  description: With O(stage=hosts), the fact C(cairn_skipped).
  type: dict
  returned: success
  sample: {cairn_skipped: {compute2: "ssh: connect to host 192.0.2.14 port 22: No route to host"}}
"""
