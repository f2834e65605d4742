# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of this name, which has the code. Nothing of it runs on a host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: verify
short_description: Verify a cloud by using it as an unprivileged user
version_added: 0.1.0
description:
  - Creates a project with a user, and as that user everything up to servers that respond to ping and ssh on a floating
    IP address. Each check is timed. All created objects are removed again, also those of interrupted runs.
  - Independent checks run at the same time. A check that depends on a failed one is not run, and reports why.
  - Uses the APIs from one controller, and ping and ssh from the control node; if that has no route to the floating IP
    addresses, from the controller.
  - Do not run it twice at the same time, as the second run would remove the objects of the first.
  - Does not fail if checks fail. Pass its result to M(cairn.openstack.verify_report).
options:
  cloud:
    description: Entry of the admin user in the controller's C(clouds.yaml).
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
    description: ssh user of the image.
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
    description: CIDR of the run's network.
    type: str
    default: 198.18.0.0/24
  external_network:
    description: Name of the external network; empty for the first one by name.
    type: str
    default: ''
  vlan_network:
    description: Physical network of VLANs; without a bridge for it, VLANs are not checked.
    type: str
    default: vlan
  vlan_range:
    description: VLAN range for tenants, as first:last.
    type: str
    default: ''
  vlan_segment:
    description: VLAN ID to use; 0 for one of O(vlan_range).
    type: int
    default: 0
  vlan_cidr:
    description: CIDR of the run's VLAN network.
    type: str
    default: 198.18.1.0/24
  servers_min:
    description: Minimum number of servers to boot, even on the same host. With one, checks that need two are not run.
    type: int
    default: 2
  servers_max:
    description: Maximum number of servers to boot. Up to this number every compute host gets one.
    type: int
    default: 8
  from:
    description:
      - From where servers are reached. V(auto) is the control node if it reaches the router, otherwise the controller.
      - With V(none) these checks are not run.
    type: str
    choices: [auto, control, controller, none]
    default: auto
  world_url:
    description: URL that a server without a floating IP fetches. Empty pings the external gateway instead.
    type: str
    default: ''
  objects:
    description: Whether the cloud has object storage to check.
    type: bool
    default: false
  services:
    description: The cloud's optional services to check, such as heat.
    type: list
    elements: str
    default: []
  ldap_domains:
    description: Names of the domains whose users are in a directory.
    type: list
    elements: str
    default: []
  metrics_interval:
    description: Seconds between two measurements of a server, if the cloud measures.
    type: int
    default: 60
  cluster_image:
    description:
      - Name or URL of an image for the nodes of a cluster of Magnum. Empty checks only the template of a cluster.
      - A URL is fetched by the controller for the run; if it ends in C(.xz), it is decompressed.
    type: str
    default: ''
  cluster_timeout:
    description: Timeout in seconds for the cluster to be complete.
    type: int
    default: 3600
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
    description: Timeout in seconds for short operations of an API.
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
    description: Timeout in seconds for the floating IP address to respond to ping.
    type: int
    default: 90
  ssh_timeout:
    description: Timeout in seconds for a login by ssh.
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
- name: Verify the cloud
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
  description: For each check its name, outcome (passed, failed, not run), seconds and detail.
  type: list
  elements: dict
  returned: always
seconds:
  description: Total duration.
  type: float
  returned: always
failed_checks:
  description: Names of the failed checks.
  type: list
  elements: str
  returned: always
suspects:
  description: Hosts whose logs may show why, with O(cairn.openstack.service_logs#module:services) and ids to find.
  type: list
  elements: dict
  returned: always
server:
  description: Name, address, user, key and ssh command of the kept server.
  type: dict
  returned: when a server is kept
"""
