# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""On a controller: what the cloud's own services say of its hosts, as JSON."""

import json

import openstack
import yaml

with open("/etc/openstack/clouds.yaml", encoding="utf-8") as file:
    cloud = openstack.connect(cloud=next(iter(yaml.safe_load(file)["clouds"])))
print(
    json.dumps(
        {
            "compute_services": [
                {"binary": item.binary, "host": item.host, "status": item.status, "state": item.state}
                for item in cloud.compute.services()
            ],
            "hypervisors": [item.name for item in cloud.compute.hypervisors()],
            "resource_providers": [item.name for item in cloud.placement.resource_providers()],
            "agents": [
                {"binary": item.binary, "host": item.host, "alive": item.is_alive, "up": item.is_admin_state_up}
                for item in cloud.network.agents()
            ],
            "endpoints": [
                {"service": service.type, "interface": item.interface, "url": item.url}
                for service in cloud.identity.services()
                for item in cloud.identity.endpoints(service_id=service.id)
            ],
        }
    )
)
