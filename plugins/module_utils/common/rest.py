# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A client of JSON APIs over HTTP(S), with the standard library only.

Its import takes 0.05 s of CPU, that of keystoneauth1 0.65 s and of openstacksdk 0.65 to 0.8 s, more than a call
without changes.
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

# The status of a service without its database, and of a load balancer without a working backend.
AILING = {500, 502, 503, 504}


class Denied(Failed):
    """The credentials are rejected (401), or not sufficient (403)."""


class Api:
    """A client with one persistent connection per thread.

    :param url: scheme, host, port and the common prefix of all paths.
    :param cafile: CA bundle in PEM format; the system's by default.
    :param basic: name and password for basic authentication.
    """

    def __init__(self, url: str, cafile: str | None = None, basic: tuple[str, str] | None = None):
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise Failed(f"{url} is not an http or https URL")
        self.url = url.rstrip("/")
        self.headers = {"Accept": "application/json", "Content-Type": "application/json"}
        if basic:
            self.headers["Authorization"] = "Basic " + base64.b64encode(":".join(basic).encode()).decode()
        self._prefix = parts.path.rstrip("/")
        self._where = (parts.hostname, parts.port)
        self._encrypted, self._cafile = parts.scheme == "https", cafile
        self._local = threading.local()

    def get(self, path: str):
        """Return the decoded response to a GET."""
        return self.call("GET", path)[1]

    def call(self, method: str, path: str, body: dict | None = None) -> tuple[dict, dict | list | None]:
        """Send a request; return the headers and the decoded body of the response.

        :raises Unreachable: no response, or one of a service that is not ready.
        :raises Denied: 401 or 403.
        :raises Failed: any other status that is not a success.
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
        """Wait until there is any response.

        :raises Unreachable: no response within that many seconds.
        """
        deadline = time.monotonic() + seconds
        while True:
            try:
                self.call("GET", path)
                return
            except Unreachable as error:
                if time.monotonic() >= deadline:
                    raise Unreachable(f"no response within {seconds:g} s: {error}") from error
            except Failed:
                return
            time.sleep(0.5)

    def _exchange(self, method: str, path: str, body: str | None) -> tuple[int, dict, str]:
        """Send and receive; retry if the server closed a persistent connection, or interrupted a read request."""
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
                # A request that may have been executed is not sent twice.
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
            # A plan may run before the CA is installed.
            raise Unreachable(f"can't read the CA bundle {self._cafile}: {error.strerror or error}") from error
        return http.client.HTTPSConnection(*self._where, timeout=60, context=tls)


def _words(text: str) -> str:
    """Return the reason in the body of an error: in Keystone's or RabbitMQ's format, or its first line."""
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
