#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: part
short_description: Compute a host's part of the cloud
version_added: 0.1.0
description:
  - Runs on the operator's machine. Reads the catalogue's pages, the settings and the inventory, and sets the fact
    C(cairn) with the host's packages, files, units, databases, accounts and endpoints, sorted by the verb that
    reads them.
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
- name: Compute the host's part of the cloud
  cairn.openstack.part:
"""

RETURN = r"""
ansible_facts:
  description: The fact C(cairn).
  type: dict
  returned: always
"""
