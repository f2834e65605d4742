# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The resources of a cloud, created and updated in one session."""

from __future__ import annotations

DOCUMENTATION = r"""
module: resources
short_description: Manage the resources of a cloud, declared in lists, in one session
version_added: 0.1.0
description:
  - Creates and updates projects, users, groups, flavors, aggregates, images, networks, routers and prices.
  - Only declared objects are changed, and of these only the given fields. Objects are deleted only by an entry with
    C(state=absent).
  - Fails before any change if a field cannot be changed in place.
options:
  cloud:
    description: Entry of the host's C(clouds.yaml) to use.
    type: str
    required: true
  staged:
    description: Copies of image files on the host by path on the control node. Set by the action plugin.
    type: dict
    default: {}
  ldap_domains:
    description:
      - The domains whose users and groups are in a directory, which is only read, each with its state. While the
        directory does not answer, they are left as they are, with a warning; so are those of an C(absent) one, without.
    type: dict
    default: {}
attributes:
  check_mode:
    support: full
    description:
      - If no cloud is configured yet, reports what would be created.
      - If an API does not respond within half a minute, or with status 5xx, warns and compares nothing.
  diff_mode:
    support: full
    description: Shows one difference per object, without passwords.
  platform:
    platforms: posix
extends_documentation_fragment:
  - ansible.builtin.action_common_attributes
  - cairn.openstack.resources
requirements: [python3-openstacksdk]
author: The Cairn authors (@cairn)
"""

EXAMPLES = r"""
- name: Create a project with its own network
  cairn.openstack.resources:
    cloud: cairn
    projects:
      - {name: demo, quota: {compute: {cores: 8, ram: 16384}}}
    users:
      - {name: alice, password: "{{ alice_password }}", project: demo, roles: [member]}
    networks:
      - name: demo
        project: demo
        subnets: [{name: demo, cidr: 192.168.10.0/24}]
    routers:
      - {name: demo, project: demo, external_network: public, subnets: [demo]}
  become: true

- name: Upload an image from the control node, and remove a flavor
  cairn.openstack.resources:
    cloud: cairn
    images:
      - {name: debian-13, file: images/debian-13.qcow2, visibility: public}
    flavors:
      - {name: m1.tiny, state: absent}
  become: true
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
  sample: [{kind: network, verb: change, name: public, detail: mtu 1450 -> 1500}]
reachable:
  description: Whether the cloud responded; C(false) only in check mode.
  type: bool
  returned: always
files:
  description: Image files that must be copied to the host first; nothing was changed.
  type: list
  elements: str
  returned: when a planned change needs a file that is not on the host
"""

import os

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.cairn.openstack.plugins.module_utils.cloud import sdk
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.resources.cloud import Cloud
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.resources.spec import LDAP_DOMAINS, SPEC
from ansible_collections.cairn.openstack.plugins.module_utils.common import host_lock
from ansible_collections.cairn.openstack.plugins.module_utils.common.changes import Failed, finish


def main():
    module = AnsibleModule(
        argument_spec={
            "cloud": {"type": "str", "required": True},
            "staged": {"type": "dict", "default": {}},
            "ldap_domains": LDAP_DOMAINS,
            **SPEC,
        },
        supports_check_mode=True,
    )
    host_lock.acquire(module)
    try:
        conn = sdk.connect(module.params["cloud"], plan=module.check_mode)
    except sdk.NotConfigured as error:
        if not module.check_mode:
            module.fail_json(msg=str(error))
        conn = None
    cloud = Cloud(conn, module.params, module.tmpdir, module.check_mode)
    try:
        changes = cloud.plan()
    except sdk.Unreachable as error:
        if not module.check_mode:
            module.fail_json(msg=str(error))
        module.warn(f"the resources cannot be compared: {error}")
        changes = []
    except Failed as error:
        module.fail_json(msg=str(error))
    if not module.check_mode:
        staged = module.params["staged"]
        missing = [file for file in cloud.image.files if not os.path.exists(staged.get(file, file))]
        if missing:
            module.exit_json(changed=False, changes=[], files=missing)
    for domain, error in sorted(cloud.unavailable.items()):
        cloud.warnings.append(
            f"Roles of users and groups in the domain {domain} were not compared, as its directory can't be searched"
            f" ({error}). Keystone's log says why. Run this again when it answers, or correct cloud_ldap_domains"
        )
    for warning in cloud.warnings:
        module.warn(warning)
    finish(module, changes, reachable=conn is not None)


if __name__ == "__main__":
    main()
