# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The few lines of a log that tell why something failed."""

from __future__ import annotations

import datetime
import json
import os
import time

from ansible_collections.cairn.openstack.plugins.module_utils.common import service_logs

OLD = "2026-01-01 10:00:00.1 7 ERROR nova old"
WARNING = "2026-01-01 12:00:01.1 7 WARNING nova uuid-1 slow"
PLAIN = "2026-01-01 12:00:02.1 7 ERROR nova something else"
NAMED = "2026-01-01 12:00:03.1 7 ERROR nova uuid-1 no space"


def plain(*lines):
    return [(line, False) for line in lines]


def test_only_lines_that_matter_in_their_order():
    lines = plain("2026-01-01 12:00:00 7 INFO nova fine", WARNING, PLAIN, NAMED)
    assert service_logs.chosen(lines, ["uuid-1"], 9) == [WARNING, PLAIN, NAMED]


def test_grave_lines_that_name_the_object_come_first():
    assert service_logs.chosen(plain(NAMED, WARNING, PLAIN), ["uuid-1"], 1) == [NAMED]
    assert service_logs.chosen(plain(WARNING, PLAIN, NAMED), ["uuid-1"], 2) == [PLAIN, NAMED]


def test_what_a_dhcp_server_heard_of_a_card():
    heard, other = (f"DHCPDISCOVER(ns-6b51e2f8-ca) {mac} no address available" for mac in ("fa:16:1", "fa:16:2"))
    assert service_logs.chosen(plain(heard, other), ["fa:16:1"], 9) == [heard]


def test_of_a_traceback_only_its_ends():
    start = "2026-01-01 12:00:00.1 7 ERROR nova.manager [None req-1 - -] [instance: u] Failed to build"
    inner = "2026-01-01 12:00:00.1 7 ERROR nova.manager [instance: u] Traceback (most recent call last):"
    frame = '2026-01-01 12:00:00.1 7 ERROR nova.manager [instance: u]   File "/usr/lib/x.py", line 7, in x'
    end = "2026-01-01 12:00:00.1 7 ERROR nova.manager [instance: u] nova.exception.NoSpace: full"
    assert service_logs.chosen(plain(start, inner, frame, end), ["u"], 9) == [start, end]
    words = plain(
        "Traceback (most recent call last):", '  File "/usr/lib/x.py", line 7, in x', "nova.NoSpaceError: full"
    )
    assert service_logs.chosen(words, [], 9) == ["nova.NoSpaceError: full"]


def test_what_python_ignored_is_not_told():
    fork = ("Exception ignored in: <function _after_fork at 0x7f>", "Traceback (most recent call last):")
    frame = '  File "/usr/lib/python3/dist-packages/eventlet/green/threading.py", line 7, in _after_fork'
    assert service_logs.chosen(plain(*fork, frame, "AssertionError:", PLAIN), [], 9) == [PLAIN]


def test_the_same_report_once():
    again = NAMED.replace("12:00:03.1 7", "12:00:04.2 8")
    assert service_logs.chosen(plain(NAMED, again), ["uuid-1"], 9) == [again]


def test_a_priority_makes_a_line_grave():
    assert service_logs.chosen([("it died", True), ("it lives", False)], [], 9) == ["it died"]


def test_the_fronts_failures_and_dead_workers_are_grave():
    front = 'haproxy[7]: 192.0.2.1:5 [26/Nov/2026:05:14:20] keystone~ keystone/c1 0/3/-1/-1/9 {} 217 - - SC-- "GET /"'
    failed, fine = front.format(503), front.format(200)
    died = "DAMN ! worker 1 (pid: 7) died, killed by signal 11 :( trying respawn ..."
    assert service_logs.chosen(plain(fine, failed, died), [], 9) == [failed, died]


def test_lines_without_a_time_belong_to_the_one_before():
    text = f"{OLD}\n  old trace\n2026-99-01 12:00:03 no such day\n{PLAIN}\n  new trace"
    since = datetime.datetime.fromisoformat("2026-01-01 12:00:00").astimezone()
    assert service_logs.recent(text, since) == plain(PLAIN, "  new trace")


def test_times_of_other_zones(monkeypatch):
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    since = datetime.datetime.fromisoformat("2026-01-01 12:00:00").astimezone()
    late = ("2026-01-01T17:00:01.752Z|00234|w|WARN|a", "2026-01-01T18:00:01.7+0100 7f 0 b", "2026-01-01 12:00:01.7 7 c")
    early = ("2026-01-01T16:59:59.752Z|00233|w|WARN|d", "2026-01-01T17:59:59.7+0100 7f 0 e", "2026-01-01 11:59:59 7 f")
    try:
        found = [line for one in (*late, *early) for line, _grave in service_logs.recent(one, since)]
    finally:
        monkeypatch.undo()
        time.tzset()
    assert found == list(late)


def test_files_of_the_services_only(tmp_path):
    now = datetime.datetime.now().strftime("%Y-%m-%d %H:%M:%S")
    for service, line in (("nova", f"{now}.1 ERROR new"), ("cinder", f"{now}.1 ERROR other")):
        (tmp_path / service).mkdir()
        (tmp_path / service / "a.log").write_text(line)
    quiet = tmp_path / "nova" / "quiet.log"
    quiet.write_text(f"{now}.1 ERROR untouched for long")
    os.utime(quiet, (1, 1))
    assert service_logs.files(["nova", "glance"], 60, str(tmp_path)) == {
        str(tmp_path / "nova" / "a.log"): plain(f"{now}.1 ERROR new")
    }


def test_units_that_do_not_run():
    listed = "nova-api.service enabled enabled\nnova-compute.service enabled enabled\n"
    assert service_logs.state_command(listed)[-2:] == ["nova-api.service", "nova-compute.service"]
    assert service_logs.state_command("") == []
    blocks = [
        "Type=simple\nResult=success\nId=a.service\nActiveState=active\nSubState=running",
        "Type=simple\nResult=success\nId=b.service\nActiveState=inactive\nSubState=dead",
        "Type=oneshot\nResult=success\nId=c.service\nActiveState=inactive\nSubState=dead",
        "Type=oneshot\nResult=exit-code\nId=d.service\nActiveState=failed\nSubState=failed",
    ]
    assert service_logs.idle("\n\n".join(blocks)) == [
        "b.service is inactive (dead)",
        "d.service is failed (failed, exit-code)",
    ]
    assert service_logs.idle("") == []


def test_journal_by_unit_with_its_priorities():
    entries = [
        {"_SYSTEMD_UNIT": "nova-api.service", "MESSAGE": "one\ntwo", "PRIORITY": "6"},
        {"_SYSTEMD_UNIT": "init.scope", "UNIT": "nova-api.service", "MESSAGE": "Failed", "PRIORITY": "3"},
        {"_SYSTEMD_UNIT": "nova-api.service", "MESSAGE": [1, 2]},
    ]
    assert service_logs.journal("\n".join(map(json.dumps, entries))) == {
        "nova-api.service": [("one", False), ("two", False), ("Failed", True)]
    }
