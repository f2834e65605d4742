# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Designate's pool follows from the controllers, and so does what BIND transfers from."""

from __future__ import annotations

import pytest
import resolving
import yaml

ADDRESSES = {"c1": "192.0.2.11", "c2": "192.0.2.12", "c3": "192.0.2.13"}


def resolved(tmp_path, number, host="c1", **settings):
    """Return what *host* shall have in a cloud of so many controllers and a compute host."""
    hosts = {
        name: {"groups": ["controller", "network"], "address": ADDRESSES[name]} for name in list(ADDRESSES)[:number]
    }
    hosts["n1"] = {"groups": ["compute"], "address": "192.0.2.21"}
    address = "192.0.2.9" if number > 1 else ADDRESSES["c1"]
    given = {"cloud_services": ["designate"], "cloud_internal_address": address, **settings}
    return resolving.resolve(hosts, host, tmp_path, given)


@pytest.mark.parametrize("number", [1, 3])
def test_the_pool(tmp_path, number):
    addresses = list(ADDRESSES.values())[:number]
    files = resolving.files(resolved(tmp_path, number), "designate", ["controller"])
    (pool,) = yaml.safe_load(files["pools.yaml"]["content"])
    names = [f"c{index}.cairn.internal." for index in range(1, number + 1)]
    assert [one["hostname"] for one in pool["ns_records"]] == names
    assert [one["host"] for one in pool["nameservers"]] == addresses
    for target in pool["targets"]:
        assert [master["host"] for master in target["masters"]] == addresses
    assert pool["catalog_zone"]["catalog_zone_fqdn"] == "catalog.invalid."
    primaries = " ".join(f"{address} port 5354;" for address in addresses)
    assert f"primaries {{ {primaries} }};" in files["named.conf.local"]["content"]
    assert f"default-primaries {{ {primaries} }};" in files["named.conf.options"]["content"]


def test_names_that_registrars_know(tmp_path):
    files = resolving.files(resolved(tmp_path, 1, cloud_name_servers=["ns1.example.org"]), "designate", ["controller"])
    (pool,) = yaml.safe_load(files["pools.yaml"]["content"])
    assert pool["ns_records"] == [{"hostname": "ns1.example.org.", "priority": 1}]


def test_the_guard_compares_the_pool(tmp_path):
    """A controller that comes or goes changes it."""
    (step,) = resolved(tmp_path, 3).definitions["designate"]["after_start"]
    query = step["unless"]["query"]
    assert query.count("'192.0.2.11,192.0.2.12,192.0.2.13' =") == 2
    assert "'c1.cairn.internal.,c2.cairn.internal.,c3.cairn.internal.' =" in query


def test_its_password_is_on_controllers_only(tmp_path):
    for host, groups in (("c1", ["controller", "network"]), ("n1", ["compute"])):
        model = resolved(tmp_path, 1, host)
        files = resolving.files(model, "neutron", groups)
        password = model.cloud["secrets"]["neutron_identity"]
        assert [name for name in files if password in files[name]["content"]] == (
            ["neutron.conf", "plugins/ml2/ml2_conf.ini"] if host == "c1" else []
        )
        assert files["neutron.conf"]["sections"]["DEFAULT"]["dns_domain"] == "cairn.internal."
    drivers = resolving.files(resolved(tmp_path, 1), "neutron", ["controller"])["plugins/ml2/ml2_conf.ini"]["sections"]
    assert drivers["ml2"]["extension_drivers"] == ["port_security", "subnet_dns_publish_fixed_ip"]
