# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""No secret is readable by others. Findings are named without their values."""

from __future__ import annotations

import pytest


def test_not_readable_by_everybody(leaks):
    """The user nobody, reading all that it may, finds no secret of the cloud and no private key."""
    assert leaks["readable"] == []


def test_not_in_logs(leaks):
    """No secret stands in the journal or in a file below /var/log."""
    assert leaks["secrets"] > 0
    assert leaks["logs"] == []


def test_not_on_command_lines_now(leaks):
    """No process that runs has a secret on its command line."""
    assert leaks["commands"] == []


def test_not_on_command_lines_during_the_run(request, looks, name):
    """No process had one while site.yml ran."""
    scenario = request.config.getoption("scenario")
    heard = scenario / f"{name}.heard" if scenario else None
    if not heard or not heard.exists():
        pytest.skip("not run: command lines were not recorded during site.yml (molecule/shared/audit_start.yml)")
    secret_in(heard, looks[name]["part"]["secrets"])


def test_not_on_the_control_machines_command_lines(request, looks):
    """Nor had one on the control node."""
    scenario = request.config.getoption("scenario")
    heard = scenario / "localhost.heard" if scenario else None
    if not heard or not heard.exists():
        pytest.skip("not run: command lines were not recorded during site.yml (molecule/shared/audit_start.yml)")
    for look in looks.values():
        secret_in(heard, look["part"]["secrets"])


def secret_in(heard, secrets):
    """Fail with the programs and the names of secrets that were heard together."""
    lines = heard.read_text(encoding="utf-8", errors="replace").splitlines()
    assert len(lines) > 20, "hardly anything was heard"
    found = [
        (line.split(" ", 1)[0], name)
        for line in lines
        for name, value in secrets.items()
        if len(value) >= 8 and value in line
    ]
    assert found == []
