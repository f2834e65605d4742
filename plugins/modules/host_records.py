#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks up files of hosts in the cloud's databases."""

from __future__ import annotations

DOCUMENTATION = r"""
module: host_records
short_description: Look up files by which the cloud knows its hosts in its databases
version_added: 0.1.0
description:
  - Some services write a file with a random id at their first start on a host, and keep the id in their database. A
    host that is reinstalled needs the same file again.
  - Returns these files for M(cairn.openstack.config_files). Changes nothing.
  - A controller may be without the databases while another one has them, so ask several of them.
  - Connects to MariaDB's local socket as root, so the task needs C(become).
options:
  records:
    description: The files, and where the cloud has their contents.
    type: list
    elements: dict
    required: true
    suboptions:
      file:
        description: The file without its content, in the form of M(cairn.openstack.config_files).
        type: dict
        required: true
      database:
        description: The database to query.
        type: str
        required: true
      query:
        description: A query whose rows have two columns, the name of a host and the content of its file.
        type: str
        required: true
      units:
        description: Units of controllers that use the database.
        type: list
        elements: str
        default: []
  hosts:
    description: The hosts to return files for.
    type: list
    elements: str
    required: true
  login_unix_socket:
    description: Socket of the server.
    type: path
    default: /run/mysqld/mysqld.sock
attributes:
  check_mode:
    support: full
    description: Returns the same in check mode, except that a server that does not respond is no error.
  diff_mode:
    support: none
    description: Returns no diff.
requirements: [python3-pymysql]
author: The Cairn authors (@cairn)
"""

EXAMPLES = r"""
- name: Look up the uuids of Nova's compute nodes
  cairn.openstack.host_records:
    records:
      - file: {path: /var/lib/nova/compute_id, owner: nova, group: nova, replace: false}
        database: nova
        query: SELECT host, uuid FROM compute_nodes WHERE deleted = 0
    hosts: [compute1, compute2]
  become: true
  delegate_to: controller1
  register: known
"""

RETURN = r"""
files:
  description:
    - The files of each host that has a record, with their contents. A host with several records for one file does not
      get it.
  type: dict
  returned: success
  sample:
    compute1:
      - path: /var/lib/nova/compute_id
        owner: nova
        group: nova
        replace: false
        content: 4b7b7a0e-2c2f-4f8c-9a53-0d2b1f2a6f10
answered:
  description:
    - Whether one of the databases could be queried. V(false) on a host that has none of them, and in check mode if the
      server does not respond.
  type: bool
  returned: success
deployed:
  description:
    - Whether the host has one of the databases, or a run has started one of O(records[].units) there. If it is V(false)
      on all controllers, the cloud is new, and has no records.
  type: bool
  returned: success
msg:
  description: Why RV(answered) is V(false).
  type: str
  returned: if it is
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.cairn.openstack.plugins.module_utils.common import host_lock
from ansible_collections.cairn.openstack.plugins.module_utils.common.changes import Failed
from ansible_collections.cairn.openstack.plugins.module_utils.control_plane import host_records


def main():
    module = AnsibleModule(argument_spec=host_records.SPEC, supports_check_mode=True)
    host_lock.acquire(module)
    try:
        files, warnings, answered = host_records.compute(module.params, module.check_mode)
    except Failed as error:
        module.fail_json(msg=str(error))
    for warning in warnings:
        module.warn(warning)
    names = ", ".join(dict.fromkeys(record["database"] for record in module.params["records"]))
    why = {} if answered else {"msg": f"it has no database {names} that responds"}
    deployed = host_records.deployed(module.params)
    module.exit_json(changed=False, files=files, answered=answered, deployed=deployed, **why)


if __name__ == "__main__":
    main()
