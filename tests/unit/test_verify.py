# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The checks' order, what they leave, and how their results are told, without a cloud."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import shutil
import subprocess
import threading
import time
from types import SimpleNamespace
from xml.etree import ElementTree

import pytest
from ansible_collections.cairn.openstack.plugins.action import verify as action
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify import (
    clean,
    console,
    icmp,
    image,
    objects,
    optional,
    phases,
    plan,
    probe,
    s3,
    servers,
    volume,
)
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify.checks import (
    FAILED,
    NOT_RUN,
    PASSED,
    Bad,
    Check,
    NotRun,
    perform_all,
    poll,
)
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify.run import TENANT, VLAN, Guest, Run
from ansible_collections.cairn.openstack.plugins.plugin_utils.control_node import verify_report as report
from ansible_collections.cairn.openstack.plugins.plugin_utils.control_node.verify_spec import SPEC

RUN = "cairn-verify-20260102000000-0a0b"
OPTIONS = {name: option.get("default") for name, option in SPEC.items()}


def fail(error):
    raise error


def outcomes(results):
    return {result.name: result.outcome for result in results}


def test_independent_checks_run_at_the_same_time():
    both = threading.Barrier(2, timeout=5)
    results = perform_all([Check("a", lambda: str(both.wait())), Check("b", lambda: str(both.wait()))])
    assert outcomes(results) == {"a": PASSED, "b": PASSED}


def test_results_keep_the_tables_order():
    checks = [Check("late", lambda: time.sleep(0.05)), Check("early", lambda: None), Check("last", str, ("late",))]
    assert [result.name for result in perform_all(checks)] == ["late", "early", "last"]


def test_what_lacks_its_input_is_not_run_and_says_why():
    checks = [
        Check("c", str, needs=("b",)),
        Check("b", str, needs=("a",)),
        Check("a", lambda: fail(Bad("no"))),
        Check("d", str, after=("a",)),
    ]
    results = perform_all(checks)
    assert outcomes(results) == {"c": NOT_RUN, "b": NOT_RUN, "a": FAILED, "d": PASSED}
    assert results[0].detail == "it needs: b"


def test_what_cannot_run_never_passes():
    (result, dependent) = perform_all([Check("a", lambda: fail(NotRun("no way"))), Check("b", str, ("a",))])
    assert (result.outcome, result.detail) == (NOT_RUN, "no way")
    assert dependent.outcome == NOT_RUN


def test_a_failure_tells_where_to_look():
    error = Bad("broken", ("u1",), ("compute1",))
    error.request_id = "req-1"
    check = Check("a", lambda: fail(error), services=("nova",), groups=("compute",))
    (result,) = perform_all([check])
    assert result.as_dict()["ids"] == ["u1", "req-1"]
    assert (result.hosts, result.services, result.groups) == (["compute1"], ["nova"], ["compute"])


def test_earlier_outcomes_count():
    (result,) = perform_all([Check("b", str, ("a",))], {"a": FAILED})
    assert result.outcome == NOT_RUN


def test_a_need_that_nobody_runs_is_an_error():
    with pytest.raises(ValueError, match="b"):
        perform_all([Check("b", str, ("a",))])


def test_poll_returns_the_first_true_answer_or_the_last():
    answers = iter([0, 0, 7])
    assert poll(lambda: next(answers), 5, 0) == 7
    assert poll(lambda: 0, 0) == 0


def test_every_check_can_be_reached_and_knows_its_services():
    services = [service.name for service in optional.SERVICES]
    checks = plan.checks(
        Run(RUN, SimpleNamespace(), {**OPTIONS, "snapshot": True, "objects": True, "services": services})
    )
    made = {"servers": [], "disks": {}}
    seen = probe.Probe("", made, {**OPTIONS, "services": services})
    checks += [*seen.checks(), *volume.Copies(None, made, optional.SERVICES).checks(), *seen.copies()]
    names = {check.name for check in checks}
    assert len(names) == len(checks)
    for check in checks:
        assert set(check.needs) | set(check.after) <= names
        assert check.services


def test_only_runs_that_began_earlier_are_leftovers():
    names = [
        "cairn-verify-20260101000000-1111",
        "cairn-verify-20260101000000-1111-2",
        "cairn-verify-20260103000000-2222",
        "cairn-kept-20260101000000-3333",
        "cairn-verify-notes",
        RUN,
    ]
    assert clean.earlier(names, RUN) == ["cairn-verify-20260101000000-1111"]
    kept = RUN.replace("verify", "kept")
    assert clean.earlier(names, kept) == ["cairn-kept-20260101000000-3333", "cairn-verify-20260101000000-1111"]


class Cloud:
    """An administrator's connection to a cloud that holds one run's objects, and deletes them."""

    def __init__(self, stuck=()):
        def thing(name, **more):
            return SimpleNamespace(id=f"id-{name}", name=name, **more)

        self.stuck = stuck
        ports = [
            thing("in", device_id="id-" + RUN, device_owner="network:router_interface", network_id="id-" + RUN),
            thing("vlan", device_id="id-" + RUN, device_owner="network:router_interface", network_id=f"id-{RUN}-vlan"),
            thing(f"{RUN}-1", device_id="", device_owner="compute:nova", network_id="id-" + RUN),
        ]
        self.things = {
            "projects": [thing(RUN)],
            "users": [thing(RUN)],
            "flavors": [thing(RUN), thing(f"{RUN}-larger"), thing("m1.tiny")],
            "keypairs": [thing(RUN), thing("mine")],
            "servers": [thing(f"{RUN}-{n}", task_state="deleting", status="ACTIVE") for n in (1, 2)],
            "ips": [thing("192.0.2.1")],
            "networks": [thing(RUN), thing(f"{RUN}-vlan")],
            "routers": [thing(RUN)],
            "ports": ports,
            "security_groups": [thing(RUN), thing("default")],
            "images": [thing(f"{RUN}-sample")],
            "services": [thing("cinder", type="block-storage")],
            "volumes": [thing(f"{RUN}-{name}", attachments=[], status="available") for name in ("volume", "clone")],
            "snapshots": [thing(f"{RUN}-snapshot", status="available")],
            "backups": [thing(f"{RUN}-backup", status="available", project_id=f"id-{RUN}")],
        }
        self.identity = self.compute = self.network = self.image = self.block_storage = self

    def __getattr__(self, name):
        kind = name.removeprefix("delete_") + "s"
        if name == "remove_interface_from_router":
            return lambda router, port_id: self.things["ports"].remove(self.find("ports", port_id))
        if name.startswith("delete_"):
            return lambda thing, **more: thing.name in self.stuck or self.things[kind].remove(thing)
        # Only key pairs are asked for without a name or project to choose by: the user's and the administrator's.
        return lambda **query: [thing for thing in self.things[name] if "user_id" not in query or thing.name == RUN]

    def find(self, kind, identifier):
        return next(thing for thing in self.things[kind] if thing.id == identifier)

    def names(self, *kinds):
        return {kind: [thing.name for thing in self.things[kind]] for kind in kinds or self.things}


def test_everything_that_a_run_made_goes_and_nothing_else():
    cloud = Cloud()
    clean.Sweep(cloud, RUN, 0).all()
    left = {kind: names for kind, names in cloud.names().items() if names}
    assert left == {"flavors": ["m1.tiny"], "keypairs": ["mine"], "services": ["cinder"]}


def test_a_volume_that_does_not_go_is_named():
    cloud = Cloud(stuck=(f"{RUN}-clone",))
    with pytest.raises(Bad, match=f"volume {RUN}-clone"):
        clean.Sweep(cloud, RUN, 0).all()


def test_a_cloud_without_volumes_is_asked_for_none():
    cloud = Cloud()
    for kind in ("services", "volumes", "snapshots", "backups"):
        cloud.things[kind] = []
    cloud.block_storage = None
    clean.Sweep(cloud, RUN, 0).all()


def test_a_server_that_does_not_go_is_named_and_the_project_stays_to_find_it_by():
    cloud = Cloud(stuck=(f"{RUN}-2",))
    with pytest.raises(Bad, match=f"server {RUN}-2"):
        clean.Sweep(cloud, RUN, 0).all()
    assert cloud.names("projects") == {"projects": [RUN]}


def test_a_kept_server_keeps_what_it_needs():
    cloud = Cloud()
    clean.Sweep(cloud, RUN, 0, keep=True).all()
    assert cloud.names("servers", "networks", "routers", "ips", "flavors", "security_groups", "projects", "images") == {
        "servers": [f"{RUN}-1"],
        "networks": [RUN],
        "routers": [RUN],
        "ips": ["192.0.2.1"],
        "flavors": [RUN, "m1.tiny"],
        "security_groups": [RUN, "default"],
        "projects": [RUN],
        "images": [],
    }
    assert "vlan" not in cloud.names("ports")["ports"]


@pytest.mark.parametrize(("earlier", "left"), [(PASSED, ["1"]), (NOT_RUN, ["1"]), (FAILED, ["1", "2"])])
def test_other_servers_go_before_copies_are_made_unless_their_consoles_may_tell_something(monkeypatch, earlier, left):
    cloud = Cloud()
    cloud.find_project = lambda name, ignore_missing: cloud.find("projects", f"id-{name}")
    cloud.connect_as = lambda project_id: cloud
    monkeypatch.setattr(volume.Copies, "checks", lambda self: [])
    made = {"servers": [], "disks": {}}
    phases.copies({"run": RUN, "options": OPTIONS, "made": made, "outcomes": {"cold migration": earlier}}, cloud)
    assert cloud.names("servers") == {"servers": [f"{RUN}-{number}" for number in left]}


def test_vlan_needs_an_agent_and_a_living_nova_compute():
    agents = [
        SimpleNamespace(host="c1", configuration={"bridge_mappings": {"vlan": "br-vlan"}}, is_alive=True),
        SimpleNamespace(host="c2", configuration={"bridge_mappings": {}}, is_alive=True),
        SimpleNamespace(host="c3", configuration={"bridge_mappings": {"vlan": "br-vlan"}}, is_alive=True),
        SimpleNamespace(host="n1", configuration=None, is_alive=True),
    ]
    services = [SimpleNamespace(host=f"c{n}", status="enabled", state="up" if n < 3 else "down") for n in (1, 2, 3)]
    admin = SimpleNamespace(
        network=SimpleNamespace(agents=lambda: agents),
        compute=SimpleNamespace(services=lambda binary: services),
    )
    assert servers.vlan_hosts(admin, "vlan") == ["c1"]


def test_a_down_compute_host_is_a_failure_that_names_it():
    services = [
        SimpleNamespace(host="c1", status="enabled", state="up"),
        SimpleNamespace(host="c2", status="enabled", state="down"),
        SimpleNamespace(host="c3", status="disabled", state="down"),
    ]
    admin = SimpleNamespace(compute=SimpleNamespace(services=lambda binary: services))
    run = Run(RUN, admin, OPTIONS, first_host="c1")
    run.scheduled.set()
    with pytest.raises(Bad, match=r"down on: c2$") as error:
        servers.others(run)
    assert error.value.hosts == ("c2",)


def test_a_server_in_error_says_novas_words():
    server = SimpleNamespace(status="ERROR", fault={"message": "No valid host"}, compute_host=None, task_state=None)
    run = Run(RUN, SimpleNamespace(compute=SimpleNamespace(get_server=lambda server_id: server)), OPTIONS)
    guest = Guest("m", "u1")
    run.guests.append(guest)
    with pytest.raises(Bad, match="m: No valid host") as error:
        servers.active(run, [guest])
    assert error.value.ids == ("u1",)
    assert run.on(TENANT) == []


def test_why_a_server_was_not_moved_is_said_in_novas_words():
    """It goes on where it was: only what was done to it says why."""
    server = SimpleNamespace(status="ACTIVE", fault=None, compute_host="c1", task_state=None)
    compute = SimpleNamespace(
        get_server=lambda _id: server,
        server_actions=lambda _id: iter([SimpleNamespace(message="No valid host"), SimpleNamespace(message=None)]),
    )
    run = Run(RUN, SimpleNamespace(compute=compute), OPTIONS)
    guest = Guest(f"{RUN}-moved", "id-moved", "moved", host="c1")
    with pytest.raises(Bad, match=r"moved on c1: ACTIVE \(no task\) No valid host"):
        servers.confirmed(run, run.admin, guest)


def test_a_server_is_moved_to_another_host_that_is_up(monkeypatch):
    asked = []
    compute = SimpleNamespace(migrate_server=lambda server, host: asked.append((server, host)))
    services = [SimpleNamespace(host=name, status="enabled", state="up") for name in ("c1", "c2")]
    admin = SimpleNamespace(compute=SimpleNamespace(services=lambda binary: services))
    run = Run(RUN, admin, OPTIONS, admin_there=SimpleNamespace(compute=compute))
    guest = Guest(f"{RUN}-moved", "id-moved", "moved", host="c1", active=True)
    run.guests.append(guest)

    def arrives(_run, _conn, guest):
        guest.host = "c2"
        return "c1"

    monkeypatch.setattr(servers, "confirmed", arrives)
    assert servers.moved(run) == "c1 to c2"
    assert asked == [("id-moved", "c2")]
    del services[0]
    with pytest.raises(NotRun, match="no other compute host"):
        servers.moved(run)


def test_no_lease_shows_the_consoles_end():
    said = {"output": "one\n\ntwo\n"}
    compute = SimpleNamespace(get_server_console_output=lambda server_id: said)
    served = SimpleNamespace(
        id="p2",
        device_owner="network:dhcp",
        fixed_ips=[{"ip_address": "198.18.0.2"}],
        binding_host_id="n1",
        status="DOWN",
    )
    nic = SimpleNamespace(network_id="net", mac_address="fa:16:3e:00:00:07")
    network = SimpleNamespace(get_port=lambda _port: nic, ports=lambda network_id: iter([served]))
    run = Run(RUN, SimpleNamespace(compute=compute, network=network), {**OPTIONS, "lease_timeout": 0})
    guest = Guest("m", "u1", port="p1", address="198.18.0.7", host="c1")
    words = r"198\.18\.0\.7.*\none\ntwo\n.*for fa:16:3e:00:00:07, .*\n.*network:dhcp 198\.18\.0\.2 on n1 DOWN$"
    with pytest.raises(Bad, match=words) as error:
        servers.leases(run, [guest])
    assert (error.value.ids, error.value.hosts) == (("u1", nic.mac_address, "p2", "tapp2"), ("c1", "n1"))
    said["output"] += "lease of 198.18.0.7 obtained\n"
    assert servers.leases(run, [guest]) == "198.18.0.7"
    run.options["lease_line"] = ""
    with pytest.raises(NotRun):
        servers.leases(run, [guest])


def test_the_console_is_read_as_a_browser_does():
    url = "https://cloud:6080/vnc_auto.html?path=%3Ftoken%3Dabc"
    assert console.socket_path(url) == "/?token=abc"
    assert "abc" not in console.page(url)


class Stream:
    def __init__(self, *pieces):
        self.pieces, self.sent = list(pieces), b""

    def recv(self, size):
        return self.pieces.pop(0) if self.pieces else b""

    def sendall(self, data):
        self.sent += data


class TestConsole:
    SWITCH = b"HTTP/1.1 101 Switching Protocols\r\n\r\n"
    VERSION, TYPES, RESULT = b"\x82\x0cRFB 003.008\n", b"\x82\x02\x01\x01", b"\x82\x04\0\0\0\0"
    # With an extended length: a name follows the size of the screen and the format of its pixels.
    SCREEN = b"\x82\x7e\x00\x9c" + b"\x02\xd0\x01\x90" + b"\0" * 152

    def test_a_screen(self):
        pieces = (self.VERSION[:5], self.VERSION[5:], b"\x89\x00" + self.TYPES, self.RESULT, self.SCREEN)
        stream = Stream(self.SWITCH, *pieces)
        assert console.opened(stream) == "RFB 003.008, 720 x 400"
        assert stream.sent.count(b"\x82") == 3

    @pytest.mark.parametrize(
        ("pieces", "why"),
        [
            ((b"HTTP/1.1 403 Forbidden\r\n\r\n",), "403"),
            ((SWITCH,), "no greeting from a VNC server"),
            # As Nova's proxy does if it does not get through to the server.
            ((SWITCH, VERSION, b"\x88\x00"), "no security type from a VNC server"),
            ((SWITCH, VERSION, b"\x82\x02\x01\x02"), r"security types \[2\]"),
            ((SWITCH, VERSION, TYPES, b"\x82\x04\0\0\0\1"), "refuses the proxy"),
            ((SWITCH, VERSION, TYPES, RESULT), "no screen"),
        ],
    )
    def test_anything_else(self, pieces, why):
        with pytest.raises(Bad, match=why):
            console.opened(Stream(*pieces))


def test_the_signature_is_amazons():
    """Against the example in their documentation of version 4, a GET of an object's first bytes."""
    headers = {
        "host": "examplebucket.s3.amazonaws.com",
        "range": "bytes=0-9",
        "x-amz-content-sha256": hashlib.sha256(b"").hexdigest(),
        "x-amz-date": "20130524T000000Z",
    }
    key = "AKIAIOSFODNN7EXAMPLE:wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
    said = s3.signature(key, "GET", "/test.txt", headers, "20130524T000000Z")
    assert said.endswith("Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41")


class Store:
    """A user's objects, and a listing that is one object behind for a while."""

    def __init__(self, late=0):
        self.objects = {}
        self.late = late

    def request(self, path, method, data=b"", **more):
        container = "/" + path.strip("/").split("/")[0]
        status, content = 204, b""
        if method == "PUT":
            self.objects[path] = data
        elif method == "DELETE" and path == container:
            status = 409 if self.late > 0 or any(name.startswith(f"{path}/") for name in self.objects) else 204
            self.late -= 1
        elif method == "DELETE":
            self.objects.pop(path, None)
        elif path == container:
            names = [name.removeprefix(f"{path}/") for name in self.objects if name.startswith(f"{path}/")]
            content = json.dumps([{"name": name} for name in names]).encode()
        else:
            content = self.objects[path]
        return SimpleNamespace(status_code=status, content=content, json=lambda: json.loads(content), text="")


def test_objects_are_compared_and_leave_nothing(monkeypatch):
    monkeypatch.setattr(objects, "rest", lambda store, method, path, **more: store.request(path, method, **more))
    store = Store(late=1)
    run = Run(RUN, SimpleNamespace(), OPTIONS, user=SimpleNamespace(object_store=store))
    assert objects.round_trip(run) == "1024 KiB written and read back"
    assert [name for name in store.objects if name.count("/") > 1] == []
    store.request = lambda path, method, data=b"", **more: Store.request(store, path, method, data[:-1], **more)
    with pytest.raises(Bad, match="sent 1048576 bytes, read 1048575 different ones"):
        objects.round_trip(run)


def test_ssh_goes_by_the_first_server_to_the_others():
    command = probe.ssh("/k", "cairn", "198.18.0.9", "192.0.2.1")
    proxy = next(option for option in command if option.startswith("ProxyCommand="))
    inner = shlex.split(proxy.removeprefix("ProxyCommand="))
    assert inner[-3:] == ["-W", "[198.18.0.9]:22", "cairn@192.0.2.1"]
    assert command[-1] == "cairn@198.18.0.9"
    assert probe.ssh("/k", "cairn", "a")[:3] == ["ssh", "-i", "/k"]


def guest(number, network=TENANT):
    return Guest(f"m{number}", f"u{number}", network, f"p{number}", f"198.18.0.{number}", f"c{number}", True).as_dict()


@pytest.fixture
def probed(monkeypatch):
    """A probe of two servers and one on a VLAN whose commands are recorded, and answered by a function."""
    made = {
        "servers": [guest(1), guest(2), guest(3, VLAN)],
        "floating_address": "192.0.2.1",
        "gateway": "192.0.2.254",
        "run": RUN,
        "disks": {"volume": "0123456789abcdef0123456789", "clone": "9876543210abcdef0123456789"},
    }
    found = probe.Probe("/k", made, {**OPTIONS, "ssh_timeout": 0, "ping_timeout": 0})
    found.said = []
    found.answer = lambda command: (0, "")

    def run(command, seconds):
        found.said.append(command)
        code, out = found.answer(command)
        return SimpleNamespace(returncode=code, stdout=out, stderr="" if code == 0 else "lost")

    monkeypatch.setattr(probe, "run", run)
    monkeypatch.setattr(probe.shutil, "which", lambda name: name)
    return found


def test_snat_is_tried_from_a_server_without_a_floating_ip(probed):
    assert probed.world() == "c2 -> the external gateway"
    assert probed.said[0][-2] == "cairn@198.18.0.2"
    assert "192.0.2.254" in probed.said[0][-1]


def test_a_single_server_leaves_checks_not_run(probed):
    probed.neighbours = []
    for check in (probed.world, probed.neighbourly):
        with pytest.raises(NotRun):
            check()


def test_metadata_must_be_the_servers_own(probed):
    probed.answer = lambda command: (0, "m1" if command[-1] == "hostname" else '{"uuid": "u1"}')
    assert probed.metadata() == "m1"
    probed.answer = lambda command: (0, '{"uuid": "u2"}')
    with pytest.raises(Bad, match="u2"):
        probed.metadata()


def test_what_was_written_must_stand_in_a_copy(probed):
    digest = volume.digest(RUN)
    probed.answer = lambda command: (0, f"{digest}\n2")
    assert probed.same("clone", 2) == f"read back: sha256 {digest[:12]}…"
    assert "9876543210abcdef0123 " in probed.said[0][-1]  # a disk's serial has twenty letters
    with pytest.raises(Bad, match="sees 2 GiB, not 1"):
        probed.same("clone", 1)
    probed.answer = lambda command: (0, f"{'0' * 64}\n1")
    with pytest.raises(Bad, match="differs from what was written"):
        probed.same("volume", 1)


def test_what_is_written_is_what_is_looked_for(tmp_path):
    """The commands themselves, on a file in the place of a disk."""
    file = tmp_path / "disk"
    file.write_bytes(bytes(2**23))
    found = []
    for command in (volume.write(RUN, "x"), volume.read("x")):
        own = command[command.index("; done; ") :].split("; }; ", 1)[1]
        own = own.replace("sudo -n ", "").replace("/dev/$disk", str(file)).split("; echo")[0]
        found.append(
            subprocess.run(
                own.replace("conv=fsync", "conv=fsync,notrunc"), shell=True, check=True, capture_output=True, text=True
            ).stdout
        )
    assert found[1].strip() == volume.digest(RUN)


def test_no_log_in_says_what_ssh_said(probed):
    probed.answer = lambda command: (255, "")
    with pytest.raises(Bad, match="lost") as error:
        probed.logged_in()
    assert error.value.hosts == ("c1",)


def test_nothing_is_probed_without_a_floating_ip(probed):
    earlier = {"floating IP": FAILED, "other servers": PASSED, "VLAN servers": NOT_RUN, "volume": PASSED}
    results = probe.perform("key", probed.made, probed.options, earlier)
    assert {result.outcome for result in results} == {NOT_RUN}
    assert probed.said == []


def test_suspects_are_the_hosts_of_the_failed_checks_groups():
    groups = {"controller": ["ctl"], "network": ["net"], "compute": ["c1", "c2", "c3", "c4", "c5"]}
    failed = {"outcome": FAILED, "ids": ["u1"], "services": ["nova"]}
    known = {**failed, "groups": ["controller", "compute"], "hosts": ["c4.example"]}
    unknown = {**failed, "groups": ["compute"], "hosts": [], "ids": [], "services": ["libvirt"]}
    assert action.suspects([known, {"outcome": PASSED}], groups) == [
        {"host": "c4", "services": ["nova"], "ids": ["u1"]},
        {"host": "ctl", "services": ["nova"], "ids": ["u1"]},
    ]
    assert [host["host"] for host in action.suspects([unknown], groups)] == ["c1", "c2", "c3"]


RESULTS = [
    {"name": "token", "outcome": PASSED, "seconds": 0.3, "detail": "roles: member"},
    {"name": "server", "outcome": FAILED, "seconds": 12.0, "detail": "No valid host\nsecond \x00line"},
    {"name": "ssh", "outcome": NOT_RUN, "seconds": 0.0, "detail": "it needs: server"},
]


def test_the_table():
    assert [row[0] for row in report.rows(RESULTS)] == [
        "token   passed      0.3  roles: member",
        "server  failed     12.0  No valid host",
        "        second \x00line",
        "ssh     not run: it needs: server",
    ]
    assert report.counts(RESULTS, 13.2) == "1 passed, 1 failed, 1 not run, 13 seconds"


def test_junit():
    suite = ElementTree.fromstring(report.junit(RESULTS, 13.2, ["ctl: a", "\x1b[0m"]))
    assert {name: suite.get(name) for name in ("tests", "failures", "skipped")} == {
        "tests": "3",
        "failures": "1",
        "skipped": "1",
    }
    assert suite.find("testcase[@name='server']/failure").get("message") == "No valid host"
    assert suite.find("testcase[@name='ssh']/skipped").get("message") == "it needs: server"
    assert suite.find("system-err").text == "ctl: a\n?[0m"


def test_log_lines_under_headings():
    found = [
        {"host": "c1", "lines": {"/var/log/x.log": ["ERROR a"]}, "idle": ["b.service is inactive"]},
        {"host": "c2", "msg": "no route"},
    ]
    assert report.logs(found) == [
        *("c1: b.service is inactive", ""),
        *("c1: /var/log/x.log", "  ERROR a", ""),
        *("c2: the logs can't be read: no route", ""),
    ]


def test_ping_knows_its_own_reply_from_others():
    payload = bytes(range(32))
    sent = icmp.request(payload)
    assert icmp.checksum(sent) == 0
    reply = bytes([icmp.REPLY]) + sent[1:]
    assert icmp.answers(reply, payload, raw=False)
    assert icmp.answers(bytes([0x45]) + bytes(19) + reply, payload, raw=True)
    assert not icmp.answers(sent, payload, raw=False)
    assert not icmp.answers(reply, payload[::-1], raw=False)


@pytest.mark.skipif(not shutil.which("qemu-img"), reason="not run: no qemu-img here")
def test_an_image_is_what_qemu_takes_for_one(tmp_path):
    content = os.urandom(image.CLUSTER)
    (tmp_path / "image").write_bytes(image.qcow2(content))
    command = ["qemu-img", "convert", "-f", "qcow2", "-O", "raw", tmp_path / "image", tmp_path / "raw"]
    subprocess.run(["qemu-img", "check", tmp_path / "image"], capture_output=True, check=True)
    subprocess.run(command, check=True)
    assert (tmp_path / "raw").read_bytes() == content + bytes(image.MIB - image.CLUSTER)
