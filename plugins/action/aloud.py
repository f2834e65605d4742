# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A command on the control machine whose words are seen while it runs, not after."""

from __future__ import annotations

import os
import subprocess

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display


class ActionModule(ActionBase):
    """Runs a command and shows each line as it comes."""

    TRANSFERS_FILES = False
    _VALID_ARGS = frozenset({"argv", "chdir", "environment"})

    def run(self, tmp=None, task_vars=None):
        """Run it; its exit code decides."""
        result = super().run(tmp, task_vars)
        argv = [str(word) for word in self._task.args["argv"]]
        result.update(changed=False, cmd=argv)
        if self._task.check_mode:
            result["skipped"] = True
            return result
        display = Display()
        with subprocess.Popen(
            argv,
            cwd=self._task.args.get("chdir"),
            env={**os.environ, **{name: str(value) for name, value in self._task.args.get("environment", {}).items()}},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as process:
            for line in process.stdout:
                display.display(line.rstrip("\n"))
        result.update(rc=process.returncode, failed=process.returncode != 0)
        if result["failed"]:
            result["msg"] = f"{argv[0]} ended with {process.returncode}; what it said is above"
        return result
