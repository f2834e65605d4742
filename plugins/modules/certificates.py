# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of this name, which has the code. Nothing of it runs on a host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: certificates
short_description: The cloud's certificate authority, and the certificates of its load balancer and hosts
version_added: 0.1.0
description:
  - Runs on the control node. Creates a root authority and one below it that issues a certificate for the cloud's names
    and for each host of the inventory's node groups. They are renewed 90 days before they expire and when the names
    change.
  - The root's key, C(root.key), is needed only to renew the authority below it, in its last two years. It may be kept
    elsewhere.
  - Keys have mode 0600 and are encrypted by ansible-vault when a vault password is configured.
  - In check mode nothing is written.
author: The Cairn authors (@cairn)
options:
  directory:
    description: Directory of the secrets, created with mode 0700.
    type: path
    required: true
  cloud:
    description: Name of the cloud, used in the name of the authority.
    type: str
    required: true
  names:
    description: DNS names and IP addresses of the load balancer's certificate. Without any there is none.
    type: list
    elements: str
    required: true
  internal_names:
    description:
      - DNS names and IP addresses that the certificate of a controller has in addition to its own. Clients inside the
        cloud connect to them.
    type: list
    elements: str
    required: true
  ca_certificate:
    description:
      - PEM file with the user's own authority, followed by those above it up to the root. It is used in place of the
        cloud's own.
    type: path
  ca_key:
    description: PEM file with the private key of O(ca_certificate).
    type: path
requirements: [cryptography]
attributes:
  check_mode:
    description: Can run in check mode and report what it would change.
    support: full
  diff_mode:
    description: Returns a diff of the changes.
    support: full
"""

EXAMPLES = r"""
- name: Create or renew the certificates
  cairn.openstack.certificates:
    directory: "{{ cloud_secrets_dir }}"
    cloud: cairn
    names: [cairn.example.org, 192.0.2.10]
    internal_names: [cairn.example.org, 192.0.2.10]
"""

RETURN = r"""
changes:
  description: Certificates that were or would be issued.
  type: list
  elements: dict
  returned: always
  contains:
    kind: {description: Kind of object., type: str, returned: always}
    verb: {description: "The action, as a verb in its base form.", type: str, returned: always}
    name: {description: Name of the object., type: str, returned: always}
    detail: {description: "What changed, or why; may be empty.", type: str, returned: always}
  sample: [{kind: certificate, verb: issue, name: frontend.crt, detail: missing}]
"""
