# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""DNS, as used by an unprivileged user: a zone with a record, names of servers and of their floating IPs."""

from __future__ import annotations

import socket
from collections.abc import Callable, Collection

from ansible_collections.cairn.openstack.plugins.module_utils.cloud.sdk import rest
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify import account, servers
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify.checks import (
    Bad,
    Check,
    NotRun,
    Service,
    poll,
)
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify.run import Run

try:
    # Designate needs it, so it is where it runs.
    import dns.exception
    import dns.message
    import dns.query
    import dns.rcode
    import dns.reversename
except ImportError:
    dns = None

OF = ("designate", "named")
ADDRESS, CIDR = "192.0.2.53", "198.18.3.0/24"
# Seconds until all name servers have a change, and of one query.
PATIENCE, QUERY = 90, 3
NAMED = "named"
EVERY_PROJECT = {"X-Auth-All-Projects": "true"}


def checks(run: Run, check: Callable[..., Check]) -> list[Check]:
    """Return the checks of Designate."""
    return [
        check("zone", zone, ("token",), OF),
        check("names of a server", names, ("zone", "server", "router"), (*OF, "neutron", "nova"), groups=servers.NODES),
        check("zone deletion", gone, ("zone",), OF, after=("names of a server",)),
    ]


def zone(run: Run) -> str:
    """Create a zone with a record; all name servers answer for it over UDP."""
    run.zone = f"{run.name}.test."
    made = rest(run.user.dns, "POST", "/zones", json={"name": run.zone, "email": f"hostmaster@{run.zone[:-1]}"}).json()
    run.zone_id = made["id"]
    record = {"name": f"www.{run.zone}", "type": "A", "records": [ADDRESS]}
    rest(run.user.dns, "POST", f"/zones/{run.zone_id}/recordsets", json=record)
    listed = rest(run.user.dns, "GET", f"/zones/{run.zone_id}/nameservers").json()["nameservers"]
    run.name_servers = _addresses([one["hostname"].rstrip(".") for one in listed])
    answered(run, record["name"], "A", {ADDRESS})
    return f"{len(run.name_servers)} name servers answer"


def names(run: Run) -> str:
    """Boot a server on a network with the zone as its domain: its floating IP has its name, until it is deleted.

    The floating IP's reverse name is set and unset by hand.
    """
    if not run.external:
        raise NotRun("the cloud has no external network")
    neutron = run.user.network
    network = neutron.create_network(name=f"{run.name}-{NAMED}", dns_domain=run.zone)
    subnet = neutron.create_subnet(network_id=network.id, name=network.name, ip_version=4, cidr=CIDR)
    neutron.add_interface_to_router(run.router, subnet_id=subnet.id)
    guest = servers.create(run, run.user, NAMED, network, kind=NAMED)
    servers.active(run, [guest])
    before = _reverse_zones(run)
    floating = neutron.create_ip(floating_network_id=run.external.id, port_id=guest.port)
    name, address = f"{guest.name}.{run.zone}", floating.floating_ip_address
    answered(run, name, "A", {address})
    reverse, path = str(dns.reversename.from_address(address)), f"{run.user.config.get_region_name()}:{floating.id}"
    rest(run.user.dns, "PATCH", f"/reverse/floatingips/{path}", json={"ptrdname": name})
    answered(run, reverse, "PTR", {name})
    run.user.compute.delete_server(guest.id)
    if not poll(lambda: guest.id not in _servers(run), run.options["delete_timeout"]):
        raise Bad(f"{guest.name} is not deleted after {run.options['delete_timeout']} s", (guest.id,), (guest.host,))
    neutron.delete_port(guest.port)
    answered(run, name, "A", set())
    rest(run.user.dns, "PATCH", f"/reverse/floatingips/{path}", json={"ptrdname": None})
    answered(run, reverse, "PTR", set())
    neutron.delete_ip(floating.id)
    # Designate leaves the zone that it has made for it.
    for one in _reverse_zones(run).items() - before.items():
        rest(run.admin.dns, "DELETE", f"/zones/{one[1]}", headers=EVERY_PROJECT)
    return f"{name} is {address} until the server is deleted; its reverse name as its user says"


def gone(run: Run) -> str:
    """Delete the zone; no name server answers for it any more."""
    rest(run.user.dns, "DELETE", f"/zones/{run.zone_id}")
    # So answers a server that has no such zone.
    answered(run, f"www.{run.zone}", "A", {"REFUSED"})
    return "and its records"


def answered(run: Run, name: str, kind: str, wanted: Collection[str]) -> None:
    """Wait until all name servers answer with *wanted*.

    :raises Bad: one does not.
    """
    found: dict[str, set[str]] = {}

    def look() -> bool:
        found.update({server: ask(server, name, kind) for server in run.name_servers})
        return all(answer == set(wanted) for answer in found.values())

    if not poll(look, PATIENCE, 2):
        said = "; ".join(f"{server}: {', '.join(sorted(answer)) or 'none'}" for server, answer in found.items())
        expected = ", ".join(sorted(wanted)) or "none"
        raise Bad(f"{kind} of {name} is not {expected} after {PATIENCE} s: {said}", (run.zone_id,))


def ask(server: str, name: str, kind: str) -> set[str]:
    """Return a name server's records of a name; instead of them why it has none, unless the name does not exist."""
    try:
        answer = dns.query.udp(dns.message.make_query(name, kind), server, timeout=QUERY)
    except (dns.exception.DNSException, OSError) as error:
        return {str(error)}
    if (code := dns.rcode.to_text(answer.rcode())) not in ("NOERROR", "NXDOMAIN"):
        return {code}
    return {record.to_text() for records in answer.answer for record in records}


def sweep(admin, project: str, seconds: float) -> list[str]:
    """Delete all zones of a project as admin, and return those that remain."""
    designate = account.admin_of(admin, project).dns

    def listed() -> list[dict]:
        # An administrator also sees the catalog, which belongs to no project.
        zones = rest(designate, "GET", "/zones").json()["zones"]
        return [one for one in zones if one["project_id"] == project]

    for one in listed():
        # One that is gone meanwhile shows in the list.
        designate.request(f"/zones/{one['id']}", "DELETE")
    poll(lambda: not listed(), seconds)
    return [one["name"] for one in listed()]


def _reverse_zones(run: Run) -> dict[str, str]:
    """Return the ids of all zones of reverse names."""
    zones = rest(run.admin.dns, "GET", "/zones?limit=1000", headers=EVERY_PROJECT).json()["zones"]
    return {one["name"]: one["id"] for one in zones if one["name"].endswith(".in-addr.arpa.")}


def _servers(run: Run) -> set[str]:
    return {server.id for server in run.user.compute.servers(details=False)}


def _addresses(hosts: list[str]) -> list[str]:
    """Return the addresses of the name servers, by the names in the zone."""
    try:
        return [socket.gethostbyname(host) for host in hosts]
    except OSError as error:
        raise NotRun(f"the name servers {', '.join(hosts)} are unknown on the controller: {error}") from error


SERVICE = Service("designate", "zone", checks, sweep)
