# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Computes what a host will offer to servers, from its probe and its configuration. Runs on the control node."""

from __future__ import annotations

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.cairn.openstack.plugins.plugin_utils.capacity import planned
from ansible_collections.cairn.openstack.plugins.plugin_utils.catalog.resolver import Resolver


class ActionModule(ActionBase):
    """Returns the inventories, interfaces and devices of the host."""

    TRANSFERS_FILES = False
    _VALID_ARGS = frozenset()

    def run(self, tmp=None, task_vars=None):
        """Resolve the options of the host that capacities depend on."""
        result = super().run(tmp, task_vars)
        probe = task_vars["cairn_probe"]
        resolver = Resolver(
            task_vars["inventory_hostname"],
            task_vars,
            self._templar,
            self._loader,
            task_vars["ansible_play_hosts"],
        )
        try:
            model = resolver.resolve(probe, planned.KEYS)
        except ValueError as error:
            # An interface of the settings that the host does not have.
            raise AnsibleActionFail(str(error)) from error
        return {**result, "plan": planned.planned(model, resolver.groups, probe)}
