# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""An inventory that tests of preflight may spoil, and ways to spoil it."""

from __future__ import annotations

import copy
import time
from pathlib import Path
from types import SimpleNamespace

import yaml
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible.vars.hostvars import HostVars
from ansible.vars.manager import VariableManager
from ansible_collections.cairn.openstack.plugins.action.preflight import ActionModule

ROOT = Path(__file__).resolve().parents[2]
HOSTS = {
    "controller": {"controller1": {"ansible_host": "192.0.2.11"}},
    "network": {"network1": {"ansible_host": "192.0.2.12"}},
    "compute": {"compute1": {"ansible_host": "192.0.2.13"}, "compute2": {"ansible_host": "192.0.2.14"}},
}
ALL = {
    "cloud_tunnel_interface": "eth1",
    "cloud_external_interface": "eth2",
    "cloud_external_network": "198.51.100.0/24",
    "cloud_public_name": "cloud.example.org",
}
LAMP = {
    "description": "Light service",
    "packages": {"controller": ["lamp-api"]},
    "identity": {"services": [{"type": "light"}]},
    "apis": [{"name": "lamp-api", "port": 9999, "health": "/"}],
    "units": [{"name": "lamp-api"}],
}
CEPH = {"name": "ceph", "kind": "ceph"}
LVM = {"name": "lvm", "kind": "lvm"}
SWIFT = {"name": "objects", "kind": "swift"}
NFS = {"name": "nfs", "kind": "nfs", "share": "192.0.2.20:/srv/volumes"}
YML = "settings.yml:"
AT = f"{YML}7, cloud_storage"


class Site:
    """An inventory that a test may spoil, and what preflight says of it."""

    def __init__(self, directory):
        self.directory = directory
        self.hosts = copy.deepcopy(HOSTS)
        self.all = copy.deepcopy(ALL)
        self.loader = DataLoader()
        self.warnings = []

    @property
    def secrets(self):
        """The directory of the secrets, made by whoever asks."""
        path = self.directory / ".secrets"
        path.mkdir(mode=0o700, exist_ok=True)
        return path

    def write(self):
        """Write the inventory; returns its files."""
        groups = {name: {"hosts": members} for name, members in self.hosts.items()}
        (self.directory / "hosts.yml").write_text(yaml.safe_dump(groups, sort_keys=False))
        (self.directory / "settings.yml").write_text(yaml.safe_dump({"all": {"vars": self.all}}, sort_keys=False))
        return ["hosts.yml", "settings.yml"]

    def said(self, monkeypatch, stage="input", facts=None, more=None, source=None, check=True):
        """Run the action in this process; returns its result."""
        sources = [str(one) for one in ([source] if not isinstance(source, list) else source) if one] or self.write()
        inventory = InventoryManager(self.loader, sources)
        manager = VariableManager(self.loader, inventory)
        manager._hostvars = HostVars(inventory, manager, self.loader)
        for name, found in (facts or {}).items():
            manager.set_nonpersistent_facts(name, found)
        first = next(iter(inventory.get_hosts()), None)
        variables = manager.get_vars(host=first)
        variables.update(
            {"ansible_inventory_sources": inventory._sources, "hostvars": manager._hostvars, **(more or {})}
        )
        variables.setdefault("ansible_play_hosts_all", [host.name for host in inventory.get_hosts()])
        task = SimpleNamespace(args={"stage": stage}, check_mode=check, async_val=0, diff=False, environment=None)
        connection = SimpleNamespace(_shell=SimpleNamespace(tmpdir=None))
        templar = Templar(self.loader, variables=variables)
        action = ActionModule(task, connection, None, self.loader, templar, None)
        monkeypatch.setattr(action._display, "display", lambda text, **_options: self.warnings.append(text))
        return action.run(task_vars=variables)


def put(*keys, to):
    """Return a change: *to* at *keys* of the site's ``hosts`` or ``all``."""

    def change(site):
        place = getattr(site, keys[0])
        for key in keys[1:-1]:
            place = place[key]
        place[keys[-1]] = to

    return change


def take(*keys):
    """Return a change: what is at *keys* goes."""

    def change(site):
        place = getattr(site, keys[0])
        for key in keys[1:-1]:
            place = place[key]
        del place[keys[-1]]

    return change


def both(*changes):
    """Return a change that makes all *changes*."""

    def change(site):
        for one in changes:
            one(site)

    return change


def given(**values):
    """Return a change: settings of all hosts."""
    return both(*(put("all", name, to=value) for name, value in values.items()))


def three_controllers(site):
    site.hosts["controller"] |= {f"controller{n}": {"ansible_host": f"192.0.2.2{n}"} for n in (2, 3)}


def file(name, text, mode=0o600):
    """Return a change: a file in the secrets directory."""

    def change(site):
        (site.secrets / name).write_text(text)
        (site.secrets / name).chmod(mode)

    return change


def stored(*backends, devices=2):
    """Return a change: the cloud's *backends*, and a storage host with as many *devices*."""

    def change(site):
        disks = [{"path": f"/dev/sd{letter}"} for letter in "bcdef"[:devices]]
        site.hosts["storage"] = {"storage1": {"ansible_host": "192.0.2.15", "storage_devices": disks}}
        site.all["cloud_storage"] = list(backends)

    return change


def device(**values):
    """Return a change: the storage host's first device has other *values*."""
    return lambda site: site.hosts["storage"]["storage1"]["storage_devices"][0].update(values)


def told(result):
    """Return the findings of a result as (where, found, allowed, to do)."""
    found = []
    for paragraph in result.get("msg", "").split("\n\n")[1:]:
        first, *lines = paragraph.splitlines()
        found.append((first.split(". ", 1)[1], *(line[12:] for line in lines)))
    return found


def check_one_error(site, monkeypatch, change, parts):
    """Make the change; preflight finds that finding, which has these parts, and no other."""
    change(site)
    result = site.said(monkeypatch)
    (finding,) = told(result)
    for part, text in zip(parts, finding, strict=True):
        assert part in text
    assert result["msg"].startswith("Preflight found 1 error; no host was changed.")


def probe(address, **changes):
    """What host_probe finds on a good host, with *changes*."""
    last = address.rsplit(".", 1)[1]
    links = {
        "lo": ("127.0.0.1/8", "00:00:00:00:00:00"),
        "eth0": (f"{address}/24", f"52:54:00:00:00:{last}"),
        "eth1": (f"203.0.113.{last}/24", f"52:54:00:00:01:{last}"),
        "eth2": ("", f"52:54:00:00:02:{last}"),
    }
    return {
        "release": {"id": "debian", "version": "13", "codename": "trixie"},
        "architecture": "x86_64",
        "hostname": "x",
        "cpus": 2,
        "memory_mb": 8000,
        "disk_free_mb": 20000,
        "time": time.time(),
        "clock_offset": 0.5,
        "init": "systemd",
        "interfaces": {
            name: {
                "mac": mac,
                "mtu": 1500,
                "up": True,
                "addresses": [one] if one else [],
                "kind": "loopback" if name == "lo" else "physical",
            }
            for name, (one, mac) in links.items()
        },
        "default_interface": "eth0",
        "default_gateway": "192.0.2.1",
        "connection_address": address,
        "connection_client": "",
        "connection_port": 0,
        "hypervisor": {"type": "qemu", "why": "a test"},
        "ovs_datapath": {"type": "netdev", "why": "a test"},
        "apparmor": False,
        "dns_servers": [],
        "has_cloud_init": False,
        "listening": [{"address": "0.0.0.0", "port": 22, "protocol": "tcp", "process": "sshd", "unit": "ssh.service"}],
        "firewalls": [],
        "unconfigured_units": [],
        "unresolved": [],
        "neighbours": {},
        "bridges": None,
        "cloud": None,
        "identities": {"/etc/machine-id": address},
        "first_run": True,
        "devices": {},
        "volume_groups": [],
        **changes,
    }
