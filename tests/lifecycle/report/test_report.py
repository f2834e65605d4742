# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The report of a deployed cloud: complete, without secrets, without a change of any host."""

from __future__ import annotations

import os
import stat

import pytest
import yaml
from html_page import Page
from support import host

SECTIONS = ["Problems", "Topology", "Services", "Capacity", "Hosts", "Certificates", "Drift", "Last runs", "Endpoints"]
# A unit of every cloud, which can be stopped for a minute without an effect on servers.
UNIT = "nova-scheduler"
# Shorter values of the secrets' file are names.
SHORTEST = 16


@pytest.fixture
def report(playbooks, tmp_path):
    """Return a function that writes a report and returns the page and the run."""

    def write():
        path = tmp_path / "report.html"
        run = playbooks.must("playbooks/report.yml", f"--extra-vars=report_file={path}")
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        return Page(path.read_text(encoding="utf-8")), run

    return write


@pytest.fixture
def secrets(playbooks):
    """Return every secret of the cloud: the values of the file, and the lines of private keys."""
    directory = playbooks.scenario / "secrets" if playbooks.scenario else playbooks.inventory / ".secrets"
    found = []
    for path in directory.glob("*.key"):
        found += [line for line in path.read_text().splitlines() if line and not line.startswith("-")]
    values = yaml.safe_load((directory / "secrets.yml").read_text())
    for value in values.values():
        found += [line for line in str(value).splitlines() if not line.startswith("-")]
    found = [one for one in found if len(one) >= SHORTEST]
    assert len(found) > 20
    return found


def test_nothing_changes(report, baseline):
    """Hosts, databases, queues and the objects of the cloud are as before."""
    baseline.look("report")
    _page, run = report()
    assert run.changes == []
    assert baseline.differences("report") == []


def test_all_is_in_it(report, groups, secrets):
    """Each host with its units and addresses, the cloud's clusters, capacity and certificates; no secret."""
    page, _run = report()
    assert page.open == []
    assert [one for one in page.headings if one in SECTIONS] == SECTIONS
    for name in groups["all"]:
        text = page.below(name)
        for words in ("Debian 13", "memory", "as desired", "Network interfaces", "Versions and updates", "eth0"):
            assert words in text, (name, words)
    on_controller = page.below(groups["controller"][0])
    for name in ("nova-api", UNIT, "keystone", "mariadb", "rabbitmq-server"):
        assert f"{name} ✓ active" in on_controller, name
    services = page.below("Services")
    assert "RabbitMQ ✓" in services
    for name in groups["compute"]:
        assert f"✓ {name}" in services
    assert "vCPUs" in page.below("Capacity")
    assert "certificate authority" in page.below("Certificates")
    assert "identity" in page.below("Endpoints")
    assert "no answer" not in page.below("Problems")
    assert [one for one in secrets if one in page.source] == []


def test_it_loads_nothing(report):
    """It needs no network: no script, no picture, no style sheet, and no link that leads elsewhere."""
    page, _run = report()
    assert page.loads == []
    assert page.tags & {"script", "link", "img", "iframe", "object", "embed", "form", "base"} == set()
    assert "url(" not in page.source
    assert [link for link in page.links if not link.startswith("#") or link[1:] not in page.ids] == []


def test_a_stopped_unit_is_among_the_problems(report, playbooks, groups):
    """It is named with its host and what to do, and so is the difference from the desired state."""
    name = groups["controller"][0]
    where = host(playbooks, name)
    where.check_output("systemctl stop %s", UNIT)
    try:
        page, _run = report()
    finally:
        where.check_output("systemctl start %s", UNIT)
    problems = page.below("Problems")
    assert f"{UNIT} is inactive" in problems
    assert f"playbooks/site.yml --limit {name}" in problems
    assert "1 unit failed" in page.text
    assert f"start {UNIT}" in page.below("Drift")
    assert f"✕ {UNIT} is inactive" in page.below(name)


def test_a_plan_writes_nothing(playbooks, tmp_path):
    """With ``--check`` all is read, and no file is written."""
    path = tmp_path / "report.html"
    playbooks.must("playbooks/report.yml", f"--extra-vars=report_file={path}", "--check")
    assert not os.path.exists(path)
