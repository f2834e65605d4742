# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Files, units, packages and kernel settings."""

from __future__ import annotations

import fnmatch
import grp
import os
import pwd
import stat

from ansible_collections.cairn.openstack.plugins.module_utils.testing.host_baseline.run import digest, read

Objects = dict[str, dict[str, str]]

ROOTS = (
    "/etc",
    "/usr/sbin/policy-rc.d",
    "/usr/local",
    "/var/lib/nova/compute_id",
    "/var/lib/nova/.ssh",
    "/var/lib/rabbitmq/.erlang.cookie",
    "/var/spool/cron",
)
# Files that change without a change of the configuration.
PASSING = (
    "/etc/.pwd.lock",
    "/etc/adjtime",
    "/etc/ld.so.cache",
    "/etc/mtab",
    "/etc/resolv.conf",
    "/etc/apt/*.lock",
    "/etc/apparmor.d/cache*",
    "/etc/libvirt/qemu/*.xml",  # guests
    "/etc/libvirt/qemu/autostart/*",
    "/etc/apparmor.d/libvirt/libvirt-*",  # guests
    "/etc/openvswitch/conf.db*",  # read by ovs-vsctl instead
    "/etc/openvswitch/.conf.db*",
)
# Units that start and stop with sessions or on demand. Units started by timers are found by TriggeredBy.
PASSING_UNITS = (
    "autovt@*",
    "container-getty@*",
    "getty@*",
    "modprobe@*",
    "ssh@*",
    "sshd@*",
    "sshd-unix-local*",
    "systemd-ask-password*",
    "systemd-coredump@*",
    "systemd-hostnamed.*",
    "systemd-localed.*",
    "systemd-machined.service",  # started on demand for guests
    "systemd-timedated.*",
    "systemd-userdb*",
    "user-runtime-dir@*",
    "user@*",
    "run-*",
)
# Kernel settings that the hosts of a cloud need.
SETTINGS = (
    "kernel/hostname",
    "net/bridge/bridge-nf-call-iptables",
    "net/ipv4/conf/all/rp_filter",
    "net/ipv4/conf/default/rp_filter",
    "net/ipv4/ip_forward",
    "net/ipv4/ip_nonlocal_bind",
    "net/ipv4/neigh/default/gc_thresh3",
    "net/ipv6/conf/all/disable_ipv6",
    "net/ipv6/conf/all/forwarding",
)


def _passing(path: str) -> bool:
    return any(fnmatch.fnmatchcase(path, pattern) for pattern in PASSING)


def _walk(root: str):
    yield root
    for directory, directories, names in os.walk(root):
        yield from (os.path.join(directory, name) for name in [*directories, *names])


def _file(path: str) -> dict[str, str]:
    found = os.lstat(path)
    try:
        owner = pwd.getpwuid(found.st_uid).pw_name
    except KeyError:
        owner = str(found.st_uid)
    try:
        group = grp.getgrgid(found.st_gid).gr_name
    except KeyError:
        group = str(found.st_gid)
    result = {"mode": f"{stat.S_IMODE(found.st_mode):04o}", "owner": f"{owner}:{group}"}
    if stat.S_ISLNK(found.st_mode):
        return {"link": os.readlink(path), "owner": result["owner"]}
    if stat.S_ISDIR(found.st_mode):
        return {"kind": "directory", **result}
    if stat.S_ISREG(found.st_mode):
        with open(path, "rb") as file:
            return {"content": digest(file.read()), **result}
    return {"kind": "special", **result}


def files() -> Objects:
    """Return all files below the roots with digest, mode and owner."""
    result = {}
    for root in ROOTS:
        for path in _walk(root):
            if _passing(path):
                continue
            try:
                result[path] = _file(path)
            except FileNotFoundError:
                continue
    return result


def comes_and_goes(name: str) -> bool:
    """Whether the unit *name* runs only temporarily, for sessions or on demand."""
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in PASSING_UNITS)


def units() -> Objects:
    """Return all service, socket, timer, path and mount units: state, invocation, and whether enabled.

    For units started by timers, only whether enabled.
    """
    kinds = "--type=service,socket,timer,path"
    # systemctl puts a dot before a failed unit.
    loaded = read("systemctl", "list-units", "--all", "--plain", "--no-legend", kinds)
    known = read("systemctl", "list-unit-files", "--plain", "--no-legend", kinds)
    result = {}
    names = {line.split()[0] for line in loaded.splitlines() if line.strip()}
    for line in known.splitlines():
        name, state = line.split()[:2]
        if name.partition(".")[0].endswith("@"):
            result[name] = {"at boot": state}
        else:
            names.add(name)
    asked = sorted(name for name in names if not comes_and_goes(name))
    properties = "Id,ActiveState,UnitFileState,InvocationID,TriggeredBy,StateChangeTimestampMonotonic"
    said = read("systemctl", "show", f"--property={properties}", *asked)
    for block in said.strip().split("\n\n"):
        unit = dict(line.split("=", 1) for line in block.splitlines())
        if comes_and_goes(unit["Id"]):  # it was listed by an alias
            continue
        found = {"at boot": unit.get("UnitFileState", "")}
        if ".timer" not in unit.get("TriggeredBy", ""):
            found["state"] = unit.get("ActiveState", "")
            if unit["Id"].endswith(".service"):
                found["started as"] = unit.get("InvocationID", "")
                if found["state"] == "active":
                    # A reload keeps the invocation, but changes the state briefly.
                    found["last changed"] = unit.get("StateChangeTimestampMonotonic", "")
        result[unit["Id"]] = found
    return result


def packages() -> Objects:
    """Return all packages known to dpkg, with version and status."""
    said = read("dpkg-query", "-W", "-f", "${binary:Package} ${Version} ${db:Status-Want} ${db:Status-Status}\n")
    result = {}
    for line in said.splitlines():
        name, version, wanted, status = ([*line.split(" "), "", "", ""])[:4]
        result[name] = {"version": version, "wanted": wanted, "status": status}
    return result


def kernel() -> Objects:
    """Return the kernel settings that a cloud needs."""
    result = {}
    for name in SETTINGS:
        try:
            with open(f"/proc/sys/{name}", encoding="ascii") as file:
                result[name.replace("/", ".")] = {"value": file.read().strip()}
        except FileNotFoundError:
            continue
    return result
