# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which verbs have something to do on a host: what their modules compare, in one process and at the same time.

Starting a module costs 0.4 s, which most runs would spend only to hear that there is nothing to do. Whatever is not
plain is due: then the module itself waits, repairs, or says what is wrong.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.cairn.openstack.plugins.module_utils.common.changes import Failed
from ansible_collections.cairn.openstack.plugins.module_utils.control_plane import (
    databases,
    db_sync,
    fernet_keys,
    identity,
    identity_spec,
    interrupted_sync,
    rabbitmq_users,
    user_ids,
)
from ansible_collections.cairn.openstack.plugins.module_utils.host import config_files, ovs_bridges, packages, units
from ansible_collections.cairn.openstack.plugins.module_utils.host.bridge_setup import BridgesError


def _served(verb, options: dict) -> bool:
    """Whether there is something to do at a server, or none that answers."""
    changes, *_report, reachable = verb.compute(options, True)
    return bool(changes) or not reachable


def _db_sync(options: dict) -> bool:
    # A mark that a killed run left is the module's to take away.
    return _served(db_sync, options) or any(map(interrupted_sync.marked, options["schemas"]))


def _fernet_keys(options: dict) -> bool:
    return bool(fernet_keys.compute(options))


def _identity(options: dict) -> bool:
    if identity.unproven(options["users"]):
        # Trying a password takes 0.4 s; the module does it, and remembers.
        return True
    changes, reachable = identity.compute(identity.Keystone(options["auth"]), options, True)
    return bool(changes) or not reachable


def _packages(options: dict) -> bool:
    return any(packages.lacking(options["names"]))


def _units(options: dict) -> bool:
    return units.differ(options["units"], user_ids.user_ids)


def _ovs_bridges(options: dict) -> bool:
    found = ovs_bridges.bring(options, True)
    return found["changed"] or bool(found["warnings"])


STEPS = {
    "config_files": (config_files.SPEC, lambda options: config_files.differ(options["files"])),
    "packages": (packages.SPEC, _packages),
    "units": (units.SPEC, _units),
    "databases": (databases.SPEC, partial(_served, databases)),
    "rabbitmq_users": (rabbitmq_users.SPEC, partial(_served, rabbitmq_users)),
    "db_sync": (db_sync.SPEC, _db_sync),
    "fernet_keys": (fernet_keys.SPEC, _fernet_keys),
    "identity": (identity_spec.SPEC, _identity),
    "ovs_bridges": (ovs_bridges.SPEC, _ovs_bridges),
}
"""Of each module its options, and what tells whether it would do anything with them."""


def pending(asked: dict[str, dict]) -> dict[str, bool]:
    """Return of each of the names *asked* whether its module has something to do.

    :param asked: under a name of the caller's, the module and its C(options).
    :raises Failed: there is no such module, or it has no such options.
    """
    ready = {name: _valid(name, **one) for name, one in asked.items()}
    with ThreadPoolExecutor(max(1, len(ready))) as pool:
        return dict(pool.map(lambda name: (name, _is_pending(*ready[name])), ready))


def _valid(name: str, module: str, options: dict) -> tuple:
    """Return what compares, and the options with their defaults."""
    if module not in STEPS:
        raise Failed(f"{name}: there is no module {module!r} here, only {', '.join(STEPS)}")
    spec, compare = STEPS[module]
    checked = ArgumentSpecValidator(spec).validate(options)
    if checked.error_messages:
        raise Failed(f"{name}: " + "; ".join(checked.error_messages))
    return compare, checked.validated_parameters


def _is_pending(compare, options: dict) -> bool:
    try:
        return compare(options)
    except (Failed, BridgesError):
        return True
