# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Transfers image files from the control node to the module if the cloud lacks them."""

from __future__ import annotations

import hashlib
import os

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase

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
        """Return the module's result."""
        super().run(tmp, task_vars)
        args = {**self._task.args, "images": [self.digested(image) for image in self._task.args.get("images") or []]}
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

    def digested(self, image):
        """Return the entry of an image with the digest of its file."""
        if not image.get("file") or image.get("state") == "absent":
            return image
        path = self.local(image["file"])
        if not os.path.exists(path):
            raise AnsibleError(f"image {image.get('name')}: file {path} does not exist on the control node")
        return {**image, "sha512": sha512(path)}

    def local(self, file):
        """Return the full path of a file on the control node; relative paths start at the playbook's directory."""
        return self._loader.path_dwim(os.path.expanduser(file))
