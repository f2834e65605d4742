#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: units
short_description: Enable and start systemd units, and restart them when the files that they read have changed
version_added: 0.1.0
description:
  - Enables and starts (or stops and disables) units. Finds stale units, whose running invocation has read older files
    or runs older packages than those installed, by a digest of both, or whose runtime state was changed by others.
  - A stale unit is restarted if O(restart) is true, and otherwise returned in RV(restart_required).
author: The Cairn authors (@cairn)
options:
  units:
    description: The units, in the order of their start.
    type: list
    elements: dict
    required: true
    suboptions: &unit
      name:
        description: Name of the unit.
        type: str
        required: true
      state:
        description:
          - Whether it should run. V(any) leaves that unchanged, and restarts nothing.
          - V(kept) is for a unit that another program starts and stops. Where it runs, it restarts or reloads as one
            that is V(started); where it is stopped, nothing is done.
        type: str
        choices: [started, stopped, any, kept]
        default: started
      enabled:
        description: Whether it starts at boot; left unchanged if not given.
        type: bool
      watches:
        description: Files, directories or patterns that it reads at its start.
        type: list
        elements: str
        default: []
      packages:
        description: Packages that it runs.
        type: list
        elements: str
        default: []
      state_commands:
        description:
          - Commands that print what the unit has configured, for example in the kernel. If the output differs from that
            after the unit's start, the unit is stale. After its start they must succeed.
        type: list
        elements: str
        default: []
      expected_values:
        description:
          - Values that the unit must have configured. With a different value it is stale, and if a restart does not
            change that, the module fails.
        type: list
        elements: dict
        default: []
        suboptions:
          command:
            description:
              - Command that prints a line C(NAME = VALUE) for each value. A colon or a tab may replace the sign.
            type: str
            required: true
          values:
            description: Names and expected values.
            type: dict
            required: true
          optional:
            description: Do not compare a name that the command does not print, such as one that the kernel lacks.
            type: bool
            default: false
          at_least:
            description: Accept larger numbers.
            type: bool
            default: false
          explained:
            description: Compare only values for whose difference O(units[].expected_values[].explain) finds a cause.
            type: bool
            default: false
          explain:
            description: Command whose output names the cause of a different value, in lines that contain its name.
            type: str
          set_with:
            description:
              - Command that sets a value in the running unit instead of a restart. C(NAME) and C(VALUE) in it stand for
                both.
              - Not used for a unit that the same call restarts, or that hangs, as a restart sets all values.
            type: str
      service_user:
        description:
          - Keystone user, in the default domain, that the service authenticates as when it validates tokens. If the
            user was deleted and created again, the unit is stale, as it rejects clients until its old token expires.
            Detected only on hosts with Keystone's database.
        type: str
      reload:
        description: Whether a reload is sufficient instead of a restart.
        type: bool
        default: false
      restart_for:
        description: Files, and packages as C(package NAME), whose changes need a restart in spite of O(units[].reload).
        type: list
        elements: str
        default: []
      reload_for:
        description:
          - Files whose changes a reload applies, which interrupts nothing, such as certificates. Other changes need
            what O(units[].reload) says.
        type: list
        elements: str
        default: []
      restart_anytime:
        description: Restart the unit without waiting for O(restart), as that interrupts no service.
        type: bool
        default: false
      restart_anytime_if:
        description: Commands. If all of them exit with 0, the unit is treated as with O(units[].restart_anytime).
        type: list
        elements: str
        default: []
      restart_when:
        description:
          - Conditions for a restart, so that its service continues elsewhere meanwhile. A URL must respond, a command
            must exit with 0.
          - Ignored for a unit that has not yet run with a configuration of this collection.
        type: list
        elements: str
        default: []
      restart_with:
        description: A command that restarts the unit, instead of C(systemctl restart).
        type: str
      log:
        description: Its log file, shown if it does not start.
        type: path
  then:
    description: Units that are handled after all of O(units).
    type: list
    elements: dict
    default: []
    suboptions: *unit
  restart:
    description: Restart stale units instead of returning them.
    type: bool
    default: false
  restart_timeout:
    description: Seconds to wait for O(units[].restart_when); V(0) ignores these conditions.
    type: int
    default: 600
  outdated:
    description:
      - Running units that have read what this run changed elsewhere, such as in a database, with the cause. They are
        stale until they are started again.
    type: dict
    default: {}
  will_change:
    description:
      - In check mode, the files that the run would write (path to fingerprint, as returned by
        M(cairn.openstack.config_files)), to predict the restarts that they cause.
    type: dict
    default: {}
  will_stop:
    description: In check mode, the names of running units that the run would have stopped by now.
    type: list
    elements: str
    default: []
  will_start:
    description: In check mode, the names of units that the run would have started by now.
    type: list
    elements: str
    default: []
attributes:
  check_mode:
    description: Can run in check mode and report what it would change.
    support: full
  diff_mode:
    description: Returns a diff of the changes.
    support: full
"""

EXAMPLES = r"""
- name: Start Glance's API
  cairn.openstack.units:
    units:
      - name: glance-api.service
        enabled: true
        watches: [/etc/glance/glance-api.conf]
        packages: [glance-api]
    restart: true
"""

RETURN = r"""
changes:
  description: Actions on units, in this order.
  type: list
  elements: dict
  returned: always
  contains:
    kind: {description: Kind of object., type: str, returned: always}
    verb: {description: "The action, as a verb in its base form.", type: str, returned: always}
    name: {description: Name of the object., type: str, returned: always}
    detail: {description: "What changed, or why; may be empty.", type: str, returned: always}
  sample: [{kind: unit, verb: restart, name: glance-api, detail: /etc/glance/glance-api.conf}]
restart_required:
  description: Units that require a restart, with the causes.
  type: list
  elements: dict
  returned: always
  sample: [{name: glance-api.service, why: [/etc/glance/glance-api.conf]}]
"""

import shlex

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.cairn.openstack.plugins.module_utils.common import host_lock
from ansible_collections.cairn.openstack.plugins.module_utils.common.changes import listed, returned
from ansible_collections.cairn.openstack.plugins.module_utils.control_plane.user_ids import user_ids
from ansible_collections.cairn.openstack.plugins.module_utils.host import units as u

# Seconds for a unit to start, including restarts by systemd after failures.
PATIENCE = 60
# Seconds for a unit to configure everything after its start.
EFFECT_PATIENCE = 10
SHOWN_CAUSES = 5


def batches(due: list[u.Action]) -> list[u.Action]:
    """Return the verbs of *due*, and at the end one by one the restarts with a condition or an own command.

    So a condition that does not hold keeps nothing else from being done. Kept units come apart from others.
    """
    found, last = [], []
    for verb, names in due:
        alone = [unit for unit in names if verb == "restart" and u.restarts_alone(unit)]
        for kept in (False, True):
            together = [unit for unit in names if unit not in alone and unit.kept == kept]
            found += [(verb, together)] if together else []
        last += [(verb, [unit]) for unit in alone]
    return found + last


def changes_of(due: list[u.Action]) -> list[dict[str, str]]:
    """Return each step as a change, restarts with their causes."""
    return [returned("unit", verb, unit.name, _detail(verb, unit)) for verb, names in due for unit in names]


def _detail(verb: str, unit: u.Unit) -> str:
    if verb == "change":
        return ", ".join(unit.unexpected[name] for name in unit.settable)
    return causes(unit) if verb in ("reload", "restart") else ""


def causes(unit: u.Unit) -> str:
    """Return the first causes of a restart, and how many more there are."""
    found = unit.stale()
    more = f" and {len(found) - SHOWN_CAUSES} more" if len(found) > SHOWN_CAUSES else ""
    return ", ".join(found[:SHOWN_CAUSES]) + more


def main() -> None:
    """Survey the units, and take the steps unless in check mode."""
    module = AnsibleModule(
        argument_spec={
            "units": {"type": "list", "elements": "dict", "required": True, "options": u.UNIT},
            "then": {"type": "list", "elements": "dict", "default": [], "options": u.UNIT},
            "restart": {"type": "bool", "default": False},
            "restart_timeout": {"type": "int", "default": 600},
            "outdated": {"type": "dict", "default": {}},
            "will_change": {"type": "dict", "default": {}},
            "will_stop": {"type": "list", "elements": "str", "default": []},
            "will_start": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    host_lock.acquire(module)
    # In a real run these have happened already, and are found in the survey.
    names = ("will_change", "will_stop", "will_start") if module.check_mode else ()
    foreseen = {**{name: module.params[name] for name in names}, "will_install": module.check_mode}
    asked, restart = module.params["units"], module.params["restart"]
    units = u.survey(asked + module.params["then"], user_ids=user_ids, outdated=module.params["outdated"], **foreseen)
    first, then = units[: len(asked)], units[len(asked) :]
    due = u.actions(first, restart) + u.actions(then, restart)
    changes = changes_of(due)
    # A restart that is pending stays so.
    acted = {unit.name for verb, names in due if verb != "change" for unit in names}
    result = {"changed": bool(due), "changes": changes, "restart_required": u.restart_required(units, acted)}
    if changes:
        result["diff"] = listed(changes)
    if module.check_mode:
        module.exit_json(**result)

    if missing := [unit.name for unit in units if unit.missing and unit.asked["state"] == "started"]:
        module.fail_json(msg=f"No installed package provides these units: {', '.join(missing)}", **result)
    if any(unit.found.get("NeedDaemonReload") == "yes" for unit in units):
        u.systemctl("daemon-reload")
    done: set[str] = set()

    def fail(message: str) -> None:
        # The next run knows what has been done.
        u.stamp(units, done)
        module.fail_json(msg=message, **result)

    def change(commands: list[list[str]]) -> None:
        for words in commands:
            if (said := u.command(words)).returncode:
                fail(f"{shlex.join(words)} failed: {(said.stderr or said.stdout).strip()}")

    for verb, names in batches(due):
        if verb == "change":
            change([words for unit in names for words in unit.settable.values()])
            continue
        told = [unit.name for unit in names]
        alone = names[0].asked if verb == "restart" and u.restarts_alone(names[0]) else {}
        if missing := u.unmet(alone.get("restart_when", []), module.params["restart_timeout"]):
            after = f"{module.params['restart_timeout']} s"
            fail(f"{told[0]} was not restarted, because it is not safe to stop it. After {after}: {missing}")
        kept, custom = names[0].kept, alone.get("restart_with")
        if kept and custom and u.show(told)[told[0]]["ActiveState"] not in u.RUNNING:
            continue
        words = names[0].verb(verb)
        said = u.command(custom, seconds=None) if custom else u.systemctl(words, *told)
        if custom and said.returncode:
            fail(f"{custom} failed: {(said.stderr or said.stdout).strip()}")
        if verb == "stop" and said.returncode:  # a boot that is still in progress cancels it
            said = u.systemctl(verb, *told)
        broken = u.settled(told, PATIENCE, kept) if said.returncode else u.refused(told) if verb == "reload" else []
        if broken or (said.returncode and verb not in ("start", "restart")):
            broken = [unit for unit in names if unit.name in broken] or names
            log = "\n".join(f"--- {unit.name}\n{u.last_words(unit.name, unit.asked['log'])}" for unit in broken)
            fail(f"systemctl {words} failed: {said.stderr.strip()}\n{log}")
        if verb == "stop":  # a unit that does not stop cleanly is stopped nevertheless
            u.systemctl("reset-failed", *told)
        if verb in ("start", "restart", "reload"):
            done |= set(told)
    # The units that were just started have read the surveyed files.
    changed = {unit.name for verb, names in due if verb == "change" for unit in names}
    wrong = u.ineffective(units, done | changed, EFFECT_PATIENCE)
    # What a start alone does not set, such as the cluster of the others, which were not there when it looked for them.
    if setters := u.setters([unit for unit in units if unit.name in wrong and unit.name in done]):
        well, done = done, done - wrong.keys()
        change(setters)
        done = well
        wrong = u.ineffective(units, done | changed, EFFECT_PATIENCE)
    u.stamp(units, done - wrong.keys())
    if wrong:
        module.fail_json(msg="\n".join(text for texts in wrong.values() for text in texts), **result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
