# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Files are whose they should be."""

from __future__ import annotations

import stat

DAEMONS_MAY_OWN = {"/var/lib/rabbitmq/.erlang.cookie"}
# Where services keep what users gave them.
OF_USERS = ("/var/lib/nova/instances", "/var/lib/glance", "/var/lib/cinder", "/srv/node")


def wanted(part):
    """Return the files that the host's part wants to be there, by path."""
    files = part["cairn"]["before_packages"] + part["cairn"]["files"]
    return {file["path"]: file for file in files if file.get("state", "present") == "present"}


def stats(node, paths):
    """Return mode, owner and group of each path."""
    said = node.check_output("stat --dereference --format='%%a %%U %%G %%n'" + " %s" * len(paths), *paths)
    rows = (line.split(" ", 3) for line in said.splitlines())
    return {path: (int(mode, 8), owner, group) for mode, owner, group, path in rows}


def test_modes_and_owners(node, part):
    """Each file of the host's part has the mode, owner and group that its definition sets."""
    files = wanted(part)
    found = stats(node, list(files))
    assert set(found) == set(files)
    differing = {
        path: found[path]
        for path, file in files.items()
        if found[path] != (int(file["mode"], 8), file["owner"], file["group"])
    }
    assert differing == {}


def test_services_can_not_write_their_configuration(node, part):
    """No configuration file is writable by the service that reads it, or by others."""
    writable = {
        path: f"{mode:o} {owner}"
        for path, (mode, owner, _group) in stats(node, list(wanted(part))).items()
        if (mode & (stat.S_IWGRP | stat.S_IWOTH) or owner != "root") and path not in DAEMONS_MAY_OWN
    }
    assert writable == {}


def test_files_with_secrets_are_not_for_everybody(node, part):
    """A configuration file that holds one of the cloud's secrets is not readable by everybody."""
    secrets = [value for value in part["secrets"].values() if len(value) >= 8]
    holding = [path for path, file in wanted(part).items() if any(secret in str(file["content"]) for secret in secrets)]
    assert holding, "no file of this host holds a secret: the test would prove nothing"
    open_ones = [path for path, (mode, _o, _g) in stats(node, holding).items() if mode & stat.S_IROTH]
    assert open_ones == []


def test_files_that_should_not_be_there(node, part):
    """What the host's part wants to be gone is gone."""
    files = part["cairn"]["before_packages"] + part["cairn"]["files"]
    gone = [file["path"] for file in files if file.get("state") == "absent" and not file.get("managed_block")]
    assert [path for path in gone if node.file(path).exists] == []


def test_no_policy_keeps_services_from_starting(node):
    """No run has left its policy-rc.d behind."""
    assert not node.file("/usr/sbin/policy-rc.d").exists


def test_nothing_is_left_behind(playbooks):
    """No run, ended or killed, has left something that keeps services from starting, or half a package."""
    assert playbooks.must("tests/left_behind.yml").changes == []


def test_what_users_have_is_not_for_everybody(node):
    """The user nobody reads no file of a server's disks, of an image or of a volume."""
    found = [path for path in OF_USERS if node.file(path).exists]
    for path in found:
        said = node.run("runuser -u nobody -- find %s -type f -readable -print -quit", path)
        assert said.stdout == "", path
