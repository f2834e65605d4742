# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Packed modules outlive a run, but not a change of the code."""

from __future__ import annotations

import os
import time

import pytest
from ansible.executor import module_common
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible_collections.cairn.openstack.plugins.plugin_utils import payloads

NAME = f"{payloads.OURS}units-ZIP_DEFLATED-none"


@pytest.fixture
def run(tmp_path):
    """Return what begins a run: its own temporary folder, and what is kept beside it."""

    def begin(number):
        folder = tmp_path / str(number)
        folder.mkdir()
        return payloads.Payloads(str(tmp_path / "kept"), str(folder))

    return begin


def pack(one, name=NAME):
    one.run.mkdir(exist_ok=True)
    (one.run / name).write_text("packed")


def test_what_a_run_packed_the_next_one_finds(run):
    first, second = run(1), run(2)
    first.fill()
    pack(first)
    first.keep()
    second.fill()
    assert (second.run / NAME).read_text() == "packed"
    assert os.listdir(second.run) == [NAME]
    assert {folder.stat().st_mode & 0o777 for folder in (first.kept, first.current)} == {0o700}


def test_others_modules_and_halves_are_not_kept(run):
    first = run(1)
    for name in ("ansible.modules.command-ZIP_DEFLATED-none", f"{NAME}-part", f"{NAME}.lock"):
        pack(first, name)
    first.keep()
    assert not first.current.exists()


def test_another_state_of_the_code_begins_anew(run, monkeypatch):
    first = run(1)
    pack(first)
    first.keep()
    monkeypatch.setattr(payloads, "state", lambda: "another")
    second = run(2)
    second.fill()
    assert not second.run.exists()
    month = time.time() - 30 * 24 * 3600
    os.utime(first.current, (month, month))
    pack(second)
    second.keep()
    assert os.listdir(first.kept) == ["another"]


def test_the_state_is_of_every_file(monkeypatch, tmp_path):
    for folder in ("modules", "module_utils/verify"):
        (tmp_path / folder).mkdir(parents=True)
    monkeypatch.setattr(payloads, "PLUGINS", tmp_path)
    seen = {payloads.state()}
    for path in ("modules/units.py", "module_utils/verify/plan.py"):
        (tmp_path / path).write_text("one")
        seen.add(payloads.state())
        (tmp_path / path).write_text("other")
        seen.add(payloads.state())
    assert len(seen) == 5


def test_what_others_could_have_written_is_not_taken(run):
    first = run(1)
    pack(first)
    first.keep()
    first.current.chmod(0o777)
    second = run(2)
    second.fill()
    assert not second.run.exists()


def test_a_folder_that_cannot_be_written_is_no_error(run, tmp_path):
    first = run(1)
    pack(first)
    (tmp_path / "kept").write_text("a file")
    first.fill()
    first.keep()
    assert (tmp_path / "kept").read_text() == "a file"


def test_ansible_takes_what_is_there(run, monkeypatch):
    """The one fact that is Ansible's own: where it looks, and under which name."""
    first, second = run(1), run(2)
    module = str(payloads.PLUGINS / "modules/keystone_keys.py")

    def packed(one):
        monkeypatch.setattr(module_common.C, "DEFAULT_LOCAL_TMP", str(one.run.parent))
        module_common.modify_module(
            module_name="cairn.openstack.keystone_keys",
            module_path=module,
            module_args={"repositories": []},
            templar=Templar(loader=DataLoader()),
            task_vars={"ansible_playbook_python": "/usr/bin/python3"},
            module_compression="ZIP_DEFLATED",
            remote_is_local=True,
        )
        return {path.name: path.read_bytes() for path in one.run.iterdir() if not path.name.endswith(".lock")}

    made = packed(first)
    first.keep()
    second.fill()
    assert packed(second) == made  # the archives hold the time at which they were made
    assert list(made) == [f"{payloads.OURS}keystone_keys-ZIP_DEFLATED-none"]
