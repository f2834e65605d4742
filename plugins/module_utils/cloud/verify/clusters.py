# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Container clusters: templates that only their project sees, and a cluster, if there is an image of its nodes."""

from __future__ import annotations

import lzma
import secrets
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial

from ansible.module_utils.urls import open_url
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.sdk import client, rest
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify import account, image, servers
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify.checks import (
    Bad,
    Check,
    NotRun,
    Service,
    poll,
)
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify.run import Run

TYPE = "container-infra"
OF = ("magnum", "heat")
TEMPLATES, CLUSTERS = "clustertemplates", "clusters"
# By this property of an image Magnum chooses its driver.
DISTRO = "fedora-coreos"
SAMPLE_BYTES = 64 * 1024
# The flavor of a cluster's nodes, in MiB and GiB.
NODE = {"vcpus": 2, "ram": 3072, "disk": 15}
# The deletion of a cluster is that of servers, networks, routers and addresses, one after the other.
DELETIONS = 5


def checks(run: Run, check: Callable[..., Check]) -> list[Check]:
    """Return the checks of Magnum."""
    # Not one server more while others boot.
    last = ("other servers", "VLAN servers", "boot from volume", "cold migration")
    needs = ("cluster template", "cluster conductors", "router", "key pair")
    return [
        check("cluster conductors", conducting, ("token",), OF),
        check("cluster template", template, ("flavor",), OF, after=("router",)),
        check("cluster", cluster, needs, (*OF, *servers.BOOT), after=last, groups=servers.NODES),
    ]


def conducting(run: Run) -> str:
    """Ask as admin which conductors report; of several, one may be off."""
    magnum, found = client(run.admin, TYPE), []

    def look() -> list[dict]:
        found[:] = rest(magnum, "GET", "/mservices").json()["mservices"]
        return [one for one in found if one["state"] == "up"]

    up = poll(look, run.options["api_timeout"])
    if not up:
        raise Bad(f"none of {len(found)} conductors reports")
    return f"{len(up)} of {len(found)} report"


def template(run: Run) -> str:
    """Create a template of a cluster, and see it, but not one of another project; delete both."""
    name = f"{run.name}-sample"
    sample = image.upload(run, name, secrets.token_bytes(SAMPLE_BYTES), "raw", properties={"os_distro": DISTRO})
    own, other = client(run.user, TYPE), client(run.admin, TYPE)
    # An administrator sees those of all projects, so that one's is what the user must not see.
    hidden = rest(other, "POST", f"/{TEMPLATES}", json=_template(run, sample)).json()["uuid"]
    made = _create(run, sample, run.flavor.id)
    seen = rest(own, "GET", f"/{TEMPLATES}/{made}").json()
    if (seen["name"], seen["cluster_distro"]) != (run.name, DISTRO):
        raise Bad(f"created {run.name} for {DISTRO}, found {seen['name']} for {seen['cluster_distro']}", (made,))
    listed = {one["uuid"] for one in rest(own, "GET", f"/{TEMPLATES}").json()[TEMPLATES]}
    if made not in listed:
        raise Bad("the list of templates lacks that of the project", (made,))
    status = own.request(f"/{TEMPLATES}/{hidden}", "GET").status_code
    if status not in (403, 404) or hidden in listed:
        raise Bad(f"the template of another project is visible: status {status}", (hidden,))
    rest(own, "DELETE", f"/{TEMPLATES}/{made}")
    rest(other, "DELETE", f"/{TEMPLATES}/{hidden}")
    if (status := own.request(f"/{TEMPLATES}/{made}", "GET").status_code) != 404:
        raise Bad(f"status {status}, not 404, for a template that was deleted", (made,))
    rest(run.user.image, "DELETE", f"/images/{sample}")
    return "seen by its project only"


def cluster(run: Run) -> str:
    """Create a cluster of two servers, wait until they have told that it is complete, and delete it."""
    if not run.options["cluster_image"]:
        raise NotRun("no image of a cluster's node (verify_cluster_image)")
    if not run.external:
        raise NotRun("the cloud has no external network")
    magnum = client(run.user, TYPE)
    used = _create(run, _image(run), _flavor(run))
    seconds = run.options["cluster_timeout"]
    body = {
        "name": run.name,
        "cluster_template_id": used,
        "keypair": run.name,
        "master_count": 1,
        "node_count": 1,
        "create_timeout": max(1, seconds // 60),
    }
    made = rest(magnum, "POST", f"/{CLUSTERS}", json=body).json()["uuid"]

    def look() -> dict:
        return rest(magnum, "GET", f"/{CLUSTERS}/{made}").json()

    def ended() -> dict | None:
        found = look()
        return None if found["status"].endswith("IN_PROGRESS") else found

    found = poll(ended, seconds, 10) or look()
    if found["status"] != "CREATE_COMPLETE":
        why = found.get("status_reason") or f"after {seconds} s"
        raise Bad(f"the cluster is {found['status']}: {why}", (made, found.get("stack_id") or ""))
    rest(magnum, "DELETE", f"/{CLUSTERS}/{made}")
    if not poll(lambda: magnum.request(f"/{CLUSTERS}/{made}", "GET").status_code == 404, _patience(run)):
        raise Bad(f"the cluster is {look()['status']} {_patience(run)} s after its deletion", (made,))
    rest(magnum, "DELETE", f"/{TEMPLATES}/{used}")
    return f"of two servers, at {found['api_address']}; deleted"


def _patience(run: Run) -> int:
    return DELETIONS * run.options["delete_timeout"]


def _template(run: Run, node_image: str, **more) -> dict:
    return {"name": run.name, "coe": "kubernetes", "image_id": node_image, **more}


def _create(run: Run, node_image: str, flavor: str) -> str:
    """Create a template as the user, and return its id."""
    external = {"external_network_id": run.external.id} if run.external else {}
    body = _template(run, node_image, flavor_id=flavor, master_flavor_id=flavor, **external)
    return rest(client(run.user, TYPE), "POST", f"/{TEMPLATES}", json=body).json()["uuid"]


def _flavor(run: Run) -> str:
    """Create the flavor of the nodes, which only the project can see."""
    compute = run.admin.compute
    made = compute.create_flavor(name=f"{run.name}-node", is_public=False, **NODE)
    compute.flavor_add_tenant_access(made, run.project.id)
    return made.id


def _image(run: Run) -> str:
    """Return the id of the image of the nodes, which is fetched and uploaded if it is a URL."""
    wanted = run.options["cluster_image"]
    if "://" not in wanted:
        if not (found := list(run.user.image.images(name=wanted))):
            raise Bad(f"users have no image {wanted}")
        return found[0].id
    with (
        open_url(wanted, timeout=run.options["api_timeout"]) as response,
        lzma.LZMAFile(response) if wanted.endswith(".xz") else nullcontext(response) as source,
    ):
        chunks = iter(partial(source.read, image.MIB), b"")
        return image.upload(run, f"{run.name}-node", chunks, "qcow2", properties={"os_distro": DISTRO})


def sweep(admin, project: str, seconds: float) -> list[str]:
    """Delete all clusters and templates of a run as admin, and return those that remain."""
    name = admin.identity.get_project(project).name
    # In the project, where the stacks of its clusters are.
    magnum = client(account.admin_of(admin, project), TYPE)

    def listed(kind: str) -> list[dict]:
        # An administrator sees all projects; a template of the run is the administrator's.
        return [one for one in rest(magnum, "GET", f"/{kind}").json()[kind] if one["name"] == name]

    for one in listed(CLUSTERS):
        # One that is gone meanwhile, or is busy, shows in the list.
        magnum.request(f"/{CLUSTERS}/{one['uuid']}", "DELETE")
    poll(lambda: not listed(CLUSTERS), DELETIONS * seconds)
    for one in listed(TEMPLATES):
        magnum.request(f"/{TEMPLATES}/{one['uuid']}", "DELETE")
    clusters = [f"{one['name']} ({one['status']})" for one in listed(CLUSTERS)]
    return clusters + [f"template {one['name']} ({one['uuid']})" for one in listed(TEMPLATES)]


SERVICE = Service("magnum", "cluster", checks, sweep)
