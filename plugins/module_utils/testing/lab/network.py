# Copyright (c) 2026 The Cairn authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The lab's segments: one bridge each, without other changes to the computer's network."""

from __future__ import annotations

import hashlib
import ipaddress
import os
import zlib

from ansible_collections.cairn.openstack.plugins.module_utils.testing.lab.host import SEGMENTS
from ansible_collections.cairn.openstack.plugins.module_utils.testing.lab.run import LabError, read, run, run_json

# The computer has addresses on these two: for Ansible, and for floating IP addresses. It routes between them, so that
# servers reach the cloud's APIs, and from them to nowhere else.
HELD = ("management", "external")


def table(lab):
    """Return the number of the lab's routing table, and of the rules that lead to it."""
    return 20000 + zlib.crc32(lab.prefix.encode()) % 10000


def _rules(lab):
    """Return the bridges from which the computer routes by the lab's table."""
    return {
        rule["iif"] for rule in run_json("ip", "-j", "rule") if rule.get("table") == str(table(lab)) and "iif" in rule
    }


def _routes(lab):
    """Return the destinations in the lab's routing table, which may not exist."""
    return {route["dst"] for route in run_json("ip", "-j", "route", "show", "table", str(table(lab)), check=False)}


def current(lab):
    """Return the existing bridges of the lab, with their addresses, and whether the computer routes from them."""
    found, rules = {}, _rules(lab)
    everywhere = {"default", *(str(lab.network(segment)) for segment in HELD)} <= _routes(lab)
    for link in run_json("ip", "-j", "address", "show", "type", "bridge"):
        for segment in SEGMENTS:
            if link.get("ifname") == lab.bridge(segment):
                addresses = [f"{a['local']}/{a['prefixlen']}" for a in link["addr_info"] if a["family"] == "inet"]
                forwards = read(f"/proc/sys/net/ipv4/conf/{link['ifname']}/forwarding").strip() == "1"
                routed = forwards and everywhere and link["ifname"] in rules
                found[segment] = {"up": "UP" in link["flags"], "addresses": addresses, "routed": routed}
    return found


def wanted(lab):
    """Return the desired bridges of the lab."""
    return {
        segment: {
            "up": True,
            "addresses": [f"{lab.gateway(segment)}/{lab.network(segment).prefixlen}"] if segment in HELD else [],
            "routed": segment in HELD,
        }
        for segment in SEGMENTS
    }


def overlaps(lab):
    """Check that the networks do not overlap with the computer's routes or each other."""
    problems = []
    own = {lab.bridge(segment) for segment in SEGMENTS}
    networks = {segment: lab.network(segment) for segment in SEGMENTS}
    for route in run_json("ip", "-j", "-4", "route", "show", "table", "all"):
        if (
            route.get("dev") in own
            or route.get("table") == str(table(lab))
            or route["dst"] == "default"
            or route.get("type") in ("multicast", "broadcast")
        ):
            continue
        other = ipaddress.ip_network(route["dst"], strict=False)
        for segment, network in networks.items():
            if network.overlaps(other):
                where = f"{route['dst']} {route.get('dev', '')}".strip()
                problems.append(f"lab_{segment}_network {network} overlaps with the computer's route to {where}")
    for one, two in (("management", "tunnel"), ("management", "external"), ("tunnel", "external")):
        if networks[one].overlaps(networks[two]):
            problems.append(f"lab_{one}_network {networks[one]} overlaps with lab_{two}_network {networks[two]}")
    if problems:
        raise LabError("; ".join(sorted(set(problems))) + ": choose another network")


def _setting(path, value):
    # This file does not exist without IPv6.
    if os.path.exists(path):
        with open(path, "w", encoding="utf-8") as stream:
            stream.write(value)


def build(lab, before):
    """Create missing bridges, and correct those that differ."""
    for segment, bridge in ((segment, lab.bridge(segment)) for segment in SEGMENTS):
        if segment not in before:
            digest = hashlib.sha256(bridge.encode()).hexdigest()
            mac = "02:" + ":".join(digest[i : i + 2] for i in range(0, 10, 2))
            # A fixed MAC address, as it would otherwise change with the hosts.
            run(
                "ip",
                "link",
                "add",
                bridge,
                "address",
                mac,
                "type",
                "bridge",
                "forward_delay",
                "0",
                "mcast_snooping",
                "0",
            )
        # The computer ignores router advertisements of the hosts.
        _setting(f"/proc/sys/net/ipv4/conf/{bridge}/forwarding", "1" if segment in HELD else "0")
        _setting(f"/proc/sys/net/ipv6/conf/{bridge}/disable_ipv6", "1")
        there = before.get(segment, {}).get("addresses", [])
        for address in wanted(lab)[segment]["addresses"]:
            if address not in there:
                run("ip", "address", "add", address, "dev", bridge)
        for address in there:
            if address not in wanted(lab)[segment]["addresses"]:
                run("ip", "address", "delete", address, "dev", bridge)
        run("ip", "link", "set", bridge, "up")
    number = str(table(lab))
    run("ip", "route", "replace", "unreachable", "default", "table", number)
    for segment in HELD:
        run("ip", "route", "replace", str(lab.network(segment)), "dev", lab.bridge(segment), "table", number)
    for bridge in {lab.bridge(segment) for segment in HELD} - _rules(lab):
        run("ip", "rule", "add", "iif", bridge, "lookup", number, "priority", number)


def remove(lab, before):
    """Remove the bridges, and what routes between them."""
    number = str(table(lab))
    while bridges := _rules(lab):
        for bridge in bridges:
            run("ip", "rule", "delete", "iif", bridge, "lookup", number)
    run("ip", "route", "flush", "table", number, check=False)
    for segment in before:
        run("ip", "link", "delete", lab.bridge(segment))
