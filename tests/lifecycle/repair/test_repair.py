# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What somebody broke is shown by a plan and mended by site.yml, and nothing else is touched.

Each row breaks one thing. Rows are broken together, a batch at a time: the plan has to show each of them and nothing
more, the run has to do what the plan said, host_baseline has to find the hosts as they were, and a rerun has to change
nothing. What was deleted comes back under a new id and what was stopped as a new invocation; all else has to be the
same.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

import pytest
from support import host


@dataclass(frozen=True)
class Row:
    """One thing that breaks: on a node of which group, by which command, and the lines that a plan says of it.

    :param told: regular expressions, each of a whole line.
    :param differs: what no repair gives back, as regular expressions of baseline_diff's lines.
    """

    name: str
    node: str
    breaks: str
    told: tuple[str, ...]
    differs: tuple[str, ...] = ()


def row(name: str, node: str, breaks: str, *told: str, differs: tuple[str, ...] = ()) -> Row:
    """Return a row."""
    return Row(name, node, breaks, told, differs)


def sql(statement: str) -> str:
    """Return the command that executes *statement*."""
    return f'mariadb --execute="{statement}"'


def openstack(words: str) -> str:
    """Return the command line of OpenStack's client, as the administrator."""
    return f"openstack --os-cloud cairn {words}"


PASSWORD = "password and rights .*"  # it says when it was set
BRIDGES = r"units: cairn-bridges\.service: .*"  # makes what is missing, as at boot
# The step of its schema before the last: indexes that the package's last step takes away.
OLD_SCHEMA = """\
USE placement;
CREATE INDEX inventories_resource_provider_id_idx ON inventories (resource_provider_id);
CREATE INDEX inventories_resource_provider_resource_class_idx ON inventories (resource_provider_id, resource_class_id);
CREATE INDEX ix_placement_aggregates_uuid ON placement_aggregates (uuid);
CREATE INDEX resource_providers_name_idx ON resource_providers (name);
CREATE INDEX resource_providers_uuid_idx ON resource_providers (uuid);
UPDATE alembic_version SET version_num = '422ece571366'"""


def older_file(unit: str, path: str) -> str:
    """Return the commands after which *unit* has read an edited file *path* while the former one is back."""
    return f"""\
cp -p {path} /run/kept
echo '[x]' >> {path}
systemctl restart {unit}
sleep 2
cp -p /run/kept {path}
rm /run/kept"""


BATCHES = {
    # Quick, and of several kinds: .ci/run takes these.
    "few": [
        row(
            "a file edited",
            "controller",
            "echo '[x]' >> /etc/glance/glance-api.conf",
            "file /etc/glance/glance-api.conf change content",
        ),
        row("a unit stopped", "network", "systemctl stop neutron-metadata-agent", "unit neutron-metadata-agent start"),
        row(
            "a database's grant dropped",
            "controller",
            sql("REVOKE ALL ON glance.* FROM glance@'%'"),
            "database grant glance@% on glance create",
        ),
        row(
            "a message user deleted",
            "controller",
            "rabbitmqctl -q delete_user nova",
            "RabbitMQ user nova create",
            "RabbitMQ permission nova on nova create",
            differs=("messaging: user nova: password_hash .*",),
        ),
        row(
            "an API that runs an older file",
            "controller",
            older_file("placement-api", "/etc/placement/placement.conf"),
            "unit placement-api reload /etc/placement/placement.conf",
        ),
        row(
            "the firewall's table deleted",
            "compute",
            "nft delete table inet cairn",
            "unit cairn-firewall reload output of nft .*",
        ),
    ],
    "files and packages": [
        row(
            "a file deleted",
            "controller",
            "rm /etc/placement/placement.conf",
            "file /etc/placement/placement.conf create",
        ),
        row(
            "a file's mode opened",
            "controller",
            "chmod 644 /etc/keystone/keystone.conf",
            "file /etc/keystone/keystone.conf change mode",
        ),
        row(
            "a file's owner changed",
            "network",
            "chown nobody /etc/neutron/l3_agent.ini",
            "file /etc/neutron/l3_agent.ini change owner",
        ),
        row(
            "the hosts' names deleted",
            "compute",
            "sed -i '/BEGIN cairn/,/END cairn/d' /etc/hosts",
            "file /etc/hosts change content",
        ),
        row(
            "the file with a compute host's uuid deleted",
            "compute",
            "rm /var/lib/nova/compute_id",
            "file /var/lib/nova/compute_id create",
        ),
        row(
            "a package removed",
            "controller",
            "dpkg --force-depends --remove python3-openstackclient",
            "package python3-openstackclient install",
        ),
        row(
            "a package half configured",
            "controller",
            "sed -i '/^Package: glance-common$/,/^$/s/^Status: .*/Status: install ok half-configured/' "
            "/var/lib/dpkg/status",
            "package glance-common configure",
        ),
    ],
    "units": [
        row(
            "a unit disabled",
            "network",
            "systemctl disable neutron-dhcp-agent",
            "unit neutron-dhcp-agent enable",
        ),
        row(
            "a unit started with an edited file",
            "compute",
            "echo '# edited' >> /etc/nova/nova-compute.conf; systemctl restart nova-compute",
            "file /etc/nova/nova-compute.conf change content",
            "unit nova-compute restart /etc/nova/nova-compute.conf",
        ),
        row(
            "a unit that runs an older file",
            "controller",
            older_file("glance-api", "/etc/glance/glance-api.conf"),
            "unit glance-api restart /etc/glance/glance-api.conf",
        ),
        # After the row above: nova-compute does not start without placement.
        row(
            "a unit masked",
            "controller",
            "systemctl mask --now placement-api",
            "unit placement-api unmask",
            "unit placement-api enable",
            "unit placement-api start",
        ),
        row("the firewall stopped", "controller", "systemctl stop cairn-firewall", "unit cairn-firewall start"),
        row(
            "a kernel setting changed",
            "controller",
            "sysctl -w net.ipv4.ip_nonlocal_bind=0",
            "unit systemd-sysctl restart output of sysctl .*",
        ),
    ],
    "databases and messages": [
        row(
            "a database's user dropped",
            "controller",
            sql("DROP USER placement@'%'"),
            "database user placement@% create",
            "database grant placement@% on placement create",
            differs=(f"databases: user placement@%: {PASSWORD}",),
        ),
        row(
            "a database's password changed",
            "controller",
            sql("ALTER USER nova@'%' IDENTIFIED BY 'another'"),
            "database user nova@% change password",
            differs=(f"databases: user nova@%: {PASSWORD}",),
        ),
        row(
            "a schema behind its package",
            "controller",
            sql(OLD_SCHEMA),
            "schema step placement run placement-manage db sync",
        ),
        row(
            "a message password changed",
            "controller",
            "rabbitmqctl -q change_password neutron x",
            "RabbitMQ user neutron change password",
            differs=("messaging: user neutron: password_hash .*",),
        ),
        row(
            "a virtual host deleted",
            "controller",
            "rabbitmqctl -q delete_vhost nova",
            "RabbitMQ virtual host nova create",
            "RabbitMQ permission nova on nova create",
        ),
    ],
    "identity": [
        row(
            "an endpoint deleted",
            "controller",
            openstack("endpoint list --format value --column ID --service image --interface public | xargs ")
            + openstack("endpoint delete"),
            "endpoint glance public create",
        ),
        row(
            "a service deleted",
            "controller",
            openstack("service delete placement"),
            r"service placement \(placement\) create",
            "endpoint placement public create",
            "endpoint placement internal create",
        ),
        row(
            "a role taken from a user",
            "controller",
            openstack("role remove --user glance --project service admin"),
            "role assignment admin of glance on project service create",
        ),
        row(
            "a user deleted",
            "controller",
            openstack("user delete neutron"),
            "user neutron create",
            "role assignment admin of neutron on project service create",
            "role assignment service of neutron on project service create",
            "unit neutron-api reload service user neutron",
        ),
        row(
            "a user's password changed",
            "controller",
            openstack("user set --password x nova"),
            "user nova change password",
            # Keystone keeps each password that a user has had, and until when it was good.
            differs=(r"identity: password \d+ nova .* (appeared|is gone)",),
        ),
        row(
            "a message user's rights taken",
            "controller",
            "rabbitmqctl -q clear_permissions -p neutron neutron",
            "RabbitMQ permission neutron on neutron create",
        ),
    ],
    "roles, keys and cells": [
        row(
            "a role deleted",
            "controller",
            openstack("role set --no-immutable service; ") + openstack("role delete service"),
            "role service create",
            r"role assignment service of \w+ on project service create",
        ),
        row(
            "a key repository lost",
            "controller",
            "rm -r /etc/keystone/credential-keys",
            "key repository /etc/keystone/credential-keys create",
        ),
        row(
            "the cells' mappings lost, and those of the compute hosts",
            "controller",
            sql("DELETE FROM nova_api.host_mappings; DELETE FROM nova_api.cell_mappings"),
            "schema step nova run nova-manage cell_v2 map_cell0 .*",
            "schema step nova run nova-manage cell_v2 create_cell .*",
            "schema step nova run sh -c .*discover_hosts.*",
        ),
    ],
    "bridges": [
        row(
            "a flavor deleted",
            "controller",
            openstack("flavor delete m1.tiny"),
            "flavor m1.tiny create",
        ),
        row(
            "a bridge deleted",
            "network",
            "ovs-vsctl del-br br-ex",
            "bridge br-ex create",
            differs=(BRIDGES,),
        ),
        row(
            "a bridge's address removed",
            "compute",
            "ip address flush dev br-tep",
            "bridge br-tep change addresses",
            differs=(BRIDGES,),
        ),
    ],
    "ports": [
        row(
            "a bridge's nic unplugged",
            "network",
            "ovs-vsctl del-port br-ex eth2",
            "bridge br-ex change ports",
            differs=(BRIDGES,),
        ),
        row(
            "the token keys lost",
            "controller",
            "rm -r /etc/keystone/fernet-keys",
            "key repository /etc/keystone/fernet-keys create",
        ),
        row(
            "a compute host's mapping lost",
            "controller",
            sql("DELETE FROM nova_api.host_mappings"),
            "schema step nova run sh -c .*discover_hosts.*",
        ),
    ],
}


def strange(lines: list[str], rows: list[Row], started: set[str]) -> list[str]:
    """Return those of baseline_diff's *lines* that no repair of *rows* explains.

    :param started: the units that the run started, restarted or reloaded.
    """
    excused = [pattern for row in rows for pattern in row.differs]
    excused += [rf"units: {re.escape(name)}(\.\w+)?: (started as|last changed) .*" for name in started]
    left = [line.partition(": ")[2] for line in lines]
    left = [line for line in left if not any(re.fullmatch(pattern, line) for pattern in excused)]
    # What is gone and has appeared again is the same but for its id, and when it was made.
    kinds = {kind: Counter() for kind in ("is gone", "appeared")}
    for line in left:
        for kind, found in kinds.items():
            if line.endswith(kind):
                found[nameless(line.removesuffix(kind))] += 1
    gone, appeared = kinds.values()
    unpaired = (gone - appeared) + (appeared - gone)
    return [
        line for line in left if not line.endswith(tuple(kinds)) or any(nameless(line).startswith(u) for u in unpaired)
    ]


def nameless(line: str) -> str:
    """Return *line* without ids, digests and times."""
    line = re.sub(r"^(identity: password|cells: mapped host \S+) \d+", r"\1", line)
    return re.sub(r"\b([0-9a-f]{32,}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|\d{15,})\b", "#", line)


@pytest.mark.parametrize(
    "batch",
    [pytest.param(name, marks=() if name == "few" else pytest.mark.long) for name in BATCHES],
    ids=lambda name: name.replace(" ", "_"),
)
def test_broken_shown_repaired(playbooks, baseline, groups, table, batch):
    """The plan shows each row and nothing else, the run does just that, and all is as it was."""
    rows, broken = BATCHES[batch], table("broken", "broken", "what the plan says", "repaired", "seconds")
    baseline.look("whole")
    try:
        for row in rows:
            host(playbooks, groups[row.node][0]).check_output(row.breaks)
        plan = playbooks.told("--check", "--diff")
    finally:
        # Whatever comes of it, the next batch begins with hosts that are whole.
        run = playbooks.told()
    missed = [(row.name, told) for row in rows for told in row.told if not matching(told, plan.lines)]
    known = [line for row in rows for told in row.told for line in matching(told, plan.lines)]
    more = sorted(set(plan.lines) - set(known))
    started = {
        name for _host, kind, verb, name in run.objects if kind == "unit" and verb in ("start", "restart", "reload")
    }
    left = strange(baseline.differences("whole"), rows, started)
    again = playbooks.told()
    right = not missed and not more and run.lines == plan.lines and not left and not again.lines
    for row in rows:
        said = [line for told in row.told for line in matching(told, plan.lines)]
        broken.add(row.name, "; ".join(said), "yes" if right else "no", f"{run.seconds:.0f}")
    assert missed == []
    assert more == []
    assert run.lines == plan.lines
    assert left == []
    assert again.lines == []


def matching(told: str, lines: list[str]) -> list[str]:
    """Return those of *lines* that are as *told*."""
    return [line for line in lines if re.fullmatch(told, line, re.DOTALL)]
