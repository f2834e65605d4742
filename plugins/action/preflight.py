# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Checks the input, then the hosts, and fails once with all errors."""

from __future__ import annotations

import contextlib
import functools
import os
import re
import time
from dataclasses import replace
from pathlib import Path

import yaml
from ansible import constants
from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase
from ansible_collections.cairn.openstack.plugins.plugin_utils.catalog import backends, definitions, sources, topology
from ansible_collections.cairn.openstack.plugins.plugin_utils.catalog.option_index import shipped
from ansible_collections.cairn.openstack.plugins.plugin_utils.catalog.resolver import Resolver
from ansible_collections.cairn.openstack.plugins.plugin_utils.catalog.sources import place, shortest
from ansible_collections.cairn.openstack.plugins.plugin_utils.control_node import authority, run_lock
from ansible_collections.cairn.openstack.plugins.plugin_utils.control_node.secrets import (
    SecretsDirectory,
    identity,
    read_given,
)
from ansible_collections.cairn.openstack.plugins.plugin_utils.preflight import (
    ansible_options,
    definition_checks,
    definition_spec,
    hosts,
    inventory,
    inventory_files,
    networks,
    secrets,
    settings,
    storage,
    users,
)
from ansible_collections.cairn.openstack.plugins.plugin_utils.preflight.finding import Finding, merged, report
from ansible_collections.cairn.openstack.plugins.plugin_utils.preflight.value_types import is_template

# Known only after the host was probed: templates with these are tried later.
LATE = re.compile(r"\b(cairn_probe|ansible_facts|ansible_local)\b")
# The keys of a definition that the checks of hosts need.
TAKES = ("packages", "units")
# Before the end of a certificate that the user provides.
WARNING_DAYS = 30


def plain(value):
    """Whether *value* needs neither templating nor decryption."""
    if isinstance(value, dict):
        return all(map(plain, value.values()))
    if isinstance(value, list):
        return all(map(plain, value))
    return value is None or (isinstance(value, (str, int, float)) and not is_template(value))


def is_late(value):
    """Whether *value* has a template that needs facts of a host."""
    try:
        return bool(LATE.search(str(value)))
    except AnsibleError:  # encrypted with another password
        return False


class ActionModule(ActionBase):
    """Runs on the control node only."""

    TRANSFERS_FILES = False
    _VALID_ARGS = frozenset({"stage"})

    def run(self, tmp=None, task_vars=None):
        """Run the checks of the stage, show warnings, and fail if there are errors."""
        result = super().run(tmp, task_vars)
        self.task_vars = task_vars
        self.groups = task_vars["groups"]
        self.everyone = self.groups["all"]
        self.skipped, self.raws, self.common = {}, {}, {}
        self.locked, self.secrets_dir = "", ""
        self.written = sources.shipped()
        found = merged(getattr(self, f"stage_{self._task.args['stage']}")(), self.members() or self.everyone)
        for finding in found:
            if finding.severity == "warning":
                # Where successful tasks are not displayed, Ansible would not display their warnings either.
                self._display.display(f"[WARNING]: {finding}", color=constants.COLOR_WARN, stderr=True)
        if findings := [finding for finding in found if finding.severity == "error"]:
            result.update(failed=True, msg=report(findings), errors=len(findings))
            # Where the callback records the refused run.
            if self.secrets_dir and not self._task.check_mode:
                result["lock_directory"] = self.secrets_dir
        elif self._task.args["stage"] == "hosts":
            result["ansible_facts"] = {"cairn_skipped": self.skipped}
        elif self.locked:
            result["lock_directory"] = self.locked
        return result

    def raw(self, name):
        """Return the untemplated variables of the host *name*."""
        if name not in self.raws:
            self.raws[name] = self.task_vars["hostvars"].raw_get(name)
        return self.raws[name]

    def members(self):
        """Return the names of the cloud's hosts, the controllers first."""
        return list(dict.fromkeys(name for group in topology.NODE_GROUPS for name in self.groups.get(group, [])))

    # Checks of the input

    def specs(self):
        """Return role → the options of its argument spec."""
        found = {}
        for path in sorted(sources.ROLES.glob("*/meta/argument_specs.yml")):
            entries = sources.load(path)["argument_specs"].values()
            found[path.parts[-3]] = {name: spec for entry in entries for name, spec in entry.get("options", {}).items()}
        return found

    def settings_of(self, name, defaults, prefixes):
        """Return the settings of the host *name*: the defaults, overridden by the user's."""
        raw = self.raw(name)
        mine = {key: place(key, value) or f"host {name}" for key, value in raw.items() if key.startswith(prefixes)}
        found = settings.Settings(name, {}, mine)
        variables = {**defaults, **raw, "hostvars": self.task_vars["hostvars"]}
        templar = self._templar.copy_with_new_env(available_variables=variables)
        # Settings of the whole cloud have the same values on nearly all hosts: they are templated once.
        wide = (raw.get("inventory_dir"), *(id(raw[key]) for key in settings.CLOUD_WIDE if key in raw))
        for key in dict.fromkeys([*defaults, *mine]):
            if key.startswith("catalog") and key != "catalog_dir":
                continue
            try:
                if key in settings.CLOUD_WIDE and key not in mine:
                    if (key, wide) not in self.common:
                        self.common[key, wide] = templar.template(variables[key])
                    found.values[key] = self.common[key, wide]
                else:
                    value = variables[key]
                    found.values[key] = value if plain(value) else templar.template(value)
            except AnsibleError as error:
                # A default that fails has a cause that is reported separately; the defaults of other roles are not
                # known here.
                own = key.startswith(("cloud_", "storage_", "catalog_"))
                if key in mine and own and not is_late(variables[key]):
                    found.errors[key] = " ".join(str(error).split())
        return found

    def resolver(self, name, one, playing=(), held=None):
        """Return the resolver of the definitions for the host *name*.

        :param one: its settings.
        :param playing: the reachable hosts of this run.
        :param held: the existing secrets.
        """
        variables = {
            **sources.settings(),
            **self.written,
            **{key: value for key, value in self.raw(name).items() if not key.startswith("cloud_")},
            **one.values,
            "groups": self.groups,
            "hostvars": self.task_vars["hostvars"],
        }
        return Resolver(name, variables, self._templar, self._loader, playing, secrets=held)

    def checked_definitions(self, one, failing):
        """Return all definitions as resolved for the host with the settings *one*, and the findings about them.

        :param failing: whether a template of the settings fails, which is reported and on which definitions may depend.
        """
        name = one.host
        if failing or name not in self.members():
            return definitions.load(self.written, {}), []
        raw, resolver = self.raw(name), self.resolver(name, one)
        own = {key: raw[key] for key in self.written if key in raw}
        found = list(self.own_files(resolver))
        try:
            extra = raw.get("catalog_extra") or {}
            extra = resolver.template(extra) if is_template(extra) else extra
        except AnsibleError as error:
            extra, remedy = {}, "Correct the template."
            found.append(Finding(self.extra_place(raw), str(error), "a dictionary of definitions", remedy))
        else:
            found += definition_checks.own(self.extra_place(raw), extra)
        for key, definition in own.items():
            found += definition_spec.findings(key.removeprefix("catalog_"), definition)
        if found:
            return definitions.load(self.written, {}), found
        try:
            every = resolver.definitions
        except AnsibleError as error:
            remedy = "Correct the service definition."
            return definitions.load(self.written, {}), [Finding("catalog", " ".join(str(error).split()), "", remedy)]
        found += definition_checks.targets(every)
        found += definition_checks.services(one, every)
        with contextlib.suppress(AnsibleError, KeyError, TypeError, ValueError):
            # Errors of the storage settings are reported by their own checks.
            templar = resolver.with_cloud(resolver.planned())
            for definition in every.values():
                # A condition that needs facts of hosts is assumed to be true.
                with contextlib.suppress(AnsibleError):
                    definition["when"] = templar.template(definition["when"])
        present = {
            key: definition
            for key, definition in every.items()
            if definition["state"] == "present" and definition["when"] is not False
        }
        node_groups = [
            {group for group in topology.NODE_GROUPS if member in self.groups.get(group, [])}
            for member in self.members()
        ]
        found += definition_checks.units(present, node_groups)
        return every, [*found, *definition_checks.clashes(present, node_groups)]

    def own_files(self, resolver):
        """Check the files of the user's definitions."""
        directory = str(resolver.template(resolver.variables.get("catalog_dir") or ""))
        if not os.path.isdir(directory):
            if directory and "catalog_dir" in (raw := self.raw(resolver.name)):
                where = next((place(key, raw[key]) for key in raw if key == "catalog_dir"), "")
                where = ", ".join(filter(None, (where, "catalog_dir")))
                yield Finding(where, f"no directory {shortest(directory)}", "a directory of definitions", "Correct it.")
            return
        for name, path in sources.files(directory).items():
            where = shortest(str(path))
            if path.suffix == ".yml" and path.with_suffix(".yaml").exists():
                yield Finding(where, f"{name}.yaml beside it", "one file for each definition", "Remove one of them.")
            try:
                found = sources.load(path)
            except (OSError, yaml.YAMLError) as error:
                yield Finding(where, " ".join(str(error).split()), "YAML", "Correct the file.")
                continue
            for finding in definition_spec.findings(name, found):
                yield replace(finding, where=f"{where}: {finding.where}")

    def extra_place(self, raw):
        """Return the place of catalog_extra."""
        where = next((place(key, raw[key]) for key in raw if key == "catalog_extra"), "")
        return ", ".join(filter(None, (where, "catalog_extra")))

    def stage_input(self):
        """Check the input without contacting a host."""
        given = self.task_vars.get("ansible_inventory_sources") or []
        options = list(self.ansible_options())
        if found := list(inventory_files.findings(given, self.parsed_sources(), self._loader)):
            return options + found  # All others may be consequences: hosts and settings are missing.
        specs = self.specs()
        defaults = sources.settings()
        prefixes = (*(f"{role}_" for role in specs), "catalog", *settings.OTHERS)
        every = {name: self.settings_of(name, defaults, prefixes) for name in self.everyone}
        members = [every[name] for name in self.members()] or list(every.values())
        found = topology.topology(self.groups, {name: one.values for name, one in every.items()})
        inventories = ", ".join(map(shortest, given))
        for name, host in found.items():
            places = every[name].places
            if "cloud_address" in every[name].errors:
                host["address"] = ""
            host["where"] = places.get("cloud_address") or self.address_place(name) or inventories
        findings = options + list(inventory.findings(self.groups, found, inventories or "the inventory"))
        failing = any(one.errors for one in members)
        definitions, wrong = self.checked_definitions(members[0], failing) if members else ({}, [])
        known = backends.kinds(definitions)
        specs = storage.with_kinds(specs, known)
        findings += settings.findings(members, specs, [key.removeprefix("catalog_") for key in self.written])
        for one in every.values():
            if one not in members:
                findings += settings.unknown(one, specs, [key.removeprefix("catalog_") for key in self.written])
        findings += networks.findings(members, found)
        findings += storage.findings(members, specs, found, known)
        if members:
            # One of a cloud that exists; a refused run creates nothing.
            directory = os.path.abspath(str(members[0].values.get("cloud_secrets_dir") or ""))
            self.secrets_dir = (
                directory if "cloud_secrets_dir" in members[0].values and os.path.isdir(directory) else ""
            )
            findings += storage.removed(members[0], definitions)
            findings += storage.shared(members[0], definitions, found, known)
            findings += users.findings(members[0], definitions)
        if members:
            findings += wrong
            if self.members() and not failing:
                findings += self.written_options(members, definitions)
            findings += self.written_secrets(members[0])
        if not any(finding.severity == "error" for finding in findings) and members:
            findings += self.alone(members[0])
        return findings

    def ansible_options(self):
        """Check the tags and Ansible's configuration."""
        wanted, skipped = (self.task_vars.get(f"ansible_{kind}_tags") or () for kind in ("run", "skip"))
        yield from ansible_options.tags(wanted, skipped)
        yield from ansible_options.configuration(
            shortest(constants.CONFIG_FILE) if constants.CONFIG_FILE else "",
            constants.DEFAULT_STRATEGY,
            constants.INJECT_FACTS_AS_VARS,
            constants.DEFAULT_HASH_BEHAVIOUR,
        )

    def parsed_sources(self):
        """Return the inventory files that Ansible has parsed."""
        # Ansible has no public way to ask.
        return self.task_vars["hostvars"]._inventory._inventory.processed_sources

    def address_place(self, name):
        """Return the place of the host's address."""
        raw = self.raw(name)
        return next((place(key, raw[key]) for key in raw if key == "ansible_host"), "")

    def written_options(self, members, every):
        """Check the user's options."""
        findings, seen = [], {}
        index_of = functools.partial(shipped, own=self.resolver(members[0].host, members[0]).index_directory)
        for one in members:
            layers = definitions.overrides(one.values)
            for layer, _value in layers:
                findings += definition_checks.options(one, layer, every)
            # Nearly all hosts have the same options: they are checked once.
            if str(layers) not in seen:
                where = functools.partial(self.written_at, one.host)
                seen[str(layers)] = list(definition_checks.checked(one, every, index_of, where))
            findings += [replace(finding, hosts=(one.host,)) for finding in seen[str(layers)]]
        return findings

    def written_at(self, name, variable, keys):
        """Return the place of the value at *keys* in the *variable* of the host *name*."""
        value, found = self.raw(name).get(variable), ""
        for following in keys:
            if not isinstance(value, dict):
                break
            key = next((each for each in value if each in (following, f"{following}[]")), None)
            if key is None:
                break
            value = value[key]
            found = place(key, value) or found
        return found

    def written_secrets(self, cloud):
        """Check the secrets directory and the user's certificates."""
        path = str(cloud.values.get("cloud_secrets_dir") or "")
        findings = list(self.given_certificates(cloud))
        if not settings.RULES["cloud_secrets_dir"].fits(path):
            return findings
        directory, files, errors = SecretsDirectory(path, self._loader), {}, {}
        if os.path.exists(path):
            if not os.path.isdir(path) or not os.access(path, os.R_OK | os.X_OK):
                errors[""] = "not a directory" if not os.path.isdir(path) else "not readable"
        else:
            parent = next(parent for parent in Path(path).parents if parent.exists())
            if not os.access(parent, os.W_OK | os.X_OK):
                errors[""] = f"it does not exist, and {parent} is not writable"
        for name in secrets.FILES if not errors else ():
            try:
                if os.path.exists(os.path.join(path, name)):
                    files[name] = None
                    files[name] = directory.read(name)
            except (OSError, AnsibleError, UnicodeDecodeError) as error:
                errors[name] = " ".join(str(error).split())
        findings += secrets.findings(shortest(path), files, errors)
        findings += self.own_authority(cloud, path, files)
        if files.get(secrets.SECRETS) is not None:
            try:
                held = yaml.safe_load(files[secrets.SECRETS]) or {}
            except yaml.YAMLError:
                held = None
            findings += secrets.values(shortest(path), held)
        return findings

    def given_texts(self, cloud, names, allowed):
        """Read the files that the settings *names* give together; returns their texts by name, and findings."""
        paths = {name: cloud.values.get(name) for name in names}
        texts, findings = {}, []
        for name, path in paths.items() if any(paths.values()) else ():
            if not path:
                given = ", ".join(other for other in names if paths[other])
                findings.append(cloud.finding(name, f"not set, but {given} is", allowed, f"Set {name} too."))
                continue
            try:
                texts[name] = read_given(path, self._loader)
            except (OSError, AnsibleError, UnicodeDecodeError) as error:
                remedy = "Correct the path or the file's mode."
                findings.append(cloud.finding(name, str(error), "a PEM file on the control node", remedy))
        return texts, findings

    def own_authority(self, cloud, path, files):
        """Check the authority that issues the hosts' certificates: the user's, and the one in use.

        :param path: the secrets directory.
        :param files: name → text of the files in it.
        """
        names, used = ("cloud_ca_certificate", "cloud_ca_key"), files.get("ca.crt")
        texts, findings = self.given_texts(cloud, names, "both of them, or none")
        yield from findings
        if authority.MISSING:
            return
        if len(texts) == len(names):
            if why := authority.authority_error(*(texts[name] for name in names)):
                allowed = "an authority followed by those above it up to the root, and its key"
                remedy = "Use other files; or remove both settings to use the cloud's own authority."
                yield cloud.finding(names[0], f"it {why}", allowed, remedy)
                return
            with contextlib.suppress(ValueError):
                if used and authority.root_of(used) != authority.root_of(texts[names[0]]):
                    remedy = "Have the new authority signed by that root. Another root is possible only in a new cloud."
                    found = "its root is not the one that the cloud's hosts trust"
                    yield cloud.finding(names[0], found, f"the root in {shortest(path)}/ca.crt", remedy)
                    return
            used = texts[names[0]]
        with contextlib.suppress(ValueError):
            if used and (finding := self.authority_end(path, used, files.get("root.key"), bool(texts))):
                yield finding

    @staticmethod
    def authority_end(path, used, root_key, given):
        """Return a finding if the authority expires before the certificates that it issues, and no run renews it.

        :param used: its certificate and those above it.
        :param root_key: the key of the cloud's own root, if it is there.
        :param given: whether the authority is the user's.
        """
        left = authority.days_left(used)
        renewed = not given and authority.renewable(used) and authority.belongs(root_key or "", authority.root_of(used))
        if left >= authority.CA_RENEW_DAYS or renewed:
            return None
        where = shortest(path)
        if given:
            remedy = "Have a new one signed by its root, and set cloud_ca_certificate and cloud_ca_key."
        elif authority.single(used):
            remedy = (
                f"It has no root, so hosts trust no new one beforehand: remove ca.crt and ca.key from {where}, and "
                "run site.yml on all hosts; until that ends they do not trust each other."
            )
        else:
            remedy = (
                f"Put the key of its root, root.key, into {where}: the run renews the authority. If the root is yours, "
                "set cloud_ca_certificate and cloud_ca_key to a new authority signed by it."
            )
        severity = "warning" if left >= authority.RENEW_DAYS else "error"
        found, allowed = f"the authority expires in {left} days", "no less than the certificates that it issues"
        return Finding(f"{where}/ca.crt", found, allowed, remedy, severity)

    def given_certificates(self, cloud):
        """Check the certificate that the user provides instead of the cloud's own."""
        names = ("cloud_tls_certificate", "cloud_tls_key", "cloud_tls_ca")
        if not cloud.flag("cloud_tls"):
            return
        texts, findings = self.given_texts(cloud, names, "all three of them, or none")
        yield from findings
        if len(texts) == len(names) and not authority.MISSING:
            wanted = list(dict.fromkeys(str(cloud.values[f"cloud_{kind}_name"]) for kind in ("internal", "public")))
            if why := authority.given_error(*(texts[name] for name in names), wanted):
                allowed = f"a certificate for {', '.join(wanted)}, with its key and its authority"
                yield cloud.finding(
                    names[0],
                    f"it {why}",
                    allowed,
                    "Use another certificate; or remove the three settings to use the cloud's own.",
                )
            elif (left := authority.days_left(texts[names[0]])) < WARNING_DAYS:
                remedy = "Have it renewed, and run site.yml again; clients refuse the cloud when it has expired."
                yield cloud.finding(names[0], f"it expires in {left} days", "a valid one", remedy, "warning")

    def alone(self, cloud):
        """Acquire the lock; in check mode only report its holder."""
        path = str(cloud.values["cloud_secrets_dir"])
        where, allowed, remedy = (
            f"{shortest(path)}/{run_lock.FILE}",
            "one run at a time",
            "Wait for the run to end, or stop it.",
        )
        if self._task.check_mode:
            if holder := run_lock.held(path):
                yield Finding(where, holder, allowed, remedy, "warning")
            return
        try:
            # Tasks run in child processes of Ansible.
            if holder := run_lock.take(path, os.getppid()):
                yield Finding(where, holder, allowed, remedy)
            else:
                self.locked = os.path.abspath(path)
        except OSError as error:
            yield Finding(where, str(error), "a writable directory", "Correct its owner and mode, or the path.")

    # Checks of the hosts

    def stage_hosts(self):
        """Check the results of the probe."""
        facts, away, broken = {}, {}, {}
        for name in self.task_vars["ansible_play_hosts_all"]:
            raw = self.raw(name)
            probe = raw.get("preflight_probe", {})
            if probe.get("unreachable"):
                away[name] = " ".join(str(probe.get("msg")).split())
            elif "ansible_facts" not in probe:
                said = probe.get("module_stderr") or probe.get("msg") or "no answer"
                broken[name] = " ".join(str(said).split())
            else:
                facts[name] = raw["cairn_probe"]
        limited = "ansible_limit" in self.task_vars
        new = not any(facts[name]["cloud"] for name in self.groups.get("controller", []) if name in facts)
        findings = list(hosts.unreachable(away, broken, self.groups, limited, new))
        if away and not facts and not broken:
            remedy = "Check the network and the ssh settings: ansible -m ping all."
            findings.append(Finding("the run", "none of its hosts is reachable", "at least one", remedy))
        self.skipped = away
        findings += self.found_hosts(facts)
        return findings

    def found_hosts(self, facts):
        """Check the reachable hosts."""
        defaults = sources.settings()
        members = {name: self.settings_of(name, defaults, ("cloud_", "storage_", "catalog_")) for name in facts}
        addresses = topology.topology(
            self.groups, {name: {} for name in self.members()} | {n: s.values for n, s in members.items()}
        )
        findings, reached, units, held = [], [], set(), {}
        for name, one in members.items():
            if not reached:
                held = SecretsDirectory(str(one.values["cloud_secrets_dir"]), self._loader).values()
                mine = identity(held["cloud"]) if "cloud" in held else ""
            resolver = self.resolver(name, one, list(facts), held)
            units |= {hosts.stem(unit["name"]) for definition in resolver.here.values() for unit in definition["units"]}
            waited = time.time() - facts[name]["time"] + (facts[name]["clock_offset"] or 0)
            host = hosts.Host(
                name, addresses[name]["address"], resolver.groups, facts[name], one, waited=waited, cloud=mine
            )
            try:
                model = resolver.resolve(facts[name], TAKES)
            except AnsibleError as error:
                said = " ".join(str(error).split())
                findings.append(host.finding(said, "definitions valid for the host", "Correct the definition."))
            except ValueError:
                pass  # Its interfaces differ from the settings, which is reported separately.
            else:
                host.definitions, host.ports, host.apis = model.definitions, model.cloud["ports"], model.cloud["apis"]
                host.backends, host.kinds = model.cloud["storage"]["backends"], backends.kinds(resolver.definitions)
                units |= {
                    hosts.stem(unit["name"]) for definition in host.definitions.values() for unit in definition["units"]
                }
            reached.append(host)
        for host in reached:
            findings += hosts.findings(host, units)
        findings += hosts.copies(reached)
        findings += hosts.own_addresses(reached, set(addresses) - set(facts))
        for one in list(members.values())[:1]:
            clouds = {name: found["cloud"] for name, found in facts.items() if found["cloud"]}
            where = f"catalog_dir ({shortest(str(resolver.template(resolver.variables['catalog_dir'])))})"
            every = resolver.definitions
            optional = [name for name, one in every.items() if one["optional"] and one["state"] == "absent"]
            findings += secrets.forgotten(where, every, optional, clouds)
            findings += secrets.operator(shortest(str(one.values["cloud_secrets_dir"])), mine, held, clouds)
        return findings

    # End of the run

    def stage_end(self):
        """Report the skipped hosts."""
        for name, why in self.task_vars["cairn_skipped"].items():
            remedy = f"When it is reachable: --limit {name}. Until then the exit code of a run is not 0."
            yield Finding(
                f"host {name}", f"skipped: {why.removeprefix('Task failed: ')}", "the whole cloud", remedy, "warning"
            )
