# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Computes how many servers fit, and shows and saves the numbers. Runs on the control node."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.cairn.openstack.plugins.filter.resources import resources
from ansible_collections.cairn.openstack.plugins.plugin_utils.capacity import compute, gather, report
from ansible_collections.cairn.openstack.plugins.plugin_utils.capacity.model import Flavor
from ansible_collections.cairn.openstack.plugins.plugin_utils.catalog import sources

SPEC = {
    "cloud": {"type": "str", "required": True},
    "found": {"type": "dict", "default": {}},
    "plans": {"type": "list", "elements": "dict", "required": True},
    "members": {"type": "list", "elements": "str", "default": []},
    "unreachable": {"type": "list", "elements": "str", "default": []},
    "flavors": {"type": "list", "elements": "dict", "default": []},
    "flavor": {"type": "str", "default": ""},
    "servers": {"type": "int", "default": 0},
    "floating_ips": {"type": "int", "default": 0},
    "from_volume": {"type": "bool", "default": False},
    "volume_gb": {"type": "int", "default": 0},
    "backend": {"type": "str", "default": ""},
    "bandwidth": {"type": "int", "default": 0},
    "json": {"type": "path"},
}
# What a flavor must say, unless the cloud has one of its name.
NEEDED = ("vcpus", "ram")
# The flavor of the servers in question if none is given.
USUAL = "m1.small"

# Argument → setting, and numbers of a flavor → the least.
NUMBERS = {
    "servers": "capacity_servers",
    "floating_ips": "capacity_floating_ips",
    "volume_gb": "capacity_volume_gb",
    "bandwidth": "capacity_bandwidth_mbit",
}
LEAST = {"vcpus": 1, "ram": 1, "disk": 0, "ephemeral": 0, "swap": 0}

display = Display()


def refused(setting, found, allowed):
    """Return the error of a setting that has another value than allowed."""
    return AnsibleActionFail(f"{setting}: found {found!r}, allowed: {allowed}")


def checked(args):
    """Check the values that a specification of arguments cannot.

    :raises AnsibleActionFail: a number is negative, or there is a back end of volumes and no volume.
    """
    for name, setting in NUMBERS.items():
        if args[name] < 0:
            raise refused(setting, args[name], "0 or more")
    if args["backend"] and not args["volume_gb"] and not args["from_volume"]:
        allowed = "only with capacity_volume_gb of 1 or more, or with capacity_boot_from_volume: true"
        raise refused("capacity_volume_backend", args["backend"], allowed)


def with_root_disk(flavor, wanted):
    """Check that servers that start from a volume have one.

    :raises AnsibleActionFail: the volume has neither a size of its own nor that of the flavor's disk.
    """
    if wanted.from_volume and not wanted.volume_of(flavor):
        raise refused("capacity_volume_gb", 0, f"1 or more, as the flavor {flavor.name} has no disk")


def sized(given):
    """Return a flavor of the settings with its numbers as numbers.

    :raises AnsibleActionFail: a value is none that a flavor can have.
    """
    where = f"capacity_flavors, {given.get('name') or 'a flavor without a name'}"
    if not isinstance(given.get("name", ""), str):
        raise refused("capacity_flavors, name", given["name"], "text")
    numbers = {}
    for name, least in LEAST.items():
        if name not in given:
            continue
        # Templates may return the number as text.
        number = int(given[name]) if re.fullmatch(r"-?\d+", str(given[name])) else None
        if number is None or number < least:
            raise refused(f"{where}, {name}", given[name], f"a whole number, {least} or more")
        numbers[name] = number
    if not isinstance(given.get("extra_specs") or {}, Mapping):
        raise refused(f"{where}, extra_specs", given["extra_specs"], "a dictionary")
    return {**given, **numbers}


class ActionModule(ActionBase):
    """Shows a table, and writes JSON."""

    TRANSFERS_FILES = False

    def run(self, tmp=None, task_vars=None):
        """Return all numbers."""
        result = super().run(tmp, task_vars)
        args = self.validate_argument_spec(SPEC)[1]
        checked(args)
        cloud = self.cloud(args, task_vars)
        wanted = compute.Wanted(
            args["volume_gb"], args["from_volume"], args["backend"], args["floating_ips"], args["bandwidth"]
        )
        if args["backend"] and args["backend"] not in (known := {one.backend for one in cloud.pools}):
            raise refused("capacity_volume_backend", args["backend"], f"one of {', '.join(sorted(known)) or 'none'}")
        losses = compute.lose_each(cloud)
        flavors = [self.flavor(one, args) for one in self.listed(cloud, args["flavors"])]
        fits = [compute.fit(cloud, flavor, losses) for flavor in flavors]
        answer = None
        if args["servers"] and (asked := self.asked(cloud, args)):
            asked = self.flavor(asked, args)
            with_root_disk(asked, wanted)
            answer = compute.needs(cloud, compute.fit(cloud, asked, losses), args["servers"], wanted)
        for line, colour in report.lines(cloud, fits, answer, wanted):
            display.display(line, color=colour)
        numbers = compute.as_json(cloud, fits, answer)
        if args["json"]:
            os.makedirs(os.path.dirname(os.path.abspath(args["json"])), mode=0o700, exist_ok=True)
            with open(args["json"], "w", encoding="utf-8") as file:
                json.dump(numbers, file, indent=2)
                file.write("\n")
        return {**result, "capacity": numbers}

    def cloud(self, args, task_vars):
        """Return the model of the running cloud, or of the planned one."""
        found = args["found"]
        plans = [one["plan"] for one in args["plans"]]
        if found.get("found"):
            return gather.running(args["cloud"], found["facts"], plans, args["unreachable"])
        controllers = task_vars["groups"].get("controller", [])
        why = gather.why_not_read(found, args["members"], controllers, args["unreachable"])
        declared = resources(
            {"flavors": self.setting("flavors", task_vars), "networks": self.setting("networks", task_vars)},
            {
                kind: entries
                for kind, entries in (self._templar.template(task_vars.get("cloud_resources")) or {}).items()
                if kind in ("flavors", "networks")
            },
        )
        return gather.planned(args["cloud"], plans, declared["flavors"], declared["networks"], why, args["unreachable"])

    def setting(self, kind, task_vars):
        """Return a list of the role resources: as it is set, or its default."""
        name = f"resources_{kind}"
        default = sources.load(sources.ROLES / "resources/defaults/main.yml")[name]
        return self._templar.template(task_vars.get(name, sources.trusted(default)))

    @staticmethod
    def listed(cloud, given):
        """Return the flavors to count: those *given*, or all.

        :raises AnsibleActionFail: a flavor does not say what it claims, and there is none of its name.
        """
        known = {one["name"]: one for one in cloud.flavors}
        if not given:
            return list(known.values())
        found = []
        for one in map(sized, given):
            whole = {**known.get(one.get("name"), {}), **one}
            if missing := [key for key in ("name", *NEEDED) if key not in whole]:
                raise AnsibleActionFail(
                    f"capacity_flavors: {one} lacks {', '.join(missing)}, and the cloud has no flavor of that name; "
                    f"it has {', '.join(known) or 'none'}"
                )
            found.append(whole)
        return found

    @classmethod
    def asked(cls, cloud, args):
        """Return the flavor of the servers in question; None if there is no flavor at all.

        Without a name it is the first of those given to count.

        :raises AnsibleActionFail: there is none of the given name.
        """
        every = {one["name"]: one for one in [*cloud.flavors, *cls.listed(cloud, args["flavors"])]}
        if args["flavor"] and args["flavor"] not in every:
            raise refused("capacity_servers_flavor", args["flavor"], f"one of {', '.join(every) or 'none'}")
        first = args["flavors"][0]["name"] if args["flavors"] else USUAL
        return every.get(args["flavor"] or first) or next(iter(every.values()), None)

    @staticmethod
    def flavor(given, args):
        """Return what a server of a flavor claims."""
        try:
            return Flavor.of(given, args["from_volume"], args["bandwidth"])
        except ValueError as error:
            raise refused(f"extra_specs of the flavor {given['name']}", str(error), "values that Nova reads") from error
