# Copyright (c) 2026 The Cairn authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A test host, and the paths of its files."""

from __future__ import annotations

import hashlib
import ipaddress
import json
import os
import re
from dataclasses import dataclass, field

from ansible_collections.cairn.openstack.plugins.module_utils.testing.lab.run import LabError, read

SEGMENTS = ("management", "tunnel", "external")
SHORT = {"management": "mgmt", "tunnel": "tun", "external": "ext"}
# Size of an emulated host's root, a sparse file.
ROOT_SIZE = "8G"
# If it exists, files can be used as disks of containers.
LOOP = "/dev/loop-control"


@dataclass(frozen=True)
class Nic:
    name: str
    segment: str
    mac: str
    outer: str
    altname: str
    bridge: str
    address: str | None = None
    gateway: str | None = None


@dataclass(frozen=True)
class Lab:
    """A lab: one directory, one prefix of names, one network per segment."""

    directory: str
    prefix: str = "cairn"
    networks: dict = field(default_factory=dict)

    def path(self, *parts):
        return os.path.join(self.directory, *parts)

    def bridge(self, segment):
        return f"{self.prefix}-{SHORT[segment]}"

    def network(self, segment):
        return ipaddress.ip_network(self.networks[segment])

    def gateway(self, segment):
        return str(self.network(segment)[1])

    def names(self):
        """Return all hosts on this computer, running or not."""
        try:
            return sorted(entry.name for entry in os.scandir(self.path("hosts")) if entry.is_dir())
        except FileNotFoundError:
            return []

    def bases(self):
        """Return the base trees in use by hosts and snapshots."""
        found = set()
        for top, depth in ((self.path("hosts"), 1), (self.path("snapshots"), 2)):
            for here, directories, files in os.walk(top):
                level = 0 if here == top else os.path.relpath(here, top).count(os.sep) + 1
                if "host.json" in files:
                    found.add(json.loads(read(os.path.join(here, "host.json")))["base"])
                if level >= depth:
                    directories.clear()
        return found


@dataclass(frozen=True)
class Host:
    lab: Lab
    name: str
    address: str = ""
    networks: tuple = SEGMENTS
    emulated: bool = False
    disks: tuple = ()
    memory: int = 2048

    def path(self, *parts):
        return self.lab.path("hosts", self.name, *parts)

    @property
    def namespace(self):
        return f"{self.lab.prefix}-{self.name}"

    @property
    def log(self):
        return self.lab.path("logs", f"{self.name}.log")

    def key(self, suffix=""):
        return self.lab.path("ssh", "hosts", self.name, f"ssh_host_ed25519_key{suffix}")

    def images(self):
        """The disks of the host: names of files, with their sizes. The first one of an emulated host is its root."""
        root = {"root.img": ROOT_SIZE} if self.emulated else {}
        return root | {f"disk{number}.img": size for number, size in enumerate(self.disks, 1)}

    def parts(self):
        """The files and directories with all data of a host, which a snapshot saves."""
        return [*([] if self.emulated else ["upper"]), *self.images()]

    def exists(self):
        return os.path.exists(self.path("host.json"))

    def check(self):
        """Check the host before anything is created."""
        if not re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", self.name):
            raise LabError(f"{self.name}: the name of a host must have only lowercase letters, digits and hyphens")
        wrong = [name for name in self.networks if name not in SEGMENTS]
        if wrong or not self.networks:
            raise LabError(f"{self.name}: lab_networks must be a list from {', '.join(SEGMENTS)}; not {wrong}")
        if self.disks and not self.emulated and not os.path.exists(LOOP):
            raise LabError(f"{self.name}: this computer has no {LOOP}: lab_disks needs lab_emulated here")
        for size in self.disks:
            if not re.fullmatch(r"[1-9][0-9]*[MGT]", size):
                raise LabError(f"{self.name}: lab_disks must be a list of sizes such as 4G; not {size}")
        first = self.networks[0]
        try:
            fits = ipaddress.ip_address(self.address) in self.lab.network(first)
        except ValueError as error:
            raise LabError(f"{self.name}: ansible_host must be an address in {first}, not '{self.address}'") from error
        if not fits or self.address == self.lab.gateway(first):
            raise LabError(
                f"{self.name}: ansible_host {self.address} must be in {self.lab.network(first)}"
                f" ({first}) and not {self.lab.gateway(first)}, which the computer has"
            )

    def address_on(self, segment):
        """The first NIC has ansible_host, that of the tunnel the same last octets, external none, owned by a bridge."""
        if segment == self.networks[0]:
            return self.address
        if segment == "external":
            return None
        own, other = self.lab.network(self.networks[0]), self.lab.network(segment)
        number = int(ipaddress.ip_address(self.address)) - int(own.network_address)
        return str(other[number % other.num_addresses])

    def nics(self):
        digest = hashlib.sha256(self.name.encode()).hexdigest()
        found = []
        for number, segment in enumerate(self.networks):
            address = self.address_on(segment)
            found.append(
                Nic(
                    name=f"eth{number}",
                    segment=segment,
                    # Fixed, as neighbours would otherwise need seconds to find a rebooted host.
                    mac="02:" + ":".join(digest[i : i + 2] for i in range(0, 8, 2)) + f":{number:02x}",
                    # An interface's name has 15 characters, a host's has 63: the whole name is the altname.
                    outer=f"{self.lab.prefix}-{digest[:7]}{number}"[:15],
                    altname=f"{self.lab.prefix}-{self.name}-eth{number}",
                    bridge=self.lab.bridge(segment),
                    address=f"{address}/{self.lab.network(segment).prefixlen}" if address else None,
                    gateway=self.lab.gateway(segment) if number == 0 else None,
                )
            )
        return found
