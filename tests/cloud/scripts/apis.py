# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""On a controller: how each public API answers, as JSON: with our CA, without it, without TLS, without a token."""

import json
import socket
import ssl
import sys
from urllib.parse import urlsplit

# A path of each service that nobody may see without a token; of others the root is asked.
GUARDED = {
    "identity": "/projects",
    "image": "/v2/images",
    "compute": "/servers",
    "network": "/v2.0/networks",
    "placement": "/resource_providers",
    "key-manager": "/v1/secrets",
    "orchestration": "/stacks",
    "block-storage": "/volumes",
    "volumev3": "/volumes",
}
BUNDLE, ENDPOINTS = sys.argv[1], json.loads(sys.argv[2])


def status(url, context, token=None):
    """Return the status of a GET, or the error's name."""
    parts = urlsplit(url)
    try:
        with socket.create_connection((parts.hostname, parts.port), timeout=20) as plain:
            stream = context.wrap_socket(plain, server_hostname=parts.hostname) if context else plain
            header = f"X-Auth-Token: {token}\r\n" if token else ""
            lines = f"GET {parts.path or '/'} HTTP/1.1\r\nHost: {parts.netloc}\r\n{header}Connection: close\r\n\r\n"
            stream.sendall(lines.encode())
            answer = stream.recv(200).decode(errors="replace")
        return int(answer.split()[1]) if answer.startswith("HTTP/") else "no answer"
    except ssl.SSLCertVerificationError:
        return "not trusted"
    except (OSError, IndexError, ValueError) as error:
        return type(error).__name__


def nobody():
    """Return a TLS context that trusts no authority."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def main():
    """Ask each endpoint."""
    found = {}
    for item in ENDPOINTS:
        if item["interface"] != "public":
            continue
        guarded = item["url"].rstrip("/") + GUARDED.get(item["service"], "/")
        secure = item["url"].startswith("https")
        ours = ssl.create_default_context(cafile=BUNDLE) if secure else None
        found[item["service"]] = {
            "known": item["service"] in GUARDED,
            "with our authority": status(guarded, ours),
            "without it": status(guarded, nobody()) if secure else None,
            "without TLS": status(guarded, None),
            "with a wrong token": status(guarded, ours, "x" * 32),
        }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
