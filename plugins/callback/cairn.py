# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The output of a run for users, and its record for programs."""

from __future__ import annotations

DOCUMENTATION = r"""
name: cairn
type: stdout
short_description: Output of a run by phases, with changes and their causes
version_added: 0.1.0
description:
  - Shows a line for each play with its hosts and seconds, and below it the changes, with equal changes of several hosts
    merged. Restarts are shown with their causes, failures with service, host, cause and likely remedy. The output ends
    with the slowest tasks and a summary.
  - On a terminal the last line shows the current activity. Otherwise no line is rewritten.
  - With C(--check) it shows the complete plan, with differences if C(--diff) is given; its last line counts them.
  - With C(-v) and more it shows the output of P(ansible.builtin.default#callback), followed by its own summary.
  - A playbook that has taken the lock of a cloud adds a line to C(runs.jsonl) beside it, in C(cloud_secrets_dir), with
    its end, its user, and what came of it. So does one that preflight has refused, if that directory is there. The last
    hundred are kept.
  - The extra variable C(plan_out) names a file for all changes and failures as JSON, readable by its owner only.
  - With the extra variable C(plan_exit_code=true) and C(--check), the exit code is 3 if the plan contains changes.
    Those of failures (2) and unreachable hosts (4) take precedence.
author: The Cairn authors (@cairn)
requirements:
  - set as C(stdout_callback) in the configuration
extends_documentation_fragment:
  - default_callback
  - result_format_callback
options:
  timing_file:
    description: File to which the seconds of the phases and the number of tasks per host are appended, as JSON.
    type: path
    env: [{name: CAIRN_TIMING_FILE}]
"""

EXAMPLES = r"""
ansible.cfg: |
  [defaults]
  stdout_callback = cairn.openstack.cairn
"""

import json
import os
import shutil
import sys
from copy import deepcopy
from pathlib import Path

from ansible import context
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.callback.default import CallbackModule as Default
from ansible_collections.cairn.openstack.plugins.plugin_utils.control_node import run_changes, run_history, run_text
from ansible_collections.cairn.openstack.plugins.plugin_utils.control_node.live_line import LiveLine
from ansible_collections.cairn.openstack.plugins.plugin_utils.control_node.remedies import remedy
from ansible_collections.cairn.openstack.plugins.plugin_utils.control_node.run_record import Failure, Run

DEFINITIONS = Path(__file__).parents[2] / "roles/catalog/defaults/main"
# The width of the output without a terminal.
WIDTH = 120
DRIFT = 3
UNWRITTEN = 1


class CallbackModule(Default):
    """Records the run and shows it phase by phase; with -v its parent shows it."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "cairn.openstack.cairn"

    def __init__(self):
        super().__init__()
        self._run = Run({path.stem: path.read_text(encoding="utf-8") for path in sorted(DEFINITIONS.glob("*.yml"))})
        self._playbooks = 0
        self._variables = {}
        self._number_of_plays = 0
        self._play_names = []
        self._failures = []
        self._lock_directory = ""
        self._refused = 0
        self._first_phase = 0
        self._live = None

    # Events

    def v2_playbook_on_start(self, playbook):
        """Start; on a terminal with a live line."""
        self._playbooks += 1
        self._run.playbook = os.path.basename(playbook._file_name)
        self._run.check = bool(context.CLIARGS.get("check"))
        self._number_of_plays = len(playbook.get_plays())
        self._play_names = []
        # A command may run several playbooks, of which only some take the lock.
        self._lock_directory = ""
        self._refused = 0
        self._first_phase = len(self._run.phases)
        if self._display.verbosity:
            super().v2_playbook_on_start(playbook)
        elif self._live is None and sys.stdout.isatty() and os.environ.get("TERM") != "dumb":
            self._live = LiveLine(self._display, self._now)

    def v2_playbook_on_play_start(self, play):
        """End the previous phase, and start one."""
        self._end_phase()
        name = play.get_name().strip()
        if name not in self._play_names:
            self._play_names.append(name)
        self._run.begin_phase(name)
        self._variables = play.get_variable_manager().extra_vars
        if self._display.verbosity:
            super().v2_playbook_on_play_start(play)

    def v2_playbook_on_task_start(self, task, is_conditional):
        """End the previous task, and start one."""
        self._end_step()
        self._run.begin_step(task.name or task.action, task.action)
        if self._display.verbosity:
            super().v2_playbook_on_task_start(task, is_conditional)

    def v2_playbook_on_handler_task_start(self, task):
        """Treat a handler as a task."""
        self._end_step()
        self._run.begin_step(task.name or task.action, task.action)
        if self._display.verbosity:
            super().v2_playbook_on_handler_task_start(task)

    def v2_playbook_on_vars_prompt(self, *arguments, **options):
        """Leave the terminal to the prompt."""
        self._end_phase()

    def v2_runner_on_start(self, host, task):
        """Count the hosts that the task waits for."""
        if self._run.step:
            self._run.step.started.append(host.get_name())
        if self._display.verbosity:
            super().v2_runner_on_start(host, task)

    def v2_runner_on_ok(self, result):
        """Record the result of a task."""
        host, task, said = result._host.get_name(), result._task, result._result
        where = result._task_fields.get("delegate_to") or host
        self._run.ok(host, str(where), task.action, task.name or task.action, said)
        if run_changes.module_of(task.action) == "preflight":
            self._lock_directory = said.get("lock_directory") or self._lock_directory
        if self._display.verbosity:
            super().v2_runner_on_ok(result)
            return
        self._warn(said)
        if task.action.rpartition(".")[2] == "debug" and "censored" not in said:
            self._clean_results(said, task.action)
            self._display.display(f"{host}: {said['msg'] if 'msg' in said else self._dump_results(said)}")

    def v2_runner_on_skipped(self, result):
        """Record a skipped task."""
        self._run.answered(result._host.get_name())
        if self._display.verbosity:
            super().v2_runner_on_skipped(result)

    def v2_runner_on_failed(self, result, ignore_errors=False):
        """Record a failure; it is shown when the task has ended on all hosts.

        :param ignore_errors: the task's keyword; such a failure does not fail the run.
        """
        self._fail(result, ignored=ignore_errors)
        if self._display.verbosity:
            super().v2_runner_on_failed(result, ignore_errors)
        else:
            self._warn(result._result)

    def v2_runner_on_unreachable(self, result):
        """Record an unreachable host."""
        self._fail(result, ignored=bool(result._task.ignore_unreachable), unreachable=True)
        if self._display.verbosity:
            super().v2_runner_on_unreachable(result)

    def _warn(self, said):
        said.pop("deprecations", None)  # they are for authors, who use -v
        self._handle_warnings(said)

    def _fail(self, result, ignored, unreachable=False):
        host, task, said = result._host.get_name(), result._task, result._result
        if ignored:
            self._run.answered(host)
            return
        if run_changes.module_of(task.action) == "preflight" and said.get("errors"):
            self._lock_directory = said.get("lock_directory") or self._lock_directory
            self._refused = said["errors"]
        words = run_text.cause(said)
        failure = Failure(
            host=host,
            step=task.name or task.action,
            cause=words,
            services=run_text.services(said, words, self._run.definitions),
            remedy="" if "errors" in said else remedy("\n".join(words)),
            unreachable=unreachable,
        )
        self._run.failed(failure)
        self._failures.append(failure)

    # Output

    @property
    def _width(self):
        return shutil.get_terminal_size((WIDTH, 24)).columns if self._live else WIDTH

    @property
    def _everybody(self):
        return sorted({host for phase in self._run.phases for host in phase.hosts})

    def _now(self):
        """The current activity, in a line."""
        step = self._run.step
        # A pause shows its prompt in the last line of the terminal.
        if not step or self._run.phases[-1].ended or step.action.rpartition(".")[2] == "pause":
            return ""
        where = f"[{len(self._play_names)}/{self._number_of_plays}]"
        return run_text.live_text(where, self._run.phases[-1], step, self._width)

    def _say(self, lines):
        for text, colour in lines:
            self._display.display(text, color=colour)
        sys.stdout.flush()  # a reader of a pipe needs each phase when it ends

    def _end_step(self):
        failures, self._failures = self._failures, []
        if failures and not self._display.verbosity:
            self._say(run_text.failure_lines(failures, self._run.phases[-1].name, self._everybody, self._width))

    def _end_phase(self):
        self._end_step()
        phase = self._run.phases[-1] if self._run.phases else None
        if phase is None or phase.ended is not None:
            return
        self._run.end()
        if phase.hosts and not self._display.verbosity:
            render = self._diff if context.CLIARGS.get("diff") else None
            self._say(run_text.phase_lines(self._run, phase, self._everybody, self._width, render))

    def _diff(self, diff):
        return self._get_diff([deepcopy(diff)])

    def v2_playbook_on_stats(self, stats):
        """Show the summary, write the requested files, and set the requested exit code."""
        self._end_phase()
        if self._display.verbosity:
            super().v2_playbook_on_stats(stats)
        slowest = run_text.slowest_lines(self._run, self._width)
        failed, unreachable = sorted(stats.failures), sorted(stats.dark)
        end = [run_text.end_line(self._run, list(stats.processed), failed, unreachable)]
        if self._run.check:
            end.append(run_text.plan_line(self._run, self._everybody))
        self._say(
            [
                ("", None),
                *slowest,
                *([("", None)] if slowest else []),
                *(run_text.wrapped(end, self._width) if self._live else end),
            ]
        )
        last = self._playbooks == len(context.CLIARGS.get("args") or ())
        self._write_timing()
        written = self._write_plan()
        self._write_history(failed, unreachable)
        asked = boolean(self._variables.get("plan_exit_code", False), strict=False)
        if last and not failed and not unreachable:
            # Ansible does not catch this exception, but still cleans up.
            if not written:
                raise SystemExit(UNWRITTEN)
            if asked and self._run.check and self._run.changes:
                raise SystemExit(DRIFT)

    def _write_timing(self):
        path = self.get_option("timing_file")
        if path:
            with open(path, "a", encoding="utf-8") as file:
                file.write(json.dumps(self._run.timing()) + "\n")

    def _write_history(self, failed, unreachable):
        """Add the playbook to the last runs of its cloud, if it has the lock or preflight has refused it.

        A failure is a warning only.
        """
        if not self._lock_directory or self._run.check:
            return
        try:
            one = run_history.entry(self._run, self._first_phase, failed, unreachable, self._refused)
            run_history.add(self._lock_directory, one)
        # A user without a name, a full disk, a file of another form: the result of the run stays.
        except (OSError, ValueError, KeyError, TypeError) as error:
            self._display.warning(f"The run can't be recorded: {' '.join(str(error).split())}")

    def _write_plan(self):
        """Write the requested file, if any; return whether that succeeded."""
        path = str(self._variables.get("plan_out") or "")
        if not path:
            return True
        text = json.dumps(self._run.document(), indent=1, default=str)
        try:
            path = os.path.expanduser(path)
            with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
                file.write(text + "\n")
        except OSError as error:
            self._display.error(f"plan_out can't be written: {error}")
            return False
        return True


def _with_v(name):
    """Return the parent's method *name*, without output unless -v is given."""
    own = getattr(Default, name)

    def method(self, *arguments, **options):
        if self._display.verbosity:
            own(self, *arguments, **options)

    return method


for _name in (
    "v2_on_file_diff",
    "v2_playbook_on_include",
    "v2_playbook_on_no_hosts_matched",
    "v2_playbook_on_no_hosts_remaining",
    "v2_runner_item_on_failed",
    "v2_runner_item_on_ok",
    "v2_runner_item_on_skipped",
    "v2_runner_retry",
):
    setattr(CallbackModule, _name, _with_v(_name))
