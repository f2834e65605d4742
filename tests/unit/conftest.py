# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What several tests need."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
import yaml
from ansible.plugins.loader import init_plugin_loader

ROOT = Path(__file__).resolve().parents[2]
# Ansible's programs stand beside the interpreter, whether or not somebody activated the environment.
os.environ["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
# Templates find the collection's filters.
init_plugin_loader([str(ROOT / ".venv" / "collections")])


@pytest.fixture(scope="session")
def root():
    """The checkout's directory."""
    return ROOT


@pytest.fixture(scope="session")
def catalog():
    """The shipped service definitions by name, as they are written."""
    found = {}
    for path in sorted((ROOT / "roles/catalog/defaults/main").glob("*.yml")):
        found.update(yaml.safe_load(path.read_text()))
    del found["catalog_extra"], found["catalog_dir"]
    return {name.removeprefix("catalog_"): definition for name, definition in found.items()}


@pytest.fixture
def site(tmp_path, monkeypatch):
    """An inventory for preflight."""
    from preflight_site import Site

    monkeypatch.chdir(tmp_path)
    return Site(tmp_path)


@pytest.fixture
def run_module(capsys, tmp_path_factory, monkeypatch):
    """Run a module's main() with arguments as Ansible hands them over; returns its result."""
    from ansible.module_utils.testing import patch_module_args
    from ansible_collections.cairn.openstack.plugins.module_utils.common import host_lock

    # This machine's own is for what changes it.
    monkeypatch.setattr(host_lock, "LOCK", str(tmp_path_factory.mktemp("turn") / "lock"))

    def run(module, args, check=False):
        with patch_module_args({**args, "_ansible_check_mode": check}), pytest.raises(SystemExit):
            module.main()
        return json.loads(capsys.readouterr().out)

    return run
