#!/usr/bin/env python3
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Runs the tests of the optional services on a controller, with Debian's packages of Tempest and its plugins.

usage: services.py --plugins NAME[,NAME…] [--page FILE] …

`make tempest-services` copies it there and starts it (services.yml). Exit status: 0 if no test failed and nothing was
left in the cloud, 1 if not, 2 if Tempest could not be run.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import sys
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import cloud
import configuration
import main
import objects
import report
import results
import service_plugins

# The mount namespace in which all programs trust the cloud's CA has this variable.
INSIDE = "CAIRN_TEMPEST_AUTHORITIES"
# Debian's Python libraries read it, whatever a program asks for.
AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")
# Heat's tests of the API are steps of a few sequences, which must not run beside each other.
GROUPS = r"heat_tempest_plugin\.tests\.api\.test_heat_api\.[^_]+|([^\.]*\.)*"
# The tests boot no servers of their own.
NOTHING = {
    **dict.fromkeys(("image", "image_alt", "flavor", "flavor_alt", "user", "file", "disk_format")),
    "properties": {},
}


def arguments() -> argparse.Namespace:
    """Return the command line."""
    parser = argparse.ArgumentParser(description="Run the tests of the optional services.")
    parser.add_argument("--plugins", required=True, help="names in plugins.yml, with commas")
    parser.add_argument("--clouds", type=Path, default=Path("/etc/openstack/clouds.yaml"))
    parser.add_argument("--name-servers", default="", help="addresses of Designate's name servers, with commas")
    parser.add_argument("--concurrency", type=int, default=2, help="tests at a time")
    parser.add_argument("--directory", type=Path, default=HERE.parents[1] / "run", help="for configuration and results")
    parser.add_argument("--page", type=Path, help="write the results there")
    parser.add_argument("--when", default="", help="day and commit, for the page")
    parser.add_argument("--list", action="store_true", help="print the tests that would be run; needs no cloud")
    return parser.parse_args()


def trust(ca_file: str, directory: Path) -> None:
    """Continue in a mount namespace in which all programs trust the cloud's CA."""
    if os.environ.get(INSIDE) or not ca_file:
        return
    both = directory / "authorities.crt"
    both.write_text(
        "".join(path.read_text(encoding="utf-8") for path in (AUTHORITIES, Path(ca_file))), encoding="utf-8"
    )
    script = 'mount --bind "$1" "$2" && shift 2 && exec "$@"'
    os.environ[INSIDE] = str(both)
    command = ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh", str(both), str(AUTHORITIES)]
    os.execvp("unshare", [*command, sys.executable, *sys.argv])


def selection(tempest: main.Tempest, chosen: list[service_plugins.Plugin]) -> tuple[list[str], list[results.Skip]]:
    """Return all tests of the plugins, and the entries for those that are not run.

    :raises Failed: an entry matches no test.
    """
    entries = [skip for plugin in chosen for skip in plugin.out]
    tests = tempest.tests(service_plugins.expression(chosen))
    if wrong := results.unused(entries, tests):
        raise main.Failed(f"plugins.yml: no test matches {wrong[0]!r}; remove the entry")
    return tests, entries


def run(given: argparse.Namespace, conn: Any, chosen: list[service_plugins.Plugin], tempest: main.Tempest) -> int:
    """Create what the tests need, run them, remove that, and write the page; returns the exit status."""
    facts = cloud.facts(conn)
    if lacking := service_plugins.missing(chosen, facts["services"]):
        raise main.Failed(f"the catalog has no {', '.join(lacking)}: run playbooks/site.yml")
    users = service_plugins.Users(conn, chosen)
    users.remove()
    before = objects.inventory(conn, facts["services"])
    began = time.monotonic()
    try:
        users.create()
        servers = [address for address in given.name_servers.split(",") if address]
        own = service_plugins.sections(chosen, facts, service_plugins.facts(conn, chosen), users.user, servers)
        constants = configuration.constants(main.load(HERE / "settings.yml"))
        core = configuration.derive(facts, NOTHING, constants, str(given.directory))
        # Otherwise each class gets a network and a router, which none of these tests use.
        core["auth"]["create_isolated_networks"] = False
        for section, options in own.items():
            core.setdefault(section, {}).update(options)
        tempest.configure(configuration.text(core))
        selected, entries = selection(tempest, chosen)
        ca_file = str(AUTHORITIES) if facts["identity"]["ca_file"] else ""
        tempest.run(service_plugins.expression(chosen), given.concurrency, entries, ca_file)
        found = results.Run(selected, tempest.results(), entries, time.monotonic() - began)
    finally:
        users.remove()
    leftovers = main.settle(lambda: objects.left(before, objects.inventory(conn, facts["services"])))
    about = {
        "when": given.when,
        "tempest": importlib.metadata.version("tempest"),
        "computer": f"a host with {os.cpu_count()} processors, {given.concurrency} tests at a time",
    }
    if given.page:
        names = {plugin.name: plugin.module for plugin in chosen}
        given.page.write_text(report.services_page(found, names, facts, about, leftovers), encoding="utf-8")
    return main.concluded(found, leftovers, str(given.directory))


def start() -> int:
    """Read the entries, and run their tests against the cloud."""
    given = arguments()
    given.directory = given.directory.resolve()
    try:
        # Tempest's log has passwords.
        given.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        chosen = service_plugins.load(main.load(HERE / "plugins.yml"), given.plugins.split(","))
        tempest = main.Tempest(given.directory, GROUPS)
        if given.list:
            tempest.configure("")
            tests, entries = selection(tempest, chosen)
            kept = results.Run(tests, [], entries).kept()
            print("\n".join(kept), f"{len(kept)} of {len(tests)} tests", sep="\n")
            return 0
        entries = main.load(given.clouds)["clouds"]
        name = next(iter(entries))
        trust(entries[name].get("cacert", ""), given.directory)
        return run(given, cloud.connect(str(given.clouds), name), chosen, tempest)
    except (main.Failed, cloud.CloudError, configuration.SettingsError) as error:
        print(f"Tempest can't be run: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(start())
