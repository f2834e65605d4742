# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of this name, which has the code. Nothing of it runs on a host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: secrets
short_description: Generate missing secrets
version_added: 0.1.0
description:
  - Runs on the control node. Generates one random secret for each user, database and key of the service definitions
    that the file lacks. Existing secrets are never changed.
  - The file has mode 0600 and is encrypted by ansible-vault when a vault password is configured.
  - In check mode nothing is written.
author: The Cairn authors (@cairn)
options:
  folder:
    description: Directory of the secrets, created with mode 0700.
    type: path
    required: true
attributes:
  check_mode:
    description: Can run in check mode and say what it would change.
    support: full
  diff_mode:
    description: Says what it changes, as a diff.
    support: full
"""

EXAMPLES = r"""
- name: Secrets
  cairn.openstack.secrets:
    folder: "{{ cloud_secrets_dir }}"
"""

RETURN = r"""
changes:
  description: The secrets that were generated, or would be.
  type: list
  elements: dict
  returned: always
  contains:
    kind: {description: What it is., type: str, returned: always}
    verb: {description: "What is done to it, in the verb's base form.", type: str, returned: always}
    name: {description: Which one., type: str, returned: always}
    detail: {description: "What of it, or why; may be empty.", type: str, returned: always}
  sample: [{kind: secret, verb: generate, name: nova_database, detail: ""}]
"""
