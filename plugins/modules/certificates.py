# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of this name, which has the code. Nothing of it runs on a host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: certificates
short_description: The cloud's certificate authority and the certificate of its load balancer
version_added: 0.1.0
description:
  - Runs on the control node. Creates an authority once, and a certificate for the cloud's names, which is renewed 90
    days before it expires and when the names change.
  - Keys have mode 0600 and are encrypted by ansible-vault when a vault password is configured.
  - In check mode nothing is written.
author: The Cairn authors (@cairn)
options:
  folder:
    description: Directory of the secrets, created with mode 0700.
    type: path
    required: true
  cloud:
    description: The cloud's name, which the authority carries.
    type: str
    required: true
  names:
    description: DNS names and IP addresses that the certificate is for.
    type: list
    elements: str
    required: true
requirements: [cryptography]
attributes:
  check_mode:
    description: Can run in check mode and say what it would change.
    support: full
  diff_mode:
    description: Says what it changes, as a diff.
    support: full
"""

EXAMPLES = r"""
- name: Certificates
  cairn.openstack.certificates:
    folder: "{{ cloud_secrets_dir }}"
    cloud: cairn
    names: [cairn.example.org, 192.0.2.10]
"""

RETURN = r"""
changes:
  description: The certificates that were issued, or would be.
  type: list
  elements: dict
  returned: always
  contains:
    kind: {description: What it is., type: str, returned: always}
    verb: {description: "What is done to it, in the verb's base form.", type: str, returned: always}
    name: {description: Which one., type: str, returned: always}
    detail: {description: "What of it, or why; may be empty.", type: str, returned: always}
  sample: [{kind: certificate, verb: issue, name: front.crt, detail: missing}]
"""
