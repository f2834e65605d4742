# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a Ceph cluster holds, and a host's devices in it, in one call."""

from __future__ import annotations

DOCUMENTATION = r"""
module: ceph
short_description: Users, pools and devices of a Ceph cluster, in one call
version_added: 0.1.0
description:
  - Manages users with their keys and capabilities, replicated pools, and the daemons (OSDs) of this host's devices.
    Other users and pools are left unchanged.
  - Talks to the monitors through librados as C(client.admin), so a monitor must run, and the user's keyring be
    beside O(conf).
  - A device is taken only if nothing is on it. What a killed run began is finished by the next.
  - A device of this host that is none of O(osds) is emptied, and its daemon is removed by a later run, when Ceph says
    that nothing needs it. What is on the device then stays there.
  - No key is on a command line, and none is read back from a host.
options:
  accounts:
    description: Users.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Its name, such as C(client.glance).
        type: str
        required: true
      key:
        description: Its key, as Ceph writes it.
        type: str
        required: true
      caps:
        description: What it may do, by the service that lets it; nothing else is let.
        type: dict
        required: true
  pools:
    description: Pools.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Its name.
        type: str
        required: true
      application:
        description: What uses it, such as C(rbd).
        type: str
        required: true
      replicas:
        description: Copies of all data.
        type: int
        required: true
      groups:
        description: Placement groups of a new pool; later they are the autoscaler's, which leaves it these, or 32.
        type: int
        required: true
      apart:
        description: Whether copies are on different hosts, or only on different devices.
        type: str
        choices: [host, osd]
        default: host
  osds:
    description: This host's devices.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: The device, or a file in its place.
        type: path
        required: true
      size:
        description: Makes a file of this size, such as C(10G), if there is nothing at O(osds[].path).
        type: str
  monitors:
    description: Names of the cluster's monitors. Others are removed from it, once all these agree; none if it is empty.
    type: list
    elements: str
    default: []
  conf:
    description: The cluster's configuration.
    type: path
    default: /etc/ceph/ceph.conf
  wait:
    description: Seconds to wait for the monitors. Check mode waits three.
    type: int
    default: 90
attributes:
  check_mode:
    support: full
    description: Where no monitor answers, tells what would be there after the first run.
  diff_mode:
    support: full
    description: Shows one difference per object; of a key only whether it is the given one.
requirements: [python3-rados]
author: The Cairn authors (@cairn)
"""

EXAMPLES = r"""
- name: A pool for images, its user, two devices
  cairn.openstack.ceph:
    accounts:
      - name: client.glance
        key: "{{ glance_key }}"
        caps: {mon: profile rbd, osd: profile rbd pool=images, mgr: profile rbd pool=images}
    pools:
      - {name: images, application: rbd, replicas: 2, groups: 32, apart: osd}
    osds:
      - {path: /dev/disk/by-id/wwn-0x5000c5000000001}
      - {path: /dev/disk/by-id/wwn-0x5000c5000000002}
  become: true
"""

RETURN = r"""
changes:
  description: Each object that was changed, or would be.
  type: list
  elements: dict
  returned: always
  contains:
    kind: {description: What it is., type: str, returned: always}
    verb: {description: "What is done to it, in the verb's base form.", type: str, returned: always}
    name: {description: Which one., type: str, returned: always}
    detail: {description: "What of it, or why; may be empty.", type: str, returned: always}
  sample: [{kind: Ceph user, verb: create, name: client.glance, detail: ""}]
staying:
  description: Of each device that is still being emptied, why its daemon stays. They are warnings, too.
  type: list
  elements: str
  returned: always
reachable:
  description: Whether a monitor answered; C(false) only in check mode.
  type: bool
  returned: always
"""

import configparser
import socket

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.cairn.openstack.plugins.module_utils.common import host_lock
from ansible_collections.cairn.openstack.plugins.module_utils.common.changes import (
    Change,
    Failed,
    Unreachable,
    by_stages,
    finish,
)
from ansible_collections.cairn.openstack.plugins.module_utils.storage.ceph import cluster, leaving, osd
from ansible_collections.cairn.openstack.plugins.module_utils.storage.ceph.monitor import Monitor

ACCOUNT = {
    "name": {"type": "str", "required": True},
    "key": {"type": "str", "required": True, "no_log": True},
    "caps": {"type": "dict", "required": True},
}
POOL = {
    "name": {"type": "str", "required": True},
    "application": {"type": "str", "required": True},
    "replicas": {"type": "int", "required": True},
    "groups": {"type": "int", "required": True},
    "apart": {"type": "str", "choices": ["host", "osd"], "default": "host"},
}
OSD = {"path": {"type": "path", "required": True}, "size": {"type": "str"}}
# The id of a cluster that is yet to be configured; nothing is made of it.
UNKNOWN = "00000000-0000-0000-0000-000000000000"


def configured(path: str) -> str:
    """Return the cluster's id by its configuration."""
    parser = configparser.ConfigParser(strict=False)
    parser.read(path)
    return parser.get("global", "fsid", fallback=UNKNOWN)


def staged(*stages: list[Change]) -> list[Change]:
    """Return the changes in one list; those of the same stage are made at the same time."""
    for number, changes in enumerate(stages):
        for change in changes:
            change.stage = number
    return [change for changes in stages for change in changes]


def main() -> None:
    """Compare, and unless in check mode change."""
    module = AnsibleModule(
        argument_spec={
            "accounts": {"type": "list", "elements": "dict", "default": [], "options": ACCOUNT},
            "pools": {"type": "list", "elements": "dict", "default": [], "options": POOL},
            "osds": {"type": "list", "elements": "dict", "default": [], "options": OSD},
            "monitors": {"type": "list", "elements": "str", "default": []},
            "conf": {"type": "path", "default": "/etc/ceph/ceph.conf"},
            "wait": {"type": "int", "default": 90},
        },
        supports_check_mode=True,
    )
    host_lock.acquire(module)
    params = module.params
    accounts, monitor = params["accounts"], None
    try:
        try:
            monitor = Monitor(params["conf"], 3 if module.check_mode else params["wait"])
            state = cluster.read(monitor)
        except Unreachable:
            if not module.check_mode:
                raise
            state = cluster.State()
            # The first monitor of a new cluster brings its managers' along.
            accounts = [account for account in accounts if not account["name"].startswith("mgr.")]
        host = socket.gethostname().split(".")[0]
        cluster_id = configured(params["conf"])
        kept = {osd.identity(cluster_id, host, device["path"]) for device in params["osds"]}
        gone, staying = leaving.devices(kept, state, host, monitor)
        gone += leaving.monitors(params["monitors"], state, monitor)
        changes = staged(
            cluster.accounts(accounts, state, monitor) + cluster.rules(params["pools"], state, monitor),
            # Before there is a device, on which a manager would make its pool itself.
            cluster.pools(params["pools"], state, monitor),
            osd.plan(params["osds"], state, cluster_id, host, monitor),
            # Whether one may leave depends on those that have left.
            *([change] for change in gone),
        )
    except Failed as error:
        module.fail_json(msg=str(error))
    for why in staying:
        module.warn(why)
    finish(module, changes, by_stages, reachable=monitor is not None, staying=staying)


if __name__ == "__main__":
    main()
