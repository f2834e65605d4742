# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of the action ``verify``."""

from __future__ import annotations

SPEC = {
    "cloud": {"type": "str", "required": True},
    "image": {"type": "str", "default": "cairn-guest"},
    "image_file": {"type": "path"},
    "image_properties": {"type": "dict", "default": {}},
    "user": {"type": "str", "default": "cairn"},
    "lease_line": {"type": "str", "default": "lease of {address} obtained"},
    "memory": {"type": "int", "default": 192},
    "disk": {"type": "int", "default": 1},
    "cidr": {"type": "str", "default": "198.18.0.0/24"},
    "external_network": {"type": "str", "default": ""},
    "vlan_network": {"type": "str", "default": "vlan"},
    "vlan_range": {"type": "str", "default": ""},
    "vlan_segment": {"type": "int", "default": 0},
    "vlan_cidr": {"type": "str", "default": "198.18.1.0/24"},
    "servers_min": {"type": "int", "default": 2},
    "servers_max": {"type": "int", "default": 8},
    "from": {"type": "str", "choices": ["auto", "control", "controller", "none"], "default": "auto"},
    "world_url": {"type": "str", "default": ""},
    "objects": {"type": "bool", "default": False},
    "services": {"type": "list", "elements": "str", "default": []},
    "snapshot": {"type": "bool", "default": False},
    "keep": {"type": "bool", "default": False},
    "output_dir": {"type": "path"},
    "api_timeout": {"type": "int", "default": 60},
    "boot_timeout": {"type": "int", "default": 300},
    "lease_timeout": {"type": "int", "default": 300},
    "ping_timeout": {"type": "int", "default": 90},
    "ssh_timeout": {"type": "int", "default": 180},
    "delete_timeout": {"type": "int", "default": 120},
    "ldap_domains": {"type": "list", "elements": "str", "default": []},
    "metrics_interval": {"type": "int", "default": 60},
    "cluster_image": {"type": "str", "default": ""},
    "cluster_timeout": {"type": "int", "default": 3600},
}
