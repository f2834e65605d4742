# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What preflight checks of some kinds of storage back ends beyond their keys: a module for each kind.

A module is found by the name of its kind. It has ``faults`` (of a back end by itself), and may have ``enough`` (of a
complete one), ``devices`` (of what a host gives to it), ``is_folder`` (whether a path is a directory in place of a
device) and ``GUIDE``, the page on how a device is replaced.
"""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType


def modules() -> dict[str, ModuleType]:
    """Return the modules by the names of their kinds."""
    names = sorted(found.name for found in pkgutil.iter_modules(__path__))
    return {name: importlib.import_module(f"{__name__}.{name}") for name in names}
