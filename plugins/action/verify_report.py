# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shows and saves the results of C(verify), and fails if a check failed."""

from __future__ import annotations

import os

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.cairn.openstack.plugins.plugin_utils.control_node import verify_report as report

SPEC = {
    "outcome": {"type": "dict", "required": True},
    "logs": {"type": "list", "elements": "dict", "default": []},
    "junit": {"type": "path"},
}

display = Display()


class ActionModule(ActionBase):
    """Runs on the control node only."""

    TRANSFERS_FILES = False

    def run(self, tmp=None, task_vars=None):
        """Return the counts; failed if a check failed."""
        result = super().run(tmp, task_vars)
        args = self.validate_argument_spec(SPEC)[1]
        results, seconds = args["outcome"]["results"], args["outcome"]["seconds"]
        logs = report.logs([{"host": host["item"]["host"], **host} for host in args["logs"]])
        counts = report.counts(results, seconds)
        failed = args["outcome"]["failed_checks"]
        for line in logs:
            display.display(line, color="red")
        for row, colour in report.rows(results):
            display.display(row, color=colour)
        display.display(counts, color="red" if failed else "green")
        guest = args["outcome"].get("server")
        if guest:
            display.display(f"Kept server: {guest['ssh']}")
        if args["junit"]:
            os.makedirs(os.path.dirname(os.path.abspath(args["junit"])), mode=0o700, exist_ok=True)
            with open(args["junit"], "wb") as file:
                file.write(report.junit(results, seconds, logs))
        msg = f"failed: {', '.join(failed)}; {counts}" if failed else counts
        return {**result, "failed": bool(failed), "msg": msg}
