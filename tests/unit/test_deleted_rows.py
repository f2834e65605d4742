# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rows of what users have deleted, which the services do not remove by themselves."""

from __future__ import annotations

import re

import pytest
import resolving
from ansible_collections.cairn.openstack.plugins.plugin_utils.catalog import definitions

HOSTS = {"c1": {"groups": ["controller", "network", "compute"], "address": "192.0.2.11"}}
STORAGE = [{"name": "nfs", "kind": "nfs", "share": "192.0.2.20:/srv/volumes"}]
GROUPS = HOSTS["c1"]["groups"]


@pytest.fixture
def resolved(tmp_path):
    """Return the units and the files of a *service* with a number of *days*."""

    def found(service, days):
        settings = {"cloud_deleted_rows_days": days, "cloud_storage": STORAGE}
        model = resolving.resolve(HOSTS, "c1", tmp_path, settings)
        files = resolving.files(model, service, GROUPS)
        asked = definitions.units(model.definitions[service], {*GROUPS, "all"}, list(files.values()))
        return {unit["name"]: unit for unit in asked}, files

    return found


@pytest.mark.parametrize("service", ["nova", "cinder", "glance"])
class TestTimers:
    # `-e` gives text.
    @pytest.mark.parametrize("days", [90, "90"])
    def test_with_days(self, resolved, service, days):
        units, files = resolved(service, days)
        timer = units[f"{service}-purge.timer"]
        assert (timer["state"], timer["enabled"]) == ("started", True)
        assert [files[name]["state"] for name in ("purge", "purge_timer")] == ["present", "present"]
        text = files["purge"]["content"]
        assert f"User={service}\n" in text
        assert all("90" in line for line in re.findall(r"ExecStart=(?:.*\\\n)*.*", text))

    @pytest.mark.parametrize("days", [0, "0"])
    def test_without_days_no_unit_can_be_started(self, resolved, service, days):
        """Started by hand, it would remove the rows of all deleted objects."""
        units, files = resolved(service, days)
        timer = units[f"{service}-purge.timer"]
        assert (timer["state"], timer["enabled"]) == ("stopped", False)
        assert [files[name]["state"] for name in ("purge", "purge_timer")] == ["absent", "absent"]

    def test_systemd_reads_a_changed_file(self, resolved, service):
        """The module reloads systemd for its units; it neither starts nor stops this one."""
        units, _files = resolved(service, 30)
        one = units[f"{service}-purge.service"]
        assert (one["state"], one["enabled"], one["packages"]) == ("any", None, [])


def test_systemd_reads_the_changed_file_of_the_image_cache(resolved):
    units, _files = resolved("glance", 0)
    one = units["glance-cache-pruner.service"]
    assert (one["state"], one["enabled"], one["packages"]) == ("any", None, [])


def test_nova_keeps_newer_rows_of_the_shadow_tables(resolved):
    """`archive_deleted_rows --purge` empties these tables, whatever the age of a row."""
    text = resolved("nova", 90)[1]["purge"]["content"]
    archive, purge = re.findall(r"ExecStart=((?:.*\\\n)*.*)", text)
    assert "archive_deleted_rows" in archive
    assert "db purge" in purge
    for line in (archive, purge):
        assert '--before "$(date --date "90 days ago" +%%Y-%%m-%%d)"' in line
        assert "--all-cells" in line
        assert "--verbose" in line
        assert "--purge" not in line
    assert "SuccessExitStatus=1 3\n" in text
