# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The members of a Galera cluster: what each knows, and which of them may bootstrap the cluster.

Written by Cairn. Commands:

serve      responds with this member's state: to HAProxy, which asks whether the server is in sync, and to the others
decide     runs before mariadbd starts: returns when it may join the cluster, or has to start it
leave      runs before mariadbd stops: lets clients go to another member while this one still works
status     prints what is known of each member
bootstrap  makes this member the one that starts the cluster, if the members cannot decide: its data wins
others     exits with 0 if all other members are in sync, so this one may restart
standalone exits with 0 if this server runs outside of any cluster, as before a cloud of one controller grew

A cluster that runs is joined. It is bootstrapped only if no member runs, and the positions of all members in the
sequence of transactions are known: by the one with the highest. A member may be missing if the others are a majority,
and all of the last view of the cluster (Galera's file gvwstate.dat, which a clean stop removes): then it was not there
when the last transactions were accepted. Galera's own way, to restore that view, is not taken: it waits without limit
for members that may have lost it, and a member alone in an old view would start a second cluster.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import functools
import http.client
import http.server
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time

SETTINGS = "/etc/cairn/galera.json"
RUN = "/run/cairn-galera"
DECISION, WAITING, FORCED, LEAVING = (f"{RUN}/{name}" for name in ("decision", "waiting.json", "bootstrap", "leaving"))
# In the data directory: the last view, out of Galera's reach; a server that ran outside of a cluster has this file.
VIEW, KEPT_VIEW, STANDALONE = "gvwstate.dat", "gvwstate.dat.cairn", "cairn-standalone"
# Databases that every server has.
OWN = {"information_schema", "lost+found", "mysql", "performance_schema", "sys"}
NEVER = "00000000-0000-0000-0000-000000000000"
# Seconds for the answer of a member; between two rounds; until a start that cannot decide fails. systemd starts again.
ANSWER, ROUND, PATIENCE = 3, 1, 50
# States of a member: it sends its data to another one, which does not block; it is in sync.
DONOR, SYNCED = "2", "4"
# Seconds until every load balancer has asked twice.
LEAVE = 4
# Seconds between two looks at a server that is not in the cluster, and that it may remain so.
LOOK, LONELY = 5, 10
# Seconds that the command bootstrap is valid.
VALID = 60


def settings() -> dict:
    """Return the file with this member's ``name``, all ``members`` (name → address), ``port``, ``datadir``, ``tls``."""
    with open(SETTINGS, encoding="utf-8") as file:
        return json.load(file)


# What this member knows


def saved(path: str) -> dict[str, str]:
    """Return the lines ``NAME: VALUE`` of one of Galera's state files; empty for none or a destroyed one."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return dict(re.findall(r"^(\w+):\s*(\S.*?)\s*$", file.read(), re.MULTILINE))
    except OSError:
        return {}


def recovered(datadir: str) -> dict:
    """Return the position in the sequence of transactions, by starting mariadbd for a moment.

    ``damaged`` tells whether Galera has marked the data so, or was interrupted while it received all of it.

    :raises RuntimeError: it does not start.
    """
    said = subprocess.run(["/usr/bin/galera_recovery"], capture_output=True, text=True, check=False)
    if said.returncode:
        raise RuntimeError(f"galera_recovery failed: {said.stderr.strip()[-2000:]}")
    found = re.search(r"--wsrep_start_position=([0-9a-f-]{36}):(-?\d+)", said.stdout)
    uuid, position = found.groups() if found else (NEVER, "-1")
    state = saved(f"{datadir}/grastate.dat")
    marked = uuid != NEVER and state.get("uuid") == NEVER
    damaged = marked or os.path.exists(f"{datadir}/sst_in_progress")
    if os.path.exists(f"{datadir}/{STANDALONE}"):
        # What it has is newer than what it remembers of a cluster.
        uuid, position, damaged = NEVER, "-1", False
    return {
        "uuid": uuid,
        "position": int(position),
        "data": has_data(datadir),
        "damaged": damaged,
        "intact": state.get("uuid") == uuid,
        "view": view(datadir),
    }


def view(datadir: str) -> dict:
    """Return the last ``view``, all its ``members``, and which of them is ``me``; empty if there is none."""
    for name in (VIEW, KEPT_VIEW):
        try:
            with open(f"{datadir}/{name}", encoding="utf-8", errors="replace") as file:
                text = file.read()
        except OSError:
            continue
        me, last = (re.search(rf"^{key}:\s*(\S.*?)\s*$", text, re.MULTILINE) for key in ("my_uuid", "view_id"))
        members = re.findall(r"^member:\s*(\S+)", text, re.MULTILINE)
        if me and last and members:
            return {"view": last[1], "me": me[1], "members": members}
    return {}


def has_data(datadir: str) -> bool:
    """Whether the server has databases besides its own."""
    with os.scandir(datadir) as entries:
        return any(
            entry.is_dir() and entry.name not in OWN and not entry.name.startswith((".", "#")) for entry in entries
        )


def stopped_position(datadir: str) -> dict:
    """Return the position that a server wrote when it stopped cleanly; without a position if it did not."""
    state = saved(f"{datadir}/grastate.dat")
    if int(state.get("seqno", -1)) >= 0:
        return {"uuid": state["uuid"], "position": int(state["seqno"]), "data": True, "damaged": False, "intact": True}
    return {}


def server_status() -> dict[str, str] | None:
    """Return the running server's status ``wsrep_*``, ``read_only`` and ``provider``; None if it does not respond."""
    import pymysql

    # The server knows both by its socket.
    user = "mysql" if os.geteuid() else "root"
    try:
        connection = pymysql.connect(
            unix_socket="/run/mysqld/mysqld.sock", user=user, connect_timeout=2, read_timeout=2
        )
    except pymysql.MySQLError:
        return None
    try:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT LOWER(VARIABLE_NAME), VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS"
                " WHERE VARIABLE_NAME LIKE 'wsrep\\_%'"
                " UNION SELECT 'read_only', @@global.read_only"
                " UNION SELECT 'provider', @@global.wsrep_provider"
            )
            return {name: str(value) for name, value in cursor.fetchall()}
    except pymysql.MySQLError:
        return None
    finally:
        connection.close()


def unit_state() -> str:
    """Return the state of mariadb.service within the start or stop that systemd is at."""
    said = subprocess.run(
        ["systemctl", "show", "--property=SubState", "--value", "mariadb"], capture_output=True, text=True, check=False
    )
    return said.stdout.strip()


def state(datadir: str) -> dict:
    """Return this member's state.

    ``server`` is primary (part of the cluster), running (not, or not yet), waiting (before its start) or stopped;
    ``synced`` tells whether it serves clients, ``complete`` whether it is in sync and does nothing else. ``uuid`` and
    ``position`` are known of a member that waits, or that was stopped cleanly.
    """
    status = server_status()
    if status is not None:
        primary = status.get("wsrep_cluster_status") == "Primary"
        local = status.get("wsrep_local_state")
        writable = status.get("wsrep_ready") == "ON" and status.get("read_only") in ("0", "OFF")
        writable = writable and not os.path.exists(LEAVING)
        return {
            "server": "primary" if primary else "running",
            "synced": primary and writable and local in (DONOR, SYNCED),
            "complete": primary and writable and local == SYNCED,
            "size": status.get("wsrep_cluster_size"),
            "comment": status.get("wsrep_local_state_comment"),
        }
    unit, out = unit_state(), {"synced": False, "complete": False}
    if unit == "start-pre":
        try:
            with open(WAITING, encoding="utf-8") as file:
                return {"server": "waiting", **out, **json.load(file)}
        except (OSError, ValueError):
            return {"server": "running", **out}
    if unit in ("dead", "failed", "auto-restart"):
        return {"server": "stopped", **out, **stopped_position(datadir)}
    return {"server": "running", **out}


# What all members know


def asked(member: str, own: dict) -> dict | None:
    """Return the state of another member; None if it does not respond."""
    tls = ssl.create_default_context(cafile=own["tls"]["ca"])
    connection = http.client.HTTPSConnection(own["members"][member], own["port"], timeout=ANSWER, context=tls)
    try:
        connection.request("GET", "/")
        found = json.loads(connection.getresponse().read())
    except (OSError, ValueError, http.client.HTTPException):
        return None
    finally:
        connection.close()
    # Another one with its address.
    return found if found.get("name") == member else None


def others(own: dict) -> dict[str, dict | None]:
    """Return the states of all other members."""
    names = [name for name in own["members"] if name != own["name"]]
    with concurrent.futures.ThreadPoolExecutor(len(names) or 1) as pool:
        return dict(zip(names, pool.map(functools.partial(asked, own=own), names), strict=True))


def verdict(me: str, members: dict[str, dict | None]) -> tuple[str, str]:
    """Return what this member does, and why: ``join``, ``bootstrap``, or ``wait``.

    :param members: the states of all members in the order of the inventory, of this one too; it waits.
    """
    if primary := [name for name, one in members.items() if one and one["server"] == "primary"]:
        return "join", f"the cluster runs on {', '.join(primary)}"
    here = {name: one for name, one in members.items() if one}
    silent = [name for name in members if name not in here]
    if running := [name for name, one in here.items() if one["server"] == "running"]:
        return "wait", f"runs or starts, but has not formed the cluster: {', '.join(running)}"
    if unknown := [name for name, one in here.items() if "position" not in one]:
        return "wait", f"was stopped with an unknown position, and has to be started: {', '.join(unknown)}"
    if silent and not (len(here) * 2 > len(members) and complete_view(here)):
        return "wait", f"does not respond: {', '.join(silent)}"
    return election(me, here)


def complete_view(here: dict[str, dict]) -> bool:
    """Whether all members of the last view are *here*, so the others have no later transaction.

    The last one is the one that each of its members remembers.
    """
    views = [one["view"] for one in here.values() if one.get("view")]
    ours = {(one["view"], one["me"]) for one in views}
    return any(
        len(one["members"]) * 2 > len(here) and all((one["view"], member) in ours for member in one["members"])
        for one in views
    )


def election(me: str, members: dict[str, dict]) -> tuple[str, str]:
    """Return what this member does if none runs: the one with the latest data starts the cluster."""
    known = {name: one for name, one in members.items() if one["uuid"] != NEVER and not one["damaged"]}
    apart = [name for name, one in members.items() if one["uuid"] == NEVER and one["data"] and not one["damaged"]]
    if len({one["uuid"] for one in known.values()}) > 1:
        return "wait", f"{' and '.join(known)} have data of different clusters; choose the right data"
    if known and apart:
        return "wait", f"{' and '.join(apart)} have data, and were not in the cluster of {', '.join(known)}; choose"
    if len(apart) > 1:
        return "wait", f"{' and '.join(apart)} have data, and were in no cluster; choose the right data"
    if not known and not apart and any(one["damaged"] for one in members.values()):
        return "wait", "no member has data that is not damaged"
    if known:
        # max() returns the first of several. One whose state file fits continues its cluster under the same uuid.
        winner = max(known, key=lambda name: (known[name]["position"], known[name]["intact"]))
        why = f"{winner} has the highest position, {known[winner]['position']}"
    else:
        winner = (apart or list(members))[0]
        why = f"{winner} {'alone has data' if apart else 'is the first of a new cluster'}"
    if winner == me:
        return "bootstrap", why
    return "wait", f"{why}, and has to start first"


def described(members: dict[str, dict | None]) -> str:
    """Return a line for each member."""

    def line(one: dict | None) -> str:
        if one is None:
            return "does not respond"
        words = [one["server"] + ("" if one["synced"] or one["server"] != "primary" else ", does not serve clients")]
        if one.get("comment"):
            words.append(f"{one['comment']}, sees {one['size']} members")
        if "position" in one:
            words.append(
                f"position {one['uuid']}:{one['position']}" if one["uuid"] != NEVER else "was no member before"
            )
            words.append("damaged" if one["damaged"] else "has data" if one["data"] else "has no data")
        return ", ".join(words)

    return "\n".join(f"{name}: {line(one)}" for name, one in members.items())


# Commands


class Responder(http.server.BaseHTTPRequestHandler):
    """Responds to each request with this member's state: status 200 if it is in sync, else 503."""

    own: dict
    cache_lock = threading.Lock()
    cache: tuple[float, dict] = (-1.0, {})
    timeout = 10

    def do_GET(self) -> None:  # the name is http.server's
        """Respond with the state; several load balancers ask within a second."""
        with self.cache_lock:
            if time.monotonic() - self.cache[0] > 0.5:
                type(self).cache = time.monotonic(), state(self.own["datadir"])
            found = self.cache[1]
        body = json.dumps({"name": self.own["name"], **found}).encode()
        self.send_response(200 if found["synced"] else 503)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_HEAD = do_OPTIONS = do_GET

    def log_message(self, *_words: object) -> None:
        """Log nothing: every two seconds each load balancer asks."""


class Server(http.server.ThreadingHTTPServer):
    """A server that sets up TLS in the thread of the request, so that no client can block it."""

    daemon_threads = True
    tls: ssl.SSLContext | None = None

    def __init__(self, listening: socket.socket) -> None:
        super().__init__(listening.getsockname(), Responder, bind_and_activate=False)
        self.socket.close()
        self.socket = listening

    def finish_request(self, request, client_address):
        """Set up TLS, then respond."""
        request.settimeout(10)
        if self.tls:
            request = self.tls.wrap_socket(request, server_side=True)
        super().finish_request(request, client_address)

    def handle_error(self, request, client_address):
        """Ignore clients that leave."""


def awaited(others_: dict[str, dict | None]) -> bool:
    """Whether a server that has lost its majority has to stop: others wait, and none that runs could join it again."""
    states = {one["server"] for one in others_.values() if one}
    return "waiting" in states and not states & {"primary", "running"}


def stuck(status_: dict[str, str], own: dict) -> str:
    """Return why the running server cannot return to the cluster unless it is started again; empty if it can."""
    cluster = status_.get("wsrep_cluster_status", "").lower()
    # Without a provider it was never a member: it is restarted into the cluster by a run.
    if cluster == "disconnected" and status_.get("provider", "none") != "none":
        return "has left the cluster after an error"
    if cluster == "non-primary" and awaited(others(own)):
        return "has no majority, and others wait"
    return ""


def stop_if_stuck(own: dict) -> None:
    """Stop a server that cannot return to the cluster by itself; systemd starts it, and it joins, or waits with others.

    Galera continues by itself if the others return as they were, but not after they have been restarted; and it does
    not continue after an error, such as an incremental transfer that lacks a transaction.
    """
    since, told = None, ""
    while True:
        time.sleep(LOOK)
        why = stuck(server_status() or {}, own) if unit_state() == "running" else ""
        if not why or why != told:
            since, told = time.monotonic() if why else None, why
            continue
        if time.monotonic() - since < LONELY:
            continue
        said = subprocess.run(
            ["systemctl", "show", "--property=MainPID", "--value", "mariadb"],
            capture_output=True,
            text=True,
            check=False,
        )
        if (pid := int(said.stdout or 0)) > 0:
            print(f"This server {why}: it stops, and is started again.", file=sys.stderr)
            os.kill(pid, signal.SIGTERM)
        since, told = None, ""


def serve(own: dict) -> int:
    """Serve the state: with TLS at this member's address, and without for the host itself.

    systemd listens, so that clients wait while this is restarted.
    """
    Responder.own = own
    threading.Thread(target=stop_if_stuck, args=[own], daemon=True).start()
    servers = [Server(socket.socket(fileno=3 + number)) for number in range(int(os.environ["LISTEN_FDS"]))]
    for server in servers:
        if server.server_address[0] == own["members"][own["name"]]:
            server.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            server.tls.load_cert_chain(own["tls"]["certificate"], own["tls"]["key"])
    threads = [threading.Thread(target=server.serve_forever) for server in servers]
    for thread in threads:
        thread.start()
    # While the main thread runs, others may begin pools of threads.
    for thread in threads:
        thread.join()
    return 0


def write(path: str, text: str) -> None:
    """Write a file as a whole or not at all."""
    with open(path + ".new", "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(path + ".new", path)


def remove(path: str) -> None:
    """Remove a file if it is there."""
    if os.path.exists(path):
        os.unlink(path)


def forced() -> bool:
    """Whether the command bootstrap was given on this host, just now."""
    try:
        valid = time.time() - os.stat(FORCED).st_mtime < VALID
        os.unlink(FORCED)
    except OSError:
        return False
    return valid


def decide(own: dict) -> int:
    """Wait until the server may start; write whether it joins the cluster or starts it. Fail if that is not known."""
    datadir, name = own["datadir"], own["name"]
    for path in (DECISION, WAITING, LEAVING):
        remove(path)
    if os.path.exists(f"{datadir}/{VIEW}"):
        os.replace(f"{datadir}/{VIEW}", f"{datadir}/{KEPT_VIEW}")
    by_command = forced()
    known = others(own)
    if any(one and one["server"] == "primary" for one in known.values()):
        return decided("join", "the cluster runs", datadir)
    if by_command:
        return decided("bootstrap", "by command", datadir)
    try:
        mine = recovered(datadir)
    except RuntimeError as error:
        print(error, file=sys.stderr)
        return 1
    write(WAITING, json.dumps(mine))
    end, told = time.monotonic() + PATIENCE, ""
    while True:
        found = {**known, name: {"server": "waiting", "synced": False, "complete": False, **mine}}
        found = {member: found[member] for member in own["members"]}
        what, why = verdict(name, found)
        if what != "wait":
            remove(WAITING)
            return decided(what, why, datadir)
        if why != told:
            print(f"waiting: {why}", file=sys.stderr)
            told = why
        if time.monotonic() > end:
            remove(WAITING)
            print(
                f"The database server was not started: {why}.\n{described(found)}\n"
                "It starts as soon as that has changed. If a member does not come back, choose the one with the highest"
                " position, and run there as root: cairn-galera bootstrap",
                file=sys.stderr,
            )
            return 1
        time.sleep(ROUND)
        known = others(own)


def decided(what: str, why: str, datadir: str) -> int:
    """Write the decision, and let mariadbd accept it."""
    print(f"{what}: {why}", file=sys.stderr)
    path = f"{datadir}/grastate.dat"
    if what == "bootstrap" and saved(path):
        with open(path, encoding="utf-8") as file:
            text = file.read()
        write(path, re.sub(r"^safe_to_bootstrap:.*$", "safe_to_bootstrap: 1", text, flags=re.MULTILINE))
    write(DECISION, what)
    return 0


def status(own: dict) -> int:
    """Print the states of all members; fail if one of them is not in sync."""
    found = {**others(own), own["name"]: asked(own["name"], own)}
    print(described({name: found[name] for name in own["members"]}))
    return 0 if all(one and one["complete"] for one in found.values()) else 1


def ready(own: dict) -> int:
    """Exit with 0 if all others are in sync."""
    behind = {name: one for name, one in others(own).items() if not one or not one["complete"]}
    if behind:
        print(described(behind), file=sys.stderr)
    return 1 if behind else 0


def leave(own: dict) -> int:
    """Say that this member is out of use, and wait until that is known; at once if no other one could serve clients."""
    if any(one and one["synced"] for one in others(own).values()):
        write(LEAVING, "")
        time.sleep(LEAVE)
    return 0


def standalone(_own: dict) -> int:
    """Exit with 0 if this server runs outside of any cluster."""
    found = server_status()
    return 0 if found is not None and found.get("wsrep_cluster_status", "Disconnected").lower() == "disconnected" else 1


def bootstrap(own: dict) -> int:
    """Let this member start the cluster, unless it runs somewhere."""
    found = others(own)
    if running := [name for name, one in found.items() if one and one["server"] in ("primary", "running")]:
        print(f"{', '.join(running)} runs. Stop it first, or start this one plainly.", file=sys.stderr)
        return 1
    write(FORCED, "")
    print("Empty the data directory of each member that comes back later and had a higher position, before it starts.")
    return subprocess.run(["systemctl", "restart", "mariadb"], check=False).returncode


COMMANDS = {
    "serve": serve,
    "decide": decide,
    "status": status,
    "leave": leave,
    "others": ready,
    "standalone": standalone,
    "bootstrap": bootstrap,
}


def main() -> int:
    """Run the command that is given."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=COMMANDS)
    return COMMANDS[parser.parse_args().command](settings())


if __name__ == "__main__":
    sys.exit(main())
