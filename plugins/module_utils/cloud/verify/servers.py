# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers: the first booted as by any user, the others each on its own host."""

from __future__ import annotations

import time

from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify import network
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify.checks import Bad, NotRun, poll
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify.run import MOVED, TENANT, VLAN, Guest, Run

# The services that boot a server, the node groups that they run on, and the checks that make what it needs.
BOOT = ("nova", "placement", "neutron", "openvswitch", "glance", "libvirt")
NODES = ("controller", "network", "compute")
TO_BOOT = ("guest image", "flavor", "network", "security group", "key pair")
# VLAN servers: enough to reach each other.
VLAN_MACHINES = 2
# Number of lines from the end of a console log to show after a failure.
CONSOLE_LINES = 15


def key_pair(run: Run) -> str:
    """Upload the run's public key, for the user and for the admin user, who selects hosts."""
    for conn in (run.user, run.admin_there):
        conn.compute.create_keypair(name=run.name, public_key=run.options["public_key"], type="ssh")
    return run.options["public_key"].split()[0]


def first(run: Run) -> str:
    """Boot a server as the project's user, on any host."""
    end = time.monotonic() + run.options["boot_timeout"]
    try:
        guest = create(run, run.user, "1", run.network)
        run.first_host = scheduled(run, guest)
    finally:
        run.scheduled.set()
    try:
        return active(run, [guest], end)
    except Bad as error:
        down = down_hosts(run.admin)
        if not down:
            raise
        raise Bad(f"{error}; nova-compute is down on: {', '.join(down)}", error.ids, (*error.hosts, *down)) from error


def others(run: Run) -> str:
    """Boot servers on the other compute hosts, up to the required number."""
    run.scheduled.wait(run.options["boot_timeout"])
    mine = run.first_host
    if not mine:
        raise NotRun("the first server was not scheduled")
    down = down_hosts(run.admin)
    if down:
        raise Bad(f"nova-compute is down on: {', '.join(down)}", hosts=tuple(down))
    hosts = [host for host in up_hosts(run.admin) if host != mine][: run.options["servers_max"] - 1]
    hosts += [mine] * (run.options["servers_min"] - 1 - len(hosts))
    if not hosts:
        raise NotRun("there is no other compute host")
    made = [create(run, run.admin_there, str(2 + n), run.network, host=host) for n, host in enumerate(hosts)]
    return active(run, made)


def on_vlan(run: Run) -> str:
    """Boot servers on a VLAN network, on hosts connected to the physical network."""
    physical = run.options["vlan_network"]
    hosts = vlan_hosts(run.admin, physical)
    if not hosts:
        raise NotRun(f"no compute host has a physical network {physical}")
    # Without a range Neutron would select any VLAN, even one in use.
    if not (run.options["vlan_range"] or run.options["vlan_segment"]):
        raise NotRun("no VLAN available: cloud_vlan_range is empty, and verify_vlan_segment is 0")
    made = network.vlan(run, physical)
    guests = [
        create(run, run.admin_there, f"{VLAN}-{number}", made, host=host, kind=VLAN)
        for number, host in enumerate(hosts[:VLAN_MACHINES])
    ]
    active(run, guests)
    for guest in guests:
        answers(run, guest)
    seen = run.admin.network.get_network(made.id)
    return f"VLAN {seen.provider_segmentation_id}, MTU {seen.mtu}; {placed(guests)}"


def resized(run: Run) -> str:
    """Boot a server and resize it to more memory, as its user; it gets its address again."""
    guest = create(run, run.user, MOVED, run.network, kind=MOVED)
    active(run, [guest])
    answers(run, guest)
    run.user.compute.resize_server(guest.id, run.larger.id)
    was = confirmed(run, run.user, guest)
    flavor = run.user.compute.get_server(guest.id).flavor
    if flavor.ram != run.larger.ram:
        raise Bad(f"{guest.name} has {flavor.ram} MiB, not {run.larger.ram}", (guest.id,), (guest.host,))
    return f"{run.flavor.ram} to {flavor.ram} MiB, {was} to {guest.host}"


def moved(run: Run) -> str:
    """Migrate that server, with its disk, to another host, as the admin user."""
    (guest,) = run.on(MOVED)
    other = next((host for host in up_hosts(run.admin) if host != guest.host), None)
    if not other:
        raise NotRun("there is no other compute host")
    run.admin_there.compute.migrate_server(guest.id, host=other)
    was = confirmed(run, run.admin_there, guest)
    if guest.host != other:
        raise Bad(f"{guest.name} is on {guest.host}, not {other}", (guest.id,), (guest.host, other))
    return f"{was} to {other}"


def confirmed(run: Run, conn, guest: Guest) -> str:
    """Wait for a server to be resized or migrated, confirm that as *conn*, and wait for its boot; return its old host.

    :raises Bad: it failed; with Nova's message.
    """

    def sent():
        server = run.admin.compute.get_server(guest.id)
        return server if server.status in ("VERIFY_RESIZE", "ERROR") or not server.task_state else None

    server = poll(sent, run.options["boot_timeout"]) or run.admin.compute.get_server(guest.id)
    if server.status != "VERIFY_RESIZE":
        events = run.admin.compute.server_actions(guest.id)
        why = (server.fault or {}).get("message") or next((event.message for event in events if event.message), "")
        state = f"{server.status} ({server.task_state or 'no task'})"
        raise Bad(f"{guest.name} on {guest.host}: {state} {why}", (guest.id,), (guest.host,))
    was = guest.host
    conn.compute.confirm_server_resize(guest.id)
    active(run, [guest])
    answers(run, guest)
    return was


def answers(run: Run, guest: Guest) -> None:
    """Wait until a server reports its address on its console, if that check is enabled."""
    if run.options["lease_line"]:
        leases(run, [guest])


def down_hosts(admin) -> list[str]:
    """Return the enabled compute hosts that are down."""
    services = admin.compute.services(binary="nova-compute")
    return sorted(service.host for service in services if service.status == "enabled" and service.state != "up")


def up_hosts(admin) -> list[str]:
    """Return the enabled compute hosts that are up."""
    services = admin.compute.services(binary="nova-compute")
    return sorted(service.host for service in services if service.status == "enabled" and service.state == "up")


def vlan_hosts(admin, physical: str) -> list[str]:
    """Return the compute hosts that are up and have a bridge for the physical network."""
    mapped = {
        agent.host
        for agent in admin.network.agents()
        if physical in ((agent.configuration or {}).get("bridge_mappings") or {}) and agent.is_alive
    }
    return [host for host in up_hosts(admin) if host in mapped]


def create(run: Run, conn, suffix: str, net, host: str = "", kind: str = TENANT) -> Guest:
    """Request a server with its own port; it is not active yet.

    :param conn: connection to use; only the admin user can select a host.
    """
    name = f"{run.name}-{suffix}"
    port = conn.network.create_port(name=name, network_id=net.id, security_group_ids=[run.group.id])
    made = conn.compute.create_server(
        name=name,
        image_id=run.image,
        flavor_id=run.flavor.id,
        key_name=run.name,
        networks=[{"port": port.id}],
        **({"host": host} if host else {}),
    )
    guest = Guest(name, made.id, kind, port.id, port.fixed_ips[0]["ip_address"], host)
    run.guests.append(guest)
    return guest


def scheduled(run: Run, guest: Guest) -> str:
    """Wait until the scheduler has selected a host or failed; return the host."""

    def look():
        server = run.admin.compute.get_server(guest.id)
        return server if server.compute_host or server.status == "ERROR" else None

    server = poll(look, run.options["boot_timeout"])
    return (server and server.compute_host) or ""


def active(run: Run, guests: list[Guest], end: float | None = None) -> str:
    """Wait until all are ACTIVE and return their hosts.

    :param end: deadline by the monotonic clock; by default boot_timeout from now.
    :raises Bad: one is not; with Nova's message.
    """
    end = end or time.monotonic() + run.options["boot_timeout"]
    for guest in guests:
        server = poll(lambda m=guest: _ended(run.admin.compute.get_server(m.id)), max(0, end - time.monotonic()))
        if server is None:
            server = run.admin.compute.get_server(guest.id)
            state = f"still {server.status} ({server.task_state}) after {run.options['boot_timeout']} s"
        else:
            state = (server.fault or {}).get("message", server.status)
        guest.host = server.compute_host or guest.host
        if server.status != "ACTIVE":
            where = f" on {guest.host}" if guest.host else ""
            raise Bad(f"{guest.name}{where}: {state}", (guest.id,), (guest.host,) if guest.host else ())
        guest.active = True
    return placed(guests)


def _ended(server):
    return server if server.status in ("ACTIVE", "ERROR") else None


def placed(guests: list[Guest]) -> str:
    """Return the servers with their hosts."""
    return ", ".join(f"{guest.address} on {guest.host}" for guest in guests)


def dhcp(run: Run) -> str:
    """Check on the consoles of the project's servers that they got their addresses."""
    return leases(run, run.on(TENANT))


def leases(run: Run, guests: list[Guest]) -> str:
    """Wait until every server reports its address on its console."""
    if not run.options["lease_line"]:
        raise NotRun("verify_lease_line is empty")
    end = time.monotonic() + run.options["lease_timeout"]
    for guest in guests:
        line = run.options["lease_line"].format(address=guest.address)
        if not poll(lambda m=guest, said=line: said in console(run.admin, m.id), max(0, end - time.monotonic()), 2):
            own_port = run.admin.network.get_port(guest.port)
            ports = list(run.admin.network.ports(network_id=own_port.network_id))
            raise Bad(
                f"the console of {guest.name} on {guest.host} does not show {line!r} after "
                f"{run.options['lease_timeout']} s; it ends with:\n{tail(run.admin, guest.id)}\n"
                f"if neutron-dhcp-agent logged nothing above for {own_port.mac_address}, it got no request\n"
                f"its network's ports: {'; '.join(told(port) for port in ports)}",
                (guest.id, own_port.mac_address, *(name for port in ports for name in (port.id, device(port.id)))),
                tuple(sorted({guest.host, *(port.binding_host_id for port in ports if port.binding_host_id)})),
            )
    return ", ".join(guest.address for guest in guests)


def console(admin, server: str) -> str:
    """Return the console log of a server."""
    return admin.compute.get_server_console_output(server).get("output") or ""


def tail(admin, server: str) -> str:
    """Return the end of the console log of a server."""
    lines = [line.rstrip() for line in console(admin, server).splitlines()]
    return "\n".join([line for line in lines if line][-CONSOLE_LINES:]) or "(it is empty)"


def device(port: str) -> str:
    """Return the name of a port's device in Open vSwitch and libvirt on its host."""
    return f"tap{port[:11]}"


def told(port) -> str:
    """Return owner, host and state of a port; without a DHCP agent for the network there is no DHCP port."""
    addresses = ", ".join(fixed["ip_address"] for fixed in port.fixed_ips)
    return f"{port.device_owner} {addresses} on {port.binding_host_id or 'no host'} {port.status}"
