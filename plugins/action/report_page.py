# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Writes the page of a report from what the hosts have said. Runs on the control node."""

from __future__ import annotations

import os
import time

from ansible.plugins.action import ActionBase
from ansible_collections.cairn.openstack.plugins.plugin_utils.catalog import topology
from ansible_collections.cairn.openstack.plugins.plugin_utils.control_node import (
    report_model,
    report_page,
    run_history,
    run_lock,
)

SPEC = {
    "file": {"type": "path", "required": True},
    "cloud": {"type": "str", "required": True},
    "addresses": {"type": "dict", "default": {}},
    "external_network": {"type": "str", "default": ""},
    "secrets_dir": {"type": "path", "required": True},
    "verification": {"type": "path"},
    "log_hours": {"type": "int", "default": 24},
    "certificate_days": {"type": "int", "default": 60},
    "full_percent": {"type": "int", "default": 85},
}


class ActionModule(ActionBase):
    """Sorts what was read, shows it in a sentence, and writes the page unless in check mode."""

    TRANSFERS_FILES = False

    def run(self, tmp=None, task_vars=None):
        """Return the sentence and the problems."""
        result = super().run(tmp, task_vars)
        args = self.validate_argument_spec(SPEC)[1]
        hostvars = task_vars["hostvars"]
        asked = task_vars["ansible_play_hosts_all"]
        known = {name: one for name, one in topology.topology(task_vars["groups"], hostvars).items() if name in asked}
        said = {name: hostvars.raw_get(name) for name in known}
        hosts = [self._host(host, said[name]) for name, host in known.items()]
        clouds = [found["report"] for one in said.values() if "report" in (found := one.get("report_of_cloud") or {})]
        why = next(
            (one["report_of_cloud"]["msg"] for one in said.values() if "msg" in one.get("report_of_cloud", {})), ""
        )
        model = report_model.model(
            args,
            hosts,
            clouds[0] if clouds else None,
            why,
            {
                "lock": run_lock.last(args["secrets_dir"]),
                "last": run_history.read(args["secrets_dir"])[: report_model.RUNS],
                "held": run_lock.held(args["secrets_dir"]),
                "verification": report_model.verification(args["verification"]),
            },
            time.time(),
        )
        page = report_page.render(model)
        if not self._task.check_mode:
            write(args["file"], page)
        where = "" if self._task.check_mode else f"\nThe report is {args['file']}"
        self._display.display(f"{model['sentence']}{where}")
        return {**result, "msg": model["sentence"], "problems": model["problems"]}

    @staticmethod
    def _host(host, variables):
        """Return a host with what it said, or with the reason why it said nothing."""
        found = variables.get("report_of_host") or {}
        ping = variables.get("report_ping") or {}
        other = "see the output of the run" if "ping" in ping else "--limit left it out"
        why = found.get("msg") or ping.get("msg") or other
        offset = (variables.get("cairn_probe") or {}).get("clock_offset") if "report" in found else None
        return {
            **host,
            "report": found.get("report"),
            "why": str(why).removeprefix("Task failed: "),
            "answers": "ping" in ping and not found.get("unreachable"),
            "clock_offset": offset,
        }


def write(path, text):
    """Write the file, readable by its owner only, as a whole or not at all."""
    os.makedirs(os.path.dirname(os.path.abspath(path)), mode=0o700, exist_ok=True)
    new = f"{path}.new"
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(text)
    os.replace(new, path)
