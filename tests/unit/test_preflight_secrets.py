# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Preflight of secrets and certificates, and the lock of a run."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from ansible.parsing.vault import VaultSecret
from ansible_collections.cairn.openstack.plugins.plugin_utils.control_node import authority, run_lock
from ansible_collections.cairn.openstack.plugins.plugin_utils.control_node.secrets import SecretsDirectory
from ansible_collections.cairn.openstack.plugins.plugin_utils.preflight import secrets
from preflight_site import YML, both, check_one_error, file, given, put, take, told


def vaulted(password, other):
    """Return a change: secrets encrypted with *password*, and *other* to read them with."""

    def change(site):
        site.loader.set_vault_secrets([("default", VaultSecret(password))])
        SecretsDirectory(str(site.secrets), site.loader).replace({"admin": "x"})
        site.loader.set_vault_secrets([("default", VaultSecret(other))] if other else [])

    return change


def certificate(names, **others):
    """Return a change: a certificate of the user's own for *names*, with *others* in place of its files."""

    def change(site):
        site.directory.mkdir(exist_ok=True)
        ca_key, key = authority.new_key(), authority.new_key()
        ca = authority.root("Test", ca_key)
        texts = {"ca": ca, "key": key, "certificate": authority.issue(names, key, ca, ca_key), **others}
        for name, text in texts.items():
            if text is not None:
                (site.directory / f"{name}.pem").write_text(text)
            site.all[f"cloud_tls_{name}"] = str(site.directory / f"{name}.pem")

    return change


def own_authority(used=None, key=None, certificate=None):
    """Return a change: an authority of the user's, with others in place of its key or certificate.

    :param used: the authority that the cloud has.
    """

    def change(site):
        site.directory.mkdir(exist_ok=True)
        ca_key = authority.new_key()
        for name, text in (("certificate", certificate or authority.root("Test", ca_key)), ("key", key or ca_key)):
            (site.directory / f"ca_{name}.pem").write_text(text)
            site.all[f"cloud_ca_{name}"] = str(site.directory / f"ca_{name}.pem")
        if used:
            both(file("secrets.yml", "admin: x"), file("ca.crt", used), file("ca.key", ca_key))(site)

    return change


# What is changed in a good input; and of the one finding that follows: where, found, allowed, to do.
BAD = {
    "a vault password that is wrong": (
        vaulted(b"right", b"wrong"),
        (".secrets/secrets.yml", "ecrypt", "a vault password", "--vault-password-file"),
    ),
    "no vault password": (
        vaulted(b"right", None),
        (".secrets/secrets.yml", "ault", "a vault password", "--ask-vault-pass"),
    ),
    "secrets lost": (
        both(file("ca.crt", "x"), file("ca.key", "x")),
        (".secrets/secrets.yml", "missing, but ca.key exists", "all files of the directory, or none", "Restore it"),
    ),
    "a key lost": (
        both(file("secrets.yml", "admin: x"), file("ca.crt", "x")),
        (".secrets/ca.key", "missing, but ca.crt exists", "all files of the directory, or none", "Restore ca.key"),
    ),
    "secrets that are none": (
        file("secrets.yml", "- admin"),
        (".secrets/secrets.yml", "not a dictionary", "name: secret", "Restore it"),
    ),
    "a secret without a value": (
        file("secrets.yml", "admin:\ncloud: x"),
        (".secrets/secrets.yml", "no value for admin", "a value for each name", "Restore them"),
    ),
    "a secret that YAML takes for a number": (
        file("secrets.yml", "admin: 0123\ncloud: x"),
        (".secrets/secrets.yml", "admin is not text but a int", "text", "in quotes"),
    ),
    "a secret that no ini file holds": (
        file("secrets.yml", "admin: 'a$b'\ncloud: x"),
        (".secrets/secrets.yml", "admin has other characters", "letters, digits and -_.", "Choose another"),
    ),
    "a directory that is a file": (
        given(cloud_secrets_dir="/dev/null"),
        ("/dev/null", "not a directory", "readable", "the path"),
    ),
    "no place for the secrets": (
        given(cloud_secrets_dir="None/.secrets"),
        (f"{YML}7, cloud_secrets_dir", "'None/.secrets'", "an absolute path", "Set cloud_secrets_dir"),
    ),
    "a certificate without its key": (
        both(certificate(["cloud.example.org"]), take("all", "cloud_tls_key")),
        (
            "cloud_tls_key (not set)",
            "not set, but cloud_tls_certificate, cloud_tls_ca is",
            "all three",
            "Set cloud_tls_key too",
        ),
    ),
    "a certificate that is not there": (
        certificate(["cloud.example.org"], key=None),
        (f"{YML}8, cloud_tls_key", "No such file", "a PEM file", "Correct the path"),
    ),
    "a certificate for another name": (
        certificate(["other.example.org"]),
        (f"{YML}9, cloud_tls_certificate", "not for cloud.example.org", "for cloud.example.org", "another certificate"),
    ),
    "a certificate for another address": (
        both(certificate(["cloud.example.org", "192.0.2.12"]), put("all", "cloud_public_name", to="192.0.2.11")),
        (
            f"{YML}9, cloud_tls_certificate",
            "is for cloud.example.org, 192.0.2.12, not for the address 192.0.2.11",
            "for 192.0.2.11",
            "another certificate",
        ),
    ),
    "a certificate with a pattern for an address": (
        both(certificate(["*.0.2.11"]), put("all", "cloud_public_name", to="192.0.2.11")),
        (f"{YML}9, cloud_tls_certificate", "not for the address 192.0.2.11", "for 192.0.2.11", "another certificate"),
    ),
    "a certificate of another key": (
        certificate(["cloud.example.org"], key=authority.new_key()),
        (f"{YML}9, cloud_tls_certificate", "belongs to another key", "with its key", "another certificate"),
    ),
    "an authority without its key": (
        both(own_authority(), take("all", "cloud_ca_key")),
        ("cloud_ca_key (not set)", "not set, but cloud_ca_certificate is", "both of them", "Set cloud_ca_key too"),
    ),
    "an authority of another key": (
        own_authority(key=authority.new_key()),
        (f"{YML}7, cloud_ca_certificate", "belongs to another key", "up to the root", "remove both"),
    ),
    "an authority with another root than that of the cloud": (
        own_authority(used=authority.root("Other", authority.new_key())),
        (f"{YML}7, cloud_ca_certificate", "not the one that the cloud's hosts trust", "the root in", "a new cloud"),
    ),
    "a certificate that is none": (
        certificate(["cloud.example.org"], certificate="x"),
        (f"{YML}9, cloud_tls_certificate", "is not a PEM", "with its key", "another certificate"),
    ),
}


@pytest.mark.parametrize(("change", "parts"), BAD.values(), ids=BAD.keys())
def test_one_error(site, monkeypatch, change, parts):
    check_one_error(site, monkeypatch, change, parts)


def test_secrets_that_can_be_read(site, monkeypatch):
    vaulted(b"right", b"right")(site)
    certificate(["cloud.example.org", "*.example.org"])(site)
    assert site.said(monkeypatch).get("msg") is None


def test_a_certificate_that_expires_soon(site, monkeypatch):
    monkeypatch.setattr(authority, "CERTIFICATE_DAYS", 20)
    certificate(["cloud.example.org"])(site)
    assert site.said(monkeypatch).get("msg") is None
    (warning,) = site.warnings
    assert "it expires in 19 days" in " ".join(warning.split())


@pytest.mark.parametrize("has_root", [False, True])
def test_an_authority_that_expires_soon(site, monkeypatch, has_root):
    monkeypatch.setattr(authority, "CA_DAYS", 500)
    key = authority.new_key()
    ca = authority.intermediate("Test", key, authority.root("Test", key), key)
    texts = {"secrets.yml": "cloud: x", "ca.crt": ca, "ca.key": key, **({"root.key": key} if has_root else {})}
    for name, text in texts.items():
        file(name, text)(site)
    assert site.said(monkeypatch).get("msg") is None
    found = [warning for warning in site.warnings if "the authority expires in 499 days" in " ".join(warning.split())]
    assert len(found) == (not has_root)


def test_a_certificate_for_an_address(site, monkeypatch):
    """Endpoints by address: the subjectAltName has the address, not a name that looks like it."""
    certificate(["192.0.2.11"])(site)
    site.all["cloud_public_name"] = "192.0.2.11"
    assert site.said(monkeypatch).get("msg") is None


def test_no_secret_is_told(site, monkeypatch):
    given(cloud_resources={"users": [{"password": "sesame"}]}, cloud_package_proxy="me:sesame@proxy")(site)
    file("secrets.yml", "admin: sesame\ncloud:\n")(site)
    assert "sesame" not in site.said(monkeypatch)["msg"].replace("'me:sesame@proxy'", "")


class TestRunLock:
    @pytest.fixture
    def sleeper(self):
        """A process that stands for a run."""
        process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        yield process
        process.kill()
        process.wait()

    def test_a_run_beside_a_run(self, tmp_path, sleeper, monkeypatch):
        monkeypatch.setattr(run_lock, "_PATIENCE", 0)
        assert run_lock.held(str(tmp_path)) is None
        assert run_lock.take(str(tmp_path), sleeper.pid) is None
        assert f"process {sleeper.pid}" in run_lock.take(str(tmp_path), os.getpid())
        assert f"process {sleeper.pid}" in run_lock.held(str(tmp_path))

    def test_the_same_run_again(self, tmp_path, sleeper):
        assert run_lock.take(str(tmp_path), sleeper.pid) is None
        assert run_lock.take(str(tmp_path), sleeper.pid) is None

    def test_a_killed_run_leaves_nothing(self, tmp_path, sleeper, monkeypatch):
        assert run_lock.take(str(tmp_path), sleeper.pid) is None
        sleeper.kill()
        sleeper.wait()
        monkeypatch.setattr(run_lock, "_PATIENCE", 60)  # for a machine that is very busy
        assert run_lock.take(str(tmp_path), os.getppid()) is None

    def test_who_looks_leaves_no_trace(self, tmp_path):
        assert run_lock.held(str(tmp_path)) is None
        assert list(tmp_path.iterdir()) == []

    def test_it_is_its_owners(self, tmp_path, sleeper):
        run_lock.take(str(tmp_path / "new"), sleeper.pid)
        assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700
        assert (tmp_path / "new" / run_lock.FILE).stat().st_mode & 0o777 == 0o600

    def test_preflight_says_so(self, site, monkeypatch, sleeper):
        monkeypatch.setattr(run_lock, "_PATIENCE", 0)
        run_lock.take(str(site.secrets), sleeper.pid)
        (finding,) = told(site.said(monkeypatch, check=False))
        assert finding[0] == ".secrets/run.lock"
        assert f"process {sleeper.pid}" in finding[1]
        assert finding[2] == "one run at a time"

    def test_a_plan_is_only_warned(self, site, monkeypatch, sleeper):
        run_lock.take(str(site.secrets), sleeper.pid)
        assert site.said(monkeypatch).get("msg") is None
        assert "one run at a time" in site.warnings[0]


def test_a_shipped_service_in_place_of_the_users_is_not_removed_unasked():
    clouds = {"c1": {"definitions": ["heat"]}}
    (found,) = secrets.forgotten("catalog_dir", ["heat", "nova"], ["heat"], clouds)
    assert found.severity == "error"
    assert "To keep the service, add heat to cloud_services." in found.remedy
    assert list(secrets.forgotten("catalog_dir", ["heat", "nova"], [], clouds)) == []
    (found,) = secrets.forgotten("catalog_dir", ["nova"], [], clouds)
    assert found.severity == "warning"
