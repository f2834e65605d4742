# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a run shows and writes down: small playbooks on this machine, whose tasks say what a cloud's say."""

from __future__ import annotations

import json
import os
import pty
import re
import stat
import subprocess
import sys

import pytest
import yaml
from ansible_collections.cairn.openstack.plugins.module_utils.common.changes import returned

# Says what it is told to; it stands for several of the collection's modules. It is an
# action, which spares an interpreter for each host and task.
ACTION = """
import time
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display


class ActionModule(ActionBase):
    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        time.sleep(self._task.args.get("sleep", 0))
        says = dict(self._task.args["says"])
        warnings = says.pop("warns", [])
        if "prints" in says:
            Display().display(says.pop("prints"))
        return {"msg": "", "failed": self._task.args.get("fail", False), "warnings": warnings, **says}
"""
MODULES = ("packages", "config_files", "units", "databases", "secrets", "service_health", "preflight", "anything")
HOSTS = ("controller1", "compute1", "compute2")
RESTART = returned("unit", "restart", "nova-compute.service", "/etc/nova/nova.conf, package nova-compute")
REFUSED = """systemctl restart failed: Job for nova-compute.service failed.
--- nova-compute.service
2026-01-01 10:00:0{} ERROR oslo_service [-] OSError: [Errno 98] Address already in use
password = sesam"""


def installed(*names):
    """Changes of packages."""
    return [returned("package", "install", name) for name in names]


def task(name, module, says, **more):
    """A task that says something; arguments of the action among the keywords."""
    arguments = {key: more.pop(key) for key in ("fail", "sleep") if key in more}
    return {"name": name, module: {"says": says, **arguments}, **more}


def file_task(**more):
    """A task that changes two files, one of them differently on each host."""
    header = "/etc/nova/nova.conf 0640 root:nova"
    said = {
        "changed": True,
        "changes": [
            returned("file", "change", "/etc/nova/nova.conf", "content"),
            returned("file", "create", "/etc/motd"),
        ],
        "diff": [
            {
                "before": "[DEFAULT]\nold = 1\n",
                "after": "[DEFAULT]\nmy_ip = {{ inventory_hostname }}\n",
                "before_header": header,
                "after_header": header,
            },
            {"before": "", "after": "hello\n", "before_header": "/etc/motd (absent)", "after_header": "/etc/motd"},
        ],
    }
    return task("Configuration files", "config_files", said, **more)


class Ran:
    """A playbook's exit code and words."""

    def __init__(self, status, said, errors=""):
        self.status, self.said, self.errors = status, said, errors
        self.lines = said.splitlines()

    def line(self, beginning):
        """The only line that begins so, its blanks made one."""
        found = [" ".join(line.split()) for line in self.lines if line.strip().startswith(beginning)]
        assert len(found) == 1, (beginning, self.said)
        return found[0]


@pytest.fixture
def playbook(root, tmp_path, monkeypatch):
    """Run plays, each of which is a name with its tasks, on three hosts that are this machine."""
    actions = tmp_path / "actions"
    actions.mkdir()
    for name in MODULES:
        (actions / f"{name}.py").write_text(ACTION)
    variables = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    # Nothing listens there.
    away = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1}
    groups = {"all": {"vars": variables}, "cloud": {"hosts": dict.fromkeys(HOSTS)}, "away": {"hosts": {"away1": away}}}
    (tmp_path / "hosts.yml").write_text(yaml.safe_dump(groups, sort_keys=False))
    for name in [name for name in os.environ if name.startswith("ANSIBLE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("ANSIBLE_CONFIG", str(root / "ansible.cfg"))
    monkeypatch.setenv("ANSIBLE_COLLECTIONS_PATH", str(root / ".venv/collections"))
    monkeypatch.setenv("ANSIBLE_ACTION_PLUGINS", str(actions))

    def command(plays, *arguments, hosts="cloud"):
        (tmp_path / "site.yml").write_text(
            yaml.safe_dump(
                [{"name": name, "hosts": hosts, "gather_facts": False, "tasks": tasks} for name, tasks in plays.items()]
            )
        )
        return ["ansible-playbook", "-i", "hosts.yml", "site.yml", *arguments]

    def run(*arguments, **options):
        done = subprocess.run(command(*arguments, **options), cwd=tmp_path, capture_output=True, text=True, check=False)
        return Ran(done.returncode, done.stdout, done.stderr)

    run.command = command
    return run


def test_nothing_to_do(playbook, tmp_path, monkeypatch):
    """A line for each phase and one for the run; no control characters where there is no terminal."""
    monkeypatch.setenv("CAIRN_TIMING_FILE", str(tmp_path / "timing"))
    quiet = [task("Service units", "units", {"changed": False}), task("More", "anything", {}, when=False)]
    ran = playbook({"Preflight": quiet, "Services": quiet})
    assert ran.status == 0
    assert re.fullmatch(r"Preflight 3 hosts [\d.]+ s", ran.line("Preflight"))
    assert re.fullmatch(r"Services 3 hosts [\d.]+ s", ran.line("Services"))
    assert re.fullmatch(
        r"3 hosts, nothing changed, [\d.]+ s, at most 2 tasks executed on a host", " ".join(ran.lines[-1].split())
    )
    assert "\x1b" not in ran.said
    assert "\r" not in ran.said
    assert [line for line in ran.lines if line.startswith(("TASK", "ok:", "PLAY"))] == []
    timing = json.loads((tmp_path / "timing").read_text())
    assert timing["playbook"] == "site.yml"
    assert timing["tasks"] == dict.fromkeys(HOSTS, 2)
    assert [name for name, _seconds in timing["parts"]] == ["Preflight", "Services"]


def test_what_changed_and_why(playbook, tmp_path, monkeypatch):
    monkeypatch.setenv("CAIRN_TIMING_FILE", str(tmp_path / "timing"))
    on_computes = {"when": "'compute' in inventory_hostname"}
    packages = {"changed": True, "changes": installed("chrony", "sudo"), "seconds": {"download": 40.2}}
    node = [
        task("Secrets", "secrets", {"changed": True, "changes": [returned("secret", "generate", "nova_database")]},
             run_once=True),
        task("Packages", "packages", packages),
        file_task(),
        task("Databases", "databases", {"changed": True, "changes": [returned("database", "create", "nova")],
                                         "warns": ["look out"]}, delegate_to="{{ groups.cloud[1] }}", run_once=True),
        {"name": "Host name", "command": "true", "changed_when": True, **on_computes},
        {"debug": {"msg": "a word of the user's own"}, "run_once": True},
    ]  # fmt: skip
    restart = task("Restart", "units", {"changed": True, "changes": [RESTART]}, **on_computes)
    ran = playbook({"Every node": node, "Restarts": [restart]})
    assert ran.status == 0
    assert ran.line("generated") == "generated localhost 1 secret: nova_database"
    assert ran.line("installed") == "installed all 3 hosts 2 packages: chrony, sudo"
    assert ran.line("restarted") == f"restarted compute1-2 {RESTART['name']}: {RESTART['detail']}"
    said = [" ".join(line.split()) for line in ran.lines]
    assert "changed all 3 hosts /etc/nova/nova.conf: content" in said
    assert "compute1-2 Host name" in said
    assert "created all 3 hosts /etc/motd" in said
    assert "compute1 database nova" in said
    assert "controller1: a word of the user's own" in said
    assert "look out" in ran.errors
    assert "my_ip" not in ran.said  # without --diff
    assert said[-1].startswith("3 hosts, 3 changed, ")
    assert ["packages: download", 40.2] in json.loads((tmp_path / "timing").read_text())["parts"]


def test_a_failure(playbook):
    """Service, hosts, cause and remedy, once for hosts that fail alike; no secret."""
    tasks = [
        task(
            "Service units",
            "units",
            {"msg": REFUSED.format("{{ 3 if inventory_hostname == 'compute1' else 4 }}")},
            fail=True,
        ),
        task("Later", "anything", {}),
    ]
    ran = playbook({"Services": tasks})
    assert ran.status == 2
    assert ran.said.count("┌─ FAILED") == 1
    assert ran.line("│ task") == "│ task Services: Service units"
    assert ran.line("│ on").startswith("│ on all 3 hosts; as reported by co")
    assert ran.line("│ service") == "│ service nova-compute.service"
    assert "Address already in use" in ran.said
    assert "ss -ltnp" in ran.line("│ remedy")
    assert "sesam" not in ran.said
    assert ran.line("Services").endswith("3 failed")
    assert "3 failed (all 3 hosts)" in ran.lines[-1]


def test_a_run_is_recorded_where_its_lock_is(playbook, tmp_path):
    """What came of it, also of one that fails; a plan and a run without the lock leave nothing."""
    (tmp_path / "secrets").mkdir()
    locked = task("Check inventory", "preflight", {"lock_directory": str(tmp_path / "secrets")}, run_once=True)
    wrong = task("Service units", "units", {"msg": "no"}, fail="{{ inventory_hostname == 'compute1' }}")
    playbook({"Input": [locked], "Every node": [file_task()]})
    playbook({"Input": [locked], "Services": [wrong]})
    playbook({"Input": [locked], "Every node": [file_task()]}, "--check")
    playbook({"Every node": [file_task()]})
    first, second = map(json.loads, (tmp_path / "secrets/runs.jsonl").read_text().splitlines())
    assert first["counts"] == {"file": {"change": 3, "create": 3}}
    assert (first["playbook"], first["hosts"], first["failed"]) == ("site.yml", 3, [])
    assert (second["counts"], second["failed"]) == ({}, ["compute1"])


def test_a_refused_run_is_recorded(playbook, tmp_path):
    """With the number of errors, and no host: the errors are those of the cloud. A plan is not recorded."""
    (tmp_path / "secrets").mkdir()
    said = {"msg": "Preflight found 2 errors", "errors": 2, "lock_directory": str(tmp_path / "secrets")}
    refused = task("Check inventory", "preflight", said, fail=True, run_once=True)
    assert playbook({"Input": [refused], "Every node": [file_task()]}).status == 2
    del said["lock_directory"]
    playbook({"Input": [task("Check inventory", "preflight", said, fail=True, run_once=True)]}, "--check")
    (only,) = map(json.loads, (tmp_path / "secrets/runs.jsonl").read_text().splitlines())
    assert (only["refused"], only["failed"], only["counts"]) == (2, [], {})


def test_a_run_that_the_hosts_refuse_is_recorded(playbook, tmp_path):
    """After the lock was taken."""
    (tmp_path / "secrets").mkdir()
    locked = task("Check inventory", "preflight", {"lock_directory": str(tmp_path / "secrets")}, run_once=True)
    refused = task("Check the hosts", "preflight", {"msg": "no", "errors": 1}, fail=True, run_once=True)
    playbook({"Input": [locked], "Preflight": [refused]})
    (only,) = map(json.loads, (tmp_path / "secrets/runs.jsonl").read_text().splitlines())
    assert (only["refused"], only["failed"]) == (1, [])


def test_a_playbook_without_the_lock_leaves_no_record_of_another_ones_changes(playbook, tmp_path):
    (tmp_path / "secrets").mkdir()
    locked = task("Check inventory", "preflight", {"lock_directory": str(tmp_path / "secrets")}, run_once=True)
    report = tmp_path / "report.yml"
    report.write_text(
        yaml.safe_dump(
            [{"name": "Page", "hosts": "cloud", "gather_facts": False, "tasks": [task("Page", "anything", {})]}]
        )
    )
    ran = playbook({"Input": [locked], "Every node": [file_task()]}, str(report))
    assert ran.status == 0
    (only,) = map(json.loads, (tmp_path / "secrets/runs.jsonl").read_text().splitlines())
    assert only["playbook"] == "site.yml"


@pytest.mark.parametrize("content", [b"\xff\xfe\n", b"{}\n5\n", None])
def test_a_broken_history_changes_nothing_else(playbook, tmp_path, content):
    """Neither the result nor the other files of the run."""
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    if content is None:
        (secrets / "runs.jsonl.new").mkdir()
    else:
        (secrets / "runs.jsonl").write_bytes(content)
    locked = task("Check inventory", "preflight", {"lock_directory": str(secrets)}, run_once=True)
    ran = playbook({"Input": [locked], "Every node": [file_task()]}, "-e", f"plan_out={tmp_path}/plan.json")
    assert ran.status == 0
    assert json.loads((tmp_path / "plan.json").read_text())["counts"]["file"]
    assert "callback" not in ran.errors.lower()
    assert ("can't be recorded" in ran.errors) == (content is None)
    if content is not None:
        assert len((secrets / "runs.jsonl").read_text().splitlines()) == 1


def test_a_host_that_is_away(playbook):
    ran = playbook({"Preflight": [{"name": "Look", "ping": {}}]}, hosts="away")
    assert ran.status == 4
    assert "┌─ UNREACHABLE" in ran.said
    assert ran.line("│ on") == "│ on away1"
    assert "ansible_host is its address" in ran.said
    assert "1 unreachable (away1)" in ran.lines[-1]


def test_what_is_not_said(playbook, tmp_path):
    """no_log, ignored failures, and results of odd shapes."""
    secret = {
        "changed": True,
        "changes": [returned("user", "change", "nova", "sesam")],
        "diff": {"before": "", "after": "sesam"},
    }
    tasks = [
        task("Hidden", "anything", secret, no_log=True),
        task("Hidden loop", "anything", secret, no_log=True, loop=["sesam1", "sesam2"]),
        # A user's playbook may have one; it must not be told as a failure.
        task("Ignored", "anything", {"msg": "never mind"}, fail=True, ignore_errors=True),
        task("Odd", "units", {"changed": True, "changes": [1, None, {"x": 2}], "diff": [3, {}], "seconds": 4}),
        task("Odder", "packages", {"changed": True, "changes": {"x": 1}, "diff": "x", "seconds": {"a": "b"}}),
        task("Loop", "anything", {"changed": True}, loop=["one", "two"]),
        task("Hidden failure", "anything", {"msg": "it was sesam"}, fail=True, no_log=True),
    ]
    ran = playbook({"Services": tasks}, "--check", "--diff", "-e", f"plan_out={tmp_path}/plan.json")
    assert ran.status == 2
    written = (tmp_path / "plan.json").read_text()
    for words in (ran.said, ran.errors, written):
        assert "sesam" not in words
        assert "never mind" not in words
    assert "callback" not in ran.errors.lower()
    assert ran.said.count("Loop: one") == 1
    assert ran.lines[-1].startswith("Plan, incomplete because of the failures above: ")
    assert json.loads(written)["complete"] is False
    assert [failure["task"] for failure in json.loads(written)["failures"]] == ["Hidden failure"] * 3


def test_a_plan(playbook, tmp_path):
    """Each thing once, by service, with its differences; counted in the last line, and for machines."""
    started = [returned("unit", verb, "nova-compute.service") for verb in ("enable", "start")]
    plays = {
        "Every node": [
            task("Packages", "packages", {"changed": True, "changes": installed("nova-compute", "sudo")}),
            file_task(),
        ],
        "Services": [task("Service units", "units", {"changed": True, "changes": started})],
        # In check mode nothing came of the first.
        "Restarts": [
            task(
                "Restart",
                "units",
                {"changed": True, "changes": [*started, returned("unit", "restart", "glance-api", "/etc/x")]},
            )
        ],
    }
    ran = playbook(plays, "--check", "--diff", "-e", f"plan_out={tmp_path}/plan.json")
    assert ran.status == 0
    said = [" ".join(line.split()) for line in ran.lines]
    assert "would install all 3 hosts 1 package: sudo" in said
    assert "nova 1 package: nova-compute" in said
    assert "would create all 3 hosts /etc/motd" in said
    assert "would restart all 3 hosts glance glance-api: /etc/x" in said
    assert said.count("would start all 3 hosts nova nova-compute.service") == 1
    for host in HOSTS:
        assert f"would change {host} nova /etc/nova/nova.conf: content" in said
        assert f"+my_ip = {host}" in said
    assert said.count("+hello") == 1
    assert said[-1] == "Plan: 6 packages, 6 files, 3 units to start, 3 units to restart on all 3 hosts"
    plan = json.loads((tmp_path / "plan.json").read_text())
    assert stat.S_IMODE((tmp_path / "plan.json").stat().st_mode) == 0o600
    assert (plan["check"], plan["complete"], plan["hosts"]) == (True, True, sorted(HOSTS))
    assert plan["counts"]["unit"] == {"start": 3, "restart": 3}
    (restart,) = [change for change in plan["changes"] if change["verb"] == "restart" and change["host"] == "compute1"]
    assert (restart["phase"], restart["task"], restart["service"]) == ("Restarts", "Restart", "glance")
    assert restart["detail"] == "/etc/x"
    (file,) = [change for change in plan["changes"] if change["diff"] and change["host"] == "compute2"][:1]
    assert file["diff"][0]["after"] == "[DEFAULT]\nmy_ip = compute2\n"


CHANGE = {"Files": [file_task()]}
NOTHING = {"Files": [task("Files", "config_files", {"changed": False})]}
FAILURE = {"Files": [file_task(), task("Broken", "anything", {"msg": "no"}, fail=True)]}


@pytest.mark.parametrize(
    ("plays", "arguments", "status", "end"),
    [
        (CHANGE, ["--check", "-e", "plan_exit_code=true"], 3, "Plan: 6 files on all 3 hosts"),
        (NOTHING, ["--check", "-e", "plan_exit_code=true"], 0, "Plan: nothing to do"),
        (FAILURE, ["--check", "-e", "plan_exit_code=true"], 2, "Plan, incomplete"),
        (CHANGE, ["--check"], 0, "Plan: 6 files on all 3 hosts"),
        (CHANGE, ["-e", "plan_exit_code=true"], 0, "3 hosts, 3 changed"),
        (NOTHING, ["--check", "-e", "plan_out=nowhere/plan.json"], 1, "Plan: nothing to do"),
        # The second playbook runs too, and the end is the whole command's.
        (CHANGE, ["site.yml", "--check", "-e", "plan_exit_code=true"], 3, "Plan: 6 files on all 3 hosts"),
    ],
)
def test_the_exit_code(playbook, plays, arguments, status, end):
    ran = playbook(plays, *arguments)
    assert ran.status == status, ran.said + ran.errors
    assert ran.lines[-1].startswith(end)
    assert len([line for line in ran.lines if line.startswith("Files ")]) == 1 + arguments.count("site.yml")


def test_v_is_ansibles_own(playbook):
    ran = playbook({"Files": [file_task(), task("Service units", "units", {})]}, "-v", "--check", "--diff")
    for words in ("PLAY [Files] ***", "TASK [Configuration files] ***", "ok: [compute1] => ", "PLAY RECAP ***"):
        assert words in ran.said
    assert "would change" not in "".join(ran.lines[:-3])
    assert ran.lines[-1] == "Plan: 6 files on all 3 hosts"


@pytest.fixture
def terminal(tmp_path, monkeypatch):
    """Run a command on a terminal 70 columns wide; returns the raw characters."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "70")

    def run(command):
        master, slave = pty.openpty()
        process = subprocess.Popen(command, cwd=tmp_path, stdin=slave, stdout=slave, stderr=slave)
        os.close(slave)
        said = b""
        while True:
            try:
                block = os.read(master, 65536)
            except OSError:  # the other end is closed
                block = b""
            if not block:
                break
            said += block
        os.close(master)
        return Ran(process.wait(), said.decode())

    return run


def test_on_a_terminal(playbook, terminal):
    """A last line tells what goes on, and leaves no trace in what stays."""
    prints = task("Prints", "anything", {"prints": "its own words"}, run_once=True)
    slow = task("Packages", "packages", {"changed": True, "changes": installed("chrony")}, sleep=1.5)
    ran = terminal(playbook.command({"Every node": [slow, prints, file_task()]}, "--diff"))
    assert ran.status == 0
    assert re.search(r"\r\x1b\[K\[1/1\] Every node: Packages  0:0\d", ran.said)
    # What stays of a line is what came after its last erasure.
    stays = [re.sub(r"\x1b\[[\d;]*m", "", line.split("\r\x1b[K")[-1]) for line in ran.said.split("\r\n")]
    assert max(map(len, stays)) <= 70
    assert "its own words" in stays
    assert [line for line in stays if line.startswith("[1/1]")] == []
    assert [line for line in stays if line.startswith("Every node ")]
    assert "\x1b[0;33m" in ran.said  # colours
