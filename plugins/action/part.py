# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Computes a host's part of the cloud from the catalogue, the settings and the inventory, once per run."""

from __future__ import annotations

from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible.plugins.action import ActionBase
from ansible_collections.cairn.openstack.plugins.module_utils import catalogue, masking, options, swift
from ansible_collections.cairn.openstack.plugins.plugin_utils.catalog.resolver import Resolver
from ansible_collections.cairn.openstack.plugins.plugin_utils.option_index import shipped


class ActionModule(ActionBase):
    """Returns packages, files, units, databases, users and endpoints of this host; a task registers it."""

    TRANSFERS_FILES = False
    _VALID_ARGS = frozenset({"state"})

    def run(self, tmp=None, task_vars=None):
        """Resolve what this host shall have, and sort it by the step that takes it.

        With the argument ``state: absent`` every definition is one that goes, and no secret is missed.
        """
        result = super().run(tmp, task_vars)
        self.task_vars = task_vars
        # Known to everybody since preflight; from here on the host is none of this run's.
        self.left_out = task_vars.get("cairn_left_out", {})
        if why := self.left_out.get(task_vars["inventory_hostname"]):
            raise AnsibleConnectionFailure(f"left out: {why}")
        absent = self._task.args.get("state") == "absent"
        playing = [name for name in task_vars["ansible_play_hosts"] if name not in self.left_out]
        self.resolver = Resolver(
            task_vars["inventory_hostname"], task_vars, self._templar, self._loader, playing, absent=absent
        )
        model = self.resolver.resolve(task_vars["cairn_probe"])
        if self.resolver.missing_secrets and not self._task.check_mode and not absent:
            names = ", ".join(self.resolver.missing_secrets)
            raise AnsibleError(f"{self.resolver.directory.path} lacks these secrets: {names}")
        result.update(self.verbs(model.definitions, self.resolver.groups, model.cloud, model.layers))
        result["_ansible_no_log"] = True
        return result

    def unspoken(self, cloud):
        """Return what no log may hold."""
        texts = [*cloud["secrets"].values(), cloud["front"], *cloud["ceph"]["keys"].values()]
        return [word for text in texts for word in masking.unspoken(text) if word]

    def verbs(self, pages, groups, cloud, layers):
        """Return this host's part of *pages*, sorted by the verb that reads it."""
        part = {
            "address": cloud["me"]["address"],
            "bind": cloud["bind"],
            "bridges": {"datapath": cloud["datapath"], "bridges": cloud["bridges"]},
            "packages": [],
            "early": [],
            "operator": [],
            "files": [],
            "units": {tier: [] for tier in catalogue.TIERS},
            "removed": {tier: [] for tier in catalogue.TIERS},
            "data": [],
            "databases": [],
            "message_users": {"admin": {"name": "cairn", "password": cloud["secrets"]["message_admin"]}, "users": []},
            "schemas": [],
            "keys": [],
            "health": [],
            "checks": [],
            "after_start": [],
            "registration": {"steps": [], "units": [], "writes": []},
            "option_packages": {},
            "known_options": self.resolver.setting("cloud_known_options"),
            "controller": cloud["controllers"][0]["name"],
            "identity": self.identity(cloud),
            "rings": self.rings(cloud),
            "mask": self.unspoken(cloud),
            "ceph": self.ceph(cloud["ceph"]),
            "volume_groups": cloud["storage"]["volume_groups"],
        }
        controller = "controller" in groups
        faults = []
        for name, page in pages.items():
            present = page["state"] == "present"
            own = [layer[name] for _variable, layer in layers if layer.get(name)]
            host_files = catalogue.files(page, groups, cloud, own)
            units = catalogue.units(page, groups, host_files)
            if present:
                faults += self.options(part, page, host_files, layers)
                part["packages"] += [p for group in groups for p in page["packages"].get(group, [])]
                for file in host_files:
                    part["early" if file["early"] else "files"].append(file)
                for unit in units:
                    part["units"][unit["tier"]].append(unit)
            else:
                part["files"] += [{**file, "state": "absent"} for file in host_files if not file["keep"]]
                part["data"] += page["data"]
                for unit in units:
                    if not unit["keep"]:
                        part["removed"][unit["tier"]].append({**unit, "state": "stopped", "enabled": False})
            if present and page["registration"]:
                part["registration"]["steps"] += catalogue.steps(page, page["registration"]["steps"], cloud)
                part["registration"]["units"] += page["registration"].get("units", [])
                part["registration"]["writes"] += page["registration"].get("writes", [])
            if controller:
                part["operator"] += [
                    {**file, "state": page["state"]} for file in catalogue.files(page, {"operator"}, cloud, [])
                ]
                self.controller_verbs(part, name, page, cloud, {unit["name"]: unit["log"] for unit in units})
        if faults:
            raise AnsibleError("These options are wrong:\n" + "\n".join(faults))
        part["packages"] = sorted(set(part["packages"]))
        part["held"] = self.held(part["units"])
        part["verbs"] = self.asked(part, controller)
        for list_name in ("early", "files", "operator"):
            keys = ("path", "content", "mode", "owner", "group", "state", "block", "drop", "secret", "options_of")
            part[list_name] = [{key: file[key] for key in keys if key in file} for file in part[list_name]]
        for tiers in (part["units"], part["removed"]):
            for tier, found in tiers.items():
                tiers[tier] = [self.unit(unit) for unit in found]
        return part

    def identity(self, cloud):
        """Return the module C(identity)'s options, to which pages add."""
        return {
            "auth": {"url": cloud["keystone_url"], "password": cloud["secrets"]["admin"], "cafile": cloud["ca_file"]},
            "region": cloud["region"],
            "projects": [{"name": "service", "description": "Accounts of the services"}],
            "roles": ["service", "member", "reader"],
            "domains": [],
            "users": [],
            "services": [],
        }

    def asked(self, part, controller):
        """Return what the module C(due) is asked of this host."""
        modules = {"ovs_bridges": part["bridges"]} if part["bridges"]["bridges"] else {}
        if controller:
            modules |= {
                "databases": {"databases": part["databases"]},
                "message_users": part["message_users"],
                "schemas": {"schemas": part["schemas"]},
                "keystone_keys": {"repositories": part["keys"]},
                "identity": part["identity"],
            }
        asked = {name: {"module": name, "options": options} for name, options in modules.items()}
        if controller:
            for name, steps in (("registration", part["registration"]["steps"]), ("after_start", part["after_start"])):
                asked[name] = {"module": "schemas", "options": {"schemas": steps, "auth": part["identity"]["auth"]}}
        return asked

    def held(self, tiers):
        """Return the units that a boot has started before any run did: without what they need, they fail for ever."""
        booted = self.task_vars["cairn_probe"]["unconfigured_units"]
        later = [unit for tier in catalogue.TIERS[1:] for unit in tiers[tier]]
        return [{"name": unit["name"], "state": "stopped"} for unit in later if unit["name"] in booted]

    def rings(self, cloud):
        """Return which of Swift's rings the host gets; the first of the run, which asks for all, how they are made."""
        found, me = cloud["swift"], cloud["me"]
        if not found:
            return {}
        files = "controller" if "controller" in me["groups"] else "storage" if found["here"] else ""
        everyone = self.task_vars["ansible_play_hosts_all"]
        reached = [name for name in everyone if name not in self.left_out]
        if me["name"] != reached[0] or not set(reached) & set(found["members"]):
            return {"files": files}
        probes = {name: self.task_vars["hostvars"].raw_get(name).get("cairn_probe", {}) for name in reached}
        return {
            "files": files,
            "rings": found["rings"],
            "controller": swift.keeper(probes, [host["name"] for host in cloud["controllers"]]),
            "seen": swift.newest(probes, found["members"]),
            # Rings that only some hosts have would let objects be looked for where they are not.
            "change": set(found["members"]) <= set(everyone),
        }

    def ceph(self, ceph):
        """Return what the module ``ceph`` shall see to on this host, None where it has no part of a Ceph of ours."""
        if not ceph["member"]:
            return None
        return {
            "accounts": ceph["accounts"],
            "pools": ceph["pools_wanted"],
            "monitors": ceph["monitors_wanted"],
            "osds": [{key: device[key] for key in ("path", "size") if key in device} for device in ceph["devices"]],
        }

    def options(self, part, page, files, layers):
        """Return what is wrong with the options in *files* of *page*; *part* learns what its host shall confirm."""
        index, known = shipped(page["name"], self.resolver.index_directory), part["known_options"]
        # What others contribute is theirs, not the user's.
        theirs = [(f"catalog_{source}", {page["name"]: {name: added}}) for source, name, added in page["contributions"]]
        wrong, passing = options.judged(page, files, [*theirs, *layers], index, known)
        for says in passing:
            self._display.warning(says)
        for file in files if index else ():
            if options.is_judged(file) and options.sets_of(file["name"], index):
                file["options_of"] = {"service": page["name"], "file": file["name"]}
                part["option_packages"][page["name"]] = index["packages"]
        return wrong

    def unit(self, unit):
        """Return *unit* as the module ``units`` takes it."""
        return {key: value for key, value in unit.items() if key not in ("tier", "page", "keep")}

    def controller_verbs(self, part, name, page, cloud, logs):
        """Add what only controllers do for *page*: databases, accounts, schemas, endpoints, health.

        *logs* are those of its units.
        """
        values, state = cloud["secrets"], page["state"]
        part["databases"] += [
            {"name": database["name"], "user": name, "password": values[f"{name}_database"], "state": state}
            for database in page["databases"]
        ]
        if page["messaging"]:
            part["message_users"]["users"].append(
                {"name": name, "password": values[f"{name}_messaging"], "vhost": name, "state": state}
            )
        if catalogue.has_account(page):
            part["identity"]["users"].append(
                {
                    "name": name,
                    "password": values[f"{name}_identity"],
                    "project": "service",
                    "roles": page["identity"].get("roles", ["admin", "service"]),
                    "state": state,
                }
            )
        part["identity"]["users"] += [
            {
                "name": user["name"],
                "password": values[catalogue.secret_of(name, user["name"])],
                "domain": domain,
                "roles": user["roles"],
                "state": state,
            }
            for domain, user in catalogue.domain_users(page)
        ]
        if state == "present":
            domains = page["identity"].get("domains") or []
            part["identity"]["domains"] += [
                {key: one[key] for key in ("name", "description") if key in one} for one in domains
            ]
        part["identity"]["services"] += catalogue.identity_services(page, cloud)
        part["identity"]["roles"] += page["identity"].get("new_roles", [])
        if state == "absent":
            return
        part["schemas"] += catalogue.steps(page, page["schema"], cloud)
        part["after_start"] += catalogue.steps(page, page["after_start"], cloud)
        part["keys"] += page["keys"]
        part["checks"] += catalogue.checks(page, cloud, logs)
        part["health"] += [
            {
                "name": api["name"],
                "url": f"http://{cloud['bind']}:{api['port']}{api['health']}",
                "unit": unit,
                "log": logs.get(unit),
            }
            for api in page["apis"]
            for unit in [api.get("unit", api["name"])]
            if api.get("health")
        ]
