# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The cloud's secrets: a directory on the control node, filled by the first run; secrets are never removed."""

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
from ansible_collections.cairn.openstack.plugins.plugin_utils.control_node import authority, ssh

_ALPHABET = string.ascii_letters + string.digits  # safe in URLs, ini files and shell words alike
_FILE = "secrets.yml"


def generate(name: str) -> str:
    """Return a new secret for *name*, by its suffix.

    A Fernet, Ceph or ssh key, or the private key and the certificate of an authority of its own, as PEM; otherwise 40
    letters and digits.
    """
    if name.endswith("_fernet"):
        return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
    if name.endswith("_cephx"):
        # AES, the time of creation (never read), and 16 bytes.
        return base64.b64encode(struct.pack("<HIIH", 1, 0, 0, 16) + secrets.token_bytes(16)).decode()
    if name.endswith("_ssh"):
        return ssh.private_key()
    if name.endswith("_authority"):
        return authority.alone(name.removesuffix("_authority").replace("_", " "))
    return "".join(secrets.choice(_ALPHABET) for _letter in range(40))


def read_given(path: str, loader: Any) -> str:
    """Return the text of a PEM file of the user's, decrypted if ansible-vault has encrypted it.

    :raises OSError: it cannot be read.
    :raises UnicodeDecodeError: it is no text.
    :raises AnsibleError: no vault password decrypts it.
    """
    with open(path, "rb") as file:
        data = file.read()
    vault = getattr(loader, "_vault", None)
    return _decrypted(data, vault.secrets if vault else []).decode("ascii")


def _decrypted(data: bytes, secrets: Any) -> bytes:
    return VaultLib(secrets).decrypt(data) if data.startswith(b"$ANSIBLE_VAULT") else data


class SecretsDirectory:
    """The secrets directory; its files are encrypted if Ansible has a vault password.

    :param path: the directory; created with mode 0700 by the first write.
    :param loader: Ansible's data loader, which has the vault passwords.
    """

    def __init__(self, path: str, loader: Any) -> None:
        self.path = path
        vault = getattr(loader, "_vault", None)
        self._secrets = vault.secrets if vault else []

    def read(self, name: str) -> str:
        """Return the decrypted text of a file; empty if there is no such file."""
        path = os.path.join(self.path, name)
        if not os.path.exists(path):
            return ""
        with open(path, "rb") as file:
            data = file.read()
        return _decrypted(data, self._secrets).decode()

    def write(self, name: str, text: str, secret: bool = False) -> None:
        """Write a file atomically: a secret one with mode 0600, and encrypted if there is a vault password."""
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
        """Replace all secrets with *values*, secrets by name."""
        self.write(_FILE, "---\n" + yaml.safe_dump(values, sort_keys=True), secret=True)


def identity(secret: str) -> str:
    """Return the cloud's identity that the hosts keep: a digest that does not reveal the *secret*."""
    return hashlib.sha256(f"cairn {secret}".encode()).hexdigest()
