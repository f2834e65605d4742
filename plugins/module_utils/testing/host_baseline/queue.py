# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""RabbitMQ's users, virtual hosts, permissions and policies; queues come and go with the services."""

from __future__ import annotations

import json

from ansible_collections.cairn.openstack.plugins.module_utils.testing.host_baseline.run import digest, read, there

Objects = dict[str, dict[str, str]]
_NAMES = {
    "users": ("name",),
    "vhosts": ("name",),
    "permissions": ("user", "vhost"),
    "topic_permissions": ("user", "vhost"),
    "policies": ("vhost", "name"),
    "parameters": ("vhost", "component", "name"),
    "global_parameters": ("name",),
}


def definitions() -> Objects:
    """Return the broker's definitions, with digests instead of password hashes."""
    if not (there("rabbitmqctl") and _running()):
        return {}
    said = read("rabbitmqctl", "--silent", "export_definitions", "-", "--format", "json")
    told = json.loads(said[said.index("{") :])
    result = {}
    for kind, keys in _NAMES.items():
        for item in told.get(kind, []):
            name = " ".join(str(item.get(key, "")) for key in keys)
            rest = {key: value for key, value in item.items() if key not in keys}
            result[f"{kind.removesuffix('s')} {name}"] = {
                key: digest(str(value)) if "password" in key else json.dumps(value, sort_keys=True)
                for key, value in rest.items()
            }
    return result


def _running() -> bool:
    """Whether the broker is running."""
    return read("systemctl", "show", "--property=ActiveState", "rabbitmq-server").strip() == "ActiveState=active"
