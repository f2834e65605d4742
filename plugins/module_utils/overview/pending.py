# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pending steps of a host: compares the states as their modules do, in one process and in parallel.

Starting a module takes 0.4 s, in most runs without any change. A step that cannot be compared is pending: then its
module waits, repairs, or reports the error.
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
    """Whether there are changes to a server, or it does not respond."""
    changes, *_report, reachable = verb.compute(options, True)
    return bool(changes) or not reachable


def _databases(options: dict) -> bool:
    changes, warnings, reachable = databases.compute(options, True)
    return bool(changes or warnings) or not reachable


def _db_sync(options: dict) -> bool:
    # The module must remove a mark of an interrupted run.
    return _served(db_sync, options) or any(map(interrupted_sync.marked, options["schemas"]))


def _fernet_keys(options: dict) -> bool:
    return bool(fernet_keys.compute(options) or fernet_keys.warnings(options))


def _identity(options: dict) -> bool:
    if identity.unproven(options["users"]):
        # Verifying a password takes 0.4 s; the module does it, and records the result.
        return True
    changes, warnings, reachable = identity.compute(identity.Keystone(options["auth"]), options, True)
    return bool(changes or warnings) or not reachable


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
    "databases": (databases.SPEC, _databases),
    "rabbitmq_users": (rabbitmq_users.SPEC, partial(_served, rabbitmq_users)),
    "db_sync": (db_sync.SPEC, _db_sync),
    "fernet_keys": (fernet_keys.SPEC, _fernet_keys),
    "identity": (identity_spec.SPEC, _identity),
    "ovs_bridges": (ovs_bridges.SPEC, _ovs_bridges),
}
"""Modules → their options, and the function that compares the states."""


def pending(asked: dict[str, dict]) -> dict[str, bool]:
    """Return for each name in *asked* whether its module has changes to make.

    :param asked: name → the module and its C(options).
    :raises Failed: the module is unknown, or its options are invalid.
    """
    ready = {name: _valid(name, **one) for name, one in asked.items()}
    with ThreadPoolExecutor(max(1, len(ready))) as pool:
        return dict(pool.map(lambda name: (name, _is_pending(*ready[name])), ready))


def _valid(name: str, module: str, options: dict) -> tuple:
    """Return the function that compares, and the options with their defaults."""
    if module not in STEPS:
        raise Failed(f"{name}: unknown module {module!r}; known are {', '.join(STEPS)}")
    spec, compare = STEPS[module]
    checked = ArgumentSpecValidator(spec).validate(options)
    if checked.error_messages:
        raise Failed(f"{name}: " + "; ".join(checked.error_messages))
    return compare, checked.validated_parameters


def _is_pending(compare, options: dict) -> bool:
    try:
        return compare(options)
    except (Failed, BridgesError, OSError, ValueError):
        return True
