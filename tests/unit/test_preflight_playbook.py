# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The whole way: a playbook stops before it contacts anybody."""

from __future__ import annotations

import json
import os
import subprocess

import pytest
from preflight_site import ROOT, probe


class TestPlaybook:
    """The whole way: a playbook stops before it contacts anybody."""

    def run(self, site, *options, playbook=ROOT / "playbooks/site.yml"):
        site.write()
        return subprocess.run(
            ["ansible-playbook", "-i", site.directory, playbook, *options],
            cwd=site.directory,
            env={
                **os.environ,
                "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
                "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".venv/collections"),
                "ANSIBLE_NOCOLOR": "1",
            },
            capture_output=True,
            text=True,
            check=False,
        )

    @pytest.mark.parametrize("name", ["site", "resources", "verify", "destroy"])
    def test_errors_with_a_limit(self, site, name):
        """--limit leaves out who stands for the others; the group has not even its name."""
        site.hosts["controllers"] = site.hosts.pop("controller")
        site.all["cloud_mtuu"] = 1
        playbook = ROOT / "playbooks" / f"{name}.yml"
        done = self.run(site, "--check", "--limit", "compute1", playbook=playbook)
        assert done.returncode == 2
        words = done.stdout + done.stderr
        assert "Preflight found 3 errors" in words
        assert "Did you mean 'controller'?" in words
        assert "Did you mean 'cloud_mtu'?" in words
        assert "Probe the host" not in words

    @pytest.mark.parametrize("option", ["--tags", "--skip-tags"])
    def test_tags(self, site, option):
        """No task has one: the run would end well, with nothing done."""
        done = self.run(site, "--check", option, "nova")
        assert done.returncode == 2
        assert f"1. command line, {option}" in done.stdout + done.stderr

    def test_a_refused_run_is_recorded(self, site):
        """If the cloud has a directory of secrets; a plan is not."""
        site.all["cloud_mtuu"] = 1
        playbook = ROOT / "playbooks/preflight_input.yml"
        secrets = site.directory / ".secrets"
        assert self.run(site, playbook=playbook).returncode == 2
        assert not secrets.exists()
        secrets.mkdir()
        assert self.run(site, "--check", playbook=playbook).returncode == 2
        assert list(secrets.iterdir()) == []
        assert self.run(site, playbook=playbook).returncode == 2
        (run,) = map(json.loads, (secrets / "runs.jsonl").read_text().splitlines())
        assert (run["playbook"], run["refused"], run["failed"]) == ("preflight_input.yml", 1, [])

    def test_a_vault_without_its_password(self, site):
        """Each variable is named; with the password it is the same as any other."""
        (site.directory / "password").write_text("mine\n")
        words = [
            "ansible-vault",
            "encrypt_string",
            "--vault-password-file",
            site.directory / "password",
            "x.example.org",
        ]
        done = subprocess.run(words, capture_output=True, text=True, check=True)
        group = site.directory / "group_vars"
        group.mkdir()
        (group / "all.yml").write_text(f"cloud_internal_name: {done.stdout}")
        playbook = ROOT / "playbooks/preflight_input.yml"
        done = self.run(site, playbook=playbook)
        assert done.returncode == 2
        assert "group_vars/all.yml:1, cloud_internal_name" in done.stdout
        assert "--vault-password-file or --ask-vault-pass" in done.stdout
        (site.directory / "password").rename(site.directory / ".password")
        done = self.run(site, "--vault-password-file", ".password", playbook=playbook)
        assert done.returncode == 0, done.stdout + done.stderr

    def test_no_host_is_reached(self, site):
        """Every host that is away is named, by one finding each or a warning."""
        for group in site.hosts.values():
            for number, host in enumerate(group.values()):
                host["ansible_host"] = f"127.1.{len(group)}.{number + 1}"
                host["cloud_address"] = f"192.0.2.{len(group)}{number}"
        site.hosts["network"] = {"network1": {"ansible_host": "127.2.0.1", "cloud_address": "192.0.2.77"}}
        site.all |= {"ansible_port": 1, "ansible_ssh_common_args": "-o BatchMode=yes -o ConnectTimeout=5"}
        done = self.run(site, "--check")
        assert done.returncode == 2
        words = done.stdout + done.stderr
        assert "Preflight found 2 errors" in words
        assert "1. host controller1\n" in words
        assert "Connection refused" in words
        assert "reachable by ssh: without it the cloud has no majority" in words
        assert "none of its hosts is reachable" in words
        assert all(f"--limit {name}." in words for name in ("network1", "compute1", "compute2"))
        assert not (site.directory / ".secrets").exists()

    def test_the_run_goes_on_without_a_compute_host(self, site):
        """All later plays are without it; the exit code says so, as does the end."""
        (site.secrets / "secrets.yml").write_text("cloud: mine\n")
        for group in site.hosts.values():
            for host in group.values():
                host["found"] = probe(host["ansible_host"])
        del site.hosts["compute"]["compute2"]["found"]
        done = self.run(site, "--check", playbook=ROOT / "tests/unit/files/skipped.yml")
        words = done.stdout + done.stderr
        assert done.returncode == 4, words
        here = [name for name in ("controller1", "network1", "compute1", "compute2") if f"{name} is here" in words]
        assert here == ["controller1", "network1", "compute1"], words
        assert "host compute2: skipped: No route to host" in words
