# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Recovery of servers: Masakari knows all compute hosts, works off what it is told, and answers administrators only."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from ansible_collections.cairn.openstack.plugins.module_utils.cloud.sdk import client, rest
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify.checks import (
    Bad,
    Check,
    NotRun,
    Service,
    poll,
)
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify.run import Run

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
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S")
    payload = {"event": "STARTED", "process_name": run.name}
    body = {"notification": {"type": "PROCESS", "hostname": host, "generated_time": now, "payload": payload}}
    made = rest(masakari, "POST", "/notifications", json=body).json()["notification"]["notification_uuid"]

    def ended() -> str:
        state = rest(masakari, "GET", f"/notifications/{made}").json()["notification"]["status"]
        return state if state in (FINISHED, *OTHERS) else ""

    if (state := poll(ended, run.options["api_timeout"])) != FINISHED:
        why = state or f"not over after {run.options['api_timeout']} s"
        raise Bad(f"the notification is {why}", (made,))
    return f"taken note of, for {host}"


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
