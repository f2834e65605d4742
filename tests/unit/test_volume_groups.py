# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Volume groups of empty devices, on a host whose LVM is a script that keeps its rows in a file."""

from __future__ import annotations

import json
import os
import subprocess

import pytest
from ansible_collections.cairn.openstack.plugins.modules import volume_groups as module
from told import in_words

LVM = """#!/usr/bin/env python3
import json, os, sys
path = os.environ["ROWS"]
rows = json.load(open(path))
verb, *words = sys.argv
if verb.endswith("pvs"):
    print(json.dumps({"report": [{"pv": [{"pv_name": pv, "vg_name": vg} for pv, vg in rows.items()]}]}))
else:
    group, *devices = words
    if verb.endswith("vgcreate") == (group in rows.values()):
        sys.exit(f"{group}: wrong command {verb}")
    rows.update(dict.fromkeys(devices, group))
    json.dump(rows, open(path, "w"))
"""


@pytest.fixture
def host(tmp_path, monkeypatch, run_module):
    """A host with two empty devices; calling it runs the module for a group of those that are named."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("pvs", "vgcreate", "vgextend"):
        (tools / name).write_text(LVM)
        (tools / name).chmod(0o755)
    rows = tmp_path / "rows"
    rows.write_text("{}")
    monkeypatch.setenv("ROWS", str(rows))
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")

    class Host:
        directory = tmp_path

        def __call__(self, *names, check=False):
            devices = [str(self.directory / name) for name in names]
            return run_module(module, {"groups": [{"name": "vg", "devices": devices}]}, check=check)

        def rows(self, **new):
            """Return what LVM knows: the name of each device, and its group; or let it know *new*."""
            if new:
                rows.write_text(json.dumps({str(self.directory / name): group for name, group in new.items()}))
            return {path.rpartition("/")[2]: group for path, group in json.loads(rows.read_text()).items()}

    for name in ("a", "b"):
        (tmp_path / name).write_bytes(bytes(2**22))
    return Host()


def test_it_is_made_and_grows(host):
    assert in_words(host("a", check=True)["changes"]) == [f"create volume group vg: {host.directory}/a"]
    assert host.rows() == {}
    assert host("a")["changed"]
    assert not host("a")["changed"]
    grown = host("a", "b")
    assert in_words(grown["changes"]) == [f"extend volume group vg: {host.directory}/b"]
    assert grown["diff"][0]["before"] == {"devices": [f"{host.directory}/a"]}
    assert host.rows() == {"a": "vg", "b": "vg"}
    # What is asked for no longer stays.
    assert not host("b")["changed"]


def test_what_a_killed_run_began_is_finished(host):
    host.rows(a="")
    assert in_words(host("a", "b")["changes"]) == [f"create volume group vg: {host.directory}/a, {host.directory}/b"]


def test_what_holds_something_is_never_touched(host):
    subprocess.run(["mkfs.ext4", "-q", host.directory / "b"], check=True)
    host.rows(c="other")
    said = host("a", "b", "c", "d")
    assert said["failed"]
    for words in ("b holds ext4", "c is in the volume group other", "no device"):
        assert words in said["msg"]
    assert host.rows() == {"c": "other"}


def test_a_plan_before_there_is_lvm(host, monkeypatch):
    monkeypatch.setenv("PATH", "/usr/sbin:/sbin:/usr/bin:/bin")
    assert host("a", check=True)["changed"]
