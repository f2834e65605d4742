# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a unit owes, by what it reads and what its invocation has read."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest
from ansible_collections.cairn.openstack.plugins.module_utils.host import units
from ansible_collections.cairn.openstack.plugins.modules import units as module
from told import in_words

ASKED = {
    "name": "lamp",
    "state": "started",
    "enabled": True,
    "watches": [],
    "packages": [],
    "state_commands": [],
    "expected_values": [],
    "service_user": None,
    "reload": False,
    "restart_for": [],
    "reload_for": [],
    "restart_anytime": False,
    "restart_anytime_if": [],
    "restart_when": [],
    "restart_with": None,
    "log": None,
}
FOUND = {
    "LoadState": "loaded",
    "ActiveState": "active",
    "UnitFileState": "enabled",
    "InvocationID": "now",
    "ActiveEnterTimestamp": "@9000000000",
}


# It started before any file of a test.
EARLY = {"ActiveEnterTimestamp": "@1000"}
GONE = {"LoadState": "not-found", "ActiveState": "inactive", "UnitFileState": ""}


def unit(asked=None, found=None, reads=None, stamp=None, will_change=None):
    return units.Unit(
        {**ASKED, **(asked or {})}, {**FOUND, **(found or {})}, reads or {}, stamp, "this boot", will_change or {}
    )


def stamp(reads, invocation="now", boot="this boot"):
    return {"invocation": invocation, "boot": boot, "reads": reads}


class TestForeseen:
    """In check mode, what a run would have started by now."""

    def test_it_has_read_everything(self):
        lamp = unit(found=GONE, reads={"/c": "1"})
        lamp.was_started()
        assert units.actions([lamp], True) == []

    def test_it_is_outdated_since(self):
        lamp = unit(found=GONE, reads={"/c": "1"})
        lamp.was_started()
        lamp.outdate("registration")
        assert in_words(module.changes_of(units.actions([lamp], True))) == ["restart lamp: registration"]


class TestStale:
    def test_nothing_differs(self):
        assert unit(reads={"/c": "1"}, stamp=stamp({"/c": "1"})).stale() == []

    def test_a_file_differs(self):
        assert unit(reads={"/c": "2", "/d": "1"}, stamp=stamp({"/c": "1", "/d": "1"})).stale() == ["/c"]

    def test_a_file_is_new(self):
        assert unit(reads={"/c": "1", "/new": "1"}, stamp=stamp({"/c": "1"})).stale() == ["/new"]

    def test_a_file_has_gone_from_the_disk(self):
        assert unit(reads={}, stamp=stamp({"/no/such/file": "1"})).stale() == ["/no/such/file"]

    def test_a_file_was_deleted(self):
        assert unit(reads={"/c": ""}, stamp=stamp({"/c": "1"})).stale() == ["/c"]

    def test_a_page_that_names_less_is_no_reason(self, tmp_path):
        (tmp_path / "c").write_text("x")
        assert unit(reads={}, stamp=stamp({str(tmp_path / "c"): "1", "package x": "1"})).stale() == []

    def test_a_package_was_upgraded(self):
        assert unit(reads={"package x": "2"}, stamp=stamp({"package x": "1"})).stale() == ["package x"]

    def test_the_boot_started_it_with_what_was_there(self):
        assert unit(reads={"/c": "1"}, stamp=stamp({"/c": "1"}, "before", "other boot")).stale() == []

    def test_the_boot_started_it_and_something_differs(self):
        assert unit(reads={"/c": "2"}, stamp=stamp({"/c": "1"}, "before", "other boot")).stale() == ["/c"]

    def test_it_was_restarted_after_the_file_was_written(self, tmp_path):
        (tmp_path / "c").write_text("x")
        reads = {str(tmp_path / "c"): "2"}
        assert unit(reads=reads, stamp=stamp({str(tmp_path / "c"): "1"}, "before")).stale() == []

    @pytest.mark.parametrize("old", [None, stamp({}, "before")])
    def test_a_file_newer_than_an_unknown_start(self, tmp_path, old):
        path = tmp_path / "c"
        path.write_text("x")
        started = int(path.stat().st_ctime) - 10
        found = {"ActiveEnterTimestamp": f"@{started}"}
        assert unit(found=found, reads={str(path): "1"}, stamp=old).stale() == [str(path)]

    def test_what_the_run_would_write(self):
        new = {"/c": "2", "/other": "2"}
        assert unit(reads={"/c": "2"}, stamp=stamp({"/c": "1"}), will_change=new).stale() == ["/c"]
        # The file was edited, and gets back what the unit has read.
        assert unit(reads={"/c": "1"}, stamp=stamp({"/c": "1"}), will_change={"/c": "1"}).stale() == []

    def test_what_the_run_would_write_is_newer_than_an_unknown_start(self):
        found = {"ActiveEnterTimestamp": "@99999999999"}
        assert unit(found=found, reads={"/c": "1"}, will_change={"/c": "1"}).stale() == ["/c"]

    @pytest.mark.parametrize("invocation", ["now", "before"])
    def test_its_work_was_undone(self, invocation):
        done, undone = {"output of nft": "1"}, {"output of nft": ""}
        assert unit(reads=undone, stamp=stamp(done, invocation)).stale() == ["output of nft"]
        assert unit(reads=done, stamp=stamp(done, invocation)).stale() == []

    @pytest.mark.parametrize(
        ("was", "now", "why"),
        [
            ("1", "1", []),
            ("1", "2", ["service user lamp"]),
            ("1", "", ["service user lamp"]),  # deleted, and about to be recreated
            ("", "1", []),
            (None, "1", []),
            ("1", None, []),  # the database doesn't answer
        ],
    )
    def test_its_service_user_was_recreated(self, was, now, why):
        stamped, reads = ({} if one is None else {"service user lamp": one} for one in (was, now))
        assert unit(reads=reads, stamp=stamp(stamped)).stale() == why

    def test_its_reload_failed(self):
        failed = unit(reads={"/c": "1"}, found={"StatusText": "Reload failed!"}, stamp=stamp({"/c": "1"}))
        assert failed.stale() == ["the last reload, which failed"]

    @pytest.mark.parametrize("found", [{"ActiveState": "inactive"}, {"ActiveState": "failed"}])
    def test_what_does_not_run_is_started_and_not_restarted(self, found):
        one = unit(found=found, reads={"/c": "2"}, stamp=stamp({"/c": "1"}))
        assert (one.stale(), one.start) == ([], True)

    def test_what_shall_not_run_is_not_restarted(self):
        assert unit(asked={"state": "any"}, reads={"/c": "2"}, stamp=stamp({"/c": "1"})).stale() == []

    def test_a_package_is_newer_than_the_start(self, tmp_path, monkeypatch):
        monkeypatch.setattr(units, "PACKAGE_FILES", str(tmp_path))
        (tmp_path / "lamp:amd64.list").touch()
        reads, other = {"package lamp": "2"}, {"InvocationID": "other"}
        early = {**other, **EARLY}
        assert unit(found=early, reads=reads, stamp=stamp({"package lamp": "1"})).stale() == [*reads]
        # The same version again, and a start after the upgrade.
        assert unit(found=early, reads=reads, stamp=stamp(reads)).stale() == []
        assert unit(found=other, reads=reads, stamp=stamp({"package lamp": "1"})).stale() == []


class TestKept:
    """A unit that another program starts and stops."""

    @pytest.fixture
    def file(self, tmp_path):
        path = tmp_path / "c"
        path.touch()
        return str(path)

    def kept(self, asked=None, **given):
        return unit({"state": "kept", **(asked or {})}, **given)

    @pytest.mark.parametrize("state", ["inactive", "failed", "activating", "deactivating"])
    def test_nothing_is_done_where_it_does_not_run(self, state):
        one = self.kept(found={"ActiveState": state, "Job": "7"}, reads={"/c": "2"}, stamp=stamp({"/c": "1"}))
        assert (one.stale(), units.actions([one], True)) == ([], [])

    def test_it_restarts_where_it_runs(self):
        one = self.kept(reads={"/c": "2"}, stamp=stamp({"/c": "1"}))
        assert units.actions([one], False) == []
        assert in_words(module.changes_of(units.actions([one], True))) == ["restart lamp: /c"]

    @pytest.mark.parametrize("old", [None, stamp({}, "before"), stamp({}, "before", "last boot")])
    def test_its_program_started_it_since(self, file, old):
        """It has read the files of that time, whatever is on record."""
        assert self.kept(reads={file: "2"}, stamp=old).stale() == []
        assert self.kept(found=EARLY, reads={file: "2"}, stamp=old).stale() == [file]
        assert self.kept(reads={file: "2"}, stamp=old, will_change={file: "2"}).stale() == [file]

    def test_its_package_is_newer_than_its_start(self, tmp_path, monkeypatch):
        monkeypatch.setattr(units, "PACKAGE_FILES", str(tmp_path))
        (tmp_path / "lamp.list").touch()
        reads = {"package lamp": "2", "package none": ""}
        assert self.kept(found=EARLY, reads=reads).stale() == ["package lamp"]
        assert self.kept(reads=reads).stale() == []

    def test_it_waits_for_the_play_of_its_host_if_it_may_be_in_use(self, file):
        one = self.kept(found=EARLY, reads={file: "2"})
        assert one.restart_anytime
        one.member_since = 500
        assert not one.restart_anytime

    def test_a_certificate_reloads_it(self, file):
        one = self.kept({"reload_for": [file]}, found=EARLY, reads={file: "2"})
        assert [verb for verb, _units in units.actions([one], False)] == ["reload"]

    def test_it_has_read_what_the_run_changed_elsewhere(self):
        one = self.kept(reads={"package lamp": "2", "output of nft": "1"})
        one.outdate("schema step lamp")
        assert one.stale() == ["schema step lamp"]

    def test_a_process_that_was_stopped(self):
        one = self.kept(reads={"/c": "1"}, stamp=stamp({"/c": "1"}))
        one.stopped_processes = ["process 7, which a signal has stopped"]
        assert one.stale() == one.stopped_processes


class TestDigest:
    def reads(self, path):
        return units.reads({**ASKED, "watches": [str(path)]}, {}, {}, None)

    def test_content_mode_and_owner_count(self, tmp_path):
        path = tmp_path / "c"
        path.write_text("x")
        path.chmod(0o600)
        first = self.reads(path)
        assert self.reads(path) == first
        path.chmod(0o640)
        second = self.reads(path)
        path.write_text("y")
        assert len({str(digest) for digest in (first, second, self.reads(path))}) == 3

    def test_times_do_not_count(self, tmp_path):
        path = tmp_path / "c"
        path.write_text("x")
        first = self.reads(path)
        os.utime(path, (0, 0))
        assert self.reads(path) == first

    def test_a_missing_file(self, tmp_path):
        assert self.reads(tmp_path / "c") == {str(tmp_path / "c"): ""}

    def test_a_folder_and_a_pattern(self, tmp_path):
        (tmp_path / "d" / "e").mkdir(parents=True)
        (tmp_path / "d" / "a.conf").write_text("x")
        (tmp_path / "d" / "e" / "b.conf").write_text("x")
        assert sorted(self.reads(tmp_path / "d")) == [str(tmp_path / "d/a.conf"), str(tmp_path / "d/e/b.conf")]
        assert list(self.reads(tmp_path / "d" / "*.conf")) == [str(tmp_path / "d/a.conf")]

    def test_packages(self):
        asked = {**ASKED, "packages": ["a", "b"]}
        assert units.reads(asked, {"a": "1.0"}, {}, None) == {"package a": "1.0", "package b": ""}

    def test_effects(self, tmp_path):
        (tmp_path / "kernel").write_text("rule\n")
        commands = [f"cat {tmp_path}/kernel", "false", "no-such-command"]
        found = units.effects({"state_commands": commands})
        assert list(found) == [f"output of {command}" for command in commands]
        assert [bool(digest) for digest in found.values()] == [True, False, False]
        (tmp_path / "kernel").write_text("another\n")
        assert units.effects({"state_commands": commands[:1]}) != {key: found[key] for key in list(found)[:1]}


FLAGS = {"optional": False, "at_least": False, "explained": False, "set_with": None}


class TestUnexpected:
    """Values in the kernel or in a daemon that are not the expected ones."""

    def entry(self, tmp_path, found, values, explain=None, **flags):
        (tmp_path / "now").write_text(found)
        command = f"cat {tmp_path}/now"
        return {"expected_values": [{"command": command, "values": values, "explain": explain, **FLAGS, **flags}]}

    @pytest.mark.parametrize("line", ["a.b = {}", "a.b: {}", "a.b\t{}", "a.b={}"])
    def test_forms_of_a_line(self, tmp_path, line):
        assert units.unexpected(self.entry(tmp_path, line.format(1), {"a.b": 1})) == {}
        assert units.unexpected(self.entry(tmp_path, line.format(0), {"a.b": 1})) == {"a.b": "a.b is 0, not 1"}

    def test_names_of_several_words(self, tmp_path):
        found = units.unexpected(
            self.entry(tmp_path, "servers in maintenance = a/b, c/d\n", {"servers in maintenance": "none"})
        )
        assert list(found.values()) == ["servers in maintenance is a/b, c/d, not none"]

    def test_values_of_several_words(self, tmp_path):
        assert units.unexpected(self.entry(tmp_path, "a = 1\t2\n", {"a": "1 2"})) == {}

    def test_what_the_kernel_lacks(self, tmp_path):
        entry = self.entry(tmp_path, "b = 1", {"a": 1})
        assert units.unexpected(entry) == {"a": "a does not exist, it should be 1"}
        assert units.unexpected(self.entry(tmp_path, "b = 1", {"a": 1}, optional=True)) == {}

    @pytest.mark.parametrize(("found", "differs"), [(1024, False), (4096, False), (512, True)])
    def test_a_limit_may_be_higher(self, tmp_path, found, differs):
        assert bool(units.unexpected(self.entry(tmp_path, f"a = {found}", {"a": 1024}, at_least=True))) is differs

    def test_numbers_in_another_notation(self, tmp_path):
        assert units.unexpected(self.entry(tmp_path, "a = 16", {"a": "0x10"})) == {}

    def test_what_the_kernel_adjusted(self, tmp_path):
        """It is told only if a file is the cause."""
        (tmp_path / "99-site.conf").write_text("a = 0\n")
        explain = f"grep --with-filename = {tmp_path}/99-site.conf"
        assert units.unexpected(self.entry(tmp_path, "a = 0", {"a": 1}, explain, explained=True)) != {}
        assert units.unexpected(self.entry(tmp_path, "b = 0", {"b": 1}, explain, explained=True)) == {}

    def test_a_command_that_is_missing(self):
        entry = {"command": "no-such", "values": {"a": 1}, "explain": None, **FLAGS}
        assert units.unexpected({"expected_values": [entry]}) == {}

    def test_its_cause(self, tmp_path):
        (tmp_path / "99-site.conf").write_text("a = 0\nb = 3\n")
        entry = self.entry(tmp_path, "a = 0", {"a": 1}, f"grep -r --with-filename = {tmp_path}/99-site.conf")
        assert units.unexpected(entry) == {"a": f"a is 0, not 1 ({tmp_path}/99-site.conf:a = 0)"}

    def test_it_is_stale_though_the_stamp_agrees(self):
        lamp = unit(reads={"/c": "1"}, stamp=stamp({"/c": "1"}))
        assert lamp.stale() == []
        lamp.unexpected = {"a": "a is 0, not 1"}
        assert lamp.stale() == ["a is 0, not 1"]

    def test_a_reload_sets_it_where_a_reload_is_enough(self):
        lamp = unit({"reload": True, "restart_anytime": True}, stamp=stamp({}))
        lamp.unexpected = {"a": "a is 0, not 1"}
        assert [verb for verb, _units in units.actions([lamp], restart=False)] == ["reload"]

    def test_a_command_that_does_not_return(self, monkeypatch):
        """A process that hangs is restarted, as it cannot be reloaded."""
        monkeypatch.setattr(units.command, "__defaults__", (0.1,))
        expected = [{"command": "sleep 9", "values": {"a": 1}, "explain": None, **FLAGS}]
        found = units.unexpected({"expected_values": expected})
        assert found == {"sleep 9": "sleep: no result within 0.1 s"}
        lamp = unit({"reload": True, "expected_values": expected}, stamp=stamp({}))
        lamp.unexpected = found
        assert [verb for verb, _units in units.actions([lamp], restart=True)] == ["restart"]

    def test_a_command_sets_it(self):
        """The unit need not restart, and a restart that is pending for a file stays so."""
        entry = {"command": "true", "values": {"a": 1}, "explain": None, **FLAGS, "set_with": "lamp --set NAME=VALUE"}
        lamp = unit({"expected_values": [entry]}, reads={"/c": "2"}, stamp=stamp({"/c": "1"}))
        lamp.unexpected = {"a": "a is 0, not 1"}
        assert lamp.settable == {"a": ["lamp", "--set", "a=1"]}
        assert lamp.stale() == ["/c"]
        assert [verb for verb, _units in units.actions([lamp], restart=False)] == ["change"]

    @pytest.mark.parametrize(("asked", "verbs"), [({}, ["restart"]), ({"reload": True}, ["change", "reload"])])
    def test_a_restart_sets_it_too(self, asked, verbs):
        entry = {"command": "true", "values": {"a": 1}, "explain": None, **FLAGS, "set_with": "lamp --set NAME=VALUE"}
        lamp = unit({"expected_values": [entry], **asked}, reads={"/c": "2"}, stamp=stamp({"/c": "1"}))
        lamp.unexpected = {"a": "a is 0, not 1"}
        assert [verb for verb, _units in units.actions([lamp], restart=True)] == verbs

    @pytest.mark.parametrize("silent", [True, False])
    def test_a_unit_that_hangs_is_not_set(self, silent):
        """The command would not return, or fail."""
        entry = {"command": "true", "values": {"a": 1}, "explain": None, **FLAGS, "set_with": "lamp --set NAME=VALUE"}
        lamp = unit({"expected_values": [entry]}, stamp=stamp({}))
        lamp.unexpected = {"a": "a is 0, not 1"}
        if silent:
            lamp.unexpected["true"] = "true: no result within 60 s"
        else:
            lamp.stopped_processes = ["process 7, which a signal has stopped"]
        assert lamp.settable == {}
        assert units.actions([lamp], restart=False) == []
        assert [verb for verb, _units in units.actions([lamp], restart=True)] == ["restart"]

    def test_words_of_a_command_that_sets_it(self):
        """A name or a value is a part of one word, whatever is in it."""
        entry = {"command": "true", "values": {"a b": "it's VALUE"}, "explain": None, **FLAGS}
        lamp = unit({"expected_values": [{**entry, "set_with": "lamp 'NAME = VALUE' VALUE"}]}, stamp=stamp({}))
        lamp.unexpected = {"a b": "a b is 0, not it's VALUE"}
        assert lamp.settable == {"a b": ["lamp", "a b = it's VALUE", "it's VALUE"]}

    def test_a_unit_that_does_not_run_is_not_set(self):
        entry = {"command": "true", "values": {"a": 1}, "explain": None, **FLAGS, "set_with": "lamp --set NAME=VALUE"}
        lamp = unit({"expected_values": [entry]}, {"ActiveState": "inactive"}, stamp=stamp({}))
        lamp.unexpected = {"a": "a is 0, not 1"}
        assert lamp.settable == {}


class TestCommand:
    def test_words(self):
        assert units.command(["printf", "%s", "a b"]).stdout == units.command("printf %s 'a b'").stdout == "a b"

    def test_one_that_is_missing(self):
        assert units.command("no-such-command").returncode == 127

    def test_its_children_end_with_it(self, tmp_path):
        done = units.command(f"sh -c 'sleep 60 & echo $! > {tmp_path}/child; wait'", seconds=0.5)
        assert (done.returncode, done.stderr) == (units.TIMED_OUT, "no result within 0.5 s")
        stat, end = Path("/proc", (tmp_path / "child").read_text().strip(), "stat"), time.monotonic() + 10
        # It may stay as a zombie where no init collects it.
        while stat.exists() and ") Z " not in stat.read_text() and time.monotonic() < end:
            time.sleep(0.01)
        assert not stat.exists() or ") Z " in stat.read_text()

    def test_one_that_a_signal_does_not_end(self, monkeypatch):
        """As one that waits for a disk that does not answer."""
        left = []
        monkeypatch.setattr(units, "KILL_TIMEOUT", 0.1)
        monkeypatch.setattr(units.os, "killpg", lambda group, _signal: left.append(group))
        before = time.monotonic()
        assert units.command("sleep 60", seconds=0.1).returncode == units.TIMED_OUT
        assert time.monotonic() - before < 10
        monkeypatch.undo()
        os.kill(left[0], signal.SIGKILL)
        os.waitpid(left[0], 0)


class TestStoppedProcesses:
    """systemd calls a unit active whose process a signal has stopped."""

    @pytest.fixture
    def family(self):
        """Return the ids of a process and its child."""
        with subprocess.Popen(["sh", "-c", "sleep 60 & echo $!; wait"], stdout=subprocess.PIPE, text=True) as parent:
            child = int(parent.stdout.readline())
            yield parent.pid, child
            for process in (child, parent.pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)

    @pytest.mark.parametrize("which", [0, 1])
    def test_a_process_or_its_child(self, family, which):
        assert units.stopped_processes(family[0]) == []
        os.kill(family[which], signal.SIGSTOP)
        end = time.monotonic() + 10
        while not (found := units.stopped_processes(family[0])) and time.monotonic() < end:
            time.sleep(0.01)
        assert found == [f"process {family[which]}, which a signal has stopped"]

    def test_a_child_of_another_thread(self):
        """The kernel lists children by the thread that has started them."""
        started = threading.Event()
        children = []

        def start():
            with subprocess.Popen(["sleep", "60"]) as child:
                children.append(child)
                started.set()

        thread = threading.Thread(target=start)
        thread.start()
        assert started.wait(10)
        os.kill(children[0].pid, signal.SIGSTOP)
        told = f"process {children[0].pid}, which a signal has stopped"
        end = time.monotonic() + 10
        while told not in (found := units.stopped_processes(os.getpid())) and time.monotonic() < end:
            time.sleep(0.01)
        children[0].kill()
        thread.join()
        assert told in found

    def test_a_unit_without_a_process(self):
        assert units.stopped_processes(0) == []

    def test_it_is_restarted_and_not_reloaded(self):
        lamp = unit({"reload": True}, stamp=stamp({}))
        lamp.stopped_processes = ["process 7, which a signal has stopped"]
        assert lamp.stale() == ["process 7, which a signal has stopped"]
        assert [verb for verb, _units in units.actions([lamp], restart=True)] == ["restart"]


def test_a_new_command_of_a_definition_restarts_nothing():
    """Unless it fails."""
    assert unit(reads={"output of show": "1"}, stamp=stamp({})).stale() == []
    assert unit(reads={"output of show": ""}, stamp=stamp({})).stale() == ["output of show"]


class TestStamps:
    def test_kept(self, tmp_path):
        path = str(tmp_path / "new" / "units.json")
        units.save_stamps({"lamp": stamp({"/c": "1"})}, path)
        assert units.load_stamps(path) == {"lamp": stamp({"/c": "1"})}
        assert os.listdir(tmp_path / "new") == ["units.json"]

    @pytest.mark.parametrize("text", ["", '{"lamp": {"invoc', "\0\0\0"])
    def test_a_broken_file_is_no_stamp(self, tmp_path, text):
        (tmp_path / "units.json").write_text(text)
        assert units.load_stamps(str(tmp_path / "units.json")) == {}
        assert units.load_stamps(str(tmp_path / "none.json")) == {}


class TestSteps:
    @pytest.mark.parametrize(
        ("asked", "found", "verbs"),
        [
            ({}, {}, []),
            ({}, {"ActiveState": "inactive"}, ["start"]),
            ({}, {"ActiveState": "failed"}, ["start"]),
            ({}, {"ActiveState": "inactive", "UnitFileState": "disabled"}, ["enable", "start"]),
            (
                {},
                {"LoadState": "masked", "ActiveState": "inactive", "UnitFileState": "masked"},
                ["unmask", "enable", "start"],
            ),
            ({"enabled": None}, {"UnitFileState": "disabled"}, []),
            ({"enabled": True}, {"UnitFileState": "static"}, []),
            ({"enabled": False}, {}, ["disable"]),
            ({"state": "stopped", "enabled": False}, {}, ["disable", "stop"]),
            ({"state": "stopped"}, {"ActiveState": "activating"}, ["stop"]),
            ({"state": "stopped"}, {"ActiveState": "inactive"}, []),
            ({"state": "stopped", "enabled": False}, GONE, []),
            ({}, GONE, ["start"]),
            ({"state": "any"}, {"ActiveState": "inactive"}, []),
            ({"state": "kept"}, {"ActiveState": "inactive"}, []),
            ({"state": "kept", "enabled": False}, {}, ["disable"]),
            ({"state": "kept"}, {"LoadState": "masked", "ActiveState": "inactive", "UnitFileState": "bad"}, []),
        ],
    )
    def test_verbs(self, asked, found, verbs):
        assert [verb for verb, _units in units.actions([unit(asked, found)], False)] == verbs

    @pytest.mark.parametrize(("name", "file"), [("lamp", "lamp.service"), ("lamp.timer", "lamp.timer")])
    def test_what_the_run_writes_is_not_enabled_by_a_package(self, name, file):
        lamp = unit({"name": name}, GONE, will_change={f"/etc/systemd/system/{file}": "1"})
        assert [verb for verb, _units in units.actions([lamp], False)] == ["enable", "start"]

    def test_a_restart_only_when_asked(self):
        stale = unit(reads={"/c": "2"}, stamp=stamp({"/c": "1"}))
        assert units.actions([stale], False) == []
        assert [verb for verb, _units in units.actions([stale], True)] == ["restart"]

    def test_what_disturbs_nothing_does_not_wait(self):
        stale = unit({"reload": True, "restart_anytime": True}, reads={"/c": "2"}, stamp=stamp({"/c": "1"}))
        assert [verb for verb, _units in units.actions([stale], False)] == ["reload"]

    @pytest.mark.parametrize(
        ("old", "verb"), [({"/c": "1", "/ini": "2"}, "reload"), ({"/c": "2", "/ini": "1"}, "restart")]
    )
    def test_a_reload_where_it_takes_up_what_differs(self, old, verb):
        asked = {"reload": True, "restart_for": ["/ini"], "watches": ["/c", "/ini"]}
        stale = unit(asked, reads={"/c": "2", "/ini": "2"}, stamp=stamp(old))
        assert [verb for verb, _units in units.actions([stale], True)] == [verb]

    @pytest.mark.parametrize(
        ("old", "due"),
        [
            # A certificate: at once, also of a unit that restarts only under a condition.
            ({"/c": "2", "/cert": "1"}, {True: ["reload"], False: ["reload"]}),
            ({"/c": "1", "/cert": "1"}, {True: ["restart"], False: []}),
            ({"/c": "1", "/cert": "2"}, {True: ["restart"], False: []}),
        ],
    )
    def test_a_reload_for_some_files_only(self, old, due):
        asked = {"reload_for": ["/cert"], "restart_when": ["/bin/false"], "watches": ["/c", "/cert"]}
        stale = unit(asked, reads={"/c": "2", "/cert": "2"}, stamp=stamp(old))
        for restart, verbs in due.items():
            assert [verb for verb, _units in units.actions([stale], restart)] == verbs

    def test_one_without_a_stamp_restarts(self):
        stale = unit({"reload_for": ["/cert"], "watches": ["/cert"]}, reads={"/cert": "2"}, stamp=None)
        assert [verb for verb, _units in units.actions([stale], True)] == ["restart"]

    def test_workers_reload_before_the_restarts_and_all_others_after_them(self):
        one = {"reads": {"/c": "2"}, "stamp": stamp({"/c": "1"})}
        front, api, other = {"reload": True}, {"reload": True, "restart_for": ["/ini"]}, {}
        due = units.actions(
            [
                unit({"name": name, **asked}, **one)
                for name, asked in (("front", front), ("other", other), ("api", api))
            ],
            True,
        )
        assert [(verb, [each.name for each in units]) for verb, units in due] == [
            ("reload", ["api"]),
            ("restart", ["other"]),
            ("reload", ["front"]),
        ]

    def test_the_cause_is_said(self):
        stale = unit(reads={"/c": "2"}, stamp=stamp({"/c": "1"}))
        assert in_words(module.changes_of(units.actions([stale], True))) == ["restart lamp: /c"]


SYSTEMCTL = """#!/usr/bin/env python3
# A systemctl that keeps its units in a file.
import json, os, sys
path = os.environ["UNITS"]
units = json.load(open(path))
verb, *names = [word for word in sys.argv[1:] if not word.startswith("-")]
open(path + ".log", "a").write(" ".join([verb, *names]) + chr(10))
for name in names:
    unit = units[name]
    if verb == "show":
        print("".join(f"{key}={value}" + chr(10) for key, value in unit.items()))
        continue
    if unit.get("Canceled") == verb:
        del unit["Canceled"]
        json.dump(units, open(path, "w"))
        sys.exit("Job for " + name + " canceled.")
    if verb.startswith("try-") and unit["ActiveState"] != "active":
        continue
    verb = {"try-restart": "restart", "try-reload-or-restart": "reload"}.get(verb, verb)
    if unit.get("Broken"):
        sys.exit("Job for " + name + " failed")
    unit.update({"start": {"ActiveState": "active"}, "restart": {}, "stop": {"ActiveState": "inactive"}}.get(verb, {}))
    if verb in ("start", "restart"):
        unit["InvocationID"] += "'"
    if verb == "reload":
        unit.update(StatusText=unit["Reloaded"])
    if verb in ("enable", "disable"):
        unit["UnitFileState"] = verb + "d"
json.dump(units, open(path, "w"))
"""


@pytest.fixture
def host(tmp_path, monkeypatch, run_module):
    """A host with the unit lamp, which reads one file; calling it runs the module."""
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "systemctl").write_text(SYSTEMCTL)
    (tools / "systemctl").chmod(0o755)
    state = tmp_path / "units"
    state.write_text(json.dumps({"lamp": {**FOUND, "ActiveState": "inactive", "UnitFileState": "disabled"}}))
    (tmp_path / "lamp.conf").write_text("a\n")
    monkeypatch.setenv("UNITS", str(state))
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    stamps = str(tmp_path / "stamps.json")
    monkeypatch.setattr(module, "EFFECT_PATIENCE", 0)
    monkeypatch.setattr(units.load_stamps, "__defaults__", (stamps,))
    monkeypatch.setattr(units.save_stamps, "__defaults__", (stamps,))

    class Host:
        conf = tmp_path / "lamp.conf"

        kernel = tmp_path / "kernel"

        def __init__(self):
            self.unit = {"name": "lamp", "enabled": True, "watches": [str(self.conf)]}

        def __call__(self, check=False, **options):
            return run_module(module, {"units": [self.unit], **options}, check=check)

        def told(self):
            """What systemctl was told to do since the last question."""
            path = tmp_path / "units.log"
            lines = [line for line in path.read_text().splitlines() if not line.startswith("show")]
            path.unlink()
            return lines

        def add(self, name):
            """Another unit, as lamp was at first."""
            found = json.loads(state.read_text())
            state.write_text(json.dumps({**found, name: dict(found["lamp"])}))

        def set(self, **properties):
            found = json.loads(state.read_text())
            found["lamp"].update(properties)
            state.write_text(json.dumps(found))

    return Host()


@pytest.mark.skipif(not shutil.which("dpkg-query"), reason="no Debian")
class TestModule:
    def test_first_run(self, host):
        result = host()
        assert in_words(result["changes"]) == ["enable lamp", "start lamp"]
        assert host.told() == ["enable lamp", "start lamp"]

    def test_second_run(self, host):
        host()
        host.told()
        result = host()
        assert (result["changed"], result["restart_required"], host.told()) == (False, [], [])

    def test_check_mode_tells_systemctl_nothing(self, host):
        assert in_words(host(check=True)["changes"]) == ["enable lamp", "start lamp"]
        assert host.told() == []

    def test_a_changed_file_is_owed_then_restarted_once(self, host):
        host()
        host.conf.write_text("b\n")
        host.told()
        assert host()["restart_required"] == [{"name": "lamp", "why": [str(host.conf)]}]
        assert host.told() == []
        assert in_words(host(restart=True)["changes"]) == [f"restart lamp: {host.conf}"]
        assert host.told() == ["restart lamp"]
        assert not host(restart=True)["changed"]

    def test_a_kept_unit_is_never_started(self, host):
        host.unit |= {"state": "kept", "enabled": None}
        assert not host(restart=True)["changed"]
        # Its program starts it, before and after a change.
        host.set(ActiveState="active", ActiveEnterTimestamp=f"@{int(time.time()) + 60}")
        assert not host(restart=True)["changed"]
        host.conf.write_text("b\n")
        host.told()
        plan = host(check=True, restart=True)
        assert in_words(plan["changes"]) == [f"restart lamp: {host.conf}"]
        assert host()["restart_required"] == [{"name": "lamp", "why": [str(host.conf)]}]
        assert in_words(host(restart=True)["changes"]) == [f"restart lamp: {host.conf}"]
        assert host.told() == ["try-restart lamp"]
        assert not host(restart=True)["changed"]
        host.conf.write_text("c\n")
        host.set(ActiveState="inactive")
        assert not host(restart=True)["changed"]
        assert host.told() == []

    @pytest.mark.parametrize(("state", "fails"), [("inactive", False), ("failed", True)])
    def test_a_kept_unit_was_stopped_while_it_restarted(self, host, monkeypatch, state, fails):
        host.unit |= {"state": "kept", "enabled": None}
        host.set(ActiveState="active", ActiveEnterTimestamp=f"@{int(time.time()) + 60}")
        host()
        host.conf.write_text("b\n")

        def canceled(verb, *names):
            host.set(ActiveState=state)
            return subprocess.CompletedProcess([verb, *names], 1, "", "Job for lamp canceled.")

        systemctl = units.systemctl
        monkeypatch.setattr(
            units, "systemctl", lambda verb, *names: (canceled if verb == "try-restart" else systemctl)(verb, *names)
        )
        assert host(restart=True).get("failed", False) == fails

    def test_kept_units_come_apart(self):
        found = module.batches([("restart", [unit(), unit({"state": "kept"}), unit()])])
        assert [(verb, [one.kept for one in names]) for verb, names in found] == [
            ("restart", [False, False]),
            ("restart", [True]),
        ]

    def test_what_it_has_read_was_changed_elsewhere(self, host):
        """It restarts once, in a later task or run if this one may not restart it."""
        outdated = {"lamp": "schema step lamp"}
        assert in_words(host(outdated=outdated)["changes"]) == ["enable lamp", "start lamp"]
        assert host()["restart_required"] == []
        required = [{"name": "lamp", "why": ["schema step lamp"]}]
        assert host(check=True, outdated=outdated)["restart_required"] == required
        assert in_words(host(check=True, restart=True, outdated=outdated)["changes"]) == [
            "restart lamp: schema step lamp"
        ]
        assert host()["restart_required"] == []
        assert host(outdated=outdated)["restart_required"] == required
        assert host()["restart_required"] == required
        assert units.differ([{**ASKED, **host.unit}])
        assert in_words(host(restart=True)["changes"]) == ["restart lamp: schema step lamp"]
        assert not host(restart=True)["changed"]
        assert not units.differ([{**ASKED, **host.unit}])

    def test_it_was_started_again_since(self, host):
        host()
        host(outdated={"lamp": "schema step lamp"})
        host.set(InvocationID="by hand")
        assert host()["restart_required"] == []

    def test_the_causes_of_the_last_restart_are_kept(self, host, tmp_path):
        def last():
            return json.loads((tmp_path / "stamps.json").read_text())["lamp"].get("last_restart")

        host()
        assert last() is None
        host.conf.write_text("b\n")
        host(restart=True)
        assert last()["causes"] == [str(host.conf)]
        assert last()["time"].endswith("Z")
        host.set(InvocationID="another")
        host()
        assert last()["causes"] == [str(host.conf)]

    def test_many_causes_are_counted(self, host, tmp_path):
        host.unit["watches"] = [str(tmp_path / f"{n}.conf") for n in range(7)]
        host()
        for path in host.unit["watches"]:
            (tmp_path / path).write_text("new\n")
        (change,) = host(restart=True)["changes"]
        assert change["detail"].endswith("4.conf and 2 more")

    def test_a_value_is_set_and_a_restart_stays_pending(self, host, tmp_path):
        host()
        host.kernel.write_text("a = 0\n")
        host.unit["expected_values"] = [
            {
                "command": f"cat {host.kernel}",
                "values": {"a": 1},
                "set_with": f"sh -c 'echo NAME = VALUE > {host.kernel}'",
            }
        ]
        host.conf.write_text("b\n")
        host.told()
        would = host(check=True)
        assert in_words(would["changes"]) == ["change lamp: a is 0, not 1"]
        assert host.kernel.read_text() == "a = 0\n"
        done = host()
        assert (done["changes"], [one["name"] for one in done["restart_required"]]) == (would["changes"], ["lamp"])
        assert host.kernel.read_text() == "a = 1\n"
        assert in_words(host(restart=True)["changes"]) == [f"restart lamp: {host.conf}"]
        assert not host(restart=True)["changed"]

    def test_a_value_that_a_start_does_not_set_is_set_after_it(self, host):
        host.kernel.write_text("a = 0\n")
        command = f"sh -c 'echo NAME = VALUE > {host.kernel}'"
        host.unit["expected_values"] = [{"command": f"cat {host.kernel}", "values": {"a": 1}, "set_with": command}]
        assert in_words(host()["changes"]) == ["enable lamp", "start lamp"]
        assert host.kernel.read_text() == "a = 1\n"
        assert not host(restart=True)["changed"]

    def test_a_value_that_can_not_be_set_is_an_error(self, host):
        host()
        host.kernel.write_text("a = 0\n")
        host.unit["expected_values"] = [{"command": f"cat {host.kernel}", "values": {"a": 1}, "set_with": "true"}]
        assert host()["msg"] == "lamp: a is 0, not 1"

    def test_what_comes_then(self, host):
        later = dict(host.unit)
        host.unit["name"] = "front"
        host.add("front")
        assert in_words(host(then=[later])["changes"]) == ["enable front", "start front", "enable lamp", "start lamp"]
        assert host.told() == ["enable front", "start front", "enable lamp", "start lamp"]
        assert not host(then=[later])["changed"]

    def test_a_restart_waits_until_it_may(self, host, tmp_path, monkeypatch):
        """What says whether the service goes on elsewhere is asked again and again, and only before a restart."""
        waited = []

        def sleep(seconds):
            if seconds >= 1:  # subprocess sleeps for milliseconds
                waited.append(seconds)
                (tmp_path / "may").touch()

        monkeypatch.setattr(units.time, "sleep", sleep)
        host.unit["restart_when"] = [f"ls {tmp_path}/may"]
        host()
        assert waited == []
        host.conf.write_text("b\n")
        host.told()
        assert host(restart=True, check=True)["changed"]
        assert waited == []
        assert in_words(host(restart=True)["changes"]) == [f"restart lamp: {host.conf}"]
        assert (len(waited), host.told()) == (1, ["restart lamp"])

    def test_a_restart_that_may_not_be(self, host, tmp_path):
        host.unit["restart_when"] = [f"ls {tmp_path}/may"]
        host()
        host.conf.write_text("b\n")
        host.told()
        failed = host(restart=True, restart_timeout=1)
        assert failed["msg"].startswith("lamp was not restarted, because it is not safe to stop it. After 1 s: ls ")
        assert host.told() == []
        assert host(restart=True, restart_timeout=0)["changed"]
        assert host.told() == ["restart lamp"]

    def test_a_restart_that_may_not_be_keeps_nothing_else(self, host, tmp_path):
        """What else is to be done has been done by then, and is known."""
        other = {**host.unit, "name": "front"}
        host.add("front")
        host.unit["restart_when"] = [f"ls {tmp_path}/may"]
        host(units=[host.unit, other])
        host.conf.write_text("b\n")
        host.told()
        failed = host(units=[host.unit, other], restart=True, restart_timeout=1)
        assert failed["failed"]
        assert host.told() == ["restart front"]
        assert [one["name"] for one in host(units=[host.unit, other])["restart_required"]] == ["lamp"]

    def test_a_restart_of_its_own_kind(self, host, tmp_path):
        host.unit["restart_with"] = f"touch {tmp_path}/restarted"
        host()
        host.conf.write_text("b\n")
        host.told()
        assert in_words(host(restart=True)["changes"]) == [f"restart lamp: {host.conf}"]
        assert (tmp_path / "restarted").exists()
        assert host.told() == []
        assert not host(restart=True)["changed"]

    def test_a_guard_holds_when_the_stamps_are_lost(self, host, tmp_path, monkeypatch):
        host.unit["restart_when"] = [f"ls {tmp_path}/may"]
        host()
        host.told()
        (tmp_path / "stamps.json").unlink()
        (tmp_path / "cloud.json").touch()
        os.utime(tmp_path / "cloud.json", (0, 0))
        host.set(ActiveEnterTimestamp="@100")
        monkeypatch.setattr(units.member_since, "__defaults__", (str(tmp_path / "cloud.json"),))
        assert [one["name"] for one in host()["restart_required"]] == ["lamp"]
        assert host.told() == []
        assert host(restart=True, restart_timeout=1)["failed"]

    def test_a_reload_that_fails_silently_is_a_failure(self, host):
        host.unit["reload"] = True
        host()
        host.conf.write_text("b\n")
        host.set(Reloaded="Reload failed!")
        failed = host(restart=True)
        assert failed["failed"]
        assert failed["msg"].startswith("systemctl reload failed")
        assert "--- lamp" in failed["msg"]
        host.set(Reloaded="Ready.")
        assert in_words(host(restart=True)["changes"]) == ["reload lamp: the last reload, which failed"]
        assert not host(restart=True)["changed"]

    def test_a_debt_outlives_a_run_that_died(self, host):
        host()
        host.conf.chmod(0o600)
        host()
        host()
        assert host()["restart_required"] == [{"name": "lamp", "why": [str(host.conf)]}]

    @pytest.mark.parametrize(("offered", "restarts"), [("1.0", False), ("2.0", True)])
    def test_check_mode_foresees_what_a_missing_package_brings(self, host, monkeypatch, offered, restarts):
        """The run installs it: the unit restarts only for another version."""
        host.unit["packages"] = ["lamp"]
        monkeypatch.setattr(units, "package_versions", lambda _names: {"lamp": "1.0"})
        host()
        monkeypatch.setattr(units, "package_versions", lambda _names: {})
        monkeypatch.setattr(units, "candidates", lambda names: dict.fromkeys(names, offered))
        changes = ["restart lamp: package lamp"] if restarts else []
        assert in_words(host(restart=True, check=True)["changes"]) == changes

    def test_check_mode_foresees_the_restart(self, host):
        host()
        result = host(check=True, restart=True, will_change={str(host.conf): "another"})
        assert in_words(result["changes"]) == [f"restart lamp: {host.conf}"]

    def test_a_host_without_units_of_a_tier(self, host, tmp_path):
        result = host(units=[])
        assert (result["changed"], result["changes"], result["restart_required"]) == (False, [], [])
        assert not (tmp_path / "units.log").exists(), "systemctl was asked"

    def test_what_has_been_written_does_not_restart_twice(self, host):
        host()
        assert not host(restart=True, will_change={str(host.conf): "another"})["changed"]

    def test_check_mode_foresees_the_start_of_what_the_run_stops_first(self, host):
        host.set(ActiveState="active")
        foreseen = in_words(host(check=True, will_stop=["lamp"])["changes"])
        host.set(ActiveState="inactive")
        assert foreseen == in_words(host(will_stop=["lamp"])["changes"]) == ["enable lamp", "start lamp"]
        assert not host(will_stop=["lamp"])["changed"]

    def test_what_a_boot_is_about_to_start_is_stopped(self, host):
        host.set(Job="115")
        host.unit = {"name": "lamp", "state": "stopped"}
        assert in_words(host()["changes"]) == ["stop lamp"]
        assert host.told()[0] == "stop lamp"

    def test_a_boot_cancels_the_stop(self, host):
        host.set(ActiveState="active", Canceled="stop")
        host.unit.update(state="stopped", enabled=None)
        assert in_words(host()["changes"]) == ["stop lamp"]
        assert host.told()[:2] == ["stop lamp", "stop lamp"]

    def test_what_it_set_up_is_undone(self, host):
        host.unit = {**host.unit, "restart_anytime": True, "state_commands": [f"cat {host.kernel}"]}
        host.kernel.write_text("rule\n")
        host()
        assert not host()["changed"]
        host.kernel.unlink()
        assert (
            in_words(host(check=True)["changes"])
            == in_words(host()["changes"])
            == [f"restart lamp: output of cat {host.kernel}"]
        )
        # A command that still fails after the restart is an error, and the next run tries again.
        failed = host()
        assert failed["failed"]
        assert "No such file" in failed["msg"]
        assert host(check=True)["changed"]
        host.kernel.write_text("another rule\n")
        host()
        assert not host()["changed"]

    def test_a_value_that_a_restart_does_not_change_is_an_error(self, host):
        entry = {"command": f"cat {host.kernel}", "values": {"a": 1}}
        host.unit = {**host.unit, "restart_anytime": True, "expected_values": [entry]}
        host.kernel.write_text("a = 0\n")
        for _run in range(2):
            failed = host()
            assert failed["failed"]
            assert failed["msg"] == "lamp: a is 0, not 1"
        host.kernel.write_text("a = 1\n")
        assert not host()["changed"]

    def test_a_start_that_fails_says_why(self, host, tmp_path):
        host.set(Broken="yes")
        host.unit = {**host.unit, "log": str(tmp_path / "lamp.log")}
        (tmp_path / "lamp.log").write_text("fine\n2026 ERROR no oil\n")
        result = host()
        assert result["failed"]
        assert "no oil" in result["msg"]
        assert "fine" not in result["msg"]

    def test_a_unit_that_no_package_brought(self, host):
        host.set(LoadState="not-found", UnitFileState="", ActiveState="inactive")
        assert host(check=True)["changed"]
        assert "lamp" in host()["msg"]

    def test_units_files_that_changed_are_read_first(self, host):
        host.set(NeedDaemonReload="yes")
        host()
        assert host.told()[0] == "daemon-reload"


def test_what_systemd_starts_again_is_waited_for(monkeypatch):
    """A service whose identity is not up yet fails, and comes up at a later attempt."""
    answers = iter(["activating", "activating", "active"])
    monkeypatch.setattr(
        units, "show", lambda _names: {"a": {"ActiveState": next(answers)}, "b": {"ActiveState": "failed"}}
    )
    monkeypatch.setattr(units.time, "sleep", lambda _seconds: None)
    assert units.settled(["a", "b"], 60) == ["b"]
