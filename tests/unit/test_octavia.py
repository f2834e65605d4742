# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Octavia's programs: the management network of its amphorae, and their image."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from programs import program_of

OWN = {
    "name": "n1",
    "hosts": ["n1", "n2"],
    "cidr": "198.18.0.0/16",
    "flavor": {"vcpus": 1, "ram": 1024, "disk": 4},
    "properties": {"hw_vif_model": "virtio"},
}
STATE = {
    "project": "p1",
    "network": "net",
    "security_group": "sg",
    "port": "port",
    "mac": "fa:16:3e:00:00:01",
    "address": "198.18.0.6",
    "prefix": 16,
    "mtu": 1450,
    "hosts": ["198.18.0.6", "198.18.0.7"],
}


class Apis:
    """The APIs of the cloud; ``objects`` are those of Neutron by kind, ``calls`` all that changed something."""

    def __init__(self, program):
        self.program, self.project = program, "p1"
        self.objects, self.calls = {}, []
        self.flavors, self.profiles, self.nova_flavor = [], [], None
        self.vif_type = "ovs"

    def call(self, service, method, path, body=None, accepted=()):
        """Respond in place of a service."""
        if method != "GET":
            self.calls.append(f"{service} {method} {path}")
        if service == "network":
            return self.neutron(method, path.removeprefix("/v2.0"), body)
        if service == "load-balancer":
            kind = path.rpartition("/")[2]
            have = self.profiles if kind == "flavorprofiles" else self.flavors
            if method == "GET":
                return {kind: have}
            ((singular, item),) = body.items()
            have.append({"id": f"{kind}-{len(have)}", **item})
            return {singular: have[-1]}
        if method == "GET":
            return {"flavor": self.nova_flavor} if self.nova_flavor else {}
        if method == "DELETE":
            self.nova_flavor = None
        if path == "/flavors":
            self.nova_flavor = body["flavor"]
        return {}

    def neutron(self, method, path, body):
        """Respond in place of Neutron."""
        parts = urlsplit(path)
        kind = parts.path.split("/")[1]
        key = kind.replace("-", "_")
        have = self.objects.setdefault(key, [])
        if method == "GET":
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            return {key: [one for one in have if all(one.get(name) == value for name, value in query.items())]}
        if method == "POST":
            ((singular, item),) = body.items()
            number = len(have) + 6
            made = {"id": f"{key}-{number}", "project_id": "p1", "mtu": 1450, "mac_address": STATE["mac"], **item}
            if key == "ports":
                made |= {"fixed_ips": [{"ip_address": f"198.18.0.{number}"}], "binding:vif_type": self.vif_type}
            have.append(made)
            return {singular: made}
        if method == "DELETE":
            have[:] = [one for one in have if one["id"] != parts.path.rpartition("/")[2]]
        return {}

    network, one, ensured = None, None, None


@pytest.fixture
def program(tmp_path, monkeypatch):
    found = program_of("cairn_octavia")
    for name in ("OPTIONS", "READY", "SETTINGS", "STATE"):
        monkeypatch.setattr(found, name, str(tmp_path / name.lower() / "file"))
    monkeypatch.setattr(found, "settings", lambda: OWN)
    return found


@pytest.fixture
def cloud(program, monkeypatch):
    apis = Apis(program)
    for name in ("network", "one", "ensured"):
        monkeypatch.setattr(Apis, name, getattr(program.Cloud, name))
    monkeypatch.setattr(program, "Cloud", lambda: apis)
    return apis


class TestPrepare:
    def test_creates_all_once(self, program, cloud):
        program.prepare()
        ports = cloud.objects["ports"]
        assert [port["device_id"] for port in ports] == ["n1", "n2"]
        assert {port["binding:host_id"] for port in ports} == {"n1", "n2"}
        (subnet,) = cloud.objects["subnets"]
        assert (subnet["gateway_ip"], subnet["enable_dhcp"], subnet["cidr"]) == (None, False, "198.18.0.0/16")
        assert {one["project_id"] for kind in ("networks", "subnets", "ports") for one in cloud.objects[kind]} == {"p1"}
        assert [flavor["name"] for flavor in cloud.flavors] == ["single", "active-standby"]
        before = {kind: len(have) for kind, have in cloud.objects.items() if kind != "security_group_rules"}
        program.prepare()
        assert {kind: len(cloud.objects[kind]) for kind in before} == before
        assert len(cloud.flavors) == len(cloud.profiles) == 2

    def test_only_controllers_reach_amphorae_and_only_heartbeats_come_back(self, program, cloud):
        program.prepare()
        groups = {group["id"]: group["name"] for group in cloud.objects["security_groups"]}
        rules = {
            groups[rule["security_group_id"]]: (rule["protocol"], rule["port_range_min"], rule["direction"])
            for rule in cloud.objects["security_group_rules"]
        }
        assert rules == {
            "octavia-amphorae": ("tcp", 9443, "ingress"),
            "octavia-controllers": ("udp", 5555, "ingress"),
        }

    def test_a_flavor_of_another_size_is_replaced(self, program, cloud):
        program.prepare()
        cloud.nova_flavor = {**cloud.nova_flavor, "ram": 512}
        cloud.calls.clear()
        program.prepare()
        assert [call for call in cloud.calls if "/flavors" in call and call.startswith("compute")] == [
            "compute DELETE /flavors/octavia-amphora",
            "compute POST /flavors",
            "compute POST /flavors/octavia-amphora/action",
        ]
        assert cloud.nova_flavor["ram"] == 1024

    def test_another_network_while_there_are_no_amphorae(self, program, cloud, monkeypatch):
        program.prepare()
        monkeypatch.setattr(program, "settings", lambda: {**OWN, "cidr": "198.19.0.0/16"})
        program.prepare()
        assert [subnet["cidr"] for subnet in cloud.objects["subnets"]] == ["198.19.0.0/16"]
        assert len(cloud.objects["ports"]) == 2
        prefixes = [rule.get("remote_ip_prefix") for rule in cloud.objects["security_group_rules"]]
        assert "198.18.0.0/16" not in prefixes
        assert "198.19.0.0/16" in prefixes

    def test_another_network_with_amphorae_is_refused(self, program, cloud, monkeypatch):
        program.prepare()
        amphora = {"id": "a", "network_id": cloud.objects["networks"][0]["id"], "device_owner": "compute:nova"}
        cloud.objects["ports"].append(amphora)
        monkeypatch.setattr(program, "settings", lambda: {**OWN, "cidr": "198.19.0.0/16"})
        with pytest.raises(program.Failed, match=r"1 ports of amphorae .* delete all load balancers"):
            program.prepare()
        assert [subnet["cidr"] for subnet in cloud.objects["subnets"]] == ["198.18.0.0/16"]


class TestFind:
    def test_what_a_host_needs(self, program, cloud):
        program.prepare()
        found = program.find()
        assert (found["address"], found["prefix"], found["mtu"]) == ("198.18.0.6", 16, 1450)
        assert found["hosts"] == ["198.18.0.6", "198.18.0.7"]
        assert found["project"] == "p1"

    def test_nothing_is_there_yet(self, program, cloud):
        with pytest.raises(program.Failed, match="creates it at its end"):
            program.find()

    def test_a_port_whose_agent_was_away_is_bound_again(self, program, cloud):
        cloud.vif_type = "binding_failed"
        program.prepare()
        cloud.calls.clear()
        with pytest.raises(program.Failed, match="is its agent running"):
            program.find()
        assert cloud.calls == ["network PUT /v2.0/ports/ports-6"] * 2


class TestConnected:
    def test_names_the_hosts_that_are_not(self, program, cloud, monkeypatch):
        program.prepare()
        cloud.objects["ports"][0]["status"], cloud.objects["ports"][1]["status"] = "ACTIVE", "DOWN"
        monkeypatch.setattr(program, "CONNECT", 0)
        program.wait_for_ports(["n1"])
        with pytest.raises(program.Failed, match="after 0 s: n2"):
            program.wait_for_ports(["n1", "n2"])


class TestImages:
    """The images in Glance."""

    @pytest.fixture
    def images(self, program, cloud, monkeypatch, tmp_path):
        """Images of the project by name, each with its tags; those in ``used`` have servers."""
        found, used = {}, set()

        def call(service, method, path, body=None, accepted=()):
            cloud.calls.append(f"{service} {method} {path}")
            if service == "compute":
                return {"servers": [1] if path.partition("image=")[2] in used else []}
            name = path.split("/")[3] if path.startswith("/v2/images/") else ""
            if method == "POST":
                found[body["name"]] = []
                return {"id": body["name"]}
            if method == "PUT":
                found[name].append(program.TAG)
            if method == "DELETE" and "/tags/" in path:
                found[name].remove(program.TAG)
            elif method == "DELETE":
                del found[name]
            listed = [{"id": name, "name": name, "tags": tags} for name, tags in found.items()]
            return {"images": [one for one in listed if "?tag=" not in path or program.TAG in one["tags"]]}

        monkeypatch.setattr(cloud, "call", call)
        monkeypatch.setattr(program, "IMAGES", str(tmp_path / "images"))
        monkeypatch.setattr(program, "do", lambda *command, **_: "built\n")
        monkeypatch.setattr(program, "upload", lambda *_: None)
        monkeypatch.setattr(program.signal, "signal", lambda *_: None)
        return found, used

    def test_the_former_one_stays_while_a_server_has_it(self, program, images, monkeypatch):
        found, used = images
        for second, name in ((1, "octavia-amphora-1"), (2, "octavia-amphora-2")):
            monkeypatch.setattr(program.time, "strftime", lambda *_, second=second: str(second))
            program.image()
            assert found[name] == [program.TAG]
            used.add(name)
        assert found == {"octavia-amphora-1": [], "octavia-amphora-2": [program.TAG]}
        used.clear()
        monkeypatch.setattr(program.time, "strftime", lambda *_: "3")
        program.image()
        assert found == {"octavia-amphora-3": [program.TAG]}

    def test_what_a_killed_build_left_is_removed(self, program, images, tmp_path):
        found, _used = images
        found["octavia-amphora-0"] = []
        found["mine"] = []
        (tmp_path / "images/amphora-old").mkdir(parents=True)
        program.image()
        assert sorted(name.rstrip("0123456789-") for name in found) == ["mine", "octavia-amphora"]
        assert [path.name for path in (tmp_path / "images").iterdir()] == ["amphora.lock"]

    def test_an_upload_that_fails_leaves_no_image(self, program, images, monkeypatch):
        found, _used = images

        def broken(*_):
            raise program.Failed("no space")

        monkeypatch.setattr(program, "upload", broken)
        with pytest.raises(program.Failed, match="no space"):
            program.image()
        assert found == {}


class TestServe:
    @pytest.fixture
    def host(self, program, monkeypatch):
        """Commands that serve runs; it ends after *rounds* sleeps."""
        done, rounds = [], iter(range(3))

        def sleep(_seconds):
            if next(rounds, None) is None:
                raise SystemExit

        monkeypatch.setattr(program, "do", lambda *command: done.append(" ".join(command)) or "")
        monkeypatch.setattr(program.time, "sleep", sleep)
        monkeypatch.setattr(program.signal, "signal", lambda *_: None)
        monkeypatch.setattr(program.subprocess, "run", lambda command, **_: done.append(" ".join(command)))
        links = iter([False])
        monkeypatch.setattr(program, "connected", lambda _state: next(links, True))
        return done

    def test_connects_once_and_writes_the_ids(self, program, host, monkeypatch):
        monkeypatch.setattr(program, "asked", lambda: dict(STATE))
        with pytest.raises(SystemExit):
            program.serve()
        assert sum("add-port" in command for command in host) == 1
        assert not any("try-restart" in command for command in host)
        assert "del-port" in host[-1]
        with open(program.OPTIONS, encoding="utf-8") as file:
            text = file.read()
        assert "amp_boot_network_list = net\n" in text
        assert "controller_ip_port_list = 198.18.0.6:5555, 198.18.0.7:5555\n" in text

    def test_a_port_that_was_made_anew_is_asked_for_at_once(self, program, host, monkeypatch):
        asked = []
        monkeypatch.setattr(program, "asked", lambda: asked.append(1) or dict(STATE))
        monkeypatch.setattr(program, "do", lambda *command: "4095\n" if "get" in command else "")
        with pytest.raises(SystemExit):
            program.serve()
        assert len(asked) == 5

    def test_after_a_boot_the_cloud_is_not_needed(self, program, host, monkeypatch):
        program.written(program.STATE, json.dumps(STATE))

        def away():
            raise program.Failed("nobody there")

        monkeypatch.setattr(program, "asked", away)
        with pytest.raises(SystemExit):
            program.serve()
        # What fails to be asked does not keep the port from being connected.
        assert sum("add-port" in command for command in host) == 1

    def test_other_ids_restart_what_reads_them(self, program, host, monkeypatch):
        program.written(program.READY, "")
        program.written(program.OPTIONS, "others")
        monkeypatch.setattr(program, "asked", lambda: dict(STATE))
        with pytest.raises(SystemExit):
            program.serve()
        (restart,) = [command for command in host if "try-restart" in command]
        units = [f"octavia-{name}.service" for name in ("health-manager", "housekeeping", "worker")]
        assert restart == " ".join(["systemctl --no-block try-restart", *units])


def test_connected_compares_what_the_host_has(program, monkeypatch):
    link = {
        "address": STATE["mac"],
        "mtu": 1450,
        "flags": ["UP"],
        "addr_info": [{"local": "198.18.0.6", "prefixlen": 16}],
    }
    shown = {"returncode": 0, "stdout": json.dumps([link])}
    monkeypatch.setattr(
        program.subprocess,
        "run",
        lambda *_, **__: subprocess.CompletedProcess([], shown["returncode"], shown["stdout"]),
    )
    assert program.connected(STATE)
    for other in ({"mtu": 1400}, {"address": "198.18.0.9"}, {"mac": "fa:16:3e:00:00:02"}):
        assert not program.connected({**STATE, **other})
    shown["stdout"] = json.dumps([{**link, "addr_info": []}])
    assert not program.connected(STATE)
    shown["returncode"] = 1
    assert not program.connected(STATE)


def test_a_command_waits_for_the_port(program, monkeypatch):
    became = []
    monkeypatch.setattr(program.os, "execvp", lambda name, argv: became.append(argv))
    threading.Timer(0.3, program.written, (program.READY, "")).start()
    begin = time.monotonic()
    program.wait(["octavia-worker", "--config-file", "x"])
    assert became == [["octavia-worker", "--config-file", "x"]]
    assert time.monotonic() - begin > 0.2


def test_a_process_that_waits_for_ever_is_stopped_after_its_children(program):
    # As the health manager: it ignores the end of its children, which take their time.
    script = (
        "import os, signal, subprocess, sys, time\n"
        "child = subprocess.Popen(['sleep', '0.5'])\n"
        "signal.signal(signal.SIGTERM, lambda *_: None)\n"
        "print('ready', flush=True)\n"
        "while True: time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as process:
        process.stdout.readline()
        program.stop(process.pid)
        assert process.wait(10) == -9


class TestImage:
    @pytest.fixture
    def builder(self):
        return program_of("cairn_amphora_image")

    def test_each_own_unit_and_mask_stand_apart(self, builder):
        own = {name.rpartition("/")[2] for name in builder.FILES if name.endswith(".service")}
        assert own == {"amphora-netns.service", "octavia-agent-certs-ramfs.service"}
        assert not own & set(builder.MASKED)
        assert list(builder.MASKED) == sorted(set(builder.MASKED))

    def test_cloud_init_finds_its_source(self, builder):
        # The program that chooses the source of data reads only lines of this form.
        text = builder.FILES["etc/cloud/cloud.cfg.d/99-cairn.cfg"]
        assert "\ndatasource_list: [ConfigDrive, None]\n" in f"\n{text}"
        assert yaml.safe_load(text)["cloud_final_modules"] == []

    def test_the_steps_of_a_build(self, builder, tmp_path, monkeypatch):
        commands = []

        def run(*command, stdin=""):
            commands.append(command)
            if command[0] == "mmdebstrap":
                system = tmp_path / ".work" / "system"
                for directory in ("boot", "etc/systemd/system", "usr/bin"):
                    (system / directory).mkdir(parents=True)
                (system / "boot/vmlinuz-6").write_text("kernel")
                (system / "boot/initrd.img-6").write_text("initrd")
                (system / "etc/hostname").write_text("builder")
                (system / "usr/bin/amphora-agent").write_text("")
            if command[0] == "qemu-img":
                (tmp_path / ".work" / "disk.qcow2").write_text("image")
            return 'Acquire::http::Proxy "http://192.0.2.1:3142";\n' if command[0] == "apt-config" else ""

        class Work:
            def __init__(self, **_options):
                (tmp_path / ".work").mkdir()

            def __enter__(self):
                return str(tmp_path / ".work")

            def __exit__(self, *_):
                return None

        real = open

        def opened(path, *rest, **options):
            return real(__file__ if "mbr.bin" in str(path) else path, *rest, **options)

        monkeypatch.setattr(builder, "run", run)
        monkeypatch.setattr(builder.tempfile, "TemporaryDirectory", Work)
        monkeypatch.setattr(builder, "open", opened, raising=False)
        builder.build(str(tmp_path / "image.qcow2"))
        assert (tmp_path / "image.qcow2").read_text() == "image"
        names = [command[0] for command in commands]
        assert names[1] == "mmdebstrap"
        # A proxy's password stands in a file.
        assert not any("192.0.2.1" in word for command in commands for word in command)
        assert (tmp_path / ".work" / "proxies").read_text() == 'Acquire::http::Proxy "http://192.0.2.1:3142";\n'
        system = tmp_path / ".work" / "system"
        assert (system / "etc/machine-id").read_text() == "uninitialized\n"
        assert not (system / "etc/hostname").exists()
        assert (system / "etc/systemd/system/haproxy.service").readlink().as_posix() == "/dev/null"
        # The boot partition has them instead.
        assert not list((system / "boot").iterdir())


def test_an_authority_signs_and_authenticates():
    from ansible_collections.cairn.openstack.plugins.plugin_utils.control_node.secrets import generate

    text = generate("octavia_amphora_authority")
    key = serialization.load_pem_private_key(text.encode(), None)
    certificate = x509.load_pem_x509_certificate(text.encode())
    assert key.public_key() == certificate.public_key()
    assert certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    assert usage.key_cert_sign
    assert usage.digital_signature
    certificate.verify_directly_issued_by(certificate)
