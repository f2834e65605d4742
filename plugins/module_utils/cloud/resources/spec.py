# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The argument spec of the module ``resources``."""

from __future__ import annotations

STATE = {"type": "str", "choices": ["present", "absent"], "default": "present"}
NAME = {"type": "str", "required": True}
DOMAIN = {"type": "str", "default": "Default"}


def entries(**options) -> dict:
    """Return the spec of a list of objects, each with a name and a state."""
    return {"type": "list", "elements": "dict", "default": [], "options": {"name": NAME, "state": STATE, **options}}


SUBNETS = {
    "type": "list",
    "elements": "dict",
    "default": [],
    "options": {
        "name": NAME,
        "cidr": {"type": "str", "required": True},
        "gateway": {"type": "str"},
        "pools": {"type": "list", "elements": "str"},
        "dns": {"type": "list", "elements": "str"},
        "dhcp": {"type": "bool"},
    },
}

# Domains whose users and groups are in a directory: they are declared elsewhere.
LDAP_DOMAINS = {"type": "dict", "default": {}}
SPEC = {
    "projects": entries(
        domain=DOMAIN,
        description={"type": "str"},
        quota={
            "type": "dict",
            "options": {"compute": {"type": "dict"}, "network": {"type": "dict"}, "volume": {"type": "dict"}},
        },
    ),
    "users": entries(
        domain=DOMAIN,
        description={"type": "str"},
        email={"type": "str"},
        password={"type": "str", "no_log": True},
        project={"type": "str"},
        roles={"type": "list", "elements": "str", "default": []},
    ),
    "groups": entries(
        domain=DOMAIN,
        description={"type": "str"},
        project={"type": "str"},
        roles={"type": "list", "elements": "str", "default": []},
    ),
    "flavors": entries(
        ram={"type": "int"},
        vcpus={"type": "int"},
        disk={"type": "int"},
        public={"type": "bool"},
        extra_specs={"type": "dict"},
    ),
    "aggregates": entries(
        zone={"type": "str"},
        hosts={"type": "list", "elements": "str"},
        metadata={"type": "dict"},
    ),
    "volume_types": entries(
        description={"type": "str"},
        public={"type": "bool"},
        extra_specs={"type": "dict"},
        qos={"type": "dict"},
        encryption={
            "type": "dict",
            "options": {
                "provider": {"type": "str", "default": "luks"},
                "cipher": {"type": "str", "default": "aes-xts-plain64"},
                "key_size": {"type": "int", "default": 256},
                "control_location": {"type": "str", "default": "front-end", "choices": ["front-end", "back-end"]},
            },
        },
    ),
    "images": entries(
        file={"type": "str"},
        url={"type": "str"},
        sha512={"type": "str"},
        disk_format={"type": "str", "default": "qcow2"},
        container_format={"type": "str", "default": "bare"},
        visibility={"type": "str", "choices": ["public", "private", "shared", "community"]},
        min_disk={"type": "int"},
        min_ram={"type": "int"},
        properties={"type": "dict"},
    ),
    "networks": entries(
        domain=DOMAIN,
        project={"type": "str"},
        external={"type": "bool"},
        shared={"type": "bool"},
        network_type={"type": "str"},
        physical_network={"type": "str"},
        segment={"type": "int"},
        mtu={"type": "int"},
        subnets=SUBNETS,
    ),
    "prices": {
        **entries(
            of={"type": "str", "required": True, "choices": ["flavor", "floating_ip", "image", "volume_type"]},
            price={"type": "float"},
        ),
        "required_if": [("state", "present", ["price"])],
    },
    "routers": entries(
        domain=DOMAIN,
        project={"type": "str"},
        external_network={"type": "str"},
        subnets={"type": "list", "elements": "str", "default": []},
    ),
}
