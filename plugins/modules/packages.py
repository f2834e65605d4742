#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: packages
short_description: Install all packages of a host in one transaction
version_added: 0.1.0
description:
  - Installs missing packages in one transaction, after completing an interrupted one.
  - Compiles the byte code of all Python packages together and in parallel to dpkg, in half the processor time.
  - Services are not started until they are configured. The block on them disappears if the run is killed.
  - In check mode it reports the missing packages, also on a host whose package lists do not contain them yet.
author: The Cairn authors (@cairn)
options:
  names:
    description: Names of packages. Installed packages are not upgraded.
    type: list
    elements: str
    default: []
  state:
    description: V(absent) purges all packages that this module has installed, and the dependencies only of those.
    type: str
    choices: [present, absent]
    default: present
attributes:
  check_mode:
    description: Can run in check mode and report what it would change.
    support: full
  diff_mode:
    description: Returns a diff of the changes.
    support: full
"""

EXAMPLES = r"""
- name: Install Glance and its database client
  cairn.openstack.packages:
    names: [glance-api, python3-pymysql]

- name: Purge all packages that Cairn installed
  cairn.openstack.packages:
    state: absent
"""

RETURN = r"""
changes:
  description: Packages that were or would be installed, configured or purged.
  type: list
  elements: dict
  returned: always
  contains:
    kind: {description: Kind of object., type: str, returned: always}
    verb: {description: "The action, as a verb in its base form.", type: str, returned: always}
    name: {description: Name of the object., type: str, returned: always}
    detail: {description: "What changed, or why; may be empty.", type: str, returned: always}
  sample: [{kind: package, verb: install, name: glance-api, detail: ""}]
names:
  description: Packages that were missing, or to be purged.
  type: list
  elements: str
  returned: always
seconds:
  description: Duration of each step.
  type: dict
  returned: always
  sample: {lists: 2.1, download: 40.2, install: 151.0}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.cairn.openstack.plugins.module_utils.common import host_lock
from ansible_collections.cairn.openstack.plugins.module_utils.common.changes import listed, returned
from ansible_collections.cairn.openstack.plugins.module_utils.host import packages, py3compile


def main() -> None:
    """Compare, and install unless in check mode."""
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
