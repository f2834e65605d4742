# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A service that Cairn does not ship comes by one page, works behind the TLS front, and goes by one word."""

from __future__ import annotations

import pytest
import yaml
from support import ROOT, Witness, ask

PAGE = "--extra-vars=@tests/pages/barbican.yml"


@pytest.fixture(scope="module")
def gone(tmp_path_factory):
    """Return the option that gives the same page with the one word changed."""
    page = yaml.safe_load((ROOT / "tests/pages/barbican.yml").read_text(encoding="utf-8"))
    page["catalog_extra"]["barbican"]["state"] = "absent"
    path = tmp_path_factory.mktemp("gone") / "barbican.yml"
    path.write_text(yaml.safe_dump(page), encoding="utf-8")
    return f"--extra-vars=@{path}"


@pytest.fixture(scope="module")
def before(playbooks, tmp_path_factory):
    """Keep what the hosts are without the page."""
    witness = Witness(playbooks, tmp_path_factory.mktemp("page"))
    witness.look("before")
    return witness


@pytest.fixture(scope="module")
def added(playbooks, before):
    """Add the service, and return what that changed on the hosts."""
    playbooks.must("playbooks/site.yml", PAGE)
    return before.differences("before")


@pytest.fixture(scope="module")
def removed(playbooks, before, added, gone):
    """Remove the service, and return what differs from before it was added."""
    playbooks.must("playbooks/site.yml", gone)
    return before.differences("before")


def test_it_is_there(added):
    """Database, account, service, endpoints, file and unit have come."""
    lines = "\n".join(added)
    for what in ("databases: account barbican@", "identity: service ", "identity: endpoint ", "units: barbican-api"):
        assert what in lines, lines
    assert "files: /etc/barbican/barbican.conf appeared" in lines


def test_others_were_not_restarted(added):
    """No other service was restarted for it but the front, which carries its port."""
    restarted = [line for line in added if "started as" in line and "appeared" not in line]
    assert [line for line in restarted if "haproxy.service" not in line and "barbican" not in line] == []


def test_it_works(added, controller):
    """Through the TLS front, with a token, a payload is stored and read back."""
    found = ask(controller, "cloud/scripts/keys.py")
    assert found["same"]
    assert found["endpoint"].startswith("https://")
    assert found["secret"].startswith("https://"), "the service names itself by an address that clients can't use"


def test_nothing_to_do_with_it(added, playbooks):
    """With the page a rerun changes nothing."""
    assert playbooks.must("playbooks/site.yml", PAGE).changes == []


def test_it_goes(removed, controller):
    """Unit, account, service and endpoints are gone; nothing listens on the port."""
    lines = "\n".join(removed)
    assert "identity: " not in lines.replace("identity: role ", ""), lines
    assert controller.run("systemctl is-active barbican-api").stdout.strip() in ("inactive", "unknown", "failed")
    assert controller.run("systemctl is-enabled barbican-api").stdout.strip() in ("disabled", "not-found", "masked", "")
    assert ":9311 " not in controller.check_output("ss --no-header --listening --numeric --tcp")


def test_its_data_is_kept(removed, controller):
    """Its database is still there, until asked to go."""
    tables = controller.check_output("mariadb --batch --skip-column-names --execute 'SHOW TABLES' barbican").split()
    assert "secrets" in tables


def test_it_is_gone_for_good(removed, playbooks, gone):
    """A rerun with the page still absent changes nothing."""
    assert playbooks.must("playbooks/site.yml", gone).changes == []
