# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The shared state of the checks of a run."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from threading import Event
from typing import Any

# Servers of the last kind are also on the project's network, but not always running.
TENANT, VLAN, MOVED = "tenant", "vlan", "moved"


@dataclass
class Guest:
    """A guest of this run. C(host) is Nova's name of its compute host, C(network) one of TENANT, VLAN and MOVED."""

    name: str
    id: str
    network: str = TENANT
    port: str = ""
    address: str = ""
    host: str = ""
    active: bool = False

    def as_dict(self) -> dict:
        """Return the guest as plain data."""
        return asdict(self)


@dataclass
class Run:
    """A run of the checks: its connections, and the objects created so far.

    :param name: name, or prefix of the names, of all objects of the run.
    :param admin: connection as the admin user.
    :param options: parameters of the module.
    """

    name: str
    admin: Any
    options: dict
    project: Any = None
    # Connections to the run's project: as its user, and as the admin user.
    user: Any = None
    admin_there: Any = None
    image: Any = None
    flavor: Any = None
    larger: Any = None
    network: Any = None
    subnet: Any = None
    router: Any = None
    router_address: str = ""
    external: Any = None
    group: Any = None
    floating_address: str = ""
    gateway: str = ""
    guests: list[Guest] = field(default_factory=list)
    # The stack's path in Heat's API; whether it has a volume; Heat's URL; why its server did not signal it.
    stack: str = ""
    stack_volumes: bool = False
    stack_endpoint: str = ""
    unsignalled: str = ""
    # The id of the secret.
    secret: str = ""
    # The zone, its id, and the addresses of the name servers that have it.
    zone: str = ""
    zone_id: str = ""
    name_servers: list[str] = field(default_factory=list)
    # The load balancer: id, pool, address, names of its servers, certificate, whether guests are emulated.
    balancer: dict = field(default_factory=dict)
    # Attached volumes by their name in the checks.
    disks: dict[str, str] = field(default_factory=dict)
    # Paths of shared file systems by their names in the checks.
    shares: dict[str, str] = field(default_factory=dict)
    first_host: str = ""
    # Set when the scheduler has selected the host of the first server, or failed.
    scheduled: Event = field(default_factory=Event)

    def on(self, network: str) -> list[Guest]:
        """Return the active servers of a network, sorted by name."""
        running = [guest for guest in self.guests if guest.network == network and guest.active]
        return sorted(running, key=lambda guest: guest.name)

    def made(self) -> dict:
        """Return the data needed to use the objects from outside, as plain data."""
        return {
            "servers": [guest.as_dict() for kind in (TENANT, VLAN) for guest in self.on(kind)],
            "floating_address": self.floating_address,
            "router_address": self.router_address,
            "gateway": self.gateway,
            "run": self.name,
            "disks": self.disks,
            "balancer": self.balancer,
            "shares": self.shares,
        }
