# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the tests of a running cloud share: its hosts, what each of them should be, and what was found there."""

from __future__ import annotations

import json
from functools import cache

import pytest
from support import Playbooks, ask, host, node_groups

NONE = pytest.param("", marks=pytest.mark.skip("not run: no --inventory was given"))


@cache
def hosts(inventory):
    """Return the names of the inventory's hosts; asked for each test, Ansible would take half a minute for them."""
    return node_groups(Playbooks(inventory.resolve()))["all"]


def pytest_generate_tests(metafunc):
    """Run a test that takes ``name`` once for each host of the inventory."""
    if "name" in metafunc.fixturenames:
        inventory = metafunc.config.getoption("inventory")
        metafunc.parametrize("name", hosts(inventory) if inventory else [NONE])


class Quiet(dict):
    """A dictionary with secrets inside, which a failing test does not print."""

    def __repr__(self):
        return "(not shown: it holds secrets)"


@pytest.fixture
def node(playbooks, name):
    """Return the host *name*, entered as root."""
    return host(playbooks, name)


@pytest.fixture(scope="session")
def looks(playbooks, groups, tmp_path_factory):
    """Return for each host its part of the cloud, by the engine, and the secrets that were found lying about."""
    directory = tmp_path_factory.mktemp("look", numbered=True)
    directory.chmod(0o700)
    playbooks.must("tests/cloud/look.yml", f"--extra-vars=look_dir={directory}")
    return {
        name: {
            "part": Quiet(json.loads((directory / f"{name}.part.json").read_text(encoding="utf-8"))),
            "leaks": json.loads((directory / f"{name}.leaks.json").read_text(encoding="utf-8")),
        }
        for name in groups["all"]
    }


@pytest.fixture
def part(looks, name):
    """Return what the host *name* should be."""
    return looks[name]["part"]


@pytest.fixture
def leaks(looks, name):
    """Return what secrets were found on the host *name*, and where."""
    return looks[name]["leaks"]


@pytest.fixture(scope="session")
def state(controller):
    """Return what the cloud says of itself."""
    return ask(controller, "cloud/scripts/state.py")
