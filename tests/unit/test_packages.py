# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What apt and dpkg are asked, and that a killed run leaves nothing that holds services back."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from types import SimpleNamespace

import pytest
from ansible_collections.cairn.openstack.plugins.module_utils.host import packages
from ansible_collections.cairn.openstack.plugins.modules import packages as module
from told import in_words


@pytest.fixture
def dpkg(monkeypatch):
    """Let dpkg-query and apt-cache say what the test wants."""

    def say(text):
        monkeypatch.setattr(packages.subprocess, "run", lambda *_args, **_options: SimpleNamespace(stdout=text))

    return say


def test_status(dpkg):
    dpkg("good ii \nheld hi \nremoved rc \nunpacked iU \nhalf iF \nbroken iHR\ntrigger iW \npending it \nnot un \n")
    installed, half = packages.status()
    assert installed == {"good", "held"}
    assert half == ["broken", "half", "pending", "trigger", "unpacked"]


POLICY = """\
known:
  Installed: (none)
  Candidate: 1.0
  Version table:
     1.0 500
virtual:
  Installed: (none)
  Candidate: (none)
  Version table:
installed:
  Installed: 1.0
  Candidate: 1.0
  Version table:
"""


def test_unknown(dpkg):
    dpkg(POLICY)
    assert packages.unknown(["known", "installed", "virtual", "typo"]) == ["typo", "virtual"]


@pytest.mark.parametrize("language", ["LC_ALL", "LANGUAGE"])
def test_unknown_where_apt_speaks_german(tmp_path, monkeypatch, language):
    german = POLICY.replace("Installed:", "Installiert:").replace("Candidate:", "Installationskandidat:")
    (tmp_path / "english").write_text(POLICY)
    (tmp_path / "german").write_text(german)
    (tmp_path / "apt-cache").write_text(
        f'#!/bin/sh\ncd {tmp_path}\n[ "$LANGUAGE" ] || [ "$LC_ALL" != C.UTF-8 ] && exec cat german\ncat english\n'
    )
    (tmp_path / "apt-cache").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv(language, "de_DE.UTF-8")
    assert packages.unknown(["known", "typo"]) == ["typo"]


def test_lists(tmp_path, monkeypatch):
    lists, sources = tmp_path / "lists", tmp_path / "sources.list.d"
    lists.mkdir()
    sources.mkdir()
    monkeypatch.setattr(packages, "_LISTS", str(lists))
    monkeypatch.setattr(packages, "_SOURCES", (str(sources), str(tmp_path / "missing")))
    assert packages.lists_outdated()
    (lists / "partial").mkdir()
    assert packages.lists_outdated()
    (lists / "example_dists_stable_InRelease").write_text("")
    assert not packages.lists_outdated()
    while (sources / "new").exists() is False or not packages.lists_outdated():
        (sources / "new").write_text("")  # until the clock's next tick


@pytest.fixture
def policy(tmp_path, monkeypatch):
    path = tmp_path / "policy-rc.d"
    monkeypatch.setattr(packages, "_POLICY", str(path))
    return path


def asked_by_apt(policy):
    """Run the policy as our own apt's maintainer scripts do."""
    return subprocess.run([policy], check=False, env={**os.environ, packages._HELD: "yes"}).returncode


def test_services_are_held_and_let_go(policy):
    with packages.services_held():
        assert asked_by_apt(policy) == 101
    assert not policy.exists()


def test_others_are_not_held(policy):
    with packages.services_held():
        assert subprocess.run([policy], check=False).returncode == 0
        assert policy.exists()


def test_apt_says_that_it_is_ours():
    packages.apt("sh", "-c", f'[ "${packages._HELD}" = yes ]')


def test_let_go_after_an_error(policy):
    with pytest.raises(ValueError, match="apt"), packages.services_held():
        raise ValueError("apt")
    assert not policy.exists()


def test_a_policy_of_the_hosts_own_stays(policy):
    policy.write_text("#!/bin/sh\nexit 0\n")
    with packages.services_held():
        assert policy.read_text() == "#!/bin/sh\nexit 0\n"
    assert policy.exists()


def test_a_killed_run_holds_nothing_back(policy):
    script = f"""
        import sys, time
        sys.path[:0] = {sys.path!r}
        from ansible_collections.cairn.openstack.plugins.module_utils.host import packages
        packages._POLICY = {str(policy)!r}
        with packages.services_held():
            print("held", flush=True)
            time.sleep(60)
    """
    with subprocess.Popen([sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE) as run:
        assert run.stdout.readline() == b"held\n"
        os.kill(run.pid, signal.SIGKILL)
    assert asked_by_apt(policy) == 101  # an apt that outlives the run
    assert subprocess.run([policy], check=False).returncode == 0
    assert not policy.exists()


def test_what_a_killed_run_left_is_taken_over(policy):
    policy.write_text(packages._SCRIPT.format(mark=packages._MARK, variable=packages._HELD, pid=1, path=policy))
    policy.chmod(0o755)
    with packages.services_held():
        assert asked_by_apt(policy) == 101
    assert not policy.exists()


def test_a_lock_that_apt_does_not_wait_for(tmp_path, monkeypatch):
    """That of the lists, which apt-daily holds."""
    monkeypatch.setattr(packages.time, "sleep", lambda _seconds: (tmp_path / "free").touch())
    packages.apt("sh", "-c", f"ls {tmp_path}/free || {{ echo 'E: Could not get lock /lists/lock.' >&2; exit 100; }}")
    monkeypatch.setattr(packages, "_PATIENCE", -1)
    with pytest.raises(packages.PackageError, match="Could not get lock"):
        packages.apt("sh", "-c", "echo 'E: Could not get lock /lists/lock.' >&2; exit 100")


def test_an_error_carries_the_last_lines():
    with pytest.raises(packages.PackageError, match="no such thing"):
        packages.apt("sh", "-c", "echo no such thing >&2; exit 3")


@pytest.fixture
def host(monkeypatch, policy, tmp_path):
    """A host with its packages; what is installed on it is recorded."""
    found = SimpleNamespace(installed={"old"}, half=[], known={"new", "old"}, ran=[])

    def apt(*arguments):
        found.ran.append([word for word in arguments if not word.startswith("-")])
        return 1.0

    monkeypatch.setattr(packages, "status", lambda: (found.installed, found.half))
    monkeypatch.setattr(packages, "unknown", lambda names: sorted(set(names) - found.known))
    monkeypatch.setattr(packages, "lists_outdated", lambda: False)
    monkeypatch.setattr(packages, "RECORD", str(tmp_path / "packages.json"))
    monkeypatch.setattr(packages, "apt", apt)
    return found


def test_nothing_to_do(host, run_module):
    result = run_module(module, {"names": ["old", "old"]})
    assert (result["changed"], host.ran) == (False, [])


def test_check_mode_names_what_no_list_knows_yet(host, run_module):
    result = run_module(module, {"names": ["old", "unheard-of"]}, check=True)
    assert in_words(result["changes"]) == ["install package unheard-of"]
    assert host.ran == []


def test_one_transaction(host, run_module):
    host.known |= {"newer"}
    result = run_module(module, {"names": ["new", "newer", "old"]})
    assert in_words(result["changes"]) == ["install package new", "install package newer"]
    installs = [command for command in host.ran if command[:1] == ["apt-get"]]
    assert all({"new", "newer"} <= set(command) and "old" not in command for command in installs)


def test_a_name_that_nobody_offers(host, run_module):
    result = run_module(module, {"names": ["typo"]})
    assert result["failed"]
    assert "typo" in result["msg"]


def test_what_was_left_half_done_is_repaired_first(host, run_module):
    host.half = ["broken"]
    result = run_module(module, {"names": ["new"]})
    assert in_words(result["changes"]) == ["install package new", "configure package broken"]
    assert host.ran[0][0] == "dpkg"


SIMULATED = """\
Reading package lists...
Purg nova-api [3:31.0.0-6]
Purg python3-nova [3:31.0.0-6]
Purg gawk [1:5.2.1-2+b1]
Purg libgawk:amd64 [1]
"""


def test_only_what_was_brought_is_purged(monkeypatch, run_module, tmp_path):
    """What was there before stays, also where apt would take it for a left-over."""
    said = {"dpkg-query": "nova-api ii \nsudo ii \ngawk ii \n", "apt-get": SIMULATED}
    asked = []

    def answer(command, **_options):
        asked.append(command)
        return SimpleNamespace(stdout=said[command[0]], returncode=0)

    monkeypatch.setattr(packages.subprocess, "run", answer)
    monkeypatch.setattr(packages, "RECORD", str(tmp_path / "cairn" / "packages.json"))
    assert run_module(module, {"state": "absent"}, check=True)["names"] == []
    packages.remember({"sudo", "gawk"}, ["nova-api"])
    packages.remember({"sudo", "gawk", "nova-api"}, ["glance-api"])
    result = run_module(module, {"state": "absent"}, check=True)
    assert in_words(result["changes"]) == [
        "purge package libgawk",
        "purge package nova-api",
        "purge package python3-nova",
    ]
    assert asked[-1][-1] == "nova-api"


def test_a_record_cut_short_is_none(monkeypatch, tmp_path):
    path = tmp_path / "packages.json"
    path.write_text('{"before": ["nova-')
    monkeypatch.setattr(packages, "RECORD", str(path))
    assert packages.record() == {"before": [], "asked": []}
