#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: packages
short_description: All of a host's packages in one transaction
version_added: 0.1.0
description:
  - Installs what is missing in one transaction, after repairing what an earlier one left half done.
  - Python packages' byte code is compiled beside dpkg and together, which takes half of the processor's time.
  - Services do not start until they are configured. What holds them back vanishes by itself should the run be killed.
  - In check mode it names the missing packages, also on a host whose package lists do not know them yet.
author: The Cairn authors (@cairn)
options:
  names:
    description: Package names. Newer versions of installed packages are not fetched.
    type: list
    elements: str
    default: []
  state:
    description: V(absent) purges every package that this module ever brought to the host, and what only those needed.
    type: str
    choices: [present, absent]
    default: present
attributes:
  check_mode:
    description: Can run in check mode and say what it would change.
    support: full
  diff_mode:
    description: Says what it changes, as a diff.
    support: full
"""

EXAMPLES = r"""
- name: Glance and its database client
  cairn.openstack.packages:
    names: [glance-api, python3-pymysql]

- name: The host without what Cairn brought
  cairn.openstack.packages:
    state: absent
"""

RETURN = r"""
changes:
  description: The packages that were installed, configured or purged, or would be.
  type: list
  elements: dict
  returned: always
  contains:
    kind: {description: What it is., type: str, returned: always}
    verb: {description: "What is done to it, in the verb's base form.", type: str, returned: always}
    name: {description: Which one., type: str, returned: always}
    detail: {description: "What of it, or why; may be empty.", type: str, returned: always}
  sample: [{kind: package, verb: install, name: glance-api, detail: ""}]
names:
  description: The packages that were missing, or were to be purged.
  type: list
  elements: str
  returned: always
seconds:
  description: How long each step took.
  type: dict
  returned: always
  sample: {lists: 2.1, download: 40.2, install: 151.0}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.cairn.openstack.plugins.module_utils.common import host_lock
from ansible_collections.cairn.openstack.plugins.module_utils.common.changes import listed, returned
from ansible_collections.cairn.openstack.plugins.module_utils.host import packages, py3compile


def main() -> None:
    """Compare, and unless in check mode install."""
    module = AnsibleModule(
        argument_spec={
            **packages.SPEC,
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        supports_check_mode=True,
    )
    host_lock.acquire(module)
    if not module.check_mode:
        try:
            packages.wait_for_lock()
        except packages.PackageError as error:
            module.fail_json(msg=str(error))
    todo, half = packages.lacking(module.params["names"])
    if module.params["state"] == "absent":
        try:
            todo = packages.brought({*packages.status()[0], *half})
        except packages.PackageError as error:
            module.fail_json(msg=str(error))
        changes = [returned("package", "purge", name) for name in todo]
    else:
        changes = [returned("package", "install", name) for name in todo]
        changes += [returned("package", "configure", name) for name in half]
    result = {"changed": bool(changes), "changes": changes, "names": todo, "seconds": {}}
    if changes:
        result["diff"] = listed(changes)
        if not module.check_mode:
            try:
                absent = module.params["state"] == "absent"
                result["seconds"] = packages.purge(todo) if absent else packages.install(todo, half)
            except (packages.PackageError, py3compile.CompileError) as error:
                module.fail_json(msg=str(error), **result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
