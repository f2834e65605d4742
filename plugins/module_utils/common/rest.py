# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A JSON API over HTTP(S), by the standard library.

Importing it takes 0.05 s of CPU; keystoneauth1 takes 0.65 and openstacksdk 0.65 to 0.8, which a call that has
nothing to do would spend on nothing else.
"""

from __future__ import annotations

import base64
import http.client
import json
import ssl
import threading
import time
from urllib.parse import urlsplit

from ansible_collections.cairn.openstack.plugins.module_utils.common.changes import Failed, Unreachable

# What a service says without its database, and a load balancer without its service.
AILING = {500, 502, 503, 504}


class Denied(Failed):
    """The credentials are not accepted (401), or not for this (403)."""


class Api:
    """A client that keeps one connection per thread.

    :param url: scheme, host, port and the path that all requests begin with.
    :param cafile: bundle of the CAs to trust, in PEM; the system's by default.
    :param basic: name and password for basic authentication.
    """

    def __init__(self, url: str, cafile: str | None = None, basic: tuple[str, str] | None = None):
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise Failed(f"{url} is no http or https URL")
        self.url = url.rstrip("/")
        self.headers = {"Accept": "application/json", "Content-Type": "application/json"}
        if basic:
            self.headers["Authorization"] = "Basic " + base64.b64encode(":".join(basic).encode()).decode()
        self._prefix = parts.path.rstrip("/")
        self._where = (parts.hostname, parts.port)
        self._encrypted, self._cafile = parts.scheme == "https", cafile
        self._local = threading.local()

    def get(self, path: str):
        """The decoded answer to a GET."""
        return self.call("GET", path)[1]

    def call(self, method: str, path: str, body: dict | None = None) -> tuple[dict, dict | list | None]:
        """One request: the answer's headers and its decoded body.

        :raises Unreachable: nobody answers, or somebody who lacks what it needs itself.
        :raises Denied: 401 or 403.
        :raises Failed: any other answer that is no success.
        """
        status, headers, text = self._exchange(
            method, self._prefix + path, json.dumps(body) if body is not None else None
        )
        what = f"{method} {self.url}{path}: {status}"
        if status in AILING:
            raise Unreachable(f"{what} {_words(text)}")
        if status in (401, 403):
            raise Denied(f"{what} {_words(text)}")
        if status >= 300:
            raise Failed(f"{what} {_words(text)}")
        return headers, json.loads(text) if text else None

    def wait(self, path: str, seconds: float) -> None:
        """Wait until somebody answers, whatever the answer.

        :raises Unreachable: nobody did within that many seconds.
        """
        deadline = time.monotonic() + seconds
        while True:
            try:
                self.call("GET", path)
                return
            except Unreachable as error:
                if time.monotonic() >= deadline:
                    raise Unreachable(f"no answer within {seconds:g} s: {error}") from error
            except Failed:
                return
            time.sleep(0.5)

    def _exchange(self, method: str, path: str, body: str | None) -> tuple[int, dict, str]:
        """Send and receive; once more if the server closed a kept connection or hung up on a read."""
        for last in (False, True):
            connection = getattr(self._local, "connection", None)
            kept = connection is not None
            try:
                if not kept:
                    connection = self._local.connection = self._connect()
                connection.request(method, path, body, self.headers)
                response = connection.getresponse()
                return response.status, dict(response.getheaders()), response.read().decode()
            except (OSError, http.client.HTTPException) as error:
                self._local.connection = None
                # A request that may have been carried out is not sent twice.
                closed = kept and isinstance(
                    error, (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError)
                )
                if last or not (closed or (kept and method == "GET")):
                    raise Unreachable(f"{method} {self.url}: {error or type(error).__name__}") from error
        raise AssertionError("not reached")

    def _connect(self) -> http.client.HTTPConnection:
        if not self._encrypted:
            return http.client.HTTPConnection(*self._where, timeout=60)
        try:
            tls = ssl.create_default_context(cafile=self._cafile)
        except OSError as error:
            # A plan may come before the CA.
            raise Unreachable(f"can't read the CA bundle {self._cafile}: {error.strerror or error}") from error
        return http.client.HTTPSConnection(*self._where, timeout=60, context=tls)


def _words(text: str) -> str:
    """The reason in an error's body: Keystone's and RabbitMQ's shapes, or its first line."""
    try:
        data = json.loads(text)
        error = data.get("error", data)
        return (
            str(error.get("message") or data.get("reason") or error)
            if isinstance(error, dict)
            else str(data.get("reason") or error)
        )
    except (ValueError, AttributeError):
        return text.strip().split("\n")[0][:200]
