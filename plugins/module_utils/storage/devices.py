# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What block devices hold, before anybody takes one."""

from __future__ import annotations

import json
import os
import subprocess


def signatures(path: str) -> str:
    """Return what the device or file at *path* holds, by the marks of file systems, partitions, volumes; or nothing."""
    if not os.path.exists(path):
        return ""
    try:
        done = subprocess.run(["wipefs", "--no-act", "--json", path], capture_output=True, text=True, check=True)
    except subprocess.CalledProcessError as error:
        return f"what can't be read ({error.stderr.strip()})"
    found = json.loads(done.stdout or "{}").get("signatures", [])
    return ", ".join(dict.fromkeys(one["type"] for one in found))


def physical_volumes() -> dict[str, str]:
    """Return the volume group of each of LVM's physical volumes, by its real path; empty for one that is in none."""
    command = ["pvs", "--reportformat", "json", "-o", "pv_name,vg_name"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except (FileNotFoundError, subprocess.CalledProcessError):  # there is no LVM
        return {}
    rows = json.loads(done.stdout)["report"][0]["pv"]
    return {os.path.realpath(row["pv_name"]): row["vg_name"] for row in rows}
