# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Recovery of the servers of a compute host that is lost, and what keeps a server from running twice.

Written by Cairn. Commands:

monitor     on controllers: tells Masakari of a compute host that is lost, and lets it carry servers again when it is
            back. It acts only on the controller with the cloud's address, and prints what it does, or why it does not
fence       on compute hosts: stops all guests when the host has lost the controllers
guests      on compute hosts: tells Masakari of a guest whose process has died
gate        on compute hosts, before nova-compute starts: waits until nothing of the host is recovered elsewhere

Why no server runs twice: a host that the monitor takes for lost does not reach the address where the monitor is, so
fence has stopped its guests before the monitor's time is over. There is one exception, or every restart of a single
controller would stop all guests: a host keeps them while it reaches other hosts without contact that are, together with
itself, more than half of all compute hosts. Then the monitor does nothing.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import queue
import signal
import socket
import socketserver
import ssl
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

SETTINGS = Path("/etc/cairn/host-ha.json")
# While it exists, nova-compute has started since the boot, or since fence stopped it.
PASSED = Path("/run/cairn-host-ha/passed")
# While it exists, fence has stopped nova-compute, and starts it again.
STOPPED = Path("/run/cairn-host-ha/stopped")
# When fence had contact with the controllers: one that has died goes on counting.
CONTACT = Path("/run/cairn-host-ha/contact")
INSTANCES = Path("/var/lib/nova/instances")
SEGMENT = "compute"
# What Masakari gives as the reason when it disables the nova-compute of a lost host.
REASON = "Masakari: the host is lost"
# Seconds between two looks of the monitor, of fence, between two questions of fence, and of gate.
ROUND, LOOK, ASK, SETTLE = 10, 5, 20, 20
# Seconds for an answer of a host, of an API, and until gate gives up, after which systemd starts it again.
ANSWER, API, GATE = 3, 15, 300
# Seconds in which killed guests have to end (a large one's memory takes its time), in which a host then ends by force,
# and hosts that are asked at the same time.
END, FORCE, WIDE = 15, 2, 512
# Seconds since its last contact from which a host is taken for one without, and between two looks of the monitor from
# which it was frozen.
STALE, GAP = 12, 60
# States of a notification whose work is not over: Masakari tries one with an error again.
OPEN = ("new", "running", "error")
NOVA = {"X-OpenStack-Nova-API-Version": "2.53"}
# libvirt's numbers of a guest that has stopped, and of why: it crashed, or its process has ended by itself.
GUEST_STOPPED, GUEST_DIED = 5, (2, 5)
# Times that Nova is asked for a server whose guest has died, and seconds between: after 15 s, Nova calls it stopped.
TRIES, BETWEEN = 3, 4


class Failed(Exception):
    """An API refuses, with this status, or does not answer; the message says which."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class Times(NamedTuple):
    """Seconds without an answer until a host is lost, without contact until its guests are stopped, and with answers
    until it carries servers again.
    """

    lost: int
    cut: int
    back: int


# Decisions


def times(seconds: int) -> Times:
    """Return the times of a cloud with this setting: guests are stopped long before their host is lost."""
    return Times(lost=seconds, cut=seconds // 2, back=seconds)


def longest_stop(of: Times) -> int:
    """Return the seconds after which no guest runs on a host without contact, however long everything takes."""
    # A question for contact, and those to other hosts, which connect and read.
    questions = 3 * ANSWER
    return of.cut + (questions + LOOK) + questions + END + FORCE


def blind(answers: dict[str, bool], controllers: Iterable[str], computes: Iterable[str]) -> str:
    """Return why the monitor sees too little to judge; empty if it sees enough.

    :param answers: whether each host of the cloud answers.
    """
    controllers, computes = list(controllers), list(computes)
    seen = sum(answers[name] for name in controllers)
    if 2 * seen <= len(controllers):
        return f"{seen} of {len(controllers)} controllers answer"
    gone = sum(not answers[name] for name in computes)
    if 2 * gone > len(computes):
        return f"{gone} of {len(computes)} compute hosts do not answer"
    return ""


def suspects(answers: dict[str, bool], services: dict[str, dict], computes: Iterable[str]) -> list[str]:
    """Return the compute hosts that do not answer, but for those whose nova-compute is disabled.

    :param services: the nova-compute of each host, as in Nova's API.
    """
    return [
        name for name in computes if not answers[name] and services.get(name, {}).get("status", "disabled") == "enabled"
    ]


def waited(waiting: dict[str, float], now: float, hosts: list[str], why: str) -> dict[str, float]:
    """Return since when a host has been the only suspect; empty if there is none, or more than one, or *why* not."""
    return {hosts[0]: waiting.get(hosts[0], now)} if len(hosts) == 1 and not why else {}


def lost(waiting: dict[str, float], now: float, services: dict[str, dict], seconds: int) -> str | None:
    """Return the host that is lost: the only suspect for so many seconds, and down for Nova."""
    for name, since in waiting.items():
        if now - since >= seconds and services[name]["state"] == "down":
            return name
    return None


def declared(service: dict | None) -> bool:
    """Return whether Masakari has disabled a nova-compute, because its host was lost."""
    return bool(service) and service["status"] == "disabled" and service.get("disabled_reason") == REASON


def differences(there: Iterable[str], wanted: Iterable[str]) -> tuple[list[str], list[str]]:
    """Return the hosts to add to the segment, and those to remove."""
    there, wanted = set(there), set(wanted)
    return sorted(wanted - there), sorted(there - wanted)


def outnumber(ages: Iterable[float | None], total: int) -> bool:
    """Return whether this host, with those that say that they have no contact either, is more than half of all.

    :param ages: of each other compute host the seconds since its contact; None if it does not answer.
    """
    return 2 * (1 + sum(age is not None and age > STALE for age in ages)) > total


def started_again(server: dict, host: str) -> bool:
    """Return whether a server whose guest has died is to run on this host, and nothing else is done to it.

    A guest dies also on the target of a migration that fails, and when it cannot start.
    """
    return (
        server["OS-EXT-SRV-ATTR:host"] == host
        and server["OS-EXT-STS:vm_state"] == "active"
        and server["OS-EXT-STS:task_state"] is None
    )


# Hosts


def reaches(address: str, port: int) -> bool:
    """Return whether a host answers on a port; it does so too if it refuses the connection."""
    try:
        socket.create_connection((address, port), ANSWER).close()
    except ConnectionRefusedError:
        return True
    except OSError:
        return False
    return True


def pings(address: str) -> bool:
    """Return whether a host answers a ping."""
    words = ["ping", "-q", "-c", "1", "-W", str(ANSWER), address]
    return subprocess.run(words, capture_output=True, check=False).returncode == 0


def here(address: str) -> bool:
    """Return whether this host has the address."""
    return any(link for link in json.loads(command("ip", "-json", "address", "show", "to", address) or "[]"))


def all_of(function: Callable, items: Iterable) -> list:
    """Return what *function* returns for each item, asked at the same time."""
    items = list(items)
    with ThreadPoolExecutor(max(1, min(len(items), WIDE))) as pool:
        return list(pool.map(function, items))


def answering(settings: dict) -> dict[str, bool]:
    """Return whether each host of the cloud answers a ping or on its ssh port; this one does."""
    hosts = {**settings["computes"], **settings["controllers"]}

    def ask(name: str) -> bool:
        return name == settings["name"] or reaches(hosts[name], settings["ssh_port"]) or pings(hosts[name])

    return dict(zip(hosts, all_of(ask, hosts), strict=True))


# APIs


class Cloud:
    """The APIs, as Masakari's user."""

    def __init__(self, settings: dict) -> None:
        self.settings = settings
        self.token, self.until, self.endpoints = "", 0.0, {}
        handlers: list = [urllib.request.ProxyHandler({})]
        if settings["ca"]:
            handlers.append(urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=settings["ca"])))
        self.opener = urllib.request.build_opener(*handlers)

    def _request(self, method: str, url: str, body: dict | None, headers: dict) -> tuple[dict, dict]:
        """Return the answer and its headers."""
        data = json.dumps(body).encode() if body is not None else None
        headers = {"Content-Type": "application/json", "Accept": "application/json", **headers}
        request = urllib.request.Request(url, data, headers, method=method)
        try:
            with self.opener.open(request, timeout=API) as answer:
                said = answer.read()
                return json.loads(said) if said else {}, dict(answer.headers)
        except urllib.error.HTTPError as error:
            if error.code == 401:
                self.token = ""
            text = error.read()[:300].decode(errors="replace")
            raise Failed(f"{method} {url}: {error.code} {text}", error.code) from error
        except (OSError, ValueError) as error:
            raise Failed(f"{method} {url}: {error}") from error

    def _authorize(self) -> None:
        """Request a token, unless there is one, and read the catalog."""
        if self.token and time.monotonic() < self.until:
            return
        given = self.settings["auth"]
        user = {"name": given["user"], "domain": {"name": "Default"}}
        user["password"] = given["key"]
        scope = {"project": {"name": given["project"], "domain": {"name": "Default"}}}
        identity = {"methods": ["password"], "password": {"user": user}}
        body = {"auth": {"identity": identity, "scope": scope}}
        said, headers = self._request("POST", f"{given['url']}/auth/tokens", body, {})
        self.token = {name.lower(): value for name, value in headers.items()}["x-subject-token"]
        # Tokens are valid for longer.
        self.until = time.monotonic() + 900
        self.endpoints = {
            service["type"]: endpoint["url"].rstrip("/")
            for service in said["token"]["catalog"]
            for endpoint in service["endpoints"]
            if endpoint["interface"] == "internal" and endpoint["region_id"] == self.settings["region"]
        }

    def call(self, service: str, method: str, path: str, body: dict | None = None) -> dict:
        """Return the answer of a service, by its type.

        :raises Failed: it refuses, or does not answer.
        """
        self._authorize()
        if service not in self.endpoints:
            self.token = ""
            raise Failed(f"the catalog has no {service}")
        headers = {"X-Auth-Token": self.token, **(NOVA if service == "compute" else {})}
        return self._request(method, self.endpoints[service] + path, body, headers)[0]

    def services(self, host: str = "") -> dict[str, dict]:
        """Return the nova-compute of each host, or of one."""
        more = f"&host={urllib.parse.quote(host)}" if host else ""
        found = self.call("compute", "GET", f"/os-services?binary=nova-compute{more}")
        return {one["host"]: one for one in found["services"]}

    def enable(self, service: dict) -> None:
        """Enable a nova-compute."""
        self.call("compute", "PUT", f"/os-services/{service['id']}", {"status": "enabled"})

    def segment(self) -> str:
        """Return the id of the segment, which is created if there is none."""
        found = self.call("instance-ha", "GET", "/segments")["segments"]
        for one in found:
            if one["name"] == SEGMENT:
                return one["uuid"]
        body = {"name": SEGMENT, "recovery_method": "auto", "service_type": "COMPUTE"}
        return self.call("instance-ha", "POST", "/segments", {"segment": body})["segment"]["uuid"]

    def hosts(self, segment: str) -> dict[str, dict]:
        """Return the hosts of the segment."""
        found = self.call("instance-ha", "GET", f"/segments/{segment}/hosts")["hosts"]
        return {one["name"]: one for one in found}

    def recovering(self, host: dict) -> bool:
        """Return whether a host of the segment has a notification whose work is not over."""
        path = f"/notifications?type=COMPUTE_HOST&source_host_uuid={host['uuid']}"
        found = self.call("instance-ha", "GET", path)["notifications"]
        return any(one["status"] in OPEN for one in found)

    def server(self, uuid: str) -> dict:
        """Return a server."""
        return self.call("compute", "GET", f"/servers/{uuid}")["server"]

    def notify(self, kind: str, host: str, payload: dict) -> None:
        """Tell Masakari of something on a host."""
        now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S")
        body = {"type": kind, "hostname": host, "generated_time": now, "payload": payload}
        self.call("instance-ha", "POST", "/notifications", {"notification": body})


# Commands


class Told:
    """Prints what is said, unless it was the last that was said of the same."""

    def __init__(self) -> None:
        self.last: dict[str, str] = {}

    def __call__(self, of: str, text: str) -> None:
        """Print *text*, if there is any and it is new."""
        if text and self.last.get(of) != text:
            print(text, flush=True)
        self.last[of] = text


class Monitor:
    """The monitor: what it has seen so far."""

    def __init__(self, settings: dict, cloud: Cloud) -> None:
        self.settings, self.cloud, self.told = settings, cloud, Told()
        self.times = times(settings["seconds"])
        self.forget()

    def forget(self) -> None:
        """Discard what was seen: it is no longer true."""
        self.waiting: dict[str, float] = {}
        # Since when each host has answered.
        self.since: dict[str, float] = {}
        self.seen: float | None = None

    def look(self, now: float, answers: dict[str, bool]) -> None:
        """Do what follows from the answers of the hosts."""
        if self.seen is not None and now - self.seen > GAP:
            self.forget()
        self.seen = now
        computes = self.settings["computes"]
        self.since = {name: self.since.get(name, now) for name, there in answers.items() if there}
        services = self.cloud.services()
        why = blind(answers, self.settings["controllers"], computes)
        found = suspects(answers, services, computes)
        if len(found) > 1:
            why = why or f"{len(found)} at once"
        self.told("why", f"nothing is done for {', '.join(found)}: {why}" if why and found else "")
        self.waiting = waited(self.waiting, now, found, why)
        for name in self.waiting:
            self.told(name, f"{name} does not answer; for Nova it is {services[name]['state']}")
        segment = self.cloud.segment()
        hosts = self.cloud.hosts(segment)
        if name := lost(self.waiting, now, services, self.times.lost):
            self.told("lost", self.recover(name, hosts))
        for name, service in services.items():
            if declared(service) and name in hosts:
                self.back(now, segment, hosts[name], service)
        self.join(segment, hosts, services)

    def recover(self, name: str, hosts: dict[str, dict]) -> str:
        """Let Masakari recover a lost host, and return what was done."""
        if name not in hosts:
            return f"{name} is lost, and not yet in Masakari's segment"
        if hosts[name]["on_maintenance"]:
            return f"{name} is lost: nothing is done, it is on maintenance in Masakari"
        if self.cloud.recovering(hosts[name]):
            return f"{name} is lost: Masakari has been told"
        self.cloud.notify(
            "COMPUTE_HOST", name, {"event": "STOPPED", "cluster_status": "OFFLINE", "host_status": "NORMAL"}
        )
        return f"{name} is lost: Masakari recovers its servers"

    def join(self, segment: str, hosts: dict[str, dict], services: dict[str, dict]) -> None:
        """Keep the segment's hosts equal to Nova's compute hosts."""
        added, removed = differences(hosts, services)
        for name in added:
            body = {"name": name, "type": "COMPUTE", "control_attributes": "ssh"}
            self.cloud.call("instance-ha", "POST", f"/segments/{segment}/hosts", {"host": body})
        for name in removed:
            self.cloud.call("instance-ha", "DELETE", f"/segments/{segment}/hosts/{hosts[name]['uuid']}")
        self.told("segment", f"hosts added: {added}, removed: {removed}" if added or removed else "")

    def back(self, now: float, segment: str, host: dict, service: dict) -> None:
        """Let a host that was lost carry servers again when it is back, and nothing of it is recovered any more."""
        name = host["name"]
        if now - self.since.get(name, now) < self.times.back or self.cloud.recovering(host):
            return
        if host["on_maintenance"]:
            body = {"host": {"on_maintenance": False}}
            self.cloud.call("instance-ha", "PUT", f"/segments/{segment}/hosts/{host['uuid']}", body)
        self.cloud.enable(service)
        self.told("lost", f"{name} is back: its nova-compute is enabled")


def monitor(settings: dict) -> None:
    """Look again and again."""
    watch = Monitor(settings, Cloud(settings))
    while True:
        try:
            if here(settings["address"]):
                watch.told("here", "this host has the cloud's address: it watches")
                watch.look(clock(), answering(settings))
            else:
                watch.told("here", "another host has the cloud's address")
                watch.forget()
        except Failed as error:
            watch.told("error", str(error))
        else:
            watch.told("error", "")
        time.sleep(ROUND)


def clock() -> float:
    """Return seconds, which pass also while the host sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def contact(settings: dict) -> bool:
    """Return whether this host reaches the controller with the monitor.

    A host with the cloud's address is that controller if it reaches most of them: cut off, it keeps the address too.
    """
    if here(settings["address"]):
        others = [address for name, address in settings["controllers"].items() if name != settings["name"]]
        seen = 1 + sum(all_of(lambda address: reaches(address, settings["ssh_port"]), others))
        return 2 * seen > len(settings["controllers"])
    return any(all_of(lambda port: reaches(settings["address"], port), (settings["ssh_port"], settings["port"])))


def age_of(address: str, port: int) -> float | None:
    """Return the seconds since the contact of another compute host; None if it does not answer."""
    try:
        with socket.create_connection((address, port), ANSWER) as connection:
            connection.settimeout(ANSWER)
            return float(connection.makefile().readline())
    except (OSError, ValueError):
        return None


def qemu(processes: Path = Path("/proc")) -> list[int]:
    """Return the processes of guests."""
    found = []
    for directory in processes.glob("[0-9]*"):
        # It may have ended.
        with contextlib.suppress(OSError):
            # Others may have names that are no text.
            if (directory / "comm").read_bytes().startswith(b"qemu-system"):
                found.append(int(directory.name))
    return found


def command(*words: str, seconds: int = 5) -> str:
    """Return what a command prints; empty if it fails or takes too long."""
    try:
        return subprocess.run(words, capture_output=True, text=True, check=False, timeout=seconds).stdout
    except (OSError, subprocess.TimeoutExpired) as error:
        print(error, flush=True)
        return ""


def mark(path: Path, text: str = "") -> None:
    """Keep something in mind until the next boot."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="ascii")
    except OSError as error:
        # No reason to let guests run.
        print(error, flush=True)


def stop_guests(end: float = END) -> bool:
    """Stop all guests, and nova-compute, so that it does not tell Nova of stopped servers; return whether none is left.

    :param end: seconds in which they have to end.
    """
    mark(STOPPED)
    PASSED.unlink(missing_ok=True)
    # By their processes: libvirt may hang with the storage that was behind the same network.
    guests, until = qemu(), time.monotonic() + end
    kill(guests)
    print(f"guests are stopped: {len(guests)}", flush=True)
    # Nova-compute waits for 15 s before it tells Nova of them.
    command("systemctl", "stop", "--no-block", "nova-compute.service")
    command("systemctl", "kill", "--signal=KILL", "nova-compute.service")
    while (left := qemu()) and time.monotonic() < until:
        kill(left)
        time.sleep(0.2)
    return not left


def kill(processes: Iterable[int]) -> None:
    """End processes."""
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)


class Fence:
    """What fence knows: when the host had contact, or a reason to keep its guests; whether it has stopped them."""

    def __init__(self, contact: float, cut: int, stopped: bool = False) -> None:
        self.contact = self.excused = contact
        self.cut, self.stopped = cut, stopped

    def look(self, now: float, connected: bool, excused: Callable[[], bool], lost_: Callable[[bool], bool]) -> str:
        """Return what is to do: C(stop) the guests, C(hold) them so, C(start) nova-compute again, or nothing.

        :param excused: returns whether enough other hosts have no contact either.
        :param lost_: returns whether Masakari has recovered this host's servers; it is told whether that may be so,
            as the host was frozen when its guests had to be stopped.
        """
        if connected:
            frozen = now - self.excused >= self.cut
            self.contact = self.excused = now
            if not self.stopped and lost_(frozen):
                self.stopped = True
                return "stop"
            if self.stopped:
                self.stopped = False
                return "start"
        elif self.stopped:
            # One that has died may have left some.
            return "hold"
        elif excused():
            self.excused = now
        elif now - self.excused >= self.cut:
            self.stopped = True
            return "stop"
        return ""


def last_contact(now: float) -> float:
    """Return when the host had contact, as a fence has written that has died; otherwise *now*."""
    try:
        return min(now, float(CONTACT.read_text(encoding="ascii")))
    except (OSError, ValueError):
        return now


def answers_of(state: Fence, port: int) -> None:
    """Tell other compute hosts how many seconds ago this one had contact."""
    # At no address of its own: a host without its network may have lost it.

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(f"{clock() - state.contact:.0f}\n".encode())

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = daemon_threads = True

    threading.Thread(target=Server(("", port), Handler).serve_forever, daemon=True).start()


def fence(settings: dict) -> None:
    """Look again and again."""
    others = [address for name, address in settings["computes"].items() if name != settings["name"]]
    if not others:
        print("no other host could run this one's servers: nothing to do", flush=True)
        signal.pause()
    # The unit was added to a host with servers: nova-compute has no more to wait for.
    if command("systemctl", "is-active", "nova-compute.service").strip() == "active":
        mark(PASSED)
    cut, began = times(settings["seconds"]).cut, last_contact(clock())
    state, told, cloud = Fence(began, cut, STOPPED.exists()), Told(), Cloud(settings)
    answers_of(state, settings["peer_port"])
    asked = 0.0

    def ended(*_: object) -> None:
        # Somebody stops it: no time has passed when it starts again.
        CONTACT.unlink(missing_ok=True)
        sys.exit(0)

    signal.signal(signal.SIGTERM, ended)

    def excused() -> bool:
        ages = all_of(lambda address: age_of(address, settings["peer_port"]), others)
        kept = outnumber(ages, len(settings["computes"]))
        what = "stay: most compute hosts have none either" if kept else f"are stopped after {cut} s"
        told("contact", f"no contact with the controllers: guests {what}")
        return kept

    def lost_(frozen: bool) -> bool:
        nonlocal asked
        told("contact", "")
        # While nova-compute has not passed the gate, no guest runs that it does not know of.
        if not PASSED.exists() or (clock() - asked < ASK and not frozen):
            return False
        asked = clock()
        try:
            return declared(cloud.services(settings["name"]).get(settings["name"]))
        except Failed as error:
            told("error", str(error))
            return frozen

    while True:
        what = state.look(clock(), contact(settings), excused, lost_)
        mark(CONTACT, f"{state.contact:.0f}")
        if what == "stop":
            if not stop_guests():
                # Their storage hangs. When it goes on, they would write: end them with the kernel.
                print("guests do not end: the host restarts", flush=True)
                command("systemctl", "--force", "--force", "reboot")
        elif what == "hold":
            kill(qemu())
        elif what == "start":
            print("contact again: nova-compute starts", flush=True)
            # As above.
            kill(qemu())
            command("systemctl", "start", "--no-block", "nova-compute.service")
            STOPPED.unlink(missing_ok=True)
        time.sleep(LOOK)


def tell_of_guest(cloud: Cloud, host: str, uuid: str, sleep: Callable[[float], None] = time.sleep) -> str:
    """Tell Masakari of a guest that has died, if its server is to run here; return what was done."""
    payload = {"event": "LIFECYCLE", "instance_uuid": uuid, "vir_domain_event": "STOPPED_FAILED"}
    for attempt in range(TRIES):
        try:
            if not started_again(cloud.server(uuid), host):
                return f"{uuid}: its guest has ended, which Nova expects"
            cloud.notify("VM", host, payload)
        except Failed as error:
            # Refused: the host is on maintenance, or the guest died a short while ago too.
            if error.status or attempt == TRIES - 1:
                return f"{uuid}: its guest has died, and is not started again: {error}"
            sleep(BETWEEN)
        else:
            return f"{uuid}: its guest has died, Masakari starts it again"
    return ""


def watch_guests(connect: Callable, died: Callable[[str], None], module) -> None:
    """Call *died* for each guest that dies, until the connection to libvirt ends.

    :param module: libvirt.
    """

    def changed(_connection, guest, event: int, detail: int, _data) -> None:
        # What fence stops shall stay so.
        if event == GUEST_STOPPED and detail in GUEST_DIED and not STOPPED.exists():
            died(guest.UUIDString())

    module.virEventRegisterDefaultImpl()
    connection = connect()
    connection.domainEventRegisterAny(None, module.VIR_DOMAIN_EVENT_ID_LIFECYCLE, changed, None)
    # Also what lets the loop see that the connection has ended.
    connection.setKeepAlive(5, 3)
    while connection.isAlive():
        module.virEventRunDefaultImpl()


def guests(settings: dict) -> int:
    """Tell Masakari of guests whose process has died."""
    # Only compute hosts have it.
    import libvirt

    cloud, waiting = Cloud(settings), queue.SimpleQueue()

    def tell() -> None:
        while True:
            print(tell_of_guest(cloud, settings["name"], waiting.get()), flush=True)

    threading.Thread(target=tell, daemon=True).start()
    watch_guests(lambda: libvirt.openReadOnly("qemu:///system"), waiting.put, libvirt)
    # systemd starts it again.
    return 1


def recovered(cloud: Cloud, name: str) -> bool:
    """Return whether servers of this host are recovered elsewhere, or may be soon."""
    if declared(cloud.services(name).get(name)):
        return True
    host = cloud.hosts(cloud.segment()).get(name)
    return bool(host) and cloud.recovering(host)


def gate(settings: dict, sleep: Callable[[float], None] = time.sleep) -> int:
    """Return 0 when nova-compute may start: it starts the guests that Nova's database has on this host."""
    has_guests = any(INSTANCES.glob("????????-????-????-????-????????????"))
    # A single host's servers are recovered nowhere.
    if has_guests and len(settings["computes"]) > 1 and not PASSED.exists():
        cloud, told, free = Cloud(settings), Told(), 0
        end = time.monotonic() + GATE
        # Twice: a notification that was on its way is there the second time.
        while free < 2:
            try:
                taken = recovered(cloud, settings["name"])
                told("gate", "servers of this host are recovered elsewhere: nova-compute waits" if taken else "")
            except Failed as error:
                taken = True
                told("gate", f"nova-compute waits: {error}")
            free = 0 if taken else free + 1
            if time.monotonic() > end:
                return 1
            if free < 2:
                sleep(SETTLE if free else LOOK)
    mark(PASSED)
    return 0


def main() -> int:
    """Run one command."""
    settings = json.loads(SETTINGS.read_text(encoding="utf-8"))
    commands = {"monitor": monitor, "fence": fence, "guests": guests, "gate": gate}
    return commands[sys.argv[1]](settings) or 0


if __name__ == "__main__":
    sys.exit(main())
