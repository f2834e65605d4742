# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A load balancer of Octavia over two servers, as its user reaches it by its floating IP; its amphora is replaced."""

from __future__ import annotations

import base64
import hashlib
import http.client
import ssl
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial
from typing import Any

from ansible_collections.cairn.openstack.plugins.module_utils.cloud.sdk import rest, translate_errors
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify import account, keys, servers
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify.checks import (
    Bad,
    Check,
    NotRun,
    Service,
    poll,
)
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify.run import TENANT, Run
from ansible_collections.cairn.openstack.plugins.module_utils.common.changes import Failed

OF = ("octavia",)
# What is on the way of a request to a server.
PATH = (*OF, "neutron", "openvswitch")
ALL = "/lbaas/loadbalancers"
MEMBERS = 2
HTTP, HTTPS = 80, 443
# Where the servers' web servers listen: an ordinary user may do that.
PORT = 8080
# A slow guest does not fail this by chance. A server is left out after the product of the delay and the retries.
MONITOR = {"type": "HTTP", "delay": 10, "timeout": 9, "max_retries": 2, "max_retries_down": 3, "url_path": "/"}
# Requests that must be answered in a row, and seconds of one.
ROW, REQUEST = 8, 10
# Nova's name of hosts that do not emulate, and the version of its API since which it tells.
ACCELERATED, DIAGNOSTICS = "kvm", "2.48"
LOGS = "the logs of octavia-worker and octavia-health-manager on the network hosts have the cause"
# Busybox has no nohup; an image without its web server may have Python.
START = """\
dir=$HOME/cairn-www; mkdir -p $dir && cd $dir && echo {name} >index.html || exit
if busybox --list 2>/dev/null | grep -qx httpd; then set -- busybox httpd -f -p {port} -h $dir
else set -- python3 -m http.server {port}; fi
setsid "$@" </dev/null >/dev/null 2>&1 & echo $! >$HOME/cairn-www.pid
for try in 1 2 3 4 5 6 7 8 9 10; do
  [ "$(curl -s http://127.0.0.1:{port}/ || wget -q -O - http://127.0.0.1:{port}/)" != {name} ] || exit 0
  sleep 1
done
echo "the web server does not answer" >&2; exit 1"""
# HAProxy gives a request that a killed one refuses to another server at once: users would see nothing, with or without
# the monitor. A stopped one takes requests, and does not answer.
STOP = "kill -STOP $(cat $HOME/cairn-www.pid)"


@dataclass(frozen=True)
class Limits:
    """Seconds until an amphora has booted, has a change, leaves a server out, and has a successor."""

    boot: int
    change: int
    leave: int
    anew: int


FAST, SLOW = Limits(boot=300, change=120, leave=90, anew=600), Limits(boot=900, change=300, leave=240, anew=1800)


def limits(emulated: bool) -> Limits:
    """Return the limits of a cloud that emulates its guests, or of another one."""
    return SLOW if emulated else FAST


def checks(run: Run, check: Callable[..., Check]) -> list[Check]:
    """Return the checks of Octavia. What takes longest begins first, beside the others."""
    needs = ("amphora", "other servers", "router")
    return [
        check("load balancer", requested, ("network", "security group"), OF, after=("leftovers",)),
        check("amphora", booted, ("load balancer", "server"), (*OF, *servers.BOOT), groups=servers.NODES),
        check("load balancer's members", joined, needs, PATH, groups=servers.NODES),
        check("TLS listener", terminated, ("load balancer's members",), (*OF, "barbican")),
    ]


def written(probe: Any) -> list[Check]:
    """Return the checks of what users see of the load balancer."""
    common = {"services": PATH, "groups": servers.NODES}
    by_both = ("HTTP by load balancer",)
    tls = ("TLS by load balancer",)
    return [
        Check(by_both[0], partial(both, probe), ("ssh", "load balancer's members"), **common),
        Check(tls[0], partial(secured, probe), (*by_both, "TLS listener"), **common),
        Check("stopped server left out", partial(left_out, probe), by_both, tls, **common),
    ]


def copies(of: Any) -> list[Check]:
    """Return the checks of what Octavia says of the stopped server, and of a new amphora."""
    return [
        Check("member's status", partial(reported, of), ("stopped server left out",), services=OF),
        Check(
            "amphora replaced",
            partial(anew, of),
            ("HTTP by load balancer",),
            ("member's status",),
            services=(*OF, *servers.BOOT),
            groups=servers.NODES,
        ),
    ]


def read(probe: Any) -> list[Check]:
    """Return the check of what users see of the new amphora."""
    return [
        Check("HTTP by new amphora", partial(again, probe), ("amphora replaced",), services=PATH, groups=servers.NODES),
    ]


def requested(run: Run) -> str:
    """Request a load balancer with a listener of HTTP and a pool, in one request; it is not there yet."""
    run.user.network.create_security_group_rule(
        security_group_id=run.group.id,
        direction="ingress",
        ether_type="IPv4",
        protocol="tcp",
        port_range_min=PORT,
        port_range_max=PORT,
        remote_ip_prefix=run.options["cidr"],
    )
    name = f"{run.name}-balancer"
    pool = {"name": name, "protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN", "healthmonitor": MONITOR}
    listener = {"name": name, "protocol": "HTTP", "protocol_port": HTTP, "default_pool": pool}
    body = {"name": name, "vip_subnet_id": run.subnet.id, "listeners": [listener]}
    made = rest(run.user.load_balancer, "POST", ALL, json={"loadbalancer": body}).json()["loadbalancer"]
    run.balancer = {"id": made["id"], "port": made["vip_port_id"], "began": time.monotonic()}
    return made["vip_address"]


def booted(run: Run) -> str:
    """Wait until the load balancer is ACTIVE, which takes its amphorae a boot."""
    emulated = emulates(run)
    run.balancer["emulated"] = emulated
    limit, began = limits(emulated).boot, run.balancer["began"]
    settled(run, limit - (time.monotonic() - began), f"{limit} s after its request")
    count = len(_allocated(_amphorae(run)))
    how = "emulated" if emulated else "not emulated"
    return f"{count}, {time.monotonic() - began:.0f} s after the request, {how}: limit {limit} s"


def joined(run: Run) -> str:
    """Add the first two servers to the pool, and give the load balancer a floating IP."""
    if not run.external:
        raise NotRun("the cloud has no external network")
    own = run.on(TENANT)[:MEMBERS]
    if len(own) < MEMBERS:
        raise NotRun(f"it needs {MEMBERS} servers: verify_servers_min")
    pools = rest(run.user.load_balancer, "GET", f"/lbaas/pools?loadbalancer_id={run.balancer['id']}").json()["pools"]
    run.balancer["pool"] = pools[0]["id"]
    body = [
        {"name": one.name, "address": one.address, "protocol_port": PORT, "subnet_id": run.subnet.id} for one in own
    ]
    rest(run.user.load_balancer, "PUT", f"/lbaas/pools/{run.balancer['pool']}/members", json={"members": body})
    made = run.user.network.create_ip(floating_network_id=run.external.id, port_id=run.balancer["port"])
    limit = limits(run.balancer["emulated"]).change
    settled(run, limit, f"{limit} s after it got its members")
    run.balancer.update(address=made.floating_ip_address, members=[one.name for one in own])
    return f"{', '.join(one.address for one in own)} at {made.floating_ip_address}"


def terminated(run: Run) -> str:
    """Add a listener that ends TLS, by a certificate that the user has in Barbican."""
    if keys.SERVICE.name not in run.options["services"]:
        raise NotRun("the cloud has no Barbican")
    try:
        bundle, digest = new_bundle(run.name)
    except ImportError as error:
        raise NotRun(f"no library to make a certificate with on this host: {error}") from error
    secret = keys.stored(
        run,
        f"{run.name}-bundle",
        base64.b64encode(bundle).decode(),
        payload_content_type="application/octet-stream",
        payload_content_encoding="base64",
    )
    body = {
        "name": f"{run.name}-tls",
        "loadbalancer_id": run.balancer["id"],
        "protocol": "TERMINATED_HTTPS",
        "protocol_port": HTTPS,
        "default_pool_id": run.balancer["pool"],
        "default_tls_container_ref": secret,
    }
    rest(run.user.load_balancer, "POST", "/lbaas/listeners", json={"listener": body})
    limit = limits(run.balancer["emulated"]).change
    settled(run, limit, f"{limit} s after it got a listener with a certificate")
    run.balancer["certificate"] = digest
    return f"certificate of SHA-256 {digest[:12]}…"


def new_bundle(name: str) -> tuple[bytes, str]:
    """Return a new key and its certificate as PKCS #12 without a password, and the certificate's SHA-256."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.serialization import pkcs12

    key, pem = keys.new_certificate(name)
    certificate = x509.load_pem_x509_certificate(pem)
    bundle = pkcs12.serialize_key_and_certificates(None, key, certificate, None, serialization.NoEncryption())
    return bundle, certificate.fingerprint(hashes.SHA256()).hex()


def both(probe: Any) -> str:
    """Start web servers in both servers: the load balancer answers from both."""
    names = probe.made["balancer"]["members"]
    for guest in _members(probe):
        probe.within(START.format(name=guest["name"], port=PORT), guest)
    limit = limits(probe.made["balancer"]["emulated"]).change
    seconds, found = _until(probe, limit, names)
    counts = ", ".join(f"{found.count(name)} from {name}" for name in names)
    return f"after {seconds:.0f} s: {counts}"


def secured(probe: Any) -> str:
    """Ask by HTTPS: both servers answer, with the certificate in Barbican."""
    balancer = probe.made["balancer"]
    limit = limits(balancer["emulated"]).change
    seconds, _found = _until(probe, limit, balancer["members"], balancer["certificate"])
    return f"after {seconds:.0f} s from both servers, with the certificate in Barbican"


def left_out(probe: Any) -> str:
    """Stop the web server of the second server, until the monitor notices: then all answers are the first one's."""
    first, second = _members(probe)
    probe.within(STOP, second)
    limit = limits(probe.made["balancer"]["emulated"]).leave
    seconds, _found = _until(probe, limit, [first["name"]])
    return f"after {seconds:.0f} s {ROW} answers in a row from {first['name']}: limit {limit} s"


def reported(of: Any) -> str:
    """Wait until Octavia's user reads that the stopped server is in ERROR, and the other one is not."""
    balancer = of.balancer
    first, second = balancer["members"]
    limit = limits(balancer["emulated"]).leave
    found: dict[str, str] = {}

    def look() -> bool:
        listed = rest(of.run.user.load_balancer, "GET", f"/lbaas/pools/{balancer['pool']}/members").json()["members"]
        found.update({one["name"]: one["operating_status"] for one in listed})
        return (found.get(first), found.get(second)) == ("ONLINE", "ERROR")

    reached = poll(look, limit, 2)
    said = ", ".join(f"{name} {status}" for name, status in sorted(found.items()))
    if not reached:
        wanted = f"{first} ONLINE, {second} ERROR"
        raise Bad(f"members after {limit} s: {said}; wanted: {wanted}; {LOGS}", (balancer["id"], balancer["pool"]))
    return said


def anew(of: Any) -> str:
    """Destroy the server of the amphora in use as administrator; Octavia replaces it."""
    run, balancer = of.run, of.balancer
    run.balancer = balancer
    before = _allocated(_amphorae(run))
    if not before:
        raise Bad(f"the load balancer has no amphora: {_told(run)}", (balancer["id"],))
    victim = next((one for one in before if one["role"] in ("MASTER", "STANDALONE")), before[0])
    limit, began = limits(balancer["emulated"]).anew, time.monotonic()
    run.admin.compute.delete_server(victim["compute_id"])
    seen: list[str] = []

    def look() -> bool:
        status = _status(run, seen)
        now = [one["id"] for one in _allocated(_amphorae(run))]
        replaced = victim["id"] not in now and len(now) >= len(before)
        return status == "ERROR" or (replaced and status == "ACTIVE")

    if not poll(look, limit, 3) or seen[-1] == "ERROR":
        raise Bad(
            f"amphora {victim['id']} has no successor {time.monotonic() - began:.0f} s after its server was deleted "
            f"(limit {limit} s); load balancer: {', '.join(seen)}; amphorae: {_told(run)}; {LOGS}",
            (balancer["id"], victim["id"], victim["compute_id"]),
        )
    return f"{time.monotonic() - began:.0f} s after its server was deleted: limit {limit} s"


def again(probe: Any) -> str:
    """Ask the load balancer with its new amphora: a server answers."""
    balancer = probe.made["balancer"]
    # Only the first server is still there.
    seconds, _found = _until(probe, limits(balancer["emulated"]).change, balancer["members"][:1])
    return f"{ROW} answers in a row {seconds:.0f} s after it was there"


def emulates(run: Run) -> bool:
    """Return whether the first server is emulated, or Nova cannot tell now."""
    path = f"/servers/{run.on(TENANT)[0].id}/diagnostics"
    answer = run.admin.compute.request(path, "GET", microversion=DIAGNOSTICS)
    return answer.status_code >= 400 or answer.json().get("hypervisor") != ACCELERATED


def settled(run: Run, seconds: float, what: str) -> None:
    """Wait until the load balancer is ACTIVE.

    :param what: what was waited for, for the message.
    :raises Bad: it is not; with all that was seen.
    """
    seen: list[str] = []

    def look() -> bool:
        return _status(run, seen) in ("ACTIVE", "ERROR")

    if not poll(look, seconds, 2) or seen[-1] == "ERROR":
        amphorae = _amphorae(run)
        ids = [one[key] for one in amphorae for key in ("id", "compute_id") if one.get(key)]
        raise Bad(
            f"the load balancer is not ACTIVE {what}: {', '.join(seen)}; amphorae: {_told(run, amphorae)}; {LOGS}"
            f"{_booting(run, amphorae)}",
            (run.balancer["id"], *ids),
        )


def _status(run: Run, seen: list[str]) -> str:
    """Return the load balancer's provisioning status; *seen* has those so far."""
    found = rest(run.user.load_balancer, "GET", f"{ALL}/{run.balancer['id']}").json()["loadbalancer"]
    if found["provisioning_status"] not in seen[-1:]:
        seen.append(found["provisioning_status"])
    return seen[-1]


def _amphorae(run: Run) -> list[dict]:
    """Return the amphorae of the load balancer, which only administrators see."""
    path = f"/octavia/amphorae?loadbalancer_id={run.balancer['id']}"
    return rest(run.admin.load_balancer, "GET", path).json()["amphorae"]


def _allocated(amphorae: list[dict]) -> list[dict]:
    return [one for one in amphorae if one["status"] == "ALLOCATED"]


def _told(run: Run, amphorae: list[dict] | None = None) -> str:
    found = _amphorae(run) if amphorae is None else amphorae
    return ", ".join(f"{one['id']} {one['status']} (server {one.get('compute_id')})" for one in found) or "none"


def _booting(run: Run, amphorae: list[dict]) -> str:
    """Return the end of the console log of the first amphora that boots, if there is one."""
    for one in amphorae:
        if one["status"] == "BOOTING" and one.get("compute_id"):
            try:
                with translate_errors():
                    said = servers.tail(run.admin, one["compute_id"])
            except Failed as error:
                said = f"it cannot be read: {error}"
            return f"; end of the console log of server {one['compute_id']}:\n{said}"
    return ""


def _members(probe: Any) -> list[dict]:
    """Return the servers in the pool, in its order."""
    known = {one["name"]: one for one in probe.made["servers"]}
    return [known[name] for name in probe.made["balancer"]["members"]]


def _until(probe: Any, limit: int, names: Collection[str], certificate: str = "") -> tuple[float, list[str]]:
    """Ask until answers in a row come from all of *names* and nobody else; return the seconds, and who answered.

    :param certificate: SHA-256 of the certificate to ask for by HTTPS; else by HTTP.
    :raises Bad: they do not.
    """
    balancer, began = probe.made["balancer"], time.monotonic()
    found: list[str] = []

    def look() -> bool:
        found.clear()
        for _number in range(ROW):
            found.append(ask(balancer["address"], certificate))
            # Without an answer, the rest of the row would take a minute.
            if found[-1] not in names:
                return False
        return set(found) == set(names)

    if not poll(look, limit, 1):
        url = f"{'https' if certificate else 'http'}://{balancer['address']}/"
        error = probe.bad(
            f"{url}: after {limit} s the last answers are {', '.join(found)}; wanted {ROW} in a row from "
            f"{' and '.join(names)}; {LOGS}"
        )
        error.ids = (*error.ids, balancer["id"])
        raise error
    return time.monotonic() - began, found


def ask(address: str, certificate: str = "") -> str:
    """Return what the load balancer answers: a server's name, or what went wrong.

    :param certificate: as for C(_until).
    """
    if certificate:
        # It is compared below, which no authority could do better.
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection: Any = http.client.HTTPSConnection(address, HTTPS, timeout=REQUEST, context=context)
    else:
        connection = http.client.HTTPConnection(address, HTTP, timeout=REQUEST)
    try:
        connection.connect()
        if certificate:
            shown = hashlib.sha256(connection.sock.getpeercert(binary_form=True)).hexdigest()
            if shown != certificate:
                return f"another certificate, of SHA-256 {shown[:12]}…"
        connection.request("GET", "/", headers={"Connection": "close"})
        response = connection.getresponse()
        text = response.read().decode(errors="replace").strip()
        return text if response.status == 200 else f"status {response.status}"
    except (OSError, http.client.HTTPException) as error:
        return str(error) or type(error).__name__
    finally:
        connection.close()


def sweep(admin: Any, project: str, seconds: float) -> list[str]:
    """Delete all load balancers of a project as admin, with their floating IPs; return those that remain.

    :param seconds: how long to wait for that. One that is being changed cannot be deleted until then.
    """
    octavia = account.admin_of(admin, project).load_balancer

    def listed() -> list[dict]:
        return rest(octavia, "GET", f"{ALL}?project_id={project}").json()["loadbalancers"]

    for one in listed():
        for address in admin.network.ips(port_id=one["vip_port_id"]):
            admin.network.delete_ip(address)
    end = time.monotonic() + seconds

    def ended() -> bool:
        found = listed()
        idle = [one for one in found if not one["provisioning_status"].startswith("PENDING_")]
        for one in idle:
            # One that is gone meanwhile shows in the list.
            octavia.request(f"{ALL}/{one['id']}?cascade=true", "DELETE")
        return not found or (len(idle) == len(found) and time.monotonic() >= end)

    poll(ended, max(seconds, SLOW.boot), 2)
    return [f"{one['name']} ({one['provisioning_status']})" for one in listed()]


SERVICE = Service("octavia", "load balancer", checks, sweep, written, copies, read)
