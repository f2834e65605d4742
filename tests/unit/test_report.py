# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The report: what is read of a host and of the cloud, what counts as a problem, and the page."""

from __future__ import annotations

import datetime
import json
import os
import re
import stat
from pathlib import Path
from types import SimpleNamespace

import pytest
import report_sample as sample
from ansible_collections.cairn.openstack.plugins.action import report_page as action
from ansible_collections.cairn.openstack.plugins.module_utils.cloud import usage
from ansible_collections.cairn.openstack.plugins.module_utils.common import rest
from ansible_collections.cairn.openstack.plugins.module_utils.common.changes import Failed, Unreachable
from ansible_collections.cairn.openstack.plugins.module_utils.control_plane import cloud_report
from ansible_collections.cairn.openstack.plugins.module_utils.overview import host_report
from ansible_collections.cairn.openstack.plugins.module_utils.storage.ceph import status
from ansible_collections.cairn.openstack.plugins.modules import host_report as host_module
from ansible_collections.cairn.openstack.plugins.plugin_utils.control_node import (
    authority,
    report_model,
    report_page,
    run_history,
    run_lock,
    run_record,
)
from html_page import Page

SECTIONS = ["Problems", "Topology", "Services", "Capacity", "Hosts", "Certificates", "Drift", "Last runs", "Endpoints"]
ROOT = Path(__file__).resolve().parents[2]


def model(hosts=None, cloud=None, runs=None, **options):
    found = sample.ailing() if hosts is None else hosts
    return report_model.model(
        {**sample.OPTIONS, **options},
        found,
        sample.sick_cloud() if cloud is None else cloud or None,
        "",
        runs or sample.RUNS,
        sample.NOW,
    )


def page(**given):
    return Page(report_page.render(model(**given)))


def luminance(colour):
    """Return the relative luminance of a colour such as #fff or #1b2530."""
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def problems(found):
    return [(one["level"], one["what"], one["where"]) for one in found["problems"]]


class TestPage:
    def test_every_section_and_host_is_there(self):
        found = page()
        assert found.open == []
        assert [one for one in found.headings if one in SECTIONS] == SECTIONS
        assert [name for name in sample.GROUPS if name not in found.headings] == []
        for text in (
            "nova-conductor",
            "10.203.1.12",
            "tunnel",
            "410 GiB of 1.8 TiB",
            "cairn root certificate authority",
        ):
            assert text in found.text
        assert "39 passed, 0 failed" in found.text

    def test_nothing_is_loaded_and_links_lead_somewhere(self):
        text = report_page.render(model())
        found = Page(text)
        assert found.loads == []
        assert found.tags & {"script", "link", "img", "iframe", "object", "embed", "form", "base"} == set()
        assert "url(" not in text
        assert "@import" not in text
        assert [link for link in found.links if not link.startswith("#") or link[1:] not in found.ids] == []
        assert len(found.ids) == len(set(found.ids))

    def test_log_lines_are_text(self):
        hostile = 'ERROR </pre><script>alert(1)</script> {{ 7 * 7 }} \x1b[31m \x00 \' onload="x" &amp;'
        hosts = sample.ailing()
        hosts[0]["report"]["errors"] = {"/var/log/<nova>.log": [hostile]}
        hosts[0]["report"]["silent"] = {"<i>api": hostile}
        hosts[3]["why"] = hostile
        text = report_page.render(model(hosts=hosts))
        found = Page(text)
        assert "<script" not in text
        assert found.open == []
        assert "</pre><script>alert(1)</script> {{ 7 * 7 }}" in found.text
        assert "\x1b" not in text
        assert "\x00" not in text

    def test_names_are_text(self):
        hosts = [{**sample.well()[0], "name": '"><b onclick="x">', "groups": ["<controller>"]}]
        found = page(hosts=hosts, cloud=sample.cloud())
        assert '"><b onclick="x">' in found.text

    def test_a_host_that_does_not_answer_is_shown_as_such(self):
        found = page()
        assert "compute2 does not answer" in found.text
        assert "No route to host" in found.text
        assert "4 of 5 hosts answer" in found.text

    def test_without_any_answer(self):
        hosts = [{**one, "report": None, "why": "no route"} for one in sample.well()]
        found = page(hosts=hosts, cloud={})
        assert "0 of 5 hosts answer. " in found.text
        assert "the cloud could not be read" in found.text
        assert [one for one in found.headings if one in SECTIONS] == SECTIONS

    def test_states_have_words_beside_their_colours(self):
        text = page().text
        for word in ("✕ Problem", "! Warning", "i Note", "✓ active", "✕ failed (exit-code)", "92 % full"):
            assert word in text

    def test_texts_can_be_read(self):
        """Each colour of a text on what is behind it, in both schemes, as WCAG 2 asks for (4.5 to 1)."""
        schemes = re.findall(r":root \{(.*?)\}", (report_page.TEMPLATES / report_page.TEMPLATE).read_text(), re.DOTALL)
        behind = {"text": ("page", "card", "soft"), "dim": ("page", "card", "soft"), "link": ("page", "card")}
        behind |= {name: ("card", f"{name}-soft") for name in ("well", "warn", "bad", "note")}
        for scheme in schemes[:2]:
            colours = {name: luminance(value) for name, value in re.findall(r"--([\w-]+): (#\w+)", scheme)}
            for name, places in behind.items():
                for place in places:
                    light, dark = sorted((colours[name], colours[place]), reverse=True)
                    assert (light + 0.05) / (dark + 0.05) >= 4.5, (name, place)

    def test_a_cloud_that_is_well(self):
        found = page(hosts=sample.well(), cloud=sample.cloud())
        assert "✓ All is well" in found.text
        assert "5 of 5 hosts answer, all units run, the first certificate ends in 712 days" in found.text
        assert "Nothing to do." in found.text

    def test_many_hosts_are_not_drawn_but_listed(self):
        first = sample.well()[0]
        hosts = [{**first, "name": f"compute{number}"} for number in range(40)]
        text = report_page.render(model(hosts=hosts, cloud=sample.cloud()))
        assert "<svg" not in text
        assert "compute39" in Page(text).headings


class TestProblems:
    def test_each_is_named_once_the_worst_first(self):
        assert problems(model()) == [
            ("critical", "nova-api is failed (exit-code)", "controller1"),
            ("critical", "compute2 does not answer", "compute2"),
            ("warning", "2 security updates pending", "controller1"),
            ("warning", "2 differences from the desired state", "compute1"),
            ("warning", "/var/lib is 92 % full", "storage1"),
            ("warning", "cairn.cairn.internal expires in 41 days", "controller1"),
            ("warning", "server web-3 is in state ERROR", "compute2"),
            ("note", "a reboot is required", "compute1"),
        ]

    def test_a_failed_unit_is_explained_by_its_log(self):
        (first, *_rest) = model()["problems"]
        assert "Error starting thread" in first["detail"]
        assert first["command"] == "playbooks/site.yml --limit controller1"

    def test_the_sections_that_they_name_are_there(self):
        cloud = sample.sick_cloud()
        cloud["parts"][0]["ok"] = False
        hosts = sample.ailing()
        hosts[4]["report"]["cluster"] = {**status.ABOUT, "why": "no quorum"}
        cloud["processes"][0] |= {"ok": False, "state": "disabled"}
        cloud["processes"][1]["left"] = "the inventory has no host"
        cloud["capacity"][0]["used"] = 10**6
        hosts[1]["clock_offset"] = 60
        hosts[1]["report"] |= {"other_failed_units": ["x.service"], "memory": {"total": 100, "available": 1}}
        verified = {**sample.RUNS["verification"], "failures": 1}
        found = model(hosts=hosts, cloud=cloud, runs={**sample.RUNS, "verification": verified})["problems"]
        assert len(found) > 15
        for one in found:
            if one["page"]:
                text = (ROOT / one["page"]).read_text(encoding="utf-8")
                assert any(line.lstrip("# ") == one["section"] for line in text.splitlines() if line[:1] == "#"), one

    def test_none_of_a_cloud_that_is_well(self):
        assert problems(model(hosts=sample.well(), cloud=sample.cloud())) == []

    @pytest.mark.parametrize(
        ("change", "level", "what"),
        [
            ({"silent": {"nova-api": "timed out"}}, "critical", "nova-api does not answer"),
            ({"other_failed_units": ["x.service"]}, "warning", "other failed units: x.service"),
            ({"memory": {"total": 100, "available": 3}}, "warning", "little memory is left"),
            ({"lists_age": None}, "note", "the package lists are old"),
            ({"reboot_required": True}, "note", "a reboot is required"),
        ],
    )
    def test_of_a_host(self, change, level, what):
        host = sample.well()[1]
        host["report"] |= change
        (found,) = report_model.of_host(host, sample.OPTIONS)
        assert (found["level"], found["what"], found["where"]) == (level, what, "network1")

    def test_a_clock_that_differs(self):
        host = {**sample.well()[1], "clock_offset": -31.0}
        assert [one["what"] for one in report_model.of_host(host, sample.OPTIONS)] == ["the clock differs"]

    def test_an_address_that_two_hosts_have(self):
        hosts = sample.well()
        hosts[1]["report"]["nics"][0]["addresses"].append("10.203.0.10/32")
        (found,) = model(hosts=hosts, cloud=sample.cloud())["problems"]
        assert found["what"] == "Address 10.203.0.10 is on controller1 and network1"

    def test_a_cluster_of_storage(self):
        hosts = sample.well()
        ailing = {**sample.CEPH["part"], "ok": False, "state": "WARN"}
        hosts[4]["report"]["cluster"] = {**sample.CEPH, "part": ailing}
        hosts[3]["report"]["cluster"] = {**status.ABOUT, "why": "no key"}
        found = model(hosts=hosts, cloud=sample.cloud())
        assert problems(found) == [("critical", "Ceph: WARN", "cloud")]
        ailing["mild"] = True
        assert problems(model(hosts=hosts, cloud=sample.cloud())) == [("warning", "Ceph: WARN", "cloud")]
        assert "Ceph, all disks" in [bar["name"] for bar in found["capacity"]]
        hosts[4]["report"]["cluster"] = None
        assert problems(model(hosts=hosts, cloud=sample.cloud())) == [("critical", "Ceph does not answer", "cloud")]

    def test_an_address_that_no_host_has(self):
        hosts = sample.well()
        both = {"internal": "10.0.0.9", "public": "198.51.100.9"}
        assert [(one["ok"], one["state"]) for one in report_model.leaders(hosts, both)] == [
            (False, "on no host"),
            (False, "on no host"),
        ]
        # One controller has the internal address itself; a router in front of it may have the public one.
        own = {"internal": hosts[0]["address"], "public": "198.51.100.9"}
        assert [(one["ok"], one["state"]) for one in report_model.leaders(hosts, own)] == [
            (True, "on controller1"),
            (True, "outside of the cloud"),
        ]
        hosts[4]["report"] = None
        assert report_model.leaders(hosts, both)[0]["state"] == "on no host"
        hosts[0]["report"] = None
        assert report_model.leaders(hosts, both)[0]["state"] == "on no host that has answered"

    def test_of_the_cloud(self):
        cloud = sample.cloud()
        cloud["parts"][1] |= {"ok": False, "state": "2 of 3 nodes"}
        cloud["processes"][0] |= {"ok": False, "state": "disabled", "reason": "maintenance by Cairn"}
        cloud["processes"][1] |= {"left": "the inventory has no host controller1"}
        for one, backend in zip(cloud["processes"][-2:], ("", "disks"), strict=True):
            one |= {"ok": False, "state": "down", "host": backend or one["host"], "backend": backend}
        cloud["problems"] = [{"name": "volumes", "why": "503"}]
        cloud["capacity"][-1]["used"] = 190
        # Any of several hosts can run one that names its back end.
        commands = {one["what"]: one["command"] for one in report_model.of_cloud(cloud, sample.OPTIONS)}
        assert commands["cinder-scheduler on controller1 is down"] == "playbooks/site.yml --limit controller1"
        assert commands["cinder-volume on disks@disks is down"] == "playbooks/site.yml"
        assert [(one["level"], one["what"]) for one in report_model.of_cloud(cloud, sample.OPTIONS)] == [
            ("critical", "volumes: no answer"),
            ("critical", "RabbitMQ: 2 of 3 nodes"),
            ("warning", "nova-conductor on controller1 is disabled"),
            ("warning", "nova-scheduler on controller1 is left over"),
            ("critical", "cinder-scheduler on controller1 is down"),
            ("critical", "cinder-volume on disks@disks is down"),
            ("warning", "addresses of public: 95 % used"),
        ]

    def test_a_verification_that_failed(self, tmp_path):
        path = tmp_path / "verify.xml"
        path.write_text(
            '<testsuite tests="3" failures="1" skipped="1" time="9.5"><testcase name="ssh"><failure/></testcase>'
            '<testcase name="boot"/></testsuite>'
        )
        found = report_model.verification(str(path))
        assert (found["failed"], found["seconds"]) == (["ssh"], 9.5)
        (one,) = model(hosts=sample.well(), cloud=sample.cloud(), runs={**sample.RUNS, "verification": found})[
            "problems"
        ]
        assert one["what"] == "1 check of the last verification failed"
        assert report_model.verification(str(tmp_path / "none")) is None

    def test_what_a_run_has_changed(self):
        assert report_model.counted({"unit": {"restart": 1, "start": 1}, "directory": {"create": 2}}) == (
            "2 directories, 2 units"
        )
        assert report_model.counted({}) == "nothing"

    def test_a_host_that_answers_but_could_not_be_read_is_not_lost(self):
        hosts = sample.well()
        hosts[3] |= {"report": None, "answers": True, "why": "KeyError: 'x'"}
        cloud = sample.cloud()
        found = model(hosts=hosts, cloud=cloud)
        assert problems(found) == [("critical", "compute2 could not be read", "compute2")]
        assert found["problems"][0]["section"] != "A compute host is lost"
        assert found["sentence"].startswith("5 of 5 hosts answer, 1 host could not be read, ")

    def test_a_part_that_could_not_be_read_is_a_warning(self):
        hosts = sample.well()
        hosts[1]["report"] |= {"units": [], "updates": [], "unread": {"units": "why", "updates": "apt-get: no"}}
        found = model(hosts=hosts, cloud=sample.cloud())
        assert [(one["level"], one["what"], one["detail"]) for one in found["problems"]] == [
            ("warning", "units could not be read", "why"),
            ("warning", "pending updates could not be read", "apt-get: no"),
        ]
        assert "all units run" not in found["sentence"]
        assert "unknown by lists" in " ".join(page(hosts=hosts, cloud=sample.cloud()).text.split())

    @pytest.mark.parametrize(
        ("change", "what"),
        [
            ({"up": False}, "eth1 (tunnel network) is down"),
            ({"carrier": False}, "eth1 (tunnel network) has no carrier"),
        ],
    )
    def test_a_nic_that_a_network_needs(self, change, what):
        hosts = sample.well()
        hosts[1]["report"]["nics"][1] |= change
        hosts[2]["report"]["nics"].append(sample.nic("eth9", "") | {"up": False, "carrier": False})
        hosts[1]["report"]["nics"][3] |= {"up": False, "carrier": False}  # br-ex
        assert problems(model(hosts=hosts, cloud=sample.cloud())) == [("critical", what, "network1")]

    def test_a_nic_of_several_networks(self):
        hosts = sample.well()
        hosts[2]["report"]["nics"][1] = sample.nic("eth1", "tunnel vlan", "10.203.1.13/24") | {"carrier": False}
        tunnel, vlan = report_model.networks(hosts, "")[-2:]
        assert (tunnel["purpose"], vlan["purpose"]) == ("tunnel", "vlan")
        assert tunnel["hosts"]["compute1"] == {"nics": ["eth1"], "address": "10.203.1.13"}
        # The address is that of the overlay.
        assert vlan == {"purpose": "vlan", "cidr": "", "hosts": {"compute1": {"nics": ["eth1"], "address": ""}}}
        assert "eth1 (tunnel and vlan networks) has no carrier" in [
            one["what"] for one in report_model.of_host(hosts[2], sample.OPTIONS)
        ]

    def test_a_unit_that_starts_again_and_again(self):
        host = sample.well()[1]
        host["report"]["units"][0] |= {"restarts": 5, "since": int(sample.NOW - 60)}
        host["report"]["units"][1] |= {"restarts": 5, "since": int(sample.NOW - 6000)}
        (found,) = report_model.of_host(host, sample.OPTIONS)
        assert (found["level"], found["what"]) == ("warning", "openvswitch-switch restarts again and again")

    def test_inodes_fill_a_disk(self):
        host = sample.well()[1]
        host["report"]["disks"][0]["inodes"] = 97
        (found,) = report_model.of_host(host, sample.OPTIONS)
        assert (found["level"], found["what"], found["command"]) == ("critical", "/ is 97 % full", "df -i /")

    def test_a_last_run_that_failed_or_was_killed(self):
        (good, bad, _other) = sample.RUNS["last"]
        (found,) = report_model.of_runs({**sample.RUNS, "last": [{**bad, "time": sample.NOW}]})
        assert (found["what"], found["detail"]) == ("the last run failed: site.yml", "failed on controller1")
        newer = {**sample.RUNS, "last": [good], "lock": {**sample.RUNS["lock"], "since": "2026-12-01 12:00:00 +0200"}}
        (found,) = report_model.of_runs(newer)
        assert found["what"] == "the last run has recorded no end"
        assert list(report_model.of_runs({**newer, "held": "a run"})) == []

    def test_a_last_run_that_was_refused(self):
        (good, bad, _other) = sample.RUNS["last"]
        refused = {**good, "hosts": 1, "counts": {}, "refused": 3, "time": sample.NOW}
        (found,) = report_model.of_runs({**sample.RUNS, "last": [refused, good]})
        assert (found["what"], found["detail"]) == ("preflight refused the last run: site.yml", "3 errors")
        runs = {**sample.RUNS, "last": [{**refused, "refused": 1}, bad]}
        shown = " ".join(page(hosts=sample.well(), cloud=sample.cloud(), runs=runs).text.split())
        assert "refused, 1 error" in shown

    def test_a_certificate_with_an_unknown_end(self):
        hosts = sample.well()
        hosts[0]["report"]["certificates"].append({"subject": "x.pem", "end": 0, "paths": ["/etc/x.pem"]})
        found = model(hosts=hosts, cloud=sample.cloud())
        assert problems(found) == [("warning", "the end of x.pem is unknown", "controller1")]
        assert "712 days" in found["sentence"]

    def test_sizes_and_spans(self):
        assert [report_model.size(number) for number in (0, 1536, 40 * 2**30)] == ["0 B", "1.5 KiB", "40 GiB"]
        assert [report_model.span(number) for number in (0, 61, 7300, 200000)] == ["0 s", "1 min", "2 h", "2 d"]


class TestHost:
    def test_updates_as_apt_lists_them(self):
        said = (
            "NOTE: This is only a simulation!\n"
            "Inst libssl3t64 [3.5.1-1] (3.5.1-1+deb13u1 Debian-Security:13/stable-security [amd64])\n"
            "Inst tzdata [2025b-4] (2025c-0 Debian:13.1/stable [all])\nConf tzdata (2025c-0 Debian [all])\n"
        )
        assert host_report.updates(said) == [
            {"name": "libssl3t64", "old": "3.5.1-1", "new": "3.5.1-1+deb13u1", "security": True},
            {"name": "tzdata", "old": "2025b-4", "new": "2025c-0", "security": False},
        ]

    def test_new_packages_are_updates(self):
        said = "Inst linux-image-6.12.57 (6.12.57-1 Debian-Security:13/stable-security [amd64])\n"
        (found,) = host_report.updates(said)
        assert (found["name"], found["old"], found["security"]) == ("linux-image-6.12.57", "", True)

    @pytest.mark.parametrize("wanted", ["any", "kept", "stopped", "started"])
    def test_a_failed_unit_never_fits(self, wanted):
        shown = {"ActiveState": "failed", "LoadState": "loaded"}
        found = host_report.unit_state({"name": "x", "state": wanted}, shown, {})
        assert not found["fits"]
        detail = report_model.of_unit(sample.well()[0], found)["detail"]
        assert "it should be any" not in detail
        assert "it should be kept" not in detail

    def test_one_part_that_fails_leaves_the_others(self, monkeypatch):
        def wrong(*_given, **_more):
            raise ValueError("password = hunter2\nmore")

        for name in ("disks", "interfaces", "drift", "poll", "_run"):
            monkeypatch.setattr(host_report, name, wrong)
        options = {"units": [{"name": "x"}], "packages": [], "health": [], "first": {}, "steps": {}, "networks": {}}
        found = host_report.report({**options, "log_age": 60, "log_lines": 3, "mask": []})
        assert found["unread"].keys() >= {"disks", "nics", "drift", "silent", "updates", "journal"}
        assert "hunter2" not in str(found)
        assert found["memory"]["total"] > 0
        for name in ("memory", "units", "text", "_packages", "lists_age", "failed_units", "cluster_status"):
            monkeypatch.setattr(host_report, name, wrong)
        monkeypatch.setattr(host_report, "certificate_files", wrong)
        hosts = sample.well()
        hosts[0]["report"] = host_report.report({**options, "log_age": 60, "log_lines": 3, "mask": []})
        assert "disks could not be read" in page(hosts=hosts, cloud=sample.cloud()).text

    def test_only_the_suspect_lines_of_a_file_are_kept(self, tmp_path):
        (tmp_path / "nova.log").write_text("2999-01-01 00:00:00 INFO x\n2999-01-01 00:00:00 ERROR y\n")
        keep = host_report.service_logs.suspect
        (lines,) = host_report.service_logs.files(["nova"], 60, str(tmp_path), keep=keep).values()
        assert lines == [("2999-01-01 00:00:00 ERROR y", False)]

    def test_lines_of_the_journal_that_are_no_entries(self):
        said = '{"MESSAGE": "one\u2028two", "UNIT": "x", "PRIORITY": "3"}\n-- cut\n5\n'
        assert list(host_report.service_logs.journal(said)) == ["x"]

    def test_a_command_that_fails_is_not_an_empty_answer(self):
        with pytest.raises(Failed, match="no such"):
            host_report._run(["sh", "-c", "echo no such list >&2; exit 100"])

    def test_a_unit(self):
        shown = {
            "ActiveState": "failed",
            "SubState": "failed",
            "Result": "exit-code",
            "LoadState": "loaded",
            "InactiveEnterTimestamp": "@1790000000",
            "MemoryCurrent": "[not set]",
            "NRestarts": "5",
        }
        found = host_report.unit_state({"name": "nova-api", "log": "/var/log/nova/nova-api.log"}, shown, {})
        assert (found["state"], found["fits"], found["since"]) == ("failed (exit-code)", False, 1_790_000_000)
        assert (found["memory"], found["restarts"]) == (0, 5)
        shown |= {"ActiveState": "active", "SubState": "running", "Result": "success", "MemoryCurrent": "1048576"}
        found = host_report.unit_state({"name": "nova-api"}, shown, {"last_restart": {"time": "t", "causes": []}})
        assert (found["state"], found["fits"], found["memory"]) == ("active", True, 1_048_576)
        assert found["last_restart"]["time"] == "t"
        # 2^64 - 1 stands for no number.
        shown["MemoryCurrent"] = "18446744073709551615"
        assert host_report.unit_state({"name": "x", "state": "stopped"}, shown, {})["memory"] == 0
        assert not host_report.unit_state({"name": "x", "state": "stopped"}, shown, {})["fits"]

    def test_the_memory_of_a_group_that_the_kernel_does_not_account_for(self, tmp_path):
        (tmp_path / "x.service" / "worker").mkdir(parents=True)
        (tmp_path / "x.service" / "worker" / "cgroup.procs").write_text(f"{os.getpid()}\n")
        assert host_report.group_memory("/x.service", str(tmp_path)) > 2**20
        assert host_report.group_memory("", str(tmp_path)) == 0

    def test_failed_units_that_are_not_the_clouds(self):
        said = "nova-api.service loaded failed failed Nova\nx.timer loaded failed failed X\n"
        assert host_report.failed_units(said, ["nova-api"]) == ["x.timer"]

    def test_log_sources_of_units(self):
        asked = [{"name": "a", "log": "/var/log/nova/nova-api.log"}, {"name": "b", "log": "/var/log/haproxy.log"}]
        assert host_report.log_sources([*asked, {"name": "c", "log": None}]) == ["haproxy", "nova"]

    def test_secrets_are_masked_in_log_lines(self):
        line = "ERROR rabbit://nova:other@controller1 refused, password = hunter2 and s3cretvalue"
        found = host_report.hide(line, ["s3cretvalue"])
        assert "s3cretvalue" not in found
        assert "other" not in found
        assert "hunter2" not in found

    def test_a_secret_at_the_end_of_a_long_line(self, monkeypatch):
        line = "ERROR " + "x" * 285 + " s3cretvalue" * 3
        monkeypatch.setattr(
            host_report.service_logs, "files", lambda *_given, **_more: {"/var/log/x.log": [(line, True)]}
        )
        monkeypatch.setattr(host_report, "_run", lambda *_given, **_more: "")
        (lines,) = host_report.file_errors([{"name": "x", "log": "/var/log/x.log"}], 60, 3, ["s3cretvalue"]).values()
        assert "s3cret" not in lines[0]

    def test_certificates_with_their_ends(self, tmp_path):
        key = authority.new_key()
        ca = authority.root("cairn", key)
        path = tmp_path / "ca.pem"
        path.write_text(key + ca)
        (tmp_path / "again.pem").write_text(ca)
        (found,) = host_report.certificates([str(path), str(tmp_path / "again.pem"), str(tmp_path / "none")])
        assert found["subject"] == "CN=cairn root certificate authority"
        assert found["paths"] == [str(path), str(tmp_path / "again.pem")]
        left = found["end"] - datetime.datetime.now().timestamp()
        assert 7298 * 86400 < left < 7301 * 86400
        assert report_model.common_name(found["subject"]) == "cairn root certificate authority"
        assert report_model.common_name("CN=cloud.example.org,O=Example") == "cloud.example.org"

    def test_files_with_certificates(self):
        files = [
            {"path": "/etc/a.pem", "content": "-----BEGIN CERTIFICATE-----\n"},
            {"path": "/etc/b", "content": None},
            {"path": "/etc/c", "content": "-----BEGIN CERTIFICATE-----\n", "state": "absent"},
        ]
        first = {
            "files": {"module": "config_files", "options": {"files": files}},
            "units": {"module": "units", "options": {}},
        }
        assert host_report.certificate_files(first) == ["/etc/a.pem"]

    def test_drift_names_the_file(self, tmp_path):
        path = tmp_path / "nova.conf"
        path.write_text("[DEFAULT]\n")
        mode, owner = "0600", {"owner": "", "group": ""}
        path.chmod(0o600)
        right = {"path": str(path), "content": "[DEFAULT]\n", "mode": mode, **owner}
        wrong = {"path": str(tmp_path / "other"), "content": "x", "mode": mode, "owner": "root", "group": "root"}
        step = {"module": "config_files", "options": {"files": [right]}}
        assert host_report.drift({"files": step}, {}) == []
        both = {"module": "config_files", "options": {"files": [right, wrong]}}
        (found,) = host_report.drift({"files": both}, {"more": step})
        assert (found["kind"], found["verb"], found["name"]) == ("file", "create", str(tmp_path / "other"))
        # The steps after the first ones are named.
        (found,) = host_report.drift({"files": step}, {"databases": both})
        assert report_model.sentence(found) == "step databases"

    def test_wrong_options_of_a_step(self):
        with pytest.raises(Failed):
            host_report.drift({"files": {"module": "config_files", "options": {"files": [{}]}}}, {})

    def test_purposes_of_nics(self):
        links = [
            {"name": "eth0", "addresses": ["10.0.0.1/24", "10.0.0.9/32"]},
            {"name": "eth1", "addresses": []},
            {"name": "br-tep", "addresses": ["10.0.1.1/24"]},
            {"name": "eth2", "addresses": []},
            {"name": "eth3", "addresses": []},
        ]
        bridges = [{"name": "br-tep", "ports": ["eth1"]}, {"name": "br-ex", "ports": ["eth2"]}]
        networks = {"address": "10.0.0.1", "tunnel": "eth1", "external": "eth2", "vlan": "eth3", "bridges": bridges}
        found = {one["name"]: one["purposes"] for one in host_report.purposes(links, networks)}
        assert found == {
            "eth0": ["management"],
            "eth1": ["tunnel"],
            "br-tep": ["tunnel"],
            "eth2": ["external"],
            "eth3": [],
        }
        assert [one["purposes"] for one in host_report.purposes(links, {})] == [[]] * 5

    def test_a_nic_of_several_networks(self):
        links = [{"name": "eth0", "addresses": ["10.0.0.1/24"]}, {"name": "eth1", "addresses": ["10.0.1.1/24"]}]
        links += [{"name": "br-ex", "addresses": ["10.0.0.1/24"]}, {"name": "br-vlan", "addresses": ["10.0.1.1/24"]}]
        networks = {"address": "10.0.0.1", "tunnel": "eth1", "external": "eth0", "vlan": "eth1"}
        networks["bridges"] = [{"name": "br-ex", "ports": ["eth0"]}, {"name": "br-vlan", "ports": ["eth1"]}]
        found = {one["name"]: one["purposes"] for one in host_report.purposes(links, networks)}
        assert found["eth1"] == found["br-vlan"] == ["tunnel", "vlan"]
        assert found["br-ex"] == ["management", "external"]

    def test_a_newer_kernel(self, tmp_path):
        images = []
        for number, release in enumerate(("6.12.48+deb13-amd64", "6.12.57+deb13-amd64")):
            path = tmp_path / f"vmlinuz-{release}"
            path.touch()
            os.utime(path, (number, number))
            images.append(str(path))
        assert host_report.newer_kernel("6.12.48+deb13-amd64", images) == "6.12.57+deb13-amd64"
        assert host_report.newer_kernel("6.12.57+deb13-amd64", images) == ""
        # That of the computer, in a container.
        assert host_report.newer_kernel("6.1.0", images) == ""

    def test_ceph(self, monkeypatch, tmp_path):
        said = {
            "health": {"status": "HEALTH_WARN", "checks": {"X": {"summary": {"message": "1 osds down"}}}},
            "quorum_names": ["storage1"],
            "osdmap": {"num_osds": 2, "num_up_osds": 1},
            "pgmap": {"bytes_used": 5, "bytes_total": 10},
        }
        monkeypatch.setattr(status, "Monitor", lambda *_given: SimpleNamespace(ask=lambda _prefix: said))
        monkeypatch.setattr(status, "KEYRING", str(tmp_path / "none"))
        assert status.cluster_status() is None
        monkeypatch.setattr(status, "KEYRING", str(tmp_path))
        found = status.cluster_status()
        part = {"name": "Ceph", "ok": False, "mild": True, "state": "WARN, 1 of 2 OSDs up", "detail": "1 osds down"}
        assert found["part"] == part
        assert (found["capacity"]["used"], found["capacity"]["total"]) == (5, 10)

        def silent(*_given):
            raise Unreachable("no quorum")

        monkeypatch.setattr(status, "Monitor", silent)
        assert status.cluster_status() == {**status.ABOUT, "why": "no quorum"}

    def test_disks_once_each(self, tmp_path):
        mounts = tmp_path / "mounts"
        mounts.write_text("overlay / overlay rw 0 0\nproc /proc proc rw 0 0\n/dev/sda1 /none\\040here ext4 rw 0 0\n")
        (found,) = host_report.disks(str(mounts))
        assert (found["path"], found["kind"]) == ("/", "overlay")
        assert 0 < found["used"] < found["total"]

    def test_the_module_returns_all_parts_and_no_argument(self, run_module, monkeypatch):
        monkeypatch.setattr(host_report, "_run", lambda *_given, **_more: "")
        said = run_module(host_module, {"mask": ["e"], "packages": ["dpkg"]}, check=True)
        assert said["changed"] is False
        assert said["report"].keys() >= sample.report("network1", 1).keys()
        # A short secret does not hide the words that have it in them.
        assert said["report"]["kernel"] == os.uname().release
        assert said["invocation"] == {"module_args": {}}


class Api:
    """Answers by path."""

    def __init__(self, answers, url="http://x"):
        self.answers, self.headers, self.url = answers, {}, url

    def get(self, path):
        answer = self.answers[path]
        if isinstance(answer, Exception):
            raise answer
        return answer


class TestCloud:
    def test_placement(self):
        api = Api(
            {
                "/resource_providers": {"resource_providers": [{"uuid": "1", "name": "compute1"}]},
                "/resource_providers/1/allocations": {"allocations": {"a": {"resources": {"VCPU": 3}}}},
                "/resource_providers/1/inventories": {
                    "inventories": {
                        "VCPU": {"total": 8, "allocation_ratio": 4.0, "reserved": 2},
                        "PCI": {"total": 1, "allocation_ratio": 1.0, "reserved": 0},
                    }
                },
            }
        )
        assert usage.providers(api) == [{"name": "vCPUs", "of": "compute1", "used": 3, "total": 24, "bytes": 0}]

    def test_pools_of_one_back_end_on_several_controllers_count_once(self):
        can = {"total_capacity_gb": 100, "free_capacity_gb": 40}
        pools = [{"name": f"controller{number}@ceph#ceph", "capabilities": can} for number in (1, 2)]
        pools.append({"name": "x@nfs#nfs", "capabilities": {"total_capacity_gb": "unknown", "free_capacity_gb": 0}})
        found = usage.pools(Api({"/scheduler-stats/get_pools?detail=true": {"pools": pools}}))
        assert [(one["name"], one["used"], one["total"]) for one in found] == [("ceph#ceph", 60, 100)]

    def test_volume_groups_of_two_hosts_are_two_pools(self):
        can = {"total_capacity_gb": 100, "free_capacity_gb": 40}
        pools = [
            {"name": f"storage{number}@lvm#LVM", "capabilities": {**can, "location_info": f"LVM:storage{number}"}}
            for number in (1, 2)
        ]
        found = usage.pools(Api({"/scheduler-stats/get_pools?detail=true": {"pools": pools}}))
        assert [one["name"] for one in found] == ["storage1@lvm#LVM", "storage2@lvm#LVM"]

    def test_disks_in_ceph_count_once(self):
        disk = {"DISK_GB": {"total": 100, "allocation_ratio": 1.0, "reserved": 0}}
        answers = {"/resource_providers": {"resource_providers": [{"uuid": one, "name": one} for one in "ab"]}}
        for one in "ab":
            answers |= {f"/resource_providers/{one}/allocations": {"allocations": {"a": {"resources": {"DISK_GB": 5}}}}}
            answers |= {f"/resource_providers/{one}/inventories": {"inventories": disk}}
        (found,) = usage.providers(Api(answers), True)
        assert (found["used"], found["total"]) == (10, 100)

    def test_a_catalog_without_endpoints_and_masked_reasons(self, monkeypatch):
        empty = SimpleNamespace(endpoints=list, api=lambda *_types: None, caller=None)
        monkeypatch.setattr(cloud_report, "Cloud", lambda *_given: empty)

        def silent(*_given):
            raise Unreachable("refused s3cretvalue")

        monkeypatch.setattr(cloud_report, "Server", silent)
        options = {"hosts": [], "controllers": 1, "broker": None, "process_lists": [], "auth": {}}
        found = cloud_report.report({**options, "mask": ["s3cretvalue"]})
        assert [one["name"] for one in found["problems"]] == ["placement", "networks", "servers", "database"]
        assert "s3cretvalue" not in str(found)

    def test_servers_page_by_page(self):
        broken = {"id": "7", "name": "web", "status": "ERROR", "fault": {"message": "No valid host"}}
        next_page = [{"rel": "next", "href": "https://cloud/v2.1/servers/detail?all_tenants=true&marker=1"}]
        first = {"servers": [{"status": "ACTIVE"}] * 2, "servers_links": next_page}
        api = Api(
            {
                "/servers/detail?all_tenants=true&limit=500": first,
                "/servers/detail?all_tenants=true&marker=1": {"servers": [broken]},
            }
        )
        states, found = usage.servers(api)
        assert states == {"ACTIVE": 2, "ERROR": 1}
        assert found == [{"id": "7", "name": "web", "host": "", "why": "No valid host"}]

    @pytest.mark.parametrize(
        ("size", "ok"),
        [("3", True), ("2", False)],
    )
    def test_the_databases_cluster(self, monkeypatch, size, ok):
        values = {
            "wsrep_cluster_size": size,
            "wsrep_cluster_status": "Primary",
            "wsrep_local_state_comment": "Synced",
            "wsrep_incoming_addresses": "10.0.0.2:3306,10.0.0.1:3306",
            "Threads_connected": "8",
        }
        rows = [{"Variable_name": name, "Value": value} for name, value in values.items()]
        server = type("Server", (), {"__init__": lambda *_given: None, "rows": lambda *_given: rows})
        monkeypatch.setattr(cloud_report, "Server", server)
        found = cloud_report.database(3)
        assert found["ok"] is ok
        assert found["state"] == f"{size} of 3 members, Primary, Synced"
        assert found["detail"] == "10.0.0.1, 10.0.0.2, 8 connections"
        assert cloud_report.database(1)["name"] == "MariaDB"

    def test_an_alarm_of_the_queue(self, monkeypatch):
        nodes = [{"name": "rabbit@c1", "running": True, "mem_alarm": True}, {"name": "rabbit@c2", "running": False}]
        api = Api({"/api/nodes": nodes, "/api/overview": {"queue_totals": {"messages": 4}}})
        monkeypatch.setattr(cloud_report, "Api", lambda *_given, **_more: api)
        found = cloud_report.broker({"name": "cairn", "password": "x"}, 3)
        assert not found["ok"]
        assert found["state"] == "1 of 3 nodes, alarm (c1: memory)"
        assert found["detail"] == "c1, 4 messages waiting"

    def test_networks(self):
        networks = [{"id": "1", "name": "public", "router:external": True}, {"id": "2", "router:external": False}]
        free = {"network_id": "1", "network_name": "public", "used_ips": 3, "total_ips": 9}
        api = Api(
            {
                "/networks?fields=id&fields=name&fields=router:external&fields=status": {"networks": networks},
                "/network-ip-availabilities": {"network_ip_availabilities": [free, {**free, "network_id": "2"}]},
                "/routers?fields=id": {"routers": [1]},
                "/floatingips?fields=id": {"floatingips": []},
            }
        )
        counts, bars = usage.networks(api)
        assert counts == {"networks": 2, "routers": 1, "floating IPs": 0}
        assert [(bar["of"], bar["used"], bar["total"]) for bar in bars] == [("public", 3, 9)]

    def test_what_does_not_answer_is_named_and_hides_nothing(self, monkeypatch):
        def silent(*_given):
            raise Unreachable("no response")

        monkeypatch.setattr(cloud_report, "Server", silent)
        monkeypatch.setattr(cloud_report, "Cloud", silent)
        nodes = {"/api/nodes": [{"name": "rabbit@c1", "running": True}], "/api/overview": {}}
        monkeypatch.setattr(cloud_report, "Api", lambda *_given, **_more: Api(nodes))
        options = {"hosts": [], "controllers": 1, "broker": {"name": "cairn", "password": "x"}, "process_lists": []}
        found = cloud_report.report({**options, "auth": {}})
        assert [one["name"] for one in found["problems"]] == ["identity", "database"]
        assert [part["name"] for part in found["parts"]] == ["RabbitMQ"]

    def test_the_networks_version_is_added_once(self):
        plain, versioned = (rest.Api(f"http://x:9696{path}") for path in ("", "/v2.0"))
        assert usage.versioned(plain, "/v2.0").url == versioned.url
        assert usage.versioned(versioned, "/v2.0") is versioned


class TestFile:
    def test_only_its_owner_may_read_it(self, tmp_path):
        path = tmp_path / "out" / "report.html"
        action.write(str(path), "one")
        path.chmod(0o644)
        action.write(str(path), "two")
        assert path.read_text() == "two"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert list(path.parent.iterdir()) == [path]

    def test_the_last_run(self, tmp_path):
        assert run_lock.last(str(tmp_path)) == {}
        (tmp_path / run_lock.FILE).write_text(json.dumps({"user": "ops", "since": "2026-01-01"}))
        assert run_lock.last(str(tmp_path))["user"] == "ops"

    def test_a_host_that_was_pinged_is_not_lost(self):
        pinged = {"report_ping": {"ping": "pong"}, "report_of_host": {"msg": "MODULE FAILURE"}}
        found = action.ActionModule._host({"name": "a"}, pinged)
        assert (found["report"], found["answers"], found["why"]) == (None, True, "MODULE FAILURE")
        assert not action.ActionModule._host({"name": "a"}, {"report_ping": {"msg": "no route"}})["answers"]

    def test_runs_are_kept_the_newest_first(self, tmp_path):
        assert run_history.read(str(tmp_path)) == []
        run = run_record.Run(playbook="site.yml")
        run.begin_phase("Services")
        run.begin_step("Units", "units")
        run.answered("compute1")
        found = run_history.entry(run, 0, ["compute1", "compute2"], [])
        assert (found["playbook"], found["hosts"], found["failed"], found["counts"]) == (
            "site.yml",
            1,
            ["compute1"],
            {},
        )
        for number in range(run_history.KEEP + 5):
            run_history.add(str(tmp_path), {**found, "time": number})
        (path,) = tmp_path.iterdir()
        with path.open("a") as file:
            file.write('{"time": 9')
        found = run_history.read(str(tmp_path))
        assert [found[0]["time"], found[-1]["time"], len(found)] == [run_history.KEEP + 4, 5, run_history.KEEP]
        assert stat.S_IMODE(path.stat().st_mode) == 0o600

    def test_a_run_is_recorded_without_the_definitions_of_its_changes(self, monkeypatch):
        """These take milliseconds for each change."""
        run = run_record.Run(playbook="site.yml")
        run.begin_phase("Services")
        monkeypatch.setattr(run_record.Run, "document", lambda _self: pytest.fail("reads all definitions"))
        assert run_history.entry(run, 0, [], [])["counts"] == {}

    def test_lines_that_are_no_runs_are_left_out(self, tmp_path):
        (good,) = sample.RUNS["last"][:1]
        lines = [b"{}", b"5", b"\xff\xfe", b"null", b"[" * 100_000, json.dumps({**good, "counts": 5}).encode()]
        path = tmp_path / run_history.FILE
        path.write_bytes(b"\n".join([*lines, json.dumps(good).encode(), b""]))
        assert run_history.read(str(tmp_path)) == [good]
        # One of an earlier version.
        older = {key: value for key, value in good.items() if key != "refused"}
        run_history.add(str(tmp_path), {**older, "time": 1})
        assert [one["time"] for one in run_history.read(str(tmp_path))] == [1, good["time"]]
