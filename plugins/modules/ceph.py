# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Users, pools, file systems and devices of a Ceph cluster, in one call."""

from __future__ import annotations

DOCUMENTATION = r"""
module: ceph
short_description: Users, pools, file systems and devices of a Ceph cluster, in one call
version_added: 0.1.0
description:
  - Manages users with their keys and capabilities, replicated pools, and the daemons (OSDs) of this host's devices.
    Other users, pools and file systems are left unchanged. A pool has no quota, and serves an object while it has at
    least half of the copies (C(min_size)). A lower C(min_size) is raised only while no placement group lacks copies;
    otherwise a warning names the command.
  - On the host that has O(monitors), warns about flags of the cluster such as C(noout) or C(pause), with the command
    that removes them, and names each error of C(ceph health). The flags stay, as a person has set them.
  - Connects to the monitors through librados as C(client.admin), so a monitor must be running, and the keyring of that
    user must be in the directory of O(conf).
  - A device is used only if it is empty. The next run completes what an interrupted run has started.
  - A device of this host that is not in O(osds) is drained, and its daemon is removed by a later run, when Ceph reports
    it as safe to destroy. The content of the device is not erased.
  - Keys are never on a command line, and never read from a host.
options:
  users:
    description: Users.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the user, such as C(client.glance).
        type: str
        required: true
      key:
        description: Its key, in Ceph's format.
        type: str
        required: true
      caps:
        description: All its capabilities, by daemon type.
        type: dict
        required: true
  pools:
    description: Pools.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the pool.
        type: str
        required: true
      application:
        description: The application that uses it, such as C(rbd).
        type: str
        required: true
      replicas:
        description: Number of copies.
        type: int
        required: true
      groups:
        description: Placement groups of a new pool. Later the autoscaler sets them, but to no fewer than these or 32.
        type: int
        required: true
      apart:
        description: Failure domain, whether copies are on different hosts or only on different devices.
        type: str
        choices: [host, osd]
        default: host
  filesystems:
    description: File systems. Each is created from its pools, which O(pools) has too; the metadata servers take it.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the file system.
        type: str
        required: true
      data:
        description: Pool of its data.
        type: str
        required: true
      metadata:
        description: Pool of its metadata.
        type: str
        required: true
  osds:
    description: This host's devices.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: The device, or a file used as one.
        type: path
        required: true
      size:
        description: Creates a file of this size, such as C(10G), if O(osds[].path) does not exist.
        type: str
  monitors:
    description: Names of the cluster's monitors. Others are removed once all of these are in quorum; none if empty.
    type: list
    elements: str
    default: []
  conf:
    description: Configuration file of the cluster.
    type: path
    default: /etc/ceph/ceph.conf
  wait:
    description: Seconds to wait for the monitors. Check mode waits three.
    type: int
    default: 90
attributes:
  check_mode:
    support: full
    description: If no monitor responds, reports the changes of a first run.
  diff_mode:
    support: full
    description: Shows one difference per object; for a key only whether it matches.
requirements: [python3-rados]
author: The Cairn authors (@cairn)
"""

EXAMPLES = r"""
- name: Create a pool for images, its user and two OSDs
  cairn.openstack.ceph:
    users:
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
  description: Objects that were or would be changed.
  type: list
  elements: dict
  returned: always
  contains:
    kind: {description: Kind of object., type: str, returned: always}
    verb: {description: "The action, as a verb in its base form.", type: str, returned: always}
    name: {description: Name of the object., type: str, returned: always}
    detail: {description: "What changed, or why; may be empty.", type: str, returned: always}
  sample: [{kind: Ceph user, verb: create, name: client.glance, detail: ""}]
staying:
  description: For each device that is still being drained, why its daemon remains. Also returned as warnings.
  type: list
  elements: str
  returned: always
reachable:
  description: Whether a monitor responded; C(false) only in check mode.
  type: bool
  returned: always
"""

import configparser
import contextlib
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

USER = {
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
FILESYSTEM = {name: {"type": "str", "required": True} for name in ("name", "data", "metadata")}
OSD = {"path": {"type": "path", "required": True}, "size": {"type": "str"}}
# The id of a cluster that is not configured yet; no object is created with it.
UNKNOWN = "00000000-0000-0000-0000-000000000000"


def configured(path: str) -> str:
    """Return the id of the cluster from its configuration."""
    parser = configparser.ConfigParser(strict=False)
    parser.read(path)
    return parser.get("global", "fsid", fallback=UNKNOWN)


def staged(*stages: list[Change]) -> list[Change]:
    """Return the changes by stage; those of a stage are made at the same time."""
    for number, changes in enumerate(stages):
        for change in changes:
            change.stage = number
    return [change for changes in stages for change in changes]


def main() -> None:
    """Compare, and apply the changes unless in check mode."""
    module = AnsibleModule(
        argument_spec={
            "users": {"type": "list", "elements": "dict", "default": [], "options": USER},
            "pools": {"type": "list", "elements": "dict", "default": [], "options": POOL},
            "filesystems": {"type": "list", "elements": "dict", "default": [], "options": FILESYSTEM},
            "osds": {"type": "list", "elements": "dict", "default": [], "options": OSD},
            "monitors": {"type": "list", "elements": "str", "default": []},
            "conf": {"type": "path", "default": "/etc/ceph/ceph.conf"},
            "wait": {"type": "int", "default": 90},
        },
        supports_check_mode=True,
    )
    host_lock.acquire(module)
    params = module.params
    users, monitor = params["users"], None
    try:
        try:
            monitor = Monitor(params["conf"], 3 if module.check_mode else params["wait"])
            state = cluster.read(monitor)
        except Unreachable:
            if not module.check_mode:
                raise
            state = cluster.State()
            # The first monitor of a new cluster creates the users of the managers.
            users = [user for user in users if not user["name"].startswith("mgr.")]
        host = socket.gethostname().split(".")[0]
        cluster_id = configured(params["conf"])
        kept = {osd.identity(cluster_id, host, device["path"]) for device in params["osds"]}
        gone, staying = leaving.devices(kept, state, host, monitor)
        gone += leaving.monitors(params["monitors"], state, monitor)
        changes = staged(
            cluster.users(users, state, monitor) + cluster.rules(params["pools"], state, monitor),
            # Before the first device, as a manager creates its pool itself once there is one.
            cluster.pools(params["pools"], state, monitor),
            osd.plan(params["osds"], state, cluster_id, host, monitor),
            cluster.filesystems(params["filesystems"], monitor),
            # Whether a device may be removed depends on those already removed.
            *([change] for change in gone),
        )
    except Failed as error:
        module.fail_json(msg=str(error))
    for why in staying + cluster.low(params["pools"], state):
        module.warn(why)

    def told() -> None:
        with contextlib.suppress(Failed):
            for warning in cluster.warnings(monitor) if monitor and params["monitors"] else ():
                module.warn(warning)

    def perform(changes: list[Change]) -> None:
        try:
            by_stages(changes)
        finally:
            # What the changes have mended is no warning; what made them fail is one.
            told()

    if module.check_mode:
        told()
    finish(module, changes, perform, reachable=monitor is not None, staying=staying)


if __name__ == "__main__":
    main()
