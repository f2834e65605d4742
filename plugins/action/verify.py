# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Verifies a cloud by using it: its APIs from a controller, its servers by ping and ssh from where users are."""

from __future__ import annotations

import contextlib
import os
import secrets
import shlex
import subprocess
import tempfile
import time

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify import optional, probe
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify.checks import (
    FAILED,
    NOT_RUN,
    PASSED,
    NotRun,
    perform_all,
)
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify.clean import CHECK_PREFIX, KEPT_PREFIX
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify.run import TENANT
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify.volume import Copies
from ansible_collections.cairn.openstack.plugins.plugin_utils.control_node.verify_spec import SPEC

MODULE = "cairn.openstack.verify_phase"
# Seconds to wait for a router's reply to the control node before the controller is used instead.
ROUTE_TIMEOUT = 10
# Number of hosts of a group whose logs are read if none is suspected.
SUSPECTS = 3
KEY_FILE = "server.key"


class ActionModule(ActionBase):
    """Runs the checks and returns their results; C(verify_report) evaluates them."""

    TRANSFERS_FILES = True

    def run(self, tmp=None, task_vars=None):
        """Return results, seconds, suspects and the kept server."""
        result = super().run(tmp, task_vars)
        if self._task.check_mode:
            return {**result, "skipped": True, "msg": "verify creates servers and volumes, so it has no check mode"}
        options = self.validate_argument_spec(SPEC)[1]
        if options["keep"] and not options["output_dir"]:
            raise AnsibleActionFail("keep requires output_dir, for the server's key")
        start = time.monotonic()
        self.task_vars, self.options = task_vars, options
        stamp = time.strftime("%Y%m%d%H%M%S", time.gmtime())
        self.name = f"{KEPT_PREFIX if options['keep'] else CHECK_PREFIX}{stamp}-{secrets.token_hex(2)}"
        private, public = new_key(self.name)
        self.kept = False
        try:
            results, made = self.use(public)
            outcomes = {check["name"]: check["outcome"] for check in results}
            vantage = self.vantage(made)
            results += self.probe(vantage, private, made, outcomes)
            results += self.copies(vantage, private, made, results)
            usable = any(check["name"] == "ssh" and check["outcome"] == PASSED for check in results)
            self.kept = options["keep"] and usable
        except BaseException:
            # Report the first error.
            with contextlib.suppress(AnsibleActionFail):
                self.clean([], [])
            raise
        results += self.clean(results, made["servers"])
        result.update(
            results=results,
            seconds=round(time.monotonic() - start, 1),
            failed_checks=[check["name"] for check in results if check["outcome"] == FAILED],
            suspects=suspects(results, task_vars["groups"]),
        )
        if self.kept:
            result["server"] = self.keep(vantage, private, made)
        return result

    def module(self, phase, **args):
        """Run one phase on the controller and return its result."""
        args.update(phase=phase, cloud=self.options["cloud"], run=self.name, options=self.options)
        result = self._execute_module(MODULE, module_args=args, task_vars=self.task_vars)
        if result.get("failed") or "module_stderr" in result:
            raise AnsibleActionFail(f"{phase}: {result.get('msg', 'the module failed')}", result=result)
        return result

    def use(self, public):
        """Use the APIs; return the results and the created objects."""
        file = self.options["image_file"]
        args = {"public_key": public, "image_offered": bool(file and os.path.exists(file))}
        answer = self.module("use", **args)
        if answer.get("image_wanted"):
            directory = self._connection._shell.tmpdir or self._make_tmp_path()
            copy = self._transfer_file(file, self._connection._shell.join_path(directory, "image"))
            answer = self.module("use", image_file=copy, **args)
        return answer["results"], answer["made"]

    def vantage(self, made):
        """Return from where the servers are used: ``control``, ``controller`` or ``none``."""
        wanted, router = self.options["from"], made["router_address"]
        if wanted != "auto":
            return wanted
        if not router:
            return "control"
        try:
            if probe.ping(router, ROUTE_TIMEOUT):
                return "control"
        except NotRun:
            return "controller"
        # If neither gets a reply, the route is not the cause.
        reached = self.module("reach", address=router, seconds=ROUTE_TIMEOUT)["reached"]
        return "controller" if reached else "control"

    def copies(self, vantage, private, made, results):
        """Copy the data of a volume, and read the copies; return the results."""
        outcomes = {check["name"]: check["outcome"] for check in results}
        checks = Copies(None, made, optional.of(self.options["services"])).checks()
        if not any(outcomes.get(need) == PASSED for check in checks for need in check.needs):
            # They need no connection.
            results = [result.as_dict() for result in perform_all(checks, outcomes)]
        else:
            answer = self.module("copies", made=made, outcomes=outcomes)
            results, made = answer["results"], answer["made"]
        outcomes.update({check["name"]: check["outcome"] for check in results})
        return results + self.probe(vantage, private, made, outcomes, "copies")

    def probe(self, vantage, private, made, outcomes, part="servers"):
        """Use the servers; return the results."""
        checks = probe.checks(probe.Probe("", made, self.options), part)
        if vantage == "none":
            why = "verify_from is none"
            return [{"name": check.name, "outcome": NOT_RUN, "seconds": 0.0, "detail": why} for check in checks]
        able = part == "servers" or any(all(outcomes.get(need) == PASSED for need in check.needs) for check in checks)
        # Those that can't run need no connection.
        if vantage == "controller" and able:
            results = self.module("probe", private_key=private, made=made, outcomes=outcomes, part=part)["results"]
        else:
            results = [found.as_dict() for found in probe.perform(private, made, self.options, outcomes, part)]
        where = "the control node" if vantage == "control" else self.task_vars["inventory_hostname"]
        for check in results:
            if check["name"] in ("ping", "ssh") and check["outcome"] != NOT_RUN:
                check["detail"] += f", from {where}"
        return results

    def clean(self, results, guests):
        """Remove the created objects; return the result, and add the ends of console logs to failed checks."""
        failed = [check for check in results if check["outcome"] == FAILED]
        wanted = [guest["id"] for guest in guests if any(guest["id"] in check["ids"] for check in failed)]
        answer = self.module("clean", keep=self.kept, consoles=wanted)
        for check in failed:
            for server in set(answer["consoles"]) & set(check["ids"]):
                text = answer["consoles"].pop(server)
                if "\n" not in check["detail"]:
                    check["detail"] += f"; end of the server's console log:\n{text}"
        return answer["results"]

    def keep(self, vantage, private, made):
        """Write the kept server's key and return the ssh command."""
        directory = os.path.expanduser(self.options["output_dir"])
        os.makedirs(directory, mode=0o700, exist_ok=True)
        key = os.path.join(directory, KEY_FILE)
        with open(os.open(key, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(private)
        guest = next(guest for guest in made["servers"] if guest["network"] == TENANT)
        command = [
            *("ssh", "-i", key, "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"),
            *("-o", "LogLevel=ERROR"),
            *(["-o", f"ProxyCommand={self.by_controller()}"] if vantage == "controller" else []),
            f"{self.options['user']}@{made['floating_address']}",
        ]
        return {
            "name": guest["name"],
            "address": made["floating_address"],
            "user": self.options["user"],
            "key": key,
            "ssh": shlex.join(command),
        }

    def by_controller(self):
        """Return the ssh proxy command through the controller, with Ansible's connection settings."""
        variable = self.task_vars.get
        key = variable("ansible_ssh_private_key_file")
        user = variable("ansible_user")
        host = variable("ansible_host", self.task_vars["inventory_hostname"])
        return shlex.join(
            [
                "ssh",
                *shlex.split(variable("ansible_ssh_common_args", "")),
                *(["-i", key] if key else []),
                *("-p", str(variable("ansible_port") or 22), "-W", "%h:%p"),
                f"{user}@{host}" if user else host,
            ]
        )


def new_key(comment):
    """Return a new key pair as text: private, public."""
    with tempfile.TemporaryDirectory(prefix="cairn-verify-") as directory:
        path = os.path.join(directory, "key")
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", path]
        try:
            subprocess.run(command, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError) as error:
            raise AnsibleActionFail(f"ssh-keygen on the control node: {error}") from error
        with open(path, encoding="ascii") as private, open(f"{path}.pub", encoding="ascii") as public:
            return private.read(), public.read().strip()


def suspects(results, groups):
    """Return the hosts whose logs may show why checks failed, each with services and ids to search for."""
    found = {}
    for check in results:
        if check["outcome"] != FAILED:
            continue
        names = set()
        for group in check["groups"]:
            members = groups.get(group, [])
            known = [name for name in members if any(alike(name, host) for host in check["hosts"])]
            names.update(known if group == "compute" and known else members[:SUSPECTS])
        for name in names:
            host = found.setdefault(name, {"services": set(), "ids": set()})
            host["services"].update(check["services"])
            host["ids"].update(check["ids"])
    return [
        {"host": name, "services": sorted(host["services"]), "ids": sorted(host["ids"])}
        for name, host in sorted(found.items())
    ]


def alike(name, host):
    """Return whether Nova's name of a host matches a host of the inventory."""
    return name.split(".")[0] == host.split(".")[0]
