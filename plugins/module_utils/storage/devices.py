# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The content of block devices, to use only empty ones."""

from __future__ import annotations

import json
import os
import subprocess


def signatures(path: str) -> str:
    """Return the content of the device or file at *path* by signatures of file systems, partitions and volumes."""
    if not os.path.exists(path):
        return ""
    try:
        done = subprocess.run(["wipefs", "--no-act", "--json", path], capture_output=True, text=True, check=True)
    except subprocess.CalledProcessError as error:
        return f"unreadable data ({error.stderr.strip()})"
    found = json.loads(done.stdout or "{}").get("signatures", [])
    return ", ".join(dict.fromkeys(one["type"] for one in found))


def physical_volumes() -> dict[str, str]:
    """Return the volume group of each LVM physical volume, by its real path; empty for one in none."""
    command = ["pvs", "--reportformat", "json", "-o", "pv_name,vg_name"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except (FileNotFoundError, subprocess.CalledProcessError):  # LVM is not installed
        return {}
    rows = json.loads(done.stdout)["report"][0]["pv"]
    return {os.path.realpath(row["pv_name"]): row["vg_name"] for row in rows}
