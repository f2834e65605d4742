# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects, as used by an unprivileged user: small and large ones, quotas, temporary URLs, and S3."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from ansible_collections.cairn.openstack.plugins.module_utils.cloud.sdk import rest
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify import account, s3
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify.checks import Bad, poll
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify.run import Run

SAMPLE_BYTES = 2**20
SEGMENTS = 3
# A proxy caches the metadata of an account, including its keys, for a minute (recheck_account_existence).
KEY_SECONDS = 90
PLAIN = {"Content-Type": "application/octet-stream", "Accept": ""}


def digest(data: bytes) -> str:
    """Return the checksum to compare contents."""
    return hashlib.sha256(data).hexdigest()


def same(what: str, sent: bytes, back: bytes) -> None:
    """Raise Bad unless the data that was read is the data that was sent."""
    if digest(sent) != digest(back):
        raise Bad(f"{what}: sent {len(sent)} bytes, read {len(back)} different ones")


@contextmanager
def container(run: Run, name: str, **headers: str) -> Iterator[str]:
    """Create a container for the run, and remove it with its contents."""
    path = f"/{run.name}-{name}"
    rest(run.user.object_store, "PUT", path, headers=headers)
    try:
        yield path
    finally:
        empty(run.user.object_store, path)


def empty(store, path: str) -> None:
    """Remove a container and its objects; listings may be delayed."""

    def gone() -> bool:
        for one in rest(store, "GET", path, params={"format": "json"}).json():
            store.request(f"{path}/{one['name']}", "DELETE")
        return store.request(path, "DELETE").status_code in (204, 404)

    if not poll(gone, 30):
        raise Bad(f"the container {path} cannot be removed")


def sweep(admin, project: str) -> int:
    """Remove all containers of a project as admin, and return their number."""
    store = account.admin_of(admin, project).object_store
    names = [one["name"] for one in rest(store, "GET", "", params={"format": "json"}).json()]
    for name in names:
        empty(store, f"/{name}")
    return len(names)


def round_trip(run: Run) -> str:
    """Write an object and read it back."""
    sample = secrets.token_bytes(SAMPLE_BYTES)
    store = run.user.object_store
    with container(run, "sample") as path:
        rest(store, "PUT", f"{path}/object", data=sample, headers=PLAIN)
        same("the object", sample, rest(store, "GET", f"{path}/object", headers={"Accept": ""}).content)
    return f"{SAMPLE_BYTES // 1024} KiB written and read back"


def large(run: Run) -> str:
    """Write a large object in segments, and read it as one: static (SLO) and dynamic (DLO)."""
    parts = [secrets.token_bytes(SAMPLE_BYTES) for _part in range(SEGMENTS)]
    store = run.user.object_store
    with container(run, "large") as path:
        listed = []
        for number, part in enumerate(parts):
            rest(store, "PUT", f"{path}/part{number}", data=part, headers=PLAIN)
            md5 = hashlib.md5(part, usedforsecurity=False).hexdigest()
            listed.append({"path": f"{path}/part{number}", "etag": md5, "size_bytes": len(part)})
        rest(store, "PUT", f"{path}/list", params={"multipart-manifest": "put"}, json=listed)
        rest(store, "PUT", f"{path}/name", data=b"", headers={**PLAIN, "X-Object-Manifest": f"{path[1:]}/part"})
        for name in ("list", "name"):
            same(f"the large object by its {name}", b"".join(parts), rest(store, "GET", f"{path}/{name}").content)
    return f"{SEGMENTS} segments of {SAMPLE_BYTES // 1024} KiB, as SLO and as DLO"


def quota(run: Run) -> str:
    """Exceed the quota of a container, and expect an error."""
    store = run.user.object_store
    with container(run, "quota", **{"X-Container-Meta-Quota-Bytes": "1024"}) as path:
        rest(store, "PUT", f"{path}/small", data=bytes(512), headers=PLAIN)
        answer = store.request(f"{path}/large", "PUT", data=bytes(4096), headers=PLAIN)
        if answer.status_code != 413 or "quota" not in answer.text.lower():
            raise Bad(f"an object beyond the quota: {answer.status_code} {answer.text.strip()[:200]}")
    return f"413: {answer.text.strip()}"


def temporary_url(run: Run) -> str:
    """Read an object by a temporary URL, without authentication."""
    store, sample = run.user.object_store, secrets.token_bytes(1024)
    key, until = secrets.token_hex(16), int(time.time()) + 300
    rest(store, "POST", "", headers={"X-Account-Meta-Temp-URL-Key": key})
    with container(run, "given") as path:
        rest(store, "PUT", f"{path}/object", data=sample, headers=PLAIN)
        url = f"{store.get_endpoint()}{path}/object"
        message = f"GET\n{until}\n{urlsplit(url).path}".encode()
        signature = hmac.new(key.encode(), message, "sha256").hexdigest()

        def read(signed: str):
            query = {"temp_url_sig": signed, "temp_url_expires": str(until)}
            return run.user.session.get(url, params=query, authenticated=False, raise_exc=False)

        # A response with an error status is false.
        given = poll(lambda: read(signature), KEY_SECONDS)
        if not given:
            raise Bad(f"the object by its temporary URL: {given.status_code} {given.text.strip()[:200]}")
        same("the object by its temporary URL", sample, given.content)
        refused = read(signature[::-1]).status_code
        # Swift returns the first, Ceph's gateway the second.
        if refused not in (401, 403):
            raise Bad(f"a wrong signature returned {refused}")
    return "read by it; refused with a wrong signature"


def by_s3(run: Run) -> str:
    """Write and read through the S3 API, with EC2 credentials of the user."""
    user = run.user.current_user_id
    made = rest(run.user.identity, "POST", f"/users/{user}/credentials/OS-EC2", json={"tenant_id": run.project.id})
    pair, sample = made.json()["credential"], secrets.token_bytes(SAMPLE_BYTES)
    parts = urlsplit(run.user.object_store.get_endpoint())
    client = s3.Client(f"{parts.scheme}://{parts.netloc}", pair["access"], pair["secret"], run.user.session.verify)
    bucket = f"/{run.name}-s3"
    client.must("PUT", bucket)
    try:
        client.must("PUT", f"{bucket}/object", sample)
        same("the S3 object", sample, client.must("GET", f"{bucket}/object"))
        same("the S3 object by Swift", sample, rest(run.user.object_store, "GET", f"{bucket}/object").content)
        liar = s3.Client(client.url, pair["access"], secrets.token_hex(16), run.user.session.verify)
        refused = liar.ask("GET", f"{bucket}/object")[0]
        if refused != 403:
            raise Bad(f"a wrong key returned {refused}")
    finally:
        empty(run.user.object_store, bucket)
    return f"{SAMPLE_BYTES // 1024} KiB written and read back; refused with a wrong key"
