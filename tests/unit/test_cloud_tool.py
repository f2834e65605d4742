# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The command behind `make cloud`, with playbooks that only say that they ran."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

PLAYBOOK = """#!/usr/bin/env python3
import json, os, pathlib, sys
name = pathlib.Path(sys.argv[3]).name
with open("ran", "a") as file:
    file.write(" ".join(sys.argv[1:]) + chr(10))
print("this is", name)
if name == "verify.yml":
    print("Kept server: ssh -i key user@192.0.2.150")
with open(os.environ["CAIRN_TIMING_FILE"], "a") as file:
    parts = [["Every node", 90.0], ["packages: download", 20.0], ["packages: install", 50.0]]
    file.write(json.dumps({"playbook": name, "seconds": 100.0, "parts": parts}) + chr(10))
sys.exit(name == os.environ.get("BROKEN"))
"""
INVENTORY = """#!/bin/sh
echo '{"_meta": {"hostvars": {"one": {"ansible_host": "192.0.2.11"}}}, "controller": {"hosts": ["one"]}}'
"""


@pytest.fixture
def cloud(root, tmp_path, monkeypatch):
    """Run the tool in a directory of its own; returns what it said and its exit code."""
    for name, text in (("ansible-playbook", PLAYBOOK), ("ansible-inventory", INVENTORY)):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    (tmp_path / "inventory/.secrets").mkdir(parents=True)
    (tmp_path / "inventory/.secrets/openrc").write_text("export OS_AUTH_URL=https://cloud.example.org:5000/v3\n")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    def run():
        command = [sys.executable, root / "tools/cloud", "inventory"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        return done.stdout, done.returncode

    return run


def test_all_parts_in_order(cloud, tmp_path):
    said, status = cloud()
    assert status == 0, said
    ran = (tmp_path / "ran").read_text().splitlines()
    assert sorted(ran) == [
        "-i inventory playbooks/guest_image.yml",
        "-i inventory playbooks/lab_up.yml",
        "-i inventory playbooks/site.yml",
        "-i inventory playbooks/verify.yml -e verify_keep=true",
    ]
    assert ran[0].endswith("lab_up.yml")
    assert ran[-1].endswith("verify_keep=true")


def test_it_ends_with_the_way_in(cloud):
    said, _status = cloud()
    end = said[said.index("together") :]
    assert "ssh -i key user@192.0.2.150" in end
    assert "https://cloud.example.org/" in end
    assert "192.0.2.11" in end
    assert "inventory/.secrets/openrc" in end


def test_the_cloud_is_told_by_its_steps(cloud):
    said, _status = cloud()
    rows = dict(line.strip().rsplit(maxsplit=2)[:2] for line in said.splitlines() if line.endswith(" s"))
    assert {"test hosts", "cloud", "verify", "together"} <= set(rows)
    assert (rows["packages: download"], rows["packages: install"], rows["configure"]) == ("20", "50", "30")


def test_the_environment_counts(cloud, monkeypatch):
    monkeypatch.setenv("CAIRN_BEGAN", "1")
    assert "\nenvironment" in cloud()[0]


@pytest.mark.parametrize(
    ("broken", "part"),
    [("lab_up.yml", "test hosts"), ("site.yml", "cloud"), ("guest_image.yml", "guest image"), ("verify.yml", "verify")],
)
def test_a_part_that_fails_ends_it(cloud, monkeypatch, broken, part):
    monkeypatch.setenv("BROKEN", broken)
    said, status = cloud()
    assert status == 1
    assert f"The part '{part}" in said
    assert f"this is {broken}" in said
    assert "together" in said
