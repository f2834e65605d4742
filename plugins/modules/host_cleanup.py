#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: host_cleanup
short_description: Remove what services leave behind besides their packages and files
version_added: 0.1.0
description:
  - Stops guests, and removes network namespaces with the processes in them, bridges and directories. Missing ones are
    ignored. C(destroy.yml) calls it.
author: The Cairn authors (@cairn)
options:
  guests:
    description: Prefix of the libvirt names of QEMU guests to stop.
    type: str
  namespaces:
    description: Prefixes of the names of network namespaces to remove.
    type: list
    elements: str
    default: []
  bridges:
    description: Open vSwitch bridges to remove.
    type: list
    elements: str
    default: []
  directories:
    description:
      - Directories to remove with their contents. A directory with a mounted file system in it is refused, and so is
        one that does not belong to a service, such as C(/var/lib). Files of installed packages are kept.
    type: list
    elements: str
    default: []
  packages:
    description: Packages to treat as removed, as a plan does not purge them.
    type: list
    elements: str
    default: []
attributes:
  check_mode:
    description: Can run in check mode and report what it would remove.
    support: full
  diff_mode:
    description: Returns a diff of the removed objects.
    support: full
"""

EXAMPLES = r"""
- name: Remove Nova's guests and Neutron's networks
  cairn.openstack.host_cleanup:
    guests: instance-
    namespaces: [qrouter-, qdhcp-]
    bridges: [br-int, br-tun]
"""

RETURN = r"""
changes:
  description: Objects that were or would be removed.
  type: list
  elements: dict
  returned: always
  contains:
    kind: {description: Kind of object., type: str, returned: always}
    verb: {description: "The action, as a verb in its base form.", type: str, returned: always}
    name: {description: Name of the object., type: str, returned: always}
    detail: {description: "What changed, or why; may be empty.", type: str, returned: always}
  sample: [{kind: guest, verb: end, name: instance-00000001, detail: ""}]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.cairn.openstack.plugins.module_utils.common import host_lock
from ansible_collections.cairn.openstack.plugins.module_utils.common.changes import listed
from ansible_collections.cairn.openstack.plugins.module_utils.host import host_cleanup

NAMES = {"type": "list", "elements": "str", "default": []}


def main() -> None:
    """Search, and remove unless in check mode."""
    module = AnsibleModule(
        argument_spec={
            "guests": {"type": "str"},
            "namespaces": NAMES,
            "bridges": NAMES,
            "directories": NAMES,
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
