# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where a run's time went: seconds of each play, of packages, and how many tasks a host executed."""

from __future__ import annotations

DOCUMENTATION = r"""
name: timing
type: aggregate
short_description: Where a run's time went
version_added: 0.1.0
description:
  - Prints the seconds of each play and the largest number of tasks that a host executed, when the run ends.
  - With O(file) the same is appended to a file as one line of JSON.
author: The Cairn authors (@cairn)
options:
  file:
    description: The file to append to.
    type: path
    env: [{name: CAIRN_TIMING_FILE}]
"""

import json
import os
import time
from collections import Counter

from ansible.plugins.callback import CallbackBase


class CallbackModule(CallbackBase):
    """Counts and measures; changes nothing in the output before the end."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "cairn.openstack.timing"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self):
        super().__init__()
        self._began = time.monotonic()
        self._plays = []
        self._tasks = Counter()
        self._packages = {}
        self._playbook = ""

    def v2_playbook_on_start(self, playbook):
        """Remember what runs."""
        self._playbook = os.path.basename(playbook._file_name)

    def v2_playbook_on_play_start(self, play):
        """Begin a new row."""
        self._plays.append([play.get_name(), time.monotonic()])

    def v2_runner_on_ok(self, result):
        """Count an executed task, and keep what the packages say of their own time."""
        self._tasks[result._host.get_name()] += 1
        seconds = result._result.get("seconds")
        if isinstance(seconds, dict):
            for step in ("lists", "download", "install"):
                self._packages[step] = max(self._packages.get(step, 0), seconds.get(step, 0))

    def v2_runner_on_failed(self, result, ignore_errors=False):
        """Count it too."""
        self._tasks[result._host.get_name()] += 1

    def v2_playbook_on_stats(self, stats):
        """Print the table."""
        ends = [began for _name, began in self._plays[1:]] + [time.monotonic()]
        rows = [(name, end - began) for (name, began), end in zip(self._plays, ends, strict=True)]
        rows += [(f"  packages: {step}", seconds) for step, seconds in self._packages.items() if seconds]
        total = time.monotonic() - self._began
        most = max(self._tasks.values(), default=0)
        for name, seconds in rows:
            self._display.display(f"{seconds:8.1f} s  {name}")
        self._display.display(f"{total:8.1f} s  in all; at most {most} tasks executed on a host")
        if path := os.environ.get("CAIRN_TIMING_FILE"):
            line = {
                "playbook": self._playbook,
                "seconds": round(total, 1),
                "tasks": dict(self._tasks),
                "parts": [[name.strip(), round(seconds, 1)] for name, seconds in rows],
            }
            with open(path, "a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
