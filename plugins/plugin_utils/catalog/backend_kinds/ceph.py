# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A host's part of the cloud's Ceph back end: monitors, pools, users, configuration."""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Mapping
from typing import Any

from ansible_collections.cairn.openstack.plugins.plugin_utils.catalog import backends

Host = Mapping[str, Any]
# A majority of these must be running.
MONITORS = 3
# Placement groups per device, counting all copies: the target of Ceph's autoscaler.
GROUPS = 100
# The users of block devices, each with the only pools that it may use: one it writes to, others it reads from.
CLIENTS = {
    "glance": ("images", ["images"], []),
    "cinder": ("volumes", ["volumes"], ["images"]),
    "cinder-backup": ("backups", ["backups"], []),
    "nova": ("ephemeral", ["ephemeral"], ["images"]),
}
# Those who store objects of RADOS, each with its pool.
RADOS_CLIENTS = {"gnocchi": "metrics"}
# Who manages the file system of shares, and stores in a pool beside it what an NFS server exports.
SHARES_CLIENT = "manila"
# Metadata servers: one serves the file system, the others stand by.
METADATA_SERVERS = 2
# The pools of the gateway, by their names in its default zone: the users' data, and its own. It would create them
# itself, but with copies on different hosts even if there is only one.
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
    "mds": False,
    "metadata_servers": 0,
    "filesystem": {},
    "serves": [],
    "keys": dict.fromkeys((*CLIENTS, *RADOS_CLIENTS, SHARES_CLIENT), ""),
    "volumes_secret": "",
    "ephemeral_secret": "",
}


def facts(
    found: list[backends.Backend], hosts: Mapping[str, Host], me: Host, cloud: Mapping[str, Any]
) -> dict[str, Any]:
    """Return ``cloud.ceph``, the definitions' variable about the cloud's Ceph, for the host *me*.

    :param found: the cloud's back ends with their defaults and devices.
    :param hosts: as returned by ``topology``.
    :param cloud: the rest of that variable. The files of an existing Ceph are read on the control node.
    """
    path = next((one["cluster"] for one in found if one.get("cluster")), None)
    keyrings = {name: _given(path, f"ceph.client.{name}.keyring") for name in NO_CEPH["keys"]} if path else {}
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
    """Return the options of the module ``ceph`` on this host, None if it has no part in a deployed Ceph."""
    found = cloud["ceph"]
    if not found["member"]:
        return {"ceph": None}
    return {
        "ceph": {
            "users": found["users"],
            "pools": found["pools_wanted"],
            "filesystems": found["filesystems_wanted"],
            "monitors": found["monitors_wanted"],
            "osds": [{key: device[key] for key in ("path", "size") if key in device} for device in found["devices"]],
        }
    }


def _given(directory: str, name: str) -> str:
    """Return the text of a file of the user, or empty text if there is none."""
    path = os.path.join(directory, name)
    if not os.path.exists(path):
        return ""
    with open(path, encoding="utf-8") as file:
        return file.read()


def ceph(
    found: list[backends.Backend], hosts: Mapping[str, Host], me: Host, cloud: Mapping[str, Any]
) -> dict[str, Any]:
    """Return ``cloud.ceph``, the definitions' variable about the cloud's Ceph, for the host *me*.

    :param found: the cloud's back ends with their defaults and devices.
    :param hosts: as returned by ``topology``.
    :param cloud: ``identity``, ``secrets``, ``memory_mb``, ``playing`` (hosts of this run), and the ``keys`` and
        ``ceph_conf`` of an existing Ceph.
    """
    one = backends.of_kind(found, "ceph")
    return _ceph(one, hosts, me, cloud) if one else NO_CEPH


def key_of(keyring: str) -> str:
    """Return the key in the text of a keyring, or empty text if there is none."""
    found = re.search(r"^\s*key\s*=\s*(\S+)", keyring, re.MULTILINE)
    return found[1] if found else ""


def _uuid(cloud: Mapping[str, Any], what: str) -> str:
    """Return an id that is unique to this cloud and the same in every run."""
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{what} {cloud['identity']}"))


def _ceph(one: backends.Backend, hosts: Mapping[str, Host], me: Host, cloud: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts about the cloud's Ceph."""
    members = [hosts[name] for name in one["hosts"]]
    monitors = members[:MONITORS] if len(members) >= MONITORS else members[:1]
    own = not one.get("cluster")
    member = own and me["name"] in one["hosts"]
    playing = [name for name in one["hosts"] if name in cloud["playing"]]
    # A service that the cloud lacks has no key.
    keys = cloud["keys"] or {
        name: cloud["secrets"].get(f"{name.replace('-', '_')}_cephx", "") for name in NO_CEPH["keys"]
    }
    ceph = {
        "name": one["name"],
        "own": own,
        "member": member,
        "monitor": member and me["name"] in [host["name"] for host in monitors],
        "monitors": monitors,
        "mds": member and me["name"] in _metadata_servers(one),
        "metadata_servers": len(_metadata_servers(one)),
        "filesystem": _filesystem(one),
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
        ceph["filesystems_wanted"] = _filesystems(one) if leads else []
        ceph["monitors_wanted"] = [host["name"] for host in monitors] if leads else []
        gateways = [name for name, host in hosts.items() if "controller" in host["groups"]]
        ceph["users"] = _users(ceph, one, gateways, cloud) if leads else []
        ceph["devices"] = one["devices"].get(me["name"], [])
    return ceph


def _metadata_servers(one: backends.Backend) -> list[str]:
    """Return the names of the hosts with a metadata server: none without shares."""
    return one["hosts"][:METADATA_SERVERS] if "shares" in one["serves"] else []


def _filesystem(one: backends.Backend) -> dict[str, str]:
    """Return the file system of shares: its name and its pools, of data, metadata, and exports of NFS; or nothing."""
    if "shares" not in one["serves"]:
        return {}
    name = one["pools"]["shares"]
    return {"name": name, "data": name, "metadata": f"{name}.metadata", "exports": f"{name}.exports"}


def _filesystems(one: backends.Backend) -> list[dict[str, str]]:
    """Return the file systems, of which there is one at most."""
    found = _filesystem(one)
    return [{key: found[key] for key in ("name", "data", "metadata")}] if found else []


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
        # Half of the host's memory is left for others and the page cache; 900M is the least that Ceph accepts.
        share = cloud["memory_mb"] // 2 // max(1, len(devices))
        sections["osd"] = {
            "cluster_addr": me["address"],
            "osd_memory_target": f"{min(max(share, 900), 4096)}M",
            "public_addr": me["address"],
        }
        # It records each module without NOTIFY_TYPES as a crash, 23 at each start (tracker.ceph.com/issues/55835).
        sections["mgr"] = {"crash_dir": "", "public_addr": me["address"]}
        # Files instead of devices are used in tests, where many hosts share one computer.
        if any(device.get("size") for device in devices):
            sections["osd"] |= {"bluestore_cache_autotune": False, "bluestore_cache_size": "64M"}
    return sections


def _pools(one: backends.Backend, hosts: int) -> list[dict[str, Any]]:
    """Return the pools, with copies on different hosts if enough *hosts* have devices."""
    applications = {**dict.fromkeys(RADOS_CLIENTS.values(), "rados"), "shares": "cephfs"}
    pools = [(one["pools"][use], applications.get(use, "rbd")) for use in backends.POOLS if use in one["serves"]]
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
    if filesystem := _filesystem(one):
        wanted += [
            {"name": filesystem["metadata"], "application": "cephfs", "groups": GROUPS_BESIDE},
            {"name": filesystem["exports"], "application": "rados", "groups": GROUPS_BESIDE},
        ]
    # The managers' own pool, which they would create with copies on different hosts even if there is only one.
    wanted.append({"name": ".mgr", "application": "mgr", "groups": 1})
    copies = {"replicas": one["replicas"], "apart": "host" if hosts >= one["replicas"] else "osd"}
    return [{**pool, **copies} for pool in wanted]


def _users(
    ceph: Mapping[str, Any], one: backends.Backend, gateways: list[str], cloud: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Return the users with their minimal capabilities."""
    manager = {"mon": "allow profile mgr", "osd": "allow *", "mds": "allow *"}
    users = [
        {"name": f"mgr.{host['name']}", "key": cloud["secrets"]["ceph_mgr_cephx"], "caps": manager}
        for host in ceph["monitors"]
    ]
    crash = {"mon": "profile crash", "mgr": "profile crash"}
    users.append({"name": "client.crash", "key": cloud["secrets"]["ceph_crash_cephx"], "caps": crash})
    for name, (use, writes, reads) in CLIENTS.items():
        if use not in one["serves"]:
            continue
        osd = [f"profile rbd pool={one['pools'][pool]}" for pool in writes]
        osd += [f"profile rbd-read-only pool={one['pools'][pool]}" for pool in reads if pool in one["serves"]]
        mgr = ", ".join(f"profile rbd pool={one['pools'][pool]}" for pool in writes)
        caps = {"mon": "profile rbd", "osd": ", ".join(osd), "mgr": mgr}
        users.append({"name": f"client.{name}", "key": ceph["keys"][name], "caps": caps})
    for name, use in RADOS_CLIENTS.items():
        if use in one["serves"] and ceph["keys"][name]:
            caps = {"mon": "allow r", "osd": f"allow rwx pool={one['pools'][use]}"}
            users.append({"name": f"client.{name}", "key": ceph["keys"][name], "caps": caps})
    if filesystem := _filesystem(one):
        caps = {
            "mds": "allow",
            "mgr": "allow profile mds",
            "mon": "allow profile mds",
            "osd": "allow rw tag cephfs *=*",
        }
        key = cloud["secrets"]["ceph_mds_cephx"]
        users += [{"name": f"mds.{name}", "key": key, "caps": caps} for name in _metadata_servers(one)]
        if ceph["keys"][SHARES_CLIENT]:
            # The managers create shares and their users for it.
            caps = {"mon": "allow r", "mgr": "allow rw", "osd": f"allow rwx pool={filesystem['exports']}"}
            users.append({"name": f"client.{SHARES_CLIENT}", "key": ceph["keys"][SHARES_CLIENT], "caps": caps})
    if "objects" in one["serves"]:
        # Its pools exist, so it need not create any.
        caps = {"mon": "allow r", "osd": "allow rwx tag rgw *=*"}
        key = cloud["secrets"]["radosgw_cephx"]
        users += [{"name": f"client.rgw.{name}", "key": key, "caps": caps} for name in gateways]
    return users
