# Copyright (c) 2026 The Cairn authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The lab's hosts in the inventory."""

from __future__ import annotations

from ansible.errors import AnsibleFilterError

# The hosts of the last group do not belong to a cloud.
GROUPS = ("controller", "network", "compute", "storage", "lab")
# Host variables, and their names in the module lab_hosts.
VARIABLES = {"lab_networks": "networks", "lab_emulated": "emulated", "lab_disks": "disks", "lab_memory": "memory"}


def lab_hosts(groups, hostvars, only=None):
    """Return each host of these groups once, with its address and other variables; or only some of them."""
    names = dict.fromkeys(name for group in GROUPS for name in groups.get(group, []))
    if only is not None:
        unknown = [name for name in only if name not in names]
        if unknown:
            raise AnsibleFilterError(f"not in the groups {', '.join(GROUPS)} of this inventory: {', '.join(unknown)}")
        names = only
    found = []
    for name in names:
        item = {"name": str(name), "address": str(hostvars[name].get("ansible_host", ""))}
        item |= {key: hostvars[name][variable] for variable, key in VARIABLES.items() if hostvars[name].get(variable)}
        found.append(item)
    return found


class FilterModule:
    """The filter."""

    def filters(self):
        return {"lab_hosts": lab_hosts}
