# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""On a controller: what came of volumes that are too large, handed over and shared, as JSON; none without volumes."""

import contextlib
import json
import sys
import time

import openstack
import yaml

NAME = "cairn-tests"
SECONDS = 180
KINDS = ("block-storage", "volumev3")

with open("/etc/openstack/clouds.yaml", encoding="utf-8") as file:
    cloud = openstack.connect(cloud=next(iter(yaml.safe_load(file)["clouds"])))
if not any(service.type in KINDS for service in cloud.identity.services()):
    print("{}")
    sys.exit()
store, compute = cloud.block_storage, cloud.compute


def wait(ask, wanted):
    """Wait until *ask* answers what is wanted; returns its last answer."""
    end = time.monotonic() + SECONDS
    while (answer := ask()) != wanted and time.monotonic() < end:
        time.sleep(1)
    return answer


@contextlib.contextmanager
def volume(connection=store, **what):
    """Have a volume for a while, which *connection* removes."""
    made = store.create_volume(name=NAME, size=1, **what)
    try:
        store.wait_for_status(made, "available", interval=1, wait=SECONDS)
        yield made.id
    finally:
        connection.delete_volume(made.id)
        store.wait_for_delete(made, wait=SECONDS)


def too_large():
    """Ask for a volume beyond what the project may have."""
    limit = store.get(f"/os-quota-sets/{cloud.current_project_id}").json()["quota_set"]["gigabytes"]
    answer = store.post("/volumes", json={"volume": {"name": NAME, "size": limit + 1}})
    return {"status": answer.status_code, "said": answer.text}


def handed_over():
    """Give a volume to another project, which takes it with the key that it was told."""
    project = cloud.identity.create_project(name=NAME)
    try:
        role = cloud.identity.find_role("admin")
        cloud.identity.assign_project_role_to_user(project, cloud.current_user_id, role)
        heir = cloud.connect_as(project_id=project.id).block_storage
        with volume(heir) as given:
            offer = store.create_transfer(volume_id=given, name=NAME)
            heir.accept_transfer(offer.id, offer.auth_key)
            return [one.id for one in heir.volumes()] == [given]
    finally:
        cloud.identity.delete_project(project)


def shared(kind, image):
    """Attach a volume to two servers at once; returns how many have it."""
    net = cloud.network.create_network(name=NAME)
    cloud.network.create_subnet(network_id=net.id, ip_version=4, cidr="198.18.77.0/28", enable_dhcp=False)
    flavor = compute.create_flavor(name=NAME, ram=128, vcpus=1, disk=1)
    with volume(volume_type=kind.name) as common:
        servers = []
        try:
            for number in (1, 2):
                what = {"image_id": image.id, "flavor_id": flavor.id, "networks": [{"uuid": net.id}]}
                servers.append(compute.create_server(name=f"{NAME}-{number}", **what))
            for number, server in enumerate(servers, 1):
                compute.wait_for_server(server, interval=1, wait=SECONDS)
                compute.create_volume_attachment(server, volume_id=common)
                found = wait(lambda: len(store.get_volume(common).attachments), number)
            return found
        finally:
            for server in servers:
                compute.delete_server(server)
            for server in servers:
                compute.wait_for_delete(server, wait=SECONDS)
            wait(lambda: store.get_volume(common).status, "available")
            compute.delete_flavor(flavor)
            cloud.network.delete_network(net)


outcomes = {"too large": too_large(), "handed over": handed_over()}
kind = next((one for one in store.types() if (one.extra_specs or {}).get("multiattach") == "<is> True"), None)
image = cloud.image.find_image("cairn-guest")
if kind and image:
    outcomes["shared"] = shared(kind, image)
print(json.dumps(outcomes))
