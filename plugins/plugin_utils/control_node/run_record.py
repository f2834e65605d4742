# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The record of a run: phases, steps, changes and failures, for the output and for programs."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field

from ansible_collections.cairn.openstack.plugins.plugin_utils.control_node import run_changes
from ansible_collections.cairn.openstack.plugins.plugin_utils.control_node.run_changes import Change


@dataclass
class Step:
    """One task, on all of its hosts."""

    name: str
    action: str
    began: float
    ended: float | None = None
    started: list[str] = field(default_factory=list)
    done: set[str] = field(default_factory=set)

    @property
    def waiting(self) -> list[str]:
        """The hosts without a result yet."""
        return [host for host in self.started if host not in self.done]


@dataclass
class Failure:
    """Why a task failed on a host, or why the host is unreachable."""

    host: str
    step: str
    cause: list[str]
    services: list[str]
    remedy: str
    unreachable: bool = False


@dataclass
class Phase:
    """One play, or one batch of it."""

    name: str
    began: float
    ended: float | None = None
    steps: list[Step] = field(default_factory=list)
    changes: list[tuple[str, str, Change]] = field(default_factory=list)
    """each with its host and the name of its step"""
    failures: list[Failure] = field(default_factory=list)

    @property
    def hosts(self) -> list[str]:
        """The hosts that executed tasks."""
        return list(dict.fromkeys(host for step in self.steps for host in [*step.started, *sorted(step.done)]))

    @property
    def seconds(self) -> float:
        """The duration, until now if it has not ended."""
        return (self.ended or time.monotonic()) - self.began


@dataclass
class Run:
    """A whole run."""

    definitions: dict[str, str] = field(default_factory=dict)
    """the texts of the service definitions, by name"""
    playbook: str = ""
    check: bool = False
    began: float = field(default_factory=time.monotonic)
    phases: list[Phase] = field(default_factory=list)
    tasks: Counter = field(default_factory=Counter)
    """the number of executed tasks by host"""
    packages: dict[str, float] = field(default_factory=dict)
    """the seconds of each step of package installation on the slowest host"""
    _seen: set = field(default_factory=set)

    def begin_phase(self, name: str) -> None:
        """Start a phase, and end the previous one."""
        self.end()
        self.phases.append(Phase(name, time.monotonic()))

    def begin_step(self, name: str, action: str) -> None:
        """Start a task, and end the previous one."""
        self._end_step()
        self.phases[-1].steps.append(Step(name, action, time.monotonic()))

    def end(self) -> None:
        """End the current phase."""
        self._end_step()
        if self.phases and self.phases[-1].ended is None:
            self.phases[-1].ended = time.monotonic()

    def _end_step(self) -> None:
        if self.step and self.step.ended is None:
            self.step.ended = time.monotonic()

    @property
    def step(self) -> Step | None:
        """The current task of this phase."""
        return self.phases[-1].steps[-1] if self.phases and self.phases[-1].steps else None

    def ok(self, host: str, where: str, action: str, step: str, result: dict) -> None:
        """Record the result of a task on a host.

        :param where: the host that it was delegated to, if any.
        """
        self._executed(host)
        seconds = result.get("seconds")
        for name, value in seconds.items() if isinstance(seconds, dict) else ():
            if run_changes.module_of(action) == "packages" and isinstance(value, (int, float)):
                self.packages[name] = max(self.packages.get(name, 0), value)
        if run_changes.module_of(action) in run_changes.AT_THE_OPERATOR:
            where = "localhost"
        for change in run_changes.read(step, result):
            # In a plan, a later task may report the same change again, as the earlier one did not make it.
            told = (where, change.kind, change.verb, change.name, change.detail if change.kind != "unit" else "")
            if not (self.check and told in self._seen):
                self.phases[-1].changes.append((where, step, change))
            self._seen.add(told)

    def failed(self, failure: Failure) -> None:
        """Record a failure."""
        if failure.unreachable:
            self.answered(failure.host)
        else:
            self._executed(failure.host)
        self.phases[-1].failures.append(failure)

    def answered(self, host: str) -> None:
        """Record that the task has ended on a host."""
        if self.step:
            self.step.done.add(host)

    def _executed(self, host: str) -> None:
        self.tasks[host] += 1
        self.answered(host)

    @property
    def changes(self) -> list[tuple[str, Change]]:
        """All changes, each with its host."""
        return [(host, change) for phase in self.phases for host, _step, change in phase.changes]

    @property
    def seconds(self) -> float:
        """The duration until now."""
        return time.monotonic() - self.began

    def slowest(self, number: int | None = None, over: float = 0) -> list[tuple[float, Phase, Step]]:
        """Return the slowest tasks with their seconds, all by default.

        :param over: minimum seconds of the listed tasks.
        """
        took = [((step.ended or step.began) - step.began, phase, step) for phase in self.phases for step in phase.steps]
        return sorted((row for row in took if row[0] >= over), key=lambda row: -row[0])[:number]

    def timing(self) -> dict:
        """Return the durations as data."""
        parts = [(phase.name, phase.seconds) for phase in self.phases]
        parts += [(f"packages: {name}", seconds) for name, seconds in self.packages.items() if seconds]
        return {
            "playbook": self.playbook,
            "seconds": round(self.seconds, 1),
            "tasks": dict(self.tasks),
            "parts": [[name, round(seconds, 1)] for name, seconds in parts],
            "steps": [[phase.name, step.name, round(seconds, 2)] for seconds, phase, step in self.slowest()],
        }

    def document(self) -> dict:
        """Return all changes and failures as data."""
        return {
            "playbook": self.playbook,
            "check": self.check,
            "complete": not any(phase.failures for phase in self.phases),
            "counts": run_changes.counts(self.changes),
            "hosts": sorted({host for host, _change in self.changes}),
            "changes": [
                {
                    "host": host,
                    "phase": phase.name,
                    "task": step,
                    "service": run_changes.service_of(change, self.definitions),
                    "kind": change.kind,
                    "verb": change.verb,
                    "name": change.name,
                    "detail": change.detail,
                    "diff": list(change.diff),
                }
                for phase in self.phases
                for host, step, change in phase.changes
            ],
            "failures": [
                {
                    "host": failure.host,
                    "phase": phase.name,
                    "task": failure.step,
                    "unreachable": failure.unreachable,
                    "services": failure.services,
                    "cause": failure.cause,
                    "remedy": failure.remedy,
                }
                for phase in self.phases
                for failure in phase.failures
            ],
        }
