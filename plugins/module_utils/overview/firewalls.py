# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Firewalls of the host that are not the collection's: in nftables a packet that one of them drops is lost."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess

# The control plane uses IPv4 only.
FAMILIES = ("ip", "inet", "netdev")
HOOKS = ("ingress", "prerouting", "input", "output", "postrouting")
# What a rule may say besides its verdict without being a condition.
ALWAYS = {"counter", "log"}
FINAL = {"drop", "reject"}
# The tables of managers of firewalls, which are named instead.
TABLES = {"ufw": ("ip filter",), "firewalld": ("inet firewalld", "ip firewalld")}
OWN = "inet cairn"
UFW = "etc/ufw/ufw.conf"
FIREWALLD = ("sys/fs/cgroup/system.slice", "etc/systemd/system/multi-user.target.wants")


def managers(root: str = "/") -> list[str]:
    """Return which of ufw and firewalld are active on the host, or will be after a boot."""
    found = []
    with contextlib.suppress(OSError), open(os.path.join(root, UFW), encoding="utf-8", errors="replace") as file:
        enabled = re.search(r"^\s*ENABLED\s*=\s*[\"']?yes\b", file.read(), re.MULTILINE | re.IGNORECASE)
        # The file stays when the package is removed.
        if enabled and os.path.exists(os.path.join(root, "usr/sbin/ufw")):
            found.append("ufw")
    if any(os.path.lexists(os.path.join(root, place, "firewalld.service")) for place in FIREWALLD):
        found.append("firewalld")
    return found


def dropping(ruleset: dict) -> list[dict]:
    """Return the base chains that drop what they do not accept: {name, chain, hook}, with the table as name.

    :param ruleset: the output of `nft -j list ruleset`.
    """
    bases, last = {}, {}
    for item in ruleset.get("nftables", []):
        if "chain" in item and "hook" in item["chain"] and item["chain"]["family"] in FAMILIES:
            chain = item["chain"]
            bases[chain["family"], chain["table"], chain["name"]] = chain
        elif "rule" in item:
            rule = item["rule"]
            last[rule["family"], rule["table"], rule["chain"]] = {key for part in rule["expr"] for key in part}
    found = []
    for key, chain in bases.items():
        words = last.get(key, set())
        if chain["hook"] in HOOKS and (chain.get("policy") == "drop" or (words & FINAL and not words - FINAL - ALWAYS)):
            found.append({"name": f"{key[0]} {key[1]}", "chain": key[2], "hook": chain["hook"]})
    return found


def _run(*command: str) -> str:
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=5).stdout
    return ""


def _chains() -> list[dict]:
    """Return the base chains that drop; without nft, those that iptables shows."""
    if shutil.which("nft"):
        with contextlib.suppress(ValueError):
            return dropping(json.loads(_run("nft", "--json", "--stateless", "--terse", "list", "ruleset") or "{}"))
        return []
    found = []
    # The older iptables would load its modules into the kernel.
    if "nft" in os.path.basename(os.path.realpath(shutil.which("iptables") or "")):
        for chain, rule in (("INPUT", "-P INPUT DROP"), ("OUTPUT", "-P OUTPUT DROP")):
            lines = _run("iptables", "-S", chain).splitlines()
            end = rf"-A {chain} -j (DROP|REJECT( --reject-with \S+)?)"
            if rule in lines or (lines and re.fullmatch(end, lines[-1])):
                found.append({"name": "ip filter", "chain": chain, "hook": chain.lower()})
    return found


def firewalls() -> list[dict]:
    """Return the firewalls that drop packets: {name, chain, hook}; the last two are empty for ufw and firewalld."""
    active = managers()
    named = {OWN, *(table for name in active for table in TABLES[name])}
    found = [{"name": name, "chain": "", "hook": ""} for name in active]
    return found + [one for one in _chains() if one["name"] not in named]
