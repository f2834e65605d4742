# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of this name, which has the code. Nothing of it runs on a host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: explain
short_description: Tells where the value of an option comes from
version_added: 0.1.0
description:
  - Runs on the control node. Shows the value of an option, each layer that names it with file and line, and which units
    read the file. Secrets are masked.
  - Needs the fact C(cairn_probe) of M(cairn.openstack.host_probe). Changes nothing.
author: The Cairn authors (@cairn)
options:
  option:
    description: Service, file, section and option, with slashes between.
    type: str
    required: true
attributes:
  check_mode:
    description: Can run in check mode and say what it would change.
    support: full
  diff_mode:
    description: Says what it changes, as a diff.
    support: none
"""

EXAMPLES = r"""
- name: Where does it come from
  cairn.openstack.explain:
    option: nova/nova.conf/DEFAULT/cpu_allocation_ratio
"""

RETURN = r"""
found:
  description: Whether the host has such a file.
  type: bool
  returned: always
path:
  description: The file's path on the host.
  type: str
  returned: if found
value:
  description: The value as it stands in the file; null where it is not set.
  type: str
  returned: if found
layers:
  description: Where values come from, general to particular; the last one counts.
  type: list
  elements: dict
  returned: if found
  contains:
    where:
      description: The layer, with file and line where they are known.
      type: str
    value:
      description: What it says.
      type: str
units:
  description: Who reads the file.
  type: list
  elements: dict
  returned: if found
  contains:
    name:
      description: The unit.
      type: str
    change:
      description: What a change of the file does to it, V(restart) or V(reload).
      type: str
"""
