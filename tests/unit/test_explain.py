# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where an option comes from: all layers that name it, the one that counts, and who reads the file."""

from __future__ import annotations

import pytest
from ansible_collections.cairn.openstack.plugins.plugin_utils.catalog import explanation
from resolving import probe, resolver

HOSTS = {"aio1": {"address": "192.0.2.11", "groups": ["controller", "network", "compute"]}}


@pytest.fixture
def explain(tmp_path):
    """Explain an option of an all-in-one with *settings*."""

    def ask(option, **settings):
        one = resolver(HOSTS, "aio1", tmp_path, settings)
        model = one.resolve(probe("192.0.2.11"))
        return explanation.explain(model, one.groups, one.variables, tuple(option.split("/")), one.place_of)

    return ask


def test_the_definition_says_it(explain):
    found = explain("nova/nova.conf/DEFAULT/cpu_allocation_ratio")
    assert found.path == "/etc/nova/nova.conf"
    assert found.value == "4.0"
    assert [where.split(",")[0] for where, _value in found.layers] == ["definition nova"]
    assert ("nova-compute", "restart") in found.units
    assert ("nova-api", "reload") in found.units


def test_what_the_user_says_counts(explain):
    layers = {
        "cloud_config": {"nova": {"nova.conf": {"DEFAULT": {"cpu_allocation_ratio": 2}}}},
        "cloud_config_site": {"nova": {"nova.conf": {"DEFAULT": {"cpu_allocation_ratio": 1}}}},
    }
    found = explain("nova/nova.conf/DEFAULT/cpu_allocation_ratio", **layers)
    assert found.value == "1"
    assert [where.split(",")[0] for where, _value in found.layers] == [
        "definition nova",
        "cloud_config",
        "cloud_config_site",
    ]
    assert "<- effective" in explanation.lines("aio1", ("nova", "nova.conf", "DEFAULT", "x"), found)[3]


def test_what_others_contribute(explain):
    storage = [{"name": "nfs", "kind": "nfs", "share": "192.0.2.20:/srv"}]
    found = explain("cinder/cinder.conf/nfs/volume_driver", cloud_storage=storage)
    assert found.layers == [("contributed by definition nfs", "cinder.volume.drivers.nfs.NfsDriver")]


def test_a_definition_of_the_users_own(explain, tmp_path):
    (tmp_path / "catalog").mkdir()
    text = "description: Placement\nfiles: {placement.conf: {}}\nconfig: {placement.conf: {DEFAULT: {debug: true}}}\n"
    text += "contributes: {nova: {config: {nova.conf: {DEFAULT: {debug: true}}}}}\n"
    (tmp_path / "catalog/placement.yml").write_text(text)
    for option, words in (
        ("placement/placement.conf/DEFAULT/debug", "definition placement, "),
        ("nova/nova.conf/DEFAULT/debug", "contributed by definition placement, "),
    ):
        ((where, _value),) = explain(option).layers
        assert where.startswith(words)
        assert where.endswith("catalog/placement.yml")


def test_secrets_are_masked(explain):
    found = explain("nova/nova.conf/DEFAULT/transport_url")
    assert "rabbit://nova:********@" in found.value
    assert explain("nova/nova.conf/service_user/password").value == "********"


def test_what_is_not_there(explain):
    assert explain("nova/nova.conf/DEFAULT/nothing").value is None
    with pytest.raises(explanation.Unknown, match=r"no file nova.con of nova on this host; it has .*nova\.conf"):
        explain("nova/nova.con/DEFAULT/x")
    with pytest.raises(explanation.Unknown, match="no service novva on this host"):
        explain("novva/nova.conf/DEFAULT/x")
