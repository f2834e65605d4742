# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What one more compute host costs the control node: hosts that answer from memory, in growing numbers.

Each of a real cloud's answers to a run with nothing to do is recorded once, by host and module; the connection
``answers`` gives them again. So all of the control node's work is real but for ssh, and no host's is.
"""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

import yaml
from measure import LOGS, ROOT, Measured, processor_seconds, run
from support import Playbooks

PLUGINS = {"ANSIBLE_CONNECTION_PLUGINS": str(ROOT / "tests/bench/connection"), "ANSIBLE_PIPELINING": "true"}
# Of the management network; the lab's own hosts keep below.
FIRST = 100
# What the control node adds to a module's result.
ADDED = ("action", "_ansible")


def hosts_of(inventory: Path) -> dict:
    """Return the inventory as Ansible reads it."""
    command = ["ansible-inventory", f"--inventory={inventory}", "--list"]
    return json.loads(subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout)


def record(inventory: Path, directory: Path) -> None:
    """Write what each of the inventory's hosts says to a run with nothing to do, a file for each.

    Beside them ``tasks.json`` holds how many modules a compute host has run.
    """
    variables = hosts_of(inventory)["_meta"]["hostvars"]
    done = Playbooks(inventory).must("playbooks/site.yml")
    answers: dict[str, dict] = {name: {} for name in variables}
    compute = hosts_of(inventory)["compute"]["hosts"][-1]
    tasks = 0
    for host, _task, said in done.results:
        if "_ansible_delegated_vars" not in said and not said.get("skipped"):
            tasks += host == compute
            module = said["action"].rpartition(".")[2]
            answers[host][module] = {key: value for key, value in said.items() if not key.startswith(ADDED)}
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "tasks.json").write_text(f"{tasks}", encoding="utf-8")
    for name, found in answers.items():
        address = variables[name]["ansible_host"]
        interfaces = found["host_probe"]["ansible_facts"]["cairn_probe"]["interfaces"].values()
        own = [nic.split("/")[0] for interface in interfaces for nic in interface["addresses"]]
        # A host's addresses end alike.
        networks = sorted({one[: one.rindex(".") + 1] for one in own if one.split(".")[3:] == address.split(".")[3:]})
        document = {"name": name, "address": address, "networks": networks, "answers": found}
        (directory / f"{name}.json").write_text(json.dumps(document), encoding="utf-8")


def inventory_of(inventory: Path, directory: Path, computes: int) -> Path:
    """Write an inventory of the recorded hosts with *computes* compute hosts, and return it."""
    told = hosts_of(inventory)
    variables = told["_meta"]["hostvars"]
    (controller,), (network,), compute = (told[group]["hosts"] for group in ("controller", "network", "compute"))
    kept = set(variables[controller]) - {"ansible_host"}
    prefix = variables[controller]["ansible_host"].rpartition(".")[0]

    def host(recorded: str, address: str) -> dict:
        return {"ansible_host": address, "bench_answers": str(directory / f"{recorded}.json")}

    document = {
        "all": {
            "vars": {
                **{key: variables[controller][key] for key in sorted(kept) if key in variables[network]},
                "ansible_connection": "answers",
                "cloud_secrets_dir": f"{inventory}/.secrets",
            }
        },
        "controller": {"hosts": {controller: host(controller, variables[controller]["ansible_host"])}},
        "network": {"hosts": {network: host(network, variables[network]["ansible_host"])}},
        "compute": {
            "hosts": {f"node{number}": host(compute[0], f"{prefix}.{FIRST + number}") for number in range(computes)}
        },
    }
    path = directory / f"{computes}.yml"
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    return path


def measured(inventory: Path, directory: Path, computes: int) -> Measured:
    """Run site.yml on that many compute hosts which all are as they should be."""
    found = run(
        f"{computes} compute hosts", inventory_of(inventory, directory, computes), "playbooks/site.yml", **PLUGINS
    )
    assert found.changes == 0, f"see {LOGS}"
    return found


def ssh_seconds(inventory: Path, times: int = 20) -> float:
    """Return the processor's seconds that one more module takes over a shared connection."""
    _name, variables = next(iter(hosts_of(inventory)["_meta"]["hostvars"].items()))
    shared = f"-oControlMaster=auto -oControlPath={LOGS}/ssh-{time.time():.0f} -oControlPersist=10s"
    command = ["ssh", "-C", *shared.split(), *variables["ansible_ssh_common_args"].split()]
    command += ["-i", variables["ansible_ssh_private_key_file"]]
    command += [f"{variables['ansible_user']}@{variables['ansible_host']}"]
    # About as much as a module with its arguments is.
    payload = b"#" * 200_000
    subprocess.run([*command, "cat >/dev/null"], input=payload, check=True)
    before = processor_seconds()
    for _time in range(times):
        subprocess.run([*command, "cat >/dev/null"], input=payload, check=True)
    return (processor_seconds() - before) / times


def line(points: dict[int, float]) -> tuple[float, float]:
    """Return the least squares' line through *points*: its start, and how it grows with each host."""
    count, mean_x, mean_y = len(points), sum(points) / len(points), sum(points.values()) / len(points)
    assert count > 1
    slope = sum((x - mean_x) * (y - mean_y) for x, y in points.items()) / sum((x - mean_x) ** 2 for x in points)
    return mean_y - slope * mean_x, slope
