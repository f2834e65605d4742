# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Creates and renews the cloud's certificates in the secrets directory. Runs on the control node."""

from __future__ import annotations

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase
from ansible_collections.cairn.openstack.plugins.module_utils.common.changes import listed, returned
from ansible_collections.cairn.openstack.plugins.plugin_utils.control_node import authority
from ansible_collections.cairn.openstack.plugins.plugin_utils.control_node.secrets import SecretsDirectory


class ActionModule(ActionBase):
    """Creates ca.key, ca.crt, frontend.key and frontend.crt if missing, and renews the last one if invalid."""

    TRANSFERS_FILES = False
    _VALID_ARGS = frozenset({"directory", "cloud", "names"})

    def run(self, tmp=None, task_vars=None):
        """Compare the certificates with the requested ones, and create them unless in check mode."""
        result = super().run(tmp, task_vars)
        if authority.MISSING:
            raise AnsibleError(
                f"Certificates require the Python library cryptography on the control node: {authority.MISSING}"
            )
        directory = SecretsDirectory(self._task.args["directory"], self._loader)
        names = list(dict.fromkeys(self._task.args["names"]))
        ca = directory.read("ca.crt")
        why = authority.error(directory.read("frontend.crt"), names, ca)
        changes = [] if ca else [returned("certificate", "issue", "ca.crt", "missing")]
        if why:
            changes.append(returned("certificate", "issue", "frontend.crt", why))
        result.update(changed=bool(changes), changes=changes)
        if changes:
            result["diff"] = listed(changes)
        if changes and not self._task.check_mode:
            self._make(directory, ca, names)
        return result

    def _make(self, directory, ca, names):
        if not ca:
            directory.write("ca.key", authority.new_key(), secret=True)
            ca = authority.authority(self._task.args["cloud"], directory.read("ca.key"))
            directory.write("ca.crt", ca)
        if not directory.read("frontend.key"):
            directory.write("frontend.key", authority.new_key(), secret=True)
        directory.write(
            "frontend.crt", authority.issue(names, directory.read("frontend.key"), ca, directory.read("ca.key"))
        )
