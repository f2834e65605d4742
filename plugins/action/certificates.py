# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Creates and renews the cloud's certificates in the secrets directory. Runs on the control node."""

from __future__ import annotations

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase
from ansible_collections.cairn.openstack.plugins.module_utils.common.changes import listed, returned
from ansible_collections.cairn.openstack.plugins.plugin_utils.catalog import topology
from ansible_collections.cairn.openstack.plugins.plugin_utils.control_node import authority
from ansible_collections.cairn.openstack.plugins.plugin_utils.control_node.secrets import SecretsDirectory


class ActionModule(ActionBase):
    """Creates the authority if missing, and the certificates of the load balancer and of each host if invalid."""

    TRANSFERS_FILES = False
    _VALID_ARGS = frozenset({"directory", "cloud", "names", "internal_names"})

    def run(self, tmp=None, task_vars=None):
        """Compare the certificates with the requested ones, and create them unless in check mode."""
        result = super().run(tmp, task_vars)
        if authority.MISSING:
            raise AnsibleError(
                f"Certificates require the Python library cryptography on the control node: {authority.MISSING}"
            )
        directory = SecretsDirectory(self._task.args["directory"], self._loader)
        ca = directory.read("ca.crt")
        causes = {}
        wanted = self._wanted(topology.topology(task_vars["groups"], task_vars["hostvars"]))
        for name, names in wanted.items():
            why = authority.error(directory.read(f"{name}.crt"), names, ca)
            if why := why or ("" if directory.read(f"{name}.key") else "its key is missing"):
                causes[name] = why
        changes = [] if ca else [returned("certificate", "issue", "ca.crt", "missing")]
        changes += [returned("certificate", "issue", f"{name}.crt", why) for name, why in causes.items()]
        result.update(changed=bool(changes), changes=changes)
        if changes:
            result["diff"] = listed(changes)
        if changes and not self._task.check_mode:
            self._make(directory, ca, {name: wanted[name] for name in causes})
        return result

    def _wanted(self, hosts):
        """Return the files of all certificates, without suffix, each with the names that it is for."""
        found = {}
        if self._task.args["names"]:
            found["frontend"] = list(dict.fromkeys(self._task.args["names"]))
        for name, host in hosts.items():
            # The load balancer passes connections to controllers as they come, to those of the database for example.
            more = self._task.args["internal_names"] if "controller" in host["groups"] else []
            found[authority.host_file(name)] = list(dict.fromkeys([name, host["address"], *more]))
        return found

    def _make(self, directory, ca, wanted):
        if not ca:
            directory.write("ca.key", authority.new_key(), secret=True)
            ca = authority.authority(self._task.args["cloud"], directory.read("ca.key"))
            directory.write("ca.crt", ca)
        ca_key = directory.read("ca.key")
        for name, names in wanted.items():
            if not (key := directory.read(f"{name}.key")):
                key = authority.new_key()
                directory.write(f"{name}.key", key, secret=True)
            directory.write(f"{name}.crt", authority.issue(names, key, ca, ca_key, client=name != "frontend"))
