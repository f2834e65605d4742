# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The graphical console, as used by a browser: noVNC's page, and the server's screen through a websocket."""

from __future__ import annotations

import base64
import http.client
import secrets
import socket
import ssl
import struct
from urllib.parse import parse_qs, urlsplit

from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify.checks import Bad, NotRun
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify.run import TENANT, Run

# A security type, and the wish that others may see the same screen.
NO_AUTHENTICATION, SHARED = 1, b"\x01"
# Nova's errors without such a console.
NONE = (400, 501, 503)


def novnc(run: Run) -> str:
    """Request the console of the first server and open it."""
    guest = run.on(TENANT)[0]
    try:
        answer = run.user.compute.create_server_remote_console(guest.id, type="novnc", protocol="vnc")
    except Exception as error:
        if getattr(error, "status_code", None) in NONE:
            raise NotRun(f"no noVNC console from Nova: {error}") from error
        raise
    try:
        found = screen(answer.url, run.user.session.verify, run.options["api_timeout"])
    except (OSError, http.client.HTTPException) as error:
        raise Bad(f"{page(answer.url)}: {error}", (guest.id,), (guest.host,)) from error
    return f"{page(answer.url)}, {found}"


def page(url: str) -> str:
    """Return the URL of a console without its token."""
    return url.split("?")[0]


def socket_path(url: str) -> str:
    """Return the path of the websocket from the parameters of noVNC's page."""
    return "/" + parse_qs(urlsplit(url).query).get("path", [""])[0].lstrip("/")


def screen(url: str, verify, timeout: float) -> str:
    """Load the page, open the websocket and return the version of the VNC server and the size of its screen.

    :param verify: true, false, or a CA bundle.
    :param timeout: seconds for each step.
    :raises Bad: an unexpected response.
    :raises OSError: no response, or no trusted certificate.
    """
    parts = urlsplit(url)
    tls = None
    if parts.scheme == "https":
        tls = ssl.create_default_context(cafile=verify if isinstance(verify, str) else None)
        if verify is False:
            tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    kind = http.client.HTTPSConnection if tls else http.client.HTTPConnection
    connection = kind(parts.hostname, parts.port, timeout=timeout, **({"context": tls} if tls else {}))
    connection.request("GET", f"{parts.path}?{parts.query}")
    status = connection.getresponse().status
    connection.close()
    if status != 200:
        raise Bad(f"{page(url)} returned {status}")
    with socket.create_connection((parts.hostname, parts.port or (443 if tls else 80)), timeout) as plain:
        stream = tls.wrap_socket(plain, server_hostname=parts.hostname) if tls else plain
        with stream:
            stream.settimeout(timeout)
            stream.sendall(
                "\r\n".join(
                    [
                        f"GET {socket_path(url)} HTTP/1.1",
                        f"Host: {parts.netloc}",
                        f"Origin: {parts.scheme}://{parts.netloc}",
                        "Upgrade: websocket",
                        "Connection: Upgrade",
                        "Sec-WebSocket-Version: 13",
                        "Sec-WebSocket-Protocol: binary",
                        f"Sec-WebSocket-Key: {base64.b64encode(secrets.token_bytes(16)).decode()}",
                        "\r\n",
                    ]
                ).encode()
            )
            return opened(stream)


class Frames:
    """The data of a websocket, after its handshake."""

    def __init__(self, stream) -> None:
        self.stream, self.heard, self.data = stream, b"", b""
        while b"\r\n\r\n" not in self.heard:
            self._receive("the websocket is closed")
        head, _end, self.heard = self.heard.partition(b"\r\n\r\n")
        first = head.split(b"\r\n")[0]
        if b" 101 " not in first:
            raise Bad(f"the websocket returned {first.decode(errors='replace')}")

    def _receive(self, why: str) -> None:
        piece = self.stream.recv(4096)
        if not piece:
            raise Bad(why)
        self.heard += piece

    def read(self, count: int, what: str) -> bytes:
        """Return the next *count* bytes.

        :raises Bad: the websocket is closed before *what* has come.
        """
        while len(self.data) < count:
            self._frame(f"the websocket opens, but no {what} from a VNC server comes through it")
        found, self.data = self.data[:count], self.data[count:]
        return found

    def _frame(self, why: str) -> None:
        """Read a frame of the server, which is not masked."""
        while (size := self._size()) is None or len(self.heard) < sum(size):
            self._receive(why)
        header, length = size
        # 8 and above: its end, and what keeps it open.
        if self.heard[0] & 15 < 8:
            self.data += self.heard[header : header + length]
        elif self.heard[0] & 15 == 8:
            raise Bad(why)
        self.heard = self.heard[header + length :]

    def _size(self) -> tuple[int, int] | None:
        """Return the lengths of the header and the data of the next frame; None if they are not known yet."""
        if len(self.heard) < 2:
            return None
        length, more = self.heard[1] & 127, {126: 2, 127: 8}.get(self.heard[1] & 127, 0)
        if len(self.heard) < 2 + more:
            return None
        return 2 + more, int.from_bytes(self.heard[2 : 2 + more], "big") if more else length

    def send(self, data: bytes) -> None:
        """Send a frame with up to 125 bytes, which a client masks; a mask of zeros is one."""
        self.stream.sendall(bytes([0x82, 0x80 | len(data)]) + b"\0" * 4 + data)


def opened(stream) -> str:
    """Go as far as a VNC client goes before it shows a screen (RFC 6143, 7.1 to 7.3); return version and size.

    Nova's proxy authenticates at the server before it lets the client pass.
    """
    frames = Frames(stream)
    version = frames.read(12, "greeting")
    frames.send(version)
    types = frames.read(frames.read(1, "security type")[0], "security type")
    if NO_AUTHENTICATION not in types:
        raise Bad(f"the proxy offers no console without another password, but the security types {list(types)}")
    frames.send(bytes([NO_AUTHENTICATION]))
    if any(frames.read(4, "result of the authentication")):
        raise Bad("the VNC server refuses the proxy")
    frames.send(SHARED)
    width, height = struct.unpack("!HH", frames.read(24, "screen")[:4])
    return f"{version.decode(errors='replace').strip()}, {width} x {height}"
