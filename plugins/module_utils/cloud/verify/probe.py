# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Use of a server: ping and ssh. The same code runs on the control node and on a controller."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from functools import partial

from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify import icmp, optional, volume
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify.checks import (
    Bad,
    Check,
    NotRun,
    Result,
    perform_all,
    poll,
)
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify.run import TENANT, VLAN

METADATA = "http://169.254.169.254/openstack/latest/meta_data.json"
# Seconds per attempt; the timeouts in the options are for all attempts together.
PING, CONNECT, COMMAND = 2, 10, 90
# Exit code of ssh if it cannot log in.
NO_SSH = 255
OPTIONS = (
    *("-F", "none", "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-o", "LogLevel=ERROR"),
    *("-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", f"ConnectTimeout={CONNECT}"),
)


def ping(address: str, seconds: float) -> bool:
    """Return whether an address responds within that time.

    :raises NotRun: this user may not ping.
    """
    try:
        return bool(poll(lambda: icmp.ping(address, PING), seconds, 0))
    except PermissionError as error:
        raise NotRun("this user may not ping from this host") from error


def run(command: list[str], seconds: float) -> subprocess.CompletedProcess:
    """Run a command; after the timeout its exit code is 124, as with timeout(1)."""
    try:
        return subprocess.run(
            command, check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 124, "", f"timeout after {seconds} s")


def ssh(key: str, user: str, address: str, by: str = "") -> list[str]:
    """Return the ssh command, to which a remote command can be added.

    :param key: path of the private key.
    :param by: address of a server to use as a proxy.
    """
    command = ["ssh", "-i", key, *OPTIONS]
    if by:
        proxy = shlex.join([*ssh(key, user, by)[:-1], "-W", f"[{address}]:22", f"{user}@{by}"])
        command += ["-o", f"ProxyCommand={proxy}"]
    return [*command, f"{user}@{address}"]


@dataclass
class Probe:
    """The servers of a run, used from outside.

    :param key: path of the private key.
    :param made: the objects created by the checks, from the module.
    :param options: timeouts in seconds, name of the user, URL to fetch.
    """

    key: str
    made: dict
    options: dict
    neighbours: list[dict] = field(init=False)
    vlan: list[dict] = field(init=False)

    def __post_init__(self):
        self.guest, *self.neighbours = [m for m in self.made["servers"] if m["network"] == TENANT] or [None]
        self.vlan = [m for m in self.made["servers"] if m["network"] == VLAN]

    def checks(self) -> list[Check]:
        """Return the checks in the order of the table."""
        path = ("neutron", "openvswitch")
        nodes = ("network", "compute")
        ready = ("floating IP",)
        return [
            Check("ping", self.pinged, ready, services=path, groups=nodes),
            Check("ssh", self.logged_in, ready, services=(*path, "nova"), groups=("controller", *nodes)),
            Check("metadata", self.metadata, ("ssh",), services=("neutron", "nova"), groups=("controller", *nodes)),
            Check("server to server", self.neighbourly, ("ssh", "other servers"), services=path, groups=nodes),
            Check("VLAN to VLAN", self.across_vlan, ("ssh", "VLAN servers"), services=path, groups=nodes),
            Check("outbound by SNAT", self.world, ("ssh", "other servers"), services=path, groups=nodes),
            Check(
                "volume written",
                partial(self.written, "volume"),
                ("ssh", "volume"),
                services=("nova", "cinder", "ceph"),
                groups=volume.STORES,
            ),
            *(check for service in optional.of(self.options["services"]) for check in service.written(self)),
        ]

    def copies(self) -> list[Check]:
        """Return the checks of copies of the written data, and of what else was changed meanwhile."""
        return [
            Check(
                f"{name} read",
                partial(self.same, name, size),
                (f"volume {made}",),
                services=("cinder", "ceph"),
                groups=volume.STORES,
            )
            for name, made, size in ((volume.CLONE, "clone", volume.LARGER), (volume.RESTORED, "backup", volume.SIZE))
        ] + [check for service in optional.of(self.options["services"]) for check in service.read(self)]

    def pinged(self) -> str:
        """Ping the floating IP address."""
        if not ping(self.made["floating_address"], self.options["ping_timeout"]):
            raise self.bad(f"no reply from {self.made['floating_address']} within {self.options['ping_timeout']} s")
        return self.made["floating_address"]

    def logged_in(self) -> str:
        """Log in with the key, as soon as the server accepts it."""
        if not shutil.which("ssh"):
            raise NotRun("ssh is not installed on this host")
        last = ""

        def attempt():
            nonlocal last
            done = run([*ssh(self.key, self.options["user"], self.made["floating_address"]), "id -un"], CONNECT + 20)
            last = done.stderr.strip() or f"exit status {done.returncode}"
            return done.stdout.strip()

        user = poll(attempt, self.options["ssh_timeout"], 2)
        if not user:
            raise self.bad(f"no login within {self.options['ssh_timeout']} s: {last}")
        return f"{user}@{self.made['floating_address']}"

    def metadata(self) -> str:
        """Compare the metadata in the server with its real id and name."""
        told = json.loads(self.within(f"curl -sf {METADATA} || wget -q -O - {METADATA}"))
        if told["uuid"] != self.guest["id"]:
            raise self.bad(f"metadata returned server UUID {told['uuid']}, expected {self.guest['id']}")
        name = self.within("hostname")
        if name.split(".")[0] != self.guest["name"]:
            raise self.bad(f"the server has the host name {name}, expected {self.guest['name']}")
        return name

    def neighbourly(self) -> str:
        """Ping the other servers from the first one."""
        return self.pings(self.guest, self.neighbours)

    def across_vlan(self) -> str:
        """Ping the VLAN servers from each other, and from the first server through the router."""
        ways = [self.pings(self.guest, self.vlan)]
        if len(self.vlan) > 1:
            ways.append(self.pings(self.vlan[0], self.vlan[1:]))
        return "; ".join(ways)

    def world(self) -> str:
        """Use the external network from a server without a floating IP address."""
        if not self.neighbours:
            raise NotRun("every server has a floating IP address")
        guest, url = self.neighbours[0], self.options["world_url"]
        if url:
            target = shlex.quote(url)
            self.within(f"curl -sfk -o /dev/null {target} || wget -q -O /dev/null {target}", guest)
            return f"{guest['address']} -> {url}"
        if not self.made["gateway"]:
            raise NotRun("the external network has no gateway, and verify_world_url is not set")
        return self.pings(guest, [{"address": self.made["gateway"], "host": "the external gateway"}])

    def written(self, name: str) -> str:
        """Write to a volume, and sync it to the disk."""
        self.within(volume.write(self.made["run"], self.made["disks"][name]))
        return f"{volume.WRITTEN // 2**20} MiB, and {self.same(name, volume.SIZE)}"

    def same(self, name: str, size: int) -> str:
        """Read the written data, from the volume or a copy."""
        digest, found = self.within(volume.read(self.made["disks"][name])).split()
        if digest != volume.digest(self.made["run"]):
            raise self.bad(f"the data differs from what was written: sha256 {digest}")
        if int(found) != size:
            raise self.bad(f"the server sees {found} GiB, not {size}")
        return f"read back: sha256 {digest[:12]}…"

    def pings(self, source: dict, targets: list[dict]) -> str:
        """Ping from inside a server.

        :raises NotRun: there is no target.
        """
        if not targets:
            raise NotRun("there is no other server")
        for target in targets:
            one = f"ping -c 2 -W 5 {target['address']}"
            self.within(f"for try in 1 2 3 4 5; do {one} || sudo -n {one} && exit; sleep 2; done; exit 1", source)
        return f"{source['host']} -> {', '.join(target['host'] for target in targets)}"

    def within(self, command: str, guest: dict | None = None) -> str:
        """Run a shell command in a server once it accepts logins; others are reached through the first one.

        :return: the command's output.
        """
        floating, user = self.made["floating_address"], self.options["user"]
        if guest in (None, self.guest):
            way = ssh(self.key, user, floating)
        else:
            way = ssh(self.key, user, guest["address"], floating)
        end = time.monotonic() + self.options["ssh_timeout"]
        while (done := run([*way, command], COMMAND)).returncode == NO_SSH and time.monotonic() < end:
            time.sleep(2)
        if done.returncode:
            words = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:] or ["no output"]
            where = (guest or self.guest)["name"]
            raise self.bad(f"in {where}: {command!r} ends with {done.returncode}: {words[0]}", guest)
        return done.stdout.strip()

    def bad(self, message: str, guest: dict | None = None) -> Bad:
        """Return the failure of a check of a server, by default the first one."""
        guest = guest or self.guest
        return Bad(message, (guest["id"], guest["port"]), (guest["host"],))


def perform(key: str, made: dict, options: dict, outcomes: dict[str, str], part: str = "servers") -> list[Result]:
    """Run the checks of the servers from this host.

    :param key: text of the private key.
    :param outcomes: outcomes of earlier checks by name.
    :param part: C(servers), or C(copies) of their volumes.
    """
    with tempfile.TemporaryDirectory(prefix="cairn-verify-") as directory:
        path = os.path.join(directory, "key")
        with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="ascii") as file:
            file.write(key)
        return perform_all(checks(Probe(path, made, options), part), outcomes)


def checks(probe: Probe, part: str) -> list[Check]:
    """Return the checks of one part."""
    return probe.copies() if part == "copies" else probe.checks()
