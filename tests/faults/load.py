# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A client outside the cloud: it calls every API all the time, writes, pings a server, and notes what fails.

Each probe runs in a thread of its own and opens a connection for each call, as short-lived clients do. What a call
created and the API acknowledged must still be there at the end.
"""

from __future__ import annotations

import http.client
import itertools
import json
import re
import socket
import ssl
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

# Seconds between two calls of a probe, and until a call counts as failed.
PAUSE, TIMEOUT = 0.25, 10
# Between two pings.
PING = 0.2


class CallError(Exception):
    """A call failed; the message says how."""


@dataclass
class Call:
    """A call of a probe: when it began and ended, in seconds since the epoch, and its error, if any."""

    began: float
    ended: float
    error: str = ""


@dataclass
class Series:
    """All calls of a probe."""

    calls: list[Call] = field(default_factory=list)
    # When the last call ended; later than a ping's last reply.
    ended: float = 0

    def failures(self, since: float = 0) -> list[Call]:
        """Return the calls that failed, of those that began after *since*."""
        return [call for call in self.calls if call.error and call.began >= since]

    def gap(self, since: float = 0) -> float:
        """Return the longest time in seconds between two successful calls, the pause between them included."""
        return self.longest(since)[0]

    def longest(self, since: float = 0) -> tuple[float, float]:
        """Return that time, and when it began, in seconds since the epoch."""
        ends = [call.ended for call in self.calls if not call.error]
        ends.append(max([self.ended, *(call.ended for call in self.calls)]))
        pairs = ((first, second) for first, second in itertools.pairwise(ends) if second >= since)
        return max(((second - first, first) for first, second in pairs), default=(0.0, since))


class Cloud:
    """The cloud's APIs at its public address, for the user of a clouds.yaml."""

    def __init__(self, clouds: Path, name: str, address: str) -> None:
        """Connect to nothing yet.

        :param clouds: path of clouds.yaml.
        :param name: its entry.
        :param address: the address of the load balancer; names need not resolve here.
        """
        self._given = yaml.safe_load(clouds.read_text())["clouds"][name]
        self._address = address
        self._tls = ssl.create_default_context(cafile=self._given.get("cacert"))
        self._token, self._project, self._until = "", "", 0.0
        self._lock = threading.Lock()

    @property
    def project(self) -> str:
        """The id of the user's project."""
        return self._project

    def call(
        self, method: str, port: int, path: str, body: Any = None, token: bool = True
    ) -> tuple[Any, http.client.HTTPMessage]:
        """Return the decoded response and its headers.

        :raises CallError: no response in time, or a status of 400 or more.
        """
        name = self._given["auth"]["auth_url"].split("//")[1].split(":")[0].split("/")[0]
        headers = {"Content-Type": "application/json", "Host": f"{name}:{port}"}
        if token:
            headers["X-Auth-Token"] = self.token()
        # HTTPSConnection would read all authorities of the computer for each call, for 20 ms of its processor.
        connection = http.client.HTTPConnection(name, port, timeout=TIMEOUT)
        try:
            plain = socket.create_connection((self._address, port), timeout=TIMEOUT)
            connection.sock = self._tls.wrap_socket(plain, server_hostname=name)
            connection.request(method, path, json.dumps(body) if body is not None else None, headers)
            response = connection.getresponse()
            text = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise CallError(f"{type(error).__name__}: {error}") from error
        finally:
            connection.close()
        if response.status >= 400:
            raise CallError(f"{response.status} {text[:120].decode(errors='replace')}")
        return (json.loads(text) if text else None), response.headers

    def token(self) -> str:
        """Return a token, which is renewed every ten minutes."""
        with self._lock:
            if time.time() < self._until:
                return self._token
            auth = self._given["auth"]
            user = {"name": auth["username"], "domain": {"name": "Default"}, "password": auth["password"]}
            scope = {"project": {"name": auth["project_name"], "domain": {"name": "Default"}}}
            body = {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope}}
            found, headers = self.call("POST", 5000, "/v3/auth/tokens", body, token=False)
            self._token, self._project = headers["X-Subject-Token"], found["token"]["project"]["id"]
            self._until = time.time() + 600
            return self._token


class Load:
    """The probes. Use it as a context manager; the series are complete after that."""

    def __init__(self, cloud: Cloud, ping: str | None = None) -> None:
        """Prepare the probes.

        :param ping: the floating IP address of a server.
        """
        self.cloud = cloud
        self.created: list[str] = []
        self._stop = threading.Event()
        self._ping = ping
        self._pinger: subprocess.Popen | None = None
        cloud.token()
        project = cloud.project
        reads = {
            "identity": (5000, "/v3/projects?name=admin"),
            "compute": (8774, "/v2.1/servers"),
            "placement": (8778, "/resource_providers"),
            "network": (9696, "/v2.0/networks"),
            "image": (9292, "/v2/images?limit=1"),
            "volume": (8776, f"/v3/{project}/volumes"),
        }
        self._probes: dict[str, Callable[[], None]] = {
            name: self._read(port, path) for name, (port, path) in reads.items()
        }
        self._probes["write"] = self._write
        self.series = {name: Series() for name in self._probes}

    def _read(self, port: int, path: str) -> Callable[[], None]:
        return lambda: self.cloud.call("GET", port, path) and None

    def _write(self) -> None:
        body = {"project": {"name": f"fault-{time.time_ns()}", "domain_id": "default"}}
        found, _headers = self.cloud.call("POST", 5000, "/v3/projects", body)
        self.created.append(found["project"]["id"])

    def _run(self, name: str) -> None:
        while not self._stop.is_set():
            began = time.time()
            try:
                self._probes[name]()
                error = ""
            except CallError as failed:
                error = str(failed)
            self.series[name].calls.append(Call(began, time.time(), error))
            self._stop.wait(PAUSE)

    def __enter__(self) -> Load:
        """Start all probes."""
        self._threads = [threading.Thread(target=self._run, args=(name,), daemon=True) for name in self._probes]
        for thread in self._threads:
            thread.start()
        if self._ping:
            command = ["ping", "-D", "-n", "-i", str(PING), self._ping]
            # Not a pipe: ping stops when it is full, after three minutes.
            self._replies = tempfile.TemporaryFile("w+", encoding="utf-8")
            self._pinger = subprocess.Popen(command, stdout=self._replies, stderr=subprocess.DEVNULL)
        return self

    def __exit__(self, *_error: object) -> None:
        """Stop all probes, and read what ping has printed."""
        self._stop.set()
        for thread in self._threads:
            thread.join(TIMEOUT + 5)
        if self._pinger:
            self._pinger.terminate()
            self._pinger.wait()
            self._replies.seek(0)
            found = replies(self._replies)
            self.series["ping"] = Series([Call(at, at) for at in found], time.time())

    def lost(self) -> list[str]:
        """Return the ids of acknowledged projects that the cloud does not have."""
        found, _headers = self.cloud.call("GET", 5000, "/v3/projects")
        have = {project["id"] for project in found["projects"]}
        return [one for one in self.created if one not in have]

    def clean(self) -> None:
        """Delete the projects that the probe created."""
        for one in self.created:
            self.cloud.call("DELETE", 5000, f"/v3/projects/{one}")


def replies(lines: Iterable[str]) -> Iterator[float]:
    """Yield the time of each reply in the output of ``ping -D``, in seconds since the epoch."""
    for line in lines:
        if found := re.match(r"\[(\d+\.\d+)\] \d+ bytes from", line):
            yield float(found[1])
