# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The floor under site.yml: the same packages, schema syncs and unit starts, by a plain script on one bare host.

Reads the host's desired state as JSON from standard input (tests/bench/raw.yml hands it over), runs as root on the
host, and prints the seconds of each step as JSON. Needs nothing that a bare Debian lacks, checks nothing, and can't be
run twice. It makes no firewall, no tunnel and no external network: the host is spoilt by it.
"""

from __future__ import annotations

import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request

POLICY = pathlib.Path("/usr/sbin/policy-rc.d")
# Seconds in which a unit has to come up.
PATIENCE = 60


def run(*command: str, text: str | None = None, user: str | None = None) -> None:
    """Run a command to its end; its output is shown only if it fails."""
    prefix = ["runuser", "-u", user, "--"] if user else []
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run([*prefix, *command], input=text, text=True, capture_output=True, env=environment, check=False)
    if done.returncode:
        sys.exit(f"{command}: {done.stdout[-2000:]}{done.stderr[-2000:]}")


def packages(desired: dict) -> None:
    """Install everything in one transaction, with services kept from starting."""
    files(desired["before_packages"])
    POLICY.write_text("#!/bin/sh\nexit 101\n")
    POLICY.chmod(0o755)
    run("apt-get", "update", "-q")
    run("apt-get", "install", "-y", "-q", "--no-install-recommends", *desired["packages"])
    POLICY.unlink()


def files(wanted: list[dict]) -> None:
    """Write files."""
    for file in wanted:
        path = pathlib.Path(file["path"])
        if file["state"] == "absent":
            path.unlink(missing_ok=True)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        old = path.read_text().splitlines(keepends=True) if file["managed_block"] else []
        kept = [line for line in old if not (file["comment_out"] and re.search(file["comment_out"], line))]
        path.write_text("".join(kept) + file["content"])
        path.chmod(int(file["mode"], 8))
        shutil.chown(path, file["owner"], file["group"])


def start(desired: dict, tier: str) -> None:
    """Start a tier's units, all at once, and wait until all run, and those that have an API answer."""
    names = [unit["name"] for unit in desired["units"][tier] if unit["state"] == "started"]
    # One that started too early for another is started again by systemd.
    deadline = time.monotonic() + PATIENCE
    subprocess.run(["systemctl", "start", *names], capture_output=True, check=False)
    while subprocess.run(["systemctl", "is-active", "--quiet", *names], check=False).returncode:
        if time.monotonic() > deadline:
            run("systemctl", "start", *names)
        time.sleep(0.5)
    for service in desired["health"]:
        # RabbitMQ's user for it is made later.
        if service["unit"] in names and "username" not in service:
            answers(service)


def infrastructure(desired: dict) -> None:
    """Start what the services stand on, and make the bridges that Neutron's agent wants."""
    run("systemctl", "daemon-reload")
    run("systemctl", "reload", "dbus")
    start(desired, "infrastructure")
    datapath = desired["bridges"]["datapath"]
    for bridge in desired["bridges"]["bridges"]:
        name = bridge["name"]
        run("ovs-vsctl", "--may-exist", "add-br", name, "--", "set", "bridge", name, f"datapath_type={datapath}")


def accounts(desired: dict) -> None:
    """Make databases, their accounts, and the message queue's users."""
    sql = ""
    for row in desired["databases"]:
        sql += f"CREATE DATABASE {row['name']};"
        sql += f"GRANT ALL ON {row['name']}.* TO '{row['user']}'@'%' IDENTIFIED BY '{row['password']}';"
    run("mariadb", text=sql)
    for row in desired["rabbitmq_users"]["users"]:
        run("rabbitmqctl", "add_vhost", row["vhost"])
        run("rabbitmqctl", "add_user", row["name"], text=row["password"])
        run("rabbitmqctl", "set_permissions", "-p", row["vhost"], row["name"], ".*", ".*", ".*")


def schemas(desired: dict) -> None:
    """Run every schema command, and make the keys."""
    for repository in desired["keys"]:
        directory = pathlib.Path(repository["path"])
        directory.mkdir(exist_ok=True)
        for number, key in enumerate(repository["keys"]):
            (directory / str(number)).write_text(key)
        run("chown", "-R", f"{repository['owner']}:{repository['group']}", str(directory))
    for schema in desired["db_sync"]:
        for step in schema["steps"]:
            run(*shlex.split(step["run"]), user=step["user"])


def answers(service: dict) -> None:
    """Wait until a service answers."""
    for _attempt in range(240):
        try:
            urllib.request.urlopen(service["url"], timeout=10).close()
            return
        except urllib.error.HTTPError as error:
            if error.code < 400:
                return
        except OSError:
            pass
        time.sleep(0.5)
    sys.exit(f"{service['name']} does not answer")


def identity(desired: dict) -> None:
    """Start Keystone and Placement; make the accounts and endpoints without which the others do not start."""
    start(desired, "identity")
    os.environ["OS_BOOTSTRAP_PASSWORD"] = desired["identity"]["auth"]["password"]
    url = desired["identity"]["auth"]["url"]
    run("keystone-manage", "bootstrap", "--bootstrap-region-id", desired["identity"]["region"],
        "--bootstrap-public-url", url, "--bootstrap-internal-url", url)  # fmt: skip
    run("sh", "-c", '. /root/openrc; exec python3 -c "$0"', CATALOGUE, text=json.dumps(desired["identity"]))


# Runs once the client's library is there.
CATALOGUE = """
import json, openstack, sys
wanted, keystone = json.load(sys.stdin), openstack.connect().identity
project, admin = keystone.create_project(name="service", domain_id="default"), keystone.find_role("admin")
for user in wanted["users"]:
    made = keystone.create_user(name=user["name"], password=user["password"], domain_id="default")
    keystone.assign_project_role_to_user(project, made, admin)
region = next(keystone.regions()).id
for service in wanted["services"]:
    if service["name"] != "keystone":
        made = keystone.create_service(name=service["name"], type=service["type"])
        for interface, url in service["endpoints"].items():
            keystone.create_endpoint(service_id=made.id, interface=interface, url=url, region_id=region)
"""


def main() -> None:
    """Run the steps and print their seconds."""
    desired = json.load(sys.stdin)
    steps = {
        "packages": lambda: packages(desired),
        "files": lambda: files(desired["files"]),
        "infrastructure": lambda: infrastructure(desired),
        "accounts": lambda: accounts(desired),
        "schemas": lambda: schemas(desired),
        "identity": lambda: identity(desired),
        "services": lambda: start(desired, "service"),
    }
    seconds = {}
    for name, step in steps.items():
        began = time.monotonic()
        step()
        seconds[name] = round(time.monotonic() - began, 1)
    print(json.dumps(seconds))


if __name__ == "__main__":
    main()
