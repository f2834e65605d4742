# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a report says of the cloud as a whole: clusters, processes, networks, servers and capacity."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

from ansible_collections.cairn.openstack.plugins.module_utils.cloud.usage import READERS
from ansible_collections.cairn.openstack.plugins.module_utils.common.changes import Failed
from ansible_collections.cairn.openstack.plugins.module_utils.common.masking import hidden
from ansible_collections.cairn.openstack.plugins.module_utils.common.rest import Api
from ansible_collections.cairn.openstack.plugins.module_utils.control_plane import process_lists
from ansible_collections.cairn.openstack.plugins.module_utils.control_plane.mariadb import SOCKET, Server
from ansible_collections.cairn.openstack.plugins.module_utils.control_plane.service_health import Caller

RABBITMQ = "http://127.0.0.1:15672"
_WSREP = ("wsrep_cluster_size", "wsrep_cluster_status", "wsrep_local_state_comment", "wsrep_incoming_addresses")


def database(controllers: int) -> dict:
    """Return the state of the database, and of its cluster if there are several *controllers*."""
    rows = Server(SOCKET).rows(
        "SHOW GLOBAL STATUS WHERE Variable_name IN ('Threads_connected', 'Uptime') OR Variable_name LIKE 'wsrep%%'"
    )
    found = {row["Variable_name"]: row["Value"] for row in rows}
    size, status, state, members = (str(found.get(name, "")) for name in _WSREP)
    clients = f"{found.get('Threads_connected', '?')} connections"
    if controllers < 2:
        return {"name": "MariaDB", "ok": True, "state": "one server", "detail": clients}
    ok = size == str(controllers) and status == "Primary" and state == "Synced"
    addresses = sorted(member.partition(":")[0] for member in members.split(",") if member)
    detail = ", ".join([*addresses, clients])
    return {
        "name": "Galera",
        "ok": ok,
        "state": f"{size} of {controllers} members, {status}, {state}",
        "detail": detail,
    }


def broker(auth: dict, controllers: int, url: str = RABBITMQ) -> dict:
    """Return the state of the message queue's nodes."""
    api = Api(url, basic=(auth["name"], auth["password"]))
    nodes = api.get("/api/nodes")
    queued = (api.get("/api/overview").get("queue_totals") or {}).get("messages", 0)
    running = [node["name"].partition("@")[2] for node in nodes if node.get("running")]
    alarms = [
        f"{node['name'].partition('@')[2]}: {what}"
        for node in nodes
        for key, what in (("mem_alarm", "memory"), ("disk_free_alarm", "disk space"), ("partitions", "partition"))
        if node.get(key)
    ]
    state = f"{len(running)} of {controllers} nodes" if controllers > 1 else "one node"
    detail = ", ".join([*sorted(running), f"{queued} messages waiting"])
    if alarms:
        state += f", alarm ({'; '.join(alarms)})"
    return {"name": "RabbitMQ", "ok": len(running) >= controllers and not alarms, "state": state, "detail": detail}


def processes(lists: list[dict], caller: Caller, hosts: set[str]) -> list[dict]:
    """Return the processes that services list, each with its state."""
    return [
        {
            "name": one.record[one.listed["name"]],
            "host": one.host,
            "backend": one.backend,
            "ok": not (one.down or one.forced_down or one.disabled),
            "state": _process_state(one),
            "reason": one.reason,
            "left": one.left(hosts),
        }
        for one in process_lists.processes(lists, process_lists.client(caller))
    ]


def _process_state(one: process_lists.Process) -> str:
    states = {"forced down": one.forced_down, "down": one.down, "disabled": one.disabled}
    return ", ".join(word for word, true in states.items() if true) or "up"


class Cloud:
    """The cloud's APIs, with the token of the administrator.

    :raises Failed: Keystone refuses the credentials, or does not respond.
    """

    def __init__(self, auth: dict) -> None:
        self.caller = Caller(auth)
        self.token, self.project, self._cafile = self.caller.entered()
        api = Api(auth["url"], auth["cafile"])
        api.headers["X-Auth-Token"] = self.token
        self.catalog = api.get("/auth/catalog")["catalog"]

    def endpoints(self) -> list[dict]:
        """Return type, name and URLs of each service in the catalog."""
        return sorted(
            (
                {"type": one["type"], "name": one["name"], **{end["interface"]: end["url"] for end in one["endpoints"]}}
                for one in self.catalog
            ),
            key=lambda one: one["type"],
        )

    def api(self, *types: str) -> Api | None:
        """Return a client of the first service of the *types* that the catalog has; None if it has none."""
        for one in self.endpoints():
            if one["type"] in types and "internal" in one:
                api = Api(one["internal"], self._cafile)
                api.headers["X-Auth-Token"] = self.token
                return api
        return None


def report(options: dict) -> dict:
    """Return everything about the cloud; what does not answer is among C(problems), with the reason.

    :param options: those of the module.
    """
    hosts, controllers = set(options["hosts"]), options["controllers"]
    found: dict = {"parts": [], "processes": [], "endpoints": [], "capacity": [], "counts": {}, "servers": {}}
    found |= {"broken_servers": [], "problems": []}

    def tried(name: str, ask: Callable[[], object]) -> object:
        try:
            return ask()
        except (Failed, OSError, KeyError, TypeError, ValueError) as error:
            found["problems"].append({"name": name, "why": f"{type(error).__name__}: {error}"})
            return None

    jobs = {"database": lambda: {"parts": [database(controllers)]}}
    if options["broker"]:
        jobs["message queue"] = lambda: {"parts": [broker(options["broker"], controllers)]}
    if cloud := tried("identity", lambda: Cloud(options["auth"])):
        found["endpoints"] = cloud.endpoints()
        for number, one in enumerate(options["process_lists"]):
            jobs[f"{one['unit']} ({number})"] = lambda one=one: {"processes": processes([one], cloud.caller, hosts)}
        shared_disks = bool(options.get("shared_disks"))
        for reader in READERS:
            if api := cloud.api(*reader.types):
                jobs[reader.name] = lambda reader=reader, api=api: reader.read(api, shared_disks)
            elif not reader.optional:
                found["problems"].append(
                    {"name": reader.name, "why": "Keystone's service catalog has no endpoint of it"}
                )
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda name: tried(name, jobs[name]), jobs))
    _add(found, answers)
    mask = options.get("mask") or []
    for name in ("problems", "broken_servers", "processes"):
        found[name] = hidden(found[name], mask)
    return found


def _add(found: dict, answers: Iterable[dict | None]) -> None:
    """Put the *answers*, each parts of a report, into the report."""
    for answer in answers:
        for name, part in (answer or {}).items():
            if isinstance(part, dict):
                found[name] |= part
            else:
                found[name] += part
