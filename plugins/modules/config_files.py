#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: config_files
short_description: Manage many configuration files in one call
version_added: 0.1.0
description:
  - Manages contents, modes and owners of files; each file is replaced atomically.
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
        description: Absolute path. Missing directories are created, owned by root.
        type: path
        required: true
      content:
        description: The content of the file, or of the block.
        type: str
      encoding:
        description: Encoding of O(files[].content); use V(base64) for binary files.
        type: str
        choices: [text, base64]
        default: text
      mode:
        description: Octal mode.
        type: str
        default: "0644"
      owner:
        description: Name of the owner; empty leaves it unchanged. In check mode it need not exist yet.
        type: str
        default: root
      group:
        description: Name of the group; empty leaves it unchanged.
        type: str
        default: root
      state:
        description: Whether the file should exist.
        type: str
        choices: [present, absent]
        default: present
      managed_block:
        description: Manage only a marked block, and keep the rest of the file.
        type: bool
        default: false
      comment_out:
        description:
          - With O(files[].managed_block), a regular expression; lines outside the block that match it become comments.
        type: str
      secret:
        description: Never show the content, not even masked.
        type: bool
        default: false
      replace:
        description:
          - Whether an existing file is replaced. If V(false), one with other content is an error, for which no file is
            written, and one with the same content stays as it is; white space at its ends does not count. Without
            O(files[].content), any content is accepted.
        type: bool
        default: true
      validate:
        description:
          - A command that has to accept the new content, for example V(nft -c -f %s); C(%s) is a file with it. If it
            refuses one file, no file is written. A command that is not installed accepts everything.
        type: str
      contributors:
        description: Names of service definitions that contribute options to the file, shown in the diff.
        type: list
        elements: str
        default: []
      options_of:
        description:
          - The service that reads the options in O(files[].content), and its name for the file. If the version of a
            package differs from O(option_packages), the options are checked against the service's own code before any
            file is replaced.
        type: dict
        suboptions:
          service:
            description: The service.
            type: str
            required: true
          file:
            description: The file.
            type: str
            required: true
  option_packages:
    description: For each service in O(files[].options_of) the packages and versions that its options were already
      checked against.
    type: dict
    default: {}
  known_options:
    description: Patterns of options to accept unchecked, C(SERVICE/FILE/SECTION/OPTION).
    type: list
    elements: str
    default: []
  mask:
    description: Values to mask in all output.
    type: list
    elements: str
    default: []
attributes:
  check_mode:
    description: Can run in check mode and report what it would change.
    support: full
  diff_mode:
    description: Returns a diff of the changes.
    support: full
"""

EXAMPLES = r"""
- name: Configure Glance
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
  description: Files that were or would be changed.
  type: list
  elements: dict
  returned: always
  contains:
    kind: {description: Kind of object., type: str, returned: always}
    verb: {description: "The action, as a verb in its base form.", type: str, returned: always}
    name: {description: Name of the object., type: str, returned: always}
    detail: {description: "What changed, or why; may be empty.", type: str, returned: always}
  sample: [{kind: file, verb: change, name: /etc/glance/glance-api.conf, detail: "content, mode"}]
fingerprints:
  description: For each changed file, the digest of its new content, mode and owner; empty for a removed one.
  type: dict
  returned: success
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.cairn.openstack.plugins.module_utils.common import host_lock, ini, options
from ansible_collections.cairn.openstack.plugins.module_utils.host import config_files, installed_options

CONFLICT = (
    "If the content that a file has belongs to another host or to an earlier installation, remove the file and run "
    "again: the run writes the other one."
)


def confirm_options(module: AnsibleModule, files: list[dict]) -> list[str]:
    """Check the options in *files* against the code on this host, unless already checked against the same versions."""
    wrong = []
    for service, packages in module.params["option_packages"].items():
        mine = [file for file in files if (file["options_of"] or {}).get("service") == service]
        try:
            index = installed_options.index(service, packages, keep=not module.check_mode) if mine else None
        except installed_options.Unanswered as error:
            module.warn(f"The options of {service} could not be confirmed by its code on this host: {error}")
            continue
        for file in mine if index else ():
            name, sections = file["options_of"]["file"], ini.parse(file["content"])
            for finding in options.findings(service, name, sections, index, module.params["known_options"]):
                (module.warn if finding.warning else wrong.append)(f"{file['path']} {finding}")
    return wrong


def main() -> None:
    """Compare, and write the files unless in check mode."""
    module = AnsibleModule(
        argument_spec={
            **config_files.SPEC,
            "option_packages": {"type": "dict", "default": {}},
            "known_options": {"type": "list", "elements": "str", "default": []},
            "mask": {"type": "list", "elements": "str", "default": [], "no_log": True},
        },
        supports_check_mode=True,
    )
    host_lock.acquire(module)
    changes, diffs, failures, differing, fingerprints = [], [], [], [], {}
    conflicts = []
    for file in module.params["files"]:
        path = file["path"]
        before = config_files.read(path)
        if words := config_files.conflict(file, before):
            conflicts.append(words)
            continue
        after = config_files.wanted(file, before)
        shown = config_files.difference(path, before, after, file["secret"], file["encoding"] == "base64")
        if shown is None:
            continue
        differing.append((file, after))
        if file["contributors"]:
            shown["after_header"] += f", to which {', '.join(file['contributors'])} contribute"
        changes.append(config_files.change(path, before, after))
        fingerprints[path] = config_files.future(after)
        diffs.append(shown)
    if conflicts:
        module.fail_json(
            msg="These files are not replaced; no file was changed:\n" + "\n".join(conflicts) + "\n" + CONFLICT
        )
    if wrong := confirm_options(module, [file for file, after in differing if after.content is not None]):
        module.fail_json(msg="The installed packages refuse these options; no file was changed:\n" + "\n".join(wrong))
    refused = [
        f"{file['path']}: {words}"
        for file, after in differing
        if file["validate"] and after.content is not None
        if (words := config_files.refused(file["validate"], after.content))
    ]
    if refused:
        module.fail_json(msg="These files are not valid; no file was changed:\n" + "\n".join(refused))
    for file, after in differing if not module.check_mode else ():
        try:
            config_files.write(file["path"], after)
        except (KeyError, OSError) as error:
            failures.append(f"{file['path']}: {error}")
    if failures:
        module.fail_json(msg="These files could not be written:\n" + "\n".join(failures), changes=changes)
    module.exit_json(changed=bool(changes), changes=changes, diff=diffs, fingerprints=fingerprints)


if __name__ == "__main__":
    main()
