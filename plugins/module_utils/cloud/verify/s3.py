# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The subset of the S3 API that a check needs: requests with signature version 4."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import ssl
import time
from urllib.parse import urlsplit

from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify.checks import Bad

# The default region of Swift and of clients.
REGION = "us-east-1"
TIMEOUT = 60


def signature(key: str, method: str, path: str, headers: dict[str, str], now: str, region: str = REGION) -> str:
    """Return the header ``Authorization`` of a request without a query.

    :param key: access key and secret, joined by a colon.
    :param headers: all signed headers, names in lower case, including x-amz-content-sha256.
    :param now: the time as in 20260101T120000Z.
    """
    access, _colon, secret = key.partition(":")
    names = ";".join(sorted(headers))
    lines = [method, path, "", *(f"{name}:{headers[name]}" for name in sorted(headers)), "", names]
    request = "\n".join([*lines, headers["x-amz-content-sha256"]])
    scope = f"{now[:8]}/{region}/s3/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", now, scope, hashlib.sha256(request.encode()).hexdigest()])
    derived = f"AWS4{secret}".encode()
    for word in scope.split("/"):
        derived = hmac.new(derived, word.encode(), "sha256").digest()
    proof = hmac.new(derived, text.encode(), "sha256").hexdigest()
    return f"AWS4-HMAC-SHA256 Credential={access}/{scope}, SignedHeaders={names}, Signature={proof}"


class Client:
    """A client with EC2 credentials.

    :param url: URL of the service, without a path.
    :param verify: true, false, or a CA bundle.
    """

    def __init__(self, url: str, access: str, secret: str, verify: bool | str) -> None:
        self.url = url
        self.key = f"{access}:{secret}"
        self.verify = verify

    def ask(self, method: str, path: str, data: bytes = b"") -> tuple[int, bytes]:
        """Send a request, and return the status and body of the response."""
        parts, now = urlsplit(self.url), time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        digest = hashlib.sha256(data).hexdigest()
        headers = {"host": parts.netloc, "x-amz-content-sha256": digest, "x-amz-date": now}
        headers["authorization"] = signature(self.key, method, path, headers, now)
        if parts.scheme == "https":
            tls = ssl.create_default_context(cafile=self.verify if isinstance(self.verify, str) else None)
            if self.verify is False:
                tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
            connection = http.client.HTTPSConnection(parts.netloc, timeout=TIMEOUT, context=tls)
        else:
            connection = http.client.HTTPConnection(parts.netloc, timeout=TIMEOUT)
        try:
            connection.request(method, path, data, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def must(self, method: str, path: str, data: bytes = b"") -> bytes:
        """Send a request that must succeed, and return the body of the response."""
        status, body = self.ask(method, path, data)
        if status // 100 != 2:
            raise Bad(f"S3 {method} {path}: {status} {' '.join(body.decode(errors='replace').split())[:300]}")
        return body
