# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The devices that are ports of Neutron's networks carry packets."""

from __future__ import annotations

import json
import re
import time

import pytest

# What Neutron, and Nova with it, call such a device: by the start of the port's id.
PORT = re.compile(r"tap[0-9a-f]{8}-[0-9a-f]{2}")


@pytest.fixture
def ports(node, part):
    """Return a function that tells for each such device of the host whether it is up, and whether it is by Cairn."""
    kept = "cairn-taps" in [unit["name"] for unit in part["cairn"]["units"]["infrastructure"]]

    def read():
        links = json.loads(node.check_output("ip -json link show"))
        return {link["ifname"]: "UP" in link["flags"] for link in links if PORT.fullmatch(link["ifname"])}

    if not read():
        pytest.skip("not run: this host has no port now")
    return read, kept


def test_ports_are_up(ports):
    """None was taken down by Open vSwitch as it was made."""
    read, _kept = ports
    assert [name for name, up in read().items() if not up] == []


def test_a_port_that_is_taken_down_comes_up(ports, node):
    """As it must where Open vSwitch, in user space, writes back the flags of a moment ago."""
    read, kept = ports
    if not kept:
        pytest.skip("not run: Open vSwitch is in the kernel here, or not at all")
    name = next(iter(read()))
    node.check_output("ip link set dev %s down", name)
    end = time.monotonic() + 10
    while not read()[name] and time.monotonic() < end:
        time.sleep(0.5)
    assert read()[name]
