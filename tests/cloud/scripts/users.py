# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""On a controller: what a fresh member and a fresh reader may do, as JSON. Everything made is removed again."""

import json
import secrets

import openstack
import yaml
from openstack import exceptions

MARK = f"cairn-test-{secrets.token_hex(4)}"
with open("/etc/openstack/clouds.yaml", encoding="utf-8") as file:
    NAME, SETTINGS = next(iter(yaml.safe_load(file)["clouds"].items()))


class Stay:
    """A project with a member and a reader, for as long as the tests need them."""

    def __init__(self):
        self.admin = openstack.connect(cloud=NAME)
        self.undo = []

    def made(self, thing, delete, *arguments):
        """Remember how to remove what was made."""
        self.undo.append((delete, arguments or (thing,)))
        return thing

    def user(self, project, role):
        """Make a user with *role* on *project* and return its connection."""
        password, name = secrets.token_urlsafe(24), f"{MARK}-{role}"
        identity = self.admin.identity
        user = self.made(identity.create_user(name=name, password=password, domain_id="default"), identity.delete_user)
        identity.assign_project_role_to_user(project, user, identity.find_role(role))
        return openstack.connect(
            auth={**SETTINGS["auth"], "username": name, "password": password, "project_name": project.name},
            region_name=SETTINGS["region_name"],
            cacert=SETTINGS.get("cacert"),
            identity_api_version="3",
        )

    def leave(self):
        """Remove everything, last things first."""
        for delete, arguments in reversed(self.undo):
            delete(*arguments)


def outcome(deed):
    """Return what came of *deed*: done, refused, hidden, or the error."""
    try:
        result = deed()
        return f"done: {sum(1 for _ in result)}" if hasattr(result, "__iter__") else "done"
    except exceptions.HttpException as error:
        return {401: "refused", 403: "refused", 404: "hidden"}.get(error.status_code, str(error))


def main():
    """Try it all."""
    stay = Stay()
    admin = stay.admin
    try:
        own = stay.made(admin.identity.create_project(name=MARK, domain_id="default"), admin.identity.delete_project)
        theirs = stay.made(admin.network.create_network(name=f"{MARK}-theirs"), admin.network.delete_network)
        member, reader = stay.user(own, "member"), stay.user(own, "reader")
        mine = member.network.create_network(name=f"{MARK}-mine")
        stay.made(mine, admin.network.delete_network, mine.id)
        me = member.current_user_id
        network, compute, identity = member.network, member.compute, member.identity
        deeds = {
            "member lists own servers": lambda: compute.servers(),
            "member sees own network": lambda: network.get_network(mine.id),
            "member lists flavors": lambda: list(compute.flavors()) and None,
            "member lists images": lambda: list(member.image.images()) and None,
            "member sees itself": lambda: identity.get_user(me),
            "member lists hypervisors": lambda: compute.hypervisors(),
            "member lists compute services": lambda: compute.services(),
            "member lists everybody's servers": lambda: compute.servers(all_projects=True),
            "member sees another's network": lambda: network.get_network(theirs.id),
            "member deletes another's network": lambda: network.delete_network(theirs.id, ignore_missing=False),
            "member makes an external network": lambda: made_by(stay, member, {"router:external": True}),
            "member makes a provider network": lambda: made_by(stay, member, {"provider:network_type": "vxlan"}),
            "member shares a network": lambda: made_by(stay, member, {"shared": True}),
            "member lists agents": lambda: network.agents(),
            "member lists users": lambda: identity.users(),
            "member lists projects": lambda: identity.projects(),
            "member makes a user": lambda: identity.create_user(name=f"{MARK}-x", domain_id="default"),
            "member makes itself administrator": lambda: exceptions.raise_from_response(
                identity.put(f"/projects/{own.id}/users/{me}/roles/{admin.identity.find_role('admin').id}")
            ),
            "member makes a flavor": lambda: compute.create_flavor(name=f"{MARK}-x", ram=64, vcpus=1, disk=0),
            "member makes a public image": lambda: member.image.create_image(
                name=f"{MARK}-x", visibility="public", disk_format="raw", container_format="bare", allow_duplicates=True
            ),
            "member lists resource providers": lambda: member.placement.resource_providers(),
            "reader lists networks": lambda: reader.network.networks(),
            "reader makes a network": lambda: made_by(stay, reader, {}),
            "reader deletes a network": lambda: reader.network.delete_network(mine.id, ignore_missing=False),
        }
        print(json.dumps({name: outcome(deed) for name, deed in deeds.items()}))
    finally:
        stay.leave()


def made_by(stay, who, attributes):
    """Make a network as *who*, and remember it in case that works."""
    answer = who.network.post("/networks", json={"network": {"name": f"{MARK}-x", **attributes}})
    exceptions.raise_from_response(answer)
    stay.made(None, stay.admin.network.delete_network, answer.json()["network"]["id"])


if __name__ == "__main__":
    main()
