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
        description: Absolute path. Missing directories are created, owned by root.
        type: path
        required: true
      content:
        description: The whole content, or the block's, as text.
        type: str
      encoding:
        description: How O(files[].content) is written; V(base64) is for files that are no text.
        type: str
        choices: [text, base64]
        default: text
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
      managed_block:
        description: Keep what the host's owner wrote and manage only a marked block.
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
      contributors:
        description: Names of service definitions that contribute options to the file; the diff says so.
        type: list
        elements: str
        default: []
      options_of:
        description:
          - The service that reads the options in O(files[].content), and its name for the file. Where a package's
            version is not the one in O(option_packages), the options are judged by the service's own code before any
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
    description: For each service in O(files[].options_of) the packages, with their versions, by whose code its options
      were judged already.
    type: dict
    default: {}
  known_options:
    description: Patterns of options that pass unjudged, C(SERVICE/FILE/SECTION/OPTION).
    type: list
    elements: str
    default: []
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
  description: The files that differ.
  type: list
  elements: dict
  returned: always
  contains:
    kind: {description: What it is., type: str, returned: always}
    verb: {description: "What is done to it, in the verb's base form.", type: str, returned: always}
    name: {description: Which one., type: str, returned: always}
    detail: {description: "What of it, or why; may be empty.", type: str, returned: always}
  sample: [{kind: file, verb: change, name: /etc/glance/glance-api.conf, detail: "content, mode"}]
fingerprints:
  description: Of each file that differs, the digest of content, mode and owner that it gets; empty for one that goes.
  type: dict
  returned: success
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.cairn.openstack.plugins.module_utils.common import host_lock, ini, options
from ansible_collections.cairn.openstack.plugins.module_utils.host import config_files, installed_options


def confirm_options(module: AnsibleModule, files: list[dict]) -> list[str]:
    """Return what the code on this host finds wrong in *files*, where it is other code than judged them already."""
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
            for fault in options.faults(service, name, sections, index, module.params["known_options"]):
                (module.warn if fault.passing else wrong.append)(f"{file['path']} {fault}")
    return wrong


def main() -> None:
    """Compare, and unless in check mode write."""
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
    changes, diffs, faults, differing, fingerprints = [], [], [], [], {}
    for file in module.params["files"]:
        path = file["path"]
        before = config_files.read(path)
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
    if wrong := confirm_options(module, [file for file, after in differing if after.content is not None]):
        module.fail_json(msg="The installed packages refuse these options; no file was changed:\n" + "\n".join(wrong))
    for file, after in differing if not module.check_mode else ():
        try:
            config_files.write(file["path"], after)
        except (KeyError, OSError) as error:
            faults.append(f"{file['path']}: {error}")
    if faults:
        module.fail_json(msg="These files could not be written:\n" + "\n".join(faults), changes=changes)
    module.exit_json(changed=bool(changes), changes=changes, diff=diffs, fingerprints=fingerprints)


if __name__ == "__main__":
    main()
