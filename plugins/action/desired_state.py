# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Computes the desired state of a host from service definitions, settings and inventory, once per run."""

from __future__ import annotations

from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible.plugins.action import ActionBase
from ansible_collections.cairn.openstack.plugins.module_utils.common import masking, options
from ansible_collections.cairn.openstack.plugins.plugin_utils.catalog import backend_kinds, definitions, steps
from ansible_collections.cairn.openstack.plugins.plugin_utils.catalog.option_index import shipped
from ansible_collections.cairn.openstack.plugins.plugin_utils.catalog.resolver import Resolver


class ActionModule(ActionBase):
    """Returns the packages, files, units, databases, users and endpoints of this host; a task registers them."""

    TRANSFERS_FILES = False
    _VALID_ARGS = frozenset({"state"})

    def run(self, tmp=None, task_vars=None):
        """Resolve the desired state of this host, and sort it by step.

        With the argument ``state: absent`` all definitions are removed, and no secret is required.
        """
        result = super().run(tmp, task_vars)
        self.task_vars = task_vars
        # Preflight has reported it; this removes the host from the run.
        self.skipped = task_vars.get("cairn_skipped", {})
        if why := self.skipped.get(task_vars["inventory_hostname"]):
            raise AnsibleConnectionFailure(f"skipped: {why}")
        absent = self._task.args.get("state") == "absent"
        playing = [name for name in task_vars["ansible_play_hosts"] if name not in self.skipped]
        self.resolver = Resolver(
            task_vars["inventory_hostname"], task_vars, self._templar, self._loader, playing, absent=absent
        )
        model = self.resolver.resolve(task_vars["cairn_probe"])
        if self.resolver.missing_secrets and not self._task.check_mode and not absent:
            names = ", ".join(self.resolver.missing_secrets)
            raise AnsibleError(f"{self.resolver.directory.path} lacks these secrets: {names}")
        result.update(self.steps(model.definitions, self.resolver.groups, model.cloud, model.layers))
        result["_ansible_no_log"] = True
        return result

    def secret_values(self, cloud):
        """Return the values that must not appear in logs."""
        given = [key for kind in backend_kinds.modules() for key in cloud[kind].get("keys", {}).values()]
        given += [str(one["client_secret"]) for one in self.resolver.setting("cloud_identity_providers")]
        texts = [*cloud["secrets"].values(), cloud["frontend"], cloud["certificate"]["key"], *given]
        return [word for text in texts for word in masking.secret_values(text) if word]

    def steps(self, found, groups, cloud, layers):
        """Return the desired state of this host by the definitions *found*, sorted by step."""
        controllers = cloud["controllers"]
        first = controllers[0]["name"]
        desired = {
            "address": cloud["me"]["address"],
            "bind": cloud["bind"],
            "bridges": {"datapath": cloud["datapath"], "bridges": cloud["bridges"]},
            "packages": [],
            "before_packages": [],
            "operator": [],
            "files": [],
            "units": {tier: [] for tier in definitions.TIERS},
            "removed": {tier: [] for tier in definitions.TIERS},
            "purge_paths": [],
            "databases": [],
            "rabbitmq_users": {"admin": {"name": "cairn", "password": cloud["secrets"]["message_admin"]}, "users": []},
            "db_sync": [],
            "keys": [],
            "health": [],
            "checks": [],
            "process_lists": [],
            "in_use": [],
            "maintenance": {"started": [], "ended": []},
            "leaving": {},
            "around_restarts": [],
            # A list of processes may name a back end in place of a host.
            "hosts": [host["name"] for host in cloud["hosts"]] + [one["name"] for one in cloud["storage"]["backends"]],
            "playing": cloud["playing"],
            "after_start": [],
            "registration": {"steps": [], "units": []},
            "records": [],
            "option_packages": {},
            "known_options": self.resolver.setting("cloud_known_options"),
            # Runs the steps that are taken once for the cloud: the first reachable controller of this run, if any.
            "controller": next((host["name"] for host in controllers if host["name"] in cloud["playing"]), first),
            "identity": self.identity(cloud),
            "mask": self.secret_values(cloud),
            "volume_groups": cloud["storage"]["volume_groups"],
            **self.of_kinds(cloud),
        }
        controller = "controller" in groups
        errors = []
        for name, definition in found.items():
            desired["in_use"] += [path for group in sorted(groups) for path in definition["in_use"].get(group, [])]
            present = definition["state"] == "present"
            own = [layer[name] for _variable, layer in layers if layer.get(name)]
            host_files = definitions.files(definition, groups, cloud, own)
            units = definitions.units(definition, groups, host_files)
            if present:
                errors += self.options(desired, definition, host_files, layers)
                desired["packages"] += [p for group in groups for p in definition["packages"].get(group, [])]
                for file in host_files:
                    desired["before_packages" if file["before_packages"] else "files"].append(file)
                gone = {file["path"] for file in host_files if file["state"] == "absent"}
                for unit in units:
                    # It is stopped and disabled before its file is removed: without one, systemctl disables no unit.
                    first = unit["state"] == "stopped" and f"/etc/systemd/system/{unit['name']}" in gone
                    desired["removed" if first else "units"][unit["tier"]].append(unit)
            else:
                desired["files"] += [{**file, "state": "absent"} for file in host_files if not file["host_owned"]]
                desired["purge_paths"] += definition["purge_paths"]
                for unit in units:
                    if not unit["host_owned"]:
                        desired["removed"][unit["tier"]].append({**unit, "state": "stopped", "enabled": False})
            around = definition["around_restarts"] if present else {}
            desired["around_restarts"] += [one for group in sorted(groups) for one in around.get(group, [])]
            for state, commands in desired["maintenance"].items():
                commands += definitions.maintenance(definition, groups, state) if present else []
            if present and definition["registration"]:
                desired["registration"]["steps"] += definitions.steps(
                    definition, definition["registration"]["steps"], cloud
                )
                desired["registration"]["units"] += definition["registration"].get("units", [])
                desired["records"] += definitions.records(definition, units)
            if controller:
                desired["operator"] += [
                    {**file, "state": definition["state"]}
                    for file in definitions.files(definition, {"operator"}, cloud, [])
                ]
                self.controller_steps(desired, name, definition, cloud, {unit["name"]: unit["log"] for unit in units})
        if errors:
            raise AnsibleError("Invalid options:\n" + "\n".join(errors))
        desired["packages"] = sorted(set(desired["packages"]))
        desired["premature_units"] = self.premature_units(desired["units"])
        for list_name in ("before_packages", "files", "operator"):
            keys = (
                "path",
                "content",
                "mode",
                "owner",
                "group",
                "state",
                "managed_block",
                "comment_out",
                "secret",
                "validate",
                "contributors",
                "options_of",
            )
            desired[list_name] = [{key: file[key] for key in keys if key in file} for file in desired[list_name]]
        for tiers in (desired["units"], desired["removed"]):
            for tier, found in tiers.items():
                tiers[tier] = [self.unit(unit) for unit in found]
        desired["compare"] = steps.of_host(desired, cloud["me"]["name"], groups)
        return desired

    def identity(self, cloud):
        """Return the base options of the module C(identity)."""
        return {
            "auth": {"url": cloud["identity_url"], "password": cloud["secrets"]["admin"], "cafile": cloud["ca_file"]},
            "region": cloud["region"],
            "projects": [{"name": "service", "description": "Users of the OpenStack services"}],
            "roles": ["service", "member", "reader"],
            "domains": [],
            "identity_providers": [],
            "users": [],
            "services": [],
        }

    def premature_units(self, tiers):
        """Return the units that a boot started before their first configuration, and that keep failing."""
        booted = self.task_vars["cairn_probe"]["unconfigured_units"]
        later = [unit for tier in definitions.TIERS[1:] for unit in tiers[tier]]
        return [{"name": unit["name"], "state": "stopped"} for unit in later if unit["name"] in booted]

    def of_kinds(self, cloud):
        """Return the options of steps that belong to one kind of back end."""
        everyone = self.task_vars["ansible_play_hosts_all"]
        reached = [name for name in everyone if name not in self.skipped]
        hostvars = self.task_vars["hostvars"]
        probes = {name: hostvars.raw_get(name).get("cairn_probe", {}) for name in reached}
        run = {"everyone": everyone, "reached": reached, "probes": probes}
        modules = backend_kinds.modules().values()
        return {step: options for module in modules for step, options in module.desired(cloud, run).items()}

    def options(self, desired, definition, files, layers):
        """Return the errors of the options in *files*; add to *desired* what the host must check."""
        index, known = shipped(definition["name"], self.resolver.index_directory), desired["known_options"]
        # An error in a contributed option is reported for the contributing definition.
        theirs = [
            (f"catalog_{source}", {definition["name"]: {name: added}})
            for source, name, added in definition["contributions"]
        ]
        errors, warnings = options.checked(definition, files, [*theirs, *layers], index, known)
        for warning in warnings:
            self._display.warning(warning)
        for file in files if index else ():
            if options.is_checked(file) and options.sets_of(file["name"], index):
                file["options_of"] = {"service": definition["name"], "file": file["name"]}
                desired["option_packages"][definition["name"]] = index["packages"]
        return errors

    def unit(self, unit):
        """Return *unit* in the form of the module ``units``."""
        return {key: value for key, value in unit.items() if key not in ("tier", "definition", "host_owned")}

    def controller_steps(self, desired, name, definition, cloud, logs):
        """Add the steps of *definition* that only controllers take: databases, users, schemas, endpoints, health.

        *logs* are the logs of its units.
        """
        values, state = cloud["secrets"], definition["state"]
        desired["databases"] += [
            {"name": database["name"], "user": name, "password": values[f"{name}_database"], "state": state}
            for database in definition["databases"]
        ]
        if definition["messaging"]:
            desired["rabbitmq_users"]["users"].append(
                {"name": name, "password": values[f"{name}_messaging"], "vhost": name, "state": state}
            )
        if definitions.has_user(definition):
            desired["identity"]["users"].append(
                {
                    "name": name,
                    "password": values[f"{name}_identity"],
                    "project": "service",
                    "roles": definition["identity"].get("roles", ["admin", "service"]),
                    "state": state,
                }
            )
        desired["identity"]["users"] += [
            {
                "name": user["name"],
                "password": values[definitions.secret_of(name, user["name"])],
                "domain": domain,
                "roles": user["roles"],
                "state": state,
            }
            for domain, user in definitions.domain_users(definition)
        ]
        if state == "present":
            domains = definition["identity"].get("domains") or []
            desired["identity"]["domains"] += [
                {key: one[key] for key in ("name", "description") if key in one} for one in domains
            ]
            desired["identity"]["domains"] += definition["identity"].get("ldap_domains") or []
            desired["identity"]["identity_providers"] += definition["identity"].get("identity_providers") or []
        desired["identity"]["services"] += definitions.identity_services(definition, cloud)
        if state == "absent":
            return
        desired["identity"]["roles"] += definition["identity"].get("new_roles", [])
        desired["db_sync"] += definitions.steps(definition, definition["db_sync"], cloud)
        desired["after_start"] += definitions.steps(definition, definition["after_start"], cloud)
        desired["keys"] += definition["keys"]
        desired["checks"] += definitions.checks(definition, cloud, logs)
        desired["process_lists"] += definitions.process_lists(definition, cloud)
        for group, commands in definition["leaving"].items():
            desired["leaving"].setdefault(group, []).extend(commands)
        desired["health"] += [{**entry, "log": logs.get(entry["unit"])} for entry in definition["health"]]
        desired["health"] += [
            {
                "name": api["name"],
                "url": f"http://{cloud['bind']}:{api['port']}{api['health']}",
                "unit": unit,
                "log": logs.get(unit),
            }
            for api in definition["apis"]
            for unit in [api.get("unit", api["name"])]
            if api.get("health")
        ]
