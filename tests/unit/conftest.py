# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What several tests need."""

from __future__ import annotations

import functools
import json
import os
import sys
from pathlib import Path

import jinja2
import pytest
import yaml
from ansible.plugins.loader import init_plugin_loader

ROOT = Path(__file__).resolve().parents[2]
# Ansible's programs stand beside the interpreter, whether or not somebody activated the environment.
os.environ["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
# Templates find the collection's filters.
init_plugin_loader([str(ROOT / ".venv" / "collections")])
# What Jinja's code for a template depends on besides its text.
SYNTAX = (
    *(f"{of}_{end}_string" for of in ("block", "variable", "comment") for end in ("start", "end")),
    *("line_statement_prefix", "line_comment_prefix", "trim_blocks", "lstrip_blocks", "newline_sequence"),
    *("keep_trailing_newline", "optimized", "autoescape"),
)


def compiled_once():
    """Let Jinja compile a template once: tests resolve the same definitions many times, most of it in the compiler."""
    compile_template, known = jinja2.Environment.compile, {}

    @functools.wraps(compile_template)
    def compile_once(self, source, name=None, filename=None, raw=False, defer_init=False):
        if not isinstance(source, str) or raw:
            return compile_template(self, source, name, filename, raw, defer_init)
        key = (type(self), *(getattr(self, word) for word in SYNTAX), str(source), name, filename, defer_init)
        if key not in known:
            known[key] = compile_template(self, source, name, filename, raw, defer_init)
        return known[key]

    jinja2.Environment.compile = compile_once


compiled_once()


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
