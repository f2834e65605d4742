# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a report says of the cloud as a whole: clusters, processes, networks, servers and capacity."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from ansible_collections.cairn.openstack.plugins.module_utils.common.changes import Failed
from ansible_collections.cairn.openstack.plugins.module_utils.common.masking import hidden
from ansible_collections.cairn.openstack.plugins.module_utils.common.rest import Api
from ansible_collections.cairn.openstack.plugins.module_utils.control_plane import process_lists
from ansible_collections.cairn.openstack.plugins.module_utils.control_plane.mariadb import SOCKET, Server
from ansible_collections.cairn.openstack.plugins.module_utils.control_plane.service_health import Caller

RABBITMQ = "http://127.0.0.1:15672"
# Names that a page shows; the rest is counted.
MOST = 20
GIB, MIB = 2**30, 2**20
# Resource classes of Placement: the name, the bytes of a unit (0 for a number).
RESOURCES = {"VCPU": ("vCPUs", 0), "MEMORY_MB": ("memory", MIB), "DISK_GB": ("disk", GIB)}
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


def providers(api: Api, shared_disks: bool = False) -> list[dict]:
    """Return the used and total resources of each of Placement's resource providers.

    :param shared_disks: whether the disks of servers are in Ceph, all of which each compute host reports as its own.
    """
    api.headers["OpenStack-API-Version"] = "placement 1.14"
    found = []
    for provider in api.get("/resource_providers")["resource_providers"]:
        path = f"/resource_providers/{provider['uuid']}"
        usages = api.get(f"{path}/usages")["usages"]
        for kind, one in api.get(f"{path}/inventories")["inventories"].items():
            if kind in RESOURCES:
                name, unit = RESOURCES[kind]
                total = int((one["total"] - one["reserved"]) * one["allocation_ratio"])
                share = {"name": name, "of": provider["name"], "used": usages.get(kind, 0), "total": total}
                found.append({**share, "bytes": unit})
    disks = [one for one in found if one["name"] == "disk"]
    if shared_disks and disks:
        once = {**disks[0], "of": "", "used": sum(one["used"] for one in disks)}
        once["total"] = max(one["total"] for one in disks)
        found = [*(one for one in found if one["name"] != "disk"), once]
    return found


def pools(api: Api) -> list[dict]:
    """Return the used and total space of Cinder's pools, those of one back end on several controllers once.

    Volume groups of several hosts have the same back end and different places.
    """
    found: dict[tuple, dict] = {}
    for pool in api.get("/scheduler-stats/get_pools?detail=true")["pools"]:
        can = pool["capabilities"]
        total, free = can.get("total_capacity_gb"), can.get("free_capacity_gb")
        if isinstance(total, (int, float)) and isinstance(free, (int, float)):
            name = pool["name"].partition("@")[2] or pool["name"]
            key = (name, can.get("location_info") or total)
            share = {"name": name, "of": "volumes", "used": total - free, "total": total, "bytes": GIB}
            found[key] = {**share, "full": pool["name"]}
    names = Counter(one["name"] for one in found.values())
    shares = [(one.pop("full"), one) for one in found.values()]
    return [{**one, "name": full if names[one["name"]] > 1 else one["name"]} for full, one in shares]


def networks(api: Api) -> tuple[dict, list[dict]]:
    """Return how many networks there are, and the addresses in use of external ones."""
    known = api.get("/networks?fields=id&fields=name&fields=router:external&fields=status")["networks"]
    external = {one["id"] for one in known if one["router:external"]}
    shares = [
        {"name": "addresses", "of": one["network_name"], "used": one["used_ips"], "total": one["total_ips"], "bytes": 0}
        for one in api.get("/network-ip-availabilities")["network_ip_availabilities"]
        if one["network_id"] in external
    ]
    routers = len(api.get("/routers?fields=id")["routers"])
    addresses = len(api.get("/floatingips?fields=id")["floatingips"])
    return {"networks": len(known), "routers": routers, "floating IPs": addresses}, shares


def servers(api: Api) -> tuple[dict, list[dict]]:
    """Return how many servers there are by state, and those in the state ERROR."""
    states: Counter = Counter()
    broken = []
    path = "/servers/detail?all_tenants=true&limit=500"
    while path:
        answer = api.get(path)
        for server in answer["servers"]:
            states[server["status"]] += 1
            if server["status"] == "ERROR":
                fault = server.get("fault", {}).get("message", "")
                host = server.get("OS-EXT-SRV-ATTR:host") or ""
                broken.append({"id": server["id"], "name": server["name"], "host": host, "why": fault})
        links = {link["rel"]: link["href"] for link in answer.get("servers_links", [])}
        path = f"/servers/detail?{links['next'].partition('?')[2]}" if "next" in links else ""
    return dict(states), broken[:MOST]


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

    jobs = {"database": lambda: database(controllers)}
    if options["broker"]:
        jobs["message queue"] = lambda: broker(options["broker"], controllers)
    if cloud := tried("identity", lambda: Cloud(options["auth"])):
        found["endpoints"] = cloud.endpoints()
        for number, one in enumerate(options["process_lists"]):
            jobs[f"{one['unit']} ({number})"] = lambda one=one: processes([one], cloud.caller, hosts)
        for name, types, ask in (
            ("placement", ("placement",), lambda api: providers(api, bool(options.get("shared_disks")))),
            ("volumes", ("volumev3", "block-storage"), pools),
            ("networks", ("network",), lambda api: networks(_versioned(api, "/v2.0"))),
            ("servers", ("compute",), servers),
        ):
            if api := cloud.api(*types):
                jobs[name] = lambda ask=ask, api=api: ask(api)
            elif name != "volumes":
                found["problems"].append({"name": name, "why": "Keystone's service catalog has no endpoint of it"})
    with ThreadPoolExecutor(4) as pool:
        answers = dict(zip(jobs, pool.map(lambda name: tried(name, jobs[name]), jobs), strict=True))
    _sort(found, answers)
    mask = options.get("mask") or []
    for name in ("problems", "broken_servers", "processes"):
        found[name] = hidden(found[name], mask)
    return found


def _versioned(api: Api, version: str) -> Api:
    """Return a client below the API's *version*, which some catalogs have in their URLs and others not."""
    if api.url.endswith(version):
        return api
    other = Api(api.url + version, api._cafile)
    other.headers = api.headers
    return other


def _sort(found: dict, answers: dict) -> None:
    """Put the *answers* into the report."""
    for name, answer in answers.items():
        if answer is None:
            continue
        if name in ("database", "message queue"):
            found["parts"].append(answer)
        elif name in ("placement", "volumes"):
            found["capacity"] += answer
        elif name == "networks":
            found["counts"] |= answer[0]
            found["capacity"] += answer[1]
        elif name == "servers":
            found["servers"], found["broken_servers"] = answer
        else:
            found["processes"] += answer
