# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The certificates of the load balancer and of the hosts in the secrets directory."""

from __future__ import annotations

import types

import pytest
import resolving
from ansible.parsing.dataloader import DataLoader
from ansible_collections.cairn.openstack.plugins.action.certificates import ActionModule
from ansible_collections.cairn.openstack.plugins.plugin_utils.control_node import authority

VARIABLES = {
    "groups": {"controller": ["c1"], "compute": ["n1"]},
    "hostvars": {"c1": {"ansible_host": "192.0.2.11"}, "n1": {"ansible_host": "192.0.2.12"}},
}


@pytest.fixture
def issue(tmp_path):
    """Run the action; returns its changes as name → cause."""

    def run(check_mode=False, **given):
        arguments = {"directory": str(tmp_path), "cloud": "cairn", "names": ["cloud"], "internal_names": ["cloud"]}
        arguments |= given
        task = types.SimpleNamespace(args=arguments, check_mode=check_mode, async_val=0, environment=None)
        shell = types.SimpleNamespace(tmpdir=None)
        action = ActionModule(task, types.SimpleNamespace(_shell=shell), None, DataLoader(), None, None)
        return {change["name"]: change["detail"] for change in action.run(task_vars=VARIABLES)["changes"]}

    return run


def test_each_host_has_one(issue, tmp_path):
    new = dict.fromkeys(["ca.crt", "frontend.crt", "host-c1.crt", "host-n1.crt"], "missing")
    assert issue(check_mode=True) == new
    assert not list(tmp_path.iterdir())
    assert issue() == new
    assert issue() == {}


@pytest.mark.parametrize("name", ["frontend", "host-n1"])
def test_a_lost_key(issue, tmp_path, name):
    issue()
    (tmp_path / f"{name}.key").unlink()
    assert issue() == {f"{name}.crt": "its key is missing"}
    assert (tmp_path / f"{name}.key").exists()
    assert issue() == {}


NEW = "its authority has a new certificate"
ISSUED = ("frontend.crt", "host-c1.crt", "host-n1.crt")


def test_the_authority_is_renewed(issue, tmp_path, monkeypatch):
    monkeypatch.setattr(authority, "CA_DAYS", authority.CA_RENEW_DAYS - 9)
    issue()
    old = (tmp_path / "ca.crt").read_text()
    monkeypatch.undo()
    root_key = (tmp_path / "root.key").read_text()
    (tmp_path / "root.key").unlink()
    assert issue() == {}
    # That of another cloud is of no use.
    (tmp_path / "root.key").write_text(authority.new_key())
    assert issue() == {}
    (tmp_path / "root.key").write_text(root_key)
    renewed = {"ca.crt": f"expires in {authority.CA_RENEW_DAYS - 10} days", **dict.fromkeys(ISSUED, NEW)}
    assert issue(check_mode=True) == renewed
    assert issue() == renewed
    new = (tmp_path / "ca.crt").read_text()
    assert new != old
    assert authority.root_of(new) == authority.root_of(old)
    assert issue() == {}


def test_the_authority_is_not_renewed_at_its_roots_end(issue, tmp_path, monkeypatch):
    monkeypatch.setattr(authority, "ROOT_DAYS", authority.CA_RENEW_DAYS - 9)
    issue()
    left = authority.days_left((tmp_path / "ca.crt").read_text())
    assert left < authority.CA_RENEW_DAYS
    assert issue() == {}


def test_the_users_authority(issue, tmp_path):
    keys = [authority.new_key() for _key in range(3)]
    root = authority.root("mine", keys[0])
    for number in (1, 2):
        (tmp_path / f"{number}.pem").write_text(authority.intermediate("mine", keys[number], root, keys[0]))
        (tmp_path / f"{number}.key.pem").write_text(keys[number])
    given = [
        {"ca_certificate": str(tmp_path / f"{number}.pem"), "ca_key": str(tmp_path / f"{number}.key.pem")}
        for number in (1, 2)
    ]
    assert issue(**given[0]) == dict.fromkeys(["ca.crt", *ISSUED], "missing")
    assert issue(**given[0]) == {}
    assert (tmp_path / "ca.crt").read_text() == (tmp_path / "1.pem").read_text()
    assert not (tmp_path / "root.key").exists()
    assert issue(**given[1]) == {"ca.crt": "another one is set", **dict.fromkeys(ISSUED, NEW)}
    assert issue(**given[1]) == {}
    # The copy is the authority when the settings are gone.
    assert issue() == {}


def test_mariadb_has_one_certificate_before_its_ca_file(issue, tmp_path):
    hosts = {f"c{number}": {"groups": ["controller"], "address": f"192.0.2.1{number}"} for number in (1, 2, 3)}
    issue()
    files = resolving.files(resolving.resolve(hosts, "c1", tmp_path), "mariadb", ["controller"])
    own, above = (files[f"galera {name}"]["content"].count("BEGIN CERTIFICATE") for name in ("certificate", "ca"))
    assert (own, above) == (1, 2)
