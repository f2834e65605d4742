#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: swift_rings
short_description: Manage Swift's rings by the devices in the inventory
version_added: 0.1.0
description:
  - Reconciles the ring builders in C(/etc/swift) with a list of rings and their devices, rebalances them where needed,
    and returns builders and rings as files for the hosts that need them.
  - A device that is no longer listed is drained first and removed once it has no partitions. Only one replica of a
    partition moves at a time, and none within C(min_part_hours) of the last move.
  - Builders and rings are written on this host, the builders first. The next run completes an interrupted distribution
    to the other hosts.
author: The Cairn authors (@cairn)
requirements: [python3-swift on the host, for changes]
options:
  rings:
    description: The rings.
    type: list
    elements: dict
    required: true
    suboptions:
      name: {description: "C(account), C(container), C(object) or C(object-N).", type: str, required: true}
      part_power:
        description: Number of partitions as a power of two. It cannot be changed later.
        type: int
        required: true
      replicas:
        description: Replicas of each partition; can be raised later but not lowered.
        type: int
        required: true
      min_part_hours: {description: Hours before a partition may move again., type: int, required: true}
      devices:
        description: The devices, identified by the names of host and device.
        type: list
        elements: dict
        required: true
        suboptions:
          host: {description: Name of the host., type: str, required: true}
          ip: {description: Address of the host., type: str, required: true}
          port: {description: Port of the server for this ring., type: int, required: true}
          device: {description: Name of the directory of its mount point., type: str, required: true}
          region: {description: Region., type: int, default: 1}
          zone: {description: Zone., type: int, default: 1}
          weight: {description: "Its share of the partitions, as a weight; 0 for none.", type: float, required: true}
  change:
    description: Whether rings may change. If false, the existing ones are returned.
    type: bool
    default: true
  seen:
    description: The newest version of each ring on any host. An older builder is refused.
    type: dict
    default: {}
attributes:
  check_mode:
    description: Can run in check mode and report what would move; without Swift's library only for new rings.
    support: full
  diff_mode:
    description: Returns no diff; see the changes.
    support: none
"""

EXAMPLES = r"""
- name: Create a ring
  cairn.openstack.swift_rings:
    rings:
      - name: object
        part_power: 12
        replicas: 3
        min_part_hours: 1
        devices:
          - {host: storage1, ip: 192.0.2.21, port: 6200, device: sdb, weight: 100}
          - {host: storage2, ip: 192.0.2.22, port: 6200, device: sdb, weight: 100}
          - {host: storage3, ip: 192.0.2.23, port: 6200, device: sdb, weight: 100}
  register: rings
  run_once: true
"""

RETURN = r"""
changes:
  description: Changes of the rings, and the partitions that move.
  type: list
  elements: dict
  returned: always
  contains:
    kind: {description: Kind of object., type: str, returned: always}
    verb: {description: "The action, as a verb in its base form.", type: str, returned: always}
    name: {description: Name of the object., type: str, returned: always}
    detail: {description: "What changed, or why; may be empty.", type: str, returned: always}
  sample: [{kind: ring, verb: change, name: object, detail: storage4/sdb added with weight 100}]
waiting:
  description: Changes that a later run must make, and when.
  type: list
  elements: str
  returned: always
files:
  description:
    - For C(controller) the rings and their builders, for C(storage) the rings, each as
      M(cairn.openstack.config_files) takes a file.
  type: dict
  returned: always
"""

import base64
import time

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.cairn.openstack.plugins.module_utils.common import host_lock
from ansible_collections.cairn.openstack.plugins.module_utils.storage import swift_rings

DEVICE = {
    **{name: {"type": "str", "required": True} for name in ("host", "ip", "device")},
    "port": {"type": "int", "required": True},
    "region": {"type": "int", "default": 1},
    "zone": {"type": "int", "default": 1},
    "weight": {"type": "float", "required": True},
}
RING = {
    "name": {"type": "str", "required": True},
    **{name: {"type": "int", "required": True} for name in ("part_power", "replicas", "min_part_hours")},
    "devices": {"type": "list", "elements": "dict", "required": True, "options": DEVICE},
}
DIRECTORY = "/etc/swift"


def library():
    """Return Swift's library, or None if not installed; imported only if needed, as that takes a second."""
    try:
        from swift.common import ring
    except ImportError:
        return None
    return ring


def main() -> None:
    """Plan every ring, and write those that change unless in check mode."""
    module = AnsibleModule(
        argument_spec={
            "rings": {"type": "list", "elements": "dict", "required": True, "options": RING},
            "change": {"type": "bool", "default": True},
            "seen": {"type": "dict", "default": {}},
        },
        supports_check_mode=True,
    )
    host_lock.acquire(module)
    seen = module.params["seen"]
    rings = [swift_rings.Ring(ring, int(seen.get(ring["name"], 0)), DIRECTORY) for ring in module.params["rings"]]
    try:
        found = [ring.reconcile(library, time.time(), module.params["change"], module.check_mode) for ring in rings]
    except swift_rings.NoLibrary:
        module.fail_json(msg=missing_required_lib("swift (Debian's python3-swift)"))
    except swift_rings.RingError as error:
        module.fail_json(msg=str(error))
    for ring, changes in zip(rings, found, strict=True):
        if changes and not module.check_mode:
            ring.write()
    changes = [change for of_ring in found for change in of_ring]
    waiting = [line for ring in rings for line in ring.waiting]
    for line in waiting:
        module.warn(line)
    both = [[file(path, data) for path, data in ring.files()] for ring in rings]
    files = {
        "controller": [one for pair in both for one in pair],
        "storage": [one for pair in both for one in pair[1:]],
    }
    module.exit_json(changed=bool(changes), changes=changes, waiting=waiting, files=files)


def file(path: str, data: bytes) -> dict:
    """Return a file in the form of the module config_files."""
    text = base64.b64encode(data).decode()
    return {"path": path, "content": text, "encoding": "base64", "mode": "0640", "group": "swift"}


if __name__ == "__main__":
    main()
