# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Services that Cairn does not ship come by files, work behind the load balancer, and go by one word.

Heat, with a domain of its own, the CloudFormation API and a panel in the dashboard; Barbican, by a file that takes the
place of the shipped one; and a made-up service that opens a port to the public and gives Nova an option.
"""

from __future__ import annotations

import json
import socket

import pytest
import yaml
from support import ROOT, HostBaseline, ask

DEFINITIONS = ("barbican", "beacon")
OPTIONAL = ("heat",)


def option(directory, services=()):
    """Return the option that names the *directory* of definitions, and the optional *services*."""
    return f"--extra-vars={json.dumps({'catalog_dir': str(directory), 'cloud_services': services})}"


@pytest.fixture(scope="module")
def files():
    """The option that names the definitions, as they are written, and the optional services."""
    return option(ROOT / "tests/definitions", OPTIONAL)


@pytest.fixture(scope="module")
def absent(tmp_path_factory):
    """The same with one word more in each: it is absent; and without the optional services."""
    directory = tmp_path_factory.mktemp("absent")
    for name in DEFINITIONS:
        definition = yaml.safe_load((ROOT / f"tests/definitions/{name}.yml").read_text(encoding="utf-8"))
        (directory / f"{name}.yml").write_text(yaml.safe_dump({**definition, "state": "absent"}), encoding="utf-8")
    return option(directory)


@pytest.fixture(scope="module")
def before(playbooks, tmp_path_factory):
    """Keep what the hosts are without them."""
    baseline = HostBaseline(playbooks, tmp_path_factory.mktemp("page"))
    baseline.look("before")
    return baseline


@pytest.fixture(scope="module")
def added(playbooks, before, files):
    """Add the services, and return what that changed on the hosts."""
    playbooks.must("playbooks/site.yml", files)
    return before.differences("before")


@pytest.fixture(scope="module")
def removed(playbooks, before, added, absent):
    """Remove the services, and return what differs from before they were added."""
    playbooks.must("playbooks/site.yml", absent)
    return before.differences("before")


def test_they_are_there(added):
    """Databases, users, a domain, services, endpoints, files and units have come."""
    lines = "\n".join(added)
    for what in (
        "databases: user barbican@",
        "databases: user heat@",
        "identity: service ",
        "identity: endpoint ",
    ):
        assert what in lines, lines
    for unit in ("barbican-api", "beacon", "heat-api", "heat-api-cfn", "heat-engine"):
        assert f"units: {unit}" in lines
    assert "files: /etc/heat/heat.conf appeared" in lines


def test_others_were_restarted_for_a_cause(added):
    """The load balancer has their ports, the dashboard Heat's panel, Nova an option; nobody else was restarted."""
    restarted = [line for line in added if "started as" in line and "appeared" not in line]
    theirs = ("haproxy.service", "apache2.service", "nova-", *DEFINITIONS, *OPTIONAL)
    assert [line for line in restarted if not any(name in line for name in theirs)] == []


def test_secrets_are_kept_and_read(added, controller):
    """Through the load balancer, with a token, a payload is stored in Barbican and read back."""
    found = ask(controller, "cloud/scripts/keys.py")
    assert found["same"]
    assert found["endpoint"].startswith("https://")
    assert found["secret"].startswith("https://"), "the service names itself by an address that clients can't use"


def test_stacks_are_made(added, controller):
    """A stack with a network and a user in Heat's domain is made; the CloudFormation API and the panel are there."""
    found = ask(controller, "cloud/scripts/stacks.py")
    assert found["status"] == "CREATE_COMPLETE"
    assert found["cloudformation"] in (400, 403), "it asks for a signature"
    assert found["panel"] == 302, "it asks for a login"


def test_a_port_is_open(added, controller):
    """The firewall lets in what the definition says."""
    address = controller.check_output("grep -o '[0-9.]* 7777' /etc/systemd/system/beacon.service").split()[0]
    socket.create_connection((address, 7777), timeout=5).close()


def test_nova_has_the_option(added, controller):
    """Between its own definition and what the user says."""
    assert "reclaim_instance_interval = 3600\n" in controller.check_output("cat /etc/nova/nova.conf") + "\n"


def test_nothing_to_do_with_them(added, playbooks, files):
    """A rerun changes nothing."""
    assert playbooks.must("playbooks/site.yml", files).changes == []


def test_they_go(removed, controller):
    """Units, users, services and endpoints are gone; nothing listens on the ports; Nova's option is gone."""
    lines = "\n".join(line for line in removed if "identity: role " not in line and "identity: domain heat" not in line)
    assert "identity: " not in lines, lines
    for unit in ("barbican-api", "beacon", "heat-api", "heat-engine"):
        assert controller.run(f"systemctl is-active {unit}").stdout.strip() in ("inactive", "unknown", "failed")
        assert controller.run(f"systemctl is-enabled {unit}").stdout.strip() in ("disabled", "not-found", "masked", "")
    listening = controller.check_output("ss --no-header --listening --numeric --tcp")
    assert [port for port in (7777, 8000, 8004, 9311) if f":{port} " in listening] == []
    assert "reclaim_instance_interval" not in controller.check_output("cat /etc/nova/nova.conf")


def test_data_is_kept(removed, controller):
    """The databases are still there, until asked to go."""
    for database, table in (("barbican", "secrets"), ("heat", "stack")):
        show = f"mariadb --batch --skip-column-names --execute 'SHOW TABLES' {database}"
        assert table in controller.check_output(show).split()


def test_they_are_gone_for_good(removed, playbooks, absent):
    """A rerun with all still absent changes nothing."""
    assert playbooks.must("playbooks/site.yml", absent).changes == []


def test_what_has_gone_is_told(removed, playbooks, files, absent):
    """Definitions that are deleted without that word are missed."""
    playbooks.must("playbooks/site.yml", files)
    run = playbooks.run("playbooks/site.yml", "--check")
    assert "no definition beacon, whose units" in run.words
    assert "no definition barbican of yours any more" in run.words
    playbooks.must("playbooks/site.yml", absent)
