# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The phases of the module ``verify_phase``: each takes its parameters and a connection as the admin user."""

from __future__ import annotations

from ansible_collections.cairn.openstack.plugins.module_utils.cloud.sdk import translate_errors
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify import optional, plan, probe, servers, volume
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify.checks import (
    FAILED,
    Check,
    perform,
    perform_all,
)
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify.clean import Sweep
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify.run import Run
from ansible_collections.cairn.openstack.plugins.module_utils.common.changes import Failed


def use(params: dict, admin) -> dict:
    """Run the checks that create objects."""
    options = {**params["options"], "public_key": params["public_key"], "image_file": params["image_file"]}
    if params["image_offered"] and not params["image_file"] and lacking(admin, options["image"]):
        return {"image_wanted": True}
    run = Run(params["run"], admin, options)
    results = perform_all(plan.checks(run))
    return {"results": [result.as_dict() for result in results], "made": run.made()}


def lacking(admin, image: str) -> bool:
    """Return whether the cloud lacks the image; errors are left to the checks."""
    try:
        with translate_errors():
            return not list(admin.image.images(name=image))
    except Failed:
        return False


def copies(params: dict, admin) -> dict:
    """Copy what a server wrote to, as the admin user, who has access to the project."""
    project = admin.identity.find_project(params["run"], ignore_missing=False)
    run = Run(params["run"], admin, params["options"], user=admin.connect_as(project_id=project.id))
    # Only the first server is still needed. If a check failed, the consoles of the others must still be read.
    if FAILED not in params["outcomes"].values():
        Sweep(admin, run.name, 0, keep=True).guests(project.id)
    results = perform_all(
        volume.Copies(run, params["made"], optional.of(run.options["services"])).checks(), params["outcomes"]
    )
    return {
        "results": [result.as_dict() for result in results],
        "made": {**params["made"], "disks": run.disks, "shares": {**params["made"].get("shares", {}), **run.shares}},
    }


def reach(params: dict, admin) -> dict:
    """Ping an address."""
    return {"reached": probe.ping(params["address"], params["seconds"])}


def probed(params: dict, admin) -> dict:
    """Use the servers."""
    part = [params[name] for name in ("private_key", "made", "options", "outcomes", "part")]
    results = probe.perform(*part)
    return {"results": [result.as_dict() for result in results]}


def clean(params: dict, admin) -> dict:
    """Remove everything."""
    consoles = {}
    for server in params["consoles"]:
        try:
            with translate_errors():
                consoles[server] = servers.tail(admin, server)
        except Failed as error:
            consoles[server] = f"the console cannot be read: {error}"
    options = params["options"]
    sweep = Sweep(
        admin, params["run"], options["delete_timeout"], params["keep"], options["objects"], options["services"]
    )
    services, groups = ("nova", "neutron", "keystone"), ("controller", "compute")
    check = Check("clean-up", lambda: f"{sweep.all()} objects removed", services=services, groups=groups)
    return {"results": [perform(check).as_dict()], "consoles": consoles}


PHASES = {"use": use, "copies": copies, "reach": reach, "probe": probed, "clean": clean}
