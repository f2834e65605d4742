# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""HAProxy: what it was told by its socket, which no file shows."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import ClassVar

import pytest
import resolving
from programs import program_of

HOSTS = {"c1": {"groups": ["controller", "network", "compute"], "address": "192.0.2.11"}}
VIP = {"cloud_internal_address": "192.0.2.9", "cloud_public_address": "198.51.100.9"}
# The first columns of HAProxy 3.0's answer.
HEADER = """1
# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight srv_time_since_last_change
"""


@pytest.fixture
def said(tmp_path):
    """Return what the command prints when HAProxy answers with *lines*."""
    text = resolving.files(resolving.resolve(HOSTS, "c1", tmp_path), "haproxy", HOSTS["c1"]["groups"])
    path = tmp_path / "admin.sock"
    program = text["maintenance"]["content"].replace("/run/haproxy/admin.sock", str(path))

    def answered(*lines):
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(path))
            server.listen()

            def answer():
                client, _address = server.accept()
                with client:
                    assert client.recv(100) == b"show servers state\n"
                    client.sendall((HEADER + "".join(f"{line}\n" for line in lines) + "\n").encode())

            thread = threading.Thread(target=answer)
            thread.start()
            done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
            thread.join()
        return done.stdout

    return answered


@pytest.mark.parametrize(
    ("states", "found"),
    [
        ("0 1 1", "none"),
        # by a DNS failure, or by the file: not by the socket
        ("32 1 1", "none"),
        ("4 1 1", "none"),
        ("1 1 1", "glance-api/c1"),
        ("5 1 1", "glance-api/c1"),
        ("8 1 1", "glance-api/c1"),
        ("0 0 1", "glance-api/c1"),
    ],
)
def test_servers_out_of_use(said, states, found):
    assert said(f"4 glance-api 1 c1 127.0.0.1 2 {states} 20", "5 nova-api 1 c1 127.0.0.1 2 0 1 1 20") == (
        f"servers in maintenance = {found}\n"
    )


def test_several(said):
    lines = [f"{number} {name} 1 c1 127.0.0.1 0 1 1 1 20" for number, name in ((4, "glance-api"), (5, "nova-api"))]
    assert said(*lines) == "servers in maintenance = glance-api/c1, nova-api/c1\n"


def test_the_unit_asks(tmp_path):
    """A reload resets it: the new process reads the file alone."""
    (unit,) = resolving.resolve(HOSTS, "c1", tmp_path).definitions["haproxy"]["units"]
    (entry,) = unit["expected_values"]
    assert entry["values"] == {"servers in maintenance": "none"}
    assert unit["reload"]
    path = resolving.files(resolving.resolve(HOSTS, "c1", tmp_path), "haproxy", HOSTS["c1"]["groups"])["maintenance"][
        "path"
    ]
    assert entry["command"] == path


class TestConnections:
    """Who opens many of them takes places from nobody else."""

    @pytest.fixture
    def numbers(self, tmp_path):
        """Return the most connections of the whole and of each frontend, and all lines of binds."""

        def read(**settings):
            hosts = {**HOSTS, "c2": {"groups": ["controller"], "address": "192.0.2.12"}}
            model = resolving.resolve(hosts, "c1", tmp_path, settings)
            text = resolving.files(model, "haproxy", HOSTS["c1"]["groups"])["haproxy.cfg"]["content"]
            sections = re.split(r"^(?=\S)", text, flags=re.MULTILINE)
            limits = {}
            for section in sections:
                name = section.split("\n")[0]
                own = re.search(r"^  maxconn (\d+)$", section, re.MULTILINE)
                if own or name.startswith(("listen", "frontend")):
                    limits[name] = int(own[1]) if own else limits["defaults"]
            whole = limits.pop("global")
            del limits["defaults"]
            return whole, limits, re.findall(r"^  bind .*$", text, re.MULTILINE), model.cloud

        return read

    @pytest.mark.parametrize("settings", [{"cloud_internal_address": "192.0.2.11"}, VIP])
    def test_no_frontend_starves_another(self, numbers, settings):
        whole, limits, _binds, _cloud = numbers(**settings)
        assert len(limits) > 8
        assert sum(limits.values()) <= whole < sum(limits.values()) + 1000

    def test_the_public_leave_room_for_services(self, numbers):
        _whole, _limits, binds, _cloud = numbers(**VIP)
        apis = [line for line in binds if not line.endswith((":80", ":3306"))]
        assert {line.endswith(" maxconn 600") for line in apis if "198.51.100.9" in line} == {True}
        assert {" maxconn" in line for line in apis if "192.0.2.9" in line} == {False}

    @pytest.mark.parametrize(("workers", "enough"), [(2, 1024), (8, 1500)])
    def test_memcached(self, tmp_path, workers, enough):
        """One that is full accepts no connection, and services wait for it."""
        model = resolving.resolve(HOSTS, "c1", tmp_path, {"cloud_workers": workers})
        text = resolving.files(model, "memcached", HOSTS["c1"]["groups"])["memcached.conf"]["content"]
        found = int(re.search(r"^-c (\d+)$", text, re.MULTILINE)[1])
        assert enough <= found < 2 * enough


class TestSeveralControllers:
    """Services listen on the loopback address; between controllers their traffic is encrypted."""

    @pytest.fixture
    def text(self, tmp_path):
        hosts = {f"c{number}": {"groups": ["controller"], "address": f"192.0.2.1{number}"} for number in (1, 2, 3)}
        model = resolving.resolve(hosts, "c2", tmp_path, VIP)
        return resolving.files(model, "haproxy", ["controller"])["haproxy.cfg"]["content"]

    def test_nothing_plain_leaves_the_host(self, text):
        lines = re.findall(r"^  (?:server|bind) .*$", text, re.MULTILINE)
        apis = [line for line in lines if not re.search(r":(80|3306)(\s|$)", line)]
        assert len(apis) > 20
        plain = [line for line in apis if " ssl " not in line and "127.0.0.1:" not in line]
        assert plain == []

    def test_caches_are_the_same_on_each_controller(self, tmp_path, text):
        """Clients choose one by its name."""
        hosts = {f"c{number}": {"groups": ["controller"], "address": f"192.0.2.1{number}"} for number in (1, 2, 3)}
        names = {resolving.resolve(hosts, name, tmp_path, VIP).cloud["cache_servers"] for name in hosts}
        assert names == {"127.0.0.1:11213,127.0.0.1:11214,127.0.0.1:11215"}
        servers = dict(re.findall(r"listen memcached-c(\d)\n  bind 127.0.0.1:(\d+)\n", text))
        assert servers == {"1": "11213", "2": "11214", "3": "11215"}
        assert re.search(r"  server c2 127.0.0.1:11211 check ", text)
        assert re.search(r"  server c3 192.0.2.13:11212 ssl crt \S+ verify required ca-file \S+ verifyhost c3\n", text)

    def test_no_session_is_forgotten_while_it_connects(self, text):
        """HAProxy ends those of a server that is marked down only in HTTP mode, or with a filter."""
        sections = re.findall(r"^listen (\S+)\n((?:  .*\n)*)", text, re.MULTILINE)
        ended = [(name, section) for name, section in sections if "on-marked-down shutdown-sessions" in section]
        assert {"mariadb", "memcached-c1", "keystone"} <= {name for name, _section in ended}
        for name, section in ended:
            assert "  mode tcp\n" not in section or "  tcp-request content set-bandwidth-limit " in section, name

    def test_a_service_that_is_off_refuses_connections(self, text):
        section = re.search(r"^listen keystone-here\n((?:  .*\n)*)", text, re.MULTILINE)[1]
        assert "  bind 192.0.2.12:5000 ssl crt /etc/haproxy/host.pem\n" in section
        assert "  tcp-request connection reject if { nbsrv(keystone-here) lt 1 }\n" in section
        assert "  server c2 127.0.0.1:5000\n" in section

    def test_a_busy_service_is_not_left_as_a_host_that_hangs(self, text):
        """Other load balancers ask HAProxy of its host, not the service, whose processes may all be busy."""
        section = re.search(r"^listen keystone\n((?:  .*\n)*)", text, re.MULTILINE)[1]
        assert "  server c2 127.0.0.1:5000 track keystone-here/c2\n" in section
        (one,) = re.findall(r"^  server c1 .*$", section, re.MULTILINE)
        assert " check port 9202 check-ssl " in one
        assert "  option httpchk GET /keystone\n  http-check disable-on-404\n" in section
        here = re.search(r"^frontend here\n((?:  .*\n)*)", text, re.MULTILINE)[1]
        assert "  http-request return status 200 if { path /keystone } { nbsrv(keystone-here) gt 0 }\n" in here


class TestDrain:
    ROWS: ClassVar = [
        ("keystone", "FRONTEND", 3, 0),
        ("keystone", "c1", 0, 2),
        ("keystone", "c2", 5, 2),
        ("keystone-here", "FRONTEND", 1, 0),
        ("keystone-here", "c1", 1, 2),
        ("mariadb", "c1", 9, 2),
        # It works on no other controller.
        ("glance", "c1", 0, 2),
        ("glance-here", "c1", 0, 2),
    ]

    @pytest.fixture
    def drain(self, monkeypatch, tmp_path):
        """The program on c1, whose last request ends after some looks, and what it asks for."""
        program, asked, looks = program_of("cairn_haproxy_drain"), [], []

        def ask(command):
            if command != "show stat":
                asked.append(command)
                return ""
            looks.append(command)
            rows = [
                f"{name},{server},{scur if len(looks) < 9 else 0},{kind},UP," for name, server, scur, kind in self.ROWS
            ]
            return "\n".join(["# pxname,svname,scur,type,status,", *rows, ""])

        monkeypatch.setattr(program, "ask", ask)
        monkeypatch.setattr(program, "LOOK", 0)
        monkeypatch.setattr(program, "PATIENCE", 0.2)
        monkeypatch.setattr(program, "MARK", str(tmp_path / "mark"))
        monkeypatch.setattr(program.subprocess, "run", lambda words, **_options: asked.append(words[0]))
        return program, asked, looks

    def test_start(self, drain):
        program, asked, looks = drain
        program.start()
        assert asked == ["systemctl", "systemd-run", "set server keystone-here/c1 state drain"]
        assert len(looks) >= 9
        assert Path(program.MARK).exists()

    def test_end(self, drain):
        program, asked, _looks = drain
        Path(program.MARK).touch()
        program.end()
        ended = [f"set server {name}-here/c1 state ready" for name in ("keystone", "glance")]
        assert asked == ["systemctl", *ended]
        assert not Path(program.MARK).exists()
