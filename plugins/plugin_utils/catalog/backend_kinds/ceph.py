# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What follows for a host from the cloud's back end in Ceph: monitors, pools, users, configuration."""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Mapping
from typing import Any

from ansible_collections.cairn.openstack.plugins.plugin_utils.catalog import backends

Host = Mapping[str, Any]
# One more than the half of these must live.
MONITORS = 3
# Placement groups for each device, all copies counted: what Ceph's own autoscaler aims at.
GROUPS = 100
# What every cluster keeps its caps short by: an account may use these pools and nothing else.
CLIENTS = {
    "glance": ("images", ["images"], []),
    "cinder": ("volumes", ["volumes"], ["images"]),
    "cinder-backup": ("backups", ["backups"], []),
    "nova": ("ephemeral", ["ephemeral"], ["images"]),
}
# The gateway's pools, as its default zone calls them: what users write, and what it keeps beside that. It would make
# them itself, but with copies on different hosts, even where there is but one.
OBJECTS = "default.rgw.buckets.data"
BESIDE = (
    ".rgw.root",
    "default.rgw.buckets.index",
    "default.rgw.buckets.non-ec",
    "default.rgw.control",
    "default.rgw.log",
    "default.rgw.meta",
    "default.rgw.otp",
)
GROUPS_BESIDE = 8
NO_CEPH = {
    "name": None,
    "member": False,
    "monitor": False,
    "serves": [],
    "keys": dict.fromkeys(CLIENTS, ""),
    "volumes_secret": "",
    "ephemeral_secret": "",
}


def facts(
    found: list[backends.Backend], hosts: Mapping[str, Host], me: Host, cloud: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what definitions may ask of the cloud's Ceph, for the host *me*: their ``cloud.ceph``.

    :param found: the cloud's back ends, complete.
    :param hosts: as ``topology`` has them.
    :param cloud: what else they may ask. The files of a Ceph that was there before are read on the control node.
    """
    path = next((one["cluster"] for one in found if one.get("cluster")), None)
    keyrings = {name: _given(path, f"ceph.client.{name}.keyring") for name in CLIENTS} if path else {}
    own = {
        "identity": cloud["identity"],
        "secrets": cloud["secrets"],
        "memory_mb": cloud["probe"]["memory_mb"],
        "playing": cloud["playing"],
        "keys": {name: key_of(text) for name, text in keyrings.items()},
        "ceph_conf": _given(path, "ceph.conf") if path else None,
    }
    return ceph(found, hosts, me, own)


def desired(cloud: Mapping[str, Any], _run: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the module ``ceph`` sees to on this host, None where it has no part of a Ceph of ours."""
    found = cloud["ceph"]
    if not found["member"]:
        return {"ceph": None}
    return {
        "ceph": {
            "accounts": found["accounts"],
            "pools": found["pools_wanted"],
            "monitors": found["monitors_wanted"],
            "osds": [{key: device[key] for key in ("path", "size") if key in device} for device in found["devices"]],
        }
    }


def _given(directory: str, name: str) -> str:
    """Return the text of a file that the user gives, empty where there is none."""
    path = os.path.join(directory, name)
    if not os.path.exists(path):
        return ""
    with open(path, encoding="utf-8") as file:
        return file.read()


def ceph(
    found: list[backends.Backend], hosts: Mapping[str, Host], me: Host, cloud: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what definitions may ask of the cloud's Ceph, for the host *me*: their ``cloud.ceph``.

    :param found: the cloud's back ends, complete.
    :param hosts: as ``topology`` has them.
    :param cloud: ``identity``, ``secrets``, ``memory_mb``, ``playing`` (hosts of this run), and of a Ceph that was
        there before its ``keys`` and ``ceph_conf``.
    """
    one = backends.of_kind(found, "ceph")
    return _ceph(one, hosts, me, cloud) if one else NO_CEPH


def key_of(keyring: str) -> str:
    """Return the key in the text of a keyring, empty where there is none."""
    found = re.search(r"^\s*key\s*=\s*(\S+)", keyring, re.MULTILINE)
    return found[1] if found else ""


def _uuid(cloud: Mapping[str, Any], what: str) -> str:
    """Return an id that is this cloud's own and the same in every run."""
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{what} {cloud['identity']}"))


def _ceph(one: backends.Backend, hosts: Mapping[str, Host], me: Host, cloud: Mapping[str, Any]) -> dict[str, Any]:
    """Return what concerns the cloud's Ceph."""
    members = [hosts[name] for name in one["hosts"]]
    monitors = members[:MONITORS] if len(members) >= MONITORS else members[:1]
    own = not one.get("cluster")
    member = own and me["name"] in one["hosts"]
    playing = [name for name in one["hosts"] if name in cloud["playing"]]
    keys = cloud["keys"] or {
        name: cloud["secrets"][f"{'cinder_backup' if name == 'cinder-backup' else name}_cephx"] for name in CLIENTS
    }
    ceph = {
        "name": one["name"],
        "own": own,
        "member": member,
        "monitor": member and me["name"] in [host["name"] for host in monitors],
        "monitors": monitors,
        "serves": one["serves"],
        "replicas": one["replicas"],
        "pools": one["pools"],
        "fsid": _uuid(cloud, "ceph"),
        "volumes_secret": _uuid(cloud, "volumes"),
        "ephemeral_secret": _uuid(cloud, "ephemeral"),
        "keys": keys,
        "conf": cloud["ceph_conf"],
    }
    if own:
        ceph["conf"] = _conf(ceph, one, me, cloud)
        leads = member and me["name"] == next(iter(playing), None)
        giving = sum(bool(devices) for devices in one["devices"].values())
        ceph["pools_wanted"] = _pools(one, giving) if leads else []
        ceph["monitors_wanted"] = [host["name"] for host in monitors] if leads else []
        gateways = [name for name, host in hosts.items() if "controller" in host["groups"]]
        ceph["accounts"] = _accounts(ceph, one, gateways, cloud) if leads else []
        ceph["devices"] = one["devices"].get(me["name"], [])
    return ceph


def _conf(ceph: Mapping[str, Any], one: backends.Backend, me: Host, cloud: Mapping[str, Any]) -> dict[str, Any]:
    """Return the sections of ceph.conf on the host *me*."""
    addresses = [host["address"] for host in ceph["monitors"]]
    sections: dict[str, dict[str, Any]] = {
        "global": {
            "fsid": ceph["fsid"],
            "mon_host": ",".join(addresses),
            "mon_initial_members": ",".join(host["name"] for host in ceph["monitors"]),
            "osd_pool_default_size": one["replicas"],
        }
    }
    if ceph["member"]:
        sections["mon"] = {"auth_allow_insecure_global_id_reclaim": False, "mgr_initial_modules": "iostat"}
        devices = one["devices"].get(me["name"], [])
        # Half of the host is for others' and the page cache, and Ceph takes no less than the smaller bound.
        share = cloud["memory_mb"] // 2 // max(1, len(devices))
        sections["osd"] = {
            "cluster_addr": me["address"],
            "osd_memory_target": f"{min(max(share, 900), 4096)}M",
            "public_addr": me["address"],
        }
        # It dumps each module without NOTIFY_TYPES as a crash, 23 at each start (tracker.ceph.com/issues/55835).
        sections["mgr"] = {"crash_dir": "", "public_addr": me["address"]}
        # Files in place of devices are a test, on a machine with many hosts.
        if any(device.get("size") for device in devices):
            sections["osd"] |= {"bluestore_cache_autotune": False, "bluestore_cache_size": "64M"}
    return sections


def _pools(one: backends.Backend, hosts: int) -> list[dict[str, Any]]:
    """Return the pools, copies on different hosts where as many *hosts* give devices."""
    pools = [(one["pools"][use], "rbd") for use in backends.POOLS if use in one["serves"]]
    objects = "objects" in one["serves"]
    if objects:
        pools.append((OBJECTS, "rgw"))
    devices = sum(len(devices) for devices in one["devices"].values())
    groups = 8
    while groups * 2 * one["replicas"] * len(pools) <= devices * GROUPS:
        groups *= 2
    wanted = [{"name": name, "application": application, "groups": groups} for name, application in pools]
    if objects:
        wanted += [{"name": name, "application": "rgw", "groups": GROUPS_BESIDE} for name in BESIDE]
    # The managers' own, which they would make with copies on different hosts, though there is but one.
    wanted.append({"name": ".mgr", "application": "mgr", "groups": 1})
    copies = {"replicas": one["replicas"], "apart": "host" if hosts >= one["replicas"] else "osd"}
    return [{**pool, **copies} for pool in wanted]


def _accounts(
    ceph: Mapping[str, Any], one: backends.Backend, gateways: list[str], cloud: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Return the accounts with the least that each needs."""
    manager = {"mon": "allow profile mgr", "osd": "allow *", "mds": "allow *"}
    accounts = [
        {"name": f"mgr.{host['name']}", "key": cloud["secrets"]["ceph_mgr_cephx"], "caps": manager}
        for host in ceph["monitors"]
    ]
    crash = {"mon": "profile crash", "mgr": "profile crash"}
    accounts.append({"name": "client.crash", "key": cloud["secrets"]["ceph_crash_cephx"], "caps": crash})
    for name, (use, writes, reads) in CLIENTS.items():
        if use not in one["serves"]:
            continue
        osd = [f"profile rbd pool={one['pools'][pool]}" for pool in writes]
        osd += [f"profile rbd-read-only pool={one['pools'][pool]}" for pool in reads if pool in one["serves"]]
        mgr = ", ".join(f"profile rbd pool={one['pools'][pool]}" for pool in writes)
        caps = {"mon": "profile rbd", "osd": ", ".join(osd), "mgr": mgr}
        accounts.append({"name": f"client.{name}", "key": ceph["keys"][name], "caps": caps})
    if "objects" in one["serves"]:
        # Its pools are there, so it needs to make none.
        caps = {"mon": "allow r", "osd": "allow rwx tag rgw *=*"}
        key = cloud["secrets"]["radosgw_cephx"]
        accounts += [{"name": f"client.rgw.{name}", "key": key, "caps": caps} for name in gateways]
    return accounts
