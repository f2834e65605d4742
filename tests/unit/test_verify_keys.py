# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Verification of Barbican, against APIs of the same form."""

from __future__ import annotations

import contextlib
import io
from types import SimpleNamespace

import pytest
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify import image, keys, volume
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify.checks import Bad, NotRun
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify.run import Guest, Run

RUN = "cairn-verify-20260102000000-0a0b"


class Barbican:
    """Secrets of one project: its user reads them, and whom an ACL names."""

    def __init__(self, careless=False, deaf=False, changed=False):
        self.careless, self.deaf, self.changed = careless, deaf, changed
        self.secrets, self.acl = {}, set()

    def of(self, user):
        """Return the API for a user of the project, or another one."""
        return SimpleNamespace(
            request=lambda path, method, json=None: self.request(path, method, json),
            get=lambda path, headers: self.payload(path.split("/")[2], user),
            delete=lambda path: self.request(path, "DELETE", None),
        )

    def payload(self, secret, user):
        if user != "owner" and not self.careless and user not in self.acl:
            return SimpleNamespace(status_code=403, text="forbidden")
        return SimpleNamespace(status_code=200, text=self.secrets[secret] + ("x" if self.changed else ""))

    def request(self, path, method, body):
        found = {}
        if path.endswith("/acl"):
            self.acl = set() if method == "DELETE" or self.deaf else set(body["read"]["users"])
        elif method == "POST":
            self.secrets[f"s{len(self.secrets)}"] = body["payload"]
            found = {"secret_ref": f"https://cloud:9311/v1/secrets/s{len(self.secrets) - 1}"}
        elif method == "DELETE":
            del self.secrets[path.split("/")[2]]
        else:
            found = {"secrets": [{"secret_ref": f"https://cloud:9311/v1/secrets/{name}"} for name in self.secrets]}
        return SimpleNamespace(json=lambda: found, status_code=200)


@pytest.fixture
def begin(monkeypatch):
    """Return a run with a Barbican."""
    monkeypatch.setattr(keys, "rest", lambda proxy, method, path, **more: proxy.request(path, method, **more))

    def run(barbican):
        admin = SimpleNamespace(current_user_id="admin", key_manager=barbican.of("admin"))
        return Run(RUN, admin, {}, user=SimpleNamespace(key_manager=barbican.of("owner")))

    return run


def test_secrets_are_their_projects(begin):
    barbican = Barbican()
    run = begin(barbican)
    assert "refused" in keys.kept(run)
    assert "ACL" in keys.shared(run)
    assert not barbican.secrets


@pytest.mark.parametrize(
    ("barbican", "check", "message"),
    [
        (Barbican(careless=True), keys.kept, "status 200, not 403"),
        (Barbican(changed=True), keys.kept, "read 33 other ones"),
        (Barbican(deaf=True), keys.shared, "cannot read"),
    ],
)
def test_what_a_secret_must_not_do(begin, barbican, check, message):
    run = begin(barbican)
    if check is keys.shared:
        keys.kept(run)
    with pytest.raises(Bad, match=message):
        check(run)


def test_secrets_that_are_left_are_deleted():
    barbican = Barbican()
    barbican.request("/secrets", "POST", {"payload": "x"})
    manager = barbican.of("admin")
    identity = SimpleNamespace(assign_project_role_to_user=lambda *_: None, find_role=lambda name: name)
    admin = SimpleNamespace(
        identity=identity, current_user_id="admin", connect_as=lambda project_id: SimpleNamespace(key_manager=manager)
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keys, "rest", lambda proxy, method, path: proxy.request(path, method))
        assert keys.sweep(admin, "p1", 0) == []
    assert not barbican.secrets


class TestSignedImages:
    @pytest.fixture
    def run(self, begin, monkeypatch):
        """Return a function that starts a run with a Glance, which verifies signatures or does not."""

        def start(verifies):
            run, known = begin(Barbican()), {}

            def upload(run, name, data, disk_format, properties):
                if known and verifies and known["data"] != data:
                    error = RuntimeError("the signature does not match")
                    error.status_code = 400
                    raise error
                known.update(data=data, properties=properties)
                return name

            monkeypatch.setattr(image, "upload", upload)
            deleted = SimpleNamespace(status_code=204)
            run.user.image = SimpleNamespace(
                get_image=lambda _: SimpleNamespace(status="active"), request=lambda _path, _method: deleted
            )
            return run, known

        return start

    def test_a_signature_that_glance_can_verify(self, run):
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import padding

        key, certificate = keys.new_certificate("x")
        assert certificate.startswith(b"-----BEGIN CERTIFICATE-----")
        how = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.MAX_LENGTH)
        key.public_key().verify(keys.sign(key, b"data"), b"data", how, hashes.SHA256())
        started, known = run(verifies=True)
        assert "refused" in keys.signed_image(started)
        assert known["properties"]["img_signature_certificate_uuid"] == "s0"

    def test_a_glance_that_does_not_look(self, run):
        with pytest.raises(Bad, match="another content"):
            keys.signed_image(run(verifies=False)[0])


class TestEncryptedVolumes:
    @pytest.fixture
    def copies(self, begin, monkeypatch):
        """Return a function that starts the check of what the back end has, with its data."""

        def start(data):
            run = begin(Barbican())
            response = contextlib.nullcontext(SimpleNamespace(status_code=200, raw=io.BytesIO(data)))
            run.user.image = SimpleNamespace(
                get=lambda path, headers, stream: response, request=lambda _path, _method: None
            )
            run.user.compute = SimpleNamespace(delete_volume_attachment=lambda server, disk: None)
            monkeypatch.setattr(volume, "wait", lambda *_: None)
            monkeypatch.setattr(volume, "to_image", lambda _run, disk, _name: f"image of {disk}")
            guest = Guest("one", "g1").as_dict()
            return volume.Copies(run, {"servers": [guest], "disks": {keys.ENCRYPTED: "v1"}})

        return start

    def test_nothing_can_be_read(self, copies):
        assert "LUKS header" in keys.unreadable(copies(keys.LUKS + b"\0" * 2**20))

    @pytest.mark.parametrize(
        ("data", "message"), [(b"", "no LUKS header"), (keys.LUKS + RUN.encode(), "in plain text")]
    )
    def test_what_must_not_be(self, copies, data, message):
        with pytest.raises(Bad, match=message):
            keys.unreadable(copies(data))

    def test_a_cloud_without_such_a_type(self, begin, monkeypatch):
        run = begin(Barbican())
        monkeypatch.setattr(volume, "served", lambda _run: None)
        answers = {"/types": {"volume_types": [{"id": "t1", "name": "ceph"}]}, "/types/t1/encryption": {}}
        run.admin.block_storage = SimpleNamespace(
            request=lambda path, _method: SimpleNamespace(json=lambda: answers[path])
        )
        with pytest.raises(NotRun, match="no volume type encrypts"):
            keys.attached(run)
