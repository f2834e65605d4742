# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What hosts are, against what they are to be: from what M(cairn.openstack.host_probe) found on each."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.cairn.openstack.plugins.plugin_utils.catalog import bridge_plan, definitions, topology
from ansible_collections.cairn.openstack.plugins.plugin_utils.catalog.backends import Kind
from ansible_collections.cairn.openstack.plugins.plugin_utils.preflight.fault import Fault, nearest
from ansible_collections.cairn.openstack.plugins.plugin_utils.preflight.networks import ipv4
from ansible_collections.cairn.openstack.plugins.plugin_utils.preflight.settings import Settings
from ansible_collections.cairn.openstack.plugins.plugin_utils.preflight.storage import found_devices

RELEASE = {"id": "debian", "version": "13"}
ARCHITECTURES = ("x86_64",)
# Fernet tokens and certificates bear less than a minute.
CLOCK_SECONDS = 30
# Measured on an all-in-one with two workers: what each unit needs stands in its definition; the system itself, here.
SYSTEM_MB = 200
# Packages with their downloads, databases and first logs: an all-in-one took 3100. Images and guests come on top.
DISK_MB = {"all": 700, "controller": 2000, "network": 300, "compute": 800, "storage": 200}
# A host that has its packages needs room to go on.
DISK_LEFT_MB = 500
EVERYWHERE = ("0.0.0.0", "::")


@dataclass
class Host:
    """A host that was reached.

    :param facts: what host_probe found.
    :param groups: its node groups.
    :param definitions: the definitions of this cloud that concern the host, resolved.
    :param ports: what it listens on beside APIs.
    :param apis: the cloud's.
    :param backends: the cloud's storage, complete.
    :param kinds: the kinds of back ends.
    :param waited: seconds from the question to the answer, or more; before that the host looked at its clock.
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

    def fault(self, found: str, allowed: str, remedy: str, severity: str = "fault") -> Fault:
        """Return a fault of this host, where no setting is concerned."""
        return Fault(f"host {self.name}", found, allowed, remedy, severity, (self.name,))


def _system(host: Host) -> Iterator[Fault]:
    release = host.facts["release"]
    if {key: release[key] for key in RELEASE} != RELEASE:
        found = " ".join(filter(None, (release["id"], release["version"], release["codename"]))) or "no /etc/os-release"
        yield host.fault(found, "debian 13 trixie", "Install Debian 13 on the host.")
    if host.facts["architecture"] not in ARCHITECTURES:
        yield host.fault(f"architecture {host.facts['architecture']}", ", ".join(ARCHITECTURES), "Use an x86_64 host.")
    if host.facts["init"] != "systemd":
        yield host.fault(f"{host.facts['init']} as process 1", "systemd", "Boot the host with systemd.")


def _clock(host: Host) -> Iterator[Fault]:
    offset = host.facts["clock_offset"]
    if offset is None:
        return
    # A slow way to the host looks like a clock that is ahead: what it may have taken does not count.
    offset = min(offset, max(0.0, offset - host.waited))
    if abs(offset) > CLOCK_SECONDS:
        way = "ahead of" if offset > 0 else "behind"
        found = f"clock {abs(offset):.0f} s {way} the control node's"
        yield host.fault(
            found,
            f"at most {CLOCK_SECONDS} s",
            "Set the clock of the host or of the control node; timedatectl shows it.",
        )


def memory_needed(host: Host) -> list[tuple[int, str]]:
    """Return the MiB that the host's services need at least, each with its definition's name, the largest first."""
    workers = definitions.workers(host.settings.values.get("cloud_workers"), host.facts["cpus"])
    needed = [(SYSTEM_MB, "system")]
    for name, definition in host.definitions.items():
        units = [unit for unit in definition["units"] if definitions.runs(unit, {*host.groups, "all"})]
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
    """Return the MiB that a bare host needs below /var/lib, each with the node group that needs them."""
    return [(DISK_MB[group], group) for group in DISK_MB if group in (*host.groups, "all")]


def _resources(host: Host) -> Iterator[Fault]:
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
            yield host.fault(f"{have} MiB of {what}", f"{total} MiB or more: {terms}", remedy)


def _interfaces(host: Host) -> Iterator[Fault]:
    known = host.facts["interfaces"]
    wanted = {
        "cloud_vip_interface": {"controller"},
        "cloud_external_interface": {"network"},
        "cloud_tunnel_interface": {"network", "compute"},
        "cloud_vlan_interface": {"network", "compute"},
    }
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
            yield host.settings.fault(setting, f"no interface {name}", have, remedy)
        elif setting != "cloud_vip_interface" and int(host.settings.values.get("cloud_mtu") or 0) > known[name]["mtu"]:
            found = f"{host.settings.values['cloud_mtu']}, and {name} has {known[name]['mtu']}"
            remedy = "Raise the MTU of the network interface in the host's network configuration, or lower cloud_mtu."
            yield host.settings.fault(
                "cloud_mtu", found, "at most the MTU of every network interface of the cloud's networks", remedy
            )
    if not topology.interface_with(host.facts, host.address):
        have = ", ".join(one for link in known.values() for one in link["addresses"])
        remedy = "Set cloud_address to the address at which the other hosts reach it."
        yield host.settings.fault("cloud_address", f"{host.address}, which is on no network interface", have, remedy)
    elif not missing and {"network", "compute"} & host.groups:
        try:
            _plan(host)
        except ValueError as error:
            yield host.settings.fault(
                "cloud_tunnel_interface", str(error), "a network interface with an address", "Set cloud_tunnel_address."
            )


def _plan(host: Host) -> dict[str, Any]:
    """Plan the bridges of the host, as its part will have them.

    :raises ValueError: the tunnel's address can't be told.
    """
    names = ("tunnel_interface", "tunnel_address", "external_interface", "vlan_interface")
    settings = {name: host.settings.values.get(f"cloud_{name}") for name in names}
    settings["management_address"] = host.address
    return bridge_plan.plan_bridges(
        host.facts, settings, network="network" in host.groups, compute="compute" in host.groups
    )


def _overlaps(host: Host) -> Iterator[Fault]:
    """Find networks that cut across each other: the same one twice is one wire, any other pair is a wrong prefix."""
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
                yield host.fault(
                    f"{found[other]} in {other} and {found[one]} in {one}, which overlap",
                    "networks that do not overlap",
                    "Correct the prefix length of one of them where it is configured.",
                )
    try:
        external = ipaddress.IPv4Network(str(host.settings.values.get("cloud_external_network") or ""))
    except ValueError:
        return
    for one, name in found.items():
        if one.overlaps(external) and one != external:
            text = f"{external}, which overlaps with {one} of {name}"
            remedy = "Set the external network as configured on its router."
            yield host.settings.fault(
                "cloud_external_network", text, "the same network, or one that does not overlap", remedy
            )


def _resolved(host: Host) -> Iterator[Fault]:
    for name in host.facts["unresolved"]:
        if name in [str(server) for server in host.settings.values.get("cloud_time_servers") or []]:
            setting, severity = "cloud_time_servers", "fault"
        elif name in str(host.settings.values.get("cloud_package_proxy")):
            setting, severity = "cloud_package_proxy", "fault"
        else:
            # The host may have a proxy of its own, which resolves for it.
            setting, severity = "cloud_package_mirror", "warning"
        remedy = "Correct the name, or the host's /etc/resolv.conf."
        yield host.settings.fault(
            setting, f"{name}, which {host.name} cannot resolve", "a name in DNS", remedy, severity
        )


def stem(unit: str) -> str:
    """Return a unit's name without its kind, of an instance the template's: definitions name those by their host."""
    name = unit.rpartition(".")[0] if unit.endswith((".service", ".socket")) else unit
    return name.partition("@")[0]


def ports(host: Host) -> dict[tuple[str, int], str]:
    """Return what listens on the host once it is part of the cloud: address and port → unit."""
    values = host.settings.values
    front = [str(values.get(name)) for name in ("cloud_internal_address", "cloud_public_address")]
    wanted: dict[tuple[str, int], str] = {}
    for entry in host.ports:
        if entry["unit"] and isinstance(entry["port"], int):
            wanted |= {(address, entry["port"]): stem(entry["unit"]) for address in ("127.0.0.1", host.address)}
    if "controller" in host.groups:
        bind = "127.0.0.1" if host.address in front else host.address
        for api in host.apis:
            wanted[bind, api["port"]] = api["name"]
            if api["load_balanced"]:
                wanted |= {(address, api["frontend_port"]): "the load balancer" for address in front}
    return wanted


def _ports(host: Host, units: set[str]) -> Iterator[Fault]:
    """Find ports that something else has: something that is none of *units*."""
    wanted = ports(host)
    for item in host.facts["listening"]:
        # systemd itself listens for units that it starts on demand, ours among them.
        if stem(item["unit"]) in units or (item["process"] == "systemd" and item["unit"] == "init.scope"):
            continue
        if not item["process"]:  # somebody who is just going or coming; the unit's own start will tell
            continue
        for (address, port), unit in wanted.items():
            if port == item["port"] and item["address"] in (*EVERYWHERE, address):
                whose = item["unit"] or item["process"]
                process = f" ({item['process']})" if item["unit"] and item["process"] else ""
                yield host.fault(
                    f"port {port} at {item['address']} is taken by {whose}{process}",
                    f"free for {unit}",
                    f"Stop it (systemctl disable --now {item['unit']})."
                    if item["unit"].endswith(".service")
                    else "Stop it.",
                )
                break


def faults(host: Host, units: set[str]) -> Iterator[Fault]:
    """Find what of *host* does not fit what it is to be.

    :param units: the names of the units of all definitions, without their kind.
    """
    yield from _system(host)
    yield from _clock(host)
    yield from _resources(host)
    yield from _interfaces(host)
    yield from _overlaps(host)
    yield from _resolved(host)
    yield from _ports(host, units)
    yield from found_devices(host, host.settings.fault, host.backends, host.kinds)


def own_addresses(hosts: list[Host], missing: set[str]) -> Iterator[Fault]:
    """Find what is wrong with the cloud's own addresses, by what its controllers see.

    :param missing: hosts of the cloud that nobody has looked at; one of them may hold the address.
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
                continue  # which has a fault of its own
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
                yield host.settings.fault(
                    setting, f"{address}, which is outside", f"the management network {management}", remedy
                )
            elif not any(address in network for network in networks):
                allowed = ", ".join(map(str, networks))
                remedy = "Use a free address of a network that the controllers are connected to."
                yield host.settings.fault(setting, f"{address}, in no network of {host.name}", allowed, remedy)
            answering = host.facts["neighbours"].get(str(address))
            if answering and answering not in macs and not missing:
                remedy = "Find the host that uses it (its MAC address shows the vendor), or choose another address."
                yield host.settings.fault(
                    setting, f"{address}, which {answering} answers for", "an address that is free", remedy
                )


def unreachable(
    away: Mapping[str, str], broken: Mapping[str, str], groups: Mapping[str, list[str]], target: bool
) -> Iterator[Fault]:
    """Find hosts that nobody could look at.

    :param away: host → why it can't be reached.
    :param broken: host → why it could not be looked at, though it was reached.
    :param target: whether the run was limited to certain hosts by name, so that each is what it is about.
    """
    controllers = groups.get("controller", [])
    gone = [name for name in controllers if name in away]
    quorum = (len(controllers) - len(gone)) * 2 > len(controllers)
    for name, why in away.items():
        where, found = f"host {name}", why.removeprefix("Task failed: ")
        if name not in controllers:
            remedy = f"The host is left out. When it is back: --limit {name}."
            yield Fault(where, found, "reachable by ssh", remedy, "warning", (name,))
        elif quorum and not target:
            going = f"{len(controllers) - len(gone)} of {len(controllers)} controllers"
            remedy = f"The host is left out, {going} continue. When it is back: --limit {name}."
            yield Fault(where, found, "reachable by ssh", remedy, "warning", (name,))
        else:
            allowed = "reachable by ssh: without it the cloud has no majority of controllers"
            if quorum:
                allowed = "reachable by ssh: the run is limited to it"
            yield Fault(
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
        yield Fault(
            f"host {name}", why.removeprefix("Task failed: "), "able to run modules as root", remedy, hosts=(name,)
        )
