# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Real files, through the module itself."""

from __future__ import annotations

import base64
import errno
import grp
import os
import pwd
from pathlib import Path

import pytest
from ansible_collections.cairn.openstack.plugins.module_utils.host import config_files as utils
from ansible_collections.cairn.openstack.plugins.modules import config_files
from told import in_words

OWNER, GROUP = pwd.getpwuid(os.getuid()).pw_name, grp.getgrgid(os.getgid()).gr_name


@pytest.fixture
def write(run_module, tmp_path):
    """Run the module on files with paths below a directory of the test's own."""

    def run(*files, check=False):
        items = [{"owner": OWNER, "group": GROUP, **file, "path": str(tmp_path / file["path"])} for file in files]
        return run_module(config_files, {"files": items}, check=check)

    return run


def mode(path):
    return path.stat().st_mode & 0o7777


def test_created_with_its_directories(write, tmp_path):
    result = write({"path": "a/b/c.conf", "content": "x = 1\n", "mode": "0640"})
    assert in_words(result["changes"]) == [f"create {tmp_path}/a/b/c.conf"]
    assert (tmp_path / "a/b/c.conf").read_text() == "x = 1\n"
    assert mode(tmp_path / "a/b/c.conf") == 0o640


def test_the_second_time_nothing(write, tmp_path):
    file = {"path": "c", "content": "x\n", "mode": "0600"}
    write(file)
    before = (tmp_path / "c").stat()
    result = write(file)
    assert (result["changed"], result["changes"], result["diff"]) == (False, [], [])
    assert (tmp_path / "c").stat() == before


KEPT = {"path": "id", "content": "4b7b", "mode": "0644", "replace": False}


@pytest.mark.parametrize("check", [False, True])
class TestWithoutReplacing:
    """Some files tell what a host is: one that is there is right, or an error."""

    def test_a_missing_file_is_written(self, write, tmp_path, check):
        result = write(KEPT, check=check)
        assert in_words(result["changes"]) == [f"create {tmp_path}/id"]
        assert result["fingerprints"][f"{tmp_path}/id"]
        assert (tmp_path / "id").exists() is not check

    def test_the_same_content_stays_as_it_is(self, write, tmp_path, check):
        (tmp_path / "id").write_text("4b7b\n")
        (tmp_path / "id").chmod(0o600)
        assert not write(KEPT, check=check)["changed"]
        assert not write({**KEPT, "content": None}, check=check)["changed"]
        assert ((tmp_path / "id").read_text(), mode(tmp_path / "id")) == ("4b7b\n", 0o600)

    @pytest.mark.parametrize("secret", [False, True])
    def test_another_content_is_an_error(self, write, tmp_path, check, secret):
        (tmp_path / "id").write_text("9c01")
        result = write({"path": "other", "content": "x"}, {**KEPT, "secret": secret}, check=check)
        assert result["failed"]
        shown = ("other content", "the right one") if secret else ("9c01", "4b7b")
        assert f"{tmp_path}/id has {shown[0]}, and should have {shown[1]}\n" in result["msg"]
        assert (tmp_path / "id").read_text() == "9c01"
        assert not (tmp_path / "other").exists()


@pytest.mark.parametrize("check", [False, True])
def test_a_file_that_its_program_refuses(write, tmp_path, check):
    write({"path": "c", "content": "good\n"}, {"path": "d", "content": "old\n"})
    command = "sh -c 'grep -q good %s || { echo line 1 is bad >&2; exit 1; }'"
    result = write(
        {"path": "d", "content": "new\n"}, {"path": "c", "content": "bad\n", "validate": command}, check=check
    )
    assert result["msg"].endswith(f"no file was changed:\n{tmp_path}/c: line 1 is bad")
    assert (tmp_path / "c").read_text() == "good\n"
    assert (tmp_path / "d").read_text() == "old\n"
    assert write({"path": "c", "content": "good as well\n", "validate": command})["changed"]


def test_a_program_that_is_yet_to_be_installed_refuses_nothing(write):
    assert write({"path": "c", "content": "x\n", "validate": "no-such-program -c %s"})["changed"]


def test_only_the_mode(write, tmp_path):
    write({"path": "c", "content": "x\n", "mode": "0644"})
    result = write({"path": "c", "content": "x\n", "mode": "0600"})
    assert in_words(result["changes"]) == [f"change {tmp_path}/c: mode"]
    assert result["diff"][0]["before"].startswith("0644")
    assert result["diff"][0]["after"].startswith("0600")
    assert mode(tmp_path / "c") == 0o600


def test_content_and_mode(write):
    write({"path": "c", "content": "x\n", "mode": "0644"})
    assert write({"path": "c", "content": "y\n", "mode": "0600"})["changes"][0]["detail"] == "content, mode"


def test_a_mode_opened_by_hand_is_closed(write, tmp_path):
    file = {"path": "c", "content": "x\n", "mode": "0600"}
    write(file)
    (tmp_path / "c").chmod(0o644)
    assert write(file)["changed"]
    assert mode(tmp_path / "c") == 0o600


def test_check_mode_shows_the_same_and_writes_nothing(write, tmp_path):
    (tmp_path / "old").write_text("a = 1\n")
    files = ({"path": "old", "content": "a = 2\n"}, {"path": "new/file", "content": "b\n"})
    planned = write(*files, check=True)
    assert (tmp_path / "old").read_text() == "a = 1\n"
    assert not (tmp_path / "new").exists()
    assert write(*files) == planned


def test_an_owner_who_is_yet_to_come_is_no_error_in_check_mode(write):
    file = {"path": "c", "content": "x\n", "owner": "nobody-of-that-name", "group": "no-such-group"}
    assert write(file, check=True)["changed"]
    result = write(file)
    assert result["failed"]
    assert "nobody-of-that-name" in result["msg"]


def test_a_file_that_fails_does_not_hide_the_others(write, tmp_path):
    result = write({"path": "a", "content": "x\n", "owner": "nobody-of-that-name"}, {"path": "b", "content": "y\n"})
    assert result["failed"]
    assert (tmp_path / "b").read_text() == "y\n"


def test_removed(write, tmp_path):
    (tmp_path / "c").write_text("x\n")
    result = write({"path": "c", "state": "absent"})
    assert in_words(result["changes"]) == [f"remove {tmp_path}/c"]
    assert not (tmp_path / "c").exists()
    assert not write({"path": "c", "state": "absent"})["changed"]


def test_a_link_is_removed_and_what_it_names_stays(write, tmp_path):
    (tmp_path / "real").write_text("x\n")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    write({"path": "link", "state": "absent"})
    assert not (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").exists()


def test_nothing_is_left_beside_a_file(write, tmp_path):
    write({"path": "c", "content": "x\n"})
    assert os.listdir(tmp_path) == ["c"]


def test_nobody_reads_half_a_file(write, tmp_path, monkeypatch):
    """Whoever opened the old file keeps it: the new one takes its place in one step, with its mode already set."""
    write({"path": "c", "content": "old\n", "mode": "0600"})
    seen = []
    replace = os.replace

    def spy(source, target):
        seen.append((mode(Path(source)), Path(source).read_text(), Path(target).read_text()))
        replace(source, target)

    monkeypatch.setattr(os, "replace", spy)
    write({"path": "c", "content": "new\n", "mode": "0600"})
    assert seen == [(0o600, "new\n", "old\n")]


def test_a_file_that_cannot_be_replaced_is_rewritten(write, tmp_path, monkeypatch):
    def busy(source, target):
        raise OSError(errno.EBUSY, "a mount point")

    (tmp_path / "c").write_text("old\n")
    monkeypatch.setattr(os, "replace", busy)
    write({"path": "c", "content": "new\n", "mode": "0600"})
    assert ((tmp_path / "c").read_text(), mode(tmp_path / "c")) == ("new\n", 0o600)
    assert os.listdir(tmp_path) == ["c"]


def test_bytes_that_are_no_text_survive(write, tmp_path):
    (tmp_path / "hosts").write_bytes(b"1.2.3.4 caf\xe9\n")
    write({"path": "hosts", "content": "5.6.7.8 b", "managed_block": True})
    assert (tmp_path / "hosts").read_bytes().startswith(b"1.2.3.4 caf\xe9\n")


BLOCK = {"path": "hosts", "content": "192.0.2.1 a\n", "managed_block": True, "comment_out": r"^127\.0\.1\.1\s"}


def test_a_block_keeps_what_the_owner_wrote(write, tmp_path):
    hosts = tmp_path / "hosts"
    hosts.write_text("127.0.0.1 localhost\n127.0.1.1 me\n192.0.2.9 mine")
    write(BLOCK)
    lines = hosts.read_text().splitlines()
    assert lines[:3] == ["127.0.0.1 localhost", "# (Cairn) 127.0.1.1 me", "192.0.2.9 mine"]
    assert lines[4] == "192.0.2.1 a"
    assert not write(BLOCK)["changed"]
    write({**BLOCK, "state": "absent"})
    assert hosts.read_text() == "127.0.0.1 localhost\n127.0.1.1 me\n192.0.2.9 mine\n"


def test_a_block_is_replaced_where_lines_were_added_behind_it(write, tmp_path):
    write(BLOCK)
    hosts = tmp_path / "hosts"
    hosts.write_text(hosts.read_text() + "192.0.2.9 mine\n")
    write({**BLOCK, "content": "192.0.2.2 b\n"})
    text = hosts.read_text()
    assert text.count("BEGIN cairn") == 1
    assert "192.0.2.9 mine" in text
    assert "192.0.2.1 a" not in text
    assert not write({**BLOCK, "content": "192.0.2.2 b\n"})["changed"]


def test_the_diff_masks_secrets(write):
    write({"path": "c", "content": "[db]\npassword = one\nport = 1\n"})
    (diff,) = write({"path": "c", "content": "[db]\npassword = two\nport = 2\n"})["diff"]
    assert "one" not in str(diff)
    assert "two" not in str(diff)
    assert "port = 2" in diff["after"]


def test_a_secret_that_differs_alone_is_said(write):
    write({"path": "c", "content": "password = one\n"})
    (diff,) = write({"path": "c", "content": "password = two\n"})["diff"]
    assert "differs" in diff["after"]
    assert "two" not in str(diff)


def test_a_secret_file_is_not_shown_at_all(write):
    result = write({"path": "key", "content": "plain words\n", "secret": True})
    assert "plain words" not in str(result["diff"])


def test_values_to_mask_are_not_in_the_result(run_module, tmp_path):
    item = {"path": str(tmp_path / "c"), "content": "cookie is Sesame42\n", "owner": OWNER, "group": GROUP}
    result = run_module(config_files, {"files": [item], "mask": ["Sesame42"]})
    assert "Sesame42" not in str(result)
    assert "Sesame42" in (tmp_path / "c").read_text()


def test_the_difference_says_who_owns_it():
    before = utils.State("x", 0o644, "root", "root")
    after = utils.State("x", 0o644, "root", "glance")
    assert in_words([utils.change("/c", before, after)]) == ["change /c: owner"]
    assert "root:glance" in utils.difference("/c", before, after, False)["after_header"]


def test_what_is_no_text(write, tmp_path):
    """Every byte arrives, a second run changes nothing, and nobody is shown any."""
    data = bytes(range(256)) + b"\r\n\n\r"
    file = {"path": "object.ring.gz", "content": base64.b64encode(data).decode(), "encoding": "base64"}
    first = write(file)
    assert (tmp_path / "object.ring.gz").read_bytes() == data
    assert first["diff"][0]["after"].startswith("(260 bytes, sha256 ")
    assert first["diff"][0]["before"] == ""
    assert write(file)["changes"] == []
