#!/usr/bin/env python3
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A small OpenID provider for tests, with openssl for its keys: openid_provider.py DIRECTORY PORT CLIENT.

A line on stdin has the client's secret and the password of all users. alice is in the group developers, bob is not, and
eve is in one whose name has a semicolon.
The client "other" has the same secret.
"""

from __future__ import annotations

import base64
import hashlib
import html
import http.server
import json
import secrets
import ssl
import subprocess
import sys
import threading
import time
from pathlib import Path
from urllib.parse import parse_qs, unquote_plus, urlencode, urlsplit

DIRECTORY, PORT, CLIENT = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
SECRET, PASSWORD = sys.stdin.readline().split()
ISSUER = f"https://127.0.0.1:{PORT}"
USERS = {"alice": ["developers", "people"], "bob": ["people"], "eve": ["people;developers"]}
CODES: dict[str, dict] = {}
TOKENS: dict[str, dict] = {}


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def openssl(*words: str, given: bytes = b"") -> bytes:
    return subprocess.run(["openssl", *words], input=given, capture_output=True, check=True).stdout


def prepare() -> None:
    """Make the certificate, which is its own authority, once; its key signs the tokens, too."""
    if not (DIRECTORY / "key.pem").exists():
        names = ["-subj", "/CN=Test provider", "-addext", "subjectAltName=IP:127.0.0.1"]
        files = ["-keyout", str(DIRECTORY / "key.pem"), "-out", str(DIRECTORY / "cert.pem")]
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *names, *files)


def key() -> dict:
    text = openssl("x509", "-in", str(DIRECTORY / "cert.pem"), "-noout", "-modulus").decode()
    modulus = bytes.fromhex(text.strip().partition("=")[2])
    return {"kty": "RSA", "kid": "1", "use": "sig", "alg": "RS256", "n": encoded(modulus), "e": "AQAB"}


def signed(claims: dict) -> str:
    head = {"alg": "RS256", "kid": "1", "typ": "JWT"}
    text = ".".join(encoded(json.dumps(part).encode()) for part in (head, claims))
    return f"{text}.{encoded(openssl('dgst', '-sha256', '-sign', str(DIRECTORY / 'key.pem'), given=text.encode()))}"


def about(user: str) -> dict:
    return {"sub": f"id-{user}", "preferred_username": user, "groups": USERS[user]}


def tokens(user: str, client: str, nonce: str | None = None) -> dict:
    now = int(time.time())
    shared = {"iss": ISSUER, "iat": now, "exp": now + 300, **about(user)}
    token = secrets.token_urlsafe(24)
    TOKENS[token] = {**shared, "client_id": client}
    claims = {**shared, "aud": client, **({"nonce": nonce} if nonce else {})}
    return {"access_token": token, "token_type": "Bearer", "expires_in": 300, "id_token": signed(claims)}


class Handler(http.server.BaseHTTPRequestHandler):
    """The provider's few paths."""

    def answer(self, status: int, body: object = "", **headers: str) -> None:
        kind, text = ("text/html", body) if isinstance(body, str) else ("application/json", json.dumps(body))
        data = text.encode()
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(data)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def fields(self) -> dict:
        text = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        return {name: values[0] for name, values in parse_qs(text).items()}

    def client(self, fields: dict) -> str | None:
        """Return the client that a request comes from, if its secret is right."""
        name, secret = fields.get("client_id"), fields.get("client_secret")
        kind, _space, rest = (self.headers.get("Authorization") or "").partition(" ")
        if kind == "Basic":
            name, _colon, secret = base64.b64decode(rest).decode().partition(":")
        # Not every client encodes it, as RFC 6749 says.
        return name if name in (CLIENT, "other") and SECRET in (secret, unquote_plus(secret or "")) else None

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        if url.path == "/.well-known/openid-configuration":
            places = {
                "authorization_endpoint": "authorize",
                "token_endpoint": "token",
                "userinfo_endpoint": "userinfo",
                "introspection_endpoint": "introspect",
                "jwks_uri": "jwks",
            }
            self.answer(
                200,
                {
                    "issuer": ISSUER,
                    **{name: f"{ISSUER}/{path}" for name, path in places.items()},
                    "response_types_supported": ["code"],
                    "subject_types_supported": ["public"],
                    "id_token_signing_alg_values_supported": ["RS256"],
                    "token_endpoint_auth_methods_supported": ["client_secret_basic"],
                    "introspection_endpoint_auth_methods_supported": ["client_secret_basic"],
                },
            )
        elif url.path == "/jwks":
            self.answer(200, {"keys": [key()]})
        elif url.path == "/authorize":
            action = html.escape(self.path)
            self.answer(200, f'<form method="post" action="{action}"><input name="user"><input name="password"></form>')
        elif url.path == "/userinfo":
            found = TOKENS.get((self.headers.get("Authorization") or "").partition(" ")[2])
            self.answer(200, about(found["preferred_username"])) if found else self.answer(401)
        else:
            self.answer(404)

    def do_POST(self) -> None:
        url, fields = urlsplit(self.path), self.fields()
        if url.path == "/authorize":
            asked = {name: values[0] for name, values in parse_qs(url.query).items()}
            if asked["client_id"] != CLIENT or fields.get("user") not in USERS or fields.get("password") != PASSWORD:
                self.answer(403)
                return
            code = secrets.token_urlsafe(24)
            CODES[code] = {**asked, "user": fields["user"]}
            place = f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}"
            self.answer(302, Location=place)
            return
        client = self.client(fields)
        if client is None:
            self.answer(401, {"error": "invalid_client"})
        elif url.path == "/introspect":
            self.answer(200, {"active": True, **found} if (found := TOKENS.get(fields["token"])) else {"active": False})
        elif fields.get("grant_type") == "authorization_code":
            asked = CODES.pop(fields["code"], None)
            if not asked or asked["redirect_uri"] != fields.get("redirect_uri") or not self.proven(asked, fields):
                self.answer(400, {"error": "invalid_grant"})
                return
            self.answer(200, tokens(asked["user"], client, asked.get("nonce")))
        elif fields.get("username") in USERS and fields.get("password") == PASSWORD:
            self.answer(200, tokens(fields["username"], client))
        else:
            self.answer(400, {"error": "invalid_grant"})

    def proven(self, asked: dict, fields: dict) -> bool:
        """Whether the code comes from who has asked for it (PKCE)."""
        digest = encoded(hashlib.sha256(fields.get("code_verifier", "").encode()).digest())
        return asked.get("code_challenge") in (None, digest)

    def log_message(self, *words: object) -> None:
        print(f"{self.command} {urlsplit(self.path).path}", *words[2:3], file=sys.stderr)


def main() -> None:
    prepare()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", PORT), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(DIRECTORY / "cert.pem", DIRECTORY / "key.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever).start()


if __name__ == "__main__":
    main()
