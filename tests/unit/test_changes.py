# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Changes of one stage are made at the same time, and a stage waits for the one before it."""

from __future__ import annotations

import threading

import pytest
from ansible_collections.cairn.openstack.plugins.module_utils.common.changes import Change, Failed, by_stages
from ansible_collections.cairn.openstack.plugins.modules.ceph import staged


def change(name, apply):
    return Change("file", "create", name, {}, {}, apply)


def test_one_stage_at_a_time():
    both = threading.Barrier(2, timeout=5)
    made = []
    first, second = change("a", both.wait), change("b", both.wait)
    last = change("c", lambda: made.append(first.done and second.done))
    by_stages(staged([first, second], [], [last]))
    assert made == [True]


def test_all_faults_of_a_stage_are_told_and_no_later_one_is_begun():
    def fail():
        raise Failed("no")

    changes = staged([change("a", fail), change("b", lambda: None), change("c", fail)], [change("d", lambda: None)])
    with pytest.raises(Failed) as caught:
        by_stages(changes)
    assert str(caught.value).splitlines() == ["create a: no", "create c: no"]
    assert [one.name for one in changes if one.done] == ["b"]
