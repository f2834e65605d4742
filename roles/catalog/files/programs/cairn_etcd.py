# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The membership of this host in the etcd cluster of the controllers.

Written by Cairn. Commands:

prepare         runs before the start: decides whether this member starts the cluster with the others, or joins one that
                runs. A member that has lost its data is replaced there. Fails while that is not known
members         prints whether the cluster has members that have left the cloud
tidy            removes these
forget HOST     removes the member of a host
forgotten HOST  exits with 0 if the cluster has no such member
others          exits with 0 if the cluster has a majority without this member
"""

from __future__ import annotations

import argparse
import contextlib
import glob
import json
import os
import shutil
import ssl
import sys
import urllib.request

SETTINGS = "/etc/cairn/etcd.json"
# For systemd, which reads it before it starts etcd.
ENVIRONMENT = "/run/cairn-etcd/environment"
LOCAL = "http://127.0.0.1:2379"
CLIENTS, PEERS = 2379, 2380
# Seconds for an answer.
ANSWER = 5


class Failed(Exception):
    """The cluster does not answer, or refuses; the message says why."""


def settings() -> dict:
    """Return the file with this member's ``name``, ``data``, ``tls``, and ``members``: name → address."""
    with open(SETTINGS, encoding="utf-8") as file:
        return json.load(file)


def ask(base: str, path: str, body: dict | None = None, context: ssl.SSLContext | None = None) -> dict:
    """Return a member's answer.

    :param base: its URL.
    :param body: sent by POST; GET without one.
    :raises Failed: it refuses, or does not answer.
    """
    data = None if body is None else json.dumps(body).encode()
    # No proxy, whatever the environment says.
    handlers = [urllib.request.ProxyHandler({}), *([urllib.request.HTTPSHandler(context=context)] if context else [])]
    try:
        with urllib.request.build_opener(*handlers).open(f"{base}{path}", data, timeout=ANSWER) as response:
            return json.load(response)
    except (OSError, ValueError) as error:
        said = ""
        with contextlib.suppress(AttributeError, OSError):
            said = error.read().decode(errors="replace")
        raise Failed(f"{base}{path}: {error} {said}".rstrip()) from error


def trusted(own: dict) -> ssl.SSLContext:
    """Return the TLS context with the certificates of this host."""
    context = ssl.create_default_context(cafile=own["tls"]["ca"])
    context.load_cert_chain(own["tls"]["certificate"], own["tls"]["key"])
    return context


def peer(address: str) -> str:
    """Return the URL at which other members reach the one at *address*."""
    return f"https://{address}:{PEERS}"


def listed(base: str, context: ssl.SSLContext | None = None) -> list[dict]:
    """Return the members of the cluster, each with ``ID`` and ``peerURLs``; ``name`` if it has started."""
    return ask(base, "/v3/cluster/member/list", {}, context)["members"]


def of(members: list[dict], url: str) -> dict | None:
    """Return the member whose peers use *url*."""
    return next((one for one in members if url in one["peerURLs"]), None)


def remove(base: str, member: dict, context: ssl.SSLContext | None = None) -> None:
    """Remove a member from the cluster."""
    ask(base, "/v3/cluster/member/remove", {"ID": member["ID"]}, context)


def environment(own: dict, members: dict[str, str], state: str) -> None:
    """Write what etcd needs to start without data.

    :param members: name → URL for peers.
    :param state: C(new) or C(existing).
    """
    cluster = ",".join(f"{name}={url}" for name, url in members.items())
    os.makedirs(os.path.dirname(ENVIRONMENT), exist_ok=True)
    with open(ENVIRONMENT, "w", encoding="utf-8") as file:
        file.write(f"ETCD_INITIAL_CLUSTER={cluster}\nETCD_INITIAL_CLUSTER_STATE={state}\n")
    print(f"{own['name']} has no data: {state} cluster of {', '.join(members)}", file=sys.stderr)


def running(own: dict, context: ssl.SSLContext) -> tuple[str, list[dict], list[str]]:
    """Return what is known of the other members.

    :returns: the URL of one that belongs to a majority, and the members of its cluster; empty without any. And the
        names of those that run without a majority, and have had one: a cluster that only forms has no more entries in
        its log than members.
    """
    lonely = []
    for host, address in own["members"].items():
        base = f"https://{address}:{CLIENTS}"
        if host == own["name"]:
            continue
        try:
            return base, listed(base, context), []
        except Failed:
            pass
        with contextlib.suppress(Failed):
            status = ask(base, "/v3/maintenance/status", {}, context)
            if int(status.get("raftIndex", 0)) > len(own["members"]):
                lonely.append(host)
    return "", [], lonely


def prepare(own: dict, _host: str) -> int:
    """Decide how this member starts."""
    name, urls = own["name"], {host: peer(address) for host, address in own["members"].items()}
    context = trusted(own)
    base, members, lonely = running(own, context)
    # Without its log, what a start that failed has left is no data.
    full = bool(glob.glob(f"{own['data']}/member/wal/*.wal"))
    if full and not (members and not of(members, urls[name])):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(ENVIRONMENT)
        return 0
    if not members and lonely:
        print(f"This member has no data, and {', '.join(lonely)} no majority: it waits.", file=sys.stderr)
        return 1
    if os.path.exists(own["data"]):
        shutil.rmtree(own["data"])
    if not members:
        environment(own, urls, "new")
        return 0
    if lost := of(members, urls[name]):
        remove(base, lost, context)
    ask(base, "/v3/cluster/member/add", {"peerURLs": [urls[name]]}, context)
    known = {url: host for host, url in urls.items()}
    # One that has not started has no name in the cluster.
    found = listed(base, context)
    names = {one.get("name") or known.get(one["peerURLs"][0], one["ID"]): one["peerURLs"][0] for one in found}
    environment(own, names, "existing")
    return 0


def departed(own: dict) -> dict[str, dict]:
    """Return the members that have left the cloud, by their names."""
    urls = {peer(address) for address in own["members"].values()}
    return {one.get("name") or one["ID"]: one for one in listed(LOCAL) if not urls & set(one["peerURLs"])}


def show(own: dict, _host: str) -> int:
    """Print whether the cluster has members that have left the cloud."""
    found = departed(own)
    print("members =", f"with {', '.join(found)}" if found else "all")
    return 0


def tidy(own: dict, _host: str) -> int:
    """Remove the members that have left the cloud."""
    for member in departed(own).values():
        remove(LOCAL, member)
    return 0


def named(own: dict, host: str) -> dict | None:
    """Return the member of a host."""
    found = listed(LOCAL)
    return next((one for one in found if one.get("name") == host), None) or (
        of(found, peer(own["members"][host])) if host in own["members"] else None
    )


def forget(own: dict, host: str) -> int:
    """Remove the member of a host."""
    if member := named(own, host):
        remove(LOCAL, member)
    return 0


def forgotten(own: dict, host: str) -> int:
    """Return 0 if the cluster has no member of a host."""
    return 1 if named(own, host) else 0


def others(own: dict, _host: str) -> int:
    """Return 0 if the cluster has a majority without this member, or could not have one."""
    found, context, well = listed(LOCAL), trusted(own), 0
    for name, address in own["members"].items():
        with contextlib.suppress(Failed):
            well += name != own["name"] and ask(f"https://{address}:{CLIENTS}", "/health", None, context) is not None
    if well > len(found) // 2 or well == len(own["members"]) - 1:
        return 0
    print(f"Of {len(found)} members, {well} work besides this one: without it, etcd has no majority.", file=sys.stderr)
    return 1


COMMANDS = {
    "prepare": prepare,
    "members": show,
    "tidy": tidy,
    "forget": forget,
    "forgotten": forgotten,
    "others": others,
}


def main() -> int:
    """Run the command that is given."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=COMMANDS)
    parser.add_argument("host", nargs="?", default="")
    given = parser.parse_args()
    try:
        return COMMANDS[given.command](settings(), given.host)
    except Failed as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
