# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Workflows, as used by an unprivileged user: run, run by a cron trigger, and seen by their project only."""

from __future__ import annotations

import json
from collections.abc import Callable

from ansible_collections.cairn.openstack.plugins.module_utils.cloud.sdk import client, rest
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify import account
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify.checks import Bad, Check, Service, poll
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify.run import Run

TYPE = "workflowv2"
OF = ("mistral", "keystone")
TEXT = {"Content-Type": "text/plain"}
# Seconds: a cron trigger acts at the beginning of a minute.
MINUTE = 60
SUCCESS = "SUCCESS"
# The first task fails, the second one asks Keystone in the name of the user, the third one has what it said.
WORKFLOW = """
version: '2.0'
{name}:
  output: {{project: <% $.project %>}}
  tasks:
    fails:
      action: std.fail
      on-error: ask
    ask:
      action: openstack.request
      input: {{service: identity, path: /auth/projects}}
      publish: {{names: <% task().result.body.projects.name %>}}
      on-success: tell
    tell:
      action: std.echo output=<% $.names.first() %>
      publish: {{project: <% task().result %>}}
"""


def checks(run: Run, check: Callable[..., Check]) -> list[Check]:
    """Return the checks of Mistral."""
    return [
        check("workflow", workflow, ("token",), OF),
        check("cron trigger", triggered, ("workflow",), OF),
    ]


def workflow(run: Run) -> str:
    """Run a workflow that asks an API; the user does not see that of another project."""
    own, other = client(run.user, TYPE), client(run.admin, TYPE)
    text = WORKFLOW.format(name=run.name).encode()
    # An administrator sees those of all projects, so that one's is what the user must not see.
    mine, hidden = (
        rest(mistral, "POST", "/workflows", data=text, headers=TEXT).json()["workflows"][0]["id"]
        for mistral in (own, other)
    )
    made = rest(own, "POST", "/executions", json={"workflow_id": mine}).json()["id"]
    _succeeded(run, made)
    listed = {one["id"] for one in _listed(own, "workflows", run.name)}
    if mine not in listed:
        raise Bad("the list of workflows lacks that of the project", (mine,))
    status = own.request(f"/workflows/{hidden}", "GET").status_code
    if status not in (403, 404) or hidden in listed:
        raise Bad(f"the workflow of another project is visible: status {status}", (hidden,))
    rest(other, "DELETE", f"/workflows/{hidden}")
    return "a task that fails, another instead, an API in the name of the user; seen by its project only"


def triggered(run: Run) -> str:
    """Let a cron trigger run the workflow once, in the name of the user by a trust; delete both."""
    mistral = client(run.user, TYPE)
    before = {one["id"] for one in _listed(mistral, "executions", run.name, of="workflow_name")}
    body = {"name": run.name, "workflow_name": run.name, "pattern": "* * * * *", "remaining_executions": 1}
    rest(mistral, "POST", "/cron_triggers", json=body)

    def look() -> list[str]:
        found = _listed(mistral, "executions", run.name, of="workflow_name")
        return [one["id"] for one in found if one["id"] not in before]

    patience = MINUTE + run.options["api_timeout"]
    if not (made := poll(look, patience)):
        raise Bad(f"the workflow has not run {patience} s after its trigger was made", (run.name,))
    _succeeded(run, made[0])
    for one in (*before, *made):
        rest(mistral, "DELETE", f"/executions/{one}")
    for one in _listed(mistral, "workflows", run.name):
        rest(mistral, "DELETE", f"/workflows/{one['id']}")
    return "the workflow has run in the name of its user"


def _listed(mistral, kind: str, name: str, of: str = "name") -> list[dict]:
    """Return the objects of the *kind* with this *name*; an administrator sees those of all projects."""
    return [one for one in rest(mistral, "GET", f"/{kind}").json()[kind] if one.get(of) == name]


def _succeeded(run: Run, execution: str) -> None:
    """Wait for the end of an *execution*, which has the name of the project as its output."""
    mistral = client(run.user, TYPE)

    def ended() -> dict | None:
        found = rest(mistral, "GET", f"/executions/{execution}").json()
        return found if found["state"] in (SUCCESS, "ERROR", "CANCELLED", "PAUSED") else None

    found = poll(ended, run.options["api_timeout"])
    if not found or found["state"] != SUCCESS:
        why = (
            f"{found['state']}: {found.get('state_info')}"
            if found
            else f"not over after {run.options['api_timeout']} s"
        )
        raise Bad(f"the workflow is {why}", (execution,))
    if (told := json.loads(found["output"]).get("project")) != run.project.name:
        raise Bad(f"the workflow says that the user's project is {told}", (execution,))


def sweep(admin, project: str, seconds: float) -> list[str]:
    """Delete all workflows of a run, their triggers and executions as admin, and return those that remain."""
    name = admin.identity.get_project(project).name
    # A workflow of the run is the administrator's.
    both = [client(one, TYPE) for one in (account.admin_of(admin, project), admin)]

    def left() -> list[str]:
        found = []
        for mistral in both:
            for kind, of in (("cron_triggers", "name"), ("executions", "workflow_name"), ("workflows", "name")):
                for one in _listed(mistral, kind, name, of):
                    # One that is gone meanwhile shows in the next list.
                    more = {"params": {"force": "true"}} if kind == "executions" else {}
                    mistral.request(f"/{kind}/{one['id']}", "DELETE", **more)
                    found.append(f"{kind} {one['id']}")
        return found

    poll(lambda: not left(), seconds)
    return left()


SERVICE = Service("mistral", "workflow", checks, sweep)
