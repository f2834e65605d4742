# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Users and pools: the actual and the desired state of the cluster."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ansible_collections.cairn.openstack.plugins.module_utils.common.changes import Change
from ansible_collections.cairn.openstack.plugins.module_utils.storage.ceph.monitor import Monitor

# The autoscaler's default minimum of placement groups.
LEAST = 32
# Flags of the cluster that a person sets, with their effect. The monitors name pause by its two halves.
FLAGS = {
    "pause": "all reads and writes wait, so servers with volumes hang",
    "full": "all writes fail, so servers with volumes hang",
    "nodown": "a daemon that died counts as up, and who asks it waits",
    "noup": "a daemon that starts is not used",
    "noin": "a new device is not used",
    "noout": "a device that fails is not replaced by copies elsewhere",
    "norecover": "lost copies are not made again",
    "nobackfill": "lost copies are not made again",
    "norebalance": "data does not move to other devices",
    "noscrub": "damaged copies are not found",
    "nodeep-scrub": "damaged copies are not found",
}
# Checks of its health: placement groups lack copies, or may do so before the manager knows it.
LACKING = ("PG_AVAILABILITY", "PG_DEGRADED", "OSD_DOWN", "MGR_DOWN")
HALVES = {"pauserd": "pause", "pausewr": "pause"}


@dataclass
class State:
    """The monitors' view: users and pools by name, devices by uuid, placement rules by name; the monitors' names.

    :param weights: host → number of a daemon → the weight of its device.
    :param lacking: whether placement groups may have fewer copies than their pools' size.
    """

    users: dict[str, dict] = field(default_factory=dict)
    pools: dict[str, dict] = field(default_factory=dict)
    osds: dict[str, dict] = field(default_factory=dict)
    rules: dict[str, int] = field(default_factory=dict)
    weights: dict[str, dict[int, float]] = field(default_factory=dict)
    monitors: list[str] = field(default_factory=list)
    lacking: bool = False


def read(monitor: Monitor) -> State:
    """Return the state of the cluster."""
    dump = monitor.ask("osd dump")
    tree = {node["id"]: node for node in monitor.ask("osd tree")["nodes"]}
    return State(
        {entry["entity"]: entry for entry in monitor.ask("auth ls")["auth_dump"]},
        {pool["pool_name"]: pool for pool in dump["pools"]},
        {osd["uuid"]: osd for osd in dump["osds"]},
        {rule["rule_name"]: rule["rule_id"] for rule in monitor.ask("osd crush rule dump")},
        {
            node["name"]: {number: tree[number]["crush_weight"] for number in node["children"]}
            for node in tree.values()
            if node["type"] == "host"
        },
        [one["name"] for one in monitor.ask("mon dump")["mons"]],
        not monitor.ask("health")["checks"].keys().isdisjoint(LACKING),
    )


def keyring(user: dict) -> str:
    """Return a user as the text of a keyring."""
    caps = "".join(f'\tcaps {service} = "{rights}"\n' for service, rights in sorted(user["caps"].items()))
    return f"[{user['name']}]\n\tkey = {user['key']}\n{caps}"


def users(wanted: list[dict], state: State, monitor: Monitor | None) -> list[Change]:
    """Return the changes to users. Others are left unchanged."""
    changes = []
    for user in wanted:
        name, found = user["name"], state.users.get(user["name"])
        if found and found["key"] == user["key"] and found["caps"] == user["caps"]:
            continue
        before = {**found["caps"], "key": "(set)"} if found else {}
        after = {**user["caps"], "key": "(set)" if not found or found["key"] == user["key"] else "(another)"}
        what = "" if not found else "key" if found["caps"] == user["caps"] else "capabilities"
        changes.append(
            Change(
                "Ceph user",
                "change" if found else "create",
                name,
                before,
                after,
                lambda user=user: monitor.tell("auth import", keyring(user)),
                what,
            )
        )
    return changes


def _rule(apart: str) -> str:
    """Return the name of the placement rule for copies on different hosts or devices."""
    return f"replicated_{apart}"


def rules(wanted: list[dict], state: State, monitor: Monitor | None) -> list[Change]:
    """Return the changes to placement rules."""
    return [
        Change(
            "Ceph placement rule",
            "create",
            _rule(apart),
            {},
            {"copies on different": f"{apart}s"},
            lambda apart=apart: monitor.tell(
                "osd crush rule create-replicated", name=_rule(apart), root="default", type=apart
            ),
        )
        for apart in dict.fromkeys(pool["apart"] for pool in wanted)
        if _rule(apart) not in state.rules
    ]


def pools(wanted: list[dict], state: State, monitor: Monitor | None) -> list[Change]:
    """Return the changes to pools. Placement groups are set only at creation: later Ceph's autoscaler manages them."""
    changes = []
    names = {number: name for name, number in state.rules.items()}
    for pool in wanted:
        found = state.pools.get(pool["name"])
        after: dict[str, Any] = {
            "application": pool["application"],
            "size": pool["replicas"],
            "min_size": found["min_size"] if found and _stays_low(pool, found, state) else _least_copies(pool),
            "crush_rule": _rule(pool["apart"]),
            "max_objects": 0,
            "max_bytes": 0,
        }
        before = {}
        if found:
            before = {
                "application": ", ".join(found["application_metadata"]),
                "size": found["size"],
                "min_size": found["min_size"],
                "crush_rule": names.get(found["crush_rule"]),
                "max_objects": found["quota_max_objects"],
                "max_bytes": found["quota_max_bytes"],
            }
        if before == after:
            continue
        new = {key: value for key, value in after.items() if before.get(key) != value}
        changes.append(
            Change(
                "Ceph pool",
                "change" if found else "create",
                pool["name"],
                before,
                after,
                lambda pool=pool, new=new, least=after["min_size"], there=bool(found): _set(
                    monitor, pool, new, least, there
                ),
                ", ".join(f"{key} {before[key]} -> {value}" for key, value in new.items()) if found else "",
            )
        )
    return changes


def _least_copies(pool: dict) -> int:
    """Return with how many copies Ceph still serves an object: at least half of them, Ceph's default."""
    return pool["replicas"] - pool["replicas"] // 2


def _stays_low(pool: dict, found: dict, state: State) -> bool:
    """Whether min_size has to stay below the wanted one: otherwise a placement group with fewer copies would stop."""
    least = _least_copies(pool)
    return found["min_size"] < least and (state.lacking or found["size"] < least)


def low(wanted: list[dict], state: State) -> list[str]:
    """Return warnings about pools whose min_size stays lower than it should be."""
    there = [(pool, state.pools[pool["name"]]) for pool in wanted if pool["name"] in state.pools]
    return [
        f"Ceph pool {pool['name']} keeps min_size {found['min_size']}, with which it may lose writes: a higher one"
        " would stop placement groups that lack copies. A run raises it once ceph health names no lack. At once:"
        f" ceph osd pool set {pool['name']} min_size {_least_copies(pool)}"
        for pool, found in there
        if _stays_low(pool, found, state)
    ]


def _set(monitor: Monitor, pool: dict, new: dict[str, Any], least: int, there: bool) -> None:
    """Create the pool, or set its *new* attributes, among them *least* as its min_size."""
    name = pool["name"]
    if not there:
        monitor.tell(
            "osd pool create",
            pool=name,
            pg_num=pool["groups"],
            pgp_num=pool["groups"],
            # otherwise every small pool would be created large, up to the limit of groups per device
            pg_num_min=min(pool["groups"], LEAST),
            pool_type="replicated",
            rule=_rule(pool["apart"]),
            size=pool["replicas"],
            # otherwise no name may start with a dot
            yes_i_really_mean_it=True,
        )
        new = {"application": pool["application"], "min_size": least}
    if "size" in new:
        # Ceph sets it with the size.
        new["min_size"] = least
    for key, value in new.items():
        if key == "application":
            monitor.tell("osd pool application enable", pool=name, app=value, yes_i_really_mean_it=True)
        elif key.startswith("max_"):
            monitor.tell("osd pool set-quota", pool=name, field=key, val=str(value))
        else:
            monitor.tell("osd pool set", pool=name, var=key, val=str(value))


def filesystems(wanted: list[dict], monitor: Monitor | None) -> list[Change]:
    """Return the file systems to create from pools that are there then. Others are left unchanged."""
    there = {one["name"] for one in monitor.ask("fs ls")} if wanted and monitor else set()
    return [
        Change(
            "Ceph file system",
            "create",
            one["name"],
            {},
            {"data": one["data"], "metadata": one["metadata"]},
            lambda one=one: monitor.tell("fs new", fs_name=one["name"], metadata=one["metadata"], data=one["data"]),
        )
        for one in wanted
        if one["name"] not in there
    ]


def warnings(monitor: Monitor) -> list[str]:
    """Return the flags that a person has set, and what Ceph itself calls an error."""
    dump = monitor.ask("osd dump")
    found = {HALVES.get(flag, flag): "" for flag in dump["flags"].split(",")}
    told = [_flagged(flag, f"ceph osd unset {flag}") for flag in FLAGS if flag in found]
    groups = [*dump.get("crush_node_flags", {}).items(), *dump.get("device_class_flags", {}).items()]
    groups += [(f"osd.{one['osd']}", one["state"]) for one in dump["osds"]]
    for flag in FLAGS:
        names = [name for name, flags in groups if flag in flags]
        if names:
            told.append(_flagged(flag, f"ceph osd unset-group {flag} {' '.join(names)}", f" for {', '.join(names)}"))
    for name, check in sorted(monitor.ask("health")["checks"].items()):
        if check["severity"] == "HEALTH_ERR" and not check.get("muted"):
            told.append(f"Ceph's health has the error {name}: {check['summary']['message']}. See ceph health detail")
    return told


def _flagged(flag: str, command: str, where: str = "") -> str:
    return f"Ceph's flag {flag} is set{where}: {FLAGS[flag]}. Unless that is meant: {command}"
