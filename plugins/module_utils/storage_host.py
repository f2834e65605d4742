# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What follows from the cloud's back ends for one host: what pages read as ``cloud.storage``."""

from __future__ import annotations

import ipaddress
import re
import uuid
from collections.abc import Mapping
from typing import Any

from ansible_collections.cairn.openstack.plugins.module_utils import storage

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
# Whose the volumes are that Cinder keeps of images: no project and no user of Keystone's, so nobody enters as them.
_NOBODY = uuid.uuid5(uuid.NAMESPACE_DNS, "cinder.cairn.internal").hex

NO_CEPH = {
    "name": None,
    "member": False,
    "monitor": False,
    "serves": [],
    "keys": dict.fromkeys(CLIENTS, ""),
    "volumes_secret": "",
    "ephemeral_secret": "",
}


def of_host(setting: Any, hosts: Mapping[str, Host], me: Host, cloud: Mapping[str, Any]) -> dict[str, Any]:
    """Return all that pages may ask of storage, for the host *me*.

    :param setting: ``cloud_storage``.
    :param hosts: as ``topology`` has them.
    :param cloud: ``name``, ``identity``, ``secrets``, ``playing`` (hosts of this run), ``keys`` (of a given Ceph),
        ``ca_file``, ``region`` and ``addresses`` (of this host's cards, with their prefixes).
    """
    found = storage.backends(setting, hosts)
    ceph = storage.of_kind(found, "ceph")
    result = {"backends": found, "ceph": _ceph(ceph, hosts, me, cloud) if ceph else NO_CEPH}
    volumes = [one for one in storage.serving(found, "volumes") if _runs_on(one, me)]
    result["here"] = sorted({one["kind"] for one in volumes})
    result["kinds"] = sorted({one["kind"] for one in storage.serving(found, "volumes")})
    result["groups"] = [
        {"name": one["volume_group"], "devices": [device["path"] for device in one["devices"][me["name"]]]}
        for one in found
        if one["kind"] == "lvm" and one["devices"].get(me["name"])
    ]
    servers = {one["share"].rsplit(":", 1)[0] for one in found if one["kind"] == "nfs"}
    result["exports"] = bool(servers & {me["name"], me["address"]})
    result["networks"] = sorted({network for one in volumes for network in one.get("networks", [])})
    result["multipath"] = any(one.get("networks") for one in found)
    result["cinder"] = _cinder(found, volumes, me, result["ceph"], cloud["addresses"])
    result["images"] = sorted({one["kind"] for one in storage.serving(found, "images")})
    result["glance"] = _glance(found, cloud)
    result["nova"] = _nova(result["ceph"], result["multipath"])
    result["backups"] = next((one["kind"] for one in storage.serving(found, "backups") if _runs_on(one, me)), None)
    # cinder-volume and cinder-backup have volumes here for a while, as guests have them on compute hosts.
    result["attaches"] = bool(result["here"] or result["backups"])
    result["default_type"] = next((one["type"] for one in storage.serving(found, "volumes")), None)
    return result


def _runs_on(one: storage.Backend, me: Host) -> bool:
    """Whether Cinder serves the back end *one* from the host: from where it is said to, or else from controllers."""
    # Hosts of Ceph and Swift have their disks; whoever asks them may be anywhere.
    if one["kind"] in ("lvm", "nfs") and one["hosts"]:
        return me["name"] in one["hosts"]
    return "controller" in me["groups"]


def within(addresses: list[str], networks: list[str]) -> list[str]:
    """Return those of a host's *addresses*, given with their prefixes, that are in one of the *networks*."""
    found = [ipaddress.ip_interface(text).ip for text in addresses]
    return [str(address) for address in found if any(address in ipaddress.ip_network(one) for one in networks)]


def _cinder(
    found: list[storage.Backend],
    volumes: list[storage.Backend],
    me: Host,
    ceph: Mapping[str, Any],
    addresses: list[str],
) -> dict[str, dict[str, Any]]:
    """Return the sections of cinder.conf that follow from the back ends."""
    sections: dict[str, dict[str, Any]] = {"DEFAULT": {"enabled_backends": [one["name"] for one in volumes]}}
    for one in volumes:
        name = one["name"]
        if one["kind"] == "ceph":
            options = {
                # All controllers are one to it: a volume is nobody's who may be away.
                "backend_host": name,
                "rbd_ceph_conf": "/etc/ceph/ceph.conf",
                "rbd_exclusive_cinder_pool": True,
                "rbd_pool": one["pools"]["volumes"],
                "rbd_secret_uuid": ceph["volumes_secret"],
                "rbd_user": "cinder",
                "report_discard_supported": True,
                "volume_driver": "cinder.volume.drivers.rbd.RBDDriver",
            }
        elif one["kind"] == "nfs":
            server, path = one["share"].rsplit(":", 1)
            options = {
                "backend_host": name,
                "nas_host": server,
                # As root, or the driver refuses to have snapshots, and does not start. What root makes the driver reads
                # as cinder, such as the list of a volume's snapshots.
                "nas_secure_file_operations": False,
                "nas_secure_file_permissions": False,
                "nas_share_path": path,
                "nfs_qcow2_volumes": True,
                "nfs_snapshot_support": True,
                "volume_driver": "cinder.volume.drivers.nfs.NfsDriver",
            }
        else:
            others = [other for other in within(addresses, one.get("networks", [])) if other != me["address"]]
            options = {
                "target_secondary_ip_addresses": others or None,
                "target_helper": "lioadm",
                "target_ip_address": me["address"],
                "volume_driver": "cinder.volume.drivers.lvm.LVMVolumeDriver",
                "volume_group": one["volume_group"],
            }
        sections[name] = {"volume_backend_name": name, **options}
        if one["image_cache"]:
            sections[name] |= {"image_volume_cache_enabled": True, "image_volume_cache_max_count": one["image_cache"]}
            sections["DEFAULT"] |= {
                "cinder_internal_tenant_project_id": _NOBODY,
                "cinder_internal_tenant_user_id": _NOBODY,
            }
    for one in storage.serving(found, "backups"):
        sections["DEFAULT"] |= _backup(one) if _runs_on(one, me) else {}
    return sections


def _backup(one: storage.Backend) -> dict[str, Any]:
    """Return how cinder-backup reaches the back end *one*."""
    if one["kind"] == "ceph":
        return {
            "backup_ceph_conf": "/etc/ceph/ceph.conf",
            "backup_ceph_pool": one["pools"]["backups"],
            "backup_ceph_user": "cinder-backup",
            "backup_driver": "cinder.backup.drivers.ceph.CephBackupDriver",
        }
    if one["kind"] == "nfs":
        # Whoever restores has a file of a backup in memory, twice; they would be of 1.9 GB.
        return {
            "backup_driver": "cinder.backup.drivers.nfs.NFSBackupDriver",
            "backup_file_size": 128 << 20,
            "backup_share": one["share"],
        }
    return {
        "backup_driver": "cinder.backup.drivers.swift.SwiftBackupDriver",
        "swift_catalog_info": "object-store:swift:internalURL",
    }


def _glance(found: list[storage.Backend], cloud: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the sections of glance-api.conf that follow from the back ends. The store fs stays for what is in it."""
    stores, sections, shown = ["fs:file"], {}, None
    for one in storage.serving(found, "images"):
        name = one["name"]
        if one["kind"] == "ceph":
            stores.append(f"{name}:rbd")
            # By it Cinder and Nova know that a clone will do.
            shown = True
            sections[name] = {
                "rbd_store_ceph_conf": "/etc/ceph/ceph.conf",
                "rbd_store_pool": one["pools"]["images"],
                "rbd_store_user": "glance",
                "rbd_thin_provisioning": True,
            }
        elif one["kind"] == "file":
            stores.append(f"{name}:file")
            sections[name] = {"filesystem_store_datadir": one.get("path", f"/var/lib/glance/{name}")}
        else:
            stores.append(f"{name}:swift")
            sections[name] = {
                "default_swift_reference": "service",
                "swift_store_cacert": cloud["ca_file"],
                "swift_store_config_file": "/etc/glance/glance-swift.conf",
                "swift_store_container": "glance",
                "swift_store_create_container_on_put": True,
                "swift_store_endpoint_type": "internalURL",
                "swift_store_region": cloud["region"],
            }
    # What is imported becomes raw where a volume, or a machine's disk, can be its clone.
    if shown:
        sections["image_import_opts"] = {"image_import_plugins": "[image_conversion]"}
        sections["image_conversion"] = {"output_format": "raw"}
    return {
        "DEFAULT": {"enabled_backends": stores, "show_image_direct_url": shown},
        "glance_store": {"default_backend": next(iter(stores[1:]), "fs").partition(":")[0]},
        **sections,
    }


def _nova(ceph: Mapping[str, Any], multipath: bool) -> dict[str, dict[str, Any]]:
    """Return the section of nova-compute.conf that says how volumes come, and puts machines' own disks onto Ceph."""
    options: dict[str, Any] = {"volume_use_multipath": True} if multipath else {}
    if "ephemeral" in ceph["serves"]:
        options |= {
            "disk_cachemodes": ["network=writeback"],
            "hw_disk_discard": "unmap",
            "images_rbd_ceph_conf": "/etc/ceph/ceph.conf",
            "images_rbd_glance_store_name": ceph["name"] if "images" in ceph["serves"] else None,
            "images_rbd_pool": ceph["pools"]["ephemeral"],
            "images_type": "rbd",
            "rbd_secret_uuid": ceph["ephemeral_secret"],
            "rbd_user": "nova",
        }
    return {"libvirt": options} if options else {}


def key_of(keyring: str) -> str:
    """Return the key in the text of a keyring, empty where there is none."""
    found = re.search(r"^\s*key\s*=\s*(\S+)", keyring, re.MULTILINE)
    return found[1] if found else ""


def _uuid(cloud: Mapping[str, Any], what: str) -> str:
    """Return an id that is this cloud's own and the same in every run."""
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{what} {cloud['identity']}"))


def _ceph(one: storage.Backend, hosts: Mapping[str, Host], me: Host, cloud: Mapping[str, Any]) -> dict[str, Any]:
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


def _conf(ceph: Mapping[str, Any], one: storage.Backend, me: Host, cloud: Mapping[str, Any]) -> dict[str, Any]:
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


def _pools(one: storage.Backend, hosts: int) -> list[dict[str, Any]]:
    """Return the pools, copies on different hosts where as many *hosts* give devices."""
    pools = [(one["pools"][use], "rbd") for use in storage.POOLS if use in one["serves"]]
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
    ceph: Mapping[str, Any], one: storage.Backend, gateways: list[str], cloud: Mapping[str, Any]
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
