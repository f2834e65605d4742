# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
""".ci/run ends with pytest's last lines, tells how it went, and always takes the lab down."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time

import pytest

MAKE = """#!/bin/sh
echo "$1" >>ran
case $1 in
test)
  read -r word && echo "standard input: $word"
  echo "tests/unit/test_x.py ....                            [100%]"
  echo "========================= 4 passed in 0.01s ========================="
  echo "molecule's own last words"
  sleep "${SECONDS_OF_TESTS:-0}"
  exit "${STATUS:-0}" ;;
lab-down) exit "${DOWN:-0}" ;;
esac
"""
# Nothing is missing, so nothing is installed.
DPKG = "#!/bin/sh\necho installed\n"


@pytest.fixture
def ci(root, tmp_path, monkeypatch):
    """Start .ci/run in a directory of its own, with a make that only says what it was asked for."""
    (tmp_path / ".ci").mkdir()
    shutil.copy(root / ".ci/run", tmp_path / ".ci/run")
    for name, text in (("make", MAKE), ("dpkg-query", DPKG)):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    def start():
        return subprocess.Popen(
            [tmp_path / ".ci/run"], cwd="/", stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    return start


def ran(tmp_path):
    return (tmp_path / "ran").read_text().split()


def test_all_is_well(ci, tmp_path):
    process = ci()
    said, _none = process.communicate("typed\n")
    assert process.returncode == 0
    assert ran(tmp_path) == ["test", "lab-down"]
    assert said.splitlines()[-1] == "========================= 4 passed in 0.01s ========================="
    assert "typed" not in said


@pytest.mark.parametrize("variable", ["STATUS", "DOWN"])
def test_a_failure_is_told(ci, tmp_path, monkeypatch, variable):
    monkeypatch.setenv(variable, "2")
    process = ci()
    process.communicate()
    assert process.returncode != 0
    assert ran(tmp_path) == ["test", "lab-down"]


def test_the_lab_goes_down_when_it_is_stopped(ci, tmp_path, monkeypatch):
    monkeypatch.setenv("SECONDS_OF_TESTS", "3")
    process = ci()
    while not (tmp_path / "ran").exists():
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    process.communicate()
    assert process.returncode != 0
    assert ran(tmp_path) == ["test", "lab-down"]
