# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The graphical console, as used by a browser: noVNC's page, and the server's screen through a websocket."""

from __future__ import annotations

import base64
import http.client
import secrets
import socket
import ssl
from urllib.parse import parse_qs, urlsplit

from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify.checks import Bad, NotRun
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify.run import TENANT, Run

# The greeting of a VNC server, in the first websocket frame of the proxy.
GREETING = b"RFB "
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
        greeting = screen(answer.url, run.user.session.verify, run.options["api_timeout"])
    except (OSError, http.client.HTTPException) as error:
        raise Bad(f"{page(answer.url)}: {error}", (guest.id,), (guest.host,)) from error
    return f"{page(answer.url)}, {greeting}"


def page(url: str) -> str:
    """Return the URL of a console without its token."""
    return url.split("?")[0]


def socket_path(url: str) -> str:
    """Return the path of the websocket from the parameters of noVNC's page."""
    return "/" + parse_qs(urlsplit(url).query).get("path", [""])[0].lstrip("/")


def screen(url: str, verify, timeout: float) -> str:
    """Load the page, open the websocket and return the greeting of the VNC server.

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
            return greeting(stream)


def greeting(stream) -> str:
    """Read until the VNC server has sent its version."""
    heard = b""
    while b"\n" not in heard.partition(GREETING)[2]:
        piece = stream.recv(4096)
        if not piece:
            break
        heard += piece
        first = heard.split(b"\r\n")[0]
        if b"\r\n" in heard and b" 101 " not in first:
            raise Bad(f"the websocket returned {first.decode(errors='replace')}")
    if GREETING not in heard:
        raise Bad("the websocket opens, but no VNC server responds behind it")
    return (GREETING + heard.partition(GREETING)[2].split(b"\n")[0]).decode(errors="replace")
