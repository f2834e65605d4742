# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who is what, from the inventory alone."""

from __future__ import annotations

from ansible_collections.cairn.openstack.plugins.plugin_utils.catalog.topology import address, network_of, topology


def test_a_host_in_several_groups_is_one_host():
    hosts = topology({"controller": ["a"], "network": ["a"], "compute": ["b", "a"]}, {"a": {}, "b": {}})
    assert list(hosts) == ["a", "b"]
    assert hosts["a"]["groups"] == ["controller", "network", "compute"]


def test_the_inventorys_order_stays():
    hosts = topology({"compute": ["z", "a"], "controller": ["m"]}, {"z": {}, "a": {}, "m": {}})
    assert list(hosts) == ["m", "z", "a"]


def test_other_groups_do_not_count():
    assert topology({"all": ["a"], "web": ["a"]}, {"a": {}}) == {}


def test_the_address_is_said_or_found():
    variables = {"cloud_address": "192.0.2.1", "ansible_host": "192.0.2.2"}
    assert address("a", variables) == "192.0.2.1"
    assert address("a", {"ansible_host": "192.0.2.2"}) == "192.0.2.2"
    assert address("a", {"cloud_address": ""}) == "a"


def test_the_network_of_an_address():
    addresses = {"lo": ["127.0.0.1/8"], "eth0": ["192.0.2.9/25", "fe80::1/64"]}
    probe = {"interfaces": {name: {"addresses": found} for name, found in addresses.items()}}
    assert network_of(probe, "192.0.2.9") == "192.0.2.0/25"
    assert network_of(probe, "198.51.100.1") == "198.51.100.1"
