# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Other firewalls of a host."""

from __future__ import annotations

import json
import os
import stat

import pytest
from ansible_collections.cairn.openstack.plugins.module_utils.overview import firewalls


def chain(family="inet", table="filter", name="input", hook="input", policy="accept"):
    base = {"type": "filter", "hook": hook, "prio": 0, "policy": policy} if hook else {}
    return {"chain": {"family": family, "table": table, "name": name, "handle": 1, **base}}


def rule(*expr, chain="input"):
    return {"rule": {"family": "inet", "table": "filter", "chain": chain, "handle": 2, "expr": list(expr)}}


SSH = {"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": 22}}
RULES = {
    "a policy": ([chain(policy="drop"), rule(SSH, {"accept": None})], True),
    "a last rule": ([chain(), rule(SSH, {"accept": None}), rule({"counter": {}}, {"log": None}, {"drop": None})], True),
    "a last rule that answers": ([chain(), rule({"reject": {"type": "icmpx", "expr": "admin-prohibited"}})], True),
    "earlier": ([chain(hook="prerouting", policy="drop")], True),
    "on the way out": ([chain(hook="output", policy="drop")], True),
    "nothing": ([chain(), rule(SSH, {"accept": None})], False),
    "some packets": ([chain(), rule(SSH, {"drop": None})], False),
    "what goes through": ([chain("ip", name="FORWARD", hook="forward", policy="drop")], False),
    "IPv6": ([chain("ip6", policy="drop")], False),
    "a chain of its own": ([chain(), chain(name="rest", hook=""), rule({"drop": None}, chain="rest")], False),
}


@pytest.mark.parametrize(("items", "drops"), RULES.values(), ids=RULES.keys())
def test_what_a_ruleset_drops(items, drops):
    found = firewalls.dropping({"nftables": [{"metainfo": {"json_schema_version": 1}}, *items]})
    base = items[0]["chain"]
    one = {"name": f"{base['family']} {base['table']}", "chain": base["name"], "hook": base["hook"]}
    assert found == ([one] if drops else [])


class TestManagers:
    @pytest.mark.parametrize(("text", "installed", "found"), [("yes", True, 1), ("no", True, 0), ("yes", False, 0)])
    def test_ufw(self, tmp_path, text, installed, found):
        for directory in ("etc/ufw", "usr/sbin"):
            (tmp_path / directory).mkdir(parents=True)
        (tmp_path / "etc/ufw/ufw.conf").write_text(f"# ENABLED=yes\nENABLED={text}\n")
        if installed:
            (tmp_path / "usr/sbin/ufw").touch()
        assert firewalls.managers(str(tmp_path)) == ["ufw"] * found

    @pytest.mark.parametrize("place", firewalls.FIREWALLD)
    def test_firewalld(self, tmp_path, place):
        """Running, or enabled for the next boot."""
        assert firewalls.managers(str(tmp_path)) == []
        (tmp_path / place / "firewalld.service").mkdir(parents=True)
        assert firewalls.managers(str(tmp_path)) == ["firewalld"]


class TestHost:
    """Programs of the host that print what a test wants."""

    @pytest.fixture
    def program(self, tmp_path, monkeypatch):
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
        monkeypatch.setattr(firewalls, "managers", list)
        which = firewalls.shutil.which
        monkeypatch.setattr(firewalls.shutil, "which", lambda name: which(name, path=str(tmp_path)))

        def make(name, text, link=None):
            path = tmp_path / (link or name)
            path.write_text(f"#!/bin/sh\ncat <<'END'\n{text}\nEND\n")
            path.chmod(path.stat().st_mode | stat.S_IXUSR)
            if link:
                os.symlink(link, tmp_path / name)

        return make

    def test_nft(self, program, monkeypatch):
        tables = [chain(table=table, policy="drop") for table in ("cairn", "firewalld", "filter")]
        program("nft", json.dumps({"nftables": tables}))
        assert [one["name"] for one in firewalls.firewalls()] == ["inet firewalld", "inet filter"]
        monkeypatch.setattr(firewalls, "managers", lambda: ["firewalld"])
        assert [one["name"] for one in firewalls.firewalls()] == ["firewalld", "inet filter"]

    @pytest.mark.parametrize("text", ["", "Error: no"])
    def test_nft_that_says_nothing(self, program, text):
        program("nft", text)
        assert firewalls.firewalls() == []

    def test_no_program(self, program):
        assert firewalls.firewalls() == []

    @pytest.mark.parametrize(
        ("lines", "drops"),
        [
            ("-P INPUT DROP\n-A INPUT -i lo -j ACCEPT", True),
            ("-P INPUT ACCEPT\n-A INPUT -j REJECT --reject-with icmp-host-prohibited", True),
            ("-P INPUT ACCEPT\n-A INPUT -p tcp -j DROP", False),
            ("-P INPUT ACCEPT", False),
        ],
    )
    def test_iptables(self, program, lines, drops):
        """Where nft is not installed. The older iptables is not asked."""
        program("iptables", lines, link="xtables-nft-multi")
        found = [{"name": "ip filter", "chain": "INPUT", "hook": "input"}]
        assert firewalls.firewalls() == (found if drops else [])

    def test_older_iptables(self, program):
        program("iptables", "-P INPUT DROP", link="xtables-legacy-multi")
        assert firewalls.firewalls() == []
