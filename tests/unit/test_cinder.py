# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Cinder: what its services leave on a host."""

from __future__ import annotations

import pytest
import resolving

HOSTS = {
    "c1": {"groups": ["controller"], "address": "192.0.2.11"},
    "s1": {
        "groups": ["storage"],
        "address": "192.0.2.12",
        "storage_devices": [{"path": "/dev/disk/by-id/one", "backend": "ssd"}],
    },
}
CEPH = [{"name": "ssd", "kind": "ceph", "serves": ["volumes", "backups"]}]
LVM = [{"name": "ssd", "kind": "lvm", "hosts": ["s1"]}]
UNITS = {name: f"/etc/systemd/system/{name}.service.d/tempfiles.conf" for name in ("cinder-volume", "cinder-backup")}


@pytest.mark.parametrize(
    ("storage", "host", "services"),
    [
        (CEPH, "c1", ["cinder-volume", "cinder-backup"]),
        (CEPH, "s1", []),
        (LVM, "s1", ["cinder-volume"]),
        (LVM, "c1", []),
    ],
)
def test_temporary_files_are_private_and_removed(tmp_path, storage, host, services):
    """os-brick leaves files with a Ceph key in the directory that Python takes for temporary files."""
    model = resolving.resolve(HOSTS, host, tmp_path, {"cloud_storage": storage})
    files = {file["path"]: file for file in resolving.files(model, "cinder", HOSTS[host]["groups"]).values()}
    assert [name for name, path in UNITS.items() if path in files] == services
    for name in services:
        directory = "/var/lib/cinder/tempfiles"
        assert f"Environment=TMPDIR={directory}\n" in files[UNITS[name]]["content"]
        # It restarts with it.
        assert files[UNITS[name]]["units"] == [name]
        assert f"d {directory} 0700 cinder cinder 1d\n" in files["/etc/tmpfiles.d/cairn-cinder.conf"]["content"]
    assert ("/etc/tmpfiles.d/cairn-cinder.conf" in files) is bool(services)
