# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Generates the secrets that the catalog needs and secrets.yml lacks. Runs on the control node."""

from __future__ import annotations

from ansible.plugins.action import ActionBase
from ansible_collections.cairn.openstack.plugins.module_utils.common.changes import listed, returned
from ansible_collections.cairn.openstack.plugins.plugin_utils.catalog import definitions, sources
from ansible_collections.cairn.openstack.plugins.plugin_utils.control_node.secrets import SecretsDirectory, generate


class ActionModule(ActionBase):
    """Adds missing secrets; existing ones are never replaced."""

    TRANSFERS_FILES = False
    _VALID_ARGS = frozenset({"directory"})

    def run(self, tmp=None, task_vars=None):
        """Return the names (never the values) of the secrets that were or would be generated."""
        result = super().run(tmp, task_vars)
        directory = SecretsDirectory(self._task.args["directory"], self._loader)
        every = definitions.load(task_vars, sources.own(task_vars, self._templar.template))
        have = directory.values()
        services = definitions.services(self._templar.template(task_vars["cloud_services"]))
        here = definitions.of_cloud(every, services, have)
        missing = [name for name in definitions.secret_names(here) if name not in have]
        result["changed"] = bool(missing)
        result["changes"] = [returned("secret", "generate", name) for name in missing]
        if missing:
            result["diff"] = listed(result["changes"])
        if missing and not self._task.check_mode:
            directory.replace({**have, **{name: generate(name) for name in missing}})
        return result
