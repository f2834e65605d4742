# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Takes the services of this host out of use for all load balancers, or puts them back.

Written by Cairn. Commands:

start  lets no new request reach them, and waits some seconds for those that are being served. A service that works on
       no other controller stays in use
end    lets requests reach them again

The load balancers of other controllers reach them by the proxies of this host that are named after a service, with
-here, and ask this host's HAProxy for these; its own follows them. A reload of HAProxy puts all back too. Half an hour
after the start the end comes by itself, if whoever started it was interrupted.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import os
import socket
import subprocess
import sys
import time

SOCKET = "/run/haproxy/admin.sock"
SUFFIX = "-here"
# While it exists, servers that drain are no reason to reload HAProxy.
MARK = "/run/cairn-haproxy-drain"
TIMER, LIMIT = "cairn-haproxy-drain-end", "30min"
# Seconds for requests that are being served, and between two looks.
PATIENCE, LOOK = 10, 0.2


def ask(command: str) -> str:
    """Return HAProxy's answer to a command."""
    with socket.socket(socket.AF_UNIX) as admin:
        admin.settimeout(10)
        admin.connect(SOCKET)
        admin.sendall(f"{command}\n".encode())
        return admin.makefile(encoding="utf-8").read()


def systemctl(*words: str) -> None:
    """Run systemctl; a unit that is not there is no error."""
    subprocess.run(["systemctl", *words], capture_output=True, check=False)


def elsewhere(rows: list[dict[str, str]], service: str, ours: str) -> bool:
    """Whether *service* works on another controller than *ours*."""
    others = [row for row in rows if row["pxname"] == service and row["type"] == "2" and row["svname"] != ours]
    return any(row["status"].startswith("UP") for row in others)


def waited(service: str, ours: str, end: float) -> bool:
    """Whether *service* works elsewhere; waits until *end* for a controller that has just been put back into use."""
    while not (found := elsewhere(table(), service, ours)) and time.monotonic() < end:
        time.sleep(LOOK)
    return found


def table() -> list[dict[str, str]]:
    """Return HAProxy's statistics."""
    return list(csv.DictReader(ask("show stat").removeprefix("# ").splitlines()))


def services() -> dict[str, dict[str, int]]:
    """Return the servers on this host, by service → server → sessions; those of -here listen on this host."""
    rows = table()
    ours = {row["pxname"]: row["svname"] for row in rows if row["pxname"].endswith(SUFFIX) and row["type"] == "2"}
    found: dict[str, dict[str, int]] = {}
    for row in rows:
        for frontend, server in ours.items():
            if row["svname"] == server and row["pxname"] in (frontend, frontend.removesuffix(SUFFIX)):
                found.setdefault(row["pxname"], {})[server] = int(row["scur"] or 0)
    return found


def start() -> None:
    """Let no new request reach this host's services, and wait for the others."""
    with open(MARK, "w", encoding="utf-8"):
        pass
    systemctl("stop", f"{TIMER}.timer")
    run = ["systemd-run", "--quiet", "--collect", f"--unit={TIMER}", f"--on-active={LIMIT}"]
    subprocess.run([*run, os.path.abspath(sys.argv[0]), "end"], capture_output=True, check=False)
    end = time.monotonic() + PATIENCE
    for service, servers in services().items():
        if service.endswith(SUFFIX):
            continue
        for server in servers:
            if waited(service, server, end):
                ask(f"set server {service}{SUFFIX}/{server} state drain")
    end = time.monotonic() + PATIENCE
    while any(sessions for servers in services().values() for sessions in servers.values()) and time.monotonic() < end:
        time.sleep(LOOK)


def end() -> None:
    """Let requests reach them again."""
    systemctl("stop", f"{TIMER}.timer")
    with contextlib.suppress(FileNotFoundError):
        os.unlink(MARK)
    for service, servers in services().items():
        for server in servers:
            if service.endswith(SUFFIX):
                ask(f"set server {service}/{server} state ready")


COMMANDS = {"start": start, "end": end}


def main() -> int:
    """Run the command that is given."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=COMMANDS)
    try:
        COMMANDS[parser.parse_args().command]()
    except OSError as error:
        # Without the load balancer nothing is served.
        print(f"{SOCKET}: {error}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
