# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The graphical console, as a browser reaches it: noVNC's page, and a server's screen through a websocket."""

from __future__ import annotations

import base64
import http.client
import secrets
import socket
import ssl
from urllib.parse import parse_qs, urlsplit

from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify.checks import Bad, NotRun
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify.run import TENANT, Run

# What a VNC server says first, through the proxy's first websocket frame.
GREETING = b"RFB "
# Nova's answers where it has no such console.
NONE = (400, 501, 503)


def novnc(run: Run) -> str:
    """Ask for the first server's console and open it."""
    guest = run.on(TENANT)[0]
    try:
        answer = run.user.compute.create_server_remote_console(guest.id, type="novnc", protocol="vnc")
    except Exception as error:
        if getattr(error, "status_code", None) in NONE:
            raise NotRun(f"Nova gives no noVNC console: {error}") from error
        raise
    try:
        greeting = screen(answer.url, run.user.session.verify, run.options["api_timeout"])
    except (OSError, http.client.HTTPException) as error:
        raise Bad(f"{page(answer.url)}: {error}", (guest.id,), (guest.host,)) from error
    return f"{page(answer.url)}, {greeting}"


def page(url: str) -> str:
    """Return a console's address without its token."""
    return url.split("?")[0]


def socket_path(url: str) -> str:
    """Return the websocket's path that noVNC's page is told in its parameters."""
    return "/" + parse_qs(urlsplit(url).query).get("path", [""])[0].lstrip("/")


def screen(url: str, verify, timeout: float) -> str:
    """Load the page, open the websocket and return what the screen's server says first.

    :param verify: true, false, or a file with the authorities to trust.
    :param timeout: in seconds, for each step.
    :raises Bad: somebody answers, but not so.
    :raises OSError: nobody answers, or not with a certificate to be trusted.
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
        raise Bad(f"{page(url)} says {status}")
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
            return greeting(stream)


def greeting(stream) -> str:
    """Read until the screen's server has said its version."""
    heard = b""
    while b"\n" not in heard.partition(GREETING)[2]:
        piece = stream.recv(4096)
        if not piece:
            break
        heard += piece
        first = heard.split(b"\r\n")[0]
        if b"\r\n" in heard and b" 101 " not in first:
            raise Bad(f"the websocket says {first.decode(errors='replace')}")
    if GREETING not in heard:
        raise Bad("the websocket opens, and no screen answers behind it")
    return (GREETING + heard.partition(GREETING)[2].split(b"\n")[0]).decode(errors="replace")
