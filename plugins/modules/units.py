#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: units
short_description: systemd units enabled, started, and restarted when what they read has changed
version_added: 0.1.0
description:
  - Enables and starts (or stops and disables) units, and finds those whose running invocation has not read what lies
    on the disk, by a digest of the files and package versions that a unit reads, or whose work somebody has undone.
  - Such a unit is restarted when O(restart) is true, and named in RV(restart_required) otherwise.
author: The Cairn authors (@cairn)
options:
  units:
    description: The units, in the order in which they are started.
    type: list
    elements: dict
    required: true
    suboptions: &unit
      name:
        description: The unit's name.
        type: str
        required: true
      state:
        description: Whether it shall run. V(any) leaves that alone.
        type: str
        choices: [started, stopped, any]
        default: started
      enabled:
        description: Whether it starts at boot; left alone when not given.
        type: bool
      watches:
        description: Files, directories or patterns that it reads when it starts.
        type: list
        elements: str
        default: []
      packages:
        description: The packages whose versions it runs.
        type: list
        elements: str
        default: []
      state_commands:
        description:
          - Commands that print what the unit has set up, in the kernel for example. When one prints something else than
            after the unit's start, the unit is stale.
        type: list
        elements: str
        default: []
      account:
        description:
          - Keystone user, in the default domain, the service authenticates as when it validates tokens. If the user was
            deleted and created again, the unit is stale, as it rejects its callers until its own old token expires.
            Detected on hosts with Keystone's database only.
        type: str
      reload:
        description: The unit takes a reload where others need a restart.
        type: bool
        default: false
      restart_for:
        description: What a reload does not take up, of its files and as C(package NAME).
        type: list
        elements: str
        default: []
      restart_anytime:
        description: Nothing waits for the unit and nothing is lost by it, so that it need not wait for O(restart).
        type: bool
        default: false
      restart_when:
        description:
          - What must hold before the unit is restarted, so that its service goes on elsewhere meanwhile. A URL has to
            answer, a command has to exit 0.
          - Not asked of a unit that never ran as it is configured now.
        type: list
        elements: str
        default: []
      restart_with:
        description: A command that restarts the unit, in the place of C(systemctl restart).
        type: str
      log:
        description: Its log file, shown when it does not start.
        type: path
  then:
    description: Units with which nothing is done before all is done with those of O(units).
    type: list
    elements: dict
    default: []
    suboptions: *unit
  restart:
    description: Restart what is stale instead of naming it.
    type: bool
    default: false
  restart_timeout:
    description: How many seconds to wait for O(units[].restart_when); V(0) restarts without asking.
    type: int
    default: 600
  will_change:
    description:
      - In check mode, what the run would write (path to fingerprint, as M(cairn.openstack.config_files) returns it), so
        that the restarts this causes are foreseen.
    type: dict
    default: {}
  will_stop:
    description: In check mode, the names of units that run, and that the run would have stopped by now.
    type: list
    elements: str
    default: []
  will_start:
    description:
      - In check mode, the units that the run would have started by now, each with the files that it would have written
        since. One that runs already has written them.
    type: dict
    default: {}
attributes:
  check_mode:
    description: Can run in check mode and say what it would change.
    support: full
  diff_mode:
    description: Says what it changes, as a diff.
    support: full
"""

EXAMPLES = r"""
- name: Glance's API
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
  description: What is done to which unit, in this order.
  type: list
  elements: dict
  returned: always
  contains:
    kind: {description: What it is., type: str, returned: always}
    verb: {description: "What is done to it, in the verb's base form.", type: str, returned: always}
    name: {description: Which one., type: str, returned: always}
    detail: {description: "What of it, or why; may be empty.", type: str, returned: always}
  sample: [{kind: unit, verb: restart, name: glance-api, detail: /etc/glance/glance-api.conf}]
restart_required:
  description: Units that should be restarted and were not, with the reasons.
  type: list
  elements: dict
  returned: always
  sample: [{name: glance-api.service, why: [/etc/glance/glance-api.conf]}]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.cairn.openstack.plugins.module_utils.common import host_lock
from ansible_collections.cairn.openstack.plugins.module_utils.common.changes import listed, returned
from ansible_collections.cairn.openstack.plugins.module_utils.control_plane.user_ids import user_ids
from ansible_collections.cairn.openstack.plugins.module_utils.host import units as u

# Seconds in which a unit that systemd starts again after a failure has to come up: what it waits for may be slow.
PATIENCE = 60
SHOWN_CAUSES = 5


def batches(due: list[u.Action]) -> list[u.Action]:
    """Return the verbs of *due*, and at the end, each for itself, what restarts on a condition or in its own way.

    So a condition that does not hold keeps nothing else from being done.
    """
    found, last = [], []
    for verb, names in due:
        alone = [unit for unit in names if verb == "restart" and u.restarts_alone(unit)]
        together = [unit for unit in names if unit not in alone]
        found += [(verb, together)] if together else []
        last += [(verb, [unit]) for unit in alone]
    return found + last


def changes_of(due: list[u.Action]) -> list[dict[str, str]]:
    """Return each step as a change, restarts with their causes."""
    return [
        returned("unit", verb, unit.name, causes(unit) if verb in ("reload", "restart") else "")
        for verb, names in due
        for unit in names
    ]


def causes(unit: u.Unit) -> str:
    """Return the first causes of a restart, and how many more there are."""
    found = unit.stale()
    more = f" and {len(found) - SHOWN_CAUSES} more" if len(found) > SHOWN_CAUSES else ""
    return ", ".join(found[:SHOWN_CAUSES]) + more


def main() -> None:
    """Survey, and unless in check mode take the steps."""
    module = AnsibleModule(
        argument_spec={
            "units": {"type": "list", "elements": "dict", "required": True, "options": u.UNIT},
            "then": {"type": "list", "elements": "dict", "default": [], "options": u.UNIT},
            "restart": {"type": "bool", "default": False},
            "restart_timeout": {"type": "int", "default": 600},
            "will_change": {"type": "dict", "default": {}},
            "will_stop": {"type": "list", "elements": "str", "default": []},
            "will_start": {"type": "dict", "default": {}},
        },
        supports_check_mode=True,
    )
    host_lock.acquire(module)
    # When the run is real all that has been done already, and what is there tells.
    names = ("will_change", "will_stop", "will_start") if module.check_mode else ()
    foreseen = {name: module.params[name] for name in names}
    asked, restart = module.params["units"], module.params["restart"]
    units = u.survey(asked + module.params["then"], user_ids=user_ids, **foreseen)
    first, then = units[: len(asked)], units[len(asked) :]
    due = u.actions(first, restart) + u.actions(then, restart)
    changes = changes_of(due)
    acted = {unit.name for _verb, names in due for unit in names}
    result = {"changed": bool(due), "changes": changes, "restart_required": u.restart_required(units, acted)}
    if changes:
        result["diff"] = listed(changes)
    if module.check_mode:
        module.exit_json(**result)

    if missing := [unit.name for unit in units if unit.missing and unit.asked["state"] == "started"]:
        module.fail_json(msg=f"No installed package brings these units: {', '.join(missing)}", **result)
    if any(unit.found.get("NeedDaemonReload") == "yes" for unit in units):
        u.systemctl("daemon-reload")
    done: set[str] = set()

    def fail(message: str) -> None:
        # What has been done is known to the next run.
        u.stamp(units, done)
        module.fail_json(msg=message, **result)

    for verb, names in batches(due):
        told = [unit.name for unit in names]
        alone = names[0].asked if verb == "restart" and u.restarts_alone(names[0]) else {}
        if missing := u.unmet(alone.get("restart_when", []), module.params["restart_timeout"]):
            after = f"{module.params['restart_timeout']} s"
            fail(f"{told[0]} was not restarted, because it is not safe to stop it. After {after}: {missing}")
        custom = alone.get("restart_with")
        said = u.command(custom) if custom else u.systemctl(verb, *told)
        if custom and said.returncode:
            fail(f"{custom} failed: {(said.stderr or said.stdout).strip()}")
        if verb == "stop" and said.returncode:  # a boot that is still at work cancels it
            said = u.systemctl(verb, *told)
        broken = u.settled(told, PATIENCE) if said.returncode else u.refused(told) if verb == "reload" else []
        if broken or (said.returncode and verb not in ("start", "restart")):
            broken = [unit for unit in names if unit.name in broken] or names
            words = "\n".join(f"--- {unit.name}\n{u.last_words(unit.name, unit.asked['log'])}" for unit in broken)
            fail(f"systemctl {verb} failed: {said.stderr.strip()}\n{words}")
        if verb == "stop":  # one that does not stop as it should is stopped all the same
            u.systemctl("reset-failed", *told)
        if verb in ("start", "restart", "reload"):
            done |= set(told)
    # What has just been started has read what was surveyed before.
    u.stamp(units, done)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
