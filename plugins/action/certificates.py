# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Creates and renews the cloud's certificates in the secrets directory. Runs on the control node."""

from __future__ import annotations

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase
from ansible_collections.cairn.openstack.plugins.module_utils.common.changes import listed, returned
from ansible_collections.cairn.openstack.plugins.plugin_utils.catalog import topology
from ansible_collections.cairn.openstack.plugins.plugin_utils.control_node import authority
from ansible_collections.cairn.openstack.plugins.plugin_utils.control_node.secrets import SecretsDirectory, read_given


class ActionModule(ActionBase):
    """Creates the authority if missing, and the certificates of the load balancer and of each host if invalid."""

    TRANSFERS_FILES = False
    _VALID_ARGS = frozenset({"directory", "cloud", "names", "internal_names", "ca_certificate", "ca_key"})

    def run(self, tmp=None, task_vars=None):
        """Compare the certificates with the requested ones, and create them unless in check mode."""
        result = super().run(tmp, task_vars)
        if authority.MISSING:
            raise AnsibleError(
                f"Certificates require the Python library cryptography on the control node: {authority.MISSING}"
            )
        directory = SecretsDirectory(self._task.args["directory"], self._loader)
        given = self._given()
        ca, cause = directory.read("ca.crt"), self._authority(directory, given)
        causes = {}
        wanted = self._wanted(topology.topology(task_vars["groups"], task_vars["hostvars"]))
        for name, names in wanted.items():
            have = directory.read(f"{name}.crt")
            why = authority.error(have, names, ca) if not (cause and have) else "its authority has a new certificate"
            if why := why or ("" if directory.read(f"{name}.key") else "its key is missing"):
                causes[name] = why
        changes = [returned("certificate", "use" if given else "issue", "ca.crt", cause)] if cause else []
        changes += [returned("certificate", "issue", f"{name}.crt", why) for name, why in causes.items()]
        result.update(changed=bool(changes), changes=changes)
        if changes:
            result["diff"] = listed(changes)
        if changes and not self._task.check_mode:
            if cause:
                self._make_authority(directory, given)
            self._make(directory, {name: wanted[name] for name in causes})
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

    def _given(self):
        """Return the certificate with its chain and the key of the user's authority; None without one."""
        paths = [self._task.args.get(name) for name in ("ca_certificate", "ca_key")]
        if not any(paths):
            return None
        return [read_given(path, self._loader) for path in paths]

    @staticmethod
    def _authority(directory, given):
        """Return why the authority's certificate has to be written; empty if it is valid."""
        ca = directory.read("ca.crt")
        if not ca:
            return "missing"
        if given:
            return "" if [ca, directory.read("ca.key")] == given else "another one is set"
        # The root's key may be away from here. Without it preflight warns.
        left, root = authority.days_left(ca), authority.root_of(ca)
        if authority.renewable(ca) and authority.belongs(directory.read("root.key"), root):
            return f"expires in {left} days"
        return ""

    def _make_authority(self, directory, given):
        """Write the authority: the last file is the one that says it is there."""
        cloud = self._task.args["cloud"]
        if given:
            ca, key = given
        elif ca := directory.read("ca.crt"):
            key = directory.read("ca.key")
            ca = authority.intermediate(cloud, key, authority.root_of(ca), directory.read("root.key"))
        else:
            key, root_key = authority.new_key(), authority.new_key()
            directory.write("root.key", root_key, secret=True)
            ca = authority.intermediate(cloud, key, authority.root(cloud, root_key), root_key)
        directory.write("ca.key", key, secret=True)
        directory.write("ca.crt", ca)

    @staticmethod
    def _make(directory, wanted):
        ca, ca_key = directory.read("ca.crt"), directory.read("ca.key")
        for name, names in wanted.items():
            if not (key := directory.read(f"{name}.key")):
                key = authority.new_key()
                directory.write(f"{name}.key", key, secret=True)
            directory.write(f"{name}.crt", authority.issue(names, key, ca, ca_key, client=name != "frontend"))
