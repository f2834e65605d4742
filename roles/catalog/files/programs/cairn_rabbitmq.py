# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The membership of this node in RabbitMQ's cluster.

Written by Cairn. Commands:

members HOST …  prints whether all these hosts, and none that has left the cloud, are in this node's cluster
join HOST …     joins the cluster of the others, if this node has nothing to lose; the first of several such nodes waits
                for the others. Nodes of hosts that have left the cloud are forgotten
forget HOST     removes a node that does not run any more from the cluster
forgotten HOST  exits with 0 if the cluster has no such node
standalone      exits with 0 if this node was started outside of a cluster, as before a cloud of one controller grew
prepare         runs before the start: if this node has lost its data, the others forget it, so that it may join again
replicas        runs after the start: gives this node a replica of every stream. A client that is connected to a node
                without one cannot read the stream, and connects again and again

A node without data joins by itself when it starts. One that was started before it was configured, as by a boot during
the first deployment, has data, and is a cluster of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import socket
import subprocess
import sys
import time

SETTINGS = "/etc/cairn/rabbitmq.json"
DATA = "/var/lib/rabbitmq/mnesia"
PROC = "/proc"
# Seconds for rabbitmqctl; for other nodes to join this one, or streams; for streams after a join.
ANSWER, PATIENCE, LEFT = 30, 45, 10
PORT = 25672
# While streams lack their replicas on this node.
LACKING = "/var/lib/rabbitmq/cairn-streams-lack-replicas"
# Adds this node's replicas of streams that lack one, and prints those that are not added. A stream that gets another
# replica at the same time restarts meanwhile, and refuses.
ADD_REPLICAS = """
[io:format("~s ~p~n", [Name, Error])
 || Q <- rabbit_amqqueue:list(), amqqueue:get_type(Q) =:= rabbit_stream_queue,
    not lists:member(node(), maps:get(nodes, amqqueue:get_type_state(Q), [])),
    {resource, VHost, queue, Name} <- [amqqueue:get_name(Q)],
    {error, Error} <- [rabbit_stream_queue:add_replica(VHost, Name, node())]], ok.
"""


class Failed(Exception):
    """The membership can't be changed; the message says why."""


def settings() -> dict:
    """Return the file with this node's ``name`` and the addresses of all ``nodes``, by the names of their hosts."""
    with open(SETTINGS, encoding="utf-8") as file:
        return json.load(file)


def node(host: str) -> str:
    """Return the name of the node on *host*."""
    return f"rabbit@{host}"


def members(me: str) -> list[str]:
    """Return the hosts in the cluster of this node, as it has saved them; none if it has no data."""
    try:
        with open(f"{DATA}/{node(me)}/cluster_nodes.config", encoding="utf-8") as file:
            text = file.read()
    except OSError:
        return []
    # An Erlang term: {[rabbit@a,'rabbit@b-c'],[rabbit@a,'rabbit@b-c']}.
    return sorted(set(re.findall(r"rabbit@([\w.-]+)", text)))


def control(host: str, *words: str) -> subprocess.CompletedProcess:
    """Run rabbitmqctl against the node on *host*."""
    command = ["rabbitmqctl", "--node", node(host), "--timeout", str(ANSWER), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def must(host: str, *words: str) -> str:
    """Run rabbitmqctl, and return what it prints.

    :raises Failed: it fails.
    """
    said = control(host, *words)
    if said.returncode:
        raise Failed(f"rabbitmqctl {' '.join(words)} on {host}: {(said.stderr or said.stdout).strip()}")
    return said.stdout


def responds(address: str) -> bool:
    """Whether a node listens at *address*; rabbitmqctl would wait long."""
    try:
        socket.create_connection((address, PORT), timeout=3).close()
    except OSError:
        return False
    return True


def has_data(host: str) -> bool | None:
    """Whether the node on *host* has a virtual host besides the default one; None if it does not respond."""
    said = control(host, "--quiet", "--formatter", "json", "list_vhosts")
    return any(one["name"] != "/" for one in json.loads(said.stdout)) if said.returncode == 0 else None


def show(own: dict, hosts: list[str]) -> int:
    """Print whether *hosts* are in this node's cluster."""
    found = members(own["name"])
    lacking = [host for host in hosts if host not in found]
    wrong = [f"without {', '.join(lacking)}"] if lacking else []
    wrong += [f"with {', '.join(left)}"] if (left := departed(own)) else []
    wrong += ["without all replicas of streams"] if os.path.exists(LACKING) else []
    print("members =", " and ".join(wrong) or "all")
    return 0


def departed(own: dict) -> list[str]:
    """Return the hosts in this node's cluster that have left the cloud."""
    return [host for host in members(own["name"]) if host not in own["nodes"]]


def forget(own: dict, hosts: list[str]) -> int:
    """Remove the nodes of *hosts* from the cluster.

    :raises Failed: one of them runs.
    """
    me = own["name"]
    for host in hosts:
        if host not in members(me):
            continue
        said = control(me, "forget_cluster_node", node(host))
        # Another node may have done it at the same time.
        if said.returncode and host in members(me):
            raise Failed(f"{me} cannot forget {host}: {(said.stderr or said.stdout).strip()}")
    return 0


def forgotten(own: dict, hosts: list[str]) -> int:
    """Return 0 if none of *hosts* is in the cluster."""
    return 1 if set(hosts) & set(members(own["name"])) else 0


def target(me: str, full: dict[str, bool], mine: list[str]) -> str | None:
    """Return the host whose cluster *me* joins; None if it stays and others come.

    :param full: the hosts with a running node, in the order of the inventory → whether it has data.
    :param mine: the hosts in this node's cluster.
    :raises Failed: another cluster has data too.
    """
    others = [host for host in full if host not in (me, *mine)]
    with_data = [host for host in others if full[host]]
    if with_data and full[me]:
        raise Failed(f"{me} and {with_data[0]} are in different clusters, and both have virtual hosts")
    if with_data or full[me]:
        return None if full[me] else with_data[0]
    first = next(host for host in full if host not in mine or host == me)
    return None if first == me or len(mine) > 1 else first


def join(own: dict, hosts: list[str]) -> int:
    """Join the cluster of the others, or wait for them."""
    me, nodes = own["name"], own["nodes"]
    end = time.monotonic() + PATIENCE
    full = {}
    for host in nodes:
        # One that is starting has nothing to tell yet.
        found = has_data(host) if host == me or responds(nodes[host]) else None
        if found is None and host == me:
            # An interrupted join has stopped it.
            must(me, "start_app")
            found = has_data(me)
        if found is not None:
            full[host] = found
    if me not in full:
        raise Failed(f"the node of {me} does not respond")
    if to := target(me, full, members(me)):
        must(me, "stop_app")
        # It remembers this node if its data was lost.
        control(to, "forget_cluster_node", node(me))
        # By force if the others of this node's cluster, which has no data either, do the same.
        if control(me, "reset").returncode:
            must(me, "force_reset")
        must(me, "join_cluster", node(to))
        must(me, "start_app")
    forget(own, departed(own))
    while not set(hosts) <= set(members(me)) and time.monotonic() < end:
        time.sleep(1)
    return replicas(own, hosts, LEFT)


def standalone(_own: dict, _hosts: list[str]) -> int:
    """Return 0 if this node runs without TLS to other nodes, so that neither these nor rabbitmqctl reach it."""
    said = subprocess.run(
        ["systemctl", "show", "--property=MainPID", "--value", "rabbitmq-server"],
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        with open(f"{PROC}/{int(said.stdout or 0)}/cmdline", encoding="utf-8", errors="replace") as file:
            return 1 if "inet_tls" in file.read().split("\0") else 0
    except (OSError, ValueError):
        return 1


def replicas(own: dict, _hosts: list[str], seconds: float = PATIENCE) -> int:
    """Give this node a replica of every stream; return 1 if some get none in time, which a run finds by a file."""
    me, end = own["name"], time.monotonic() + seconds
    with open(LACKING, "w", encoding="utf-8"):
        pass
    while True:
        said = control(me, "eval", ADD_REPLICAS)
        lacking = [line for line in said.stdout.splitlines() if line != "ok"]
        if said.returncode == 0 and not lacking:
            os.unlink(LACKING)
            return 0
        if time.monotonic() > end:
            print("Streams without a replica here:", *lacking, said.stderr.strip(), sep="\n", file=sys.stderr)
            return 1
        time.sleep(2)


def prepare(own: dict, _hosts: list[str]) -> int:
    """Let the others forget this node if it has no data."""
    me = own["name"]
    if members(me):
        return 0
    for host, address in own["nodes"].items():
        if host == me or not responds(address):
            continue
        said = control(host, "--quiet", "--formatter", "json", "cluster_status")
        if said.returncode or node(me) not in json.loads(said.stdout)["disk_nodes"]:
            continue
        print(f"This node has no data: {host} forgets it, and it joins again.", file=sys.stderr)
        said = control(host, "forget_cluster_node", node(me))
        if said.returncode == 0:
            break
        print((said.stderr or said.stdout).strip(), file=sys.stderr)
    return 0


COMMANDS = {
    "members": show,
    "join": join,
    "forget": forget,
    "forgotten": forgotten,
    "standalone": standalone,
    "prepare": prepare,
    "replicas": replicas,
}


def main() -> int:
    """Run the command that is given."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=COMMANDS)
    parser.add_argument("host", nargs="*")
    given = parser.parse_args()
    try:
        return COMMANDS[given.command](settings(), given.host)
    except Failed as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
