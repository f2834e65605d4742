# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A user of the object store who stands outside the cloud, and remembers what was acknowledged to him."""

from __future__ import annotations

import hashlib
import http.client
import random
import secrets
import socket
import ssl
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from urllib.parse import urlsplit

THREADS = 8
TIMEOUT = 90


@dataclass
class Store:
    """An account.

    :param url: its endpoint, which has the cloud's name in it.
    :param address: where that is.
    :param authority: the PEM text to check its certificate by.
    """

    url: str
    address: str
    token: str
    authority: str

    def ask(self, method: str, path: str, data: bytes = b"", **headers: str) -> tuple[int, bytes]:
        """Send a request, and return the answer's status and body; 0 where no answer came."""
        parts = urlsplit(self.url)
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=TIMEOUT)
        try:
            connection.sock = socket.create_connection((self.address, parts.port), TIMEOUT)
            if parts.scheme == "https":
                tls = ssl.create_default_context(cadata=self.authority)
                connection.sock = tls.wrap_socket(connection.sock, server_hostname=parts.hostname)
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, f"{parts.path}{path}", data, {"X-Auth-Token": self.token, **named})
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException) as error:
            return 0, str(error).encode()
        finally:
            connection.close()


@dataclass
class Client:
    """Writes objects, and keeps the checksums of those that the cloud has acknowledged by 2xx."""

    store: Store
    acknowledged: dict[str, str] = field(default_factory=dict)
    refused: dict[str, int] = field(default_factory=dict)

    def write(self, paths: Iterable[str]) -> None:
        """Write an object of random content to each path."""
        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(self._put, paths))

    def _put(self, path: str) -> None:
        data = secrets.token_bytes(1 + secrets.randbelow(2**16))
        status, _body = self.store.ask("PUT", path, data)
        if status // 100 == 2:
            self.acknowledged[path] = hashlib.sha256(data).hexdigest()
        else:
            self.refused[path] = status

    def lost(self, sample: int = 0) -> dict[str, str]:
        """Read all that was acknowledged, and return what is not there as it was written.

        :param sample: read so many of it, by chance, where all would take too long.
        """
        paths = random.sample(sorted(self.acknowledged), sample) if sample else list(self.acknowledged)
        with ThreadPoolExecutor(THREADS) as pool:
            found = dict(zip(paths, pool.map(self._fault, paths), strict=True))
        return {path: fault for path, fault in found.items() if fault}

    def _fault(self, path: str) -> str:
        status, body = self.store.ask("GET", path)
        if status != 200:
            return f"{status} {body[:200]!r}"
        return "" if hashlib.sha256(body).hexdigest() == self.acknowledged[path] else "another content"
