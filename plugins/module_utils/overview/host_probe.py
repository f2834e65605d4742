# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Facts of a host, from /proc, /sys and one call of `ip`: one function for each fact."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import re
import select
import socket
import stat
import subprocess
import threading
import time

from ansible_collections.cairn.openstack.plugins.module_utils.host.bridge_setup import RECORD, ssh_connection
from ansible_collections.cairn.openstack.plugins.module_utils.host.packages import RECORD as PACKAGES
from ansible_collections.cairn.openstack.plugins.module_utils.host.units import load_stamps, systemctl
from ansible_collections.cairn.openstack.plugins.module_utils.overview.firewalls import firewalls
from ansible_collections.cairn.openstack.plugins.module_utils.storage import swift_facts
from ansible_collections.cairn.openstack.plugins.module_utils.storage.devices import physical_volumes, signatures
from ansible_collections.cairn.openstack.plugins.module_utils.storage.swift_rings import content
from ansible_collections.cairn.openstack.plugins.module_utils.storage.swift_rings import version as ring_version

CLOUD = "/etc/cairn/cloud.json"
RESOLVERS = ("/etc/resolv.conf", "/run/systemd/resolve/resolv.conf")
CLOUD_INIT = "/etc/cloud/cloud.cfg.d"
LISTEN = "0A"
ARP = 0x0806
IDENTITIES = ("/etc/machine-id", "/etc/iscsi/initiatorname.iscsi")
OSDS = "/var/lib/ceph/osd"
MOUNTS = "/proc/self/mounts"
FSTAB = "/etc/fstab"
BLOCK_DEVICES = "/sys/dev/block"
NETWORK = "/sys/class/net"
UNFINISHED = "half-installed|unpacked|half-configured|triggers-awaited|triggers-pending"


def identity(content: str) -> str:
    """Return the name in the content of a file, empty if there is none, or if the next start of the host makes one."""
    lines = [line.strip() for line in content.splitlines() if line.strip() and not line.startswith("#")]
    return "" if "GenerateName=yes" in lines or "uninitialized" in lines else " ".join(lines)


def text(path: str) -> str:
    """Return the text of a file, empty if it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def release() -> dict:
    """Return the id, version and codename of the distribution from /etc/os-release."""
    found = dict(line.split("=", 1) for line in text("/etc/os-release").splitlines() if "=" in line)
    keys = {"id": "ID", "version": "VERSION_ID", "codename": "VERSION_CODENAME"}
    return {key: found.get(name, "").strip("\"'") for key, name in keys.items()}


def fqdn(limit: float = 1.0) -> str:
    """Return the output of `hostname -f`, empty if the name does not resolve within *limit* seconds."""
    answer = []

    def ask() -> None:
        with contextlib.suppress(OSError):
            answer.append(socket.getaddrinfo(socket.gethostname(), None, flags=socket.AI_CANONNAME)[0][3])

    # An unresponsive resolver would take half a minute, and getaddrinfo has no timeout.
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(limit)
    return answer[0] if answer else ""


def unresolved(names: list[str], limit: float = 2.0) -> list[str]:
    """Return those of *names* that do not resolve within *limit* seconds, resolving all in parallel."""
    known = set()

    def ask(name: str) -> None:
        with contextlib.suppress(OSError, UnicodeError):
            socket.getaddrinfo(name, None)
            known.add(name)

    threads = [threading.Thread(target=ask, args=(name,), daemon=True) for name in names]
    for thread in threads:
        thread.start()
    until = time.monotonic() + limit
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
    return [name for name in names if name not in known]


def dns_servers() -> list[str]:
    """Return the DNS servers that the host asks, those of systemd-resolved if it asks that; without link-local ones."""
    for path in RESOLVERS:
        words = [line.split() for line in text(path).splitlines()]
        named = [line[1] for line in words if len(line) > 1 and line[0] == "nameserver"]
        found = []
        for name in named:
            with contextlib.suppress(ValueError):
                address = ipaddress.ip_address(name)
                if not (address.is_loopback or address.is_link_local or address.is_unspecified):
                    found.append(name)
        if found:
            return found
    return []


def memory_mb() -> int:
    """Return MemTotal in MiB."""
    found = re.search(r"^MemTotal:\s+(\d+)", text("/proc/meminfo"), re.MULTILINE)
    return int(found.group(1)) // 1024 if found else 0


def disk_free_mb(path: str = "/var/lib") -> int:
    """Return the free MiB for root's services under *path*."""
    found = os.statvfs(path)
    return found.f_bavail * found.f_frsize // 2**20


def disk_mb(path: str = "/var/lib") -> int:
    """Return the size in MiB of the file system of *path*."""
    found = os.statvfs(path)
    return found.f_blocks * found.f_frsize // 2**20


def speed(interface: str) -> int | None:
    """Return the speed of a network interface in Mbit/s; None without a link, and of most virtual ones."""
    # The kernel refuses to read it of some, and returns -1 of others.
    found = text(f"{NETWORK}/{interface}/speed").strip()
    return int(found) if found.isdigit() and int(found) else None


def _ip(*arguments: str) -> list[dict]:
    try:
        done = subprocess.run(["ip", "-j", *arguments], capture_output=True, text=True, check=True, timeout=10)
        return json.loads(done.stdout or "[]")
    except (OSError, subprocess.SubprocessError, ValueError):
        return []


def interfaces() -> dict[str, dict]:
    """Return name → {mac, mtu, speed, up, addresses as CIDR without link-local ones, kind}.

    The kind is the kernel's (veth, bridge, bond, vlan, tun, openvswitch, …), ``loopback``, or ``physical``.
    """
    answer = {}
    for link in _ip("-d", "address", "show"):
        loopback = link.get("link_type") == "loopback"
        answer[link["ifname"]] = {
            "mac": link.get("address", ""),
            "mtu": link["mtu"],
            "speed": speed(link["ifname"]),
            "up": "UP" in link["flags"],
            "addresses": [
                f"{item['local']}/{item['prefixlen']}" for item in link["addr_info"] if item["scope"] != "link"
            ],
            "kind": "loopback" if loopback else link.get("linkinfo", {}).get("info_kind", "physical"),
        }
    return answer


def default_route() -> tuple[str, str]:
    """Return the interface and the gateway of the preferred IPv4 or else IPv6 default route; empty if none."""
    for family in ("-4", "-6"):
        routes = sorted(_ip(family, "route", "show", "default"), key=lambda route: route.get("metric", 0))
        for route in routes:
            if "dev" in route:
                return route["dev"], route.get("gateway", "")
    return "", ""


def hypervisor() -> dict:
    """Return whether guests can use kvm (a processor flag and a usable device) or qemu, and why."""
    flag = re.search(r"^flags\s*:.*\b(vmx|svm)\b", text("/proc/cpuinfo"), re.MULTILINE)
    if not flag and os.uname().machine in ("x86_64", "i686"):
        return {"type": "qemu", "why": "the processor shows neither the vmx nor the svm flag"}
    try:
        os.close(os.open("/dev/kvm", os.O_RDWR | os.O_CLOEXEC))
    except OSError as error:
        return {"type": "qemu", "why": f"/dev/kvm does not open: {error.strerror}"}
    return {"type": "kvm", "why": f"{flag.group(1) if flag else 'no flag needed'} and a /dev/kvm that opens"}


def ovs_datapath(record: dict | None) -> dict:
    """Return the datapath for Open vSwitch: `system` (in the kernel) or `netdev` (in user space), and why.

    A new kernel does not change existing bridges: the datapath in their *record* takes precedence.
    """
    if record:
        return {"type": record["datapath"], "why": "the existing bridges use it"}
    if os.path.isdir("/sys/module/openvswitch"):
        return {"type": "system", "why": "the kernel has openvswitch loaded"}
    kernel = os.uname().release
    for name, how in (("modules.builtin", "built in"), ("modules.dep", "as a module")):
        if re.search(r"/openvswitch\.ko", text(f"/lib/modules/{kernel}/{name}")):
            return {"type": "system", "why": f"kernel {kernel} has openvswitch {how}"}
    return {"type": "netdev", "why": f"kernel {kernel} has no openvswitch module, neither loaded nor in /lib/modules"}


def _address(word: str) -> tuple[str, int]:
    """Decode the kernel's ADDRESS:PORT, hexadecimal and in 32-bit words of the host's byte order."""
    host, port = word.split(":")
    raw = b"".join(bytes.fromhex(host[start : start + 8])[::-1] for start in range(0, len(host), 8))
    return str(ipaddress.ip_address(raw)), int(port, 16)


def _unit(pid: str) -> str:
    """Return the systemd unit of a process, empty if there is none."""
    found = re.findall(r"/([^/\n]+\.(?:service|scope))(?=/|$)", text(f"/proc/{pid}/cgroup"), re.MULTILINE)
    return found[-1] if found else ""


def _target(link: str) -> str:
    """Return the target of *link*, empty if it no longer exists, as connections may close at any time."""
    try:
        return os.readlink(link)
    except FileNotFoundError:
        return ""


def listening() -> list[dict]:
    """Return the TCP listeners: {address, port, protocol, process, unit}; the last two may be empty for the kernel."""
    found = {}
    for protocol in ("tcp", "tcp6"):
        for line in text(f"/proc/net/{protocol}").splitlines()[1:]:
            words = line.split()
            if words[3] == LISTEN:
                address, port = _address(words[1])
                found[f"socket:[{words[9]}]"] = {
                    "address": address,
                    "port": port,
                    "protocol": protocol,
                    "process": "",
                    "unit": "",
                }
    left = set(found)
    for pid in filter(str.isdigit, os.listdir("/proc")):
        if not left:
            break
        try:
            with os.scandir(f"/proc/{pid}/fd") as files:
                sockets = {_target(file.path) for file in files} & left
        except OSError:  # the process has ended, or belongs to the kernel
            continue
        for one in sockets:
            found[one].update(process=text(f"/proc/{pid}/comm").strip(), unit=_unit(pid))
        left -= sockets
    return sorted(found.values(), key=lambda item: (item["port"], item["address"]))


def _arp(nic: str, mac: str, own: str, wanted: str, limit: float) -> str:
    """Return the MAC address that replies for *wanted* on the NIC's link within *limit* seconds, or empty.

    Sends ARP requests itself, as the kernel's neighbour table may be outdated.
    """
    sender = bytes.fromhex(mac.replace(":", "")) + socket.inet_aton(own)
    frame = b"\xff" * 6 + sender[:6] + ARP.to_bytes(2, "big") + bytes.fromhex("0001080006040001") + sender
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ARP)) as wire:
        wire.bind((nic, ARP))
        wire.send(frame + bytes(6) + socket.inet_aton(wanted))
        until = time.monotonic() + limit
        while select.select([wire], [], [], max(0.0, until - time.monotonic()))[0]:
            answer = wire.recv(64)
            if answer[20:22] == b"\0\x02" and answer[28:32] == socket.inet_aton(wanted):
                return answer[22:28].hex(":")
    return ""


def neighbours(addresses: list[str], links: dict[str, dict], limit: float = 0.5) -> dict[str, str]:
    """Return those of *addresses* that another host uses, with its MAC address.

    Without the host's own addresses, and those outside of its networks.

    :param links: as returned by ``interfaces``.
    """
    answer = {}
    held = {one.split("/")[0] for link in links.values() for one in link["addresses"]}
    for address in addresses:
        for nic, link in links.items():
            own = [ipaddress.ip_interface(one) for one in link["addresses"] if ":" not in one]
            near = next((one for one in own if ipaddress.ip_address(address) in one.network), None)
            if near and address not in held and link["kind"] != "loopback":
                with contextlib.suppress(OSError, ValueError):
                    if mac := _arp(nic, link["mac"], str(near.ip), address, limit):
                        answer[address] = mac
    return answer


def _osd(path: str) -> bool:
    """Whether the device has data of a Ceph daemon of this host."""
    label = [""]
    with contextlib.suppress(OSError), open(path, "rb") as file:
        label = file.read(60).decode(errors="replace").split("\n")
    if label[0] != "bluestore block device":
        return False
    return any(text(f"{OSDS}/{name}/fsid").strip() == label[1] for name in _names(OSDS))


def _names(directory: str) -> list[str]:
    try:
        return os.listdir(directory)
    except FileNotFoundError:
        return []


def _number(path: str) -> str:
    """Return what a device or file is, whatever its name: major:minor of a block device, else file system and inode."""
    found = os.stat(path)
    if stat.S_ISBLK(found.st_mode):
        return f"{os.major(found.st_rdev)}:{os.minor(found.st_rdev)}"
    return f"{os.major(found.st_dev)}:{os.minor(found.st_dev)}/{found.st_ino}"


def _beneath(number: str) -> set[str]:
    """Return the numbers of all that a block device lies on: the disk of a partition, disks of a mapping, a file."""
    place = os.path.realpath(f"{BLOCK_DEVICES}/{number}")
    found = {text(f"{place}/slaves/{name}/dev").strip() for name in _names(f"{place}/slaves")}
    if os.path.exists(f"{place}/partition"):
        found.add(text(f"{os.path.dirname(place)}/dev").strip())
    with contextlib.suppress(OSError):
        if backing := text(f"{place}/loop/backing_file").strip():
            found.add(_number(backing))
    return found.union(*(_beneath(one) for one in found if "/" not in one))


def _size_mb(path: str) -> int:
    """Return the size of a device or file in MiB; 0 if it does not open, such as a drive without a medium."""
    with contextlib.suppress(OSError), open(path, "rb") as file:
        return file.seek(0, os.SEEK_END) // 2**20
    return 0


def devices(paths: list[str]) -> dict[str, dict]:
    """Return the state of *paths*: {kind, size_mb, real, number, beneath, holds, owner, group, mounted}.

    The kind is ``block``, ``file``, ``missing`` or ``directory``; real is the path without links; the number is empty
    for what is missing; beneath are the numbers of what a block device lies on. Holds is empty if nothing is found; the
    owner is ``ceph`` or ``swift`` if one of them uses it, even if a Swift disk is not mounted. The group is the LVM
    volume group, empty for a physical volume in none, and None for anything else.
    """
    mounts, table = ([line.split() for line in text(path).splitlines()] for path in (MOUNTS, FSTAB))
    node = f"{swift_facts.DIRECTORY}/"
    places = {os.path.realpath(words[0]) for words in table if len(words) > 1 and words[1].startswith(node)}
    groups = physical_volumes() if paths else {}
    answer = {}
    for path in paths:
        real = os.path.realpath(path)
        found = {"kind": "missing", "holds": "", "owner": "", "group": None, "mounted": ""}
        found.update(real=real, size_mb=0, number="", beneath=[])
        if os.path.exists(path):
            found["number"] = _number(path)
            mode = os.stat(path).st_mode
            kinds = ((stat.S_ISBLK, "block"), (stat.S_ISREG, "file"), (stat.S_ISDIR, "directory"))
            found["kind"] = next((kind for fits, kind in kinds if fits(mode)), "special file")
        if found["kind"] == "block":
            found["beneath"] = sorted(_beneath(found["number"]))
        if found["kind"] in ("block", "file"):
            found["size_mb"] = _size_mb(path)
            found["holds"] = signatures(path)
            found["group"] = groups.get(real)
            found["mounted"] = next((words[1] for words in mounts if os.path.realpath(words[0]) == real), "")
            if found["mounted"].startswith(node) or (found["holds"] == "xfs" and real in places):
                found["owner"] = "swift"
            elif found["holds"]:
                found["owner"] = "ceph" if _osd(path) else ""
        answer[path] = found
    return answer


def volume_groups() -> list[str]:
    """Return the names of the volume groups, none without LVM."""
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        done = subprocess.run(["vgs", "--noheadings", "-o", "vg_name"], capture_output=True, text=True, check=True)
        return done.stdout.split()
    return []


def rings(directory: str = "/etc/swift") -> dict[str, int]:
    """Return the versions of the host's Swift rings by name."""
    names = [name.removesuffix(".ring.gz") for name in _names(directory) if name.endswith(".ring.gz")]
    return {name: ring_version(content(f"{directory}/{name}.ring.gz")) for name in sorted(names)}


def unfinished_packages(status: str) -> list[str]:
    """Return the packages whose installation was interrupted, from the text of dpkg's *status* file."""
    return re.findall(
        rf"^Package: (\S+)\nStatus: (?:\S+ reinstreq \S+|\S+ \S+ (?:{UNFINISHED}))$", status, re.MULTILINE
    )


def bridges() -> dict | None:
    """Return the record of M(cairn.openstack.ovs_bridges) on the host, or None."""
    content = text(RECORD)
    return json.loads(content) if content else None


def cloud() -> dict | None:
    """Return the host's record of its cloud, None if it belongs to none."""
    content = text(CLOUD)
    return json.loads(content) if content else None


def unconfigured_units() -> list[str]:
    """Return the services that are running or will be started by the current boot, but were never started by a run."""
    bare = "--plain", "--no-legend", "--full"
    running = systemctl("list-units", "--type=service", "--state=active,reloading,activating", *bare).stdout
    queued = [line.split() for line in systemctl("list-jobs", *bare).stdout.splitlines()]
    names = {line.split()[0] for line in running.splitlines()} | {job[1] for job in queued if job[2] == "start"}
    return sorted({name.removesuffix(".service") for name in names if name.endswith(".service")} - load_stamps().keys())


def probe(
    now: float,
    names: list[str] = (),
    addresses: list[str] = (),
    operator_time: float | None = None,
    storage: list[str] = (),
) -> dict:
    """Return all facts of this host.

    :param now: seconds since the epoch, by this host's clock.
    :param names: names to resolve.
    :param addresses: IPv4 addresses to probe by ARP.
    :param operator_time: the same time, by the clock of the control node.
    :param storage: paths of devices.
    """
    record, member = bridges(), cloud()
    device, gateway = default_route()
    links = interfaces()
    ssh = ssh_connection()
    return {
        "release": release(),
        "architecture": os.uname().machine,
        "hostname": socket.gethostname(),
        "fqdn": fqdn(),
        "cpus": len(os.sched_getaffinity(0)),
        "memory_mb": memory_mb(),
        "disk_free_mb": disk_free_mb(),
        "disk_mb": disk_mb(),
        "time": now,
        "clock_offset": None if operator_time is None else round(now - operator_time, 1),
        "init": "systemd" if os.path.isdir("/run/systemd/system") else text("/proc/1/comm").strip(),
        "interfaces": links,
        "default_interface": device,
        "default_gateway": gateway,
        "connection_address": ssh.get("address", ""),
        "connection_client": ssh.get("client", ""),
        "connection_port": int(ssh.get("port", 0)),
        "hypervisor": hypervisor(),
        "ovs_datapath": ovs_datapath(record),
        # A container may see the kernel's AppArmor, but not its profiles: nothing is confined there.
        "apparmor": os.path.exists("/sys/kernel/security/apparmor/profiles"),
        "dns_servers": dns_servers(),
        "has_cloud_init": os.path.isdir(CLOUD_INIT),
        "listening": listening(),
        "firewalls": firewalls(),
        "unconfigured_units": unconfigured_units(),
        "unfinished_packages": unfinished_packages(text("/var/lib/dpkg/status")),
        "unresolved": unresolved(names),
        "neighbours": neighbours(addresses, links),
        "devices": devices(storage),
        "volume_groups": volume_groups(),
        "rings": rings(),
        "bridges": record,
        "cloud": member,
        "first_run": member is None and not os.path.exists(PACKAGES),
        "identities": {path: found for path in IDENTITIES if (found := identity(text(path)))},
        "boot_id": text("/proc/sys/kernel/random/boot_id").strip(),
    }
