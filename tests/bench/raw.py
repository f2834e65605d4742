# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The floor under site.yml: the same packages, schema syncs and unit starts, by a plain script on one bare host.

Reads the host's part of the cloud as JSON from standard input (tests/bench/part.yml writes it), runs as root on the
host, and prints the seconds of each step as JSON. Needs nothing that a bare Debian lacks. The host is spoilt by it:
endpoints and service accounts are not made.
"""

from __future__ import annotations

import json
import os
import pathlib
import shlex
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request

POLICY = pathlib.Path("/usr/sbin/policy-rc.d")


def run(*command: str, text: str | None = None, user: str | None = None) -> None:
    """Run a command to its end; its output is shown only if it fails."""
    prefix = ["runuser", "-u", user, "--"] if user else []
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run([*prefix, *command], input=text, text=True, capture_output=True, env=environment, check=False)
    if done.returncode:
        sys.exit(f"{command}: {done.stdout[-2000:]}{done.stderr[-2000:]}")


def packages(part: dict) -> None:
    """Install everything in one transaction, with services kept from starting."""
    POLICY.write_text("#!/bin/sh\nexit 101\n")
    POLICY.chmod(0o755)
    run("apt-get", "update", "-q")
    run("apt-get", "install", "-y", "-q", "--no-install-recommends", *part["packages"])
    POLICY.unlink()


def files(part: dict) -> None:
    """Write all files."""
    for file in part["early"] + part["files"]:
        path = pathlib.Path(file["path"])
        if file["state"] == "absent":
            path.unlink(missing_ok=True)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a" if file["block"] else "w") as handle:
            handle.write(file["content"])
        path.chmod(int(file["mode"], 8))
        shutil.chown(path, file["owner"], file["group"])


def start(part: dict, tier: str) -> None:
    """Start a tier's units, all at once."""
    run("systemctl", "daemon-reload")
    run("systemctl", "reload", "dbus")
    run("systemctl", "start", *[unit["name"] for unit in part["units"][tier]])


def accounts(part: dict) -> None:
    """Make databases, their accounts, and the message queue's users."""
    sql = ""
    for row in part["databases"]:
        sql += f"CREATE DATABASE {row['name']};"
        sql += f"GRANT ALL ON {row['name']}.* TO '{row['user']}'@'%' IDENTIFIED BY '{row['password']}';"
    run("mariadb", text=sql)
    for row in part["message_users"]:
        run("rabbitmqctl", "add_vhost", row["vhost"])
        run("rabbitmqctl", "add_user", row["name"], text=row["password"])
        run("rabbitmqctl", "set_permissions", "-p", row["vhost"], row["name"], ".*", ".*", ".*")


def schemas(part: dict) -> None:
    """Run every schema command, and make the keys."""
    for repository in part["keys"]:
        folder = pathlib.Path(repository["path"])
        folder.mkdir(exist_ok=True)
        for number, key in enumerate(repository["keys"]):
            (folder / str(number)).write_text(key)
        run("chown", "-R", f"{repository['owner']}:{repository['group']}", str(folder))
    for schema in part["schemas"]:
        for step in schema["steps"]:
            run(*shlex.split(step["run"]), user=step["user"])


def answers(part: dict) -> None:
    """Wait until every service answers."""
    for service in part["health"]:
        for _attempt in range(240):
            try:
                urllib.request.urlopen(service["url"], timeout=10).close()
                break
            except urllib.error.HTTPError as error:
                if error.code < 400:
                    break
            except OSError:
                pass
            time.sleep(0.5)
        else:
            sys.exit(f"{service['name']} does not answer")


def services(part: dict) -> None:
    """Start Keystone and Placement, make the administrator and Placement's endpoint, start the rest."""
    start(part, "identity")
    url = part["auth"]["url"]
    os.environ["OS_BOOTSTRAP_PASSWORD"] = part["auth"]["password"]
    names = ["public", "internal"]
    run("keystone-manage", "bootstrap", "--bootstrap-region-id", part["region"],
        *[word for name in names for word in (f"--bootstrap-{name}-url", url)])  # fmt: skip
    # Nova's conductor does not start unless it finds Placement: the one account and endpoint that starting takes.
    client = {**os.environ, "OS_CLOUD": "cairn"}
    passwords = {user["name"]: user["password"] for user in part["identity"]["users"]}
    script = ["project create service --domain Default", "role create service"]
    for name in ("nova", "placement", "neutron", "glance"):
        script.append(f"user create {name} --password {passwords[name]} --domain Default")
        script.append(f"role add admin --user {name} --project service")
    for service in part["identity"]["services"]:
        if service["name"] != "keystone":
            script.append(f"service create {service['type']} --name {service['name']}")
            for interface, address in service["endpoints"].items():
                script.append(f"endpoint create {service['type']} {interface} {address} --region {part['region']}")
    subprocess.run(["openstack"], input="\n".join(script), text=True, env=client, capture_output=True, check=True)
    start(part, "service")
    answers(part)


def main() -> None:
    """Run the steps and print their seconds."""
    part = json.load(sys.stdin)
    seconds = {}
    for step in (packages, files, lambda p: start(p, "infrastructure"), accounts, schemas, services):
        began = time.monotonic()
        step(part)
        name = "infrastructure" if step.__name__ == "<lambda>" else step.__name__
        seconds[name] = round(time.monotonic() - began, 1)
    seconds["together"] = round(sum(seconds.values()), 1)
    print(json.dumps(seconds))


if __name__ == "__main__":
    main()
