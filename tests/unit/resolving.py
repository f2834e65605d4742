# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What hosts shall have, resolved in this process from an inventory in a few lines."""

from __future__ import annotations

from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible_collections.cairn.openstack.plugins.plugin_utils.catalog import definitions, sources
from ansible_collections.cairn.openstack.plugins.plugin_utils.catalog.resolver import Model, Resolver


def probe(address, addresses=()):
    """What host_probe finds on a host with *address*, and with more *addresses* on its second interface."""
    first = {"mac": "52:54:00:00:00:01", "mtu": 1500, "up": True, "addresses": [f"{address}/24"], "kind": "physical"}
    second = {**first, "mac": "52:54:00:00:00:02", "addresses": list(addresses)}
    return {
        "cpus": 4,
        "memory_mb": 8000,
        "hostname": "host",
        "interfaces": {"eth0": first, "eth1": second},
        "default_interface": "eth0",
        "connection_address": address,
        "connection_client": "",
        "connection_port": 0,
        "hypervisor": {"type": "qemu", "why": "a test"},
        "ovs_datapath": {"type": "netdev", "why": "a test"},
        "apparmor": False,
        "dns_servers": [],
        "has_cloud_init": False,
        "bridges": None,
        "unconfigured_units": [],
        "rings": {},
    }


def resolver(hosts, name, directory, settings=None, playing=None):
    """Return the resolver of the host *name*.

    :param hosts: name → C(groups), C(address), and variables of its own.
    :param directory: of the secrets, which need not be there.
    """
    groups = {"all": list(hosts)}
    hostvars = {}
    for host, given in hosts.items():
        own = {key: value for key, value in given.items() if key not in ("groups", "address")}
        hostvars[host] = {"ansible_host": given["address"], "inventory_hostname": host, **own}
        for group in given["groups"]:
            groups.setdefault(group, []).append(host)
    shared = {"cloud_secrets_dir": str(directory), "inventory_dir": str(directory), **(settings or {})}
    variables = {
        **sources.settings(),
        **sources.shipped(),
        **sources.trusted(shared),
        **hostvars[name],
        "groups": groups,
        "hostvars": hostvars,
        "group_names": hosts[name]["groups"],
    }
    loader = DataLoader()
    templar = Templar(loader=loader, variables=variables)
    return Resolver(name, variables, templar, loader, list(hosts if playing is None else playing))


def resolve(hosts, name, directory, settings=None, addresses=(), playing=None) -> Model:
    """Return what the host *name* shall have."""
    one = resolver(hosts, name, directory, settings, playing)
    return one.resolve(probe(hosts[name]["address"], addresses))


def files(model, service, host_groups):
    """Return the files that a host in *host_groups* gets of *service*, by the names that definitions have for them."""
    definition = model.definitions[service]
    layers = [layer[service] for _name, layer in model.layers if layer.get(service)]
    return {file["name"]: file for file in definitions.files(definition, {*host_groups, "all"}, model.cloud, layers)}
