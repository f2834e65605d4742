# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How Tempest's configuration follows from a cloud, and what is made of its results; nothing is run."""

from __future__ import annotations

import configparser
import http.server
import re
import sys
import threading
from types import SimpleNamespace

import pytest
import yaml

FACTS = {
    "identity": {
        "auth_url": "https://cloud.example.org:5000/v3",
        "username": "admin",
        "password": "a$b",
        "project": "admin",
        "domain": "Default",
        "domain_id": "default",
        "region": "RegionOne",
        "ca_file": "/etc/ca.crt",
        "roles": ["ResellerAdmin", "admin", "member"],
    },
    "services": {
        name: f"https://cloud.example.org/{name}"
        for name in ("block-storage", "compute", "identity", "image", "network", "object-store", "placement")
    },
    "compute": {"max_microversion": "2.100", "hosts": ["compute1", "compute2"], "hypervisor": "QEMU"},
    "placement": {"max_microversion": "1.39"},
    "volume": {
        "catalog_type": "block-storage",
        "max_microversion": "3.71",
        "backends": {"ceph": {"protocol": "ceph", "vendor": "Open Source"}},
        "backup": True,
        "extensions": ["backups"],
    },
    "network": {
        "extensions": ["port-security", "router"],
        "external": {"id": "n1", "name": "public"},
    },
    "image": {
        "import_methods": ["glance-direct"],
        "stores": ["ceph"],
        "disk_formats": ["raw", "qcow2"],
        "container_formats": ["bare"],
    },
    "objects": {"swift": {}, "versioned_writes": {}, "tempurl": {"allowed_digests": ["sha1", "sha256"]}},
    "dashboard": "https://cloud.example.org/",
}
OBJECTS = {
    "image": "i1",
    "image_alt": "i2",
    "flavor": "f1",
    "flavor_alt": "f2",
    "user": "cairn",
    "file": "/guest.qcow2",
    "disk_format": "qcow2",
    "properties": {"hw_vif_model": "e1000", "hw_disk_bus": "virtio"},
}
JUNIT = """<testsuite errors="0" failures="1" name="" tests="5" time="9">
<testcase classname="tempest.scenario.test_a.TestA" name="test_one[id-1,smoke]" time="2.500"/>
<testcase classname="tempest.scenario.test_a.TestA" name="test_two[id-2]" time="4.000">
<failure type="testtools.testresult.real._StringException">Traceback (most recent call last):
  File "x.py", line 1
tempest.lib.exceptions.SSHTimeout: Connection to 192.0.2.1 | timed out
}}}</failure></testcase>
<testcase classname="" name="setUpClass (tempest.scenario.test_b.TestB)" time="0.000"><skipped>no B</skipped></testcase>
<testcase classname="tempest.scenario.test_a.TestA" name="test_three[id-3]" time="0"><skipped>no C</skipped></testcase>
<testcase classname="" name="setUpClass (tempest.scenario.test_a.TestA)" time="0.000"/>
</testsuite>"""
TESTS = [
    "tempest.scenario.test_a.TestA.test_one[id-1,smoke]",
    "tempest.scenario.test_a.TestA.test_two[id-2]",
    "tempest.scenario.test_a.TestA.test_three[id-3]",
    "tempest.scenario.test_b.TestB.test_one[id-4]",
    "tempest.scenario.test_b.TestB.test_two[id-5]",
    "tempest.scenario.test_c.TestC.test_one[id-6]",
    "tempest.scenario.test_c.TestC.test_two[id-7]",
]


@pytest.fixture
def tool(root, monkeypatch):
    """The directory of the tool on the path; returns how to import from it."""
    monkeypatch.syspath_prepend(root / "tests")
    monkeypatch.syspath_prepend(root / "tests/tempest")
    before = set(sys.modules)
    yield __import__
    for name in set(sys.modules) - before:
        if getattr(sys.modules[name], "__file__", None) and "/tests/tempest/" in str(sys.modules[name].__file__):
            del sys.modules[name]


@pytest.fixture
def settings(root):
    return yaml.safe_load((root / "tests/tempest/settings.yml").read_text())


@pytest.fixture
def derived(tool, settings):
    """The options of a cloud with these facts, as Tempest reads them."""

    def options(**changes):
        configuration = tool("configuration")
        facts = {key: value for key, value in {**FACTS, **changes}.items() if value is not None}
        sections = configuration.derive(facts, OBJECTS, configuration.constants(settings), "/run/tempest")
        parser = configparser.RawConfigParser()
        parser.read_string(configuration.text(sections))
        return parser

    return options


def without(*services):
    """Return a catalog without some services."""
    return {name: url for name, url in FACTS["services"].items() if name not in services}


class TestConfiguration:
    def test_the_whole_cloud(self, derived):
        found = derived()
        assert dict(found["service_available"]) == {
            **dict(found.defaults()),
            **dict.fromkeys(("cinder", "glance", "horizon", "neutron", "nova", "swift"), "true"),
        }
        assert found["compute"]["image_ref"] == "i1"
        assert found["compute"]["max_microversion"] == "2.100"
        assert found["compute"]["min_compute_nodes"] == "2"
        assert found["compute-feature-enabled"]["cold_migration"] == "true"
        assert found["compute-feature-enabled"]["attach_encrypted_volume"] == "false"
        assert found["network"]["public_network_id"] == "n1"
        assert found["network-feature-enabled"]["floating_ips"] == "true"
        assert found["scenario"]["img_properties"] == "hw_disk_bus:virtio,hw_vif_model:e1000"
        assert found["volume-feature-enabled"]["multi_backend"] == "false"
        assert found["volume-feature-enabled"]["extend_attached_volume"] == "true"
        assert found["object-storage"]["reseller_admin_role"] == "ResellerAdmin"
        assert found["object-storage-feature-enabled"]["container_sync"] == "false"
        assert found["object-storage-feature-enabled"]["tempurl_digest_hashlib"] == "sha256"

    def test_a_dollar_is_no_reference(self, derived):
        assert derived()["auth"]["admin_password"] == "a$$b"

    def test_a_small_cloud(self, derived):
        found = derived(
            services=without("block-storage", "object-store"),
            volume=None,
            objects=None,
            dashboard="",
            compute={**FACTS["compute"], "hosts": ["controller1"]},
            network={"extensions": ["router"], "external": None},
        )
        available = {name: found["service_available"][name] for name in ("cinder", "horizon", "nova", "swift")}
        assert available == {"cinder": "false", "horizon": "false", "nova": "true", "swift": "false"}
        assert found["compute-feature-enabled"]["cold_migration"] == "false"
        assert found["network-feature-enabled"]["floating_ips"] == "false"
        assert not found.has_option("network", "public_network_id")
        assert not found.has_section("dashboard")
        assert not found.has_section("object-storage")

    def test_two_back_ends_of_an_old_cinder(self, derived):
        backends = {"lvm": {"protocol": "iSCSI", "vendor": "x"}, "ceph": {"protocol": "ceph", "vendor": "y"}}
        found = derived(volume={**FACTS["volume"], "backends": backends, "max_microversion": "3.9"})
        assert found["volume"]["backend_names"] == "ceph,lvm"
        assert found["volume-feature-enabled"]["multi_backend"] == "true"
        assert found["volume-feature-enabled"]["extend_attached_volume"] == "false"

    def test_a_constant_that_follows_from_the_cloud(self, tool):
        configuration = tool("configuration")
        with pytest.raises(configuration.SettingsError, match=r"compute\.image_ref follows from the cloud"):
            configuration.derive(FACTS, OBJECTS, {"compute": {"image_ref": "x"}}, "/run")

    @pytest.mark.parametrize("entry", [True, {"value": True}, {"value": True, "why": ""}, {"why": "x"}])
    def test_a_constant_without_a_reason(self, tool, entry):
        configuration = tool("configuration")
        with pytest.raises(configuration.SettingsError, match=r"image\.http_image needs value and why"):
            configuration.constants({"image": {"http_image": entry}})


class TestSkips:
    def test_those_of_the_project_have_reasons(self, root, tool):
        tool("results").skips(yaml.safe_load((root / "tests/tempest/skips.yml").read_text()))

    @pytest.mark.parametrize(
        ("entry", "said"),
        [({"test": "x"}, "needs test and reason"), ("x", "needs"), ({"test": "(", "reason": "x"}, "no regular")],
    )
    def test_a_wrong_entry(self, tool, entry, said):
        with pytest.raises(tool("configuration").SettingsError, match=said):
            tool("results").skips([entry])

    def test_an_entry_that_matches_nothing(self, tool):
        results = tool("results")
        entries = results.skips([{"test": "test_c", "reason": "x"}, {"test": "test_gone", "reason": "x"}])
        assert results.unused(entries, TESTS) == ["test_gone"]


@pytest.fixture
def run(tool):
    results = tool("results")
    skips = results.skips([{"test": r"TestC\.test_one", "reason": "a bug\n  of C"}])
    return results.Run(TESTS, results.read(JUNIT), skips, 120.0)


class TestResults:
    def test_counts(self, run):
        assert run.ended("passed") == [TESTS[0]]
        assert run.ended("failed") == [TESTS[1]]
        assert run.ended("skipped") == TESTS[2:5]

    def test_a_class_that_was_skipped_is_all_of_its_tests(self, run):
        assert run.reasons() == {"no B": TESTS[3:5], "no C": [TESTS[2]]}

    def test_what_was_left_out_and_what_is_missing(self, run):
        assert run.left_out() == {"a bug of C": [TESTS[5]]}
        assert run.missing() == [TESTS[6]]

    def test_a_failure_says_its_last_line(self, run):
        (failed,) = (result for result in run.results if result.outcome == "failed")
        assert failed.said == "tempest.lib.exceptions.SSHTimeout: Connection to 192.0.2.1 | timed out"
        assert failed.seconds == pytest.approx(4.0)

    def test_the_page(self, tool, run):
        about = {"when": "1 January 2026, commit abc:", "tempest": "43.0.0", "tests": "all", "computer": "a computer"}
        page = tool("report").page(run, FACTS, about, ["port x (1)"])
        assert "| all | 7 | 1 | 1 | 3 | 1 | 1 | 2 |" in page
        assert "| `scenario.test_a.TestA.test_two` | 4 | tempest.lib.exceptions.SSHTimeout: Connection to" in page
        assert "192.0.2.1 \\| timed out |" in page
        assert "| no B | 2 | `scenario.test_b.TestB`: test_one, test_two |" in page
        assert "| a bug of C | 1 | `scenario.test_c.TestC`: test_one |" in page
        assert "- port x (1)" in page
        assert "2 compute hosts (QEMU), volumes on ceph (ceph) with backups, images in ceph, objects in Swift" in page


class Response(SimpleNamespace):
    def json(self):
        return self.body


class Cloud:
    """Flavors and images, and a record of what was changed."""

    current_project_id = "p"

    def __init__(self, flavors=(), images=()):
        self.said = []
        self.flavors, self.all_images = {one.name: one for one in flavors}, list(images)
        self.compute = SimpleNamespace(
            find_flavor=lambda name, **_options: self.flavors.get(name),
            create_flavor=self.create_flavor,
            delete_flavor=lambda flavor: self.said.append(f"delete {flavor.name}"),
        )
        self.image = SimpleNamespace(
            images=lambda name, **_options: [one for one in self.all_images if one.name == name],
            delete_image=lambda key: self.said.append(f"delete {key}"),
            post=lambda _path, json: Response(status_code=201, body={"id": f"new {json['name']}"}),
            put=self.put,
        )

    def create_flavor(self, name, **options):
        self.said.append(f"create {name}")
        return SimpleNamespace(id=f"new {name}", name=name, **options)

    def put(self, path, **_options):
        self.said.append(f"upload {path}")
        return Response(status_code=204)


@pytest.fixture
def guest(tmp_path):
    path = tmp_path / "guest.qcow2"
    path.write_bytes(b"a disk")
    return str(path)


class TestObjects:
    def test_all_are_created_once(self, tool, guest):
        objects = tool("objects")
        cloud = Cloud()
        made = objects.create(cloud, guest, {"hw_vif_model": "e1000"})
        assert set(made) == {"flavor", "flavor_alt", "image", "image_alt"}
        assert len(cloud.said) == 4
        flavors = [
            SimpleNamespace(id=f"f{n}", name=name, **sizes) for n, (name, sizes) in enumerate(objects.FLAVORS.values())
        ]
        images = [
            SimpleNamespace(id=f"i{n}", name=name, status="active", hash_value=objects.sha512(guest))
            for n, name in enumerate(objects.IMAGES.values())
        ]
        again = Cloud(flavors, images)
        kept = {"flavor": "f0", "flavor_alt": "f1", "image": "i0", "image_alt": "i1"}
        assert objects.create(again, guest, {}) == objects.existing(again) == kept
        assert again.said == []

    def test_others_of_the_name_are_replaced(self, tool, guest):
        objects = tool("objects")
        name = objects.IMAGES["image"]
        small = SimpleNamespace(id="f", name=objects.FLAVORS["flavor"][0], ram=1, vcpus=1, disk=1)
        broken = SimpleNamespace(id="i1", name=name, status="queued", hash_value=None)
        older = SimpleNamespace(id="i2", name=name, status="active", hash_value="x")
        cloud = Cloud([small], [broken, older])
        objects.create(cloud, guest, {})
        assert {"delete i1", "delete i2", f"delete {small.name}", f"create {small.name}"} <= set(cloud.said)

    def test_what_is_left(self, tool):
        before = {("server", "1"): "a", ("port", "2"): "b"}
        after = {("port", "2"): "b", ("port", "3"): "c"}
        assert tool("objects").left(before, after) == ["port c (3)"]


def test_what_services_delete_in_the_background_is_not_left(tool, monkeypatch):
    main = tool("main")
    monkeypatch.setattr(main, "LOOK", 0)
    looks = [["port c (3)"], ["port c (3)"], []]
    assert main.settle(lambda: looks.pop(0)) == []
    monkeypatch.setattr(main, "SETTLE", 0)
    assert main.settle(lambda: ["port c (3)"]) == ["port c (3)"]


class TestCloudIsFound:
    @pytest.fixture
    def port(self):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200 if self.path == "/v3" else 404)
                self.end_headers()

            def log_message(self, *_args):
                pass

        server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()
        server.server_close()

    def inventory(self, directory, port):
        secrets = directory / ".secrets"
        secrets.mkdir()
        entry = {"auth": {"auth_url": f"http://localhost:{port}/v3"}}
        (secrets / "clouds.yaml").write_text(yaml.safe_dump({"clouds": {"cairn": entry}}))
        return directory

    def test_it_answers(self, tool, tmp_path, port):
        assert tool("main").find(self.inventory(tmp_path, port), False) == ("localhost", "localhost")

    def test_none_was_deployed(self, tool, tmp_path):
        main = tool("main")
        with pytest.raises(main.Failed, match="deploy it by `make cloud`"):
            main.find(tmp_path, False)

    def test_it_is_deployed(self, tool, tmp_path, port, monkeypatch):
        main = tool("main")
        ran = []

        def deploy(command, **_options):
            ran.append(command[-1])
            self.inventory(tmp_path, port)
            return SimpleNamespace(returncode=0)

        monkeypatch.setattr(main.subprocess, "run", deploy)
        assert main.find(tmp_path, True)[0] == "localhost"
        assert ran == [str(tmp_path)]


PLUGINS = ("barbican", "cloudkitty", "designate", "heat", "manila", "octavia", "telemetry")
EXTRA = {
    "barbican": "1.1",
    "octavia": {"ovn": "OVN: a driver, of Neutron", "amphora": "The amphora"},
    "manila": {
        "max_microversion": "2.88",
        "pools": [{"storage_protocol": "NFS_CIFS", "driver_handles_share_servers": "False"}],
    },
}


@pytest.fixture
def entries(root):
    return yaml.safe_load((root / "tests/tempest/plugins.yml").read_text())


@pytest.fixture
def chosen(tool, entries):
    """The plugins of the project with these names, all by default."""

    def plugins(*names):
        return tool("service_plugins").load(entries, names or PLUGINS)

    return plugins


class TestPlugins:
    def test_each_service_has_a_plugin(self, entries):
        assert set(entries["services"].values()) == set(entries["plugins"]) == set(PLUGINS)

    def test_each_exclusion_has_its_reason_on_its_line(self, root):
        lines = [
            line
            for line in (root / "tests/tempest/plugins.yml").read_text().splitlines()
            if line.strip().startswith("- {test:")
        ]
        assert lines
        assert [line for line in lines if ", reason: " not in line] == []

    def test_a_wrong_entry(self, tool, entries):
        entries["plugins"]["heat"].pop("roles")
        with pytest.raises(tool("configuration").SettingsError, match=r"plugins\.yml: heat needs"):
            tool("service_plugins").load(entries, ["heat"])
        with pytest.raises(tool("configuration").SettingsError, match="magnum needs"):
            tool("service_plugins").load(entries, ["magnum"])

    def test_exclusions_are_for_their_own_plugin(self, chosen):
        (skip,) = [skip for skip in chosen("heat")[0].out if skip.test.endswith("scenario\\.")]
        assert skip.matches("heat_tempest_plugin.tests.scenario.test_volumes.Volumes.test_one[id-1]")
        assert not skip.matches("manila_tempest_tests.tests.scenario.test_share.Share.test_one[id-1]")

    def test_what_is_run(self, tool, chosen):
        tests = [
            "designate_tempest_plugin.tests.api.v2.test_recordset.RecordsetsTest.test_create_recordset[id-1,smoke]",
            "designate_tempest_plugin.tests.api.v2.test_recordset.RecordsetsTest.test_create_recordset_type_A[id-2]",
            "designate_tempest_plugin.tests.scenario.v2.test_zones.ZonesTest.test_create_and_delete_zone[id-3,slow]",
            "designate_tempest_plugin.tests.scenario.v2.test_recordsets.RecordsetsTest.test_one[id-4]",
            "manila_tempest_tests.tests.api.test_shares.SharesNFSTest.test_create_get_delete_share[backend,id-5,positive]",
            "manila_tempest_tests.tests.api.test_shares.SharesNFSTest.test_create_share_a[api_with_backend,id-6]",
            "octavia_tempest_plugin.tests.api.v2.test_load_balancer.LoadBalancerAPITest.test_load_balancer_ipv4_create[id-7]",
            "octavia_tempest_plugin.tests.api.v2.test_load_balancer.LoadBalancerAPITest.test_load_balancer_list[id-8]",
        ]
        out = [skip for plugin in chosen() for skip in plugin.out]
        kept = tool("results").Run(tests, [], out).kept()
        assert kept == tests[::2]
        expression = tool("service_plugins").expression(chosen("heat", "designate"))
        assert [test for test in tests if re.search(expression, test)] == tests[:4]

    def test_what_the_catalog_lacks(self, tool, chosen):
        found = tool("service_plugins").missing(chosen("heat", "barbican"), ["orchestration"])
        assert found == ["key-manager (barbican)"]

    def test_their_options(self, tool, chosen, settings):
        configuration = tool("configuration")
        plugins = tool("service_plugins")
        services = {**FACTS["services"], "orchestration": "x", "dns": "x", "alarming": "x", "metric": "x"}
        facts = {**FACTS, "services": services}
        user = {"name": plugins.HEAT, "password": "p$q"}
        own = plugins.sections(chosen(), facts, EXTRA, user, ["192.0.2.1", "192.0.2.2"])
        nothing = {**dict.fromkeys(OBJECTS), "properties": {}}
        core = configuration.derive(facts, nothing, configuration.constants(settings), "/run")
        for section, options in own.items():
            assert not set(core.get(section, {})) & set(options)
            core.setdefault(section, {}).update(options)
        parser = configparser.RawConfigParser()
        parser.read_string(configuration.text(core))
        assert parser["service_available"]["heat"] == "true"
        assert parser["service_available"]["barbican"] == "false"
        assert parser["service_available"]["nova"] == "true"
        assert parser["heat_plugin"]["project_name"] == "cairn-tempest-heat"
        assert parser["heat_plugin"]["password"] == "p$$q"
        assert parser["heat_plugin"]["floating_network_name"] == "public"
        assert parser["dns"]["nameservers"] == "192.0.2.1,192.0.2.2"
        assert parser["key_manager"]["max_microversion"] == "1.1"
        assert parser["load_balancer"]["provider"] == "amphora"
        assert (
            parser["load_balancer"]["enabled_provider_drivers"] == "amphora:The amphora,ovn:OVN  a driver  of Neutron"
        )
        assert parser["share"]["enable_protocols"] == "nfs,cifs"
        assert parser["share"]["catalog_type"] == "sharev2"
        assert parser["share"]["multitenancy_enabled"] == "false"
        assert not parser.has_option("compute", "image_ref")

    def test_an_option_that_is_set_twice(self, tool, entries):
        plugins = tool("service_plugins")
        entries["plugins"]["designate"]["options"]["dns"]["nameservers"] = {"value": "x", "why": "x"}
        with pytest.raises(tool("configuration").SettingsError, match=r"dns\.nameservers of designate is set twice"):
            plugins.sections(plugins.load(entries, ["designate"]), FACTS, {}, {}, [])

    def test_a_service_without_pools_or_microversions(self, tool, chosen):
        plugins = tool("service_plugins")
        extra = {"barbican": "", "manila": {"max_microversion": "", "pools": []}}
        own = plugins.sections(chosen("barbican", "manila"), FACTS, extra, {}, [])
        assert own["key_manager"]["max_microversion"] is None
        assert own["share"]["enable_protocols"] is None


class Identity:
    """Users, projects and roles by name, and what was said."""

    def __init__(self, *roles):
        self.names = set(roles)
        self.said = []

    def find_role(self, name):
        return SimpleNamespace(id=name, name=name) if name in self.names else None

    def find_domain(self, name, ignore_missing):
        return SimpleNamespace(id="default", name=name)

    def users(self, name):
        return [name] if ("user", name) in self.names else []

    def projects(self, name):
        return [SimpleNamespace(id="p", name=name)] if ("project", name) in self.names else []

    def create_role(self, name):
        self.names.add(name)
        return SimpleNamespace(id=name, name=name)

    def create_project(self, name, domain_id):
        self.names.add(("project", name))
        return SimpleNamespace(id="p", name=name)

    def create_user(self, name, password, domain_id, default_project_id):
        assert password
        assert default_project_id == "p"
        self.names.add(("user", name))
        return SimpleNamespace(id="u", name=name)

    def assign_project_role_to_user(self, project, user, role):
        self.said.append(f"{role.name} of {user.name} in {project.name}")

    def delete_role(self, role):
        self.names.remove(role.name)

    def delete_user(self, name):
        self.names.remove(("user", name))

    def delete_project(self, project):
        self.names.remove(("project", project.name))


class SecurityGroups:
    """Neutron's groups, which a deleted project leaves."""

    def __init__(self):
        self.left = ["default"]

    def security_groups(self, project_id):
        assert project_id == "p"
        return list(self.left)

    def delete_security_group(self, group):
        self.left.remove(group)


def test_users_of_plugins_come_and_go(tool, chosen):
    config = SimpleNamespace(config={"auth": {"user_domain_name": "Default"}})
    before = {"member", "heat_stack_owner"}
    identity = Identity(*before, ("user", "cairn-tempest-heat"))
    network = SecurityGroups()
    users = tool("service_plugins").Users(
        SimpleNamespace(identity=identity, network=network, config=config), chosen("heat", "octavia", "barbican")
    )
    users.create()
    owner = "cairn-tempest-heat in cairn-tempest-heat"
    assert identity.said == [f"member of {owner}", f"heat_stack_owner of {owner}"]
    assert {"creator", "load-balancer_member"} <= identity.names
    users.remove()
    assert identity.names == before
    assert network.left == []


def test_the_page_of_the_services(tool):
    results = tool("results")
    tests = [
        "a_tests.x.TestA.test_one[id-1]",
        "a_tests.x.TestA.test_two[id-2]",
        "b_tests.y.TestB.test_one[id-3]",
        "b_tests.scenario.TestC.test_one[id-4]",
    ]
    ended = [
        results.Result(tests[0], results.PASSED, 2.0),
        results.Result(tests[1], results.FAILED, 3.0, "boom"),
        results.Result("setUpClass (b_tests.y.TestB)", results.SKIPPED, 0.0, "no B"),
    ]
    run = results.Run(tests, ended, results.skips([{"test": "scenario", "reason": "boots servers"}]), 120.0)
    about = {"when": "1 January 2026, commit abc:", "tempest": "43.0.0", "computer": "a host"}
    page = tool("report").services_page(run, {"a": "a_tests", "b": "b_tests"}, FACTS, about, [])
    assert "| a | 2 | 1 | 1 | 0 | 0 | 0 |" in page
    assert "| b | 2 | 0 | 0 | 1 | 1 | 0 |" in page
    assert "| boots servers | 1 | b |" in page
    assert "| no B | 1 | `b_tests.y.TestB`: test_one |" in page
    assert "| `a_tests.x.TestA.test_two` | 3 | boom |" in page
    assert "Nothing: the same objects" in page
