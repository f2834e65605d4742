# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action. The code is in plugins/action."""

from __future__ import annotations

DOCUMENTATION = r"""
module: verify
short_description: Proves a cloud by using it as an unprivileged user does
version_added: 0.1.0
description:
  - Makes a project with a user, and as that user everything that leads to machines that answer ping and ssh on a
    floating IP. Each check is timed. All that was made is removed again, also what killed earlier runs left behind.
  - Checks that don't need each other run at the same time. A check whose input failed is not run, and says why.
  - Works on one controller through the APIs, and on the control machine by ping and ssh; where that has no way to the
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
    description: A file on the control machine that is uploaded for the run if the cloud has no such image.
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
    description: What a machine of that image says on its console when it has its address. If it is empty, nobody looks.
    type: str
    default: lease of {address} obtained
  memory:
    description: A machine's memory in MiB.
    type: int
    default: 192
  disk:
    description: A machine's disk in GiB.
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
    description: Machines to boot at most. Up to that number every compute host gets one.
    type: int
    default: 8
  from:
    description:
      - Where the machines are used from. V(auto) is the control machine if the router answers it, else the controller.
      - With V(none) these checks are not run.
    type: str
    choices: [auto, control, controller, none]
    default: auto
  world_url:
    description: What a machine without a floating IP fetches; if it is empty, it pings the external gateway.
    type: str
    default: ''
  objects:
    description: The cloud has object storage, which is to be used too.
    type: bool
    default: false
  snapshot:
    description: Make a snapshot of a machine too.
    type: bool
    default: false
  keep:
    description: Keep one machine with what it needs, if it answers ssh; an earlier kept one is removed.
    type: bool
    default: false
  output_dir:
    description: The folder on the control machine for the kept machine's key.
    type: path
  api_timeout:
    description: Seconds for an API to do what takes it a moment.
    type: int
    default: 60
  boot_timeout:
    description: Seconds for a machine to be active, and for a snapshot.
    type: int
    default: 300
  lease_timeout:
    description: Seconds for a machine to have its address then, or a floating IP.
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
    description: Seconds for machines to be gone.
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
requirements: ["python3-openstacksdk on the controller", "ssh and ssh-keygen on the control machine"]
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
  description: The kept machine's name, address, user, key and the ssh command that logs in.
  type: dict
  returned: when a machine is kept
"""
