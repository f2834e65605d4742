# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The key manager, as used by an unprivileged user: secrets, signed images, volumes that are encrypted."""

from __future__ import annotations

import base64
import datetime
import secrets
from collections.abc import Callable
from functools import partial
from typing import Any

from ansible_collections.cairn.openstack.plugins.module_utils.cloud.sdk import rest
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify import account, image, volume
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify.checks import (
    Bad,
    Check,
    NotRun,
    Service,
    poll,
)
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify.run import TENANT, Run

OF = ("barbican",)
ENCRYPTED = "encrypted"
SIGNED_BYTES = 64 * 1024
# LUKS keeps the data behind a header of 2 MiB, or 16 MiB with version 2.
LUKS, HEADER = b"LUKS\xba\xbe", 16 * 2**20


def checks(run: Run, check: Callable[..., Check]) -> list[Check]:
    """Return the checks that use the APIs."""
    return [
        check("secret", kept, ("token",), OF),
        check("secret's ACL", shared, ("secret",), OF),
        check("signed image", signed_image, ("token",), (*OF, "glance")),
        check("encrypted volume", attached, ("server",), (*OF, *volume.SERVICES), groups=volume.STORES),
    ]


def written(probe: Any) -> list[Check]:
    """Return the check that a server writes to the encrypted volume."""
    function = partial(probe.written, ENCRYPTED)
    needs = ("ssh", "encrypted volume")
    return [Check("encrypted volume written", function, needs, services=volume.SERVICES, groups=volume.STORES)]


def copies(of: volume.Copies) -> list[Check]:
    """Return the check of what the back end has of the encrypted volume."""
    function = partial(unreadable, of)
    needs, services = ("encrypted volume written",), (*OF, *volume.SERVICES)
    return [Check("volume unreadable in the back end", function, needs, services=services, groups=volume.STORES)]


def kept(run: Run) -> str:
    """Store a secret, and read it; the administrator of another project cannot."""
    payload = secrets.token_hex(16)
    run.secret = store(run, f"{run.name}-secret", payload)
    found = read(run.user, run.secret)
    if found.text != payload:
        raise Bad(f"stored {len(payload)} characters, read {len(found.text)} other ones", (run.secret,))
    _refused(run)
    return "read by its owner, refused to another project's administrator"


def shared(run: Run) -> str:
    """Let a user of another project read the secret, then no longer; delete it."""
    user = run.admin.current_user_id
    rest(run.user.key_manager, "PUT", f"/secrets/{run.secret}/acl", json={"read": {"users": [user]}})
    if read(run.admin, run.secret).status_code >= 400:
        raise Bad("the ACL names a user, who cannot read the secret", (run.secret,))
    rest(run.user.key_manager, "DELETE", f"/secrets/{run.secret}/acl")
    _refused(run)
    rest(run.user.key_manager, "DELETE", f"/secrets/{run.secret}")
    return "another user reads it as long as its ACL names that user"


def _refused(run: Run) -> None:
    found = read(run.admin, run.secret)
    if found.status_code not in (403, 404):
        raise Bad(f"status {found.status_code}, not 403, for the secret of another project", (run.secret,))


def read(connection, secret: str):
    """Return the response with the payload of a *secret*."""
    return connection.key_manager.get(f"/secrets/{secret}/payload", headers={"Accept": "text/plain"})


def store(run: Run, name: str, payload: str, **of) -> str:
    """Store a secret of the user, and return its id.

    :param of: further attributes, if it is no text.
    """
    return stored(run, name, payload, **of).rsplit("/", 1)[-1]


def stored(run: Run, name: str, payload: str, **of) -> str:
    """As C(store), but return its URL, by which other services take it."""
    body = {"name": name, "payload": payload, "payload_content_type": "text/plain", **of}
    return rest(run.user.key_manager, "POST", "/secrets", json=body).json()["secret_ref"]


def signed_image(run: Run) -> str:
    """Upload an image whose signature Glance verifies, and the same one changed, which it refuses."""
    try:
        key, certificate = new_certificate(run.name)
    except ImportError as error:
        raise NotRun(f"no library to sign with on this host: {error}") from error
    secret = store(
        run,
        f"{run.name}-certificate",
        base64.b64encode(certificate).decode(),
        secret_type="certificate",
        payload_content_type="application/octet-stream",
        payload_content_encoding="base64",
    )
    sample = secrets.token_bytes(SIGNED_BYTES)
    properties = {
        "img_signature": base64.b64encode(sign(key, sample)).decode(),
        "img_signature_hash_method": "SHA-256",
        "img_signature_key_type": "RSA-PSS",
        "img_signature_certificate_uuid": secret,
    }
    made = image.upload(run, f"{run.name}-signed", sample, "raw", properties=properties)
    if (status := run.user.image.get_image(made).status) != "active":
        raise Bad(f"the image with a valid signature is {status}", (made,))
    try:
        other = image.upload(run, f"{run.name}-forged", sample[::-1], "raw", properties=properties)
    except Exception as error:
        if getattr(error, "status_code", 0) != 400:
            raise
    else:
        raise Bad("an image with another content was accepted with the same signature", (other,))
    rest(run.user.image, "DELETE", f"/images/{made}")
    rest(run.user.key_manager, "DELETE", f"/secrets/{secret}")
    return "accepted, and refused with another content"


def new_certificate(name: str):
    """Return a new RSA key, and its certificate as PEM."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    return key, certificate.public_bytes(serialization.Encoding.PEM)


def sign(key, data: bytes) -> bytes:
    """Return the signature of *data* as Glance verifies it."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding

    return key.sign(data, padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.MAX_LENGTH), hashes.SHA256())


def attached(run: Run) -> str:
    """Create a volume of a type that encrypts, and attach it to the first server."""
    volume.served(run)
    block = run.admin.block_storage
    types = rest(block, "GET", "/types").json()["volume_types"]
    encrypting = [one for one in types if rest(block, "GET", f"/types/{one['id']}/encryption").json()]
    if not encrypting:
        raise NotRun("no volume type encrypts")
    kind = encrypting[0]["name"]
    made = run.user.block_storage.create_volume(name=f"{run.name}-{ENCRYPTED}", size=volume.SIZE, volume_type=kind)
    volume.wait(run, "volume", made.id, "available")
    guest = run.on(TENANT)[0]
    volume.attach(run, guest, made.id)
    run.disks[ENCRYPTED] = made.id
    return f"of type {kind}, attached to {guest.name}"


def unreadable(of: volume.Copies) -> str:
    """Detach the volume, and search what its back end has for what the server wrote."""
    run, guest, disk = of.run, of.guest, of.disks[ENCRYPTED]
    run.user.compute.delete_volume_attachment(guest.id, disk)
    volume.wait(run, "volume", disk, "available")
    # An image of an encrypted volume is what the back end has.
    made = volume.to_image(run, disk, f"{run.name}-of-{ENCRYPTED}")
    length = HEADER + volume.WRITTEN
    # No range: Glance has none of images in Ceph.
    with run.user.image.get(f"/images/{made}/file", headers={"Accept": ""}, stream=True) as response:
        if response.status_code != 200:
            raise Bad(f"status {response.status_code} for the data of an image", (disk, made))
        found = response.raw.read(length)
    if not found.startswith(LUKS):
        raise Bad("the back end's data has no LUKS header", (disk, made))
    if run.name.encode() in found:
        raise Bad("the back end has what the server wrote in plain text", (disk, made))
    rest(run.user.image, "DELETE", f"/images/{made}")
    return f"{len(found) // 2**20} MiB begin with a LUKS header, and have nothing of what was written"


def sweep(admin, project: str, seconds: float) -> list[str]:
    """Delete all secrets of a project as admin, and return those that remain.

    :param seconds: how long to wait for that.
    """
    manager = account.admin_of(admin, project).key_manager

    def listed() -> list[str]:
        # Without a limit, ten of them.
        found = rest(manager, "GET", "/secrets?limit=100").json()["secrets"]
        return [one["secret_ref"].rsplit("/", 1)[-1] for one in found]

    def gone() -> bool:
        for secret in listed():
            manager.delete(f"/secrets/{secret}")
        return not listed()

    poll(gone, seconds)
    return listed()


SERVICE = Service("barbican", "secret", checks, sweep, written, copies, last=True)
