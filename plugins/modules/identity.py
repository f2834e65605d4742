# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keystone's projects, users, roles and service catalog in one session."""

from __future__ import annotations

DOCUMENTATION = r"""
module: identity
short_description: Manage Keystone's projects, users, roles and service catalog in one call
version_added: 0.1.0
description:
  - Creates and corrects domains, projects, roles, users, their grants, services and endpoints. Lists all objects once
    and changes only the differences. Objects that are not listed are left unchanged, but O(identity_providers).
  - Exempts the listed users and the admin user from what C([security_compliance]) demands of people, by the options
    C(ignore_lockout_failure_attempts), C(ignore_password_expiry), C(ignore_change_password_upon_first_use) and
    C(ignore_user_inactivity), and enables them. Listed users need no further factor.
  - Warns about endpoints of the listed services in other regions, with a host name of O(services[].endpoints).
  - Uses Keystone's API without further Python packages, whose import takes longer than a call without changes.
options:
  auth:
    description: Credentials of the admin user, in the domain O(auth.domain).
    type: dict
    required: true
    suboptions:
      url:
        description: Keystone's URL, with or without C(/v3).
        type: str
        required: true
      username:
        description: Name of the admin user.
        type: str
        default: admin
      password:
        description: Password of the admin user.
        type: str
        required: true
      project:
        description: Project of the admin user.
        type: str
        default: admin
      domain:
        description: Domain of user and project.
        type: str
        default: Default
      cafile:
        description: CA bundle in PEM format; the system's by default.
        type: path
  bootstrap:
    description:
      - If the admin user cannot log in, create or correct it with C(keystone-manage bootstrap), which needs C(become).
      - C(keystone-manage) does not help a user that is disabled or locked, or whose password has expired. If Keystone's
        database is on this host, such a user is exempted there, and enabled.
    type: bool
    default: true
  region:
    description: Region of the endpoints.
    type: str
    required: true
  wait:
    description: Seconds to wait for the API. Check mode does not wait.
    type: int
    default: 60
  domains:
    description: Domains.
    type: list
    elements: dict
    default: []
    suboptions:
      name: {description: Name of the domain., type: str, required: true}
      description: {description: Description., type: str}
      ldap:
        description: Options of Keystone's section C([ldap]), for a domain whose users and groups are in a directory.
        type: dict
      ldap_password:
        description: Password of the user in O(domains[].ldap).
        type: str
      state:
        description:
          - With V(absent), the domain is disabled and its directory forgotten. It is not deleted, as its projects would
            be, too.
        type: str
        choices: [present, absent]
        default: present
  projects:
    description: Projects.
    type: list
    elements: dict
    default: []
    suboptions:
      name: {description: Name of the project., type: str, required: true}
      domain: {description: Its domain., type: str, default: Default}
      description: {description: Description., type: str}
      state: {description: Whether it exists., type: str, choices: [present, absent], default: present}
  identity_providers:
    description:
      - Providers outside of Keystone that tell it who a user is. One that a former call has made, and that is not
        listed, is deleted with its users, its protocol and its mapping; its domain stays.
    type: list
    elements: dict
    default: []
    suboptions:
      name: {description: "Name of the provider, and of its mapping.", type: str, required: true}
      domain: {description: Domain of its users. It is created if it is not there., type: str, required: true}
      remote_ids:
        description: The names that the provider has for itself.
        type: list
        elements: str
        required: true
      protocol: {description: Name of the protocol., type: str, required: true}
      remote_id_attribute:
        description: Variable of a request that must have one of O(identity_providers[].remote_ids).
        type: str
        required: true
      mapping: {description: Keystone's mapping rules., type: list, elements: dict, required: true}
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
        description: Its password. Verified by requesting a token, set if that fails, left unchanged if not given.
        type: str
      domain: {description: Its domain., type: str, default: Default}
      project: {description: Project of its roles. Without one they are on the domain., type: str}
      roles: {description: Names of its roles there., type: list, elements: str, default: []}
      system_roles: {description: Names of its roles on the system., type: list, elements: str, default: []}
      state: {description: Whether it exists., type: str, choices: [present, absent], default: present}
  services:
    description: Services, one of each type.
    type: list
    elements: dict
    default: []
    suboptions:
      name: {description: Name of the service., type: str, required: true}
      type: {description: Its type., type: str, required: true}
      description: {description: Description., type: str}
      enabled: {description: Whether it is in the service catalog of tokens., type: bool, default: true}
      endpoints:
        description: Its URLs. An interface that is not listed is left unchanged; duplicates are removed.
        type: dict
        default: {}
        suboptions:
          public: {description: For all users., type: str}
          internal: {description: For the services., type: str}
          admin: {description: For administration., type: str}
      state:
        description: V(absent) deletes the service with its endpoints.
        type: str
        choices: [present, absent]
        default: present
attributes:
  check_mode:
    support: full
    description: If Keystone does not respond or the admin user cannot log in, reports what would be created.
  diff_mode:
    support: full
    description: Shows one difference per object; for a password only whether it matches.
author: The Cairn authors (@cairn)
"""

EXAMPLES = r"""
- name: Register the image service
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
  description: Objects that were or would be changed.
  type: list
  elements: dict
  returned: always
  contains:
    kind: {description: Kind of object., type: str, returned: always}
    verb: {description: "The action, as a verb in its base form.", type: str, returned: always}
    name: {description: Name of the object., type: str, returned: always}
    detail: {description: "What changed, or why; may be empty.", type: str, returned: always}
  sample: [{kind: user, verb: change, name: glance, detail: password}]
reachable:
  description: Whether Keystone responded and the admin user could log in; C(false) only in check mode.
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
        changes, warnings, reachable = identity.compute(keystone, module.params, module.check_mode)
    except Failed as error:
        module.fail_json(msg=str(error))
    for warning in warnings:
        module.warn(warning)
    users = module.params["users"]
    finish(module, changes, lambda due: identity.perform(due, users), reachable=reachable)


if __name__ == "__main__":
    main()
