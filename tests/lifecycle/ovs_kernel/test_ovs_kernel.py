# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Open vSwitch in the kernel of a network node: packets go through it, and its bridges outlive a reboot."""

from __future__ import annotations

import contextlib
import json
import re
import time

import pytest
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify import icmp
from support import ask, host

SCRIPT = "lifecycle/scripts/router.py"
CIDR = "192.168.77.0/24"
# An emulated host is slow.
PATIENCE = 900


@pytest.fixture(scope="module")
def node(playbooks, groups):
    """Return the network node."""
    return host(playbooks, groups["network"][0])


@pytest.fixture(scope="module")
def router(controller):
    """Return a router on the network node, with its network."""
    made = ask(controller, SCRIPT, "make", CIDR)
    yield made
    ask(controller, SCRIPT, "remove", made["network"], made["router"])


@pytest.fixture(scope="module")
def rows(table):
    """Return the table of what was seen."""
    return table("kernel", "what", "result", "seconds")


def answered(command):
    """Wait until *command*, a call that returns whether it was answered, is; returns the seconds."""
    began = time.monotonic()
    while not command():
        assert time.monotonic() - began < PATIENCE, f"no answer within {PATIENCE} s"
        time.sleep(2)
    return time.monotonic() - began


def outside(router):
    """Ask the router from this machine, which is on the outer network."""
    return lambda: icmp.ping(router["outside"], 5)


def inside(node, router):
    """Ask it from the network's own DHCP server, which may not be there yet."""
    # testinfra takes 255, ip's word for a namespace that is missing, for ssh's.
    command = "ip netns exec %s ping -c1 -W5 %s || exit 1"
    return lambda: node.run(command, f"qdhcp-{router['network']}", router["inside"]).rc == 0


def hits(node):
    """Return how many packets the kernel has sent on by itself."""
    return int(re.search(r"hit:(\d+)", node.check_output("ovs-dpctl show"))[1])


def bridges(node):
    """Return what stands in for a reboot: bridges with their datapath, addresses and nics."""
    found = {}
    for name in node.check_output("ovs-vsctl list-br").split():
        link = json.loads(node.check_output("ip -j address show dev %s", name))[0]
        found[name] = {
            "datapath": node.check_output("ovs-vsctl get bridge %s datapath_type", name),
            "up": "UP" in link["flags"],
            "addresses": [one["local"] for one in link["addr_info"] if one["scope"] == "global"],
            "nics": [port for port in node.check_output("ovs-vsctl list-ports %s", name).split() if port[:3] == "eth"],
        }
    return found


def are_bridges(node, wanted):
    """Whether the bridges are *wanted* already; Open vSwitch may still be on its way."""
    with contextlib.suppress(AssertionError):
        return bridges(node) == wanted
    return False


def test_packets_go_through_the_kernel(node, router, rows):
    """A router answers from the outer network, and its own network's DHCP server reaches it."""
    assert "system@ovs-system" in node.check_output("ovs-appctl dpif/show")
    assert {bridge["datapath"] for bridge in bridges(node).values()} == {"system"}
    seconds = answered(outside(router)) + answered(inside(node, router))
    before = hits(node)
    node.check_output("ip netns exec qdhcp-%s ping -c5 -i0.2 %s", router["network"], router["inside"])
    assert hits(node) > before
    rows.add(
        "a router pinged from the outer network, and from its own",
        "answers; packets by flows in the kernel",
        f"{seconds:.0f}",
    )


def test_bridges_outlive_a_reboot(playbooks, groups, node, router, rows):
    """The node is powered off and on: its bridges are as they were, and the router answers without anybody's hand."""
    before = bridges(node)
    name = groups["network"][0]
    for state in ("stopped", "started"):
        playbooks.must("playbooks/lab_host.yml", f"--extra-vars=host={name}", f"--extra-vars=state={state}")
    seconds = answered(lambda: are_bridges(node, before))
    seconds += answered(outside(router)) + answered(inside(node, router))
    rows.add("powered off and on", "the same bridges, addresses and nics; the router answers again", f"{seconds:.0f}")
    assert playbooks.must("playbooks/site.yml").changes == []
