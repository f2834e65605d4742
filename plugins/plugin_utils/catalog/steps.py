# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The steps that are compared before their tasks run, with their hosts and scopes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

# The scope of a step: each host, or once for the cloud, on one reachable controller.
HOST, ONCE = "host", "once"


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


STEPS = (
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
    found = {}
    for step in STEPS:
        if step.group not in (None, *groups) or (step.scope == ONCE and desired["controller"] != name):
            continue
        if options := step.options(desired):
            found[step.name] = {"module": step.module, "options": options}
    return found
