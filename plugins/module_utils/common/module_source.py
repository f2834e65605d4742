# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The source of a module, for modules that run as programs on a host."""

from __future__ import annotations

from types import ModuleType


def source(module: ModuleType) -> str:
    """Return the source of *module*, from a directory or from the archive that Ansible sends."""
    found = module.__loader__.get_source(module.__name__)
    # Ansible's collection loader, on the control node, returns bytes.
    return found.decode() if isinstance(found, bytes) else found
