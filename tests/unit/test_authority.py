# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The cloud's own certificates."""

from __future__ import annotations

import datetime
import shutil
import ssl
import subprocess

import pytest
from ansible_collections.cairn.openstack.plugins.plugin_utils.control_node import authority
from cryptography import x509

NAMES = ["cloud.example.org", "192.0.2.10"]


@pytest.fixture(scope="module")
def ca():
    """An authority: its certificate and its key."""
    key = authority.new_key()
    return authority.authority("cairn", key), key


@pytest.fixture(scope="module")
def front(ca):
    return authority.issue(NAMES, authority.new_key(), *ca)


def test_the_front_is_fit(ca, front):
    assert authority.error(front, NAMES, ca[0]) is None


def test_the_names_order_does_not_matter(ca, front):
    assert authority.error(front, NAMES[::-1], ca[0]) is None


@pytest.mark.parametrize("names", [NAMES[:1], [*NAMES, "other.example.org"], ["cloud.example.org", "192.0.2.11"]])
def test_other_names_need_another_certificate(ca, front, names):
    assert authority.error(front, names, ca[0]) == "is for other names"


def test_missing(ca):
    assert authority.error("", NAMES, ca[0]) == "missing"


def test_another_authority(front):
    other = authority.authority("cairn", authority.new_key())
    assert authority.error(front, NAMES, other) == "is signed by another authority"


@pytest.mark.parametrize(
    ("days", "fit"), [(authority.RENEW_DAYS + 2, True), (authority.RENEW_DAYS - 2, False), (-1, False)]
)
def test_renewed_before_it_ends(ca, monkeypatch, days, fit):
    monkeypatch.setattr(authority, "CERTIFICATE_DAYS", days)
    monkeypatch.setattr(authority, "_MINUTES", datetime.timedelta(days=2))
    certificate = authority.issue(NAMES, authority.new_key(), *ca)
    why = authority.error(certificate, NAMES, ca[0])
    assert why is None if fit else why.startswith("expires in")


def test_the_authority_signs_certificates_alone(ca, front):
    root, leaf = (x509.load_pem_x509_certificate(text.encode()) for text in (ca[0], front))
    assert root.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert not leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    usage = root.extensions.get_extension_for_class(x509.KeyUsage).value
    assert usage.key_cert_sign
    assert not usage.digital_signature


@pytest.mark.parametrize("client", [False, True])
def test_hosts_authenticate_as_clients_too(ca, client):
    text = authority.issue(NAMES, authority.new_key(), *ca, client=client)
    usage = x509.load_pem_x509_certificate(text.encode()).extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    assert (x509.oid.ExtendedKeyUsageOID.CLIENT_AUTH in usage.value) == client


def test_a_long_cloud_name_fits():
    assert authority.authority("x" * 100, authority.new_key())


def test_clients_of_python_trust_it(ca, front, tmp_path):
    context = ssl.create_default_context(cadata=ca[0])
    assert context.cert_store_stats()["x509_ca"] == 1


@pytest.mark.skipif(not shutil.which("openssl"), reason="openssl is not installed")
def test_openssl_agrees(ca, front, tmp_path):
    (tmp_path / "ca.crt").write_text(ca[0])
    (tmp_path / "frontend.crt").write_text(front)
    command = ["openssl", "verify", "-x509_strict", "-CAfile", "ca.crt", "-verify_hostname", NAMES[0], "frontend.crt"]
    said = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert said.stdout.strip() == "frontend.crt: OK", said.stderr
