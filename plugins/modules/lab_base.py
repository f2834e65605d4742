# Copyright (c) 2026 The Cairn authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
---
module: lab_base
short_description: Build the base tree of the test hosts
version_added: 0.1.0
description:
  - Builds a small Debian tree with mmdebstrap, once for each recipe, and removes trees that no host and no snapshot
    uses.
author: The Cairn authors (@cairn)
options:
  state:
    description:
      - V(present) builds the tree. V(absent) stops a build of an interrupted run, and removes incomplete trees;
        complete ones are kept.
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
  suite:
    description: Debian release.
    type: str
    default: trixie
  packages:
    description: Packages besides Debian's essential ones and apt.
    type: list
    elements: str
    default: []
  proxy:
    description: Proxy for apt, during the build and on every host.
    type: str
    default: ''
  emulated:
    description:
      - Whether the tree is for emulated hosts, so that it needs a kernel and initramfs-tools among O(packages).
      - Trees of the other kind are left unchanged.
    type: bool
    default: false
  user:
    description: The unprivileged user, with sudo without a password.
    type: str
    default: cairn
attributes:
  check_mode:
    description: Can run in check mode and report what it would change.
    support: full
  diff_mode:
    description: Shows the trees before and after.
    support: full
"""

EXAMPLES = r"""
- name: Build the base tree
  cairn.openstack.lab_base:
    directory: /var/lib/cairn-lab
    packages: [systemd, systemd-sysv, openssh-server, python3]
    proxy: http://10.203.0.1:3142
"""

RETURN = r"""
path:
  description: Path of the tree.
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
