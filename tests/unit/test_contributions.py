# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What one definition adds to another, and what goes with it."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleError
from ansible_collections.cairn.openstack.plugins.plugin_utils.catalog import contributions, definitions
from resolving import files, resolve

HOSTS = {"aio1": {"address": "192.0.2.11", "groups": ["controller", "network", "compute"]}}
PANEL = """
description: A panel
contributes:
  horizon:
    packages: {controller: [panel]}
    files: {panel.py: {path: /etc/panel.py}}
    units: [{name: panel-agent, memory: 5}]
    config: {panel.py: "PANEL = True"}
  nova:
    config: {nova.conf: {DEFAULT: {reclaim_instance_interval: 3600, host: x}}}
"""


@pytest.fixture
def added(tmp_path):
    """Return the all-in-one of a cloud with these files of definitions."""

    def model(settings=None, **texts):
        (tmp_path / "catalog").mkdir(exist_ok=True)
        for name, text in texts.items():
            (tmp_path / f"catalog/{name}.yml").write_text(text)
        return resolve(HOSTS, "aio1", tmp_path, settings)

    return model


def units(model, service):
    """Return the units of *service* by name."""
    definition = model.definitions[service]
    found = definitions.files(definition, {"controller", "all"}, model.cloud, [])
    return {unit["name"]: unit for unit in definitions.units(definition, {"controller", "all"}, found)}


def test_what_is_added(added):
    model = added(panel=PANEL)
    assert "panel" in model.definitions["horizon"]["packages"]["controller"]
    assert files(model, "horizon", ["controller"])["panel.py"]["content"] == "PANEL = True"
    assert units(model, "horizon")["panel-agent"]["state"] == "started"
    assert "panel" in units(model, "horizon")["apache2"]["packages"]
    nova = files(model, "nova", ["controller"])["nova.conf"]
    assert nova["sections"]["DEFAULT"]["reclaim_instance_interval"] == 3600
    assert nova["contributors"] == ["panel"]


def test_the_user_wins(added):
    options = {"nova": {"nova.conf": {"DEFAULT": {"reclaim_instance_interval": 1}}}}
    model = added({"cloud_config": options}, panel=PANEL)
    assert files(model, "nova", ["controller"])["nova.conf"]["sections"]["DEFAULT"]["reclaim_instance_interval"] == 1


def test_what_is_added_goes_with_who_added_it(added):
    model = added(panel=PANEL + "state: absent\n")
    assert files(model, "horizon", ["controller"])["panel.py"]["state"] == "absent"
    agent = units(model, "horizon")["panel-agent"]
    assert (agent["state"], agent["enabled"]) == ("stopped", False)
    assert "panel" not in model.definitions["horizon"]["packages"]["controller"]
    assert "reclaim_instance_interval" not in files(model, "nova", ["controller"])["nova.conf"]["sections"]["DEFAULT"]


@pytest.mark.parametrize("state", ["{{ 'Present' }}", "gone"])
def test_a_slip_in_the_state_removes_nothing(added, state):
    with pytest.raises(AnsibleError, match=r"'lamp': state is '(Present|gone)'; allowed is present or absent"):
        added(lamp=f'description: Light\nstate: "{state}"\n')


def test_two_that_disagree(added):
    other = "description: x\ncontributes: {nova: {config: {nova.conf: {DEFAULT: {host: y}}}}}\n"
    model = added(panel=PANEL, zebra=other)
    with pytest.raises(AnsibleError, match=r"nova: nova\.conf: \[DEFAULT\] host is 'x' for panel and 'y' for zebra"):
        files(model, "nova", ["controller"])


def test_two_texts_for_one_file(added):
    other = 'description: x\ncontributes: {horizon: {config: {panel.py: "PANEL = False"}}}\n'
    model = added(panel=PANEL, zebra=other)
    with pytest.raises(AnsibleError, match="panel and zebra contribute different texts"):
        files(model, "horizon", ["controller"])


def test_back_ends_that_bring_the_same_unit():
    unit = {"name": "agent", "memory": 5}
    found = [contributions.Contribution("acme", "cinder", {"units": [unit]}) for _backend in range(2)]
    result = contributions.add({"packages": {}, "files": {}, "units": [], "config": {}}, found)
    assert result["units"] == [{**unit, "packages": []}]


def test_a_file_for_all_stays_one():
    found = [contributions.Contribution("x", "nova", {"files": {"nova.conf": {"groups": ["compute"], "auth": ["y"]}}})]
    definition = {"packages": {}, "files": {"nova.conf": {"auth": ["z"]}}, "units": [], "config": {}}
    assert contributions.add(definition, found)["files"] == {"nova.conf": {"auth": ["z", "y"]}}


def test_a_section_called_like_its_back_end():
    content = {"config": {"c.conf": {"{{backend.name}}": {"a": 1}}}, "files": {"{{ backend.name }}.xml": {}}}
    assert contributions.own_section(content, "gold") == {
        "config": {"c.conf": {"gold": {"a": 1}}},
        "files": {"gold.xml": {}},
    }
