# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The cloud's own certificate authority, and the certificates that it issues, renewed before they expire."""

from __future__ import annotations

import datetime
import ipaddress
import itertools

try:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
except ImportError as error:
    MISSING: ImportError | None = error
else:
    MISSING = None

ROOT_DAYS, CA_DAYS, CERTIFICATE_DAYS, RENEW_DAYS = 7300, 3650, 730, 90
# No certificate outlives its authority.
CA_RENEW_DAYS = CERTIFICATE_DAYS + RENEW_DAYS
_MINUTES = datetime.timedelta(minutes=10)  # for hosts whose clock is slightly behind


def new_key() -> str:
    """Return a new private key as PEM: of P-256, whose handshakes cost a tenth of those of P-384."""
    return (
        ec.generate_private_key(ec.SECP256R1())
        .private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        .decode()
    )


def _load(key: str):
    return serialization.load_pem_private_key(key.encode(), None)


def _builder(subject: x509.Name, issuer: x509.Name, public_key, end: datetime.datetime) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _MINUTES)
        .not_valid_after(end)
    )


def _end(days: int, *issuers: x509.Certificate) -> datetime.datetime:
    """Return when a certificate of *days* expires: no later than those above it."""
    end = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=days)
    return min([end, *(issuer.not_valid_after_utc for issuer in issuers)])


def _issued_by(issuer: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    """Return the extension that names the issuer's key as the issuer itself does."""
    try:
        known = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    except x509.ExtensionNotFound:
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.public_key())
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(known)


def _usage(**true: bool) -> x509.KeyUsage:
    names = (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    )
    return x509.KeyUsage(**{name: true.get(name, False) for name in names})


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common[:64])])


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _chain(text: str) -> list[x509.Certificate]:
    return x509.load_pem_x509_certificates(text.encode())


def _is_root(certificate: x509.Certificate) -> bool:
    return certificate.subject == certificate.issuer


def _authority(
    name: x509.Name,
    key: str,
    issuer: x509.Certificate | None,
    signer: str,
    days: int,
    below: int,
    itself: bool = False,
) -> str:
    """Return the certificate of an authority, as PEM.

    :param issuer: None for a root, which signs itself.
    :param below: how many authorities may stand below it.
    :param itself: whether it authenticates with this certificate too.
    """
    public = _load(key).public_key()
    issued_by = _issued_by(issuer) if issuer else x509.AuthorityKeyIdentifier.from_issuer_public_key(public)
    certificate = (
        _builder(name, issuer.subject if issuer else name, public, _end(days, *([issuer] if issuer else [])))
        .add_extension(x509.BasicConstraints(ca=True, path_length=below), critical=True)
        .add_extension(_usage(key_cert_sign=True, crl_sign=True, digital_signature=itself), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(issued_by, critical=False)
        .sign(_load(signer), hashes.SHA256())
    )
    return _pem(certificate)


def root(cloud: str, key: str) -> str:
    """Return the self-signed certificate, as PEM, of the root authority of *cloud* with the private key *key*."""
    return _authority(_name(f"{cloud[:36]} root certificate authority"), key, None, key, ROOT_DAYS, 1)


def alone(name: str) -> str:
    """Return the private key and the self-signed certificate, as PEM, of an authority for one purpose.

    It issues certificates, or is the only one that its peers trust.
    """
    key = new_key()
    return key + _authority(_name(f"{name} certificate authority"), key, None, key, ROOT_DAYS, 0, itself=True)


def intermediate(cloud: str, key: str, root: str, root_key: str) -> str:
    """Return the certificate of the authority that issues the certificates of *cloud*, and its root's, as PEM."""
    (issuer,) = _chain(root)
    return _authority(_name(f"{cloud[:36]} certificate authority"), key, issuer, root_key, CA_DAYS, 0) + root


def belongs(key: str, certificate: str) -> bool:
    """Whether *key* is the private key of the first certificate of the PEM *certificate*."""
    try:
        return _load(key).public_key() == _chain(certificate)[0].public_key()
    except (ValueError, TypeError):
        return False


def single(ca: str) -> bool:
    """Whether the PEM *ca* is an authority without a root above it, as clouds had at first."""
    return len(_chain(ca)) == 1


def root_of(ca: str) -> str:
    """Return the last certificate of the PEM *ca*, which clients must trust."""
    return _pem(_chain(ca)[-1])


def authority_error(ca: str, key: str) -> str | None:
    """Return why the user's authority *ca*, with its chain, and *key* cannot issue certificates; None if they can."""
    try:
        chain, private = _chain(ca), _load(key)
    except (ValueError, TypeError) as error:
        return f"is not a PEM without a passphrase: {error}"
    if not chain:
        return "has no certificate"
    if chain[0].public_key() != private.public_key():
        return "belongs to another key"
    for certificate, issuer in itertools.pairwise([*chain, chain[-1]]):
        try:
            certificate.verify_directly_issued_by(issuer)
        except Exception:  # cryptography raises a different type for each cause
            name = certificate.subject.rfc4514_string()
            return f"does not have, after {name}, the authority that signed it; the last one must be a root"
    for below, certificate in enumerate(chain):
        name = certificate.subject.rfc4514_string()
        found = {extension.oid: extension.value for extension in certificate.extensions}
        constraints = found.get(x509.BasicConstraints.oid)
        usage = found.get(x509.KeyUsage.oid)
        if not (constraints and constraints.ca) or (usage and not usage.key_cert_sign):
            return f"is no authority: {name}"
        if constraints.path_length is not None and constraints.path_length < below:
            return f"may not have {below} authorities below it: {name}"
        if certificate.not_valid_after_utc < datetime.datetime.now(datetime.UTC):
            return f"expired on {certificate.not_valid_after_utc:%Y-%m-%d}: {name}"
    try:
        issue(["host"], new_key(), ca, key)
    except (ValueError, TypeError) as error:
        return f"cannot issue certificates: {error}"
    return None


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _alternative(name: str) -> x509.GeneralName:
    return x509.IPAddress(ipaddress.ip_address(name)) if _is_address(name) else x509.DNSName(name)


def host_file(name: str) -> str:
    """Return the file of the certificate of the host *name* in the secrets directory, without suffix."""
    return f"host-{name}"


def issue(names: list[str], key: str, ca: str, ca_key: str, client: bool = False) -> str:
    """Return a certificate, as PEM, for *names* (DNS names and IP addresses), signed by the authority *ca*.

    The certificates of the authorities between it and the root follow it.

    :param client: whether a host authenticates with it as a client too, as members of a cluster do.
    """
    usages = [ExtendedKeyUsageOID.SERVER_AUTH, *([ExtendedKeyUsageOID.CLIENT_AUTH] if client else [])]
    issuer, *above = _chain(ca)
    public, signer = _load(key).public_key(), _load(ca_key)
    certificate = (
        _builder(_name(names[0]), issuer.subject, public, _end(CERTIFICATE_DAYS, issuer, *above))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        # libvirt before 11.6 requires both, although TLS 1.3 needs one.
        .add_extension(_usage(digital_signature=True, key_encipherment=client), critical=True)
        .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        .add_extension(x509.SubjectAlternativeName([_alternative(name) for name in names]), critical=False)
        .add_extension(_issued_by(issuer), critical=False)
        .sign(signer, hashes.SHA256())
    )
    return _pem(certificate) + _between([issuer, *above])


def _between(chain: list[x509.Certificate]) -> str:
    """Return the authorities of a chain but the root, as PEM."""
    return "".join(_pem(one) for one in chain if not _is_root(one))


def given_error(certificate: str, key: str, ca: str, names: list[str]) -> str | None:
    """Return why the user's certificate (with its chain) is not valid for *names*, or None if it is.

    :param names: DNS names and addresses that clients use. An address is compared with the addresses only.
    """
    try:
        found = x509.load_pem_x509_certificate(certificate.encode())
        authorities = x509.load_pem_x509_certificates(ca.encode())
        private = _load(key)
    except (ValueError, TypeError) as error:
        return f"is not a PEM without a passphrase: {error}"
    if not authorities:
        return "has no authority"
    if found.public_key() != private.public_key():
        return "belongs to another key"
    if found.not_valid_after_utc < datetime.datetime.now(datetime.UTC):
        return f"expired on {found.not_valid_after_utc:%Y-%m-%d}"
    try:
        given = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return "names no host (it has no subjectAltName)"
    patterns = given.get_values_for_type(x509.DNSName)
    known = [*patterns, *map(str, given.get_values_for_type(x509.IPAddress))]
    for name in names:
        fits = _alternative(name) in list(given)
        if not fits and (_is_address(name) or f"*.{name.partition('.')[2]}" not in patterns):
            return f"is for {', '.join(known)}, not for {'the address ' if _is_address(name) else ''}{name}"
    return None


def days_left(certificate: str) -> int:
    """Return in how many days the first of the certificates in the PEM *certificate* expires."""
    end = min(found.not_valid_after_utc for found in _chain(certificate))
    return (end - datetime.datetime.now(datetime.UTC)).days


def renewable(ca: str) -> bool:
    """Whether the authority *ca* is near its end, and its root is not."""
    return days_left(ca) < CA_RENEW_DAYS <= days_left(root_of(ca))


def error(certificate: str, names: list[str], ca: str) -> str | None:
    """Return why *certificate* must be replaced, or None if it is valid."""
    if not certificate:
        return "missing"
    found, *chain = _chain(certificate)
    issuer, *above = _chain(ca)
    if days_left(certificate) < RENEW_DAYS:
        return f"expires in {days_left(certificate)} days"
    alternatives = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    if set(alternatives) != {_alternative(name) for name in names}:
        return "is for other names"
    try:
        found.verify_directly_issued_by(issuer)
    except Exception:  # cryptography raises a different type for each cause
        return "is signed by another authority"
    if _between(chain) != _between([issuer, *above]):
        return "its authority has a new certificate"
    return None
