# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of this name, which has the code. Nothing of it runs on a host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: desired_state
short_description: Compute a host's part of the cloud
version_added: 0.1.0
description:
  - Runs on the control node. Reads the service definitions, the settings and the inventory, and returns the host's
    packages, files, units, databases, users and endpoints, sorted by the step that reads them.
  - Register what it returns. It holds passwords and keys, so it is no fact, which a fact cache would write to a file.
  - Needs the fact C(cairn_probe) of M(cairn.openstack.host_probe). Changes nothing.
author: The Cairn authors (@cairn)
options:
  state:
    description: V(absent) computes how to remove all of the cloud from the host.
    type: str
    choices: [present, absent]
    default: present
attributes:
  check_mode:
    description: Can run in check mode and say what it would change.
    support: full
  diff_mode:
    description: Says what it changes, as a diff.
    support: none
"""

EXAMPLES = r"""
- name: Compute the desired state
  cairn.openstack.desired_state:
  register: host_desired
"""

RETURN = r"""
packages:
  description: The packages that the host shall have; the other keys are named for the steps that take them.
  type: list
  elements: str
  returned: always
"""
