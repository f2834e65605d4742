#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: aloud
short_description: Run a command on the control machine and show what it says while it runs
version_added: 0.1.0
description:
  - For long commands in the tests' playbooks, of which M(ansible.builtin.command) would say nothing until they end.
author: The Cairn authors (@cairn)
options:
  argv:
    description: The command and its arguments.
    type: list
    elements: str
    required: true
  chdir:
    description: The directory to run it in.
    type: path
  environment:
    description: Variables to add to its environment.
    type: dict
    default: {}
attributes:
  check_mode:
    description: Runs nothing in check mode.
    support: full
  diff_mode:
    description: There is nothing to show.
    support: none
"""

EXAMPLES = r"""
- name: Test the cloud
  cairn.openstack.aloud:
    argv: [pytest, tests/cloud]
    chdir: "{{ playbook_dir }}/../.."
"""

RETURN = r"""
rc:
  description: The command's exit code.
  returned: unless in check mode
  type: int
"""
