#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: config_files
short_description: Many configuration files in one call
version_added: 0.1.0
description:
  - Brings files to given contents, modes and owners; each is replaced in one rename, so no reader sees half a file.
  - Secrets are masked in the diff, by the names of options and by the values in O(mask).
author: The Cairn authors (@cairn)
options:
  files:
    description: The files.
    type: list
    elements: dict
    required: true
    suboptions:
      path:
        description: Absolute path. Missing folders are made, owned by root.
        type: path
        required: true
      content:
        description: The whole content, or the block's, as text.
        type: str
      mode:
        description: Octal mode.
        type: str
        default: "0644"
      owner:
        description: Owner's name; empty leaves it alone. In check mode it need not exist yet.
        type: str
        default: root
      group:
        description: Group's name; empty leaves it alone.
        type: str
        default: root
      state:
        description: Whether the file shall be there.
        type: str
        choices: [present, absent]
        default: present
      block:
        description: Keep what the host's owner wrote and manage only a marked block.
        type: bool
        default: false
      drop:
        description: With O(files[].block), a regular expression; lines outside the block that match it become comments.
        type: str
      secret:
        description: Never show the content, not even masked.
        type: bool
        default: false
  mask:
    description: Values to be replaced wherever they would be shown.
    type: list
    elements: str
    default: []
attributes:
  check_mode:
    description: Can run in check mode and say what it would change.
    support: full
  diff_mode:
    description: Says what it changes, as a diff.
    support: full
"""

EXAMPLES = r"""
- name: Two files of a service
  cairn.openstack.config_files:
    files:
      - path: /etc/glance/glance-api.conf
        content: "{{ glance_api_conf }}"
        mode: "0640"
        group: glance
      - path: /etc/glance/old.conf
        state: absent
"""

RETURN = r"""
changes:
  description: The files that differ, with what about them.
  type: list
  elements: dict
  returned: always
  sample: [{path: /etc/glance/glance-api.conf, reason: "content, mode"}]
fingerprints:
  description: Of each file that differs, the digest of content, mode and owner that it gets; empty for one that goes.
  type: dict
  returned: success
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.cairn.openstack.plugins.module_utils import config_files

FILE = {
    "path": {"type": "path", "required": True},
    "content": {"type": "str"},
    "mode": {"type": "str", "default": "0644"},
    "owner": {"type": "str", "default": "root"},
    "group": {"type": "str", "default": "root"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "block": {"type": "bool", "default": False},
    "drop": {"type": "str"},
    "secret": {"type": "bool", "default": False},
}


def main() -> None:
    """Compare, and unless in check mode write."""
    module = AnsibleModule(
        argument_spec={
            "files": {"type": "list", "elements": "dict", "required": True, "options": FILE},
            "mask": {"type": "list", "elements": "str", "default": [], "no_log": True},
        },
        supports_check_mode=True,
    )
    changes, diffs, faults, fingerprints = [], [], [], {}
    for file in module.params["files"]:
        path = file["path"]
        before = config_files.read(path)
        after = config_files.wanted(file, before)
        shown = config_files.difference(path, before, after, file["secret"])
        if shown is None:
            continue
        changes.append({"path": path, "reason": config_files.reason(before, after)})
        fingerprints[path] = config_files.future(after)
        diffs.append(shown)
        if module.check_mode:
            continue
        try:
            config_files.write(path, after)
        except (KeyError, OSError) as error:
            faults.append(f"{path}: {error}")
    if faults:
        module.fail_json(msg="These files could not be written:\n" + "\n".join(faults), changes=changes)
    module.exit_json(changed=bool(changes), changes=changes, diff=diffs, fingerprints=fingerprints)


if __name__ == "__main__":
    main()
