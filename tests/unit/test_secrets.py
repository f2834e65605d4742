# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The operator's secrets: made once, for their owner's eyes."""

from __future__ import annotations

import base64
import stat
import subprocess
from types import SimpleNamespace

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.vault import VaultSecret
from ansible_collections.cairn.openstack.plugins.action.secrets import ActionModule
from ansible_collections.cairn.openstack.plugins.plugin_utils.control_node import ssh
from ansible_collections.cairn.openstack.plugins.plugin_utils.control_node.secrets import SecretsDirectory, generate
from told import in_words

PAGE = {"description": "Light", "databases": [{"name": "lamp"}], "secrets": ["key_fernet"]}


@pytest.fixture(params=["plain", "vaulted"])
def loader(request):
    found = DataLoader()
    if request.param == "vaulted":
        found.set_vault_secrets([("default", VaultSecret(b"words of a vault"))])
    return found


@pytest.fixture
def action(tmp_path, loader):
    """Run the action on a directory; returns its result."""

    def run(check=False, variables=None):
        args = {"directory": str(tmp_path / "secrets")}
        task = SimpleNamespace(args=args, check_mode=check, async_val=0, diff=False, environment=None)
        connection = SimpleNamespace(_shell=SimpleNamespace(tmpdir=None))
        module = ActionModule(task, connection, None, loader, SimpleNamespace(template=None), None)
        module._templar = SimpleNamespace(template=lambda value: value)
        return module.run(
            task_vars={"cloud_services": [], **({"catalog_lamp": PAGE} if variables is None else variables)}
        )

    return run


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_a_secret_is_long_and_never_the_same():
    values = {generate("lamp_database") for _number in range(50)}
    assert len(values) == 50
    assert all(len(value) == 40 and value.isalnum() for value in values)


def test_a_fernet_key_is_one():
    assert len(base64.urlsafe_b64decode(generate("lamp_key_fernet"))) == 32


def test_an_ssh_key_is_one(tmp_path):
    key = tmp_path / "key"
    key.write_text(generate("lamp_ssh"))
    key.chmod(0o600)
    told = subprocess.run(["ssh-keygen", "-y", "-f", key], capture_output=True, text=True, check=True).stdout
    assert told.strip() == ssh.public_key(key.read_text())
    assert told.startswith("ssh-ed25519 ")


def test_made_for_the_owner_alone(action, tmp_path, loader):
    result = action()
    directory, file = tmp_path / "secrets", tmp_path / "secrets/secrets.yml"
    assert result["changed"]
    assert (mode(directory), mode(file)) == (0o700, 0o600)
    values = SecretsDirectory(str(directory), loader).values()
    assert sorted(values) == ["admin", "cloud", "lamp_database", "lamp_key_fernet", "message_admin"]
    text = file.read_text()
    assert text.startswith("$ANSIBLE_VAULT") == bool(loader._vault.secrets)
    assert (values["admin"] in text) != bool(loader._vault.secrets)
    assert list(directory.glob("*.new")) == []


def test_never_made_again(action, tmp_path):
    action()
    file = tmp_path / "secrets/secrets.yml"
    before = file.read_bytes(), file.stat().st_mtime_ns
    assert not action()["changed"]
    assert (file.read_bytes(), file.stat().st_mtime_ns) == before


def test_a_new_page_adds_and_changes_nothing_else(action, tmp_path, loader):
    action()
    directory = SecretsDirectory(str(tmp_path / "secrets"), loader)
    before = directory.values()
    result = action(variables={"catalog_lamp": PAGE, "catalog_oven": {"secrets": ["heat"]}})
    assert in_words(result["changes"]) == ["generate secret oven_heat"]
    after = directory.values()
    assert {name: after[name] for name in before} == before


def test_a_removed_page_keeps_its_secret(action, tmp_path, loader):
    action()
    action(variables={})
    assert "lamp_database" in SecretsDirectory(str(tmp_path / "secrets"), loader).values()


def test_check_mode_writes_nothing_and_tells_no_value(action, tmp_path):
    result = action(check=True)
    assert result["changed"]
    assert not (tmp_path / "secrets").exists()
    assert result["diff"]["after"].splitlines() == in_words(result["changes"])


def test_the_result_tells_no_value(action, tmp_path, loader):
    result = action()
    told = str(result)
    assert not [
        value for value in SecretsDirectory(str(tmp_path / "secrets"), loader).values().values() if value in told
    ]


def test_a_file_that_is_missing_is_empty(tmp_path, loader):
    directory = SecretsDirectory(str(tmp_path), loader)
    assert (directory.read("ca.crt"), directory.values()) == ("", {})


def test_what_is_public_is_readable_and_not_vaulted(tmp_path, loader):
    SecretsDirectory(str(tmp_path), loader).write("ca.crt", "certificate\n")
    assert mode(tmp_path / "ca.crt") == 0o644
    assert (tmp_path / "ca.crt").read_text() == "certificate\n"


def test_a_readable_file_is_closed_when_it_becomes_secret(tmp_path, loader):
    directory = SecretsDirectory(str(tmp_path), loader)
    directory.write("frontend.key", "x")
    directory.write("frontend.key", "y", secret=True)
    assert mode(tmp_path / "frontend.key") == 0o600
    assert directory.read("frontend.key") == "y"
