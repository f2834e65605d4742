# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a host is and can do, read from /proc, /sys and one call of `ip`: each function answers one question."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import re
import socket
import subprocess
import threading

from ansible_collections.cairn.openstack.plugins.module_utils.bridges_host import RECORD, ssh_address

LISTEN = "0A"
UNFINISHED = "half-installed|unpacked|half-configured|triggers-awaited|triggers-pending"


def text(path: str) -> str:
    """Return a file's text, empty where it can't be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def release() -> dict:
    """Return the distribution's id, version and codename, as /etc/os-release has them."""
    found = dict(line.split("=", 1) for line in text("/etc/os-release").splitlines() if "=" in line)
    keys = {"id": "ID", "version": "VERSION_ID", "codename": "VERSION_CODENAME"}
    return {key: found.get(name, "").strip("\"'") for key, name in keys.items()}


def fqdn(limit: float = 1.0) -> str:
    """Return what `hostname -f` would print, empty where the name does not resolve within *limit* seconds."""
    answer = []

    def ask() -> None:
        with contextlib.suppress(OSError):
            answer.append(socket.getaddrinfo(socket.gethostname(), None, flags=socket.AI_CANONNAME)[0][3])

    # A resolver that does not answer would cost half a minute, and getaddrinfo knows no time-out.
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(limit)
    return answer[0] if answer else ""


def memory_mb() -> int:
    """Return MemTotal in MiB."""
    found = re.search(r"^MemTotal:\s+(\d+)", text("/proc/meminfo"), re.MULTILINE)
    return int(found.group(1)) // 1024 if found else 0


def disk_free_mb(path: str = "/var/lib") -> int:
    """Return the MiB that root's services may still write under *path*."""
    found = os.statvfs(path)
    return found.f_bavail * found.f_frsize // 2**20


def _ip(*arguments: str) -> list[dict]:
    try:
        done = subprocess.run(["ip", "-j", *arguments], capture_output=True, text=True, check=True, timeout=10)
        return json.loads(done.stdout or "[]")
    except (OSError, subprocess.SubprocessError, ValueError):
        return []


def interfaces() -> dict[str, dict]:
    """Return name → {mac, mtu, up, addresses as CIDR without link-local ones, kind}.

    The kind is the kernel's word (veth, bridge, bond, vlan, tun, openvswitch, …), ``loopback``, or ``physical``.
    """
    answer = {}
    for link in _ip("-d", "address", "show"):
        loopback = link.get("link_type") == "loopback"
        answer[link["ifname"]] = {
            "mac": link.get("address", ""),
            "mtu": link["mtu"],
            "up": "UP" in link["flags"],
            "addresses": [
                f"{item['local']}/{item['prefixlen']}" for item in link["addr_info"] if item["scope"] != "link"
            ],
            "kind": "loopback" if loopback else link.get("linkinfo", {}).get("info_kind", "physical"),
        }
    return answer


def default_route() -> tuple[str, str]:
    """Return the interface and the gateway of the preferred IPv4 default route, or else of IPv6's; empty if none."""
    for family in ("-4", "-6"):
        routes = sorted(_ip(family, "route", "show", "default"), key=lambda route: route.get("metric", 0))
        for route in routes:
            if "dev" in route:
                return route["dev"], route.get("gateway", "")
    return "", ""


def hypervisor() -> dict:
    """Say whether guests can run on kvm: the processor's flag and a device that opens, or else qemu, and why."""
    flag = re.search(r"^flags\s*:.*\b(vmx|svm)\b", text("/proc/cpuinfo"), re.MULTILINE)
    if not flag and os.uname().machine in ("x86_64", "i686"):
        return {"type": "qemu", "why": "the processor shows neither the vmx nor the svm flag"}
    try:
        os.close(os.open("/dev/kvm", os.O_RDWR | os.O_CLOEXEC))
    except OSError as error:
        return {"type": "qemu", "why": f"/dev/kvm does not open: {error.strerror}"}
    return {"type": "kvm", "why": f"{flag.group(1) if flag else 'no flag needed'} and a /dev/kvm that opens"}


def ovs_datapath(record: dict | None) -> dict:
    """Say which datapath Open vSwitch can have: `system` (in the kernel) or `netdev` (in user space), and why.

    What stands is not changed by a kernel that was since replaced: the *record* of bridges made before wins.
    """
    if record:
        return {"type": record["datapath"], "why": "the bridges that were made before have it"}
    if os.path.isdir("/sys/module/openvswitch"):
        return {"type": "system", "why": "the kernel has openvswitch loaded"}
    kernel = os.uname().release
    for name, how in (("modules.builtin", "built in"), ("modules.dep", "as a module")):
        if re.search(r"/openvswitch\.ko", text(f"/lib/modules/{kernel}/{name}")):
            return {"type": "system", "why": f"kernel {kernel} has openvswitch {how}"}
    return {"type": "netdev", "why": f"kernel {kernel} has no openvswitch, neither loaded nor in /lib/modules"}


def _address(word: str) -> tuple[str, int]:
    """Decode the kernel's ADDRESS:PORT, hexadecimal and in 32-bit words of the host's byte order."""
    host, port = word.split(":")
    raw = b"".join(bytes.fromhex(host[start : start + 8])[::-1] for start in range(0, len(host), 8))
    return str(ipaddress.ip_address(raw)), int(port, 16)


def listening() -> list[dict]:
    """Return the TCP listeners: {address, port, protocol, process}; the process is empty for the kernel's own."""
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
                }
    left = set(found)
    for pid in filter(str.isdigit, os.listdir("/proc")):
        if not left:
            break
        try:
            with os.scandir(f"/proc/{pid}/fd") as files:
                sockets = {os.readlink(file.path) for file in files} & left
        except OSError:  # the process is gone, or is the kernel's
            continue
        for one in sockets:
            found[one]["process"] = text(f"/proc/{pid}/comm").strip()
        left -= sockets
    return sorted(found.values(), key=lambda item: (item["port"], item["address"]))


def unfinished_packages(status: str) -> list[str]:
    """Return the packages whose installation was broken off, from the text of dpkg's *status* file."""
    return re.findall(
        rf"^Package: (\S+)\nStatus: (?:\S+ reinstreq \S+|\S+ \S+ (?:{UNFINISHED}))$", status, re.MULTILINE
    )


def bridges() -> dict | None:
    """Return the record that M(cairn.openstack.ovs_bridges) keeps on the host, None where it made none."""
    content = text(RECORD)
    return json.loads(content) if content else None


def probe(now: float) -> dict:
    """Return everything about this host at *now*, the seconds since the epoch."""
    record = bridges()
    device, gateway = default_route()
    return {
        "release": release(),
        "architecture": os.uname().machine,
        "hostname": socket.gethostname(),
        "fqdn": fqdn(),
        "cpus": len(os.sched_getaffinity(0)),
        "memory_mb": memory_mb(),
        "disk_free_mb": disk_free_mb(),
        "time": now,
        "init": "systemd" if os.path.isdir("/run/systemd/system") else text("/proc/1/comm").strip(),
        "interfaces": interfaces(),
        "default_interface": device,
        "default_gateway": gateway,
        "connection_address": ssh_address(),
        "hypervisor": hypervisor(),
        "ovs_datapath": ovs_datapath(record),
        "listening": listening(),
        "unfinished_packages": unfinished_packages(text("/var/lib/dpkg/status")),
        "bridges": record,
        "machine_id": text("/etc/machine-id").strip(),
        "boot_id": text("/proc/sys/kernel/random/boot_id").strip(),
    }
