# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measurements of a server, as its user reads them, and alarms on them, which let a group of a stack grow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.cairn.openstack.plugins.module_utils.cloud.sdk import client, rest
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify import account, servers
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify.checks import (
    Bad,
    Check,
    Service,
    poll,
)
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify.run import TENANT, Run

MEASURED, ALARMED = ("ceilometer", "gnocchi"), ("aodh", "gnocchi", "ceilometer")
# What is measured of a server, with the type of the resource that has it, and metrics of which one suffices:
# memory.usage comes from the guest's balloon device.
WANTED = {
    "processor": ("instance", ("cpu",)),
    "memory": ("instance", ("memory.usage", "memory.resident")),
    "disk": ("instance_disk", ("disk.device.read.bytes",)),
    "network": ("instance_network_interface", ("network.incoming.bytes",)),
}
# Intervals until a measurement must have arrived, and seconds in which services wait for each other.
INTERVALS, PATIENCE = 4, 180
# Nanoseconds of processor time in an interval, which every running server needs.
LOAD = 1000


def measurements(run: Run, check: Callable[..., Check]) -> list[Check]:
    """Return the check of what is measured."""
    return [check("metrics of a server", measured, ("server",), MEASURED, groups=servers.NODES)]


def alarms(run: Run, check: Callable[..., Check]) -> list[Check]:
    """Return the checks of alarms: one that fires, and with Heat one that lets a group grow."""
    found = [check("alarm", fired, ("server",), ALARMED, groups=servers.NODES)]
    if "heat" in run.options["services"]:
        needs = ("server", "network")
        found.append(
            check("scaling group", grown, needs, (*ALARMED, "heat"), after=("stack deletion",), groups=servers.NODES)
        )
    return found


def measured(run: Run) -> str:
    """Wait until the user reads measurements of the first server: processor, memory, disk and network."""
    server, gnocchi = run.on(TENANT)[0], client(run.user, "metric")
    missing: list[str] = []

    def look() -> dict[str, str] | None:
        found = {about: _newest(gnocchi, server.id, *wanted) for about, wanted in WANTED.items()}
        missing[:] = [about for about, value in found.items() if not value]
        return None if missing else found

    interval = run.options["metrics_interval"]
    found = poll(look, INTERVALS * interval + PATIENCE, 3)
    if not found:
        raise Bad(f"no measurement of {', '.join(missing)} after {INTERVALS} intervals of {interval} s", (server.id,))
    return ", ".join(f"{about} {value}" for about, value in found.items())


def fired(run: Run) -> str:
    """Wait until an alarm on the first server's processor load fires."""
    server, aodh = run.on(TENANT)[0], client(run.user, "alarming")
    interval = run.options["metrics_interval"]
    rule = {"metric": "cpu", "resource_id": server.id, "resource_type": "instance", **_condition(interval)}
    # The server's load may be too low until its first measurements, but not undefined afterwards.
    body = {"name": run.name, "type": "gnocchi_resources_threshold", "gnocchi_resources_threshold_rule": rule}
    alarm = rest(aodh, "POST", "/v2/alarms", json=body).json()["alarm_id"]
    seconds = (INTERVALS + 1) * interval + PATIENCE

    def state() -> str:
        return rest(aodh, "GET", f"/v2/alarms/{alarm}/state").json()

    if not poll(lambda: state() == "alarm", seconds, 2):
        reason = rest(aodh, "GET", f"/v2/alarms/{alarm}").json().get("state_reason")
        raise Bad(f"the alarm is in the state {state()!r} after {seconds} s: {reason}", (alarm, server.id))
    rest(aodh, "DELETE", f"/v2/alarms/{alarm}")
    return f"on processor load, measured every {interval} s"


def grown(run: Run) -> str:
    """Create a stack with a group that grows by one while the first server's processor is busy; wait until it has."""
    server, interval = run.on(TENANT)[0], run.options["metrics_interval"]
    name = f"{run.name}-group"
    heat = run.user.orchestration
    body = {"stack_name": name, "template": template(run, server.id, interval), "timeout_mins": 10}
    stack = f"/stacks/{name}/{rest(heat, 'POST', '/stacks', json=body).json()['stack']['id']}"
    seconds = (INTERVALS + 1) * interval + PATIENCE
    shown: dict[str, Any] = {}

    def look() -> bool:
        shown.update(rest(heat, "GET", stack).json()["stack"])
        outputs = {one["output_key"]: one.get("output_value") for one in shown.get("outputs", ())}
        return shown["stack_status"].endswith("FAILED") or len(outputs.get("members") or ()) > 1

    reached = poll(look, seconds, 3)
    if not reached or shown["stack_status"].endswith("FAILED"):
        said = f"the stack is {shown['stack_status']}: {shown['stack_status_reason']}"
        raise Bad(f"the group did not grow within {seconds} s; {said}", (shown["id"], server.id))
    rest(heat, "DELETE", stack)
    if not poll(lambda: rest(heat, "GET", stack).json()["stack"]["stack_status"] == "DELETE_COMPLETE", seconds):
        raise Bad(f"the stack is not deleted after {seconds} s", (shown["id"],))
    return "from one member to two, by an alarm on processor load"


def template(run: Run, server: str, interval: int) -> dict:
    """Return the template of a stack with a group of ports, which an alarm on the load of *server* lets grow."""
    alarm = {
        "metric": "cpu",
        "resource_id": server,
        "resource_type": "instance",
        **_condition(interval),
        # Aodh sends the signal in the name of the user, who trusts it.
        "alarm_actions": [
            {"str_replace": {"template": "trust+url", "params": {"url": {"get_attr": ["policy", "signal_url"]}}}}
        ],
    }
    member = {"type": "OS::Neutron::Port", "properties": {"network": run.network.id, "name": f"{run.name}-member"}}
    policy = {
        "adjustment_type": "change_in_capacity",
        "auto_scaling_group_id": {"get_resource": "group"},
        "scaling_adjustment": 1,
        "cooldown": 3600,
    }
    return {
        "heat_template_version": "2021-04-16",
        "resources": {
            "group": {
                "type": "OS::Heat::AutoScalingGroup",
                "properties": {"min_size": 1, "max_size": 2, "resource": member},
            },
            "policy": {"type": "OS::Heat::ScalingPolicy", "properties": policy},
            "alarm": {"type": "OS::Aodh::GnocchiResourcesAlarm", "properties": alarm},
        },
        "outputs": {"members": {"value": {"get_attr": ["group", "refs"]}}},
    }


def sweep(admin: Any, project: str, seconds: float) -> list[str]:
    """Delete all alarms of a project as admin, and return those that remain."""
    aodh = client(account.admin_of(admin, project), "alarming")

    def listed() -> list[dict]:
        return rest(aodh, "GET", "/v2/alarms").json()

    for alarm in listed():
        # One that is gone meanwhile shows in the list.
        aodh.request(f"/v2/alarms/{alarm['alarm_id']}", "DELETE")
    poll(lambda: not listed(), seconds)
    return [alarm["name"] for alarm in listed()]


def _condition(interval: int) -> dict[str, Any]:
    return {
        "aggregation_method": "rate:mean",
        "comparison_operator": "gt",
        "evaluation_periods": 1,
        "granularity": interval,
        "threshold": LOAD,
    }


def _newest(gnocchi: Any, server: str, kind: str, metrics: tuple[str, ...]) -> str:
    """Return the newest value of one of *metrics* of the server's resource of type *kind*; empty without any."""
    search = {"=": {"id" if kind == "instance" else "instance_id": server}}
    for resource in rest(gnocchi, "POST", f"/v1/search/resource/{kind}", json=search).json():
        for name in metrics:
            metric = resource["metrics"].get(name)
            if metric and (values := rest(gnocchi, "GET", f"/v1/metric/{metric}/measures").json()):
                return f"{values[-1][2]:.0f}"
    return ""


# Gnocchi deletes measurements after their time.
METRICS = Service("ceilometer", "metric", measurements)
ALARMS = Service("aodh", "alarm", alarms, sweep)
