# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What every node gets: what its owner set up stays, unless a setting says otherwise."""

from __future__ import annotations

import os
import re
import shutil
import subprocess

import pytest
import resolving
import yaml
from ansible_collections.cairn.openstack.plugins.module_utils.host import config_files, units

HOSTS = {"c1": {"groups": ["controller", "network", "compute"], "address": "192.0.2.11"}}
GROUPS = HOSTS["c1"]["groups"]


@pytest.fixture
def base(tmp_path):
    """Return the definition's files and packages with *settings*."""

    def resolved(**settings):
        model = resolving.resolve(HOSTS, "c1", tmp_path, settings)
        return resolving.files(model, "base", GROUPS), model.definitions["base"]["packages"]["all"]

    return resolved


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        ("127.0.0.1 localhost", True),
        ("::1 localhost ip6-localhost", True),
        ("127.0.0.1 localhost c1-old xc1", True),
        ("192.0.2.11 c1", True),
        ("127.0.0.1 localhost c1", False),
        ("127.0.0.1\tlocalhost\tc1.example.org c1", False),
        ("::1 c1.example.org localhost", False),
        ("127.0.1.1 anything", False),
    ],
)
def test_the_hosts_own_name_is_no_loopback_address(base, line, kept):
    file = base()[0]["hosts"]
    state = config_files.State(f"{line}\n", 0o644, "root", "root")
    text = config_files.wanted({"encoding": "text", "replace": True, **file}, state).content
    assert text.startswith(f"{line}\n" if kept else f"# (Cairn) {line}\n")
    assert "\n127.0.0.1 localhost\n" in text


class TestTimeSources:
    """chronyd keeps sources offline that were not reachable when the host started."""

    @pytest.fixture
    def entry(self, tmp_path):
        """Return the value that is compared, for a function of the module."""
        model = resolving.resolve(HOSTS, "c1", tmp_path)
        (unit,) = (one for one in model.definitions["base"]["units"] if one["name"] == "chrony")
        (entry,) = unit["expected_values"]
        assert entry["set_with"] == "chronyc online"
        return {"at_least": False, "explained": False, "explain": None, **entry}

    @pytest.fixture
    def found(self, tmp_path, monkeypatch, entry):
        """Return what differs with the given text of chronyc."""

        def differs(text, code=0):
            chronyc = tmp_path / "chronyc"
            chronyc.write_text(f"#!/bin/sh\ncat <<'E'\n{text}\nE\nexit {code}\n")
            chronyc.chmod(0o755)
            monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
            return units.unexpected({"expected_values": [entry]})

        return differs

    @pytest.mark.parametrize(
        ("online", "offline", "burst", "differs"),
        [
            (1, 0, 0, False),
            (0, 3, 0, True),
            # By chrony's hooks, where no route leads to them.
            (1, 2, 0, False),
            (0, 2, 1, False),
            # No sources, or none whose name has an address yet.
            (0, 0, 0, False),
        ],
    )
    def test_it_asks_none(self, found, online, offline, burst, differs):
        text = f"200 OK\n{online} sources online\n{offline} sources offline\n"
        text += f"{burst} sources doing burst (return to online)\n0 sources doing burst (return to offline)\n"
        text += "2 sources with unknown address"
        assert found(text) == ({"sources": "sources is all offline, not online"} if differs else {})

    def test_it_does_not_answer(self, found):
        """A process that hangs is found by its state, and `chronyc online` would fail."""
        assert found("506 Cannot talk to daemon", 1) == {}


class TestUpdates:
    def test_the_hosts_own_are_left_alone(self, base):
        files, packages = base()
        assert files["updates"]["state"] == "absent"
        assert "unattended-upgrades" not in packages

    def test_none(self, base):
        files, packages = base(cloud_package_updates="none")
        assert files["updates"]["state"] == "present"
        assert 'APT::Periodic::Unattended-Upgrade "0";\n' in files["updates"]["content"]
        assert "unattended-upgrades" not in packages

    def test_security(self, base):
        """Of Debian's packages, not of the cloud's services: these restart, on all hosts at the same time."""
        files, packages = base(cloud_package_updates="security")
        text = files["updates"]["content"]
        assert 'APT::Periodic::Unattended-Upgrade "1";\n' in text
        assert "unattended-upgrades" in packages
        patterns = re.findall(r'^  "(.*)";$', text, re.MULTILINE)
        kept = {"nova-api", "mariadb-server", "haproxy", "openvswitch-switch", "nova-compute"}
        assert {name for name in kept if any(re.match(one, name) for one in patterns)} == kept
        assert [name for name in ("sudo", "chrony", "openssl") if any(re.match(one, name) for one in patterns)] == []

    @pytest.mark.skipif(not shutil.which("apt-config"), reason="apt is not installed")
    def test_apt_reads_it(self, base, tmp_path):
        (tmp_path / "apt.conf").write_text(base(cloud_package_updates="security")[0]["updates"]["content"])
        said = subprocess.run(
            ["apt-config", "dump", "-c", str(tmp_path / "apt.conf")], capture_output=True, text=True, check=True
        )
        origins = re.findall(r'^Unattended-Upgrade::Origins-Pattern:: "(.*)";$', said.stdout, re.MULTILINE)
        assert origins == ["origin=Debian,codename=${distro_codename}-security,label=Debian-Security"]
        assert r'Unattended-Upgrade::Package-Blacklist:: "^nova\-api$";' in said.stdout


class TestTime:
    DEBIAN = "# Use Debian vendor zone.\npool 2.debian.pool.ntp.org iburst\nsourcedir /run/chrony-dhcp\n"
    DEBIAN += "sourcedir /etc/chrony/sources.d\nmakestep 1 3\n"

    @pytest.fixture
    def written(self, base):
        """Return chrony.conf as a run with *settings* leaves it, which found *before*."""

        def text(before, **settings):
            (file,) = [one for one in base(**settings)[0].values() if one["path"] == "/etc/chrony/chrony.conf"]
            state = config_files.State(before, 0o644, "root", "root")
            return config_files.wanted({"encoding": "text", "replace": True, **file}, state).content

        return text

    def test_the_servers_are_the_only_ones(self, written):
        text = written(f"{self.DEBIAN}Server ntp.provider.example\n", cloud_time_servers=["ntp1", "192.0.2.1"])
        lines = [line for line in text.splitlines() if not line.startswith("#")]
        assert lines == ["makestep 1 3", "server ntp1 iburst", "server 192.0.2.1 iburst"]
        assert written(text, cloud_time_servers=["ntp1", "192.0.2.1"]) == text

    def test_the_hosts_own_come_back(self, written):
        assert written(written(self.DEBIAN, cloud_time_servers=["ntp1"])) == self.DEBIAN
        assert written(self.DEBIAN) == self.DEBIAN


@pytest.mark.parametrize("there", [True, False])
def test_cloud_init_keeps_the_hosts_names(tmp_path, there):
    """It would rewrite /etc/hosts and the host's name at each boot."""
    seen = {**resolving.probe("192.0.2.11"), "has_cloud_init": there}
    files = resolving.files(resolving.resolver(HOSTS, "c1", tmp_path).resolve(seen), "base", GROUPS)
    assert ("cloud-init" in files) is there
    if there:
        settings = yaml.safe_load(files["cloud-init"]["content"])
        assert settings == {"manage_etc_hosts": False, "preserve_hostname": True}


def test_packages_of_all_definitions(tmp_path):
    """With what others contribute, on this host alone."""
    lamp = {"description": "x", "packages": {"controller": ["lamp"], "storage": ["lamp-disk"]}}
    plug = {"description": "y", "contributes": {"lamp": {"packages": {"network": ["lamp-plug"]}}}}
    model = resolving.resolve(HOSTS, "c1", tmp_path, {"catalog_extra": {"lamp": lamp, "plug": plug}})
    assert model.cloud["packages"]["lamp"] == ["lamp", "lamp-plug"]
    assert "sudo" in model.cloud["packages"]["base"]
