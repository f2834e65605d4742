# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What modules say that they changed."""

from __future__ import annotations

from ansible_collections.cairn.openstack.plugins.module_utils.common.changes import KINDS, Change, sentence


def in_words(changes):
    """Return changes as sentences; fails where one is not of the type that every module returns."""
    found = [change.returned() if isinstance(change, Change) else change for change in changes]
    for change in found:
        assert list(change) == ["kind", "verb", "name", "detail"]
        assert all(isinstance(value, str) for value in change.values()), change
        assert change["kind"] in KINDS, change
        assert change["verb"], change
        assert change["name"], change
    return [sentence(change) for change in found]
