# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Addresses, routes, the host's firewall and Open vSwitch, without what guests and Neutron's networks add."""

from __future__ import annotations

import json
import re

from ansible_collections.cairn.openstack.plugins.module_utils.testing.host_baseline.run import digest, read, there

Objects = dict[str, dict[str, str]]

# Interfaces of guests, routers and tunnels: Neutron and libvirt make and remove them while users work.
PASSING = re.compile(r"(tap|qbr|qvb|qvo|qr-|qg-|sg-|fg-|rfp-|fpr-|ha-|vnet|vxlan-|vxlan_sys|gre-|geneve-|ovs-)")
# Bridges whose MTU follows the smallest of the tenants' networks.
_OF_NEUTRON = ("br-int", "br-tun")


def addresses() -> Objects:
    """Return the host's own interfaces with their addresses, without IPv6 link-local ones."""
    result = {}
    for link in json.loads(read("ip", "-json", "address")):
        name = link.get("ifname", "")
        if not name or PASSING.match(name):
            continue
        found = [f"{a['local']}/{a['prefixlen']}" for a in link.get("addr_info", []) if a.get("scope") != "link"]
        result[name] = {
            "addresses": " ".join(sorted(found)),
            "mac": link.get("address", ""),
            "mtu": "" if name in _OF_NEUTRON else str(link.get("mtu", "")),
            "up": str("UP" in link.get("flags", [])),
        }
    return result


def routes() -> Objects:
    """Return the host's routes."""
    result = {}
    for route in json.loads(read("ip", "-json", "route")):
        if not PASSING.match(route.get("dev", "")):
            result[f"{route['dst']} {route.get('dev', '')}"] = {"through": route.get("gateway", "")}
    return result


def firewall() -> Objects:
    """Return the tables of the host's packet filter with a digest of their rules without counters."""
    if not there("nft"):
        return {}
    tables = re.findall(r"^table (\S+) (\S+)", read("nft", "list", "tables"), re.MULTILINE)
    return {
        f"{family} {name}": {"rules": digest(read("nft", "--stateless", "list", "table", family, name))}
        for family, name in tables
    }


def _table(name: str, columns: str) -> list[dict]:
    said = json.loads(read("ovs-vsctl", "--timeout=10", "--format=json", f"--columns={columns}", "list", name))
    return [dict(zip(said["headings"], row, strict=True)) for row in said["data"]]


def _plain(value) -> str:
    """Return OVSDB's typed value as text in a stable order."""
    if isinstance(value, list) and len(value) == 2 and value[0] in ("map", "set", "uuid"):
        kind, inner = value
        if kind == "map":
            return " ".join(sorted(f"{key}={_plain(item)}" for key, item in inner))
        if kind == "set":
            return " ".join(sorted(_plain(item) for item in inner))
        return inner
    return str(value)


def openvswitch() -> Objects:
    """Return bridges, and the ports on them that are the host's and not a guest's, with their interfaces."""
    if not there("ovs-vsctl"):
        return {}
    result = {}
    for row in _table("Open_vSwitch", "other_config,external_ids"):
        result["switch"] = {key: _plain(value) for key, value in row.items()}
    ports = {_plain(row["_uuid"]): row for row in _table("Port", "_uuid,name,tag,trunks,interfaces,vlan_mode")}
    interfaces = {
        _plain(row["_uuid"]): row for row in _table("Interface", "_uuid,name,type,options,mtu_request,external_ids")
    }
    for bridge in _table("Bridge", "name,datapath_type,fail_mode,external_ids,protocols,stp_enable,ports"):
        name = bridge["name"]
        members = bridge.pop("ports")
        result[f"bridge {name}"] = {key: _plain(value) for key, value in bridge.items()}
        for port_id in _plain(members).split():
            port = ports[port_id]
            if PASSING.match(port["name"]):
                continue
            port_name = f"port {name}/{port['name']}"
            result[port_name] = {key: _plain(port[key]) for key in ("trunks", "vlan_mode")}
            if port["name"] != name and not port["name"].startswith(("int-", "phy-", "patch-")):
                # Neutron's local tags of its own ports are arbitrary; managed ports keep theirs.
                result[port_name]["tag"] = _plain(port["tag"])
            for interface_id in _plain(port["interfaces"]).split():
                interface = interfaces[interface_id]
                result[f"{port_name}/{interface['name']}"] = {
                    key: _plain(interface[key]) for key in ("type", "options", "mtu_request", "external_ids")
                }
    return result
