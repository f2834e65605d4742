# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""MariaDB's variables that SET GLOBAL has changed, which no file shows."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import resolving

HOSTS = {"c1": {"groups": ["controller", "network", "compute"], "address": "192.0.2.11"}}
FILES = "--skip-name-resolve=1\n--innodb-snapshot-isolation=0\n--max_connections=151\n--max_connections=600\n"
# Only what SET GLOBAL has changed.
MARIADB = """#!/bin/sh
for word; do case $word in
  SET*) echo "$word" >>"{0}/set"; exit;;
  *"GLOBAL_VALUE_ORIGIN = 'SQL'"*) cat "{0}/running";;
esac; done
"""


@pytest.fixture
def variables(tmp_path):
    """Return a function that runs the script for a server with other variables and returns what it prints."""
    text = resolving.files(resolving.resolve(HOSTS, "c1", tmp_path), "mariadb", HOSTS["c1"]["groups"])
    program = text["variables"]["content"]
    for name, content in (("my_print_defaults", f'#!/bin/sh\ncat "{tmp_path}/files"\n'), ("mariadb", MARIADB)):
        (tmp_path / name).write_text(content.replace("{0}", str(tmp_path)))
        (tmp_path / name).chmod(0o755)

    def run(*arguments, files=FILES, **running):
        (tmp_path / "files").write_text(files)
        lines = (f"{name}\t{value}\n" for name, value in running.items())
        (tmp_path / "running").write_text("".join(lines))
        environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
        return subprocess.check_output([sys.executable, "-c", program, *arguments], text=True, env=environment)

    return run


@pytest.mark.parametrize(
    ("running", "found"),
    [
        ({}, "as in the files"),
        ({"max_connections": "2000"}, "as in the files"),
        ({"max_connections": "20"}, "max_connections (20, not 600)"),
        ({"read_only": "ON"}, "read_only (ON, not OFF)"),
        ({"read_only": "READ_ONLY"}, "read_only (READ_ONLY, not OFF)"),
        ({"max_connections": "20", "read_only": "ON"}, "max_connections (20, not 600), read_only (ON, not OFF)"),
    ],
)
def test_what_differs(variables, running, found):
    assert variables(**running) == f"variables = {found}\n"


@pytest.mark.parametrize(
    ("option", "writable"),
    [
        ("--read-only", False),
        ("--read_only=ON", False),
        ("--read_only=0", True),
        ("--loose-read-only", False),
        ("--loose_read_only=true", False),
        ("--skip-read-only", True),
        ("--skip_read_only=0", False),
        ("--disable-read-only", True),
        ("--enable-read-only", False),
        ("--enable_read_only=0", True),
        ("--loose-skip-read-only", True),
    ],
)
def test_a_file_of_the_site_sets_read_only(variables, option, writable):
    found = "read_only (ON, not OFF)" if writable else "as in the files"
    assert variables(files=f"{FILES}{option}\n", read_only="ON") == f"variables = {found}\n"


@pytest.mark.parametrize(
    ("text", "expected"), [("1K", 1024), ("2k", 2048), ("1M", 100000), ("200000", 100000), ("700", 700)]
)
def test_notations_of_the_connections(variables, text, expected):
    files = f"{FILES}--loose-max-connections={text}\n"
    assert variables(files=files, max_connections=str(expected)) == "variables = as in the files\n"
    assert variables(files=files, max_connections="20") == f"variables = max_connections (20, not {expected})\n"


def test_what_a_file_has_changed_since_the_start_needs_a_restart(variables):
    """A plan does not know it, as the file is not written yet, and tells the restart only."""
    assert variables(files=f"{FILES}--max_connections=900\n--read_only=1\n") == "variables = as in the files\n"


def test_it_sets_them(variables, tmp_path):
    variables("--set", read_only="ON", max_connections="20")
    assert (tmp_path / "set").read_text() == "SET GLOBAL read_only = OFF\nSET GLOBAL max_connections = 600\n"
