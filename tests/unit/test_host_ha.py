# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Masakari knows its options; when a host is lost, when its guests are stopped, and what is told to the APIs."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

import pytest
import resolving
import yaml
from ansible_collections.cairn.openstack.plugins.module_utils.common import options
from ansible_collections.cairn.openstack.plugins.plugin_utils.catalog import option_index
from ansible_collections.cairn.openstack.plugins.plugin_utils.preflight.settings import RULES
from programs import program_of
from support import ROOT

ha = program_of("cairn_host_ha")
COMPUTES = ("n1", "n2", "n3")
CONTROLLERS = ("c1", "c2", "c3")
UP = {"status": "enabled", "state": "up"}
DOWN = {**UP, "state": "down"}
GONE = {"status": "disabled", "state": "down", "disabled_reason": ha.REASON}
TIMES = ha.times(90)
UUID = "0b1c2d3e-0000-4000-8000-000000000001"
HOSTS = {
    "c1": {"groups": ["controller", "storage"], "address": "192.0.2.11", "storage_devices": [{"path": "/dev/sdb"}]},
    "n1": {"groups": ["compute"], "address": "192.0.2.21"},
    "n2": {"groups": ["compute"], "address": "192.0.2.22"},
}


def answers(*silent):
    """Return that all hosts answer, but for these."""
    return {name: name not in silent for name in (*CONTROLLERS, *COMPUTES)}


# The definition


def resolved(tmp_path, host="c1", serves=("volumes", "images")):
    storage = [{"name": "blue", "kind": "ceph", "serves": list(serves)}]
    return resolving.resolve(HOSTS, host, tmp_path, {"cloud_services": ["masakari"], "cloud_storage": storage})


@pytest.mark.parametrize(("more", "every"), [((), False), (("ephemeral",), True)])
def test_servers_whose_disk_is_lost_come_back_only_if_they_say_so(tmp_path, more, every):
    model = resolved(tmp_path, serves=("volumes", "images", *more))
    sections = resolving.files(model, "masakari", ["controller"])["masakari.conf"]["sections"]
    assert sections["host_failure"]["evacuate_all_instances"] is every
    assert sections["host_failure"]["service_disable_reason"] == ha.REASON
    assert sections["instance_failure"]["process_all_instances"] is True
    assert sections["DEFAULT"]["os_privileged_user_password"] == model.cloud["secrets"]["masakari_identity"]
    assert options.findings("masakari", "masakari.conf", sections, option_index.shipped("masakari")) == []


def test_there_is_one_engine(tmp_path):
    """On several controllers it is where the cloud's address is."""
    hosts = {f"c{number}": {"groups": ["controller"], "address": f"192.0.2.1{number}"} for number in (1, 2, 3)}
    given = {"cloud_services": ["masakari"], "cloud_internal_address": "192.0.2.9"}
    several = resolving.resolve({**hosts, "n1": HOSTS["n1"]}, "c1", tmp_path, given)
    for model, state, address in ((several, "kept", "started"), (resolved(tmp_path), "started", "stopped")):
        units = {one["name"]: one for one in model.definitions["masakari"]["units"]}
        assert units["masakari-engine"]["state"] == state
        assert units["masakari-engine"]["enabled"] is (state == "started")
        assert units["cairn-masakari-address.service"]["state"] == address
    text = resolving.files(several, "masakari", ["controller"])["address_service"]["content"]
    assert "cairn-masakari-address 192.0.2.9 masakari-engine" in text


def test_programs_know_the_hosts(tmp_path):
    model = resolved(tmp_path, "n1")
    told = json.loads(resolving.files(model, "masakari", ["compute"])["settings"]["content"])
    assert told["name"] == "n1"
    assert told["computes"] == {"n1": "192.0.2.21", "n2": "192.0.2.22"}
    assert told["controllers"] == {"c1": "192.0.2.11"}
    assert told["seconds"] == 90
    assert told["auth"]["key"] == model.cloud["secrets"]["masakari_identity"]
    ports = [(one["port"], one["from"]) for one in model.cloud["ports"] if one["definition"] == "masakari"]
    assert ports == [(told["peer_port"], list(told["computes"].values()))]


def test_nova_compute_waits_for_the_gate(tmp_path):
    text = resolving.files(resolved(tmp_path, "n1"), "nova", ["compute"])["host_ha"]["content"]
    assert "ExecStartPre=+/usr/local/sbin/cairn-host-ha gate" in text
    # It starts the guests, which the gate is for.
    nova = yaml.safe_load((ROOT / "roles/catalog/defaults/main/nova.yml").read_text(encoding="utf-8"))["catalog_nova"]
    assert nova["config"]["nova.conf"]["DEFAULT"]["resume_guests_state_on_host_boot"] is True


# When a host is lost


@pytest.mark.parametrize(
    ("silent", "words"),
    [
        ((), ""),
        (("n1",), ""),
        (("c2", "n1"), ""),
        (("c2", "c3", "n1"), "1 of 3 controllers answer"),
        (("n1", "n2"), "2 of 3 compute hosts do not answer"),
    ],
)
def test_who_sees_too_little_does_not_judge(silent, words):
    assert ha.blind(answers(*silent), CONTROLLERS, COMPUTES) == words


def test_of_two_hosts_one_may_be_lost():
    seen = {"c1": True, "n1": False, "n2": True}
    assert ha.blind(seen, ["c1"], ["n1", "n2"]) == ""


def test_disabled_hosts_are_nobodys_concern():
    services = {"n1": DOWN, "n2": {**DOWN, "status": "disabled"}}
    assert ha.suspects(answers("n1", "n2", "n3"), services, COMPUTES) == ["n1"]


def test_a_host_is_lost_after_its_time():
    services = dict.fromkeys(COMPUTES, UP)
    waiting = ha.waited({}, 0, ["n1"], "")
    waiting = ha.waited(waiting, 90, ["n1"], "")
    assert ha.lost(waiting, 89, {**services, "n1": DOWN}, 90) is None
    assert ha.lost(waiting, 90, services, 90) is None
    assert ha.lost(waiting, 90, {**services, "n1": DOWN}, 90) == "n1"


@pytest.mark.parametrize(("hosts", "why"), [([], ""), (["n2"], ""), (["n1", "n2"], ""), (["n1"], "blind")])
def test_the_time_begins_anew(hosts, why):
    waiting = ha.waited(ha.waited({"n1": 0}, 50, hosts, why), 60, ["n1"], "")
    assert waiting == {"n1": 60}


# When guests are stopped


def never(*_):
    return False


def always(*_):
    return True


def test_guests_are_stopped_without_contact_and_nova_compute_starts_with_it():
    fence = ha.Fence(0, 45)
    assert fence.look(5, True, never, never) == ""
    assert fence.look(49, False, never, never) == ""
    assert fence.look(50, False, never, never) == "stop"
    assert fence.look(500, False, always, never) == "hold"
    assert fence.look(505, True, never, never) == "start"
    assert fence.look(510, True, never, never) == ""


def test_a_fence_that_starts_again_knows_that_it_has_stopped_them():
    fence = ha.Fence(0, 45, stopped=True)
    assert fence.look(900, False, never, never) == "hold"
    assert fence.look(905, True, never, never) == "start"


def test_guests_stay_while_most_hosts_are_without_contact():
    fence = ha.Fence(0, 45)
    assert [fence.look(now, False, always, never) for now in range(0, 900, 10)] == [""] * 90
    # The others have contact again.
    assert fence.look(900, False, never, never) == ""
    assert fence.look(935, False, never, never) == "stop"


def test_guests_of_a_host_that_was_frozen_are_stopped():
    fence = ha.Fence(0, 45)
    assert fence.look(5, True, never, always) == "stop"
    assert fence.look(10, True, never, always) == "start"


class Ended(Exception):
    """The last look."""


@pytest.fixture
def fenced(tmp_path, monkeypatch):
    """Runs fence with these looks, each a time and whether there is contact; returns the commands that it gave."""
    for name in ("PASSED", "STOPPED", "CONTACT"):
        monkeypatch.setattr(ha, name, tmp_path / name)

    def run(*looks, ended=True):
        left, given = list(looks), []

        def sleep(_seconds):
            left.pop(0)
            if not left:
                raise Ended

        def kill(processes):
            given.extend(["kill", *processes])

        monkeypatch.setattr(ha, "clock", lambda: left[0][0])
        monkeypatch.setattr(ha, "contact", lambda _settings: left[0][1])
        monkeypatch.setattr(ha, "stop_guests", lambda: given.append("stop") or ended)
        monkeypatch.setattr(ha, "command", lambda *words: given.append(" ".join(words)) or "")
        monkeypatch.setattr(ha, "kill", kill)
        monkeypatch.setattr(ha, "qemu", lambda: [7])
        monkeypatch.setattr(ha, "age_of", lambda *_: 1.0)
        monkeypatch.setattr(ha, "answers_of", lambda *_: None)
        monkeypatch.setattr(ha.signal, "signal", lambda *_: None)
        monkeypatch.setattr(ha.time, "sleep", sleep)
        settings = {"name": "n1", "seconds": 90, "computes": {"n1": "", "n2": ""}, "peer_port": 1, "ca": None}
        with pytest.raises(Ended):
            ha.fence(settings)
        assert given.pop(0) == "systemctl is-active nova-compute.service"
        return given

    return run


def test_a_host_is_cut_off_and_joined(fenced):
    looks = ((0, True), (5, False), (44, False), (45, False), (50, False), (60, True), (65, True))
    assert fenced(*looks) == [
        "stop",
        "kill",
        7,
        "kill",
        7,
        "systemctl start --no-block nova-compute.service",
    ]


def test_a_host_whose_guests_do_not_end_restarts(fenced):
    assert fenced((0, True), (45, False), ended=False) == ["stop", "systemctl --force --force reboot"]


def test_a_fence_that_died_without_contact_stops_guests_in_time(fenced):
    assert fenced((0, True), (30, False)) == []
    assert fenced((46, False)) == ["stop"]


@pytest.mark.parametrize(("now", "frozen"), [(49, False), (50, True)])
def test_a_host_that_was_frozen_asks_at_once(now, frozen):
    fence, asked = ha.Fence(5, 45), []
    assert fence.look(now, True, never, asked.append) == ""
    assert asked == [frozen]


@pytest.mark.parametrize(
    ("ages", "total", "most"),
    [
        ([], 1, True),
        ([None], 2, False),
        ([5.0], 2, False),
        ([60.0], 2, True),
        ([60.0, None], 3, True),
        ([60.0, None, None], 4, False),
        ([60.0, 60.0, None], 4, True),
    ],
)
def test_most_hosts(ages, total, most):
    assert ha.outnumber(ages, total) is most


@pytest.mark.parametrize("total", range(1, 12))
def test_who_keeps_guests_is_not_recovered(total):
    """Whatever group of hosts is cut off: if it is large enough to keep its guests, the monitor does nothing."""
    names = [f"n{number}" for number in range(total)]
    for group in range(1, total + 1):
        kept = ha.outnumber([60.0] * (group - 1) + [None] * (total - group), total)
        seen = {"c1": True, **{name: number >= group for number, name in enumerate(names)}}
        assert not kept or ha.blind(seen, ["c1"], names)


@pytest.mark.parametrize("seconds", [90, 91, 300, 3600])
def test_guests_are_stopped_before_their_host_is_lost(seconds):
    """Whatever may be set: the longest rounds of fence, without answers, and a restart by force."""
    assert ha.longest_stop(ha.times(seconds)) < ha.times(seconds).lost


def test_less_is_refused():
    rule = RULES["cloud_host_ha_seconds"]
    assert [rule.fits(seconds) for seconds in (89, 90, 3600, 3601)] == [False, True, True, False]


def test_a_fence_that_has_died_goes_on_counting(tmp_path, monkeypatch):
    monkeypatch.setattr(ha, "CONTACT", tmp_path / "run/contact")
    assert ha.last_contact(100) == 100
    ha.mark(ha.CONTACT, "70")
    assert ha.last_contact(100) == 70
    # Of an earlier boot, or half written.
    assert ha.last_contact(50) == 50
    ha.mark(ha.CONTACT)
    assert ha.last_contact(100) == 100


def test_what_cannot_be_kept_in_mind_is_no_reason_to_end(tmp_path, capsys):
    (tmp_path / "file").touch()
    ha.mark(tmp_path / "file/passed")
    assert "file" in capsys.readouterr().out


@pytest.fixture
def guests(tmp_path, monkeypatch):
    """Processes of this test in place of guests, and no systemd."""
    made = [subprocess.Popen(["sleep", "60"]) for _ in range(2)]
    monkeypatch.setattr(ha, "STOPPED", tmp_path / "stopped")
    monkeypatch.setattr(ha, "PASSED", tmp_path / "passed")
    monkeypatch.setattr(ha, "qemu", lambda: [one.pid for one in made if one.poll() is None])
    monkeypatch.setattr(ha, "command", lambda *words: "")
    yield made
    for one in made:
        one.kill()
        one.wait()


def test_all_guests_are_stopped(guests, capsys):
    ha.mark(ha.PASSED)
    assert ha.stop_guests() is True
    assert [one.wait() for one in guests] == [-signal.SIGKILL] * 2
    assert ha.STOPPED.exists()
    assert not ha.PASSED.exists()
    assert "guests are stopped: 2" in capsys.readouterr().out


def test_guests_that_do_not_end_are_told(guests, monkeypatch):
    monkeypatch.setattr(ha, "kill", lambda processes: None)
    assert ha.stop_guests(0) is False


def test_processes_of_guests(tmp_path):
    for process, name in {"1": b"systemd", "6": b"\xff", "7": b"qemu-system-x86", "8": b"qemu-img"}.items():
        (tmp_path / process).mkdir()
        (tmp_path / process / "comm").write_bytes(name + b"\n")
    (tmp_path / "9").mkdir()
    assert ha.qemu(tmp_path) == [7]


def test_hosts_tell_each_other_of_their_contact():
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as free:
        port = free.server_port
    assert ha.age_of("127.0.0.1", port) is None
    ha.answers_of(ha.Fence(ha.clock() - 30, 45), port)
    assert ha.age_of("127.0.0.1", port) == pytest.approx(30, abs=3)


def test_a_refused_connection_is_an_answer():
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as free:
        port = free.server_port
    assert ha.reaches("127.0.0.1", port)


# The APIs


class Apis:
    """Keystone, Nova and Masakari, as far as the programs use them: what they have, and what they were asked to do."""

    def __init__(self):
        self.services = {name: {"host": name, "id": f"id-{name}", **UP} for name in COMPUTES}
        self.segments, self.hosts, self.notifications, self.done, self.servers = [], {}, [], [], {}

    def answer(self, method, path, query, body):
        """Return the status and the content."""
        if path == "/v3/auth/tokens":
            urls = {"compute": "/v2.1", "instance-ha": "/ha"}
            catalog = [
                {
                    "type": kind,
                    "endpoints": [
                        {"interface": "internal", "region_id": "one", "url": self.url + base},
                        {"interface": "internal", "region_id": "two", "url": "http://other.invalid"},
                        {"interface": "public", "region_id": "one", "url": "http://other.invalid"},
                    ],
                }
                for kind, base in urls.items()
            ]
            assert body["auth"]["identity"]["password"]["user"]["password"] == "k"
            return 201, {"token": {"catalog": catalog}}
        if method != "GET":
            self.done.append((method, path.partition("/")[2]))
        if path.startswith("/v2.1/os-services"):
            if method == "PUT":
                self.services[path.rpartition("-")[2]].update(body, disabled_reason=None)
                return 200, {}
            host = query.get("host", [None])[0]
            return 200, {"services": [one for one in self.services.values() if host in (None, one["host"])]}
        if path.startswith("/v2.1/servers/"):
            found = self.servers.get(path.rpartition("/")[2])
            return (200, {"server": found}) if found else (404, {"itemNotFound": {}})
        return self.masakari(method, path.removeprefix("/ha"), query, body)

    def masakari(self, method, path, query, body):
        """Return what Masakari answers."""
        if path == "/segments":
            if method == "POST":
                self.segments.append({"uuid": "s1", **body["segment"]})
                return 201, {"segment": self.segments[-1]}
            return 200, {"segments": self.segments}
        if path == "/notifications":
            if method == "GET":
                (host,) = query["source_host_uuid"]
                return 200, {"notifications": [one for one in self.notifications if one["source_host_uuid"] == host]}
            told = body["notification"]
            if any(
                one["payload"] == told["payload"] for one in self.notifications if one["hostname"] == told["hostname"]
            ):
                return 409, {"message": "duplicate"}
            uuid = self.hosts[told["hostname"]]["uuid"]
            self.notifications.append({"status": "new", "source_host_uuid": uuid, **told})
            return 202, {}
        name = path.rpartition("-")[2]
        if method == "POST":
            name = body["host"]["name"]
            self.hosts[name] = {"uuid": f"uuid-{name}", "on_maintenance": False, **body["host"]}
        elif method == "PUT":
            self.hosts[name].update(body["host"])
        elif method == "DELETE":
            del self.hosts[name]
        return 200, {"hosts": list(self.hosts.values())}


@pytest.fixture
def apis():
    """The APIs, on a port of this computer."""
    found = Apis()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            url = urlsplit(self.path)
            length = int(self.headers.get("Content-Length", 0))
            body = json.loads(self.rfile.read(length)) if length else None
            status, content = found.answer(self.command, url.path, parse_qs(url.query), body)
            self.send_response(status)
            self.send_header("X-Subject-Token", "t")
            self.end_headers()
            self.wfile.write(json.dumps(content).encode())

        do_POST = do_PUT = do_DELETE = do_GET

        def log_message(self, *words):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    found.url = f"http://127.0.0.1:{server.server_port}"
    yield found
    server.shutdown()


def settings(apis, name="c1"):
    return {
        "name": name,
        "controllers": dict.fromkeys(CONTROLLERS, ""),
        "computes": dict.fromkeys(COMPUTES, ""),
        "seconds": 90,
        "region": "one",
        "ca": None,
        "auth": {"url": f"{apis.url}/v3", "user": "masakari", "key": "k", "project": "service"},
    }


def watch(apis):
    given = settings(apis)
    return ha.Monitor(given, ha.Cloud(given))


def test_the_segment_has_novas_hosts(apis):
    monitor = watch(apis)
    monitor.look(0, answers())
    assert sorted(apis.hosts) == list(COMPUTES)
    del apis.services["n2"]
    monitor.look(10, answers())
    assert sorted(apis.hosts) == ["n1", "n3"]
    assert [one["name"] for one in apis.segments] == [ha.SEGMENT]


def test_a_lost_host_is_told_once_and_comes_back(apis, capsys):
    monitor = watch(apis)
    monitor.look(0, answers())
    apis.services["n1"].update(DOWN)
    for now in range(10, 131, 10):
        monitor.look(now, answers("n1"))
    (told,) = apis.notifications
    assert (told["hostname"], told["type"], told["payload"]["event"]) == ("n1", "COMPUTE_HOST", "STOPPED")
    # As Masakari's engine does.
    apis.hosts["n1"]["on_maintenance"] = True
    apis.services["n1"].update(GONE)
    told["status"] = "running"
    for now in range(140, 300, 10):
        monitor.look(now, answers())
    assert apis.services["n1"]["status"] == "disabled"
    told["status"] = "finished"
    monitor.look(300, answers())
    assert apis.services["n1"]["status"] == "enabled"
    assert apis.hosts["n1"]["on_maintenance"] is False
    assert len(apis.notifications) == 1
    said = capsys.readouterr().out.splitlines()
    assert "n1 is lost: Masakari recovers its servers" in said
    assert "n1 is back: its nova-compute is enabled" in said


def test_a_monitor_that_was_frozen_begins_anew(apis):
    """Meanwhile, the host may have had contact with another one."""
    monitor = watch(apis)
    monitor.look(0, answers())
    apis.services["n1"].update(DOWN)
    monitor.look(10, answers("n1"))
    for now in range(110, 200, 10):
        monitor.look(now, answers("n1"))
    assert apis.notifications == []
    monitor.look(200, answers("n1"))
    assert len(apis.notifications) == 1


def test_a_host_that_answers_again_has_to_do_so_for_a_while(apis):
    monitor = watch(apis)
    monitor.look(0, answers())
    apis.services["n1"].update(GONE)
    monitor.look(10, answers("n1"))
    for now in range(20, 20 + TIMES.back, 10):
        monitor.look(now, answers())
    assert apis.services["n1"]["status"] == "disabled"
    monitor.look(20 + TIMES.back, answers())
    assert apis.services["n1"]["status"] == "enabled"


def test_what_an_administrator_disabled_stays_so(apis):
    monitor = watch(apis)
    apis.services["n1"].update(status="disabled", disabled_reason="memory is changed")
    for now in range(0, 300, 10):
        monitor.look(now, answers())
    assert apis.services["n1"]["status"] == "disabled"


def test_two_at_once(apis, capsys):
    monitor = watch(apis)
    monitor.look(0, answers())
    for name in ("n1", "n2"):
        apis.services[name].update(DOWN)
    for now in range(10, 300, 10):
        monitor.look(now, answers("n1", "n2"))
    assert apis.notifications == []
    assert "nothing is done for n1, n2: 2 of 3 compute hosts do not answer" in capsys.readouterr().out


def test_a_host_on_maintenance(apis):
    monitor = watch(apis)
    monitor.look(0, answers())
    apis.hosts["n1"]["on_maintenance"] = True
    apis.services["n1"].update(DOWN)
    for now in range(10, 300, 10):
        monitor.look(now, answers("n1"))
    assert apis.notifications == []


# Guests that die


def server(**more):
    return {
        "OS-EXT-SRV-ATTR:host": "n1",
        "OS-EXT-STS:vm_state": "active",
        "OS-EXT-STS:task_state": None,
        **{f"OS-EXT-{name}": value for name, value in more.items()},
    }


def tell(apis):
    given = settings(apis, "n1")
    return ha.tell_of_guest(ha.Cloud(given), "n1", UUID, lambda _seconds: None)


def test_masakari_is_told_of_a_guest_that_has_died(apis):
    watch(apis).look(0, answers())
    apis.servers[UUID] = server()
    assert tell(apis) == f"{UUID}: its guest has died, Masakari starts it again"
    (told,) = apis.notifications
    assert (told["hostname"], told["type"], told["payload"]["instance_uuid"]) == ("n1", "VM", UUID)
    # The engine works off this one only.
    assert (told["payload"]["event"], told["payload"]["vir_domain_event"]) == ("LIFECYCLE", "STOPPED_FAILED")
    # Masakari refuses a second one for a while.
    assert "is not started again" in tell(apis)
    assert len(apis.notifications) == 1


@pytest.mark.parametrize(
    "more",
    [
        {"SRV-ATTR:host": "n2"},
        {"STS:vm_state": "stopped"},
        {"STS:task_state": "migrating"},
    ],
)
def test_a_guest_that_nova_expects_to_end(apis, more):
    watch(apis).look(0, answers())
    apis.servers[UUID] = server(**more)
    assert tell(apis).endswith("which Nova expects")
    assert apis.notifications == []


def test_a_guest_that_is_no_server(apis):
    assert "404" in tell(apis)


def test_nova_is_asked_until_it_answers(apis):
    watch(apis).look(0, answers())
    slept, cloud = (
        [],
        ha.Cloud({**settings(apis, "n1"), "auth": {"url": "http://127.0.0.1:1/v3", "user": "", "key": "k"}}),
    )
    cloud.settings["auth"]["project"] = "service"

    def sleep(seconds):
        slept.append(seconds)
        cloud.settings["auth"]["url"] = f"{apis.url}/v3"

    apis.servers[UUID] = server()
    assert ha.tell_of_guest(cloud, "n1", UUID, sleep).endswith("Masakari starts it again")
    assert slept == [ha.BETWEEN]


def libvirt_of(*events):
    """Return libvirt's module and its connection in one: it has these events, and then ends."""
    left, called = list(events), {}

    def run():
        assert called["registered"]
        called["function"](None, SimpleNamespace(UUIDString=lambda: UUID), *left.pop(0), None)

    return SimpleNamespace(
        VIR_DOMAIN_EVENT_ID_LIFECYCLE=0,
        virEventRegisterDefaultImpl=lambda: called.update(registered=True),
        virEventRunDefaultImpl=run,
        domainEventRegisterAny=lambda guest, kind, function, data: called.update(function=function),
        setKeepAlive=lambda interval, count: None,
        isAlive=lambda: bool(left),
    )


@pytest.mark.parametrize(
    ("event", "dead"),
    [
        # It has started; it was shut down, destroyed, it crashed, was migrated, its process has ended.
        ((2, 0), False),
        ((5, 0), False),
        ((5, 1), False),
        ((5, 2), True),
        ((5, 3), False),
        ((5, 5), True),
    ],
)
@pytest.mark.parametrize("stopped", [False, True])
def test_events_of_guests(event, dead, stopped, tmp_path, monkeypatch):
    monkeypatch.setattr(ha, "STOPPED", tmp_path / "stopped")
    if stopped:
        ha.mark(ha.STOPPED)
    seen, libvirt = [], libvirt_of(event)
    ha.watch_guests(lambda: libvirt, seen.append, libvirt)
    assert seen == ([UUID] if dead and not stopped else [])


# The gate


@pytest.fixture
def host(tmp_path, monkeypatch):
    """A host that has booted, with a guest."""
    monkeypatch.setattr(ha, "PASSED", tmp_path / "run/passed")
    monkeypatch.setattr(ha, "INSTANCES", tmp_path)
    (tmp_path / UUID).mkdir()
    return tmp_path


def test_nova_compute_waits_while_its_servers_are_recovered(apis, host):
    watch(apis).look(0, answers())
    apis.notifications.append({"hostname": "n1", "source_host_uuid": "uuid-n1", "status": "new"})
    slept = []

    def sleep(seconds):
        slept.append(seconds)
        if len(slept) == 2:
            apis.notifications[0]["status"] = "running"
            apis.services["n1"].update(GONE)
        if len(slept) == 4:
            apis.notifications[0]["status"] = "finished"
        if len(slept) == 6:
            apis.services["n1"].update(UP)

    assert ha.gate(settings(apis, "n1"), sleep) == 0
    assert slept == [ha.LOOK] * 6 + [ha.SETTLE]
    assert ha.PASSED.exists()


def test_nova_compute_does_not_start_unasked(apis, host, monkeypatch):
    monkeypatch.setattr(ha, "GATE", -1)
    given = settings(apis, "n1")
    given["auth"]["url"] = "http://127.0.0.1:1/v3"
    assert ha.gate(given, lambda _seconds: None) == 1
    assert not ha.PASSED.exists()


@pytest.mark.parametrize("why", ["no guests", "passed", "the only host"])
def test_an_ordinary_start_asks_nobody(apis, host, why):
    given = settings(apis, "n1")
    given["auth"]["url"] = "http://127.0.0.1:1/v3"
    if why == "passed":
        ha.mark(ha.PASSED)
    elif why == "the only host":
        given["computes"] = {"n1": ""}
    else:
        next(host.glob("0b*")).rmdir()
    assert ha.gate(given, lambda _seconds: None) == 0


def test_a_command_that_hangs_is_left(capsys):
    began = time.monotonic()
    assert ha.command("sleep", "20", seconds=1) == ""
    assert time.monotonic() - began < 10
    assert "timed out" in capsys.readouterr().out
