# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A domain whose users are in an LDAP directory, and rules for log-ins: declared, changed, broken and taken back."""

from __future__ import annotations

import json
import secrets
import time

import pytest
from support import ROOT

SCRIPTS = ROOT / "tests/lifecycle/scripts"
UNIT = "cairn-test-directory"
CLIENT = "openstack --os-cloud cairn"
# A user in the database, who is locked.
LOCAL = "cairn-test-local"
FAILURES = 3
# Seconds for a log-in while the directory is off, which Keystone tries several times to reach.
PATIENCE = 80


class Directory:
    """The directory, and the settings that declare it."""

    def __init__(self, playbooks, controller, path):
        self.playbooks, self.controller, self.path = playbooks, controller, path
        self.searcher, self.password = secrets.token_hex(8), secrets.token_hex(8)
        text = (SCRIPTS / "directory.sh").read_text(encoding="utf-8")
        self.ca = controller.check_output("sh -c %s sh %s %s", text, self.searcher, self.password)
        self.state = "present"

    def settings(self) -> str:
        """Write the settings, and return the argument that adds them."""
        options = {
            "url": "ldaps://127.0.0.1:10636",
            "user": "cn=search,dc=example",
            "password": self.searcher,
            "user_tree_dn": "ou=people,dc=example",
            "user_objectclass": "inetOrgPerson",
            "user_id_attribute": "uid",
            "user_name_attribute": "uid",
            "group_tree_dn": "ou=groups,dc=example",
            "group_objectclass": "groupOfNames",
            "group_name_attribute": "cn",
        }
        domain = {"name": "corp", "description": "Staff", "options": options, "ca": self.ca, "state": self.state}
        staff = {"domain": "corp", "project": "staff", "roles": ["member"]}
        resources = {"projects": [{"name": "staff", "domain": "corp"}], "groups": [{"name": "developers", **staff}]}
        settings = {
            "cloud_ldap_domains": [domain],
            "cloud_login_rules": {"lockout_failure_attempts": FAILURES, "lockout_duration": 600},
        }
        if self.state == "present":
            settings["cloud_resources"] = resources
        self.path.write_text(json.dumps(settings), encoding="utf-8")
        return f"--extra-vars=@{self.path}"

    def apply(self) -> list[str]:
        """Run site.yml as planned, and once more; return what it changed."""
        argument = self.settings()
        plan = self.playbooks.told("--check", argument)
        done = self.playbooks.told(argument)
        assert [line for line in plan.lines if line not in done.lines] == []
        assert self.playbooks.told(argument).lines == []
        return done.lines

    def log_in(self, user, password=None, domain="corp", project="staff"):
        """Return the roles of a user on a project, None if the log-in fails."""
        text = (SCRIPTS / "log_in.py").read_text(encoding="utf-8")
        words = f"{password or self.password}\n"
        said = self.controller.check_output(
            "printf %s %s | python3 -c %s %s %s %s", "%s", words, text, user, domain, project
        )
        return json.loads(said)

    def systemctl(self, verb):
        """Stop or start it: as it was run by systemd-run, a start is a new unit."""
        if verb == "stop":
            return self.controller.check_output(f"systemctl stop {UNIT}")
        work = "/var/lib/cairn-test-directory"
        options = f"-d stats -u openldap -g openldap -f {work}/slapd.conf -h ldaps://127.0.0.1:10636"
        return self.controller.check_output(f"systemd-run --quiet --collect --unit={UNIT} slapd {options}")


@pytest.fixture(scope="module")
def directory(playbooks, controller, groups, tmp_path_factory):
    """A directory on the only controller; the cloud is as before after the tests."""
    if len(groups["controller"]) > 1:
        pytest.skip("not run: the directory listens on one controller only")
    made = Directory(playbooks, controller, tmp_path_factory.mktemp("directory") / "settings.json")
    yield made
    playbooks.must("playbooks/site.yml")
    controller.run(f"{CLIENT} domain set --disable corp")
    controller.check_output(f"{CLIENT} domain delete corp")
    controller.run(f"systemctl stop {UNIT}")
    controller.run("rm -rf /var/lib/cairn-test-directory")


def test_declared(directory):
    """The plan and the run name the domain, its directory, and the role of its group."""
    lines = directory.apply()
    for line in (
        "domain corp create",
        "directory of users corp create",
        "role assignment member of group developers on project staff create",
    ):
        assert line in lines, lines
    assert directory.searcher not in str(lines)


def test_a_group_has_its_roles(directory):
    """A user of the group has its role, another one none, and a wrong password is refused."""
    assert directory.log_in("alice") == ["member", "reader"]
    assert directory.log_in("bob") is None
    assert directory.log_in("alice", "wrong") is None


def test_the_directory_is_off(directory, playbooks):
    """Users of the database log in, and a run finds nothing to do."""
    directory.systemctl("stop")
    began = time.monotonic()
    assert directory.log_in("alice") is None
    assert time.monotonic() - began < PATIENCE
    directory.controller.check_output(f"{CLIENT} token issue")
    assert playbooks.told(directory.settings()).lines == []
    directory.systemctl("start")
    assert directory.log_in("alice") == ["member", "reader"]


def test_another_password(directory):
    """A changed password of the user that searches is all that a run changes."""
    directory.systemctl("stop")
    directory.searcher = secrets.token_hex(8)
    text = (SCRIPTS / "directory.sh").read_text(encoding="utf-8")
    directory.ca = directory.controller.check_output("sh -c %s sh %s %s", text, directory.searcher, directory.password)
    lines = directory.apply()
    assert "directory of users corp change password" in lines, lines
    assert directory.log_in("alice") == ["member", "reader"]


def test_failed_log_ins_lock_people_only(directory):
    """A user is locked after failures, and a service's is not."""
    password = secrets.token_urlsafe(16)
    client = directory.controller.check_output
    client(f"{CLIENT} user create {LOCAL} --password {password} --project admin")
    client(f"{CLIENT} role add --user {LOCAL} --project admin reader")
    here = {"domain": "Default", "project": "admin"}
    assert directory.log_in(LOCAL, password, **here) == ["reader"]
    for _number in range(FAILURES):
        assert directory.log_in(LOCAL, "wrong", **here) is None
        assert directory.log_in("glance", "wrong", "Default", "service") is None
    assert directory.log_in(LOCAL, password, **here) is None
    client(f"{CLIENT} user delete {LOCAL}")
    client(f"{CLIENT} image list")


def test_it_is_taken_back(directory):
    """The domain is disabled, and Keystone has forgotten the directory."""
    directory.state = "absent"
    lines = directory.apply()
    assert "domain corp change enabled" in lines, lines
    assert "directory of users corp delete" in lines, lines
    assert directory.log_in("alice") is None
