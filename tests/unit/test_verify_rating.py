# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Verification of CloudKitty, against an API of the same form."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify import optional, rating
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify.checks import Bad, NotRun
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify.run import Run

MAPPINGS = [
    {"value": "m1.tiny", "cost": "9", "type": "flat", "tenant_id": "p1"},
    {"value": "m1.tiny", "cost": "2", "type": "rate", "tenant_id": None},
    {"value": "m1.small", "cost": "0.0200", "type": "flat", "tenant_id": None},
]


def run(monkeypatch, answer, mappings):
    """Return a run with a CloudKitty of these *mappings*, whose quotes are *answer*."""
    said = []

    def request(_client, method, path, json=None, params=None):
        found = {
            "services": [{"name": "image.size", "service_id": "s0"}, {"name": "instance", "service_id": "s1"}],
            "fields": [{"name": "flavor_name", "field_id": "f1"}] if params == {"service_id": "s1"} else [],
            "mappings": mappings,
        }
        said.append(json)
        kind = path.rstrip("/").split("/")[-1]
        return SimpleNamespace(json=lambda: answer if method == "POST" else {kind: found[kind]})

    monkeypatch.setattr(rating, "rest", request)
    monkeypatch.setattr(rating, "client", lambda connection, kind: None)
    return Run("cairn-verify-x", None, {}), said


def test_a_quote_of_the_price_for_all_projects(monkeypatch):
    begun, said = run(monkeypatch, "0.06", MAPPINGS)
    assert rating.quoted(begun) == "3 servers of m1.small at 0.02 an hour: 0.06"
    assert said[-1]["resources"][0]["desc"]["metadata"] == {"flavor_name": "m1.small"}


def test_another_quote(monkeypatch):
    with pytest.raises(Bad, match=r"quoted as 0$"):
        rating.quoted(run(monkeypatch, "0", MAPPINGS)[0])


def test_no_price(monkeypatch):
    with pytest.raises(NotRun, match="cloud_resources"):
        rating.quoted(run(monkeypatch, "0", MAPPINGS[:2])[0])


def test_it_is_an_optional_service():
    (service,) = optional.of(["cloudkitty"])
    assert service.checks(None, lambda name, *_: name) == ["quote"]
    assert service.sweep(None, "p1", 0) == []
