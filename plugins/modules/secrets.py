#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: secrets
short_description: Generate the cloud's secrets that are missing
version_added: 0.1.0
description:
  - Runs on the operator's machine. Makes one random secret for each account, database and key that the catalog's
    pages name and that the file lacks. What is there is never changed.
  - The file has mode 0600 and is encrypted by ansible-vault when a vault password is configured.
  - In check mode nothing is written.
author: The Cairn authors (@cairn)
options:
  folder:
    description: The folder of the secrets, made with mode 0700.
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
