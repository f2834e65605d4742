# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Key repositories of Keystone."""

from __future__ import annotations

DOCUMENTATION = r"""
module: fernet_keys
short_description: Manage Keystone's key repositories (Fernet tokens, credentials)
version_added: 0.1.0
description:
  - Creates a key repository that is missing or empty, so that every controller starts with the same keys.
  - A repository with keys keeps them, as they may have been rotated; its modes and owners are corrected. A lost key is
    replaced by the given one if the repository was never rotated. In another one, only a lost staged key (C(0)) is
    replaced, by a new one, which differs on each host; C(keystone-manage fernet_rotate) fails without it. Another key
    that such a repository lacks is named in a warning.
options:
  repositories:
    description: The repositories.
    type: list
    elements: dict
    required: true
    suboptions:
      path:
        description: Directory of the repository.
        type: path
        required: true
      keys:
        description: The keys, each 32 bytes in URL-safe base64. The first is the staged one, the last the primary.
        type: list
        elements: str
        required: true
      owner:
        description: Owner of the directory (mode 0700) and its files (mode 0600).
        type: str
        default: keystone
      group:
        description: Group of the directory and its files.
        type: str
        default: keystone
attributes:
  check_mode:
    support: full
    description: An owner that does not exist yet is not an error.
  diff_mode:
    support: full
    description: Shows modes, owners and the number of keys, never a key.
author: The Cairn authors (@cairn)
"""

EXAMPLES = r"""
- name: Create Keystone's keys
  cairn.openstack.fernet_keys:
    repositories:
      - {path: /etc/keystone/fernet-keys, keys: "{{ fernet_keys }}"}
      - {path: /etc/keystone/credential-keys, keys: "{{ credential_keys }}"}
  become: true
"""

RETURN = r"""
changes:
  description: Each repository that was changed, or would be.
  type: list
  elements: dict
  returned: always
  contains:
    kind: {description: Kind of object., type: str, returned: always}
    verb: {description: "The action, as a verb in its base form.", type: str, returned: always}
    name: {description: Name of the object., type: str, returned: always}
    detail: {description: "What changed, or why; may be empty.", type: str, returned: always}
  sample: [{kind: key repository, verb: create, name: /etc/keystone/fernet-keys, detail: ""}]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.cairn.openstack.plugins.module_utils.common import host_lock
from ansible_collections.cairn.openstack.plugins.module_utils.common.changes import Failed, finish
from ansible_collections.cairn.openstack.plugins.module_utils.control_plane import fernet_keys


def main():
    module = AnsibleModule(argument_spec=fernet_keys.SPEC, supports_check_mode=True)
    host_lock.acquire(module)
    try:
        changes = fernet_keys.compute(module.params)
        warnings = fernet_keys.warnings(module.params)
    except Failed as error:
        module.fail_json(msg=str(error))
    for warning in warnings:
        module.warn(warning)
    finish(module, changes)


if __name__ == "__main__":
    main()
