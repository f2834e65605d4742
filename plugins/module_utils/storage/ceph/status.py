# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The state of a Ceph cluster and its capacity, for a report."""

from __future__ import annotations

import os
from typing import Any

from ansible_collections.cairn.openstack.plugins.module_utils.common.changes import Failed
from ansible_collections.cairn.openstack.plugins.module_utils.storage.ceph.monitor import Monitor

CONF, KEYRING = "/etc/ceph/ceph.conf", "/etc/ceph/ceph.client.admin.keyring"
# Seconds for an answer; without a quorum there is none.
TIMEOUT = 10
# The section of the documentation about it.
ABOUT = {"name": "Ceph", "page": "docs/storage.md", "section": "Ceph"}


def cluster_status() -> dict[str, Any] | None:
    """Return the state of the cluster as C(part), and its C(capacity); or C(why) it does not answer.

    None on a host that has no key to ask with.
    """
    if not os.path.exists(KEYRING):
        return None
    try:
        said = Monitor(CONF, TIMEOUT).ask("status")
    except Failed as error:
        return {**ABOUT, "why": str(error)}
    health, disks, data = said["health"], said["osdmap"], said["pgmap"]
    # Older releases have it one level deeper.
    disks = disks.get("osdmap", disks)
    why = [one["summary"]["message"] for one in health.get("checks", {}).values()]
    state = f"{health['status'].removeprefix('HEALTH_')}, {disks['num_up_osds']} of {disks['num_osds']} OSDs up"
    detail = "; ".join(why) or f"monitors {', '.join(said.get('quorum_names', []))}"
    share = {
        "name": "Ceph, all disks",
        "of": "",
        "used": data.get("bytes_used", 0),
        "total": data.get("bytes_total", 0),
    }
    return {
        **ABOUT,
        "part": {
            "name": "Ceph",
            "ok": health["status"] == "HEALTH_OK",
            # It serves all data.
            "mild": health["status"] == "HEALTH_WARN",
            "state": state,
            "detail": detail,
        },
        "capacity": {**share, "bytes": 1},
    }
