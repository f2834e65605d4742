# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The bridges that a host needs, from its facts and its node groups: a pure function."""

from __future__ import annotations

TUNNEL_BRIDGE = "br-tep"


def _plain(addresses: list[str]) -> list[str]:
    return [address.split("/")[0] for address in addresses]


def _card_with(probe: dict, address: str) -> str:
    """Return the NIC that has *address*, or had it before a bridge took it over; empty if none does."""
    for name, link in probe["interfaces"].items():
        if address in _plain(link["addresses"]):
            for bridge in (probe.get("bridges") or {}).get("bridges", []):
                if bridge["name"] == name and bridge["ports"]:
                    return bridge["ports"][0]
            return name
    return ""


def _addresses(probe: dict, nic: str, bridge: str) -> list[str]:
    """Return the addresses of *nic*, which may be on it, on its *bridge*, or recorded."""
    record = (probe.get("bridges") or {}).get("nics", {}).get(nic, {"addresses": []})
    on_nic, on_bridge = (probe["interfaces"].get(name, {"addresses": []})["addresses"] for name in (nic, bridge))
    return list(dict.fromkeys([*on_nic, *record["addresses"], *on_bridge]))


def _with_prefix(address: str, nic: str, found: list[str]) -> str:
    """Return the tunnel's *address* with its prefix length.

    :raises ValueError: it has none, and the NIC does not have the address yet.
    """
    if "/" in address:
        return address
    for candidate in found:
        if candidate.split("/")[0] == address:
            return candidate
    raise ValueError(f"tunnel_address {address} is not on {nic}: add its prefix length, as in {address}/24")


def plan_bridges(probe: dict, settings: dict, network: bool = False, compute: bool = False) -> dict:
    """Derive the options of M(cairn.openstack.ovs_bridges) and of Neutron's agent.

    The result is the same before and after the bridges are created.

    :param probe: the result of M(cairn.openstack.host_probe).
    :param settings: ``datapath`` (default: the probe's), ``tunnel_interface`` (default: the NIC with the management
        address), ``tunnel_address`` (with or without prefix; default: the NIC's first), ``external_interface``,
        ``external_on_compute``, ``external_bridge`` (br-ex), ``vlan_interface``, ``vlan_bridge`` (br-vlan), ``mtu``,
        ``management_address``; each may be missing, None or empty.
    :param network: whether the host is a network node, which has the external bridge.
    :param compute: whether the host is a compute node, which has it with ``external_on_compute``. A host that is
        neither has no bridges.
    :returns: ``{"datapath", "bridges": [...], "bridge_mappings": {physical network: bridge}, "tunnel_address"}``,
        the last one without prefix, and empty if the host has no tunnels.
    :raises ValueError: an interface does not exist, or the tunnel's address is not known.
    """
    datapath = settings.get("datapath") or probe["ovs_datapath"]["type"]
    plan = {"datapath": datapath, "bridges": [], "bridge_mappings": {}, "tunnel_address": ""}
    if not (network or compute):
        return plan
    external = settings.get("external_interface") if network or settings.get("external_on_compute") else ""
    management = settings.get("management_address") or probe["connection_address"]
    tunnel = settings.get("tunnel_interface") or _card_with(probe, management)
    nics = (
        ("external", external, settings.get("external_bridge") or "br-ex"),
        ("tunnel", tunnel, TUNNEL_BRIDGE),
        ("vlan", settings.get("vlan_interface"), settings.get("vlan_bridge") or "br-vlan"),
    )
    owners: dict[str, str] = {}
    for purpose, nic, name in nics:
        if not nic:
            continue
        if nic not in probe["interfaces"]:
            known = ", ".join(sorted(probe["interfaces"]))
            raise ValueError(f"{purpose}_interface {nic}: there is no such interface on this host, which has {known}")
        found = _addresses(probe, nic, owners.get(nic, name))
        if purpose == "tunnel":
            wanted = settings.get("tunnel_address") or ("" if settings.get("tunnel_interface") else management)
            if not wanted and not found:
                raise ValueError(f"tunnel_interface {nic} has no address, and no tunnel_address is set")
            plan["tunnel_address"] = (wanted or found[0]).split("/")[0]
            # With the kernel datapath the kernel routes the tunnels' packets: the address stays on the NIC.
            if datapath == "system":
                continue
        else:
            plan["bridge_mappings"][purpose] = name
        if nic in owners:
            if purpose != "tunnel":
                plan["bridges"].append({"name": name, "patches": [{"peer": owners[nic]}]})
            continue
        owners[nic] = name
        bridge = {"name": name, "ports": [nic]}
        if probe["default_interface"] in (nic, name) or management in _plain(found):
            bridge["take_over"] = nic
        elif nic == tunnel:
            bridge["addresses"] = [_with_prefix(settings.get("tunnel_address") or found[0], nic, found)]
        if settings.get("mtu"):
            bridge["mtu"] = settings["mtu"]
        plan["bridges"].append(bridge)
    return plan
