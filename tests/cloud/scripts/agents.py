# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""On a controller: let new networks and routers go only to the network nodes that are named; say who has agents."""

import json
import sys

import openstack
import yaml

with open("/etc/openstack/clouds.yaml", encoding="utf-8") as file:
    cloud = openstack.connect(cloud=next(iter(yaml.safe_load(file)["clouds"])))
found = {}
for agent in cloud.network.agents():
    if agent.binary in ("neutron-l3-agent", "neutron-dhcp-agent"):
        up = agent.host in sys.argv[1:]
        cloud.network.update_agent(agent, admin_state_up=up)
        found.setdefault(agent.host, {})[agent.binary] = up
print(json.dumps(found))
