# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""On a controller: servers of a flavor of its own until none fits, ``ACTION {"key": "value", …}``; JSON of it.

The servers belong to a project without quotas. Of a server only its placement is waited for.
"""

import json
import os
import sys
import time

import openstack
import yaml

NAME = "cairn-capacity"
# What is emulated takes its time.
PATIENCE = 300
# The first that boots servers without a network.
NO_NETWORK = "2.37"
NO_HOST = "No valid host"
UNLIMITED = -1
MIB = 1 << 20

with open("/etc/openstack/clouds.yaml", encoding="utf-8") as file:
    cloud = openstack.connect(cloud=next(iter(yaml.safe_load(file)["clouds"])))


def make(ram, vcpus, disk):
    """Make a project, a flavor and an image."""
    project = cloud.identity.create_project(name=NAME)
    role = cloud.identity.find_role("admin", ignore_missing=False)
    cloud.identity.assign_project_role_to_user(project, cloud.current_user_id, role)
    cloud.set_compute_quotas(project.id, instances=UNLIMITED, cores=UNLIMITED, ram=UNLIMITED)
    cloud.compute.create_flavor(name=NAME, ram=ram, vcpus=vcpus, disk=disk, is_public=True)
    cloud.image.create_image(
        NAME, disk_format="raw", container_format="bare", visibility="public", data=os.urandom(MIB)
    )
    return {}


def fill(most):
    """Boot servers until the scheduler finds no host, but at most *most*; return the hosts of those that have one."""
    flavor = cloud.compute.find_flavor(NAME, ignore_missing=False).id
    image = cloud.image.find_image(NAME, ignore_missing=False).id
    nova = cloud.connect_as(project_id=cloud.identity.find_project(NAME).id).compute
    hosts = []
    while len(hosts) < most:
        body = {"name": NAME, "flavorRef": flavor, "imageRef": image, "networks": "none"}
        said = nova.post("/servers", json={"server": body}, microversion=NO_NETWORK)
        openstack.exceptions.raise_from_response(said)
        host = placed(nova, said.json()["server"]["id"])
        if not host:
            return {"hosts": hosts, "ended": True}
        hosts.append(host)
    return {"hosts": hosts, "ended": False}


def placed(nova, server):
    """Wait until a server has a host, and return it; empty if there is none for it."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        found = nova.get(f"/servers/{server}").json()["server"]
        if found["status"] == "ERROR":
            why = found.get("fault", {}).get("message", "")
            if NO_HOST in why:
                return ""
            raise RuntimeError(f"{server}: {why}")
        if found["OS-EXT-SRV-ATTR:host"]:
            return found["OS-EXT-SRV-ATTR:host"]
        time.sleep(1)
    raise TimeoutError(f"{server} has no host after {PATIENCE} s")


def remove():
    """Remove all that was made, as far as it is there."""
    project = cloud.identity.find_project(NAME)
    if project:
        servers = list(cloud.compute.servers(all_projects=True, project_id=project.id))
        for server in servers:
            cloud.compute.delete_server(server)
        for server in servers:
            cloud.compute.wait_for_delete(server, interval=2, wait=PATIENCE)
        cloud.identity.delete_project(project)
    if flavor := cloud.compute.find_flavor(NAME):
        cloud.compute.delete_flavor(flavor)
    if image := cloud.image.find_image(NAME):
        cloud.image.delete_image(image)
    return {}


actions = {function.__name__: function for function in (make, fill, remove)}
print(json.dumps(actions[sys.argv[1]](**json.loads(sys.argv[2]))))
