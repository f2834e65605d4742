# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reading results, naming hosts, counting, shortening, causes and remedies."""

from __future__ import annotations

import pytest
from ansible_collections.cairn.openstack.plugins.module_utils.common.changes import listed, returned
from ansible_collections.cairn.openstack.plugins.plugin_utils.control_node import remedies, run_changes, run_text
from ansible_collections.cairn.openstack.plugins.plugin_utils.control_node.run_changes import Change
from ansible_collections.cairn.openstack.plugins.plugin_utils.control_node.run_record import Run


class TestReading:
    def test_what_modules_return(self):
        changes = [returned("unit", "restart", "nova-api", "/a, /b"), returned("database", "create", "nova")]
        assert run_changes.read("Task", {"changed": True, "changes": changes}) == [
            Change("unit", "restart", "nova-api", "/a, /b"),
            Change("database", "create", "nova"),
        ]
        assert run_changes.read("Task", {"changed": False, "changes": changes}) == []
        loop = {"results": [{"changed": True, "changes": changes[:1]}, {"changed": True, "changes": changes[1:]}]}
        assert [change.name for change in run_changes.read("Task", loop)] == ["nova-api", "nova"]

    @pytest.mark.parametrize(
        "found", [None, [], {"x": 1}, ["nova-api restarted"], [{"kind": "file", "verb": "create", "name": "/a"}, 1]]
    )
    def test_what_others_return_is_a_step(self, found):
        assert run_changes.read("Host name", {"changed": True, "changes": found}) == [
            Change("step", "change", "Host name")
        ]

    def test_each_change_has_its_own_diff(self):
        diffs = [{"before_header": "user a", "after": 1}, {"before_header": "user a", "after": 2}]
        changes = [returned("user", "create", "a"), returned("user", "change", "a", "password")]
        result = {"changed": True, "changes": changes, "diff": diffs}
        assert [change.diff for change in run_changes.read("x", result)] == [(diffs[0],), (diffs[1],)]
        # One of all changes says nothing new.
        for diff in (listed(changes), diffs[:1]):
            assert [change.diff for change in run_changes.read("x", {**result, "diff": diff})] == [(), ()]


class TestCeph:
    """A plan says what changes in Ceph: all of it was told as a step."""

    CHANGES = (
        ("Ceph user", "create", "client.glance"),
        ("Ceph pool", "change", "images", "size 2 -> 3"),
        ("Ceph device", "drain", "osd.3", "no longer in the inventory"),
    )

    def run(self, check):
        result = {"changed": True, "changes": [returned(*change) for change in self.CHANGES]}
        run = Run(check=check)
        run.begin_phase("Ceph")
        run.begin_step("Ceph's users, pools and devices", "cairn.openstack.ceph")
        run.ok("storage1", "storage1", "cairn.openstack.ceph", run.step.name, result)
        return run

    def test_counted(self):
        text, _colour = run_text.plan_line(self.run(True), ["storage1"])
        assert text == "Plan: 1 Ceph user, 1 Ceph pool, 1 Ceph device on storage1"

    @pytest.mark.parametrize(
        ("check", "lines"),
        [
            (True, ["would drain Ceph device osd.3: no longer in the inventory"]),
            (False, ["drained Ceph device osd.3: no longer in the inventory"]),
        ],
    )
    def test_told(self, check, lines):
        run = self.run(check)
        shown = run_text.change_lines(run, run.changes, ["storage1", "other"], 120, None)
        words = [" ".join(line.replace("storage1", "").split()) for line, _colour in shown]
        assert [line for line in words if "osd.3" in line] == lines


DEFINITIONS = {
    "nova": "files: {nova.conf: {path: /etc/default/api}}",
    "base": "packages: [sudo, chrony]",
    "client": "packages: [sudo]",
}


@pytest.mark.parametrize(
    ("kind", "name", "definition"),
    [
        ("file", "/etc/nova/nova.conf", "nova"),
        ("database grant", "nova@% on nova_api", "nova"),
        ("file", "/etc/default/api", "nova"),
        ("file", "/etc/default/api-other", ""),
        ("package", "chrony", "base"),
        ("package", "sudo", ""),  # two definitions
        ("certificate", "chrony", ""),
    ],
)
def test_the_service(kind, name, definition):
    assert run_changes.service_of(Change(kind, "create", name), DEFINITIONS) == definition


def test_a_unit_is_counted_once():
    unit = [Change("unit", verb, "nova-api") for verb in ("enable", "start")]
    assert run_changes.counts([("a", change) for change in unit]) == {"unit": {"start": 1}}
    assert run_changes.counts([("a", unit[1]), ("b", unit[1])]) == {"unit": {"start": 2}}


def test_a_ring_is_counted_once_and_each_step_of_a_schema():
    """Several devices of one ring change; a schema has several steps, and so has a task in a loop."""
    ring = [("a", Change("ring", "change", "object", f"storage{number}/d added")) for number in range(3)]
    assert run_changes.counts(ring) == {"ring": {"change": 1}}
    steps = [("a", Change("schema step", "run", "nova", command)) for command in ("api_db sync", "db sync")]
    assert run_changes.counts(steps) == {"schema step": {"run": 2}}


@pytest.mark.parametrize(
    ("names", "everybody", "words"),
    [
        (["compute1"], ["compute1"], "compute1"),
        (["compute2", "compute1"], ["compute1", "compute2"], "all 2 hosts"),
        (["compute2", "compute1"], ["x"], "compute1-2"),
        (["compute9", "compute10", "compute11"], [], "compute9-11"),
        (["c08", "c09", "c10"], [], "c08-10"),
        (["compute1", "compute3"], [], "compute1, compute3"),
        (["n1.example.org", "n2.example.org"], [], "n1-2.example.org"),
        (["one", "two"], [], "one, two"),
        ([f"compute{number}" for number in range(0, 40, 2)], [], "20 hosts"),
    ],
)
def test_hosts(names, everybody, words):
    assert run_text.hosts(names, everybody) == words


def test_a_plan_names_every_host():
    assert run_text.hosts(["compute2", "compute4", "compute6", "compute8"], exact=True).endswith("compute6, compute8")


def test_numbers():
    assert run_text.number(1, "key repository") == "1 key repository"
    assert run_text.number(2, "key repository") == "2 key repositories"
    assert run_text.number(0, "file") == "0 files"


FILES = [Change("file", "create", f"/etc/{number:02}") for number in range(20)]
PACKAGES = [Change("package", "install", f"package{number}") for number in range(100)]


class TestShortening:
    def test_a_run_is_short(self):
        rows = [text for text, _change in run_text.rows_of(False, [*PACKAGES, *FILES], 60)]
        assert rows[0].startswith("100 packages: package0, package1, ")
        assert rows[0].endswith(" more")
        assert len(rows[0]) <= 60
        assert len(rows) == 1 + run_text.SHOWN
        assert rows[-1] == "… 13 more"

    def test_a_plan_is_complete(self):
        rows = [text for text, _change in run_text.rows_of(True, [*PACKAGES, *FILES], 60)]
        assert "package99" in rows[0]
        assert len(rows) == 21

    def test_restarts_are_all_told(self):
        restarts = [Change("unit", "restart", f"unit{number}", "/etc/x") for number in range(20)]
        assert len(run_text.rows_of(False, restarts, 60)) == 20

    @pytest.mark.parametrize("check", [True, False])
    @pytest.mark.parametrize("width", [50, 80, 120])
    def test_lines_fit(self, check, width):
        changes = [(host, change) for host in ("a", "b") for change in [*PACKAGES, *FILES]]
        for line, _colour in run_text.change_lines(Run(check=check), changes, ["a", "b"], width, None):
            assert len(line) <= width


class TestCauses:
    def test_the_faults_of_preflight_are_all_shown(self):
        text = "\n".join(f"error {number}" for number in range(99))
        assert len(run_text.cause({"msg": text, "errors": 99})) == 99
        assert len(run_text.cause({"msg": text})) < 99

    def test_a_long_log_is_cut_to_its_errors(self):
        log = [f"2026-01-01 10:00:{second:02} INFO all is well {'x' * second}" for second in range(40)]
        log[7] = "2026-01-01 10:00:07 ERROR it broke"
        words = run_text.cause({"msg": "\n".join(["systemctl failed", "--- a.service", *log, "--- b", "short"])})
        assert words == ["systemctl failed", "--- a.service", "2026-01-01 10:00:07 ERROR it broke", "--- b", "short"]

    def test_without_errors_its_end_is_told(self):
        words = run_text.cause({"msg": "\n".join(f"line {'x' * number}" for number in range(40))})
        assert len(words) == 1 + run_text.LOG_LINES
        assert words[-1].endswith("x" * 39)

    def test_a_command(self):
        assert run_text.cause({"msg": "non-zero return code", "stderr": "no such thing\n"}) == [
            "non-zero return code",
            "no such thing",
        ]

    def test_a_loop(self):
        items = [{"msg": "fine"}, {"failed": True, "msg": "broken"}]
        assert run_text.cause({"msg": "One or more items failed", "results": items}) == ["broken"]

    def test_no_words(self):
        assert "-v" in run_text.cause({})[0]

    def test_secrets_are_masked(self):
        assert "sesam" not in "".join(run_text.cause({"msg": "password = sesam\nmysql://nova:sesam@host/nova"}))

    @pytest.mark.parametrize(
        ("result", "found"),
        [
            ({"silent": {"nova-api": "refused", "glance-api": "refused"}}, ["glance-api", "nova-api"]),
            ({"msg": "failed\n--- nova-api\nwords"}, ["nova-api"]),
            ({"msg": "run schema step nova: nova-manage db sync: exit code 1"}, ["nova"]),
            ({"msg": "something"}, []),
        ],
    )
    def test_the_service(self, result, found):
        assert run_text.services(result, run_text.cause(result), DEFINITIONS) == found


class TestRemedies:
    @pytest.mark.parametrize(
        ("words", "remedy"),
        [
            ("No package source offers: nova-api. Check the release", "cloud_package_sources"),
            ("E: Unable to locate package nova-api", "cloud_package_sources"),
            ("E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 12", "unattended-upgrades"),
            ("OSError: [Errno 28] No space left on device", "df -h"),
            ("E: Release file for http://deb.debian.org/ is not valid yet (invalid for another 3h)", "timedatectl"),
            ("SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: certificate is not yet valid", "timedatectl"),
            ("certificate verify failed: self-signed certificate in chain", "ca.crt"),
            ("Err:1 http://deb.debian.org trixie  Temporary failure resolving 'deb.debian.org'", "resolv.conf"),
            ("Failed to connect to the host via ssh: ssh: Could not resolve hostname c1: Name or service not known",
             "resolv.conf"),
            ("E: Failed to fetch http://deb.debian.org/x.deb  404  Not Found", "proxy"),
            ("Failed to connect to the host via ssh: Host key verification failed.", "ssh-keygen -R"),
            ("Failed to connect to the host via ssh: admin@192.0.2.1: Permission denied (publickey).", "ansible_user"),
            ("admin@192.0.2.1: Permission denied (publickey,password).", "ansible_user"),
            ("Failed to connect to the host via ssh: connect to host 192.0.2.1 port 22: No route to host", "--limit"),
            ("Missing sudo password", "--ask-become-pass"),
            ("sudo: a password is required", "--ask-become-pass"),
            ("/bin/sh: 1: /usr/bin/python3: not found", "apt-get install python3"),
            ("Attempting to decrypt but no vault secrets found", "--ask-vault-pass"),
            ("Decryption failed (no vault secrets were found that could decrypt) on secrets.yml", "--ask-vault-pass"),
            ("/home/x/.secrets lacks these secrets: admin", "cloud_secrets_dir"),
            ("OSError: [Errno 98] Address already in use", "ss -ltnp"),
            ("(0, 0): (403) ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN", "in RabbitMQ"),
            ("(1045, \"Access denied for user 'nova'@'192.0.2.1' (using password: YES)\")", "one in MariaDB"),
            ("(2003, \"Can't connect to MySQL server on '192.0.2.1'\")", "journalctl -u mariadb"),
            ("RabbitMQ's API: refused. Does rabbitmq-server run, with rabbitmq_management?", "rabbitmq-server"),
            ("ConflictException: 409: No more IP addresses available on network 5b1c.", "cloud_external_pool"),
            ("database nova is at revision x: the database is newer than the package.", "restore"),
            ("No installed package provides these units: nova-apo", "service definition"),
            ("Error while resolving value: 'cloud_nam' is undefined", "group_vars"),
            ("something that nobody has seen", ""),
        ],
    )  # fmt: skip
    def test_each(self, words, remedy):
        found = remedies.remedy(words)
        assert remedy in found
        assert bool(found) == bool(remedy)


def test_a_line_that_nobody_would_read_is_cut():
    shown = [line for line, _colour in run_text.wrapped([("1" * 3_000_000, None)], 100)]
    assert len(shown) < 30
    assert " ".join(shown).endswith("2998000 characters more")
