# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The certificates of the load balancer and of the hosts in the secrets directory."""

from __future__ import annotations

import types

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible_collections.cairn.openstack.plugins.action.certificates import ActionModule

VARIABLES = {
    "groups": {"controller": ["c1"], "compute": ["n1"]},
    "hostvars": {"c1": {"ansible_host": "192.0.2.11"}, "n1": {"ansible_host": "192.0.2.12"}},
}


@pytest.fixture
def issue(tmp_path):
    """Run the action; returns its changes as name → cause."""

    def run(check_mode=False):
        arguments = {"directory": str(tmp_path), "cloud": "cairn", "names": ["cloud"], "internal_names": ["cloud"]}
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
