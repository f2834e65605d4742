# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Additional preflight checks of some kinds of storage back ends: a module for each kind.

A module has the name of its kind. It has ``findings`` (of a back end by itself), and may have ``enough`` (of a complete
one), ``devices`` (of a host's devices for it), ``is_directory`` (whether a path is a directory used as a device) and
``GUIDE``, the file in docs that describes how to replace a device.
"""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType


def modules() -> dict[str, ModuleType]:
    """Return the modules by the names of their kinds."""
    names = sorted(found.name for found in pkgutil.iter_modules(__path__))
    return {name: importlib.import_module(f"{__name__}.{name}") for name in names}
