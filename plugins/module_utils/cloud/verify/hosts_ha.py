# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Recovery of servers: Masakari knows all compute hosts, starts a server again, and answers administrators only."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from ansible_collections.cairn.openstack.plugins.module_utils.cloud.sdk import client, rest
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify import servers
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify.checks import (
    Bad,
    Check,
    NotRun,
    Service,
    poll,
)
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify.run import MOVED, Run

TYPE = "instance-ha"
OF = ("masakari", "cairn-host")
# The segment of cairn_host_ha.py.
SEGMENT = "compute"
# States of a notification that has ended.
FINISHED, OTHERS = "finished", ("error", "failed", "ignored")


def checks(run: Run, check: Callable[..., Check]) -> list[Check]:
    """Return the checks of Masakari."""
    return [
        check("recovery", known, ("token",), OF),
        check("notification", notified, ("recovery",), OF),
        check(
            "server started again",
            started_again,
            ("notification", "resize"),
            (*OF, "nova", "libvirt"),
            after=("cold migration",),
            groups=servers.NODES,
        ),
    ]


def known(run: Run) -> str:
    """Compare the hosts of the segment with Nova's; ask for them as the user, who may not see them."""
    masakari = client(run.admin, TYPE)
    services = rest(run.admin.compute, "GET", "/os-services", params={"binary": "nova-compute"}).json()["services"]
    wanted = sorted(one["host"] for one in services)
    # The monitor adds a host some seconds after Nova.
    if not poll(lambda: sorted(_hosts(masakari)) == wanted, run.options["api_timeout"]):
        raise Bad(f"Nova has the compute hosts {', '.join(wanted)}, Masakari {', '.join(sorted(_hosts(masakari)))}")
    status = client(run.user, TYPE).request("/segments", "GET").status_code
    if status != 403:
        raise Bad(f"a user's request for the segments has the status {status}")
    return f"{len(wanted)} hosts"


def notified(run: Run) -> str:
    """Tell Masakari that a process of a host has started, of which it only takes note."""
    masakari = client(run.admin, TYPE)
    host = next((name for name, one in sorted(_hosts(masakari).items()) if not one["on_maintenance"]), None)
    if host is None:
        raise NotRun("all hosts are on maintenance")
    _work_off(masakari, "PROCESS", host, {"event": "STARTED", "process_name": run.name}, run.options["api_timeout"])
    return f"taken note of, for {host}"


def started_again(run: Run) -> str:
    """Tell Masakari that the process of a guest has died: it stops and starts the server."""
    (guest,) = run.on(MOVED)
    before = len(list(run.admin.compute.server_actions(guest.id)))
    payload = {"event": "LIFECYCLE", "instance_uuid": guest.id, "vir_domain_event": "STOPPED_FAILED"}
    # To stop it, and to start it.
    seconds = 2 * run.options["boot_timeout"]
    _work_off(client(run.admin, TYPE), "VM", guest.host, payload, seconds)
    # The newest is the first.
    actions = [one.action for one in run.admin.compute.server_actions(guest.id)]
    done = actions[: len(actions) - before]
    if sorted(done) != ["start", "stop"]:
        raise Bad(f"Masakari did {', '.join(done) or 'nothing'} to {guest.name}", (guest.id,), (guest.host,))
    servers.active(run, [guest])
    servers.answers(run, guest)
    return f"{guest.name} on {guest.host}"


def _work_off(masakari, kind: str, host: str, payload: dict, seconds: float) -> None:
    """Tell Masakari of something on a host, and wait until it has done what follows.

    :raises Bad: it has not.
    """
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S")
    body = {"notification": {"type": kind, "hostname": host, "generated_time": now, "payload": payload}}
    made = rest(masakari, "POST", "/notifications", json=body).json()["notification"]["notification_uuid"]

    def ended() -> str:
        state = rest(masakari, "GET", f"/notifications/{made}").json()["notification"]["status"]
        return state if state in (FINISHED, *OTHERS) else ""

    if (state := poll(ended, seconds)) != FINISHED:
        raise Bad(f"the notification is {state or f'not over after {seconds} s'}", (made,))


def _hosts(masakari) -> dict[str, dict]:
    """Return the hosts of the segment by name."""
    found = rest(masakari, "GET", "/segments").json()["segments"]
    ids = [one["uuid"] for one in found if one["name"] == SEGMENT and one["recovery_method"] == "auto"]
    return {
        one["name"]: one
        for segment in ids
        for one in rest(masakari, "GET", f"/segments/{segment}/hosts").json()["hosts"]
    }


SERVICE = Service("masakari", "recovery of hosts", checks)
