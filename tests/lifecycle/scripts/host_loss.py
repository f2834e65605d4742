# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""On a controller: servers for the loss of their host, ``ACTION {"key": "value", …}``; JSON of what came of it."""

import calendar
import json
import sys
import time

import openstack
import yaml

NAME = "cairn-test-host-loss"
# An image of the lab's clouds, and what a server of it says on its console when it has its address.
IMAGE, LEASE = "cairn-guest", "lease of {} obtained"
RANGE = "198.18.77.0/24"
SECONDS, MEMORY = 600, 192
# The first that boots servers without a network.
WITHOUT_NETWORK = "2.37"

with open("/etc/openstack/clouds.yaml", encoding="utf-8") as file:
    cloud = openstack.connect(cloud=next(iter(yaml.safe_load(file)["clouds"])))
compute, store = cloud.compute, cloud.block_storage


def make():
    """Boot a server that may be moved, and one with its disk on the same host, whose user has not said so."""
    flavor = compute.create_flavor(name=NAME, ram=MEMORY, vcpus=1, disk=1)
    network = cloud.network.create_network(name=NAME)
    cloud.network.create_subnet(name=NAME, network_id=network.id, cidr=RANGE, ip_version=4)
    guest = cloud.image.find_image(IMAGE, ignore_missing=False)
    volume = store.create_volume(name=NAME, size=1, image_id=guest.id)
    store.wait_for_status(volume, "available", interval=1, wait=SECONDS)
    mapping = {"boot_index": 0, "uuid": volume.id, "source_type": "volume", "destination_type": "volume"}
    root = {"block_device_mapping_v2": [{**mapping, "delete_on_termination": True}]}
    moves = boot(flavor, "moves", [{"uuid": network.id}], metadata={"HA_Enabled": "True"}, **root)
    found = compute.get_server(moves)
    host, address = found.compute_host, found.addresses[NAME][0]["addr"]
    # Empty: the firmware waits for ever.
    image = cloud.image.create_image(NAME, disk_format="raw", container_format="bare", data=b"\0" * 512)
    stays = boot(flavor, "stays", "none", imageRef=image.id, availability_zone=f"nova:{host}")
    return {"moves": moves, "stays": stays, "host": host, "address": address}


def boot(flavor, name, networks, **more):
    """Boot a server and return its id."""
    body = {"server": {"name": f"{NAME}-{name}", "flavorRef": flavor.id, "networks": networks, **more}}
    said = compute.post("/servers", json=body, microversion=WITHOUT_NETWORK)
    openstack.exceptions.raise_from_response(said)
    made = compute.get_server(said.json()["server"]["id"])
    return compute.wait_for_server(made, interval=2, wait=SECONDS).id


def look(server):
    """Return where a server is, and how."""
    found = compute.get_server(server)
    return {"host": found.compute_host, "status": found.status, "task": found.task_state}


def answers(server, address):
    """Return whether a guest has its address since its process started, as its console says."""
    return LEASE.format(address) in compute.get_server_console_output(server)["output"]


def evacuated(server):
    """Return when the last evacuation of a server was asked for, in seconds since the epoch; None if none was."""
    found = compute.get(f"/servers/{server}/os-instance-actions").json()["instanceActions"]
    times = [one["start_time"] for one in found if one["action"] == "evacuate"]
    if not times:
        return {"time": None}
    last = time.strptime(max(times).partition(".")[0], "%Y-%m-%dT%H:%M:%S")
    return {"time": calendar.timegm(last)}


def service(host):
    """Return how the nova-compute of a host is."""
    (found,) = [one for one in compute.services(binary="nova-compute") if one.host == host]
    return {"status": found.status, "state": found.state}


def remove():
    """Remove all of it."""
    servers = [one for one in compute.servers() if one.name.startswith(NAME)]
    for server in servers:
        compute.delete_server(server)
    for server in servers:
        compute.wait_for_delete(server, wait=SECONDS)
    for one in [one for one in store.volumes() if one.name == NAME]:
        # It is detached some time after its server is gone.
        store.wait_for_status(one, "available", failures=["error"], wait=SECONDS)
        store.delete_volume(one)
    for one in [one for one in cloud.image.images() if one.name == NAME]:
        cloud.image.delete_image(one)
    for one in [one for one in compute.flavors() if one.name == NAME]:
        compute.delete_flavor(one)
    for one in list(cloud.network.networks(name=NAME)):
        cloud.network.delete_network(one)
    return {}


actions = {function.__name__: function for function in (make, look, answers, evacuated, service, remove)}
print(json.dumps(actions[sys.argv[1]](**json.loads(sys.argv[2]))))
