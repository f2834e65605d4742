# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks image files on the control node, and transfers them to the module if the cloud lacks them."""

from __future__ import annotations

import hashlib
import os

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.resources.image_format import mismatch

MODULE = "cairn.openstack.resources"
BLOCK = 1 << 20


def sha512(path: str) -> str:
    """Return the hexadecimal digest of a file's content."""
    digest = hashlib.sha512()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(BLOCK), b""):
            digest.update(block)
    return digest.hexdigest()


class ActionModule(ActionBase):
    """Runs the module, and again with the files that it requested."""

    # It does, but rarely: a temporary directory is created only if a file is needed.
    TRANSFERS_FILES = False

    def run(self, tmp=None, task_vars=None):
        """Return the module's result.

        :raises AnsibleError: image files are missing or of another format than declared; with all of them.
        """
        super().run(tmp, task_vars)
        images = self._task.args.get("images") or []
        if wrong := [error for image in images if (error := self.error(image))]:
            raise AnsibleError("\n".join(wrong))
        args = {**self._task.args, "images": [self.digested(image) for image in images]}
        result = self._execute_module(MODULE, module_args=args, task_vars=task_vars)
        files = result.pop("files", None)
        if files:
            directory = self._connection._shell.tmpdir or self._make_tmp_path()
            args["staged"] = {
                file: self._transfer_file(self.local(file), self._connection._shell.join_path(directory, str(number)))
                for number, file in enumerate(files)
            }
            result = self._execute_module(MODULE, module_args=args, task_vars=task_vars)
        return result

    def path(self, image):
        """Return the path of an image's file, empty if the image has none or is to be deleted."""
        return self.local(image["file"]) if image.get("file") and image.get("state") != "absent" else ""

    def error(self, image):
        """Return what is wrong with an image's file, empty if nothing is."""
        path = self.path(image)
        if not path:
            return ""
        if not os.path.isfile(path):
            return f"image {image.get('name')}: file {path} does not exist on the control node"
        declared, container = image.get("disk_format") or "qcow2", image.get("container_format") or "bare"
        why = mismatch(path, declared, container)
        return f"image {image.get('name')}: file {path} is {why}" if why else ""

    def digested(self, image):
        """Return the entry of an image with the digest of its file."""
        path = self.path(image)
        return {**image, "sha512": sha512(path)} if path else image

    def local(self, file):
        """Return the full path of a file on the control node; relative paths start at the playbook's directory."""
        return self._loader.path_dwim(os.path.expanduser(file))
