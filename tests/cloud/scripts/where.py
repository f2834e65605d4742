# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""On a controller: the host of the guest that is named, as JSON."""

import json
import sys

import openstack
import yaml

with open("/etc/openstack/clouds.yaml", encoding="utf-8") as file:
    cloud = openstack.connect(cloud=next(iter(yaml.safe_load(file)["clouds"])))
found = list(cloud.compute.servers(all_projects=True, name=sys.argv[1]))
print(json.dumps(found[0].compute_host or found[0].hypervisor_hostname))
