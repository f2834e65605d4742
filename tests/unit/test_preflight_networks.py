# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Preflight of addresses and networks."""

from __future__ import annotations

import pytest
from preflight_site import YML, both, check_one_error, given, put, take, three_controllers

# What is changed in a good input; and of the one finding that follows: where, found, allowed, to do.
BAD = {
    "no VIP": (
        three_controllers,
        ("cloud_internal_address", "3 controllers, but no virtual IP", "a free address", "Set cloud_internal_address"),
    ),
    "a VIP that is no address": (
        given(cloud_internal_address="vip"),
        (f"{YML}7, cloud_internal_address", "'vip'", "an IPv4 address", "free address"),
    ),
    "a VIP that a host has": (
        given(cloud_internal_address="192.0.2.13"),
        (f"{YML}7, cloud_internal_address", "compute1's own", "or a controller's", "free address"),
    ),
    "a VIP that does not move": (
        both(three_controllers, given(cloud_internal_address="192.0.2.11")),
        (f"{YML}7, cloud_internal_address", "fails with it", "no host has", "free address"),
    ),
    "an internal name that is another address": (
        given(cloud_internal_name="192.0.2.200"),
        (
            f"{YML}7, cloud_internal_name",
            "the address 192.0.2.200, but cloud_internal_address is 192.0.2.11",
            "a DNS name, or 192.0.2.11",
            "Set cloud_internal_name to that address",
        ),
    ),
    "a public name that is almost an address": (
        given(cloud_public_name="192.0.2"),
        ("cloud_public_name", "'192.0.2'", "or an IPv4 address", "without other characters"),
    ),
    "a network with host bits": (
        given(cloud_external_network="198.51.100.7/24"),
        (f"{YML}5, cloud_external_network", "host bits", "CIDR", "Write 198.51.100.0/24"),
    ),
    "a network of one": (
        given(cloud_external_network="198.51.100.7/32"),
        (f"{YML}5, cloud_external_network", "no usable address", "/30 or larger", "whole network"),
    ),
    "a gateway that no host can have": (
        given(cloud_external_gateway="198.51.100.255"),
        (f"{YML}7, cloud_external_gateway", "198.51.100.255", "198.51.100.1 to 198.51.100.254", "router"),
    ),
    "a gateway that is no address": (
        given(cloud_external_gateway="router"),
        (f"{YML}7, cloud_external_gateway", "'router'", "198.51.100.1 to 198.51.100.254", "router"),
    ),
    "a gateway among the floating IPs": (
        given(cloud_external_gateway="198.51.100.254"),
        ("cloud_external_pool", "contains the gateway's address 198.51.100.254", "not in use", "Set a free range"),
    ),
    "a gateway without its network": (
        both(take("all", "cloud_external_network"), given(cloud_external_gateway="192.0.2.1")),
        (
            f"{YML}6, cloud_external_gateway",
            "but cloud_external_network is not set",
            "together with",
            "Set cloud_external_network",
        ),
    ),
    "a pool that is none": (
        given(cloud_external_pool="198.51.100.128/25"),
        (f"{YML}7, cloud_external_pool", "'198.51.100.128/25'", "first-last", "198.51.100.128-198.51.100.254"),
    ),
    "a pool outside": (
        given(cloud_external_pool="198.51.101.1-198.51.101.9"),
        (f"{YML}7, cloud_external_pool", "not all in 198.51.100.0/24", "198.51.100.0/24", "Correct it"),
    ),
    "a pool backwards": (
        given(cloud_external_pool="198.51.100.9-198.51.100.1"),
        (f"{YML}7, cloud_external_pool", "the first comes after the last", "first-last", "Swap them"),
    ),
    "a host among the floating IPs": (
        both(given(cloud_external_network="192.0.2.0/24", cloud_external_pool="192.0.2.13-192.0.2.13")),
        (f"{YML}7, cloud_external_pool", "contains compute1's address 192.0.2.13", "not in use", "Set a free range"),
    ),
    "tunnels from one address": (
        given(cloud_tunnel_address="10.0.1.1"),
        (f"{YML}7, cloud_tunnel_address", "10.0.1.1, which controller1 also has", "unique", "host_vars"),
    ),
    "a tunnel network that cuts across": (
        put("hosts", "compute", "compute1", "cloud_tunnel_address", to="198.51.0.1/16"),
        (
            "hosts.yml:1",
            "198.51.0.0/16, which overlaps with cloud_external_network",
            "networks that do not overlap",
            "prefix length",
        ),
    ),
}


@pytest.mark.parametrize(("change", "parts"), BAD.values(), ids=BAD.keys())
def test_one_error(site, monkeypatch, change, parts):
    check_one_error(site, monkeypatch, change, parts)


def test_two_controllers_and_who_may_decide(site, monkeypatch):
    site.hosts["controller"]["controller2"] = {"ansible_host": "192.0.2.22"}
    site.all["cloud_internal_address"] = "192.0.2.9"
    assert site.said(monkeypatch).get("msg") is None
    (warning,) = [text for text in site.warnings if "two controllers" in text]
    assert "Make network1 the arbiter" in warning


# What is doubtful: the settings, and words of the warning.
DOUBTFUL = {
    "a public name that is an address elsewhere": (
        {"cloud_public_name": "203.0.113.9", "cloud_internal_name": "192.0.2.11"},
        ("the address 203.0.113.9, but cloud_public_address is 192.0.2.11", "forwards 203.0.113.9 to 192.0.2.11"),
    ),
    "a gateway outside": (
        {"cloud_external_network": "203.0.113.64/29", "cloud_external_gateway": "198.51.100.1"},
        ("198.51.100.1, which is outside of 203.0.113.64/29", "another router on the same link", "rented servers"),
    ),
    "a pool of one": (
        {"cloud_external_pool": "198.51.100.9-198.51.100.9"},
        ("198.51.100.9 alone: a router takes it", "two addresses or more", "larger"),
    ),
    "a pool of one by default": (
        {"cloud_external_network": "203.0.113.64/30"},
        ("203.0.113.66 alone: a router takes it", "two addresses or more", "larger cloud_external_network"),
    ),
}


@pytest.mark.parametrize(("values", "words"), DOUBTFUL.values(), ids=DOUBTFUL.keys())
def test_one_warning(site, monkeypatch, values, words):
    given(**values)(site)
    assert site.said(monkeypatch).get("msg") is None
    (warning,) = site.warnings
    assert all(word in warning for word in words)


def test_endpoints_by_address(site, monkeypatch):
    given(cloud_public_name="192.0.2.11")(site)
    assert site.said(monkeypatch).get("msg") is None
    assert site.warnings == []


def test_a_declared_network_with_a_gateway_outside(site, monkeypatch):
    subnet = {"name": "rented", "cidr": "203.0.113.64/29", "gateway": "198.51.100.1", "dhcp": False}
    given(cloud_resources={"networks": [{"name": "rented", "external": True, "subnets": [subnet]}]})(site)
    assert site.said(monkeypatch).get("msg") is None
