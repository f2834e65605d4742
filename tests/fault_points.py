# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where a run of site.yml is broken off: in which task and how many seconds after its beginning, drawn from a seed."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from random import Random

from support import Playbooks, kill, node_groups, reboot

OPTION = '--extra-vars={"cloud_config_zz_test": {"glance": {"glance-api.conf": {"DEFAULT": {"workers": 3}}}}}'


@dataclass(frozen=True)
class Phase:
    """A part of a run: the hosts that it begins on, its tasks with how long each lasts at least, and what is asked."""

    start: str
    tasks: dict[str, float]
    arguments: tuple[str, ...] = ()


@dataclass(frozen=True)
class Point:
    """One place, and what happens there: the run is ``killed``, or ``power lost`` by the hosts as well, or these are
    ``rebooted`` under it.
    """

    name: str
    start: str
    task: str
    after: float
    what: str = "killed"
    arguments: tuple[str, ...] = ()

    @property
    def place(self) -> str:
        """Say where it is, and what happens there."""
        return f"{self.what} {self.after} s after the beginning of {self.task}"

    def __str__(self) -> str:
        """Say it as a test's name."""
        return f"{self.name}: {self.place}"


PHASES = {
    "packages": Phase("bare", {"Packages": 60}),
    "files": Phase("packages", {"Configuration files": 0.7}),
    "infrastructure": Phase("packages", {"Infrastructure units": 6}),
    "bridges": Phase("packages", {"Bridges": 1.5}),
    "databases": Phase("packages", {"Databases and their users": 0.7, "RabbitMQ users": 1}),
    "schemas": Phase("packages", {"Database schemas": 12}),
    "identity": Phase(
        "packages", {"Fernet keys": 0.5, "Identity units": 2, "Keystone users, grants, services and endpoints": 4}
    ),
    "units": Phase("accounts", {"Service units": 5}),
    "restarts": Phase(
        "cloud",
        {
            "Group hosts that need a restart": 0,
            "Restart units that run on older files": 1.5,
            "Wait until the services answer": 0,
        },
        (OPTION,),
    ),
    "completion": Phase(
        "accounts",
        {
            "Register new compute hosts": 1,
            "Credentials on the control node": 0.2,
            "Create and update resources": 2,
        },
    ),
}
# What a run has to have done before the hosts are taken as such: the hosts before, and the task that it must get to.
STARTS = {
    "packages": ("bare", "Object storage rings"),
    "accounts": ("packages", "Service units"),
    "cloud": ("accounts", None),
}
# Where the hosts go away, too: what a phase is about goes on by itself after a kill, and not then.
_HOSTS_GO = ("packages", "infrastructure", "schemas", "units")


def _draw(chance: Random, name: str, what: str = "killed") -> Point:
    phase = PHASES[name]
    task, longest = chance.choice(list(phase.tasks.items()))
    return Point(name, phase.start, task, round(chance.uniform(0, longest), 1), what, phase.arguments)


def points(seed: int) -> list[Point]:
    """Return one point of each phase, and two at which the hosts go away."""
    chance = Random(seed)
    drawn = [_draw(chance, name) for name in PHASES]
    gone = chance.sample(_HOSTS_GO, 2)
    drawn += [_draw(chance, name, what) for name, what in zip(gone, ("rebooted", "power lost"), strict=True)]
    return sorted(drawn, key=lambda point: ["bare", *STARTS].index(point.start))


def on_the_way(seed: int) -> list[Point]:
    """Return points that can be reached one after the other, each over what the run before has left."""
    chance = Random(seed)
    return [
        _draw(chance, "packages"),
        _draw(chance, "files"),
        _draw(chance, "schemas", "power lost"),
        _draw(chance, "schemas"),
        _draw(chance, "identity"),
        _draw(chance, "units"),
    ]


def power(playbooks: Playbooks, *states: str, **more: str) -> None:
    """Bring all hosts of the lab to one of its *states* after the other."""
    names = ",".join(node_groups(playbooks)["all"])
    words = [f"--extra-vars={key}={value}" for key, value in more.items()]
    for state in states:
        playbooks.must("playbooks/lab_host.yml", f"--extra-vars=host={names}", f"--extra-vars=state={state}", *words)


def break_off(playbooks: Playbooks, point: Point) -> None:
    """Run site.yml as far as *point*, and let there happen what it says."""

    def breaks(process: subprocess.Popen) -> None:
        if point.what == "rebooted":
            for name in node_groups(playbooks)["all"]:
                reboot(playbooks, name)
        else:
            kill(process)
            if point.what == "power lost":
                power(playbooks, "killed")

    reached = playbooks.broken_off(point.task, point.after, breaks, *point.arguments)
    assert reached, f"site.yml ended before {point}"
    if point.what != "killed":
        power(playbooks, "started")
