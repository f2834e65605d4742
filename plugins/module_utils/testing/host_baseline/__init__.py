# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a host is, seen without any of the code that makes it so: an independent judge of reruns.

Nothing here may import the modules that it judges. A snapshot is ``{section: {object: {attribute: value}}}`` of
plain strings; secrets and hashes of passwords enter it as digests only.
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
    """Return the state of this host; of the *sections* that are named, or of all.

    :raises ReadError: something is there and can't be read, which is not the same as its absence.
    """
    return {name: reader() for name, reader in READERS.items() if not sections or name in sections}
