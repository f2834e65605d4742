# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Key repositories in a scratch directory."""

from __future__ import annotations

import base64
import grp
import os
import pwd

import pytest
from ansible_collections.cairn.openstack.plugins.module_utils.common.changes import Failed
from ansible_collections.cairn.openstack.plugins.module_utils.control_plane import fernet_keys
from ansible_collections.cairn.openstack.plugins.module_utils.overview.pending import pending
from told import in_words

KEYS = [base64.urlsafe_b64encode(bytes([number]) * 32).decode() for number in range(2)]


@pytest.fixture
def repository(tmp_path):
    owner, group = pwd.getpwuid(os.getuid())[0], grp.getgrgid(os.getgid())[0]
    return {"path": str(tmp_path / "fernet-keys"), "keys": KEYS, "owner": owner, "group": group}


def settle(repository):
    changes = fernet_keys.plan(repository)
    for change in changes:
        change.make()
    return in_words(changes)


def mode(path):
    return f"{os.stat(path).st_mode & 0o7777:o}"


@pytest.mark.parametrize("empty", [False, True])
def test_made_whole_and_then_left_alone(repository, tmp_path, empty):
    if empty:
        (tmp_path / "fernet-keys").mkdir()
    assert settle(repository) == [f"create key repository {repository['path']}"]
    path = tmp_path / "fernet-keys"
    assert [(path / name).read_text() for name in ("0", "1")] == KEYS
    assert [mode(path), mode(path / "0"), mode(path / "1")] == ["700", "600", "600"]
    assert os.listdir(tmp_path) == ["fernet-keys"]
    assert settle({**repository, "keys": KEYS[::-1]}) == []
    assert (path / "0").read_text() == KEYS[0]


def test_rotated_keys_stay_but_modes_are_repaired(repository, tmp_path):
    settle(repository)
    path = tmp_path / "fernet-keys"
    (path / "1").rename(path / "7")
    (path / "7").chmod(0o644)
    path.chmod(0o755)
    change = fernet_keys.plan(repository)[0]
    assert set(change.after) == {str(path), str(path / "7")}
    assert settle(repository) == [f"repair key repository {repository['path']}: mode and owner"]
    assert sorted(os.listdir(path)) == ["0", "7"]
    assert settle(repository) == []


@pytest.mark.parametrize("lost", ["0", "1"])
@pytest.mark.parametrize("empty", [False, True])
def test_a_lost_key_of_a_repository_that_was_never_rotated(repository, tmp_path, lost, empty):
    """Every controller has the given ones; the primary key decrypts what is stored."""
    settle(repository)
    path = tmp_path / "fernet-keys"
    (path / lost).write_text("") if empty else (path / lost).unlink()
    assert settle(repository) == [f"repair key repository {repository['path']}: without key {lost}"]
    assert [(path / name).read_text() for name in ("0", "1")] == KEYS
    assert mode(path / lost) == "600"
    assert settle(repository) == []
    assert sorted(os.listdir(path)) == ["0", "1"]


def test_a_lost_staged_key_after_a_rotation(repository, tmp_path):
    """The given staged key is a primary or former one by then; the others are not touched."""
    settle(repository)
    path = tmp_path / "fernet-keys"
    (path / "0").rename(path / "2")
    assert settle(repository) == [f"repair key repository {repository['path']}: without key 0"]
    assert [(path / name).read_text() for name in ("2", "1")] == KEYS
    new = (path / "0").read_text()
    assert new not in KEYS
    fernet_keys.check_keys({"path": "/x", "keys": [new, *KEYS]})
    assert settle(repository) == []


@pytest.mark.parametrize(
    ("names", "what"),
    [
        # Key 2 is the given staged key.
        ({"0": "c", "1": "1"}, "its primary key"),
        ({"0": "c"}, "its primary key"),
        ({"0": "c", "2": "0", "4": "d"}, "key 3"),
        ({"0": "c", "1": "1", "2": "0"}, None),
        ({"0": "c", "3": "d", "4": "e"}, None),
        ({"2": "0"}, None),
        ({"0": "c", "1": "d"}, None),
        ({"0": "0"}, None),
        ({}, None),
    ],
)
def test_a_lost_primary_key_after_a_rotation(repository, tmp_path, names, what):
    """No run can make it again: a warning says what to do."""
    path = tmp_path / "fernet-keys"
    path.mkdir()
    for name, key in names.items():
        (path / name).write_text(KEYS[int(key)] if key.isdigit() else key * 44)
    options = {"repositories": [repository]}
    told = fernet_keys.warnings(options)
    assert [text.split(": ")[0].split(" has lost ")[1] for text in told] == ([what] if what else [])
    assert pending({"keys": {"module": "fernet_keys", "options": options}})["keys"]
    if what:
        assert "from another controller" in told[0]
        settle(repository)
        assert pending({"keys": {"module": "fernet_keys", "options": options}})["keys"]


def test_an_unknown_owner_leaves_the_repository_as_it_was(repository, tmp_path):
    settle(repository)
    path = tmp_path / "fernet-keys"
    (path / "0").unlink()
    changes = fernet_keys.plan({**repository, "owner": "no-such-user"})
    with pytest.raises(Failed, match="the user no-such-user does not exist"):
        changes[0].make()
    assert os.listdir(path) == ["1"]


def test_an_unknown_owner_fails_only_when_it_is_needed_and_leaves_nothing(repository, tmp_path):
    changes = fernet_keys.plan({**repository, "owner": "no-such-user"})
    assert in_words(changes) == [f"create key repository {repository['path']}"]
    with pytest.raises(Failed, match="the user no-such-user does not exist"):
        changes[0].make()
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ([], "no keys"),
        ([KEYS[0]] * 2, "given twice"),
        (["short"], "key 0 is not"),
        ([KEYS[0], "é" * 44], "key 1 is not"),
    ],
)
def test_bad_keys_are_refused_without_showing_them(keys, words):
    with pytest.raises(Failed, match=words) as error:
        fernet_keys.check_keys({"path": "/x", "keys": keys})
    assert not any(key in str(error.value) for key in keys)


def test_no_key_is_shown(repository):
    assert KEYS[0] not in str(fernet_keys.plan(repository)[0].after)
