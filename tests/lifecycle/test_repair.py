# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What somebody broke is shown by a plan and mended by site.yml, and nothing else is touched.

Each row breaks one thing. Rows are broken together, a batch at a time: the plan has to show each of them and nothing
more, the run has to do what the plan said, and the witness has to find the hosts as they were.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import pytest
from support import host

SQL = "mariadb --execute={!r}"
OPENSTACK = "openstack --os-cloud cairn {}"
ENDPOINTS = OPENSTACK.format("endpoint list --format value --column ID")
DPKG_STATUS = "sed -i '/^Package: {}$/,/^$/s/^Status: .*/Status: install ok {}/' /var/lib/dpkg/status"


@dataclass
class Row:
    """One thing that breaks: where, by which command, what the plan says of it, and which unit restarts for it."""

    name: str
    node: str
    breaks: str
    told: str
    restarted: str = ""


ROWS = [
    Row("a file deleted", "controller", "rm /etc/glance/glance-api.conf", "/etc/glance/glance-api.conf.*created"),
    Row("a file edited", "controller", "echo '[x]' >> /etc/nova/nova.conf", "/etc/nova/nova.conf.*content"),
    Row("a mode opened", "controller", "chmod 644 /etc/keystone/keystone.conf", "/etc/keystone/keystone.conf.*mode"),
    Row("an owner changed", "network", "chown nobody /etc/neutron/l3_agent.ini", "/etc/neutron/l3_agent.ini.*owner"),
    Row("the hosts file emptied", "compute", "echo 127.0.0.1 localhost > /etc/hosts", "/etc/hosts.*content"),
    Row("a unit stopped", "controller", "systemctl stop nova-scheduler", "nova-scheduler started"),
    Row("a unit disabled", "network", "systemctl disable neutron-dhcp-agent", "neutron-dhcp-agent enabled"),
    Row("a unit masked", "controller", "systemctl mask --now placement-api", "placement-api (unmasked|started)"),
    Row("the firewall stopped", "controller", "systemctl stop cairn-firewall", "cairn-firewall started"),
    Row(
        "a unit that runs an edited file",
        "compute",
        "echo '# edited' >> /etc/nova/nova-compute.conf; systemctl restart nova-compute",
        "/etc/nova/nova-compute.conf.*content",
        restarted="nova-compute",
    ),
    Row(
        "a database's grant dropped",
        "controller",
        SQL.format("REVOKE ALL ON glance.* FROM glance@'%'"),
        "glance.*grant",
    ),
    Row("a database's account dropped", "controller", SQL.format("DROP USER placement@'%'"), "account placement@"),
    Row(
        "a database's password changed",
        "controller",
        SQL.format("ALTER USER nova@'%' IDENTIFIED BY 'another'"),
        "account nova@.*password",
    ),
    Row("a message user deleted", "controller", "rabbitmqctl -q delete_user nova", "user nova"),
    Row(
        "a message password changed", "controller", "rabbitmqctl -q change_password neutron x", "user neutron.*password"
    ),
    Row(
        "a message user's rights taken",
        "controller",
        "rabbitmqctl -q clear_permissions -p nova nova",
        "permission.*nova",
    ),
    Row(
        "an endpoint deleted",
        "controller",
        f"{ENDPOINTS} --service image --interface public | xargs " + OPENSTACK.format("endpoint delete"),
        "endpoint.*image.*public",
    ),
    Row("a service deleted", "controller", OPENSTACK.format("service delete placement"), "service placement"),
    Row(
        "a role taken from an account",
        "controller",
        OPENSTACK.format("role remove --user glance --project service admin"),
        "glance.*admin",
    ),
    Row("an account deleted", "controller", OPENSTACK.format("user delete neutron"), "user neutron"),
    Row(
        "an account's password changed",
        "controller",
        OPENSTACK.format("user set --password x nova"),
        "user nova.*password",
    ),
    Row("key repositories lost", "controller", "rm -r /etc/keystone/credential-keys", "credential-keys"),
    Row("a bridge's card unplugged", "network", "ovs-vsctl del-port br-ex eth2", "br-ex.*ports"),
    Row("a bridge's address removed", "compute", "ip address flush dev br-tep", "br-tep.*addresses"),
    Row(
        "a package removed",
        "controller",
        "dpkg --force-depends --remove python3-openstackclient",
        "openstackclient installed",
    ),
    Row(
        "a package half configured",
        "controller",
        DPKG_STATUS.format("glance-common", "half-configured"),
        "glance-common configured",
    ),
    Row(
        "a compute host's mapping removed",
        "controller",
        SQL.format("DELETE FROM nova_api.host_mappings"),
        "discover_hosts",
    ),
    Row(
        "a network of cloud_resources removed",
        "controller",
        OPENSTACK.format("subnet set --no-dhcp --name x public"),
        "public",
    ),
]
BATCH = 7


def batches():
    """Return the rows in batches in which none hides another's repair: neighbours of one kind are dealt out."""
    count = -(-len(ROWS) // BATCH)
    return [ROWS[start::count] for start in range(count)]


@pytest.mark.parametrize("rows", batches(), ids=lambda rows: "; ".join(row.name for row in rows))
def test_broken_shown_repaired(playbooks, witness, groups, rows):
    """The plan shows each row and nothing else, the run does just that, and all is as it was."""
    witness.look("whole")
    for row in rows:
        host(playbooks, groups[row.node][0]).check_output(row.breaks)
    plan = playbooks.must("playbooks/site.yml", "--check", "--diff")
    told = "\n".join(plan.changes)
    missed = [row.name for row in rows if not re.search(row.told, told)]
    assert missed == [], told
    run = playbooks.must("playbooks/site.yml")
    assert sorted(run.changes) == sorted(plan.changes)
    left = witness.differences("whole")
    started = {row.restarted for row in rows if row.restarted} | set(re.findall(r"(\S+) started", told))
    strange = [line for line in left if not any(f"units: {name}" in line for name in started)]
    assert strange == [], "\n".join(strange)
    assert playbooks.must("playbooks/site.yml").changes == []
