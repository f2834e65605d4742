# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Options of the tests that need hosts: tests/cloud looks at any cloud, tests/lifecycle breaks and changes one."""

from __future__ import annotations

import os
import random
import sys
from pathlib import Path

import pytest
from support import ROOT, HostBaseline, Playbooks, host, node_groups
from tables import Table, into, seen_at

# The checkout is the package ansible_collections.cairn.openstack: `make` links it there.
sys.path.insert(0, str(ROOT / ".venv" / "collections"))
TABLES = pytest.StashKey[dict[str, Table]]()


def pytest_addoption(parser):
    """Add the options."""
    group = parser.getgroup("cloud")
    group.addoption("--inventory", type=Path, help="the cloud's inventory, for example inventories/lab")
    group.addoption("--scenario", type=Path, help="a molecule scenario's directory, with secrets and what was heard")
    group.addoption(
        "--seed",
        type=int,
        default=os.environ.get("CAIRN_SEED", random.randrange(10**6)),
        help="draws where runs are killed; by default the variable CAIRN_SEED, or anything",
    )
    group.addoption("--page", type=Path, help="a page whose tables the tests write, such as docs/evidence/repair.md")


def pytest_report_header(config):
    """Say how to draw the same once more."""
    return f"seed: {config.getoption('seed')} (again with --seed, or CAIRN_SEED in the environment)"


def pytest_configure(config):
    """No test has written anything yet."""
    config.stash[TABLES] = {}


@pytest.fixture(scope="session")
def table(request):
    """Return the table of a name, which stands in the page when the tests have ended: `table("NAME", "column", …)`."""
    return lambda name, *columns: request.config.stash[TABLES].setdefault(name, Table(columns))


def pytest_sessionfinish(session):
    """Write the tables into the page that was asked for."""
    page, tables = session.config.getoption("page"), session.config.stash[TABLES]
    if page and tables:
        text, when = page.read_text(encoding="utf-8"), seen_at(ROOT)
        for name, filled in tables.items():
            text = into(text, name, filled, when)
        page.write_text(text, encoding="utf-8")


@pytest.fixture(scope="session")
def playbooks(request):
    """Playbooks against the cloud."""
    inventory, scenario = request.config.getoption("inventory"), request.config.getoption("scenario")
    if inventory is None:
        pytest.skip("not run: no --inventory was given")
    return Playbooks(inventory.resolve(), scenario.resolve() if scenario else None)


@pytest.fixture
def baseline(playbooks, tmp_path):
    """The independent snapshots of the hosts' state."""
    return HostBaseline(playbooks, tmp_path)


@pytest.fixture(scope="session")
def groups(playbooks):
    """Return the inventory's node groups with their hosts, and all of them as `all`."""
    return node_groups(playbooks)


@pytest.fixture(scope="session")
def controller(playbooks, groups):
    """Return the first controller."""
    return host(playbooks, groups["controller"][0])


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Let fixtures know whether the test itself failed, as `request.node.failed_call`."""
    report = (yield).get_result()
    if report.when == "call":
        item.failed_call = report.failed
