# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What packages ask of py3compile is put off, done together, and deferred on when a run dies."""

from __future__ import annotations

import os
import subprocess
from subprocess import check_call

import pytest
from ansible_collections.cairn.openstack.plugins.module_utils.host import py3compile

LISTED = """\
/.
/usr/lib/python3/dist-packages/nova
/usr/lib/python3/dist-packages/nova/api/app.py
/usr/lib/python3/dist-packages/nova/utils.py
/usr/lib/python3/dist-packages/six.py
/usr/share/doc/python3-nova/example.py
"""
MODULES = [
    *("--exclude", ".*/tests/"),
    "/usr/lib/python3/dist-packages/nova",
    "/usr/lib/python3/dist-packages/six.py",
]


@pytest.fixture
def ran(tmp_path, monkeypatch):
    """A host whose dpkg lists two packages' files; what py3compile is asked is recorded."""
    calls = []
    monkeypatch.setattr(py3compile, "DEFERRED", str(tmp_path / "deferred"))
    monkeypatch.setattr(py3compile, "_DIRECTORY", str(tmp_path / "path"))
    monkeypatch.setattr(py3compile, "_PAUSE", 0.01)
    real = subprocess.run

    def run(command, **options):
        calls.append(command)
        answer = {"py3compile": "", "dpkg-query": LISTED}[command[0]]
        return real(["printf", "%s", answer], **options)

    monkeypatch.setattr(py3compile.subprocess, "run", run)
    return calls


def ask(option, *arguments):
    """Call py3compile as a maintainer script of the transaction does."""
    path = option.partition("=")[2]
    check_call(["py3compile", *arguments], env={**os.environ, "PATH": path + ":" + os.environ["PATH"]})


def compiled(ran):
    return [command[1:] for command in ran if command[0] == "py3compile"]


def test_together(ran, tmp_path):
    with py3compile.beside() as (_flag, option):
        ask(option, "-p", "python3-nova:amd64")
        ask(option, "-p", "python3-six", "-V", "3.8-")
        ask(option, "-p", "openstack-dashboard", "/usr/share/openstack-dashboard")
    done = compiled(ran)
    assert MODULES in done
    assert ["-p", "openstack-dashboard", "/usr/share/openstack-dashboard"] in done
    assert py3compile.deferred() == []
    assert list(tmp_path.iterdir()) == []


def test_once(ran):
    """What the thread has compiled is not compiled again at the end."""
    with py3compile.beside() as (_flag, option):
        ask(option, "-p", "python3-nova")
        while not compiled(ran):
            pass
    assert compiled(ran) == [MODULES]


def test_a_dead_run_owes(ran):

    def dying():
        with py3compile.beside() as (_flag, option):
            ask(option, "-p", "python3-nova:amd64")
            ask(option, "-p", "dashboard", "/usr/share/dashboard")
            raise KeyError("apt")

    with pytest.raises(KeyError):
        dying()
    assert py3compile.deferred_packages() == ["dashboard", "python3-nova"]
    ran.clear()
    py3compile.settle()
    assert compiled(ran) == [MODULES, ["-p", "dashboard", "/usr/share/dashboard"]]
    assert py3compile.deferred_packages() == []


def test_an_error_is_reported_and_stays_deferred(ran, monkeypatch):
    monkeypatch.setattr(py3compile, "_PAUSE", 60)

    def run(command, **_options):
        return subprocess.CompletedProcess(command, 1, "", "no space left")

    def failing():
        with py3compile.beside() as (_flag, option):
            ask(option, "-p", "dashboard", "/usr/share/dashboard")
            monkeypatch.setattr(py3compile.subprocess, "run", run)

    with pytest.raises(py3compile.CompileError, match="no space left"):
        failing()
    assert py3compile.deferred_packages() == ["dashboard"]


def test_nothing_deferred(ran):
    py3compile.settle()
    assert ran == []
