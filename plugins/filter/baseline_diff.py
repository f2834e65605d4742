# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The differences between two snapshots of the module host_baseline, as text."""

from __future__ import annotations

from ansible.errors import AnsibleFilterError


def _attributes(before, after):
    """Return each attribute that differs with both values."""
    names = sorted({*before, *after})
    differing = [name for name in names if before.get(name) != after.get(name)]
    return ", ".join(f"{name} {before.get(name, '(none)')} -> {after.get(name, '(none)')}" for name in differing)


def baseline_diff(before, after):
    """Return a line for each object that was added, removed or changed."""
    lines = []
    for snapshot in (before, after):
        if not isinstance(snapshot, dict) or not snapshot or not all(isinstance(v, dict) for v in snapshot.values()):
            # Two empty snapshots are equal, and would prove nothing.
            raise AnsibleFilterError("baseline_diff compares two snapshots of the module host_baseline")
    for section in sorted({*before, *after}):
        old, new = before.get(section, {}), after.get(section, {})
        for name in sorted({*old, *new}):
            if name not in old:
                lines.append(f"{section}: {name} appeared")
            elif name not in new:
                lines.append(f"{section}: {name} is gone")
            elif old[name] != new[name]:
                lines.append(f"{section}: {name}: {_attributes(old[name], new[name])}")
    return lines


class FilterModule:
    """The filter."""

    def filters(self):
        return {"baseline_diff": baseline_diff}
