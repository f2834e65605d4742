# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a user installs: built, installed where nothing else of ours is, and run by its full name."""

from __future__ import annotations

import os
import subprocess
import tarfile
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
# Those of the lab stay in the checkout.
PLAYBOOKS = sorted(path.stem for path in (ROOT / "playbooks").glob("*.yml") if not path.stem.startswith("lab_"))


def run(directory, *command):
    """Run *command* where only the installed collection is found."""
    own = {key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")}
    said = subprocess.run(
        command,
        cwd=directory,
        env={**own, "ANSIBLE_COLLECTIONS_PATH": str(directory), "ANSIBLE_NOCOLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.returncode == 0, said.stdout + said.stderr
    return said.stdout


@pytest.fixture(scope="module")
def artefact(root, tmp_path_factory):
    directory = tmp_path_factory.mktemp("artefact")
    run(directory, "ansible-galaxy", "collection", "build", str(root), "--output-path", str(directory))
    (found,) = directory.glob("cairn-openstack-*.tar.gz")
    return found


@pytest.fixture(scope="module")
def installed(artefact, tmp_path_factory):
    directory = tmp_path_factory.mktemp("installed")
    run(
        directory,
        "ansible-galaxy",
        "collection",
        "install",
        "--offline",
        "--no-deps",
        "-p",
        str(directory),
        str(artefact),
    )
    return directory


def test_it_is_small_and_holds_nothing_of_the_checkout(artefact):
    assert artefact.stat().st_size < 850_000
    with tarfile.open(artefact) as archive:
        names = archive.getnames()
    tops = {name.split("/")[0] for name in names}
    known = {
        "CHANGELOG.md",
        "CHANGELOG.rst",
        "FILES.json",
        "LICENSE",
        "MANIFEST.json",
        "README.md",
        "changelogs",
        "docs",
    }
    assert tops - known <= {"group_vars", "inventories", "meta", "playbooks", "plugins", "roles"}
    assert [name for name in names if "secrets/" in name or name.endswith((".pyc", ".bak", ".key"))] == []


def test_its_version_is_that_of_the_checkout(root, installed):
    said = run(installed, "ansible-galaxy", "collection", "list", "cairn.openstack")
    assert yaml.safe_load((root / "galaxy.yml").read_text())["version"] in said


def test_site_by_its_full_name(root, installed):
    where = str(root / "inventories/multinode")
    said = run(installed, "ansible-playbook", "cairn.openstack.site", "--syntax-check", "-i", where)
    assert f"playbook: {installed}" in said


def test_every_playbook_by_its_full_name(root, installed):
    names = [f"cairn.openstack.{name}" for name in PLAYBOOKS]
    run(installed, "ansible-playbook", *names, "--syntax-check", "-i", str(root / "inventories/lab_aio"))


def test_a_module_runs_from_there(installed):
    said = run(
        installed,
        "ansible",
        "localhost",
        "-c",
        "local",
        "-m",
        "cairn.openstack.config_files",
        "-a",
        f'{{"files": [{{"path": "{installed}/x.conf", "content": "x = 1"}}]}}',
        "--check",
    )
    assert '"verb": "create"' in said
