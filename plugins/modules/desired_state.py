# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of this name, which has the code. Nothing of it runs on a host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: desired_state
short_description: Compute the desired state of a host
version_added: 0.1.0
description:
  - Runs on the control node. Reads the service definitions, the settings and the inventory, and returns the host's
    packages, files, units, databases, users and endpoints, sorted by the step that reads them.
  - Register the result. It contains passwords and keys, so it is not returned as facts, which a fact cache would write
    to a file.
  - Needs the fact C(cairn_probe) of M(cairn.openstack.host_probe). Changes nothing.
author: The Cairn authors (@cairn)
options:
  state:
    description: V(absent) computes how to remove the cloud from the host.
    type: str
    choices: [present, absent]
    default: present
attributes:
  check_mode:
    description: Can run in check mode and report what it would change.
    support: full
  diff_mode:
    description: Returns no diff.
    support: none
"""

EXAMPLES = r"""
- name: Compute the desired state
  cairn.openstack.desired_state:
  register: host_desired
"""

RETURN = r"""
packages:
  description: Packages that the host should have; the other keys are named after their steps.
  type: list
  elements: str
  returned: always
"""
