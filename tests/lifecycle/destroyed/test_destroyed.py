# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""destroy.yml takes a cloud away that it was asked for by name, and leaves the hosts as they were before."""

from __future__ import annotations

import re

import pytest
from support import HostBaseline, host

NAME = "--extra-vars=destroy_cloud=cairn"
# A package's accounts stay when it is purged, as does what nvme-cli has made. Units of the system were started anew in
# between, and what it did once for a disk is remembered until the next boot, as by the kernel. For apt a host needs its
# file systems' tools (e2fsprogs, which owns /etc/cron.d), and any awk that it has.
STAYS = re.compile(
    r"files: /etc/(passwd|group|shadow|gshadow|subuid|subgid)-?: "
    r"|files: /etc/(xml|iproute2\S*|nvme|cron\.d) appeared"
    r"|units: (\S+: last changed |systemd-importd\.socket |nvmf-autoconnect\.service )"
    r"|units: systemd-((fsck|makefs)@\S*|quotacheck)\.service appeared"
    r"|kernel: net\.ipv4\.ip_nonlocal_bind: "
    r"|: \S*(e2fsprogs|libext2fs2|libss2|logsave|e2scrub|mke2fs|gawk|/n?awk|libmpfr|libsigsegv)\S*"
)


@pytest.fixture(scope="module")
def gone(playbooks):
    """Destroy the cloud."""
    return playbooks.must("playbooks/destroy.yml", NAME)


def test_another_name_is_refused(playbooks, baseline):
    """Nothing is touched, and the message says which name is right."""
    baseline.look("cloud")
    for option in ("--extra-vars=destroy_cloud=another", "--extra-vars=destroy_cloud="):
        run = playbooks.run("playbooks/destroy.yml", option)
        assert run.code != 0
        assert "cloud of this inventory is named cairn" in run.words, run.words[-2000:]
    assert baseline.differences("cloud") == []


def test_a_plan_says_what_would_go(playbooks, baseline):
    """It names the services, the packages and the directories, and touches nothing."""
    baseline.look("cloud")
    plan = playbooks.must("playbooks/destroy.yml", NAME, "--check", "--diff")
    told = "\n".join(plan.changes)
    for what in ("purge package keystone", "remove directory /var/lib/mysql", "stop unit nova-compute"):
        assert what in told, told
    assert baseline.differences("cloud") == []


def test_the_hosts_are_bare_again(gone, playbooks, groups):
    """What differs from before the first run is no cloud's."""
    left = HostBaseline(playbooks, playbooks.scenario).differences("bare")
    others = [line for line in left if not STAYS.search(line)]
    assert others == [], "\n".join(others)
    for name in groups["all"]:
        node = host(playbooks, name)
        assert node.check_output("ip netns list") == ""
        listening = node.check_output("ss -H -l -n -t -u -p")
        assert [line for line in listening.splitlines() if not re.search(r"sshd|chronyd|systemd", line)] == []
        assert node.run("pgrep --list-full 'qemu|neutron|nova|mariadbd|beam|haproxy|dnsmasq'").stdout == ""


def test_a_second_time_there_is_nothing_to_do(gone, playbooks):
    """The hosts have no packages, no services and no data of a cloud, and that is no error."""
    assert playbooks.must("playbooks/destroy.yml", NAME).changes == []
