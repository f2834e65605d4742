# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of this name, which has the code. Nothing of it runs on a host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: explain
short_description: Explain the source of an option's value
version_added: 0.1.0
description:
  - Runs on the control node. Shows the value of an option, each layer that sets it with file and line, and the units
    that read the file. Secrets are masked.
  - Needs the fact C(cairn_probe) of M(cairn.openstack.host_probe). Changes nothing.
author: The Cairn authors (@cairn)
options:
  option:
    description: Service, file, section and option, separated by slashes.
    type: str
    required: true
attributes:
  check_mode:
    description: Can run in check mode and report what it would change.
    support: full
  diff_mode:
    description: Returns no diff.
    support: none
"""

EXAMPLES = r"""
- name: Explain an option
  cairn.openstack.explain:
    option: nova/nova.conf/DEFAULT/cpu_allocation_ratio
"""

RETURN = r"""
found:
  description: Whether the host has the file.
  type: bool
  returned: always
path:
  description: Path of the file on the host.
  type: str
  returned: if found
value:
  description: The value in the file; null if it is not set.
  type: str
  returned: if found
layers:
  description: Layers that set a value, in order of precedence; the last one is effective.
  type: list
  elements: dict
  returned: if found
  contains:
    where:
      description: The layer, with file and line if known.
      type: str
    value:
      description: Its value.
      type: str
units:
  description: Units that read the file.
  type: list
  elements: dict
  returned: if found
  contains:
    name:
      description: Name of the unit.
      type: str
    change:
      description: Effect of a change of the file, V(restart) or V(reload).
      type: str
"""
