# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A module's own text, for what has to run on a host as a program."""

from __future__ import annotations

from types import ModuleType


def source(module: ModuleType) -> str:
    """Return the text of *module*, wherever it was loaded from: a directory, or the archive that Ansible sends."""
    found = module.__loader__.get_source(module.__name__)
    # Ansible's loader of collections, on the control node, gives bytes.
    return found.decode() if isinstance(found, bytes) else found
