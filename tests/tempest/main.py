#!/usr/bin/env python3
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Runs Tempest against a cloud of an inventory, and writes docs/evidence/tempest.md.

usage: tests/tempest/main.py [--tests NAME] [--configure-only] [--deploy] … INVENTORY

It runs in the environment of requirements-tempest.txt. tempest.conf follows from what the cloud's APIs say
(configuration.py), and from settings.yml. Exit status: 0 if no test failed and nothing was left in the cloud, 1 if not,
2 if Tempest could not be run.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE), str(HERE.parent)]

import cloud
import configuration
import objects
import report
import results
import tables

# The mount namespace in which the cloud's name resolves has this variable.
INSIDE = "CAIRN_TEMPEST_HOSTS"
PORT = 5000
# Seconds to connect to the identity service, and for a single test.
CONNECT, TEST = 10, 2400
# Seconds in which what services delete in the background must be gone, and between two looks.
SETTLE, LOOK = 120, 10


class Failed(Exception):
    """Tempest can't be run; the message says why and what to do."""


def arguments() -> argparse.Namespace:
    """Return the command line."""
    parser = argparse.ArgumentParser(description="Run Tempest against a cloud.")
    parser.add_argument("inventory", type=Path, help="the cloud's inventory, with .secrets/clouds.yaml")
    parser.add_argument("--tests", default="all", help="smoke, scenario, all (both), or a regular expression")
    parser.add_argument("--concurrency", type=int, default=2, help="tests at a time")
    parser.add_argument("--image", type=Path, default=Path("/var/cache/cairn/images/cairn-guest.qcow2"))
    parser.add_argument("--image-user", default="cairn", help="who logs in to the image by ssh")
    parser.add_argument("--directory", type=Path, default=ROOT / "build/tempest", help="for configuration and results")
    parser.add_argument("--deploy", action="store_true", help="deploy the inventory's lab if no cloud answers")
    parser.add_argument("--configure-only", action="store_true", help="write tempest.conf, and change nothing")
    parser.add_argument("--no-page", action="store_true", help=f"do not write {report.PAGE}")
    return parser.parse_args()


def load(path: Path) -> Any:
    """Return the content of a YAML file.

    :raises Failed: it is missing or no YAML.
    """
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise Failed(f"{path} can't be read: {error}") from error


def credentials(inventory: Path) -> tuple[Path, str, dict]:
    """Return the path of clouds.yaml, the name of its cloud, and the entry.

    :raises Failed: there is no such file.
    """
    path = inventory / ".secrets/clouds.yaml"
    entries = load(path)["clouds"]
    name = next(iter(entries))
    return path, name, entries[name]


def address(inventory: Path) -> str:
    """Return the address of the inventory's first controller."""
    command = [str(ROOT / ".venv/bin/ansible-inventory"), "-i", str(inventory), "--list"]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if told.returncode:
        raise Failed(f"ansible-inventory: {told.stderr.strip()}; `make venv` makes its environment")
    hosts = json.loads(told.stdout)
    first = hosts.get("controller", {}).get("hosts", [""])[0]
    return hosts["_meta"]["hostvars"].get(first, {}).get("ansible_host", "")


def resolves(name: str) -> bool:
    """Whether this computer knows a host name."""
    try:
        socket.getaddrinfo(name, None)
    except OSError:
        return False
    return True


def answers(host: str, where: str, port: int, ca_file: str, secure: bool) -> bool:
    """Whether the identity service answers.

    :param host: its name, which the certificate must have.
    :param where: its address.
    """
    try:
        with socket.create_connection((where, port), timeout=CONNECT) as plain:
            stream = plain
            if secure:
                stream = ssl.create_default_context(cafile=ca_file or None).wrap_socket(plain, server_hostname=host)
            stream.sendall(f"GET /v3 HTTP/1.0\r\nHost: {host}\r\n\r\n".encode())
            return b" 200 " in stream.recv(64)
    except OSError:
        return False


def found(inventory: Path) -> tuple[str, str] | None:
    """Return the name and the address of the cloud's identity service, if it answers."""
    try:
        _path, _name, entry = credentials(inventory)
    except Failed:
        return None
    url = urllib.parse.urlsplit(entry["auth"]["auth_url"])
    where = url.hostname if resolves(url.hostname) else address(inventory)
    up = answers(url.hostname, where, url.port or PORT, entry.get("cacert", ""), url.scheme == "https")
    return (url.hostname, where) if up else None


def find(inventory: Path, deploy: bool) -> tuple[str, str]:
    """Return the name and the address of the cloud's identity service, deployed if need be.

    :raises Failed: no cloud answers.
    """
    answer = found(inventory)
    if not answer and deploy:
        print(f"No cloud of {inventory} answers: deploying it", flush=True)
        if subprocess.run([str(ROOT / "tools/cloud"), str(inventory)], cwd=ROOT, check=False).returncode:
            raise Failed("the cloud could not be deployed, for the reason above")
        answer = found(inventory)
    if not answer:
        raise Failed(f"no cloud of {inventory} answers: deploy it by `make cloud`, or playbooks/site.yml")
    return answer


def inside(name: str, where: str, directory: Path) -> None:
    """Continue in a mount namespace whose /etc/hosts has the cloud's name, if this computer does not know it.

    :raises Failed: that needs root.
    """
    if os.environ.get(INSIDE) or resolves(name):
        return
    if os.geteuid():
        raise Failed(f"this computer does not know {name}: add the line '{where} {name}' to /etc/hosts, or run as root")
    hosts = directory / "hosts"
    hosts.write_text(f"{Path('/etc/hosts').read_text(encoding='utf-8')}\n{where} {name}\n", encoding="utf-8")
    script = 'mount --bind "$1" /etc/hosts && shift && exec "$@"'
    os.environ[INSIDE] = str(hosts)
    unshare = ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh", str(hosts)]
    os.execvp("unshare", [*unshare, sys.executable, *sys.argv])


def need_ping() -> None:
    """Install ping, with which Tempest looks whether servers answer.

    :raises Failed: it can't be installed.
    """
    if shutil.which("ping"):
        return
    root = [] if os.geteuid() == 0 else ["sudo"]
    for command in (["apt-get", "-qq", "update"], ["apt-get", "-qq", "-y", "install", "iputils-ping"]):
        if subprocess.run([*root, *command], check=False, stdout=subprocess.DEVNULL).returncode:
            raise Failed("Tempest needs ping: install the package iputils-ping")


def properties() -> dict[str, Any]:
    """Return the guest image's properties."""
    return load(ROOT / "roles/guest_image/defaults/main.yml")["guest_image_properties"]


def settle(look: Callable[[], list[str]]) -> list[str]:
    """Return what is still left after `SETTLE` seconds; returns at once when nothing is."""
    end = time.monotonic() + SETTLE
    while (there := look()) and time.monotonic() < end:
        time.sleep(LOOK)
    return there


class Tempest:
    """Tempest with a configuration, in a directory of its own.

    :param groups: a regular expression: tests with the same beginning by it run in one process, by default those of a
        class, as they share what the class has prepared.
    """

    def __init__(self, directory: Path, groups: str = r"([^\.]*\.)*") -> None:
        self.directory = directory
        self.conf = directory / "etc/tempest.conf"
        package = Path(importlib.metadata.distribution("tempest").locate_file("tempest"))
        (directory / "etc").mkdir(parents=True, exist_ok=True)
        (directory / "locks").mkdir(exist_ok=True)
        (directory / ".stestr.conf").write_text(
            f"[DEFAULT]\ntest_path={package}/test_discover\ntop_dir={package.parent}\ngroup_regex={groups}\n",
            encoding="utf-8",
        )
        programs = Path(sys.executable).parent
        self.environment = {
            **os.environ,
            "PATH": f"{programs}:{os.environ['PATH']}",
            "TEMPEST_CONFIG_DIR": str(self.conf.parent),
            "TEMPEST_CONFIG": self.conf.name,
            "OS_TEST_TIMEOUT": str(TEST),
        }
        if not (directory / ".stestr").exists():
            self.stestr("init")

    def configure(self, text: str) -> None:
        """Write tempest.conf, which has the administrator's password."""
        self.conf.touch(mode=0o600)
        self.conf.chmod(0o600)
        self.conf.write_text(text, encoding="utf-8")

    def stestr(self, *words: str, **options: Any) -> subprocess.CompletedProcess:
        """Run stestr."""
        return subprocess.run(["stestr", *words], cwd=self.directory, env=self.environment, check=False, **options)

    def tests(self, expression: str) -> list[str]:
        """Return the ids of the tests that match.

        :raises Failed: Tempest can't be imported, or no test matches.
        """
        told = self.stestr("list", expression, capture_output=True, text=True)
        found = [line for line in told.stdout.splitlines() if re.match(r"[\w.]+\.\w+(\[.*\])?$", line)]
        if told.returncode or not found:
            said = (told.stderr or told.stdout).strip()[-2000:]
            raise Failed(f"no tests match {expression!r}, or Tempest can't be imported: {said}")
        return found

    def run(self, expression: str, concurrency: int, skips: list[results.Skip], ca_file: str) -> None:
        """Run tests, and show each as it ends."""
        listed = self.directory / "skips.txt"
        listed.write_text("".join(f"{skip.test} # {skip.reason}\n" for skip in skips), encoding="utf-8")
        if ca_file:
            # The test of the dashboard uses Python's own list of authorities.
            self.environment["SSL_CERT_FILE"] = ca_file
        self.stestr("run", "--concurrency", str(concurrency), "--exclude-list", str(listed), expression)

    def results(self) -> list[results.Result]:
        """Return the results of the last run.

        :raises Failed: there are none.
        """
        stream = self.stestr("last", "--subunit", capture_output=True).stdout
        junit = self.directory / "results.xml"
        command = ["subunit2junitxml", "--no-passthrough", "--output-to", str(junit)]
        junit.unlink(missing_ok=True)
        subprocess.run(command, input=stream, env=self.environment, check=False, capture_output=True)
        if not junit.exists():
            raise Failed(f"stestr has no results; {self.directory}/tempest.log may say why")
        return results.read(junit.read_text(encoding="utf-8"))


def configure(given: argparse.Namespace, conn: Any, facts: dict, ids: dict[str, str]) -> str:
    """Return tempest.conf."""
    image = {
        "user": given.image_user,
        "file": str(given.image.resolve()),
        "disk_format": "qcow2",
        "properties": properties(),
    }
    constants = configuration.constants(load(HERE / "settings.yml"))
    return configuration.text(configuration.derive(facts, {**image, **ids}, constants, str(given.directory)))


def run(given: argparse.Namespace, conn: Any, facts: dict, tempest: Tempest) -> int:
    """Create what Tempest needs, run it, remove that, and write the page; returns the exit status."""
    entries = results.skips(load(HERE / "skips.yml"))
    expression = results.SETS.get(given.tests, given.tests)
    if not given.image.exists():
        raise Failed(f"there is no image {given.image}: build it by playbooks/guest_image.yml")
    need_ping()
    # What an interrupted run has left counts as this run's.
    objects.remove(conn)
    before = objects.inventory(conn, facts["services"])
    began = time.monotonic()
    try:
        tempest.configure(configure(given, conn, facts, objects.create(conn, str(given.image), properties())))
        selected = tempest.tests(expression)
        if wrong := results.unused(entries, tempest.tests(".")):
            raise Failed(f"skips.yml: no test matches {wrong[0]!r}; remove the entry")
        tempest.run(expression, given.concurrency, entries, facts["identity"]["ca_file"])
        found = results.Run(selected, tempest.results(), entries, time.monotonic() - began)
    finally:
        objects.remove(conn)
    leftovers = settle(lambda: objects.left(before, objects.inventory(conn, facts["services"])))
    about = {
        "when": tables.seen_at(ROOT),
        "tempest": importlib.metadata.version("tempest"),
        "tests": given.tests,
        "computer": f"a computer with {os.cpu_count()} processors, {given.concurrency} tests at a time",
    }
    if not given.no_page:
        (ROOT / report.PAGE).write_text(report.page(found, facts, about, leftovers), encoding="utf-8")
    return concluded(found, leftovers, f"{report.PAGE}, {given.directory}")


def concluded(found: results.Run, leftovers: list[str], where: str) -> int:
    """Print what came of a run, and return its exit status.

    :param where: what has the details.
    """
    for result in found.results:
        if result.outcome == results.FAILED:
            print(f"FAILED {report.short(result.test)}: {result.said}")
    for one in leftovers:
        print(f"LEFT   {one}")
    print(
        f"{len(found.ended(results.PASSED))} passed, {len(found.ended(results.FAILED))} failed, "
        f"{len(found.ended(results.SKIPPED))} skipped, {len(found.missing())} without a result, "
        f"{len(leftovers)} objects left, {found.seconds / 60:.0f} minutes; {where}"
    )
    return 1 if found.ended(results.FAILED) or found.missing() or leftovers else 0


def main() -> int:
    """Find the cloud, and run Tempest against it."""
    given = arguments()
    given.inventory, given.directory = given.inventory.resolve(), given.directory.resolve()
    try:
        # Tempest's log has passwords.
        given.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not os.environ.get(INSIDE):
            inside(*find(given.inventory, given.deploy and not given.configure_only), given.directory)
        path, name, _entry = credentials(given.inventory)
        conn = cloud.connect(str(path), name)
        facts = cloud.facts(conn)
        tempest = Tempest(given.directory)
        if given.configure_only:
            tempest.configure(configure(given, conn, facts, objects.existing(conn)))
            print(f"{tempest.conf}; {len(tempest.tests(results.SETS.get(given.tests, given.tests)))} tests")
            return 0
        return run(given, conn, facts, tempest)
    except (Failed, cloud.CloudError, configuration.SettingsError) as error:
        print(f"Tempest can't be run: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
