# Copyright (c) 2026 The Cairn authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
---
module: lab_cache
short_description: Run the package cache of the test hosts
version_added: 0.1.0
description:
  - Runs the lab's own apt-cacher-ng, which listens on one address of the lab only; it is not the service of Debian's
    package.
author: The Cairn authors (@cairn)
options:
  state:
    description: Whether it should run. Cached packages are kept.
    type: str
    choices: [present, absent]
    default: present
  directory:
    description: Directory of the lab.
    type: path
    required: true
  prefix:
    description: Prefix of the names of the lab.
    type: str
    default: cairn
  networks:
    description: The network of each segment; the cache listens on the control node's address in C(management).
    type: dict
    required: true
  port:
    description: The port to listen on.
    type: int
    default: 3142
  upstream:
    description: Proxy that the control node needs to download packages, if any.
    type: str
    default: ''
attributes:
  check_mode:
    description: Can run in check mode and report what it would change.
    support: full
  diff_mode:
    description: Shows its configuration before and after.
    support: full
"""

EXAMPLES = r"""
- name: Start the package cache
  cairn.openstack.lab_cache:
    directory: /var/lib/cairn-lab
    networks: {management: 10.203.0.0/24}
"""

RETURN = r"""
url:
  description: URL for apt's proxy setting.
  returned: always
  type: str
  sample: http://10.203.0.1:3142
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.cairn.openstack.plugins.module_utils.testing.lab import cache
from ansible_collections.cairn.openstack.plugins.module_utils.testing.lab.fleet import lab_from
from ansible_collections.cairn.openstack.plugins.module_utils.testing.lab.run import LabError


def apply(lab, params, check_mode):
    params = {**params, "address": lab.gateway("management")}
    before = cache.current(lab)
    after = cache.wanted(lab, params["state"], before, params)
    changed = before != after
    if changed and not check_mode:
        if params["state"] == "present":
            cache.start(lab, after, params)
        else:
            cache.stop(lab)
    url = f"http://{params['address']}:{params['port']}"
    return {"changed": changed, "url": url, "diff": {"before": before, "after": after}}


def main():
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "directory": {"type": "path", "required": True},
            "prefix": {"type": "str", "default": "cairn"},
            "networks": {"type": "dict", "required": True},
            "port": {"type": "int", "default": 3142},
            "upstream": {"type": "str", "default": ""},
        },
        supports_check_mode=True,
    )
    try:
        result = apply(lab_from(module.params), module.params, module.check_mode)
    except LabError as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
