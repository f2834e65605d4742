# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Migrates database schemas to the revision of the installed packages."""

from __future__ import annotations

DOCUMENTATION = r"""
module: db_sync
short_description: Migrate database schemas to the revision of the installed packages
version_added: 0.1.0
description:
  - Runs the schema commands of services, each unless its guard shows that it is done. The guards are SQL queries, which
    take milliseconds where a manage command takes seconds.
  - The steps of a schema run in order, different schemas at the same time.
  - Waits for commands of an interrupted run that are still running, and repeats an interrupted first sync on an empty
    database.
  - Connects to MariaDB's local socket as root, so the task needs C(become).
options:
  schemas:
    description: The schemas.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the schema, usually the service.
        type: str
        required: true
      steps:
        description: The commands, in order.
        type: list
        elements: dict
        required: true
        suboptions:
          run:
            description: The command line, run without a shell.
            type: str
            required: true
          user:
            description: The system user to run it as.
            type: str
            required: true
          environment:
            description: Environment variables.
            type: dict
            default: {}
          secret_environment:
            description: Environment variables that are not logged.
            type: dict
            default: {}
          unless:
            description: The guard, with exactly one of C(alembic), C(query), C(file) and C(get).
            type: dict
            required: true
            suboptions:
              database:
                description: The database to query, for C(alembic) and C(query).
                type: str
              alembic:
                description:
                  - Directory of the migration scripts, absolute or relative to C(/usr/lib/python3/dist-packages).
                    The step is done if the database is at exactly the heads of these scripts.
                  - A revision unknown to them is an error, as the database is newer than the package.
                type: str
              table:
                description: Alembic's version table.
                type: str
                default: alembic_version
              query:
                description: The step is done if this query returns a row.
                type: str
              rows:
                description:
                  - The step is done if C(query) returns a row for each of these, in its first column. Those without a
                    row are returned in C(missing) of RV(steps).
                type: list
                elements: str
              file:
                description: The step is done if this file exists.
                type: path
              get:
                description: The step is done if a GET of this URL with a token of O(auth) returns 200.
                type: str
          units:
            description:
              - Units that have read what the step changes, returned in RV(outdated) if it runs. For this host it is
                also recorded, so that the next run restarts them if this one does not.
            type: list
            elements: str
            default: []
  auth:
    description: Credentials for guards that use an API.
    type: dict
    suboptions:
      url:
        description: URL of Keystone, with the API version.
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
        description: CA bundle to verify Keystone and the services with.
        type: path
  login_unix_socket:
    description: Socket of the server.
    type: path
    default: /run/mysqld/mysqld.sock
attributes:
  check_mode:
    support: full
    description: If no server responds, all steps are pending, except on databases of a stopped server.
  diff_mode:
    support: full
    description: Shows the revisions.
requirements: [python3-pymysql]
author: The Cairn authors (@cairn)
"""

EXAMPLES = r"""
- name: Migrate database schemas
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
  description: Steps that were or would be run; the name is the schema's.
  type: list
  elements: dict
  returned: always
  contains:
    kind: {description: Kind of object., type: str, returned: always}
    verb: {description: "The action, as a verb in its base form.", type: str, returned: always}
    name: {description: Name of the object., type: str, returned: always}
    detail: {description: "What changed, or why; may be empty.", type: str, returned: always}
  sample: [{kind: schema step, verb: run, name: nova, detail: nova-manage api_db sync}]
steps:
  description:
    - All steps, with the keys C(schema), C(run), C(ran) and C(seconds), and for those that were or would be run
      C(missing), the names of O(schemas[].steps[].unless.rows) that had no row.
  type: list
  elements: dict
  returned: always
outdated:
  description:
    - The units of the steps that were or would be run, with the cause, for O(cairn.openstack.units#module:outdated).
  type: dict
  returned: always
  sample: {nova-scheduler: schema step nova}
reachable:
  description: Whether the server responded; C(false) only in check mode.
  type: bool
  returned: always
msg:
  description: Why RV(reachable) is V(false).
  type: str
  returned: if it is
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
    why = {} if reachable else {"msg": "MariaDB does not respond on this host"}
    finish(module, changes, perform, steps=steps, outdated=db_sync.outdated(steps), reachable=reachable, **why)


if __name__ == "__main__":
    main()
