# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Checks of Ceph back ends: which files an existing cluster must provide, and what it cannot serve."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ansible_collections.cairn.openstack.plugins.plugin_utils.catalog.backend_kinds import ceph
from ansible_collections.cairn.openstack.plugins.plugin_utils.preflight.finding import Finding

# The users that an existing Ceph cluster must have, by what it serves.
CLIENTS = {
    **{use: name for name, (use, _writes, _reads) in ceph.CLIENTS.items()},
    **{use: name for name, use in ceph.RADOS_CLIENTS.items()},
}


def findings(where: str, one: Mapping[str, Any], serves: Iterable[str]) -> Iterator[Finding]:
    """Find what is wrong with the keys of a back end in Ceph."""
    if one.get("cluster"):
        yield from _existing_cluster(where, one, serves)


def _existing_cluster(where: str, one: Mapping[str, Any], serves: Iterable[str]) -> Iterator[Finding]:
    """Find what the directory of an existing Ceph lacks, and what such a one can't serve."""
    for key in ("hosts", "replicas"):
        if key in one:
            remedy = f"Remove {key}; or remove cluster, and Cairn deploys Ceph."
            yield Finding(f"{where}.{key}", f"{key} beside cluster", "one of them; the cluster exists already", remedy)
    if "objects" in serves:
        remedy = "Remove objects; the gateways of an existing Ceph are not managed by Cairn."
        yield Finding(f"{where}.serves", "objects beside cluster", "objects in a Ceph that Cairn deploys", remedy)
    if "shares" in serves:
        remedy = "Remove shares; the file systems of an existing Ceph are not managed by Cairn."
        yield Finding(f"{where}.serves", "shares beside cluster", "shares in a Ceph that Cairn deploys", remedy)
    directory = str(one["cluster"])
    wanted = ["ceph.conf", *(f"ceph.client.{CLIENTS[use]}.keyring" for use in serves if use in CLIENTS)]
    lacking = [name for name in dict.fromkeys(wanted) if not os.access(os.path.join(directory, name), os.R_OK)]
    if lacking:
        remedy = "Export them from that Ceph cluster: ceph auth get client.NAME."
        yield Finding(f"{where}.cluster", f"{directory} without {', '.join(lacking)}", ", ".join(wanted), remedy)
