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
  directory:
    description: Directory of the secrets, created with mode 0700.
    type: path
    required: true
attributes:
  check_mode:
    description: Can run in check mode and report what it would change.
    support: full
  diff_mode:
    description: Returns a diff of the changes.
    support: full
"""

EXAMPLES = r"""
- name: Generate missing secrets
  cairn.openstack.secrets:
    directory: "{{ cloud_secrets_dir }}"
"""

RETURN = r"""
changes:
  description: Secrets that were or would be generated.
  type: list
  elements: dict
  returned: always
  contains:
    kind: {description: Kind of object., type: str, returned: always}
    verb: {description: "The action, as a verb in its base form.", type: str, returned: always}
    name: {description: Name of the object., type: str, returned: always}
    detail: {description: "What changed, or why; may be empty.", type: str, returned: always}
  sample: [{kind: secret, verb: generate, name: nova_database, detail: ""}]
"""
