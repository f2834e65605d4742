# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The state of a host, read without any code that configures it: an independent check of reruns.

It must not import the modules that it checks. A snapshot is ``{section: {object: {attribute: value}}}`` of strings;
it contains secrets and hashes of passwords only as digests.
"""

from __future__ import annotations

from ansible_collections.cairn.openstack.plugins.module_utils.testing.host_baseline import data, host, network, queue

READERS = {
    "files": host.files,
    "units": host.units,
    "packages": host.packages,
    "kernel": host.kernel,
    "addresses": network.addresses,
    "routes": network.routes,
    "firewall": network.firewall,
    "openvswitch": network.openvswitch,
    "databases": data.databases,
    "identity": data.identity,
    "cells": data.cells,
    "messaging": queue.definitions,
}


def snapshot(sections: list[str] | None = None) -> dict[str, dict[str, dict[str, str]]]:
    """Return the state of this host, of *sections* or all.

    :raises ReadError: something exists but cannot be read, which differs from its absence.
    """
    return {name: reader() for name, reader in READERS.items() if not sections or name in sections}
