# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole identity catalog in one session."""

from __future__ import annotations

DOCUMENTATION = r"""
module: identity
short_description: A whole identity catalog in one session
version_added: 0.1.0
description:
  - Creates and repairs domains, projects, roles, users, their grants, services and endpoints. Lists everything once and
    makes only the differences. What is not named is left alone.
  - Speaks Keystone's API without further Python packages, whose import takes longer than a call with nothing to do.
options:
  auth:
    description: The administrator, of the domain O(auth.domain).
    type: dict
    required: true
    suboptions:
      url:
        description: Keystone's URL, with or without C(/v3).
        type: str
        required: true
      username:
        description: Name of the administrator.
        type: str
        default: admin
      password:
        description: The administrator's password.
        type: str
        required: true
      project:
        description: The administrator's project.
        type: str
        default: admin
      domain:
        description: The domain of both.
        type: str
        default: Default
      cafile:
        description: Bundle of the CAs to trust, in PEM. The system's by default.
        type: path
  bootstrap:
    description:
      - When the administrator is refused, makes or repairs it by C(keystone-manage bootstrap), which needs C(become).
    type: bool
    default: true
  region:
    description: Region of the endpoints.
    type: str
    required: true
  wait:
    description: Seconds to wait for the API. Check mode doesn't wait.
    type: int
    default: 60
  domains:
    description: Domains.
    type: list
    elements: dict
    default: []
    suboptions:
      name: {description: Name of the domain., type: str, required: true}
      description: {description: What it is for., type: str}
  projects:
    description: Projects.
    type: list
    elements: dict
    default: []
    suboptions:
      name: {description: Name of the project., type: str, required: true}
      domain: {description: Its domain., type: str, default: Default}
      description: {description: What it is for., type: str}
      state: {description: Whether it exists., type: str, choices: [present, absent], default: present}
  roles:
    description: Names of roles.
    type: list
    elements: str
    default: []
  users:
    description: Users.
    type: list
    elements: dict
    default: []
    suboptions:
      name: {description: Name of the user., type: str, required: true}
      password:
        description: Its password. Verified by asking for a token, set when that is refused, left alone when not given.
        type: str
      domain: {description: Its domain., type: str, default: Default}
      project: {description: The project of its roles. Without one they are on the domain., type: str}
      roles: {description: Names of the roles it has there., type: list, elements: str, default: []}
      system_roles: {description: Names of the roles it has on the system., type: list, elements: str, default: []}
      state: {description: Whether it exists., type: str, choices: [present, absent], default: present}
  services:
    description: Services. There is one of each type.
    type: list
    elements: dict
    default: []
    suboptions:
      name: {description: Name of the service., type: str, required: true}
      type: {description: Its type., type: str, required: true}
      description: {description: What it is., type: str}
      enabled: {description: Whether it is in the catalog that clients see., type: bool, default: true}
      endpoints:
        description: Its URLs. An interface that is not named is left alone; of duplicates one remains.
        type: dict
        default: {}
        suboptions:
          public: {description: For everybody., type: str}
          internal: {description: For the services., type: str}
          admin: {description: For administrators., type: str}
      state:
        description: V(absent) deletes the service with its endpoints.
        type: str
        choices: [present, absent]
        default: present
attributes:
  check_mode:
    support: full
    description: Where Keystone doesn't answer or doesn't know the administrator, tells what would be created.
  diff_mode:
    support: full
    description: Shows one difference per object; of a password only whether it is the given one.
author: The Cairn authors (@cairn)
"""

EXAMPLES = r"""
- name: Identity of the image service
  cairn.openstack.identity:
    auth: {url: "https://cloud.example:5000", password: "{{ admin_password }}"}
    region: RegionOne
    projects: [{name: service}]
    users: [{name: glance, password: "{{ glance_password }}", project: service, roles: [service]}]
    services:
      - name: glance
        type: image
        endpoints: {public: "https://cloud.example:9292", internal: "https://cloud.example:9292"}
"""

RETURN = r"""
changes:
  description: Each object that was changed, or would be.
  type: list
  elements: dict
  returned: always
  contains:
    kind: {description: What it is., type: str, returned: always}
    verb: {description: "What is done to it, in the verb's base form.", type: str, returned: always}
    name: {description: Which one., type: str, returned: always}
    detail: {description: "What of it, or why; may be empty.", type: str, returned: always}
  sample: [{kind: user, verb: change, name: glance, detail: password}]
reachable:
  description: Whether Keystone answered and let the administrator in; C(false) only in check mode.
  type: bool
  returned: always
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.cairn.openstack.plugins.module_utils.common import host_lock
from ansible_collections.cairn.openstack.plugins.module_utils.common.changes import Failed, finish
from ansible_collections.cairn.openstack.plugins.module_utils.control_plane import identity
from ansible_collections.cairn.openstack.plugins.module_utils.control_plane.identity_spec import SPEC


def main():
    module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True)
    host_lock.acquire(module)
    try:
        keystone = identity.Keystone(module.params["auth"])
        changes, reachable = identity.compute(keystone, module.params, module.check_mode)
    except Failed as error:
        module.fail_json(msg=str(error))
    users = module.params["users"]
    finish(module, changes, lambda due: identity.perform(due, users), reachable=reachable)


if __name__ == "__main__":
    main()
