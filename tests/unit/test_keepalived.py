# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""keepalived: which interfaces have the cloud's addresses."""

from __future__ import annotations

import pytest
import resolving


@pytest.mark.parametrize(
    ("settings", "addresses"),
    [
        ({}, {"192.0.2.9": "eth0"}),
        ({"cloud_vip_interface": "eth1"}, {"192.0.2.9": "eth1"}),
        ({"cloud_public_address": "198.51.100.9"}, {"192.0.2.9": "eth0", "198.51.100.9": "eth0"}),
        (
            {"cloud_public_address": "198.51.100.9", "cloud_public_vip_interface": "eth2"},
            {"192.0.2.9": "eth0", "198.51.100.9": "eth2"},
        ),
    ],
)
def test_interfaces_of_the_clouds_addresses(tmp_path, settings, addresses):
    hosts = {f"c{number}": {"groups": ["controller"], "address": f"192.0.2.1{number}"} for number in (1, 2, 3)}
    model = resolving.resolve(hosts, "c1", tmp_path, {"cloud_internal_address": "192.0.2.9", **settings})
    text = resolving.files(model, "keepalived", ["controller"])["keepalived.conf"]["content"]
    lines = text.partition("virtual_ipaddress {")[2].partition("}")[0].split("\n")
    found = {words[0]: words[2] for line in lines if (words := line.split())}
    assert found == addresses
