# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""On a controller: the server that verify has kept, as JSON: its host, and its floating address."""

import json

import openstack
import yaml

with open("/etc/openstack/clouds.yaml", encoding="utf-8") as file:
    cloud = openstack.connect(cloud=next(iter(yaml.safe_load(file)["clouds"])))
(server,) = cloud.compute.servers(all_projects=True, name="cairn-kept-")
(floating,) = (
    address["addr"]
    for addresses in server.addresses.values()
    for address in addresses
    if address["OS-EXT-IPS:type"] == "floating"
)
print(json.dumps({"host": server.compute_host, "address": floating}))
