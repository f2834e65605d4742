# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Checks of the hosts, from the results of M(cairn.openstack.host_probe)."""

from __future__ import annotations

import ipaddress
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.cairn.openstack.plugins.plugin_utils.catalog import bridge_plan, definitions, topology
from ansible_collections.cairn.openstack.plugins.plugin_utils.catalog.backends import Kind
from ansible_collections.cairn.openstack.plugins.plugin_utils.preflight.definition_checks import (
    ALL_PLACES,
    LOOPBACK,
    OTHERS,
    Listener,
)
from ansible_collections.cairn.openstack.plugins.plugin_utils.preflight.finding import Finding, nearest
from ansible_collections.cairn.openstack.plugins.plugin_utils.preflight.networks import ipv4
from ansible_collections.cairn.openstack.plugins.plugin_utils.preflight.settings import Settings
from ansible_collections.cairn.openstack.plugins.plugin_utils.preflight.storage import found_devices

RELEASE = {"id": "debian", "version": "13"}
ARCHITECTURES = ("x86_64",)
# Fernet tokens and certificates tolerate less than a minute.
CLOCK_SECONDS = 30
# For the system itself, measured on an all-in-one with two workers; the units' needs are in their definitions.
SYSTEM_MB = 200
# Packages with their downloads, databases and first logs; an all-in-one used 3100. Images and guests are not included.
DISK_MB = {"all": 700, "controller": 2000, "network": 300, "compute": 800, "storage": 200}
# For a host whose packages are installed.
DISK_LEFT_MB = 500
INITIATOR = "/etc/iscsi/initiatorname.iscsi"
# How a host that was copied gets an identity of its own, by the file.
RENEWED = {
    "/etc/machine-id": "rm /etc/machine-id, systemd-machine-id-setup, and a reboot",
    INITIATOR: f'echo "InitiatorName=$(iscsi-iname)" > {INITIATOR}, and systemctl restart iscsid',
}
EVERYWHERE = ("0.0.0.0", "::")


@dataclass
class Host:
    """A reachable host.

    :param facts: the result of host_probe.
    :param groups: the node groups that it is in.
    :param definitions: the cloud's definitions that concern the host, resolved.
    :param ports: the ports that it listens on besides the APIs'.
    :param apis: the APIs of the cloud.
    :param backends: the cloud's back ends with their defaults and devices.
    :param kinds: the kinds of back ends.
    :param waited: upper limit of the seconds since the host read its clock.
    :param cloud: the identity of the cloud, empty before its secrets are generated.
    """

    name: str
    address: str
    groups: set[str]
    facts: Mapping[str, Any]
    settings: Settings
    definitions: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    ports: Sequence[Mapping[str, Any]] = ()
    apis: Sequence[Mapping[str, Any]] = ()
    backends: Sequence[Mapping[str, Any]] = ()
    kinds: Mapping[str, Kind] = field(default_factory=dict)
    waited: float = 0.0
    cloud: str = ""

    def finding(self, found: str, allowed: str, remedy: str, severity: str = "error") -> Finding:
        """Return a finding about this host that concerns no setting."""
        return Finding(f"host {self.name}", found, allowed, remedy, severity, (self.name,))


def _system(host: Host) -> Iterator[Finding]:
    release = host.facts["release"]
    if {key: release[key] for key in RELEASE} != RELEASE:
        found = " ".join(filter(None, (release["id"], release["version"], release["codename"]))) or "no /etc/os-release"
        yield host.finding(found, "debian 13 trixie", "Install Debian 13 on the host.")
    if host.facts["architecture"] not in ARCHITECTURES:
        yield host.finding(
            f"architecture {host.facts['architecture']}", ", ".join(ARCHITECTURES), "Use an x86_64 host."
        )
    if host.facts["init"] != "systemd":
        yield host.finding(f"{host.facts['init']} as process 1", "systemd", "Boot the host with systemd.")


def _clock(host: Host) -> Iterator[Finding]:
    offset = host.facts["clock_offset"]
    if offset is None:
        return
    # A slow connection makes a clock appear ahead: subtract the time that it may have taken.
    offset = min(offset, max(0.0, offset - host.waited))
    if abs(offset) > CLOCK_SECONDS:
        way = "ahead of" if offset > 0 else "behind"
        found = f"clock {abs(offset):.0f} s {way} the control node's"
        yield host.finding(
            found,
            f"at most {CLOCK_SECONDS} s",
            "Set the clock of the host or of the control node; timedatectl shows it.",
        )


def memory_needed(host: Host) -> list[tuple[int, str]]:
    """Return the minimum MiB of the host's services, each with the name of its definition, the largest first."""
    workers = definitions.workers(host.settings.values.get("cloud_workers"), host.facts["cpus"])
    needed = [(SYSTEM_MB, "system")]
    for name, definition in host.definitions.items():
        units = [
            unit
            for unit in definition["units"]
            if definitions.runs(unit, {*host.groups, "all"}) and unit.get("state", "started") in definitions.RESTARTING
        ]
        fixed = sum(unit.get("memory", 0) for unit in units)
        each = sum(unit.get("worker_memory", 0) for unit in units)
        if fixed + each:
            more = f" ({fixed} and {each} for each of {workers} workers)" if each else ""
            needed.append((fixed + each * workers, name + more))
    for backend in host.backends:
        count = len(backend["devices"].get(host.name, []))
        if each := host.kinds[backend["kind"]].device_memory * count:
            needed.append((each, f"{backend['name']}'s devices"))
    return sorted(needed, reverse=True)


def disk_needed(host: Host) -> list[tuple[int, str]]:
    """Return the MiB that a bare host needs below /var/lib, by node group."""
    return [(DISK_MB[group], group) for group in DISK_MB if group in (*host.groups, "all")]


def _resources(host: Host) -> Iterator[Finding]:
    for have, needed, what, remedy in (
        (
            host.facts["memory_mb"],
            memory_needed(host),
            "memory",
            "Add memory, remove the host from a group, or lower cloud_workers.",
        ),
        (host.facts["disk_free_mb"], disk_needed(host), "free disk below /var/lib", "Free space or enlarge the disk."),
    ):
        total = sum(number for number, _whose in needed)
        terms = " + ".join(f"{number} {whose}" for number, whose in needed)
        if what != "memory" and host.facts["cloud"]:
            total, terms = DISK_LEFT_MB, "to continue, as the packages are installed"
        if have < total:
            yield host.finding(f"{have} MiB of {what}", f"{total} MiB or more: {terms}", remedy)


def _external_on_compute(host: Host) -> bool:
    return host.settings.flag("cloud_external_on_compute") or host.settings.flag("cloud_distributed_routers")


def _interfaces(host: Host) -> Iterator[Finding]:
    known = host.facts["interfaces"]
    wanted = {
        "cloud_vip_interface": {"controller"},
        "cloud_public_vip_interface": {"controller"},
        "cloud_external_interface": {"network", *({"compute"} if _external_on_compute(host) else ())},
        "cloud_tunnel_interface": {"network", "compute"},
        "cloud_vlan_interface": {"network", "compute"},
    }
    # The VIPs' have no part in Neutron's networks.
    mtus = {setting: setting.replace("interface", "mtu") for setting in wanted if "_vip_" not in setting}
    mtus["cloud_tunnel_interface"] = "cloud_mtu"
    missing = False
    for setting, groups in wanted.items():
        name = host.settings.values.get(setting)
        if not name or not groups & host.groups:
            continue
        if name not in known:
            missing = True
            have = ", ".join(
                f"{nic}{' ' + link['addresses'][0] if link['addresses'] else ''}" for nic, link in known.items()
            )
            remedy = nearest(name, known, "Use an existing one. Set a different name for a host in its host_vars.", 0.8)
            yield host.settings.finding(setting, f"no interface {name}", have, remedy)
        elif setting in mtus and int(host.settings.values.get(mtus[setting]) or 0) > known[name]["mtu"]:
            own = mtus[setting]
            place = own if own in host.settings.places else "cloud_mtu"
            found = f"{host.settings.values[own]}, and {name} has {known[name]['mtu']}"
            remedy = f"Raise the MTU of {name} in the host's network configuration, or set a lower {own}."
            yield host.settings.finding(place, found, f"at most the MTU of {name} ({setting})", remedy)
    if not topology.interface_with(host.facts, host.address):
        have = ", ".join(one for link in known.values() for one in link["addresses"])
        remedy = "Set cloud_address to the address at which the other hosts reach it."
        yield host.settings.finding("cloud_address", f"{host.address}, which is on no network interface", have, remedy)
    elif not missing and {"network", "compute"} & host.groups:
        try:
            _plan(host)
        except ValueError as error:
            yield host.settings.finding(
                "cloud_tunnel_interface", str(error), "a network interface with an address", "Set cloud_tunnel_address."
            )


def _plan(host: Host) -> dict[str, Any]:
    """Return the planned bridges of the host, as its desired state will have them.

    :raises ValueError: the address of the tunnel cannot be determined.
    """
    names = ("tunnel_interface", "tunnel_address", "external_interface", "vlan_interface")
    settings = {name: host.settings.values.get(f"cloud_{name}") for name in names}
    settings["external_on_compute"] = _external_on_compute(host)
    settings["management_address"] = host.address
    return bridge_plan.plan_bridges(
        host.facts, settings, network="network" in host.groups, compute="compute" in host.groups
    )


def _overlaps(host: Host) -> Iterator[Finding]:
    """Find overlapping networks: equal ones are the same link, any other overlap is a wrong prefix length."""
    found: dict[ipaddress.IPv4Network, str] = {}
    for name, link in host.facts["interfaces"].items():
        for text in link["addresses"]:
            one = ipaddress.ip_interface(text)
            if one.version == 4 and not one.is_loopback and one.network.prefixlen < 32:
                found.setdefault(one.network, name)
    networks = list(found)
    for index, one in enumerate(networks):
        for other in networks[:index]:
            if one.overlaps(other):
                yield host.finding(
                    f"{found[other]} in {other} and {found[one]} in {one}, which overlap",
                    "networks that do not overlap",
                    "Correct the prefix length of one of them where it is configured.",
                )
    remedies = {
        "cloud_external_network": "Set the external network as configured on its router.",
        "cloud_amphora_network": "Choose one that this host does not reach.",
    }
    for setting, remedy in remedies.items():
        try:
            network = ipaddress.IPv4Network(str(host.settings.values.get(setting) or ""))
        except ValueError:
            continue
        accepted = [source for port in host.ports for source in port.get("from") or []]
        if setting == "cloud_amphora_network" and str(network) not in accepted:
            continue  # nothing of this host uses it
        for one, name in found.items():
            # Hosts may have addresses in the external network. The other one is the cloud's, on its own interface.
            same = one == network and (setting == "cloud_external_network" or name == "o-hm0")
            if one.overlaps(network) and not same:
                text = f"{network}, which overlaps with {one} of {name}"
                allowed = (
                    f"{'the same network, or ' if setting == 'cloud_external_network' else ''}one that does not overlap"
                )
                yield host.settings.finding(setting, text, allowed, remedy)


def _resolved(host: Host) -> Iterator[Finding]:
    for name in host.facts["unresolved"]:
        if name in [str(server) for server in host.settings.values.get("cloud_time_servers") or []]:
            setting, severity = "cloud_time_servers", "error"
        elif name in str(host.settings.values.get("cloud_package_proxy")):
            setting, severity = "cloud_package_proxy", "error"
        else:
            # The host may use a proxy of its own, which resolves the name.
            setting, severity = "cloud_package_mirror", "warning"
        remedy = "Correct the name, or the host's /etc/resolv.conf."
        yield host.settings.finding(
            setting, f"{name}, which {host.name} cannot resolve", "a name in DNS", remedy, severity
        )


def stem(unit: str) -> str:
    """Return a unit's name without its suffix; for an instance, the template's: definitions name instances by host."""
    name = unit.rpartition(".")[0] if unit.endswith((".service", ".socket")) else unit
    return name.partition("@")[0]


def ports(host: Host) -> dict[tuple[str, int], str]:
    """Return the ports of the host once it is part of the cloud: address and port → unit."""
    values = host.settings.values
    front = [str(values.get(name)) for name in ("cloud_internal_address", "cloud_public_address")]
    wanted: dict[tuple[str, int], str] = {}
    for entry in host.ports:
        if entry["unit"] and isinstance(entry["port"], int):
            addresses = ("127.0.0.1", host.address) if entry["loopback"] else (host.address,)
            wanted |= {(address, entry["port"]): stem(entry["unit"]) for address in addresses}
    if "controller" in host.groups:
        for api in host.apis:
            wanted["127.0.0.1", api["port"]] = api["name"]
            if api["load_balanced"]:
                wanted |= {(address, api["frontend_port"]): "the load balancer" for address in front}
                if host.address not in front:
                    wanted[host.address, api["port"]] = "the load balancer"
    return wanted


def _ports(host: Host, units: set[str]) -> Iterator[Finding]:
    """Find ports that are taken by a process of none of *units*."""
    wanted = ports(host)
    for item in host.facts["listening"]:
        # systemd listens on behalf of socket-activated units, including the cloud's.
        if stem(item["unit"]) in units or (item["process"] == "systemd" and item["unit"] == "init.scope"):
            continue
        if not item["process"]:  # a process that is starting or ending
            continue
        for (address, port), unit in wanted.items():
            if port == item["port"] and item["address"] in (*EVERYWHERE, address):
                whose = item["unit"] or item["process"]
                process = f" ({item['process']})" if item["unit"] and item["process"] else ""
                yield host.finding(
                    f"port {port} at {item['address']} is taken by {whose}{process}",
                    f"free for {unit}",
                    f"Stop it (systemctl disable --now {item['unit']})."
                    if item["unit"].endswith(".service")
                    else "Stop it.",
                )
                break


def _listeners(host: Host) -> dict[tuple[str, int], list[Listener]]:
    """Return what the definitions will let listen on the host, by protocol and port, APIs first.

    A range says only where a program looks for a free port.
    """
    found: dict[tuple[str, int], list[Listener]] = {}

    def listens(protocol: str, port: int, *listener: Any) -> None:
        found.setdefault((protocol, port), []).append(Listener(*listener))

    several = host.address not in [host.settings.values.get(f"cloud_{name}_address") for name in ("internal", "public")]
    for api in host.apis if "controller" in host.groups else ():
        name, title = api["definition"], f"{api['definition']}'s {api['name']}"
        given = host.definitions[name]["apis"] if name in host.definitions else []
        unit = next((one.get("unit") for one in given if one["name"] == api["name"]), None) or api["name"]
        balanced = api["load_balanced"]
        own = frozenset({LOOPBACK}) if balanced else ALL_PLACES
        listens("tcp", api["port"], name, title, unit, host.groups, True, own)
        # The load balancer's, for clients, and of several controllers for the load balancers of the others.
        for port in {api["frontend_port"], *([api["port"]] if several else [])} if balanced else ():
            listens("tcp", port, name, f"the load balancer for {title}", unit, host.groups, True, frozenset({OTHERS}))
    for entry in host.ports:
        # What listens for one source or on one interface may leave the port to others.
        if isinstance(entry["port"], int) and not (entry["interface"] or entry["source_port"]):
            places = ALL_PLACES if entry["loopback"] else frozenset({OTHERS})
            title = f"{entry['definition']}'s {entry['unit']}" if entry["unit"] else entry["definition"]
            listens(
                entry["protocol"], entry["port"], entry["definition"], title, entry["unit"], host.groups, False, places
            )
    return found


def _collide(one: Listener, other: Listener) -> bool:
    """Whether two listeners need the same address and port of a host."""
    if one.definition == other.definition or one.shares_with(other) or not one.places & other.places:
        return False
    # Where neither names its unit, both may mean a program of the host's own, such as its ssh server.
    return one.is_api or other.is_api or bool(one.unit or other.unit)


def _shared_ports(host: Host) -> Iterator[Finding]:
    """Find ports that two definitions listen on, on this host: for most, the input alone does not tell."""
    for (protocol, port), found in sorted(_listeners(host).items()):
        for one, other in itertools.combinations(found, 2):
            if _collide(one, other):
                yield host.finding(
                    f"port {port} ({protocol}) for {one.title} and {other.title}",
                    "one service for each port of a host",
                    f"Give {one.definition} or {other.definition} another port, take one of them out of the cloud, or"
                    " move what it serves to a host without the other.",
                )
                break


def _in_use(host: Host) -> Iterator[Finding]:
    """Find services of the cloud that run on a host before its first run: they are in use."""
    if not host.facts["first_run"]:
        return
    running = {stem(name) for name in host.facts["unconfigured_units"]}
    accepted = host.settings.values.get("cloud_take_over") or []
    for name, definition in host.definitions.items():
        units = [unit for unit in definition["units"] if definitions.runs(unit, {*host.groups, "all"})]
        found = sorted({stem(unit["name"]) for unit in units if not unit.get("host_owned")} & running)
        if found and name not in accepted:
            remedy = (
                f"Use another host, or move what it serves and remove its packages. To let the run take it over, which "
                f"replaces its configuration, add {name} to cloud_take_over."
            )
            running_here = f"{', '.join(found)} of another installation, running before the first run of this cloud"
            yield host.finding(running_here, f"a host without {name}", remedy)


def _way_in(host: Host) -> Iterator[Finding]:
    """Check that the firewall lets the control node in, from the address that the host sees."""
    sources, client = host.settings.values.get("cloud_firewall_sources"), host.facts.get("connection_client")
    if not (sources and client and host.settings.flag("cloud_firewall")):
        return
    networks = [ipaddress.ip_network(str(source)) for source in sources]
    if not any(ipaddress.ip_address(client) in network for network in networks):
        remedy = f"Add {client} or its network to cloud_firewall_sources."
        found = f"{', '.join(map(str, networks))}, without {client}, from where this run reaches the host by ssh"
        yield host.settings.finding("cloud_firewall_sources", found, "the control node among them", remedy)


def _same_host(host: Host) -> Iterator[Finding]:
    """Compare the host with the record that the last run left on it: name, address and node groups."""
    cloud = host.facts["cloud"] or {}
    record = cloud.get("host")
    if not record or cloud["identity"] != host.cloud:
        return
    was = record["name"]
    if was != host.name:
        yield host.finding(
            f"{host.address}, which is the host {was} of this cloud",
            f"the name {was}, by which services, queues, agents and disks of the cloud know it",
            f"Name it {was} in the inventory. For another name, remove the host from the cloud under its old name"
            f" (destroy.yml --limit {was}), and add it again.",
        )
        return
    if record["address"] != host.address:
        yield host.finding(
            f"{host.address}, but its address in the cloud was {record['address']}",
            f"{record['address']}",
            "If its address has changed, run site.yml without --limit, as all hosts have it in their configuration.",
            "warning",
        )
    if left := [group for group in record["groups"] if group not in host.groups]:
        yield host.finding(
            f"in the groups {', '.join(sorted(host.groups - {'all'}))}, and before also in {', '.join(left)}",
            "the groups that it was in",
            "Its services of these groups keep running. Put it back, or remove the host (destroy.yml --limit"
            f" {host.name}), and add it again.",
            "warning",
        )


def _firewalls(host: Host) -> Iterator[Finding]:
    """Find other firewalls that drop packets: what the cloud's own accepts is lost there."""
    known = [str(name) for name in host.settings.values.get("cloud_known_firewalls") or []]
    # Without the cloud's firewall, one of the operator's is expected.
    severity = "error" if host.settings.flag("cloud_firewall") else "warning"
    allowed = "no other firewall, or one that lets in what the cloud needs"
    for one in host.facts["firewalls"]:
        name = one["name"]
        if name in known:
            continue
        found = f"{name} is active, and drops what its own rules do not let in"
        disable = {"ufw": "ufw disable", "firewalld": "systemctl disable --now firewalld"}.get(name)
        if not disable:
            found = (
                f"chain {one['chain']} (hook {one['hook']}) of the table {name} drops what its own rules do not let in"
            )
            disable = f"nft delete table {name}, and where the host loads it"
        remedy = f"Disable it ({disable}); or let in what the cloud needs, and add '{name}' to cloud_known_firewalls."
        yield host.finding(found, allowed, remedy, severity)


def findings(host: Host, units: set[str]) -> Iterator[Finding]:
    """Check *host* against its role in the cloud.

    :param units: the names of the units of all definitions, without suffix.
    """
    yield from _same_host(host)
    yield from _system(host)
    yield from _clock(host)
    yield from _resources(host)
    yield from _interfaces(host)
    yield from _overlaps(host)
    yield from _resolved(host)
    yield from _ports(host, units)
    yield from _shared_ports(host)
    yield from _in_use(host)
    yield from _way_in(host)
    yield from _firewalls(host)
    yield from found_devices(host, host.settings.finding, host.backends, host.kinds)


def copies(hosts: list[Host]) -> Iterator[Finding]:
    """Find hosts with one identity, copied from one to the other.

    libvirt and journald identify a host by its machine id, storage by the name of its initiator: of two hosts with one
    initiator, each takes over the other's sessions. Without a back end that uses iSCSI that is a warning.
    """
    found: dict[tuple[str, str], list[str]] = {}
    for host in hosts:
        for path, identity in host.facts["identities"].items():
            found.setdefault((path, identity), []).append(host.name)
    for (path, _identity), names in found.items():
        if len(names) > 1:
            unused = path == INITIATOR and not any(
                host.kinds[backend["kind"]].iscsi for host in hosts for backend in host.backends
            )
            yield Finding(
                f"host {names[-1]}",
                f"the same {path} as {', '.join(names[:-1])}",
                "one of its own on each host",
                f"On all but one of {', '.join(names)}: {RENEWED[path]}.",
                "warning" if unused else "error",
                hosts=tuple(names),
            )


def own_addresses(hosts: list[Host], missing: set[str]) -> Iterator[Finding]:
    """Check the cloud's own addresses, as its controllers see them.

    :param missing: hosts of the cloud that were not probed; one of them may hold the address.
    """
    controllers = [host for host in hosts if "controller" in host.groups]
    macs = {link["mac"] for host in hosts for link in host.facts["interfaces"].values()}
    for setting in ("cloud_internal_address", "cloud_public_address"):
        for host in controllers:
            values = host.settings.values
            address = ipv4(values.get(setting))
            if setting == "cloud_public_address" and values.get(setting) == values.get("cloud_internal_address"):
                continue
            if not topology.interface_with(host.facts, host.address):
                continue  # reported elsewhere
            if address is None or topology.interface_with(host.facts, str(address)):
                continue
            networks = [
                ipaddress.ip_interface(text).network
                for link in host.facts["interfaces"].values()
                for text in link["addresses"]
                if not ipaddress.ip_interface(text).is_loopback
            ]
            management = topology.network_of(host.facts, host.address)
            if setting == "cloud_internal_address" and address not in ipaddress.ip_network(management):
                remedy = "Use a free address of that network."
                yield host.settings.finding(
                    setting, f"{address}, which is outside", f"the management network {management}", remedy
                )
            elif not any(address in network for network in networks):
                allowed = ", ".join(map(str, networks))
                remedy = "Use a free address of a network that the controllers are connected to."
                yield host.settings.finding(setting, f"{address}, in no network of {host.name}", allowed, remedy)
            answering = host.facts["neighbours"].get(str(address))
            if answering and answering not in macs and not missing:
                remedy = "Find the host that uses it (its MAC address shows the vendor), or choose another address."
                yield host.settings.finding(
                    setting, f"{address}, which {answering} answers for", "an address that is free", remedy
                )


def unreachable(
    away: Mapping[str, str], broken: Mapping[str, str], groups: Mapping[str, list[str]], target: bool, new: bool
) -> Iterator[Finding]:
    """Find hosts that could not be probed.

    :param away: host → why it is unreachable.
    :param broken: host → why the probe failed on it, though it is reachable.
    :param target: whether the run is limited to hosts by name, so that each is required.
    :param new: whether no reachable controller belongs to a cloud yet.
    """
    controllers = groups.get("controller", [])
    gone = [name for name in controllers if name in away]
    quorum = (len(controllers) - len(gone)) * 2 > len(controllers)
    for name, why in away.items():
        where, found = f"host {name}", why.removeprefix("Task failed: ")
        if name not in controllers:
            remedy = f"The host is skipped. When it is reachable: --limit {name}."
            yield Finding(where, found, "reachable by ssh", remedy, "warning", (name,))
        elif quorum and not target and not new:
            going = f"{len(controllers) - len(gone)} of {len(controllers)} controllers"
            remedy = f"The host is skipped, {going} continue. When it is reachable: --limit {name}."
            yield Finding(where, found, "reachable by ssh", remedy, "warning", (name,))
        else:
            allowed = "reachable by ssh: without it the cloud has no majority of controllers"
            if quorum:
                first = "the first run needs all controllers, as any of them may have the cloud's data"
                allowed = f"reachable by ssh: {'the run is limited to it' if target else first}"
            yield Finding(
                where,
                found,
                allowed,
                f"Run ansible -m ping {name}, and check its power, network and sshd.",
                hosts=(name,),
            )
    for name, why in broken.items():
        remedy = (
            f"Run ansible -b -m cairn.openstack.host_probe {name}. The host needs Python 3, and sudo for the ssh user."
        )
        yield Finding(
            f"host {name}", why.removeprefix("Task failed: "), "able to run modules as root", remedy, hosts=(name,)
        )
