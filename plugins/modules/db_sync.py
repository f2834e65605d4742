# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Brings database schemas to the revision of the installed packages."""

from __future__ import annotations

DOCUMENTATION = r"""
module: db_sync
short_description: Database schemas at the revision of the installed packages
version_added: 0.1.0
description:
  - Runs a service's schema commands, each unless its guard says that it has been done. The guards are SQL, which costs
    milliseconds where a manage command costs seconds.
  - The steps of one schema run in order, different schemas at the same time.
  - Waits for the commands of an earlier run that was killed, and begins a schema anew whose first sync was cut short.
  - Reads MariaDB through its local socket as root, so the task needs C(become).
options:
  schemas:
    description: The schemas.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: What to call it, usually the service.
        type: str
        required: true
      steps:
        description: The commands, in order.
        type: list
        elements: dict
        required: true
        suboptions:
          run:
            description: The command line, without a shell.
            type: str
            required: true
          user:
            description: The user to run it as.
            type: str
            required: true
          environment:
            description: Variables added to its environment.
            type: dict
            default: {}
          secret_environment:
            description: More variables, which no log shows.
            type: dict
            default: {}
          unless:
            description: The guard, with exactly one of its C(alembic), C(query), C(file) and C(get).
            type: dict
            required: true
            suboptions:
              database:
                description: The database to ask, for C(alembic) and C(query).
                type: str
              alembic:
                description:
                  - Directory of the migration scripts, absolute or relative to C(/usr/lib/python3/dist-packages).
                    The step is done when the database holds exactly the heads of these scripts.
                  - A revision that they don't know is an error, since the database is newer than the package.
                type: str
              table:
                description: The table in which Alembic keeps the revisions.
                type: str
                default: alembic_version
              query:
                description: The step is done when this query finds any row.
                type: str
              file:
                description: The step is done when this file is there.
                type: path
              get:
                description: The step is done when this URL answers 200 to O(auth).
                type: str
  auth:
    description: Whose token guards that ask an API have.
    type: dict
    suboptions:
      url:
        description: Keystone's address, with its version.
        type: str
        required: true
      username:
        description: The user.
        type: str
        default: admin
      password:
        description: The password.
        type: str
        required: true
      project:
        description: The project that the token is for.
        type: str
        default: admin
      domain:
        description: The domain of both.
        type: str
        default: Default
      cafile:
        description: The certificate authority by which Keystone and the services are trusted.
        type: path
  login_unix_socket:
    description: The server's socket.
    type: path
    default: /run/mysqld/mysqld.sock
attributes:
  check_mode:
    support: full
    description: Where no server answers, every step is due, except on databases that a stopped one holds.
  diff_mode:
    support: full
    description: Shows the revisions.
requirements: [python3-pymysql]
author: The Cairn authors (@cairn)
"""

EXAMPLES = r"""
- name: Database schemas
  cairn.openstack.db_sync:
    schemas:
      - name: placement
        steps:
          - run: placement-manage db sync
            user: placement
            unless: {database: placement, alembic: placement/db/sqlalchemy/alembic/versions}
      - name: nova
        steps:
          - run: nova-manage api_db sync
            user: nova
            unless: {database: nova_api, alembic: nova/db/api/migrations/versions}
          - run: nova-manage cell_v2 map_cell0
            user: nova
            unless: {database: nova_api, query: "SELECT 1 FROM cell_mappings WHERE name = 'cell0'"}
  become: true
"""

RETURN = r"""
changes:
  description: The steps that were run, or would be; the name is the schema's.
  type: list
  elements: dict
  returned: always
  contains:
    kind: {description: What it is., type: str, returned: always}
    verb: {description: "What is done to it, in the verb's base form.", type: str, returned: always}
    name: {description: Which one., type: str, returned: always}
    detail: {description: "What of it, or why; may be empty.", type: str, returned: always}
  sample: [{kind: schema step, verb: run, name: nova, detail: nova-manage api_db sync}]
steps:
  description: Every step, with the keys C(schema), C(run), C(ran) and C(seconds).
  type: list
  elements: dict
  returned: always
reachable:
  description: Whether the server answered; C(false) only in check mode.
  type: bool
  returned: always
"""

from functools import partial

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.cairn.openstack.plugins.module_utils.common import host_lock
from ansible_collections.cairn.openstack.plugins.module_utils.common.changes import Failed, finish
from ansible_collections.cairn.openstack.plugins.module_utils.control_plane import db_sync


def main():
    module = AnsibleModule(argument_spec=db_sync.SPEC, supports_check_mode=True)
    host_lock.acquire(module)
    try:
        changes, steps, reachable = db_sync.compute(module.params, module.check_mode)
    except Failed as error:
        module.fail_json(msg=str(error))
    perform = partial(db_sync.perform, module.params["schemas"])
    finish(module, changes, perform, steps=steps, reachable=reachable)


if __name__ == "__main__":
    main()
