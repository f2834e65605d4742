# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Services listen where they should, and nowhere else."""

from __future__ import annotations

import ipaddress

import pytest

# What may listen on every address, and why.
EVERYWHERE = {
    ("tcp", 22): "sshd: how the host is administered",
    ("udp", 4789): "VXLAN: the kernel's tunnels have no address of their own",
    ("tcp", 2049): "NFS-Ganesha, which keeps to one address only on hosts without IPv6; the firewall knows its sources",
    ("udp", 68): "a DHCP client of the host's own",
    ("udp", 546): "a DHCPv6 client of the host's own",
}


# What listens on an address that is neither the host's own nor the cloud's.
ELSEWHERE = {("udp", 5555): "octavia-health-manager: on the network of the amphorae"}


@pytest.fixture
def listening(node):
    """Return what listens on the host: protocol, address, port, process."""
    found = []
    for line in node.check_output("ss --no-header --listening --numeric --tcp --udp --processes").splitlines():
        fields = line.split()
        address, _colon, port = fields[4].rpartition(":")
        address = address.strip("[]").partition("%")[0]
        found.append((fields[0], address, int(port), fields[6] if len(fields) > 6 else ""))
    assert found, "nothing listens at all, not even sshd"
    return found


def test_nothing_listens_everywhere(listening):
    """No service listens on every address of the host, but those of the list above."""
    assert [
        item for item in listening if item[1] in ("*", "0.0.0.0", "::") and (item[0], item[2]) not in EVERYWHERE
    ] == []


def test_only_on_the_clouds_addresses(listening, part):
    """Services listen on the loopback, the management address, or the cloud's own addresses."""
    ours = {part["cairn"]["address"], part["cairn"]["bind"]}
    if "controller" in part["groups"]:
        ours |= {part["internal"], part["public"]}
    strangers = [
        item
        for item in listening
        if item[1] not in ("*", "0.0.0.0", "::")
        and item[1] not in ours
        and not ipaddress.ip_address(item[1]).is_loopback
        and not ipaddress.ip_address(item[1]).is_link_local
        and (item[0], item[2]) not in {**EVERYWHERE, **ELSEWHERE}
    ]
    assert strangers == []


def test_apis_listen(listening, part):
    """Each API that this host's part names listens."""
    if "controller" not in part["groups"]:
        pytest.skip("not run: no controller, so no APIs here")
    ports = {int(check["url"].split("/")[2].rpartition(":")[2]) for check in part["cairn"]["health"]}
    assert ports, "the part names no API"
    assert ports - {port for protocol, _address, port, _process in listening if protocol == "tcp"} == set()
