#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: guest_image
short_description: Build a small disk image for servers
version_added: 0.1.0
description:
  - Builds a bootable qcow2 image from the distribution's packages, without mounting anything.
  - The image is rebuilt if its recipe changes, or if the file is not the one that was built.
  - Needs root, an amd64 host, and mmdebstrap, mtools, syslinux, sfdisk, mke2fs and qemu-img.
author: The Cairn authors (@cairn)
options:
  path:
    description: Path of the image. Its recipe is recorded in the same directory, in a file with the suffix C(.json).
    type: path
    required: true
  files:
    description:
      - Directory of files to add.
      - C(root/) is copied into the root file system, C(initramfs/init) starts it, C(boot/syslinux.cfg) configures the
        boot loader.
    type: path
    required: true
  suite:
    description: Release of the distribution.
    type: str
    required: true
  packages:
    description: Packages to unpack, with their dependencies.
    type: list
    elements: str
    required: true
  contents:
    description: Paths to copy from the packages, with their libraries; busybox is always included.
    type: list
    elements: str
    required: true
  modules:
    description: Kernel modules to load at boot, with their dependencies.
    type: list
    elements: str
    required: true
  size_mib:
    description: Size of the disk, in MiB.
    type: int
    required: true
  apt_proxy:
    description: URL of a proxy for package downloads. It is not part of the recipe.
    type: str
    default: ""
attributes:
  check_mode:
    description: Can run in check mode and report what it would change.
    support: full
  diff_mode:
    description: Returns a diff of the changes.
    support: full
"""

EXAMPLES = r"""
- name: Build a small guest image
  cairn.openstack.guest_image:
    path: /var/cache/cairn/images/cairn-guest.qcow2
    files: "{{ role_path }}/files"
    suite: trixie
    packages: [base-files, busybox-static, dropbear-bin, linux-image-amd64]
    contents: [/usr/sbin/dropbear, /usr/bin/dropbearkey]
    modules: [virtio_blk, virtio_net, crc32c_generic, ext4]
    size_mib: 128
"""

RETURN = r"""
reason:
  description: Why the image is built, empty if it is up to date.
  type: str
  returned: always
  sample: the recipe changed
seconds:
  description: Duration of each step.
  type: dict
  returned: when the image was built
  sample: {packages: 11.2, root: 0.6, boot: 0.8, disk: 3.4}
"""

import platform

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.cairn.openstack.plugins.module_utils.testing.guest_image.build import build
from ansible_collections.cairn.openstack.plugins.module_utils.testing.guest_image.recipe import Recipe, reason_to_build
from ansible_collections.cairn.openstack.plugins.module_utils.testing.guest_image.run import BuildError


def main() -> None:
    """Compare, and build the image unless in check mode."""
    names = {"type": "list", "elements": "str", "required": True}
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "files": {"type": "path", "required": True},
            "suite": {"type": "str", "required": True},
            "packages": names,
            "contents": names,
            "modules": names,
            "size_mib": {"type": "int", "required": True},
            "apt_proxy": {"type": "str", "default": ""},
        },
        supports_check_mode=True,
    )
    path, proxy = module.params.pop("path"), module.params.pop("apt_proxy")
    recipe = Recipe(**{field: module.params[field] for field in Recipe.__dataclass_fields__})
    reason = reason_to_build(path, recipe.digest())
    result = {"changed": bool(reason), "reason": reason}
    if reason:
        result["diff"] = {"before": f"{path}: {reason}\n", "after": f"{path}: built\n"}
        if platform.machine() != "x86_64":
            module.fail_json(msg=f"the image is for amd64 and cannot be built on {platform.machine()}", reason=reason)
        if not module.check_mode:
            try:
                result["seconds"] = build(path, recipe, proxy)
            except BuildError as error:
                module.fail_json(msg=str(error), reason=reason)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
