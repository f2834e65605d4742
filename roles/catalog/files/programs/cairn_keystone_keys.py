# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The key repositories of Keystone: the same on all controllers, and those of the tokens rotated.

Written by Cairn. Commands:

serve   distributes this controller's keys, and synchronizes them every minute
sync    copies the keys of the controller that has rotated last
start   the same before Keystone starts: waits some seconds until most controllers respond
rotate  rotates the keys of the tokens, on one controller, if most controllers respond and all of these have the same
status  prints which keys each controller has, not the keys themselves

A rotation makes the staged key (0) the primary one, under the next number, and adds another staged one. The other
controllers know the new primary key as their staged one until they have copied all, so no token is refused. The
highest number thus tells which repository was rotated last, also by hand.
"""

from __future__ import annotations

import argparse
import collections
import concurrent.futures
import configparser
import contextlib
import fcntl
import functools
import hashlib
import http.client
import http.server
import json
import os
import pwd
import ssl
import subprocess
import sys
import threading
import time

SETTINGS = "/etc/cairn/keystone-keys.json"
KEYSTONE = "/etc/keystone/keystone.conf"
TOKENS = "fernet-keys"
# Seconds for the answer of a controller; between two looks of `serve`; until a rotation, and a start of Keystone, wait
# no longer for the others.
ANSWER, ROUND, PATIENCE, START = 3, 60, 150, 15


class Failed(Exception):
    """The keys can't be rotated; the message says why."""


def settings() -> dict:
    """Return the file with this controller's ``name``, all ``controllers`` (name → address), ``port``, ``tls``.

    ``repositories`` has the directories of keys by their names, ``user`` the owner of these; ``days`` is the least time
    between two rotations.
    """
    with open(SETTINGS, encoding="utf-8") as file:
        return json.load(file)


# Repositories: number → key. Numbers are strings, as in JSON and as the files' names.


def read(path: str) -> dict[str, str]:
    """Return the keys of a directory, as they are between two rotations."""
    before, keys = None, listed(path)
    while keys != before:
        time.sleep(0.01)
        before, keys = keys, listed(path)
    return keys


def listed(path: str) -> dict[str, str]:
    """Return the keys that a directory has now."""
    keys = {}
    for name in os.listdir(path) if os.path.isdir(path) else ():
        if name.isdigit():
            # A rotation removes files.
            with contextlib.suppress(FileNotFoundError), open(f"{path}/{name}", encoding="ascii") as file:
                keys[name] = file.read().strip()
    return {number: key for number, key in keys.items() if key}


def rank(keys: dict[str, str]) -> tuple[int, int]:
    """Return the number of the primary key, and the number of keys: the higher, the later rotated, or less lost."""
    return max(map(int, keys), default=-1), len(keys)


def latest(found: dict[str, dict[str, str]]) -> str:
    """Return the controller with the right keys: of the same rank what most have, then the first.

    :param found: the keys of each controller that responds, in the order of the inventory.
    """
    count = collections.Counter(map(digest, found.values()))
    # Without a staged key it is in the middle of a rotation.
    return max(found, key=lambda name: ("0" in found[name], rank(found[name]), count[digest(found[name])]))


def digest(keys: dict[str, str]) -> str:
    """Return what tells one repository from another, and nothing of its keys."""
    return hashlib.sha256(json.dumps(keys, sort_keys=True).encode()).hexdigest()[:12]


@contextlib.contextmanager
def locked(path: str):
    """Change a directory of keys alone: at most one of this program's commands does so."""
    directory = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(directory, fcntl.LOCK_EX)
        yield
    finally:
        os.close(directory)


def take(path: str, keys: dict[str, str]) -> None:
    """Make *keys* the keys of a directory; at any time all keys are there that are needed with those of before.

    The primary key is written first: it is the staged one, which is replaced then. Retired keys go last.
    """
    held = read(path)
    for number in sorted(keys, key=int, reverse=True):
        if held.get(number) != keys[number]:
            new = f"{path}/{number}.{os.getpid()}"
            with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as file:
                file.write(keys[number])
                file.flush()
                os.fsync(file.fileno())
            os.replace(new, f"{path}/{number}")
    for number in held.keys() - keys.keys():
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f"{path}/{number}")


# Other controllers


def connection_of(name: str, own: dict) -> http.client.HTTPSConnection:
    """Return a connection to another controller; both sides show their certificates."""
    tls = ssl.create_default_context(cafile=own["tls"]["ca"])
    tls.load_cert_chain(own["tls"]["certificate"], own["tls"]["key"])
    return http.client.HTTPSConnection(own["controllers"][name], own["port"], timeout=ANSWER, context=tls)


def asked(name: str, own: dict) -> dict | None:
    """Return the repositories of another controller; None if it does not respond."""
    connection = connection_of(name, own)
    try:
        connection.request("GET", "/")
        response = connection.getresponse()
        found = json.loads(response.read()) if response.status == 200 else {}
    except (OSError, ValueError, http.client.HTTPException):
        return None
    finally:
        connection.close()
    # Another host with its address has another name; one that gives no keys, none.
    return found["repositories"] if found.get("name") == name else None


def mine(own: dict) -> dict[str, dict[str, str]]:
    """Return the keys of this controller's repositories."""
    return {name: read(path) for name, path in own["repositories"].items()}


def everywhere(own: dict) -> dict[str, dict | None]:
    """Return the repositories of all controllers, in the order of the inventory; None of those that do not respond."""
    names = [name for name in own["controllers"] if name != own["name"]]
    with concurrent.futures.ThreadPoolExecutor(len(names) or 1) as pool:
        found = dict(zip(names, pool.map(functools.partial(asked, own=own), names), strict=True))
    return {name: mine(own) if name == own["name"] else found[name] for name in own["controllers"]}


# Commands


def sync(own: dict) -> int:
    """Copy the keys of the controller that has rotated last."""
    found = {name: one for name, one in everywhere(own).items() if one is not None}
    for repository, path in own["repositories"].items():
        if not os.path.isdir(path):
            # Keystone's package, or a run, makes it.
            continue
        keys = {name: one[repository] for name, one in found.items() if repository in one}
        with locked(path):
            # It may have been rotated meanwhile.
            keys[own["name"]] = read(path)
            source = latest(keys)
            if keys[source] and keys[source] != keys[own["name"]]:
                take(path, keys[source])
                print(f"{path}: copied from {source}", flush=True)
    return 0


def start(own: dict) -> int:
    """Copy the keys before Keystone starts, and wait some seconds for the others if they do not respond yet."""
    end = time.monotonic() + START
    while len([one for one in everywhere(own).values() if one is not None]) * 2 <= len(own["controllers"]):
        if time.monotonic() > end:
            break
        time.sleep(1)
    return sync(own)


def status(own: dict) -> int:
    """Print which keys each controller has; fail if they differ."""
    found = everywhere(own)
    for name, one in found.items():
        words = [
            f"{repository} {', '.join(sorted(keys, key=int))} ({digest(keys)})"
            for repository, keys in (one or {}).items()
        ]
        print(f"{name}: {'; '.join(words) if one is not None else 'does not respond'}")
    return 0 if all(one == found[own["name"]] for one in found.values()) else 1


def shortest_age(path: str = KEYSTONE) -> int:
    """Return the seconds between two rotations after which the oldest key decrypts no valid token any more.

    A service may use a token for ``allow_expired_window`` after its end.

    :raises Failed: Keystone keeps too few keys.
    """
    options = configparser.RawConfigParser(strict=False)
    options.read(path, encoding="utf-8")
    keys = options.getint("fernet_tokens", "max_active_keys", fallback=3)
    if keys < 3:
        raise Failed(f"with [fernet_tokens] max_active_keys = {keys}, a rotation would make all tokens invalid")
    valid = options.getint("token", "expiration", fallback=3600)
    return -(-(valid + options.getint("token", "allow_expired_window", fallback=172800)) // (keys - 2))


def same_everywhere(own: dict) -> list[str]:
    """Return the controllers that respond, when they have the same keys for tokens.

    :raises Failed: most do not respond, or after some time they still have different keys.
    """
    if len(own["controllers"]) > 1 and asked(own["name"], own) is None:
        raise Failed("the others could not get them: cairn-keystone-keys.service does not respond here")
    end = time.monotonic() + PATIENCE
    while True:
        found = {name: one.get(TOKENS) for name, one in everywhere(own).items() if one is not None}
        if len(found) * 2 <= len(own["controllers"]):
            raise Failed(f"only {', '.join(found)} responds")
        if len({digest(keys or {}) for keys in found.values()}) == 1:
            return list(found)
        if time.monotonic() > end:
            raise Failed(f"{', '.join(found)} have different keys: `cairn-keystone-keys status`")
        sync(own)
        time.sleep(5)


def rotate(own: dict) -> int:
    """Rotate the keys of the tokens if that is this controller's task, and the last rotation is long enough ago."""
    path = own["repositories"][TOKENS]
    first = same_everywhere(own)[0]
    if first != own["name"]:
        print(f"{first} rotates")
        return 0
    # A timer that runs daily is not exact.
    wanted, needed = own["days"] * 86400 - 3600, shortest_age()
    with locked(path):
        # Each rotation writes the staged key; another controller may have made one just now.
        if (age := staged_age(path)) < max(wanted, needed):
            why = "tokens need the oldest key" if needed > wanted else "the keys are young enough"
            print(f"not rotated: {why} for {(max(wanted, needed) - age) / 3600:.0f} more hours")
            return 0
        return subprocess.run(["keystone-manage", "fernet_rotate"], check=False).returncode


def staged_age(path: str) -> float:
    """Return the seconds since the staged key was written.

    :raises Failed: there is none.
    """
    try:
        return time.time() - os.stat(f"{path}/0").st_mtime
    except FileNotFoundError:
        raise Failed(f"{path} has no staged key (0): site.yml makes one") from None


class Responder(http.server.BaseHTTPRequestHandler):
    """Responds to each request of a controller with this one's keys."""

    own: dict
    timeout = 10

    def do_GET(self) -> None:  # the name is http.server's
        """Respond with the keys, to controllers only: compute hosts have certificates of the same authority."""
        names = {value for _kind, value in self.connection.getpeercert().get("subjectAltName", ())}
        if not names & set(self.own["controllers"].values()):
            self.send_error(403)
            return
        body = json.dumps({"name": self.own["name"], "repositories": mine(self.own)}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_words: object) -> None:
        """Log nothing: every minute each controller asks."""


class Server(http.server.ThreadingHTTPServer):
    """A server that sets up TLS in the thread of the request, so that no client can block it."""

    daemon_threads = True
    tls: ssl.SSLContext

    def finish_request(self, request, client_address):
        """Set up TLS, then respond."""
        request.settimeout(10)
        super().finish_request(self.tls.wrap_socket(request, server_side=True), client_address)

    def handle_error(self, request, client_address):
        """Ignore clients that leave, or have no certificate."""


def server(own: dict) -> Server:
    """Return the server at this controller's address."""
    Responder.own = own
    out = Server((own["controllers"][own["name"]], own["port"]), Responder)
    out.tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=own["tls"]["ca"])
    out.tls.verify_mode = ssl.CERT_REQUIRED
    out.tls.load_cert_chain(own["tls"]["certificate"], own["tls"]["key"])
    return out


def serve(own: dict) -> int:
    """Serve the keys, and synchronize them."""
    threading.Thread(target=server(own).serve_forever, daemon=True).start()
    while True:
        sync(own)
        time.sleep(ROUND)


COMMANDS = {"serve": serve, "sync": sync, "start": start, "rotate": rotate, "status": status}


def main() -> int:
    """Run the command that is given, as the owner of the keys."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=COMMANDS)
    command, own = parser.parse_args().command, settings()
    if os.geteuid() == 0:
        user = pwd.getpwnam(own["user"])
        os.initgroups(own["user"], user.pw_gid)
        os.setgid(user.pw_gid)
        os.setuid(user.pw_uid)
    try:
        return COMMANDS[command](own)
    except Failed as error:
        print(f"The keys were not rotated: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
