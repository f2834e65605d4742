# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What holds for every definition, role, setting and inventory, whoever adds one."""

from __future__ import annotations

import ast
import importlib
import re
from pathlib import Path

import pytest
import yaml
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.resources.cloud import Kind
from ansible_collections.cairn.openstack.plugins.module_utils.common import changes
from ansible_collections.cairn.openstack.plugins.plugin_utils.preflight import definition_spec
from ansible_collections.cairn.openstack.plugins.plugin_utils.preflight.definition_checks import clashes

ROOT = Path(__file__).resolve().parents[2]
ROLES = sorted(path.name for path in (ROOT / "roles").iterdir() if path.is_dir())
MODULES = sorted(path.stem for path in (ROOT / "plugins/modules").glob("*.py"))


def load(path):
    return yaml.safe_load(path.read_text()) or {}


def texts(directory, suffixes=None):
    """Return every text file below *directory* with its text."""
    for path in sorted((ROOT / directory).rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts and (suffixes is None or path.suffix in suffixes):
            try:
                yield path.relative_to(ROOT), path.read_text()
            except UnicodeDecodeError:
                continue


def more_files(definition):
    """Return the files that a definition contributes to others."""
    parts = [definition.get("contributes", {}), *(entry["contributes"] for entry in definition.get("each_backend", []))]
    return [file for part in parts for content in part.values() for file in (content.get("files") or {}).values()]


def returns(module):
    """Return what *module* documents of its result."""
    found = importlib.import_module(f"ansible_collections.cairn.openstack.plugins.modules.{module}")
    return getattr(found, "RETURN", "")


CHANGING = [name for name in MODULES if "\nchanges:" in returns(name)]


def subclasses(parent):
    """Return every class that comes from *parent*."""
    return [one for child in parent.__subclasses__() for one in [child, *subclasses(child)]]


def kinds_in(tree):
    """Yield the kinds that are written where a change is made."""
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        name = getattr(call.func, "id", getattr(call.func, "attr", ""))
        first, second = [*call.args, None, None][:2]
        if name in ("Change", "returned", "_named") or (name == "add" and len(call.args) > 4):
            kind = first
        elif name in ("_add", "_put"):
            kind = getattr(second, "elts", [None])[0]
        elif name == "_delete" or (name == "partial" and getattr(first, "id", "") == "Change"):
            kind = second
        else:
            continue
        if isinstance(kind, ast.Constant):
            yield kind.value


class TestPages:
    def test_each_is_right(self, catalog):
        assert [
            finding for name, definition in catalog.items() for finding in definition_spec.findings(name, definition)
        ] == []

    def test_each_file_holds_the_page_of_its_name(self):
        for path in (ROOT / "roles/catalog/defaults/main").glob("*.yml"):
            if path.stem != "extra":
                assert list(load(path)) == [f"catalog_{path.stem}"]

    def test_no_port_twice(self, catalog):
        """Of the APIs, and of the infrastructure."""
        assert list(clashes(catalog)) == []

    def test_every_unit_of_a_service_says_what_it_needs(self, catalog):
        """Preflight adds it up. What belongs to any host, only opens a socket or is never started needs nothing."""
        small = {"base", "firewall", "keepalived"}
        bare = [
            unit["name"]
            for name, definition in catalog.items()
            for unit in definition.get("units", [])
            if name not in small and not unit.get("host_owned") and "." not in unit["name"] and "memory" not in unit
            if unit.get("state") != "stopped"
        ]
        assert bare == ["libvirt-guests"]

    def test_no_two_services_on_one_port_of_the_front(self, catalog):
        for scheme in ("http", "https"):
            ports = [
                api.get("frontend_port", {}).get(scheme, api["port"])
                for definition in catalog.values()
                for api in definition.get("apis", [])
                if api.get("load_balanced", True)
            ]
            assert sorted(set(ports)) == sorted(ports)

    def test_the_firewall_has_no_list_of_its_own(self, catalog):
        """What is let in stands with who listens; the firewall's own definition names no service and no port."""
        text = "\n".join(map(str, (catalog["firewall"]["config"], catalog["firewall"].get("ports", ""))))
        named = [name for name in catalog if name != "firewall" and re.search(rf"\b{name}\b", text)]
        assert named == []
        assert re.findall(r"dport \d+", text) == []

    def test_no_order_by_chance(self, catalog):
        """Ansible's set filters give strings in another order in every run: a file would change each time."""
        by_chance = re.compile(r"\|\s*(union|difference|intersect|symmetric_difference)\(")
        assert [name for name, definition in catalog.items() if by_chance.search(str(definition))] == []

    def test_every_database_has_one_owner(self, catalog):
        names = [database["name"] for definition in catalog.values() for database in definition.get("databases", [])]
        assert sorted(set(names)) == sorted(names)

    def test_every_unit_has_one_owner(self, catalog):
        names = [unit["name"] for definition in catalog.values() for unit in definition.get("units", [])]
        assert sorted(set(names)) == sorted(names)

    def test_no_drop_in_has_the_name_of_the_engines(self, catalog):
        # systemd reads only one of two with the same name, that of the instance before that of the template.
        drop_in = re.compile(r"/etc/systemd/system/([^/@]+)(@[^/]*)?\.service\.d/cairn\.conf")
        written = {
            match.group(1)
            for definition in catalog.values()
            for file in [*definition.get("files", {}).values(), *more_files(definition)]
            if (match := drop_in.fullmatch(str((file or {}).get("path"))))
        }
        lasting = {
            unit["name"].partition("@")[0].removesuffix(".service")
            for definition in catalog.values()
            for unit in definition.get("units", [])
            if unit.get("tier", definition.get("tier", "service")) != "infrastructure"
            # One with a suffix gets none.
            and "." not in re.sub(r"\{\{.*?\}\}", "", unit["name"])
        }
        assert written & lasting == set()

    def test_whoever_has_an_endpoint_has_an_api(self, catalog):
        for name, definition in catalog.items():
            if definition.get("identity", {}).get("services"):
                assert definition.get("apis"), name

    def test_every_file_has_its_text(self, catalog):
        for name, definition in catalog.items():
            bare = {path for path, file in definition.get("files", {}).items() if not _no_text(file or {})}
            assert bare - set(definition.get("config", {})) == set(), name


def _no_text(file):
    """Whether the definition has no text for the file: there is none, or it is a copy of a program."""
    return file.get("state") == "absent" or "program" in file


# Option and value as they stand in ini, YAML, JSON, shell and Python.
LITERAL = re.compile(
    r"""(?P<name>[\w.-]*(?:password|(?<!no)passwd|_pass|secret|_token|erlang_cookie|encryption_key|auth_key)[\w.-]*)["']?\s*[:=]\s*"""
    r"""["']?(?P<value>[^\s"'#,}]+)""",
    re.IGNORECASE,
)
# Where a value tells how a secret is kept, and is none itself.
HARMLESS = {"true", "false", "null", "none", "[", "{", "str", "secret", "password", ">-", "|", "encrypt"}


class TestSecrets:
    @pytest.mark.parametrize("directory", ["roles", "playbooks", "inventories"])
    def test_none_is_written_down(self, directory):
        found = []
        for path, text in texts(directory, {".yml", ".j2", ".conf", ".cfg", ".sh", ".py", ""}):
            if "argument_specs" in path.name or any(part.startswith(".") for part in path.parts):
                continue
            for number, line in enumerate(text.splitlines(), 1):
                match = LITERAL.search(line.split(" #")[0])
                value = match["value"] if match else ""
                if value and value.lower() not in HARMLESS and not value.startswith(("{", "[", "/", "$", "@", "role:")):
                    found.append(f"{path}:{number}: {line.strip()}")
        assert found == []

    def test_no_key_is_written_down(self):
        found = [
            path
            for directory in ("roles", "playbooks", "inventories", "plugins")
            for path, text in texts(directory)
            if "PRIVATE KEY-----\n" in text and ".secrets" not in path.parts
        ]
        assert found == []

    def test_every_secret_that_a_definition_uses_is_made(self, catalog):
        from ansible_collections.cairn.openstack.plugins.plugin_utils.catalog import definitions

        made = set(
            definitions.secret_names(
                definitions.load({f"catalog_{name}": definition for name, definition in catalog.items()}, {})
            )
        )
        for path, text in texts("roles"):
            used = set(re.findall(r"cloud\.secrets\.(\w+)", text))
            assert used <= made, path


class TestRoles:
    # Argument specs would template definitions too early; these have their own check.
    @pytest.mark.parametrize("role", [role for role in ROLES if role != "catalog"])
    def test_argument_specs_are_the_defaults(self, role):
        """Whoever reads the documentation reads what happens."""
        path = ROOT / "roles" / role
        defaults = load(path / "defaults/main.yml") if (path / "defaults/main.yml").exists() else {}
        specs = path / "meta/argument_specs.yml"
        entries = load(specs)["argument_specs"]
        for name, entry in entries.items():
            options = entry.get("options") or {}
            assert {key: option.get("default") for key, option in options.items()} == defaults, name
            assert all(option.get("description") and option.get("type") for option in options.values()), name

    @pytest.mark.parametrize("role", ROLES)
    def test_a_short_readme(self, role):
        lines = (ROOT / "roles" / role / "README.md").read_text().splitlines()
        assert lines[0].startswith("# ")
        assert 5 <= len(lines) <= 15

    def test_no_left_overs(self):
        odd = [path for path, _text in texts("roles") if path.suffix in (".bak", ".orig", ".rej", ".swp")]
        assert odd == []


class TestSettings:
    NAMES = tuple(load(ROOT / "roles/cloud/defaults/main.yml"))

    def uses(self):
        """Return who uses which names that look like a setting."""
        found = {}
        for directory in ("roles", "plugins", "playbooks"):
            for path, text in texts(directory):
                # The indexes of options hold names of others.
                if path.parts[:2] != ("roles", "cloud") and path.suffix != ".json":
                    for name in re.findall(r"\bcloud_[a-z0-9_]+", text):
                        found.setdefault(name, set()).add(str(path))
        return found

    def test_each_that_is_used_is_defined(self):
        other = {*MODULES, "cloud_config_"}
        stray = {
            name: sorted(paths)
            for name, paths in self.uses().items()
            if name not in self.NAMES
            and name not in other
            and not (name.endswith("_") and any(known.startswith(name) for known in self.NAMES))
        }
        assert stray == {}

    def test_each_that_is_defined_is_used(self):
        used = self.uses()
        own = (ROOT / "roles/cloud/defaults/main.yml").read_text()
        prefixes = tuple(name for name in used if name.endswith("_") and name != "cloud_")
        idle = [
            name
            for name in self.NAMES
            if name not in used and not name.startswith(prefixes) and not re.search(rf"\b{name}\b(?!:)", own)
        ]
        assert idle == []

    def test_each_is_named_after_its_role(self):
        assert [name for name in self.NAMES if not name.startswith("cloud_")] == []


class TestModules:
    @pytest.mark.parametrize("name", MODULES)
    def test_it_is_documented(self, name):
        module = importlib.import_module(f"ansible_collections.cairn.openstack.plugins.modules.{name}")
        document = yaml.safe_load(module.DOCUMENTATION)
        assert document["module"] == name
        assert document["short_description"]
        assert yaml.safe_load(module.EXAMPLES)

    @pytest.mark.parametrize("name", CHANGING)
    def test_its_changes_are_documented_as_what_they_are(self, name):
        """One type in every module, with a sample of a kind that there is."""
        document = yaml.safe_load(returns(name))["changes"]
        assert (document["type"], document["elements"], document["returned"]) == ("list", "dict", "always")
        assert list(document["contains"]) == ["kind", "verb", "name", "detail"]
        (sample,) = document["sample"]
        assert list(sample) == list(document["contains"])
        assert sample["kind"] in changes.KINDS

    def test_kinds_come_from_one_list(self):
        """Each that a module names is in it, and each in it is named by a module."""
        named = {kind.name for kind in subclasses(Kind)} - {"", "compute host"}
        for path in sorted((ROOT / "plugins").glob("*/**/*.py")):
            named |= set(kinds_in(ast.parse(path.read_text())))
        # What is no bridge.
        named.add("network interface")
        assert named == set(changes.KINDS)

    @pytest.mark.parametrize("name", MODULES)
    def test_its_entry_file_is_short(self, name):
        text = (ROOT / f"plugins/modules/{name}.py").read_text()
        code = re.sub(r'^(DOCUMENTATION|EXAMPLES|RETURN) = r?""".*?^"""$', "", text, flags=re.DOTALL | re.MULTILINE)
        assert len(code.splitlines()) <= 150


class TestInventories:
    SHIPPED = sorted(path.parent.name for path in (ROOT / "inventories").glob("*/hosts.yml"))

    @pytest.mark.parametrize("name", SHIPPED)
    def test_ten_lines(self, name):
        """Twenty with what the cloud keeps where, and the disks."""
        lines = [
            line
            for path in (ROOT / "inventories" / name).rglob("*.yml")
            if ".secrets" not in path.parts
            for line in path.read_text().splitlines()
            if line.strip() and not line.lstrip().startswith("#") and line != "---"
        ]
        assert len(lines) <= {"lab": 20, "storage": 20, "lab_ha": 22, "ha": 22, "ha_apart": 22}.get(name, 10)

    @pytest.mark.parametrize(("own", "lab"), [("storage", "lab"), ("aio", "lab_aio")])
    def test_the_lab_has_the_shape_of_real_hosts(self, own, lab):
        """The same groups with as many hosts, and no setting that only the lab knows but how Ansible enters."""

        def shape(name):
            hosts = load(ROOT / "inventories" / name / "hosts.yml")
            return {group: len(members["hosts"]) for group, members in hosts.items()}

        def settings(name):
            found = load(ROOT / "inventories" / name / "group_vars/all.yml")
            return {key for key in found if not key.startswith("ansible_")}

        assert shape(own) == shape(lab)
        # Tenant VLANs are for those who have them.
        assert settings(lab) - {"cloud_vlan_range"} <= settings(own)

    @pytest.mark.parametrize("name", ["aio", "ha", "ha_apart", "multinode", "storage"])
    def test_addresses_are_those_of_documentation(self, name):
        text = "".join(path.read_text() for path in (ROOT / "inventories" / name).rglob("*.yml"))
        found = re.findall(r"\d+\.\d+\.\d+\.(?:\d+|x)", text)
        assert found
        assert all(address.startswith(("192.0.2.", "198.51.100.", "203.0.113.")) for address in found)


class TestPlaybooks:
    @pytest.mark.parametrize("path", sorted((ROOT / "playbooks").glob("*.yml")), ids=lambda path: path.name)
    def test_roles_and_modules_are_called_by_their_full_names(self, path):
        for play in load(path):
            for role in play.get("roles", []):
                assert (role["role"] if isinstance(role, dict) else role).startswith("cairn.openstack.")


class TestScenarios:
    STEPS = tuple(
        (path.parent, *step.split())
        for path in sorted((ROOT / "molecule").glob("*/molecule.yml"))
        for step in load(path)["scenario"]["test_sequence"]
    )

    def test_what_they_name_is_there(self):
        """Molecule passes over a directory without tests and says only a word."""
        tests = {
            (scenario / path).resolve() for scenario, step, *paths in self.STEPS if step == "verify" for path in paths
        }
        assert [path for path in tests if not list(path.glob("test_*.py"))] == []
        assert tests == {path.parent for path in (ROOT / "tests/lifecycle").rglob("test_*.py")}

    def test_whoever_uses_the_cloud_looks_at_it(self):
        """The tests in tests/cloud come after the playbook that uses it."""
        steps = [step for _scenario, *step in self.STEPS]
        after = [steps[at + 1] for at, step in enumerate(steps) if step == ["side_effect", "../shared/verify.yml"]]
        assert len(after) == steps.count(["verify"])
        assert all(step == ["verify"] for step in after)


def test_storage_hosts_restart_one_by_one(root):
    """Two at a time may hold all copies of an object, and every monitor."""
    plays = {play.get("hosts"): play for play in yaml.safe_load((root / "playbooks/site.yml").read_text())}
    for group in ("restart_required_controller", "restart_required_storage"):
        assert (plays[group]["serial"], plays[group]["max_fail_percentage"]) == (1, 0)


def test_storage_services_restart_when_the_others_have_all(catalog):
    """Whoever holds data says what must hold before a restart."""
    units = {unit["name"].split("@")[0]: unit for name in ("ceph", "swift") for unit in catalog[name]["units"]}
    for name in ("ceph-mon", "ceph-osd.target", "swift-account", "swift-container", "swift-object"):
        assert units[name].get("restart_when") or units[name].get("restart_with"), name


def test_a_module_without_code_documents_an_action():
    for path in sorted((ROOT / "plugins/modules").glob("*.py")):
        text = path.read_text(encoding="utf-8")
        only = '"""Documentation of the action plugin of this name' in text
        assert only is ("def main(" not in text), path.name
        assert not only or (ROOT / "plugins/action" / path.name).is_file(), path.name


def test_every_key_of_a_definition_is_read():
    """A key that was renamed in the specification alone would be ignored."""
    code = "".join(
        path.read_text(encoding="utf-8")
        for room in ("action", "plugin_utils/catalog", "plugin_utils/preflight")
        for path in (ROOT / "plugins" / room).rglob("*.py")
        if path.name != "definition_spec.py"
    )
    # HAProxy's definition reads APIs by their attributes.
    code += re.sub(r"\.(\w+)", r'"\1"', (ROOT / "roles/catalog/defaults/main/haproxy.yml").read_text(encoding="utf-8"))
    spec = definition_spec.SPEC
    keys = {*spec, *spec["units"]["elements"]["options"], *spec["files"]["values"]["options"]}
    keys |= set(spec["apis"]["elements"]["options"]) | set(spec["ports"]["elements"]["options"])
    # Kind's fields have the names of the keys of backend.
    assert sorted(key for key in keys if f'"{key}"' not in code) == []
