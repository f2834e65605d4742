# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rows of what users deleted, which the services keep for ever."""

from __future__ import annotations

import pytest
import resolving

HOSTS = {"c1": {"groups": ["controller", "network", "compute"], "address": "192.0.2.11"}}


@pytest.mark.parametrize("service", ["nova", "glance"])
@pytest.mark.parametrize("days", [0, 90])
def test_a_timer_removes_them_if_a_setting_says_so(tmp_path, service, days):
    model = resolving.resolve(HOSTS, "c1", tmp_path, {"cloud_deleted_rows_days": days})
    (unit,) = [one for one in model.definitions[service]["units"] if one["name"] == f"{service}-purge.timer"]
    assert (unit["state"], unit["enabled"]) == (("started", True) if days else ("stopped", False))
    text = resolving.files(model, service, HOSTS["c1"]["groups"])["purge"]["content"]
    assert f"User={service}\n" in text
    assert str(days) in text.partition("ExecStart=")[2]
