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
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

NAMES = ["cloud.example.org", "192.0.2.10"]
END = "-----END CERTIFICATE-----\n"


@pytest.fixture(scope="module")
def ca():
    """An authority: its certificate and its key."""
    key, root_key = authority.new_key(), authority.new_key()
    return authority.intermediate("cairn", key, authority.root("cairn", root_key), root_key), key


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
    other = authority.root("cairn", authority.new_key())
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
    issuer, leaf = (x509.load_pem_x509_certificate(text.encode()) for text in (ca[0], front))
    assert issuer.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert not leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    usage = issuer.extensions.get_extension_for_class(x509.KeyUsage).value
    assert usage.key_cert_sign
    assert not usage.digital_signature


@pytest.mark.parametrize("client", [False, True])
def test_hosts_authenticate_as_clients_too(ca, client):
    text = authority.issue(NAMES, authority.new_key(), *ca, client=client)
    usage = x509.load_pem_x509_certificate(text.encode()).extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    assert (x509.oid.ExtendedKeyUsageOID.CLIENT_AUTH in usage.value) == client


def test_a_long_cloud_name_fits():
    key, root_key = authority.new_key(), authority.new_key()
    ca = authority.intermediate("x" * 100, key, authority.root("x" * 100, root_key), root_key)
    assert authority.authority_error(ca, key) is None
    assert authority.issue(["host"], authority.new_key(), ca, key).count("BEGIN") == 2


def test_clients_of_python_trust_it(ca, front, tmp_path):
    context = ssl.create_default_context(cadata=ca[0])
    assert context.cert_store_stats()["x509_ca"] == 2


@pytest.mark.skipif(not shutil.which("openssl"), reason="openssl is not installed")
def test_openssl_agrees(ca, front, tmp_path):
    # What a client has that trusts only the root, and what the server sends.
    (tmp_path / "root.crt").write_text(authority.root_of(ca[0]))
    (tmp_path / "frontend.crt").write_text(front)
    command = ["openssl", "verify", "-x509_strict", "-CAfile", "root.crt", "-untrusted", "frontend.crt"]
    command += ["-verify_hostname", NAMES[0], "frontend.crt"]
    said = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert said.stdout.strip() == "frontend.crt: OK", said.stderr


def test_a_renewed_authority(ca, front):
    """Certificates have it in their chain; hosts trust its root as before."""
    root_key = authority.new_key()
    root = authority.root("cairn", root_key)
    old, new = (authority.intermediate("cairn", ca[1], root, root_key) for _time in range(2))
    certificate = authority.issue(NAMES, authority.new_key(), old, ca[1])
    assert authority.error(certificate, NAMES, old) is None
    assert authority.error(certificate, NAMES, new) == "its authority has a new certificate"
    assert authority.root_of(old) == authority.root_of(new) == root


def test_an_authority_without_one_above_it():
    """Clouds of before have it, and their certificates have no chain."""
    key = authority.new_key()
    root = authority.root("cairn", key)
    certificate = authority.issue(NAMES, authority.new_key(), root, key)
    assert certificate.count("BEGIN") == 1
    assert authority.error(certificate, NAMES, root) is None


class TestAuthorityError:
    """The user's authority."""

    def test_fit(self, ca):
        assert authority.authority_error(*ca) is None

    @pytest.mark.parametrize(
        ("change", "why"),
        [
            (lambda ca, key: ("x", key), "is not a PEM"),
            (lambda ca, key: ("", key), "is not a PEM"),
            (lambda ca, key: (ca, "x"), "is not a PEM"),
            (lambda ca, key: (ca, authority.new_key()), "belongs to another key"),
            (lambda ca, key: (ca[: ca.index("-----END")] + END, key), "must be a root"),
            (lambda ca, key: (ca + authority.root("other", key), key), "must be a root"),
            (lambda ca, key: (authority.issue(["x"], key, ca, key) + authority.root_of(ca), key), "is no authority"),
        ],
    )
    def test_unfit(self, ca, change, why):
        assert why in authority.authority_error(*change(*ca))

    @staticmethod
    def mine(days=900, path_length=None, **usage):
        """A root of the user's, whose key identifier is not the usual one."""
        key = authority._load(authority.new_key())
        name = authority._name("mine")
        end = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=days)
        usage = authority._usage(key_cert_sign=True, crl_sign=True) if not usage else authority._usage(**usage)
        certificate = (
            authority._builder(name, name, key.public_key(), end)
            .add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.SubjectKeyIdentifier(b"its own way to name it"), critical=False)
            .sign(key, hashes.SHA384())
        )
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return authority._pem(certificate), private.decode()

    @pytest.mark.parametrize(
        ("of", "why"),
        [({"days": -0.005}, "expired on"), ({"crl_sign": True}, "is no authority"), ({"path_length": 0}, "below it")],
    )
    def test_a_root_that_must_not(self, of, why):
        root, root_key = self.mine(**of)
        key = authority.new_key()
        ca = authority.intermediate("cairn", key, root, root_key)
        assert why in authority.authority_error(ca, key)

    @pytest.mark.skipif(not shutil.which("openssl"), reason="openssl is not installed")
    def test_a_key_identifier_of_another_kind(self, tmp_path):
        root, root_key = self.mine()
        assert authority.authority_error(root, root_key) is None
        (tmp_path / "root.crt").write_text(root)
        (tmp_path / "leaf.crt").write_text(authority.issue(NAMES, authority.new_key(), root, root_key))
        command = ["openssl", "verify", "-x509_strict", "-CAfile", "root.crt", "leaf.crt"]
        said = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert said.stdout.strip() == "leaf.crt: OK", said.stderr

    def test_a_key_that_cannot_sign(self):
        key = ed25519.Ed25519PrivateKey.generate()
        name = authority._name("mine")
        end = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=900)
        certificate = (
            authority._builder(name, name, key.public_key(), end)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(key, None)
        )
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        why = authority.authority_error(authority._pem(certificate), private.decode())
        assert "cannot issue certificates" in why


def test_no_certificate_outlives_its_authority(monkeypatch):
    monkeypatch.setattr(authority, "CA_DAYS", 500)
    key, root_key = authority.new_key(), authority.new_key()
    ca = authority.intermediate("cairn", key, authority.root("cairn", root_key), root_key)
    assert authority.days_left(authority.issue(NAMES, authority.new_key(), ca, key)) == authority.days_left(ca)
