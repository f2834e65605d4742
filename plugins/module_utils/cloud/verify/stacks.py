# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stack of Heat with a server that signals it: created, updated and deleted by an unprivileged user."""

from __future__ import annotations

import socket
from collections.abc import Callable
from urllib.parse import urlsplit

from ansible_collections.cairn.openstack.plugins.module_utils.cloud.sdk import rest
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify import account, servers, volume
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify.checks import (
    Bad,
    Check,
    NotRun,
    Service,
    poll,
)
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify.run import Run

TYPE = "orchestration"
OF = ("heat", *servers.BOOT)
CIDR = "198.18.2.0/24"
SIGNALLED, UNREACHED = "cairn-verify: signal accepted", "cairn-verify: no response from"
# Attempts of the server to send its signal, and seconds between two.
ATTEMPTS, PAUSE = 6, 5
# The server's user data. It has neither a resolver nor the cloud's authority.
SCRIPT = f"""\
#!/bin/sh
echo "$address $name" >>/etc/hosts
for try in $(seq {ATTEMPTS}); do
  $curl --insecure --fail --silent --max-time 20 --data-binary '{{"status": "SUCCESS"}}' >/dev/null && {{
    echo "{SIGNALLED}"; exit; }}
  sleep {PAUSE}
done
echo "{UNREACHED} $name"
"""


def checks(run: Run, check: Callable[..., Check]) -> list[Check]:
    """Return the checks of Heat."""
    # Not one server more while others boot.
    last = ("other servers", "VLAN servers", "boot from volume", "cold migration")
    return [
        check("stack", created, (*servers.TO_BOOT, "router"), OF, after=last, groups=servers.NODES),
        check("stack signal", signalled, ("stack",), OF, groups=servers.NODES),
        check("stack update", updated, ("stack",), OF, groups=servers.NODES),
        check("stack deletion", deleted, ("stack update",), OF, groups=servers.NODES),
    ]


def template(run: Run, endpoint: str, volumes: bool, larger: bool = False) -> dict:
    """Return the template of the stack.

    :param endpoint: URL of Heat's API, which the server sends its signal to.
    :param volumes: whether the cloud has volumes.
    :param larger: with one network more.
    """
    host = urlsplit(endpoint).hostname or ""
    parameters = {
        "$curl": {"get_attr": ["handle", "curl_cli"]},
        "$name": host,
        "$address": socket.gethostbyname(host),
    }
    user_data = {"str_replace": {"template": SCRIPT, "params": parameters}}
    name = f"{run.name}-stack"
    found = {
        "network": _of("OS::Neutron::Net", name=name),
        "subnet": _of("OS::Neutron::Subnet", network={"get_resource": "network"}, cidr=CIDR),
        "router": _of("OS::Neutron::Router", name=name, external_gateway_info={"network": run.external.id}),
        "interface": _of(
            "OS::Neutron::RouterInterface", router={"get_resource": "router"}, subnet={"get_resource": "subnet"}
        ),
        "port": _of(
            "OS::Neutron::Port",
            name=name,
            network={"get_resource": "network"},
            fixed_ips=[{"subnet": {"get_resource": "subnet"}}],
        ),
        "address": {
            **_of("OS::Neutron::FloatingIP", floating_network=run.external.id, port_id={"get_resource": "port"}),
            "depends_on": "interface",
        },
        "handle": _of("OS::Heat::WaitConditionHandle"),
        "server": {
            **_of(
                "OS::Nova::Server",
                name=name,
                image=run.image,
                flavor=run.flavor.id,
                networks=[{"port": {"get_resource": "port"}}],
                user_data_format="RAW",
                user_data=user_data,
            ),
            "depends_on": "address",
        },
        "signal": {
            **_of("OS::Heat::WaitCondition", handle={"get_resource": "handle"}, timeout=run.options["boot_timeout"]),
            "depends_on": "server",
        },
    }
    if volumes:
        found["volume"] = _of("OS::Cinder::Volume", name=name, size=volume.SIZE)
        found["attachment"] = _of(
            "OS::Cinder::VolumeAttachment",
            instance_uuid={"get_resource": "server"},
            volume_id={"get_resource": "volume"},
        )
    if larger:
        found["more"] = _of("OS::Neutron::Net", name=f"{name}-more")
    return {"heat_template_version": "2021-04-16", "resources": found}


def _of(kind: str, **properties) -> dict:
    return {"type": kind, **({"properties": properties} if properties else {})}


def created(run: Run) -> str:
    """Create the stack, and wait until its server has signalled it."""
    if not run.external:
        raise NotRun("the cloud has no external network")
    catalog = run.user.session.auth.get_access(run.user.session).service_catalog
    volumes = any(service["type"] in volume.TYPES for service in catalog.catalog)
    endpoint = catalog.url_for(TYPE, interface="public")
    body = {
        "stack_name": run.name,
        "template": template(run, endpoint, volumes),
        "timeout_mins": max(1, 3 * run.options["boot_timeout"] // 60),
    }
    made = rest(run.user.orchestration, "POST", "/stacks", json=body).json()["stack"]
    run.stack = f"/stacks/{run.name}/{made['id']}"
    run.stack_volumes, run.stack_endpoint, run.unsignalled = volumes, endpoint, ""

    def look():
        if (ended := _ended(_state(run))) or run.unsignalled:
            return ended
        if (server := _server(run)) and UNREACHED in servers.console(run.admin, server):
            # So that the rest is checked all the same; the next check reports it.
            run.unsignalled = f"the server does not reach {endpoint}"
            rest(run.user.orchestration, "POST", f"{run.stack}/resources/handle/signal", json={"status": "SUCCESS"})
        return None

    state = poll(look, 3 * run.options["boot_timeout"], 2) or _state(run)
    _must(run, state, "CREATE_COMPLETE")
    return f"{len(_resources(run))} resources"


def signalled(run: Run) -> str:
    """Report whether the signal came from the server."""
    if run.unsignalled:
        raise NotRun(run.unsignalled)
    return f"by the server, to {run.stack_endpoint.split('/v1')[0]}"


def updated(run: Run) -> str:
    """Update the stack by a template with one resource more; all others remain."""
    before = {one["resource_name"]: one["physical_resource_id"] for one in _resources(run)}
    body = {"template": template(run, run.stack_endpoint, run.stack_volumes, larger=True), "timeout_mins": 10}
    rest(run.user.orchestration, "PUT", run.stack, json=body)
    state = poll(lambda: _ended(_state(run), "UPDATE"), run.options["boot_timeout"]) or _state(run)
    _must(run, state, "UPDATE_COMPLETE")
    after = {one["resource_name"]: one["physical_resource_id"] for one in _resources(run)}
    if {name: after.get(name) for name in before} != before or set(after) - set(before) != {"more"}:
        raise Bad(f"the update changed other resources: before {before}, after {after}", (run.stack.split("/")[-1],))
    return "one network more"


def deleted(run: Run) -> str:
    """Delete the stack; none of its resources remains."""
    resources = _resources(run)
    ids = {one["physical_resource_id"] for one in resources}
    rest(run.user.orchestration, "DELETE", run.stack)
    state = poll(lambda: _ended(_state(run), "DELETE"), run.options["boot_timeout"]) or _state(run)
    _must(run, state, "DELETE_COMPLETE")
    user = run.user
    found = [
        *user.network.networks(),
        *user.network.routers(),
        *user.network.ips(),
        *user.compute.servers(details=False),
    ]
    found += list(user.block_storage.volumes(details=False)) if run.stack_volumes else []
    if left := [one.id for one in found if one.id in ids]:
        raise Bad(f"left behind: {', '.join(left)}", tuple(left))
    return f"{len(resources)} resources"


def sweep(admin, project: str, seconds: float) -> list[str]:
    """Delete all stacks of a project as admin, and return those that remain.

    :param seconds: how long to wait for that.
    """
    heat = account.admin_of(admin, project).orchestration

    def listed() -> list[dict]:
        return rest(heat, "GET", "/stacks").json()["stacks"]

    for stack in listed():
        # One that is gone meanwhile, or is busy, shows in the list.
        heat.request(f"/stacks/{stack['stack_name']}/{stack['id']}", "DELETE")
    poll(lambda: not listed(), seconds)
    return [f"{stack['stack_name']} ({stack['stack_status']})" for stack in listed()]


def _state(run: Run) -> dict:
    return rest(run.user.orchestration, "GET", run.stack).json()["stack"]


def _ended(state: dict, action: str = "CREATE") -> dict | None:
    """Return the *state* if *action* has ended."""
    status = state["stack_status"]
    return state if status.startswith(action) and not status.endswith("IN_PROGRESS") else None


def _resources(run: Run) -> list[dict]:
    return rest(run.user.orchestration, "GET", f"{run.stack}/resources").json()["resources"]


def _server(run: Run) -> str:
    """Return the id of the stack's server; empty until it is there."""
    found = {one["resource_name"]: one for one in _resources(run)}.get("server", {})
    return found.get("physical_resource_id") if found.get("resource_status") == "CREATE_COMPLETE" else ""


def _must(run: Run, state: dict, wanted: str) -> None:
    """Raise Bad with Heat's reasons unless the stack has reached the status *wanted*."""
    if state["stack_status"] == wanted:
        return
    failed = [
        f"{one['resource_name']}: {one['resource_status_reason']}"
        for one in _resources(run)
        if not one["resource_status"].endswith("COMPLETE")
    ]
    said = "; ".join(failed) or state["stack_status_reason"]
    raise Bad(f"the stack is {state['stack_status']}: {said}", (state["id"],))


SERVICE = Service("heat", "stack", checks, sweep)
