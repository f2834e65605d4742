# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Verification of Octavia, against an API and a load balancer of the same form."""

from __future__ import annotations

import http.server
import os
import signal
import ssl
import subprocess
import threading
from types import SimpleNamespace

import pytest
from ansible_collections.cairn.openstack.plugins.action import verify
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify import balancers, keys, optional, volume
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify.checks import NOT_RUN, PASSED, Bad, NotRun
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify.probe import Probe
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify.run import TENANT, Guest, Run
from openstack.exceptions import HttpException

RUN = "cairn-verify-20260102000000-0a0b"
ONE, TWO = f"{RUN}-1", f"{RUN}-2"


class Octavia:
    """A load balancer with an amphora, which has another one when its server is gone.

    :param states: its statuses, the last of them for ever.
    :param renews: whether it replaces amphorae.
    :param members: operating statuses of its members.
    """

    def __init__(self, states=("PENDING_CREATE", "ACTIVE"), renews=True, members=("ONLINE", "ERROR")):
        self.states, self.renews, self.members = list(states), renews, members
        self.amphorae = [{"id": "a1", "status": "ALLOCATED", "compute_id": "s1", "role": "STANDALONE"}]
        self.there, self.sent, self.hypervisor, self.ips = True, [], "kvm", ["i1"]
        self.console = ""

    def request(self, path, method, json=None, microversion=None):
        if method != "GET":
            self.sent.append((method, path, json))
        if method == "DELETE":
            self.there = False
        if path.endswith("/diagnostics"):
            assert microversion == "2.48"
            found = {"hypervisor": self.hypervisor}
        elif path.startswith("/octavia/amphorae"):
            found = {"amphorae": self.amphorae}
        elif path.startswith("/lbaas/pools?"):
            found = {"pools": [{"id": "p1"}]}
        elif path.endswith("/members"):
            pairs = zip((ONE, TWO), self.members, strict=True)
            found = {"members": [{"name": name, "operating_status": status} for name, status in pairs]}
        else:
            state = self.states.pop(0) if len(self.states) > 1 and method == "GET" else self.states[0]
            one = {"id": "b1", "name": f"{RUN}-balancer", "vip_port_id": "v1", "vip_address": "198.18.0.9"}
            one["provisioning_status"] = state
            found = {"loadbalancer": one, "loadbalancers": [one] if self.there else []}
        return SimpleNamespace(json=lambda: found, status_code=200)

    def get_server_console_output(self, server):
        if self.console is None:
            raise HttpException("no such server", http_status=404)
        return {"output": self.console}

    def delete_server(self, server):
        assert server == "s1"
        self.amphorae[0]["status"] = "DELETED"
        if self.renews:
            self.amphorae.append({"id": "a2", "status": "ALLOCATED", "compute_id": "s2", "role": "STANDALONE"})


def again(function, _seconds, _pause=1):
    """Ask a few times without a pause."""
    return next((answer for answer in (function() for _ in range(5)) if answer), None)


@pytest.fixture
def begin(monkeypatch):
    """Return a run with an Octavia, whose checks wait for nothing."""
    monkeypatch.setattr(balancers, "rest", lambda proxy, method, path, **more: proxy.request(path, method, **more))
    monkeypatch.setattr(balancers, "poll", again)

    def run(octavia, servers=2, services=("octavia", "barbican")):
        ip = SimpleNamespace(floating_ip_address="192.0.2.9")
        network = SimpleNamespace(
            rules=[],
            create_security_group_rule=lambda **rule: network.rules.append(rule),
            create_ip=lambda **_fields: ip,
            ips=lambda port_id: list(octavia.ips),
            delete_ip=lambda ip: octavia.ips.remove(ip),
        )
        user = SimpleNamespace(load_balancer=octavia, network=network, compute=octavia)
        begun = Run(RUN, user, {"cidr": "198.18.0.0/24", "services": list(services)}, user=user)
        begun.group, begun.subnet, begun.external = (SimpleNamespace(id=name) for name in ("g1", "u1", "e1"))
        for number in range(1, servers + 1):
            begun.guests.append(
                Guest(f"{RUN}-{number}", f"s-{number}", TENANT, address=f"198.18.0.{number}", active=True)
            )
        return begun

    return run


def test_a_load_balancer_over_two_servers(begin):
    octavia = Octavia()
    run = begin(octavia)
    assert balancers.requested(run) == "198.18.0.9"
    assert run.user.network.rules[0]["remote_ip_prefix"] == "198.18.0.0/24"
    assert "not emulated: limit 300 s" in balancers.booted(run)
    assert balancers.joined(run) == "198.18.0.1, 198.18.0.2 at 192.0.2.9"
    assert [one["address"] for one in octavia.sent[-1][2]["members"]] == ["198.18.0.1", "198.18.0.2"]
    assert run.made()["balancer"]["members"] == [ONE, TWO]


def test_an_emulated_cloud_has_more_time(begin):
    octavia = Octavia()
    octavia.hypervisor = "qemu"
    run = begin(octavia)
    balancers.requested(run)
    assert "emulated: limit 900 s" in balancers.booted(run)
    assert run.balancer["emulated"]


@pytest.mark.parametrize(
    ("states", "seen"), [(["PENDING_CREATE"], "PENDING_CREATE"), (["PENDING_CREATE", "ERROR"], "PENDING_CREATE, ERROR")]
)
def test_one_that_does_not_become_active_tells_what_was_seen(begin, states, seen):
    octavia = Octavia(states)
    run = begin(octavia)
    balancers.requested(run)
    said = rf"not ACTIVE 300 s after its request: {seen}; amphorae: a1 ALLOCATED \(server s1\); .*octavia-worker"
    with pytest.raises(Bad, match=said) as error:
        balancers.booted(run)
    assert error.value.ids == ("b1", "a1", "s1")


@pytest.mark.parametrize("said", [f"{'x' * 9}\n\n[  12.3] Kernel panic\n", None])
def test_an_amphora_that_does_not_boot_tells_what_its_console_says(begin, said):
    octavia = Octavia(["PENDING_CREATE"])
    octavia.amphorae[0]["status"] = "BOOTING"
    octavia.console = said
    run = begin(octavia)
    balancers.requested(run)
    wanted = "[  12.3] Kernel panic" if said else "it cannot be read: no such server"
    with pytest.raises(Bad) as error:
        balancers.booted(run)
    assert "; end of the console log of server s1:\n" in str(error.value)
    assert str(error.value).endswith(wanted)


def test_a_single_server_and_a_cloud_without_an_external_network(begin):
    run = begin(Octavia(), servers=1)
    with pytest.raises(NotRun, match="2 servers"):
        balancers.joined(run)
    run.external = None
    with pytest.raises(NotRun, match="external"):
        balancers.joined(run)


def test_tls_needs_barbican(begin):
    with pytest.raises(NotRun, match="no Barbican"):
        balancers.terminated(begin(Octavia(), services=["octavia"]))


def test_a_listener_has_the_certificate_in_barbican(begin, monkeypatch):
    pytest.importorskip("cryptography")
    octavia, kept = Octavia(["ACTIVE"]), []
    monkeypatch.setattr(keys, "stored", lambda _run, _name, payload, **_of: kept.append(payload) or "https://k/1")
    run = begin(octavia)
    run.balancer = {"id": "b1", "pool": "p1", "emulated": False}
    balancers.terminated(run)
    listener = octavia.sent[-1][2]["listener"]
    assert (listener["default_tls_container_ref"], listener["default_pool_id"]) == ("https://k/1", "p1")
    assert kept
    assert len(run.balancer["certificate"]) == 64


class Seen:
    """A probe of two servers."""

    def __init__(self, answers, certificate=""):
        self.answers, self.commands = answers, []
        balancer = {"id": "b1", "address": "192.0.2.9", "emulated": False, "members": [ONE, TWO]}
        balancer["certificate"] = certificate
        self.made = {"balancer": balancer, "servers": [{"name": ONE}, {"name": TWO}]}
        self.bad = Bad

    def within(self, command, guest):
        self.commands.append((guest["name"], command))

    def ask(self, _address, _certificate=""):
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@pytest.fixture
def see(begin, monkeypatch):
    """Return a probe that is answered by these names."""

    def seen(*answers, **more):
        probe = Seen(list(answers), **more)
        monkeypatch.setattr(balancers, "ask", probe.ask)
        return probe

    return seen


def test_both_servers_answer(see):
    # At first the pool has none.
    probe = see("status 503", *[ONE, TWO] * 20)
    assert balancers.both(probe).endswith(f"4 from {ONE}, 4 from {TWO}")
    assert [name for name, _command in probe.commands] == [ONE, TWO]
    assert "after" in balancers.secured(probe)


def test_answers_from_one_server_only(see):
    said = rf"http://192.0.2.9/: after 120 s the last answers are {ONE}.*wanted 8 in a row"
    with pytest.raises(Bad, match=said) as error:
        balancers.both(see(ONE))
    assert error.value.ids == ("b1",)


def test_a_stopped_server_is_left_out(see):
    probe = see(TWO, ONE)
    assert f"8 answers in a row from {ONE}" in balancers.left_out(probe)
    assert probe.commands == [(TWO, balancers.STOP)]
    with pytest.raises(Bad, match="after 90 s"):
        balancers.left_out(see("status 503"))


@pytest.fixture
def after(begin):
    """Return what checks after the servers were used get."""

    def made(octavia):
        run = begin(octavia)
        balancer = {"id": "b1", "pool": "p1", "members": [ONE, TWO], "emulated": False}
        return volume.Copies(run, {"servers": [], "disks": {}, "balancer": balancer})

    return made


def test_octavia_knows_the_stopped_server(after):
    assert balancers.reported(after(Octavia())) == f"{ONE} ONLINE, {TWO} ERROR"
    with pytest.raises(Bad, match=f"wanted: {ONE} ONLINE, {TWO} ERROR"):
        balancers.reported(after(Octavia(members=("ONLINE", "ONLINE"))))


def test_an_amphora_is_made_anew(after, see):
    octavia = Octavia(["ACTIVE", "PENDING_UPDATE", "ACTIVE"])
    assert "s after its server was deleted: limit 600 s" in balancers.anew(after(octavia))
    assert "8 answers in a row" in balancers.again(see(ONE))


@pytest.mark.parametrize("states", [["ACTIVE"], ["PENDING_UPDATE", "ERROR"]])
def test_an_amphora_that_is_not_made_anew(after, states):
    said = rf"a1 has no successor .*load balancer: {', '.join(states)}; amphorae: a1 DELETED"
    with pytest.raises(Bad, match=said):
        balancers.anew(after(Octavia(states, renews=False)))


def test_load_balancers_that_are_left_are_deleted_when_they_can_be(begin, monkeypatch):
    octavia = Octavia(["ACTIVE", "PENDING_UPDATE", "ACTIVE"])
    run = begin(octavia)
    monkeypatch.setattr(balancers.account, "admin_of", lambda admin, project: run.user)
    assert balancers.sweep(run.admin, "p1", 0) == []
    assert octavia.sent == [("DELETE", "/lbaas/loadbalancers/b1?cascade=true", None)]
    assert not octavia.ips
    assert [service.name for service in optional.of(["octavia"])] == ["octavia"]


def test_a_load_balancer_that_does_not_go_is_named(begin, monkeypatch):
    octavia = Octavia(["PENDING_UPDATE"])
    run = begin(octavia)
    monkeypatch.setattr(balancers.account, "admin_of", lambda admin, project: run.user)
    assert balancers.sweep(run.admin, "p1", 0) == [f"{RUN}-balancer (PENDING_UPDATE)"]


def test_the_checks_after_the_copies_are_a_probes():
    probe = Probe("", {"servers": [], "balancer": {}}, {"services": ["octavia"]})
    assert "HTTP by new amphora" in [check.name for check in probe.copies()]


@pytest.mark.parametrize(("outcome", "phases"), [(PASSED, ["probe"]), (NOT_RUN, [])])
def test_a_controller_asks_the_new_amphora_also_without_volumes(outcome, phases):
    made, asked = {"servers": [], "disks": {}, "balancer": {}}, []
    action = SimpleNamespace(
        options={"services": ["octavia"]},
        task_vars={"inventory_hostname": "c1"},
        module=lambda phase, **_args: asked.append(phase) or {"results": []},
    )
    outcomes = {"volume clone": NOT_RUN, "volume backup": NOT_RUN, "amphora replaced": outcome}
    results = verify.ActionModule.probe(action, "controller", "", made, outcomes, "copies")
    assert asked == phases
    assert {result["outcome"] for result in results} <= {NOT_RUN}


@pytest.fixture
def serve(monkeypatch):
    """Return a function that starts a web server, and has it asked."""
    running = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(self.server.status)
            self.end_headers()
            self.wfile.write(f"{ONE}\n".encode())

        def log_message(self, *_words):
            """Say nothing."""

    def start(status=200, context=None):
        server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        server.status = status
        if context:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        running.append(server)
        monkeypatch.setattr(balancers, "HTTPS" if context else "HTTP", server.server_address[1])

    yield start
    for server in running:
        server.shutdown()
        server.server_close()


def test_an_answer_by_http(serve, monkeypatch):
    serve()
    assert balancers.ask("127.0.0.1") == ONE
    serve(status=503)
    assert balancers.ask("127.0.0.1") == "status 503"
    monkeypatch.setattr(balancers, "HTTP", 1)
    assert "refused" in balancers.ask("127.0.0.1")


def test_an_answer_by_https_has_that_certificate(serve, tmp_path):
    pytest.importorskip("cryptography")
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.serialization import pkcs12

    bundle, digest = balancers.new_bundle(RUN)
    key, certificate, _more = pkcs12.load_key_and_certificates(bundle, None)
    plain = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    pem = key.private_bytes(serialization.Encoding.PEM, *plain)
    (tmp_path / "pem").write_bytes(pem + certificate.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "pem")
    serve(context=context)
    assert balancers.ask("127.0.0.1", digest) == ONE
    assert "another certificate" in balancers.ask("127.0.0.1", "0" * 64)


def test_the_web_server_of_a_guest_starts_and_stops(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    with http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as free:
        port = free.server_address[1]
    subprocess.run(["sh", "-c", balancers.START.format(name=ONE, port=port)], check=True, timeout=30)
    monkeypatch.setattr(balancers, "HTTP", port)
    assert balancers.ask("127.0.0.1") == ONE
    subprocess.run(["sh", "-c", balancers.STOP], check=True, timeout=30)
    monkeypatch.setattr(balancers, "REQUEST", 1)
    try:
        assert "timed out" in balancers.ask("127.0.0.1")
    finally:
        os.kill(int((tmp_path / "cairn-www.pid").read_text()), signal.SIGKILL)
