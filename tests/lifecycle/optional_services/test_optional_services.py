# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a run brings back of each optional service of the cloud: user, endpoint, grant, file and unit."""

from __future__ import annotations

import json
import subprocess

import pytest
import yaml
from support import ROOT

DEFINITIONS = ROOT / "roles/catalog/defaults/main"


@pytest.fixture(scope="module")
def services(playbooks, groups):
    """Return the definitions of the cloud's optional services by name."""
    words = ["ansible-inventory", f"--inventory={playbooks.inventory}", "--host", groups["controller"][0]]
    said = subprocess.run(words, env=playbooks.environment(), capture_output=True, text=True, check=True)
    names = json.loads(said.stdout)["cloud_services"]
    found = {}
    for name in names:
        found[name] = yaml.safe_load((DEFINITIONS / f"{name}.yml").read_text(encoding="utf-8"))[f"catalog_{name}"]
    assert found
    return found


def broken(name: str, definition: dict) -> dict[str, str]:
    """Return what a run says of each part of a service, with the command that breaks it."""
    client = "openstack --os-cloud cairn"
    file, unit = next(iter(definition["files"])), definition["units"][0]["name"]
    found = {
        f"user {name} create": f"{client} user delete {name}",
        f"file /etc/{name}/{file} change content": f"echo '[x]' >> /etc/{name}/{file}",
        f"unit {unit} start": f"systemctl disable --quiet --now {unit}",
    }
    for database in definition.get("databases", ()):
        revoke = f"REVOKE ALL ON {database['name']}.* FROM {name}@'%'"
        found[f"database grant {name}@% on {database['name']} create"] = f'mariadb --execute="{revoke}"'
    for service in definition["identity"]["services"][:1]:
        ids = f"{client} endpoint list --service {service['type']} --interface internal -f value -c ID"
        found[f"endpoint {name} internal create"] = f"{client} endpoint delete $({ids})"
    return found


@pytest.fixture(scope="module")
def repaired(playbooks, controller, services):
    """Break all services, and return the lines of a plan, and those of the run after it."""
    for name, definition in services.items():
        for command in broken(name, definition).values():
            controller.check_output(command)
    plan = playbooks.told("--check")
    return plan.lines, playbooks.told().lines


def test_the_plan_names_all(repaired, services):
    """And the run does it."""
    for lines in repaired:
        for name, definition in services.items():
            for what in broken(name, definition):
                assert [line for line in lines if line.startswith(what)], (what, lines)


def test_nothing_to_do_after_it(playbooks, repaired):
    """All has come back."""
    assert playbooks.told().lines == []
