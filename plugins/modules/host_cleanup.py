#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: host_cleanup
short_description: Remove what services leave beside their packages and files
version_added: 0.1.0
description:
  - Stops guests, and removes network namespaces with the processes in them, bridges and directories. Missing ones are
    ignored. C(destroy.yml) calls it.
author: The Cairn authors (@cairn)
options:
  guests:
    description: Stop QEMU guests whose libvirt names start with one of these.
    type: str
  namespaces:
    description: Remove the network namespaces whose names begin so.
    type: list
    elements: str
    default: []
  bridges:
    description: Remove these bridges of Open vSwitch.
    type: list
    elements: str
    default: []
  folders:
    description:
      - Remove these directories with their contents. One that has a file system mounted in it is refused, and so is
        one that is not a service's own, such as C(/var/lib). What belongs to an installed package stays.
    type: list
    elements: str
    default: []
  packages:
    description: Packages that count as gone, since a plan does not purge them.
    type: list
    elements: str
    default: []
attributes:
  check_mode:
    description: Can run in check mode and say what it would remove.
    support: full
  diff_mode:
    description: Says what it removes, as a diff.
    support: full
"""

EXAMPLES = r"""
- name: Nova's guests and Neutron's networks
  cairn.openstack.host_cleanup:
    guests: instance-
    namespaces: [qrouter-, qdhcp-]
    bridges: [br-int, br-tun]
"""

RETURN = r"""
changes:
  description: What was there.
  type: list
  elements: dict
  returned: always
  contains:
    kind: {description: What it is., type: str, returned: always}
    verb: {description: "What is done to it, in the verb's base form.", type: str, returned: always}
    name: {description: Which one., type: str, returned: always}
    detail: {description: "What of it, or why; may be empty.", type: str, returned: always}
  sample: [{kind: guest, verb: end, name: instance-00000001, detail: ""}]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.cairn.openstack.plugins.module_utils.common import host_lock
from ansible_collections.cairn.openstack.plugins.module_utils.common.changes import listed
from ansible_collections.cairn.openstack.plugins.module_utils.host import host_cleanup

NAMES = {"type": "list", "elements": "str", "default": []}


def main() -> None:
    """Look, and unless in check mode remove."""
    module = AnsibleModule(
        argument_spec={
            "guests": {"type": "str"},
            "namespaces": NAMES,
            "bridges": NAMES,
            "folders": NAMES,
            "packages": NAMES,
        },
        supports_check_mode=True,
    )
    host_lock.acquire(module)
    changes = []
    try:
        for change, remove in list(host_cleanup.found(module.params)):
            if not module.check_mode:
                remove()
            changes.append(change)
    except (host_cleanup.CleanupError, OSError) as error:
        module.fail_json(msg=str(error), changed=bool(changes), changes=changes)
    module.exit_json(changed=bool(changes), changes=changes, diff=listed(changes))


if __name__ == "__main__":
    main()
