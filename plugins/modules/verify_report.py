# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of this name, which has the code. Nothing of it runs on a host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: verify_report
short_description: Show the results of verify, and fail if a check failed
version_added: 0.1.0
description:
  - Prints the services' log lines and a table (check, result, seconds, detail), and writes JUnit XML.
options:
  outcome:
    description: The result of M(cairn.openstack.verify).
    type: dict
    required: true
  logs:
    description: Results of M(cairn.openstack.service_logs), looped over the outcome's suspects.
    type: list
    elements: dict
    default: []
  junit:
    description: JUnit XML file on the control node.
    type: path
attributes:
  check_mode:
    support: none
  diff_mode:
    support: none
  platform:
    platforms: posix
extends_documentation_fragment: [ansible.builtin.action_common_attributes]
author: The Cairn authors (@cairn)
"""

EXAMPLES = r"""
- name: Report the results
  cairn.openstack.verify_report:
    outcome: "{{ outcome }}"
    junit: verify.xml
"""

RETURN = r"""
msg:
  description: Numbers of checks that passed, failed and were not run.
  type: str
  returned: always
"""
