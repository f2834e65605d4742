# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the plan on bare hosts said is what the run did, but for what only the packages tell."""

from __future__ import annotations

import re

from support import BARE_PLAN, Told

# What only the packages tell, once they are there.
#
# They bring these files, which the plan creates and the run changes.
BROUGHT = (
    "/etc/apache2/ports.conf",
    "/etc/cinder/cinder-api-uwsgi.ini",
    "/etc/cinder/cinder.conf",
    "/etc/default/libvirt-guests",
    "/etc/default/libvirtd",
    "/etc/default/nova-consoleproxy",
    "/etc/glance/glance-api.conf",
    "/etc/haproxy/haproxy.cfg",
    "/etc/keystone/keystone-uwsgi.ini",
    "/etc/keystone/keystone.conf",
    "/etc/libvirt/libvirtd.conf",
    "/etc/libvirt/qemu.conf",
    "/etc/memcached.conf",
    "/etc/neutron/dhcp_agent.ini",
    "/etc/neutron/l3_agent.ini",
    "/etc/neutron/metadata_agent.ini",
    "/etc/neutron/neutron-api-uwsgi.ini",
    "/etc/neutron/neutron.conf",
    "/etc/neutron/plugins/ml2/ml2_conf.ini",
    "/etc/neutron/plugins/ml2/openvswitch_agent.ini",
    "/etc/nova/nova-api-metadata-uwsgi.ini",
    "/etc/nova/nova-api-uwsgi.ini",
    "/etc/nova/nova-compute.conf",
    "/etc/nova/nova.conf",
    "/etc/placement/placement-api-uwsgi.ini",
    "/etc/placement/placement.conf",
    "/etc/rabbitmq/rabbitmq-env.conf",
    "/etc/swift/account-server.conf",
    "/etc/swift/container-reconciler.conf",
    "/etc/swift/container-server.conf",
    "/etc/swift/object-expirer.conf",
    "/etc/swift/object-server.conf",
    "/etc/swift/proxy-server.conf",
    "/etc/swift/swift.conf",
    "/var/lib/rabbitmq/.erlang.cookie",
)
# And these, which the run removes.
REMOVED = (
    "/etc/apache2/sites-enabled/000-default.conf",
    "/etc/apache2/sites-enabled/default-ssl.conf",
    "/etc/apache2/sites-enabled/openstack-dashboard-alias-only.conf",
)
# And Swift's library makes these, which storage hosts get.
MADE = ("/etc/swift/account.ring.gz", "/etc/swift/container.ring.gz", "/etc/swift/object.ring.gz")
# They enable all units that they bring, but for these, and so those that the run disables.
NOT_ENABLED = ("libvirtd-tls.socket", "placement-api", "rsync")
DISABLED = (
    "etcd.service",
    "haproxy",
    "nova-serialproxy",
    "nova-spicehtml5proxy",
    "swift-container-reconciler",
    "swift-container-sharder",
    "swift-container-sync",
    "swift-object-reconstructor",
)
# An id that is computed from the secrets, which are made by the first run.
ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def test_made(playbooks):
    """The run on bare hosts, molecule's converge, touched the same objects as the plan before it had said."""
    plan, run = Told.read(playbooks.scenario / BARE_PLAN), Told.read(playbooks.scenario / "told.json")
    assert (run.document["playbook"], run.document["check"], run.document["complete"]) == ("site.yml", False, True)
    unknown = {("file", "change", path) for path in BROUGHT} | {("file", "remove", path) for path in REMOVED}
    unknown |= {("file", "create", path) for path in MADE}
    unknown |= {("unit", "enable", name) for name in NOT_ENABLED} | {("unit", "disable", name) for name in DISABLED}
    known_otherwise = {("file", "create", path) for path in BROUGHT}
    told, done = ({(*said[:3], ID.sub("ID", said[3])) for said in one.objects} for one in (plan, run))
    assert sorted(said for said in done - told if said[1:] not in unknown) == []
    assert sorted(said for said in told - done if said[1:] not in known_otherwise) == []
