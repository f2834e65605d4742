# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Health checks against a real server."""

from __future__ import annotations

import io
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from ansible_collections.cairn.openstack.plugins.module_utils.control_plane import service_health
from ansible_collections.cairn.openstack.plugins.modules import service_health as module


@pytest.fixture
def server():
    """A server that answers each path with the status of that name.

    ``late`` ones only from the third time on, ``together`` ones only when four ask at once.
    """
    asked = {}
    four = threading.Barrier(4, timeout=20)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):  # the name is http.server's
            asked[self.path] = asked.get(self.path, 0) + 1
            status = int(self.path.strip("/").split("-")[0])
            if self.path.endswith("-late") and asked[self.path] < 3:
                status = 503
            if self.path.endswith("-together"):
                four.wait()
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.send_header("Location", "http://127.0.0.1:1/")
            self.end_headers()

        def log_message(self, *_words):
            """Say nothing."""

    found = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=found.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{found.server_address[1]}"
    found.shutdown()
    found.server_close()


def service(url, name="lamp"):
    return {"name": name, "url": url, "unit": "no-such-unit"}


@pytest.mark.parametrize("status", [200, 204, 300, 302, 399])
def test_an_answer(server, status):
    assert service_health.answer(f"{server}/{status}") == ""


@pytest.mark.parametrize("status", [400, 401, 404, 500, 503])
def test_no_answer(server, status):
    assert str(status) in service_health.answer(f"{server}/{status}")


def test_an_answer_with_values(run_module, monkeypatch):
    """As RabbitMQ lists its nodes."""
    nodes = [{"name": "rabbit@a", "being_drained": False}, {"name": "rabbit@b", "being_drained": True}, {"name": "c"}]
    monkeypatch.setattr(service_health, "open_url", lambda _url, **_how: io.StringIO(json.dumps(nodes)))
    node = {**service("http://a", "nodes"), "expected": {"being_drained": False}}
    assert service_health.poll([node], 0)["nodes"][1] == "rabbit@b: being_drained is true"
    said = run_module(module, {"services": [{**node, "advice": "Revive it."}], "wait": 0})["msg"]
    assert said.startswith("nodes is not as expected: GET http://a: rabbit@b: being_drained is true\nRevive it.")
    del nodes[1]
    assert service_health.poll([node], 0) == {}


def test_nobody_listens():
    assert "refused" in service_health.answer("http://127.0.0.1:1/").lower()


def test_a_proxy_is_not_asked(server, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1/")
    assert service_health.answer(f"{server}/200") == ""


def test_waits_until_all_answer(server):
    services = [service(f"{server}/200"), service(f"{server}/200-late", "late")]
    assert service_health.poll(services, wait=10, interval=0.01) == {}


def test_names_those_that_stay_silent(server):
    silent = service_health.poll([service(f"{server}/200"), service(f"{server}/503", "bad")], 0.2, interval=0.01)
    assert list(silent) == ["bad"]
    assert "503" in silent["bad"][1]


def test_asks_all_at_once(server):
    services = [service(f"{server}/200-together", str(number)) for number in range(4)]
    assert service_health.poll(services, wait=0) == {}


def test_nothing_to_ask():
    assert service_health.poll([], 0) == {}


def test_the_module_tells_the_cause(server, run_module, tmp_path):
    (tmp_path / "lamp.log").write_text("2026 ERROR no oil\n")
    asked = {**service(f"{server}/503"), "log": str(tmp_path / "lamp.log")}
    result = run_module(module, {"services": [asked], "wait": 0})
    assert result["failed"]
    assert "lamp does not answer" in result["msg"]
    assert "no oil" in result["msg"]
    assert list(result["silent"]) == ["lamp"]


def test_the_module_in_check_mode_asks_nobody_on_a_new_host(run_module, monkeypatch):
    monkeypatch.setattr(module, "load_stamps", dict)
    nowhere = "http://127.0.0.1:1/"
    commands = {"enable": "lamp on", "remove": "lamp away"}
    processes = {"get": "/", "key": "lamps", "disabled": {}, "down": {}, "commands": commands}
    given = {
        "services": [service(nowhere)],
        "checks": [service(nowhere)],
        "process_lists": [{**processes, "url": nowhere, "unit": "lamp"}],
        "auth": {"url": nowhere, "password": "x"},
    }
    result = run_module(module, given, check=True)
    assert not result.get("failed")
    assert "warnings" not in result
    assert (result["changed"], result["silent"]) == (False, {})


def test_the_module_in_check_mode_warns(server, run_module, monkeypatch):
    warned = []
    monkeypatch.setattr(module.AnsibleModule, "warn", lambda _module, text: warned.append(text))
    monkeypatch.setattr(module, "load_stamps", lambda: {"lamp": {}})
    # The run has yet to start the other one: it is new, or an earlier run was interrupted.
    asked = [{**service(f"{server}/503"), "unit": "lamp", "advice": "Add oil."}, service(f"{server}/503", "bell")]
    result = run_module(module, {"services": asked, "wait": 60}, check=True)
    assert not result.get("failed")
    assert list(result["silent"]) == ["lamp"]
    (text,) = warned
    assert "lamp does not answer" in text
    assert "Add oil." in text
