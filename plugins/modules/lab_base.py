# Copyright (c) 2026 The Cairn authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
---
module: lab_base
short_description: Base tree of the test hosts
version_added: 0.1.0
description:
  - Makes a small Debian tree with mmdebstrap, once for each recipe, and removes trees that no host
    and no snapshot stands on.
author: The Cairn authors (@cairn)
options:
  state:
    description:
      - V(present) makes the tree. V(absent) ends a build that a killed run left behind, and removes half made
        trees; whole ones stay.
    type: str
    choices: [present, absent]
    default: present
  directory:
    description: The directory that all of the lab lives in.
    type: path
    required: true
  prefix:
    description: What the names of the lab start with.
    type: str
    default: cairn
  suite:
    description: The release of Debian.
    type: str
    default: trixie
  packages:
    description: What it has besides Debian's essential packages and apt.
    type: list
    elements: str
    default: []
  proxy:
    description: The proxy that apt goes through, while it is built and on every host.
    type: str
    default: ''
  emulated:
    description:
      - Whether emulated machines stand on the tree, which then needs a kernel and initramfs-tools among O(packages).
      - Trees of the other kind are left as they are.
    type: bool
    default: false
  user:
    description: The ordinary user, who may use sudo without a password.
    type: str
    default: cairn
attributes:
  check_mode:
    description: Says what would be done and does nothing.
    support: full
  diff_mode:
    description: Shows the trees before and after.
    support: full
"""

EXAMPLES = r"""
- name: Build the base image
  cairn.openstack.lab_base:
    directory: /var/lib/cairn-lab
    packages: [systemd, systemd-sysv, openssh-server, python3]
    proxy: http://10.203.0.1:3142
"""

RETURN = r"""
path:
  description: The tree of this recipe.
  returned: O(state=present)
  type: str
  sample: /var/lib/cairn-lab/base/trixie-0123456789ab
"""

import os

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.cairn.openstack.plugins.module_utils.testing.lab import base
from ansible_collections.cairn.openstack.plugins.module_utils.testing.lab.fleet import lab_from
from ansible_collections.cairn.openstack.plugins.module_utils.testing.lab.run import LabError, locked


def remove(lab, check_mode):
    trees, files = base.broken(lab)
    if not check_mode:
        base.stop(trees, files)
    return {"changed": bool(trees or files), "diff": {"before": trees, "after": []}}


def apply(lab, params, check_mode):
    made_of = base.recipe(params["suite"], params["packages"], params["proxy"], params["user"], params["emulated"])
    tree = base.path(lab, made_of)
    if not check_mode:
        base.stop(*base.broken(lab))
    missing = not os.path.isdir(tree)
    useless = base.unused(lab, keep=tree)
    before = sorted({*useless, *([] if missing else [tree])})
    if not check_mode:
        if missing:
            base.build(lab, made_of)
        base.prune(useless)
    return {"changed": bool(missing or useless), "path": tree, "diff": {"before": before, "after": [tree]}}


def main():
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "directory": {"type": "path", "required": True},
            "prefix": {"type": "str", "default": "cairn"},
            "suite": {"type": "str", "default": "trixie"},
            "packages": {"type": "list", "elements": "str", "default": []},
            "proxy": {"type": "str", "default": ""},
            "emulated": {"type": "bool", "default": False},
            "user": {"type": "str", "default": "cairn"},
        },
        required_if=[("state", "present", ("packages", "proxy"))],
        supports_check_mode=True,
    )
    try:
        lab = lab_from(module.params)
        if module.params["state"] == "absent":
            result = remove(lab, module.check_mode)
        elif module.check_mode:
            result = apply(lab, module.params, True)
        else:
            with locked(lab.path("base.lock")):
                result = apply(lab, module.params, False)
    except LabError as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
