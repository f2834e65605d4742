# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a service's API lists of its processes: who is enabled, waited for, or named."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from ansible_collections.cairn.openstack.plugins.module_utils.common.changes import Failed
from ansible_collections.cairn.openstack.plugins.module_utils.control_plane import process_lists

LISTED = {
    "get": "/services",
    "key": "services",
    "name": "binary",
    "host": "host",
    "disabled": {"status": "disabled"},
    "reason": "disabled_reason",
    "runs_on": {"lamp": ["a", "b"]},
    "down": {"state": "down"},
    "reported": None,
    "down_after": None,
    "forced_down": {"forced_down": True},
    "enable": {"put": "/services/%(id)s", "body": {"status": "enabled"}, "reasons": "AUTO: "},
    "commands": {"enable": "enable %(host)s", "remove": "remove %(id)s", "up": "up %(host)s"},
}


HOSTS = {"a", "b", "c", "disks"}


class Api:
    """A service with these records."""

    def __init__(self, *records):
        self.records, self.asked = [list(records)], []

    def get(self, path):
        """Return the next list, at the end the last one again."""
        self.asked.append(path)
        return {"services": self.records[0] if len(self.records) == 1 else self.records.pop(0)}

    def broken(self, _listed):
        """Fail."""
        raise Failed("503")

    def call(self, *words):
        """Keep what was asked for."""
        self.asked.append(words)

    def __call__(self, _listed):
        return self, "the project"


def record(host="a", **more):
    return {"id": 7, "binary": "lamp", "host": host, "status": "enabled", "state": "up", "forced_down": False, **more}


def found(*records):
    return list(process_lists.processes([LISTED], Api(*records)))


def test_nothing_to_tell():
    one = found(record(), record("b@disks"), record("disks@disks"))
    assert process_lists.warnings(one, HOSTS) == []
    assert process_lists.silent(one, HOSTS, {"a", "b"}) == []


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({"status": "disabled"}, "lamp on a is disabled and gets no new work. To enable it: enable a"),
        (
            {"status": "disabled", "disabled_reason": "a new disk"},
            "lamp on a is disabled (a new disk) and gets no new work. To enable it: enable a",
        ),
        (
            {"forced_down": True, "state": "down"},
            "lamp on a was declared down, and gets no new work. To end that: up a",
        ),
        (
            {"host": "gone"},
            "lamp on gone: the inventory has no host gone. To remove what is left of it: remove 7",
        ),
        # of a back end that was removed, and of a host that was in another group
        (
            {"host": "a@old", "state": "down"},
            "lamp on a: cloud_storage has no back end old. To remove what is left of it: remove 7",
        ),
        (
            {"host": "c", "state": "down"},
            "lamp on c: c is in none of its node groups. To remove what is left of it: remove 7",
        ),
    ],
)
def test_a_person_decides(more, text):
    api = Api(record(**more))
    one = list(process_lists.processes([LISTED], api))
    assert process_lists.warnings(one, HOSTS) == [text]
    assert process_lists.silent(one, HOSTS, {"a", "c"}) == []
    assert process_lists.enable(one, api, check_mode=False) == []
    assert api.asked == ["/services"]


def test_what_disabled_itself_is_enabled():
    api = Api(record(status="disabled", disabled_reason="AUTO: Connection to libvirt lost: 1"))
    one = list(process_lists.processes([LISTED], api))
    assert process_lists.warnings(one, HOSTS) == []
    (change,) = process_lists.enable(one, api, check_mode=True)
    assert (change["verb"], change["name"]) == ("enable", "lamp on a")
    assert api.asked == ["/services"]
    assert process_lists.enable(one, api, check_mode=False) == [change]
    assert api.asked[1] == ("PUT", "/services/7", {"status": "enabled"})


def test_not_while_it_is_down():
    one = found(record(status="disabled", disabled_reason="AUTO: Connection to libvirt lost: 1", state="down"))
    assert process_lists.enable(one, None, check_mode=True) == []


def test_those_of_the_run_are_waited_for():
    api = Api(record("b", state="down"))
    assert len(process_lists.settled([LISTED], lambda: api, HOSTS, {"a"}, 60)) == 1
    api = Api(record(state="down"))
    api.records.append([record()])
    assert [one.down for one in process_lists.settled([LISTED], lambda: api, HOSTS, {"a"}, 60, interval=0)] == [False]


def test_an_api_that_fails_is_asked_again():
    api, answers = Api(record()), iter([Failed("503"), None])

    def connect():
        if error := next(answers):
            raise error
        return api

    assert len(process_lists.settled([LISTED], connect, HOSTS, {"a"}, 60, interval=0)) == 1
    with pytest.raises(Failed):
        process_lists.settled([{**LISTED, "get": "/none"}], lambda: Api().broken, HOSTS, {"a"}, 0)


def test_what_enables_itself_is_waited_for():
    api = Api(record(status="disabled", disabled_reason="AUTO: Connection to libvirt lost: 1"))
    api.records.append([record()])
    assert [one.disabled for one in process_lists.settled([LISTED], lambda: api, HOSTS, {"a"}, 60, interval=0)] == [
        False
    ]


def test_those_that_stay_silent_are_named():
    api = Api(record(state="down"), record("b", state="down"))
    one = process_lists.settled([LISTED], lambda: api, HOSTS, {"a"}, 0)
    assert process_lists.silent(one, HOSTS, {"a"}) == [
        (
            "lamp on a is down: it has not reported to its API for too long. See its log on a. If it does not run there"
            " any more: remove 7"
        )
    ]


JUDGED = {**LISTED, "reported": "updated_at", "down_after": 60}


class TestReports:
    """A service whose processes write their state themselves, so that one which has died stays up."""

    def found(self, **more):
        (one,) = process_lists.processes([JUDGED], Api(record(**more)))
        return one

    @pytest.mark.parametrize(("seconds", "down"), [(-5, False), (0, False), (50, False), (70, True), (10**8, True)])
    @pytest.mark.parametrize("form", ["%Y-%m-%dT%H:%M:%S.%f", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%SZ"])
    def test_an_old_report(self, form, seconds, down):
        time = datetime.now(UTC) - timedelta(seconds=seconds)
        assert self.found(updated_at=time.strftime(form)).down == down

    def test_a_zone_counts(self):
        east = timezone(timedelta(hours=2))
        assert not self.found(updated_at=datetime.now(east).isoformat()).down

    @pytest.mark.parametrize("more", [{}, {"updated_at": None}])
    def test_none_yet(self, more):
        assert self.found(**more).down

    def test_its_own_state_still_counts(self):
        now = datetime.now(UTC).isoformat()
        assert self.found(updated_at=now, state="down").down
        assert not self.found(updated_at=None, forced_down=True).down

    def test_what_is_no_time(self):
        with pytest.raises(Failed, match="/services: updated_at is 'soon', which is no time"):
            self.found(updated_at="soon")

    def test_it_is_waited_for(self):
        now = datetime.now(UTC)
        api = Api(record(updated_at=(now - timedelta(seconds=70)).isoformat()))
        api.records.append([record(updated_at=now.isoformat())])
        (one,) = process_lists.settled([JUDGED], lambda: api, HOSTS, {"a"}, 60, interval=0)
        assert not one.down


def test_one_that_names_its_back_end_runs_on_any_of_its_hosts():
    shared = record("disks@disks", state="down")
    # A service that judges its processes itself may list one that is gone for good.
    assert process_lists.silent(found(shared), HOSTS, {"b"}) == []
    one = list(process_lists.processes([JUDGED], Api(shared)))
    assert process_lists.silent(one, HOSTS, {"c"}) == []
    (text,) = process_lists.silent(one, HOSTS, {"b"})
    assert text.startswith("lamp on disks is down")
    assert "See its log on a or b." in text
