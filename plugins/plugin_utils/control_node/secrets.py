# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The cloud's secrets: a folder on the control node, filled by the first run and only ever added to."""

from __future__ import annotations

import base64
import hashlib
import os
import secrets
import string
import struct
from typing import Any

import yaml
from ansible.parsing.vault import VaultLib
from ansible_collections.cairn.openstack.plugins.plugin_utils.control_node import ssh

_ALPHABET = string.ascii_letters + string.digits  # safe in URLs, ini files and shell words alike
_FILE = "secrets.yml"


def generate(name: str) -> str:
    """Return a new secret for *name*: a Fernet, a Ceph or an ssh key where it says so, else 40 letters and digits."""
    if name.endswith("_fernet"):
        return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
    if name.endswith("_cephx"):
        # AES, when it was made (never read), and 16 bytes.
        return base64.b64encode(struct.pack("<HIIH", 1, 0, 0, 16) + secrets.token_bytes(16)).decode()
    if name.endswith("_ssh"):
        return ssh.private_key()
    return "".join(secrets.choice(_ALPHABET) for _letter in range(40))


class Folder:
    """The folder of the secrets; files in it are vaulted when Ansible has a vault password.

    :param path: the folder; made with mode 0700 by the first write.
    :param loader: Ansible's data loader, which knows the vault passwords.
    """

    def __init__(self, path: str, loader: Any) -> None:
        self.path = path
        vault = getattr(loader, "_vault", None)
        self._secrets = vault.secrets if vault else []

    def read(self, name: str) -> str:
        """Return a file's text, decrypted; empty where there is no such file."""
        path = os.path.join(self.path, name)
        if not os.path.exists(path):
            return ""
        with open(path, "rb") as file:
            data = file.read()
        if data.startswith(b"$ANSIBLE_VAULT"):
            data = VaultLib(self._secrets).decrypt(data)
        return data.decode()

    def write(self, name: str, text: str, secret: bool = False) -> None:
        """Write a file in one rename: a secret one with mode 0600 and vaulted, if there is a vault password."""
        os.makedirs(self.path, mode=0o700, exist_ok=True)
        data = VaultLib(self._secrets).encrypt(text) if secret and self._secrets else text.encode()
        path = os.path.join(self.path, name)
        handle = os.open(path + ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600 if secret else 0o644)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(path + ".new", path)

    def values(self) -> dict[str, str]:
        """Return the generated secrets by name."""
        return {str(name): str(value) for name, value in (yaml.safe_load(self.read(_FILE)) or {}).items()}

    def replace(self, values: dict[str, str]) -> None:
        """Write *values*, all secrets by name, in the place of the present ones."""
        self.write(_FILE, "---\n" + yaml.safe_dump(values, sort_keys=True), secret=True)


def identity(secret: str) -> str:
    """Return what the hosts keep to know the cloud's operators by: not to be turned back into the *secret*."""
    return hashlib.sha256(f"cairn {secret}".encode()).hexdigest()
