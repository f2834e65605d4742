# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Running playbooks from tests."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import testinfra

ROOT = Path(__file__).parent.parent
# The plan of the bare hosts, in the scenario's directory.
BARE_PLAN = "bare-plan.json"
# The columns of the table of what a storage host's power loss did.
POWER = ("what", "acknowledged", "of them before the loss", "lost", "whole again, after the host is back")
# And of disks that died.
REPLACED = ("a disk of", "done before site.yml", "lost", "whole again")


@dataclass
class Run:
    """What a playbook did: its exit code, its words, what changed or would, and every task's result.

    `shown` is what its tasks displayed themselves, as verify's table and the log lines of a check that failed.
    """

    code: int
    words: str
    shown: str = ""
    changes: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    results: list[tuple[str, str, dict]] = field(default_factory=list)

    def of(self, task: str) -> dict[str, dict]:
        """Return what *task* said, by host."""
        return {host: said for host, name, said in self.results if name == task}


def in_words(changes: list[dict] | None) -> str:
    """Return a task's changes as one line, such as ``change file /etc/x: content``."""
    return "; ".join(
        f"{change['verb']} {change['kind']} {change['name']}: {change['detail']}".removesuffix(": ")
        for change in changes or ()
    )


@dataclass(frozen=True)
class Told:
    """What the JSON of `plan_out` says of a run, or of a plan: its changes, each a line, and its seconds."""

    document: dict
    seconds: float = 0

    @classmethod
    def read(cls, path: Path) -> Told:
        """Return what the file *path* says."""
        return cls(json.loads(path.read_text(encoding="utf-8")))

    @property
    def objects(self) -> set[tuple[str, str, str, str]]:
        """Return what is touched: host, kind, verb and name; a step of a schema is named by its command."""
        return {
            (change["host"], change["kind"], change["verb"], f"{change['name']}: {change['detail']}")
            if change["kind"] == "schema step"
            else (change["host"], change["kind"], change["verb"], change["name"])
            for change in self.document["changes"]
        }

    @property
    def lines(self) -> list[str]:
        """Return each change in words, with what of it, or why."""
        keys = ("kind", "name", "verb", "detail")
        return sorted({" ".join(change[key] for key in keys).strip() for change in self.document["changes"]})


@dataclass
class Playbooks:
    """Playbooks against one inventory, with the scenario's secrets."""

    inventory: Path
    scenario: Path | None = None

    def command(self, playbook: str, *arguments: str) -> list[str]:
        """Return the command line that runs *playbook*."""
        words = ["ansible-playbook", f"--inventory={self.inventory}", playbook]
        if self.scenario:
            words += [f"--extra-vars=cloud_secrets_dir={self.scenario}/secrets"]
            words += [f"--extra-vars=scenario_dir={self.scenario}"]
        return [*words, *arguments]

    def environment(self, **more: str) -> dict[str, str]:
        """Return the environment that playbooks run in."""
        return {
            **os.environ,
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".venv/collections"),
            "ANSIBLE_NOCOLOR": "1",
            **more,
        }

    def run(self, playbook: str, *arguments: str) -> Run:
        """Run *playbook* and return what each task said, whatever came of it."""
        done = subprocess.run(
            self.command(playbook, *arguments),
            cwd=ROOT,
            env=self.environment(ANSIBLE_STDOUT_CALLBACK="ansible.posix.json"),
            capture_output=True,
            text=True,
            check=False,
        )
        run = Run(done.returncode, done.stdout[-6000:] + done.stderr[-6000:])
        document = re.search(r"^\{$", done.stdout, re.MULTILINE)
        if not document:
            return run
        run.shown = done.stdout[: document.start()]
        told = json.JSONDecoder().raw_decode(done.stdout, document.start())[0]
        for play in told["plays"]:
            for task in play["tasks"]:
                for host, said in task["hosts"].items():
                    name = task["task"]["name"].rsplit(" : ", 1)[-1]
                    run.results.append((host, name, said))
                    what = f"{host}: {name}: {in_words(said.get('changes')) or said.get('msg') or ''}"
                    if said.get("failed") or said.get("unreachable"):
                        run.failures.append(what)
                    elif said.get("changed"):
                        run.changes.append(what)
        return run

    def must(self, playbook: str, *arguments: str) -> Run:
        """Run *playbook*, and fail the test with its failures if it fails."""
        run = self.run(playbook, *arguments)
        why = [*run.failures, run.shown[-3000:]] if run.failures else [run.words[-3000:]]
        assert run.code == 0, "\n".join([f"{playbook} ended with {run.code}", *why])
        return run

    def told(self, *arguments: str) -> Told:
        """Run site.yml and return what it says for machines; fail the test if it fails."""
        began = time.monotonic()
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory, "told.json")
            done = subprocess.run(
                self.command("playbooks/site.yml", f"--extra-vars=plan_out={path}", *arguments),
                cwd=ROOT,
                env=self.environment(),
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, f"site.yml ended with {done.returncode}\n{done.stdout[-6000:]}{done.stderr}"
            return Told(Told.read(path).document, time.monotonic() - began)

    def broken_off(
        self, task: str, after: float, breaks: Callable[[subprocess.Popen], None], *arguments: str, limit: float = 900
    ) -> bool:
        """Run site.yml and call *breaks* with its process *after* seconds in *task*; False if it never got there."""
        process = subprocess.Popen(
            ["stdbuf", "-oL", *self.command("playbooks/site.yml", *arguments)],
            cwd=ROOT,
            env=self.environment(
                ANSIBLE_STDOUT_CALLBACK="default",
                ANSIBLE_DISPLAY_OK_HOSTS="1",
                ANSIBLE_DISPLAY_SKIPPED_HOSTS="1",
                PYTHONUNBUFFERED="1",
            ),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        deadline = time.monotonic() + limit
        reached = False
        words = []
        for line in process.stdout:
            words.append(line)
            if line.startswith("TASK") and f": {task}]" in line:
                reached = True
                time.sleep(after)
            if reached or time.monotonic() > deadline:
                break
        on_its_way = process.poll() is None
        if on_its_way:
            (breaks if reached else kill)(process)
        words += process.stdout.readlines()
        process.wait()
        print("".join(words[-40:]))
        return reached and on_its_way


def kill(process: subprocess.Popen) -> None:
    """Kill *process* with its children, of which Ansible's workers lead sessions of their own.

    What it started on the hosts goes on there, as it does when a control node dies.
    """
    for pid in [process.pid, *children(process.pid)]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def children(pid: int) -> list[int]:
    """Return all processes below *pid*."""
    below: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            below.setdefault(int(path.read_text().rsplit(")", 1)[1].split()[1]), []).append(int(path.parent.name))
    found = []
    for child in below.get(pid, []):
        found += [child, *children(child)]
    return found


def node_groups(playbooks: Playbooks) -> dict[str, list[str]]:
    """Return the hosts of the four node groups, and all of them as ``all``."""
    said = subprocess.run(
        ["ansible-inventory", f"--inventory={playbooks.inventory}", "--list"],
        env=playbooks.environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    told = json.loads(said.stdout)
    found = {name: told.get(name, {}).get("hosts", []) for name in ("controller", "network", "compute", "storage")}
    return {**found, "all": list(dict.fromkeys(name for names in found.values() for name in names))}


def host(playbooks: Playbooks, name: str) -> testinfra.host.Host:
    """Return the host *name* of the inventory, entered as root."""
    return testinfra.get_host(f"ansible://{name}?ansible_inventory={playbooks.inventory}&sudo=true")


def booted(playbooks: Playbooks, name: str) -> str | None:
    """Return what tells one boot of a host from the next, or None while it is away."""
    try:
        said = host(playbooks, name).run("systemctl show --property=UserspaceTimestampMonotonic --value")
    except RuntimeError:
        return None
    return said.stdout.strip() if said.rc == 0 else None


def reboot(playbooks: Playbooks, name: str) -> None:
    """Reboot a host and wait until it is gone and back."""
    before = booted(playbooks, name)
    # Not at once: it would take along the connection by which it is told. And even while apt asks for patience.
    later = "systemd-run --on-active=0.5 --timer-property=AccuracySec=0.1"
    host(playbooks, name).check_output(f"{later} systemctl reboot --check-inhibitors=no")
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        time.sleep(2)
        if booted(playbooks, name) not in (None, before):
            return
    raise AssertionError(f"{name} did not come back within 120 s")


def ask(where: testinfra.host.Host, script: str, *arguments: str) -> Any:
    """Run the Python *script* on a host and return the JSON that it prints."""
    text = (ROOT / "tests" / script).read_text(encoding="utf-8")
    done = where.run("python3 -c %s" + " %s" * len(arguments), text, *arguments)
    assert done.rc == 0, f"{script} on {where.backend.get_hostname()}:\n{done.stderr[-3000:]}"
    return json.loads(done.stdout)


def stream(where: testinfra.host.Host, script: str, *arguments: str) -> subprocess.Popen:
    """Start the Python *script* on a host, as root; its lines come as it prints them, and lines are sent to it."""
    text = (ROOT / "tests" / script).read_text(encoding="utf-8")
    about = where.ansible.get_variables()
    command = shlex.join(["sudo", "python3", "-u", "-c", text, *arguments])
    enter = ["ssh", "-i", about["ansible_ssh_private_key_file"], *shlex.split(about["ansible_ssh_common_args"])]
    address = f"{about['ansible_user']}@{about['ansible_host']}"
    return subprocess.Popen([*enter, address, command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def told(capsys, words: str) -> None:
    """Print what was measured, whatever pytest does with it."""
    with capsys.disabled():
        print(f"\n    {words}", end="")


@dataclass
class HostBaseline:
    """Snapshots of hosts, and what differs between two times."""

    playbooks: Playbooks
    directory: Path

    def look(self, name: str, *arguments: str) -> None:
        """Keep what the hosts are now under *name*."""
        self.playbooks.must("molecule/shared/baseline.yml", *self._variables(name), *arguments)

    def differences(self, name: str, *arguments: str) -> list[str]:
        """Return what differs from *name* now, each line with its host."""
        run = self.playbooks.run("molecule/shared/baseline_same.yml", *self._variables(name), *arguments)
        found = run.of("Compare with what was seen")
        assert found, run.words  # a witness that says nothing has seen nothing
        return [f"{host}: {line}" for host, said in found.items() for line in said["ansible_facts"]["baseline_changes"]]

    def _variables(self, name: str) -> list[str]:
        return [f"--extra-vars=baseline_dir={self.directory}", f"--extra-vars=baseline_name={name}"]
