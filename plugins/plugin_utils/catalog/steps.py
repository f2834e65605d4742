# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The steps that are compared before their tasks run, with their hosts and scopes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

# The scope of a step: each host, or once for the cloud, on one reachable controller.
HOST, ONCE = "host", "once"


# The steps on which all others depend: if one of them is pending, the others are compared after it.
FIRST = ("before_packages", "packages", "files", "records", "units")


class Step(NamedTuple):
    """A step.

    :param name: its key in C(host_pending), by which its task is skipped if nothing is pending.
    :param module: the module that takes the step and compares the states.
    :param scope: ``HOST`` or ``ONCE``.
    :param group: the node group of the hosts; None for all.
    :param options: returns the module's options from the desired state; empty if there is nothing to compare.
    """

    name: str
    module: str
    scope: str
    group: str | None
    options: Callable[[Mapping[str, Any]], Mapping[str, Any] | None]


def _guarded(commands: Any, desired: Mapping[str, Any]) -> dict[str, Any]:
    return {"schemas": commands, "auth": desired["identity"]["auth"]}


def _files(records: list[dict[str, Any]]) -> dict[str, Any] | None:
    return {"files": [record["file"] for record in records]} if records else None


def _units(desired: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return all units of the host, and those that are to be stopped."""
    found = [desired["premature_units"], *desired["removed"].values(), *desired["units"].values()]
    return [unit for units in found for unit in units]


STEPS = (
    Step("before_packages", "config_files", HOST, None, lambda d: {"files": d["before_packages"]}),
    Step("packages", "packages", HOST, None, lambda d: {"names": d["packages"]}),
    Step("files", "config_files", HOST, None, lambda d: {"files": d["files"]}),
    # Without their contents, which the cloud knows: what is missing is pending.
    Step("records", "config_files", HOST, None, lambda d: _files(d["records"])),
    Step("units", "units", HOST, None, lambda d: {"units": _units(d)}),
    Step("ovs_bridges", "ovs_bridges", HOST, None, lambda d: d["bridges"] if d["bridges"]["bridges"] else None),
    Step("databases", "databases", ONCE, "controller", lambda d: {"databases": d["databases"]}),
    Step("rabbitmq_users", "rabbitmq_users", ONCE, "controller", lambda d: d["rabbitmq_users"]),
    Step("db_sync", "db_sync", ONCE, "controller", lambda d: {"schemas": d["db_sync"]}),
    Step("fernet_keys", "fernet_keys", HOST, "controller", lambda d: {"repositories": d["keys"]}),
    Step("identity", "identity", ONCE, "controller", lambda d: d["identity"]),
    Step("registration", "db_sync", ONCE, "controller", lambda d: _guarded(d["registration"]["steps"], d)),
    Step("after_start", "db_sync", ONCE, "controller", lambda d: _guarded(d["after_start"], d)),
)


def of_host(desired: Mapping[str, Any], name: str, groups: set[str]) -> dict[str, dict[str, Any]]:
    """Return the options of the module C(pending) for a host.

    :param desired: the desired state of the host; C(controller) takes the steps with scope once.
    """
    found: dict[str, dict[str, Any]] = {"first": {}, "steps": {}}
    for step in STEPS:
        if step.group not in (None, *groups) or (step.scope == ONCE and desired["controller"] != name):
            continue
        if options := step.options(desired):
            of = "first" if step.name in FIRST else "steps"
            found[of][step.name] = {"module": step.module, "options": options}
    return found
