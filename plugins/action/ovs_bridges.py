# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Runs the module, and confirms a provisional change over a new connection."""

from __future__ import annotations

import time

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.action import ActionBase

MODULE = "cairn.openstack.ovs_bridges"
# The host reverts its change after 30 seconds, and is reachable some seconds later.
PATIENCE = 90


class ActionModule(ActionBase):
    """Runs the module and confirms a provisional change."""

    def run(self, tmp: str | None = None, task_vars: dict | None = None) -> dict:
        """Return the module's result; failed if the host reverted the change or stays unreachable."""
        result = super().run(tmp, task_vars)
        result.update(self._execute_module(module_name=MODULE, task_vars=task_vars))
        if not result.get("trial"):
            return result
        arguments = {**self._task.args, "confirm": True}
        end = time.monotonic() + PATIENCE
        why = "the change is not confirmed yet"
        while time.monotonic() < end:
            time.sleep(2)
            try:
                self._connection.reset()  # the old connection may survive although no new one is possible
                answer = self._execute_module(module_name=MODULE, module_args=arguments, task_vars=task_vars)
            except AnsibleConnectionFailure as error:
                why = str(error)
                continue
            if answer.get("failed"):
                return {**result, "changed": False, "failed": True, "msg": answer["msg"]}
            if not answer.get("pending", True):
                return result
        return {
            **result,
            "failed": True,
            "msg": f"after the change of its bridges the host could not be reached for {PATIENCE} s: {why}. It should "
            "have reverted the change by itself; on its console, see: journalctl -u cairn-bridges-undo",
        }
