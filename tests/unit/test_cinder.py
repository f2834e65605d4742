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
NFS = {"name": "share", "kind": "nfs", "share": "192.0.2.99:/srv"}
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


class TestCluster:
    """Volumes in Ceph are served by any controller; other back ends do not allow that."""

    @pytest.fixture
    def found(self, tmp_path):
        def of(storage):
            hosts = {f"c{number}": {"groups": ["controller"], "address": f"192.0.2.1{number}"} for number in (1, 2, 3)}
            settings = {"cloud_storage": storage, "cloud_internal_address": "192.0.2.9"}
            model = resolving.resolve({**hosts, "s1": HOSTS["s1"]}, "c1", tmp_path, settings)
            return resolving.files(model, "cinder", ["controller"])["cinder.conf"]["sections"]

        return of

    def test_ceph(self, found):
        sections = found(CEPH)
        assert sections["DEFAULT"]["cluster"] == "controllers"
        assert sections["ssd"]["backend_host"] is None
        assert sections["coordination"]["backend_url"] == "etcd3+http://127.0.0.1:2381"

    def test_ceph_and_another(self, found):
        sections = found([*CEPH, NFS])
        assert sections["DEFAULT"]["cluster"] is None
        assert (sections["ssd"]["backend_host"], sections["share"]["backend_host"]) == ("ssd", "share")

    def test_none_in_ceph(self, found):
        sections = found([NFS])
        assert sections["DEFAULT"]["cluster"] is None
