# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of this name, which has the code. Nothing of it runs on a host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: verify
short_description: Proves a cloud by using it as an unprivileged user does
version_added: 0.1.0
description:
  - Makes a project with a user, and as that user everything that leads to servers that answer ping and ssh on a
    floating IP. Each check is timed. All that was made is removed again, also what killed earlier runs left behind.
  - Checks that don't need each other run at the same time. A check whose input failed is not run, and says why.
  - Works on one controller through the APIs, and on the control node by ping and ssh; where that has no way to the
    floating IPs, from the controller.
  - Two runs at once would take the earlier one's objects for leftovers.
  - Does not fail when checks do. Hand its result to M(cairn.openstack.verify_report).
options:
  cloud:
    description: The entry of the controller's C(clouds.yaml) of the administrator.
    type: str
    required: true
  image:
    description: Name of the image to boot.
    type: str
    default: cairn-guest
  image_file:
    description: Image file on the control node, uploaded for the run if the cloud has no image of that name.
    type: path
  image_properties:
    description: Properties of that upload.
    type: dict
    default: {}
  user:
    description: Whom the image lets in by ssh.
    type: str
    default: cairn
  lease_line:
    description: Console line that reports the DHCP lease. Empty skips the check.
    type: str
    default: lease of {address} obtained
  memory:
    description: Memory of a server in MiB.
    type: int
    default: 192
  disk:
    description: Disk of a server in GiB.
    type: int
    default: 1
  cidr:
    description: Addresses of the run's network.
    type: str
    default: 198.18.0.0/24
  external_network:
    description: Name of the external network; the first one by name if it is empty.
    type: str
    default: ''
  vlan_network:
    description: The physical network of VLANs; without a bridge for it, VLANs are not checked.
    type: str
    default: vlan
  vlan_range:
    description: The VLANs that tenants get, as first:last.
    type: str
    default: ''
  vlan_segment:
    description: A VLAN to use; 0 for one of O(vlan_range).
    type: int
    default: 0
  vlan_cidr:
    description: Addresses of the run's VLAN network.
    type: str
    default: 198.18.1.0/24
  machines_min:
    description: Machines to boot, if need be on the same host. With one, what takes two is not run.
    type: int
    default: 2
  machines_max:
    description: Maximum number of servers to boot. Up to that number every compute host gets one.
    type: int
    default: 8
  from:
    description:
      - Where servers are reached from. V(auto) is the control node if it reaches the router, else the controller.
      - With V(none) these checks are not run.
    type: str
    choices: [auto, control, controller, none]
    default: auto
  world_url:
    description: URL that a server without a floating IP fetches. Empty pings the external gateway instead.
    type: str
    default: ''
  objects:
    description: The cloud has object storage, which is to be used too.
    type: bool
    default: false
  snapshot:
    description: Also create a snapshot of a server.
    type: bool
    default: false
  keep:
    description: Keep one server with its resources, if it answers ssh. A server kept earlier is removed.
    type: bool
    default: false
  output_dir:
    description: Directory on the control node for the kept server's key.
    type: path
  api_timeout:
    description: Seconds for an API to do what takes it a moment.
    type: int
    default: 60
  boot_timeout:
    description: Timeout in seconds for a server or a snapshot to become active.
    type: int
    default: 300
  lease_timeout:
    description: Timeout in seconds for an active server to get its address, or a floating IP.
    type: int
    default: 300
  ping_timeout:
    description: Seconds for the floating IP to answer.
    type: int
    default: 90
  ssh_timeout:
    description: Seconds for ssh to let us in.
    type: int
    default: 180
  delete_timeout:
    description: Timeout in seconds for the deletion of servers.
    type: int
    default: 120
attributes:
  check_mode:
    support: none
  diff_mode:
    support: none
  platform:
    platforms: posix
extends_documentation_fragment: [ansible.builtin.action_common_attributes]
requirements: ["python3-openstacksdk on the controller", "ssh and ssh-keygen on the control node"]
author: The Cairn authors (@cairn)
"""

EXAMPLES = r"""
- name: Use the cloud
  cairn.openstack.verify:
    cloud: cairn
  become: true
  register: outcome

- name: Report the results
  cairn.openstack.verify_report:
    outcome: "{{ outcome }}"
"""

RETURN = r"""
results:
  description: Every check's name, outcome (passed, failed, not run), seconds and detail.
  type: list
  elements: dict
  returned: always
seconds:
  description: How long all of it took.
  type: float
  returned: always
failed_checks:
  description: Names of the checks that failed.
  type: list
  elements: str
  returned: always
suspects:
  description: Hosts whose logs may tell why, as O(cairn.openstack.service_logs#module:services) and ids to look for.
  type: list
  elements: dict
  returned: always
machine:
  description: The kept server's name, address, user, key and the ssh command that logs in.
  type: dict
  returned: when a server is kept
"""
