# Copyright (c) 2026 The Cairn authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The lab's segments: one bridge each, without other changes to the computer's network."""

from __future__ import annotations

import hashlib
import ipaddress
import os

from ansible_collections.cairn.openstack.plugins.module_utils.testing.lab.host import SEGMENTS
from ansible_collections.cairn.openstack.plugins.module_utils.testing.lab.run import LabError, run, run_json

# The computer has addresses on these two: for Ansible, and for floating IP addresses.
HELD = ("management", "external")


def current(lab):
    """Return the existing bridges of the lab, with their addresses."""
    found = {}
    for link in run_json("ip", "-j", "address", "show", "type", "bridge"):
        for segment in SEGMENTS:
            if link.get("ifname") == lab.bridge(segment):
                addresses = [f"{a['local']}/{a['prefixlen']}" for a in link["addr_info"] if a["family"] == "inet"]
                found[segment] = {"up": "UP" in link["flags"], "addresses": addresses}
    return found


def wanted(lab):
    """Return the desired bridges of the lab."""
    return {
        segment: {
            "up": True,
            "addresses": [f"{lab.gateway(segment)}/{lab.network(segment).prefixlen}"] if segment in HELD else [],
        }
        for segment in SEGMENTS
    }


def overlaps(lab):
    """Check that the networks do not overlap with the computer's routes or each other."""
    problems = []
    own = {lab.bridge(segment) for segment in SEGMENTS}
    networks = {segment: lab.network(segment) for segment in SEGMENTS}
    for route in run_json("ip", "-j", "-4", "route", "show", "table", "all"):
        if route.get("dev") in own or route["dst"] == "default" or route.get("type") in ("multicast", "broadcast"):
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
        _setting(f"/proc/sys/net/ipv4/conf/{bridge}/forwarding", "0")
        _setting(f"/proc/sys/net/ipv6/conf/{bridge}/disable_ipv6", "1")
        there = before.get(segment, {}).get("addresses", [])
        for address in wanted(lab)[segment]["addresses"]:
            if address not in there:
                run("ip", "address", "add", address, "dev", bridge)
        for address in there:
            if address not in wanted(lab)[segment]["addresses"]:
                run("ip", "address", "delete", address, "dev", bridge)
        run("ip", "link", "set", bridge, "up")


def remove(lab, before):
    for segment in before:
        run("ip", "link", "delete", lab.bridge(segment))
