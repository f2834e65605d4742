# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the checks of one run share."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from threading import Event
from typing import Any

# Servers of the last kind are on the project's network, too, and are not there all the time.
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
        """Return the server as plain data."""
        return asdict(self)


@dataclass
class Run:
    """One run of the checks: who they work as, and what they made so far.

    :param name: what all objects of the run are called, or begin with.
    :param admin: the administrator's connection.
    :param options: the module's parameters.
    """

    name: str
    admin: Any
    options: dict
    project: Any = None
    # Connections within the run's project: as its user, and as the administrator.
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
    # Volumes that servers have, by what they are called here.
    disks: dict[str, str] = field(default_factory=dict)
    first_host: str = ""
    # Set as soon as the scheduler has chosen the first server's host, or could not.
    scheduled: Event = field(default_factory=Event)

    def on(self, network: str) -> list[Guest]:
        """Return the servers of one network that run, by their names."""
        running = [guest for guest in self.guests if guest.network == network and guest.active]
        return sorted(running, key=lambda guest: guest.name)

    def made(self) -> dict:
        """Return what somebody outside needs to use what was made, as plain data."""
        return {
            "servers": [guest.as_dict() for kind in (TENANT, VLAN) for guest in self.on(kind)],
            "floating_address": self.floating_address,
            "router_address": self.router_address,
            "gateway": self.gateway,
            "run": self.name,
            "disks": self.disks,
        }
