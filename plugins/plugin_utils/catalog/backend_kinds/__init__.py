# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What some kinds of storage back ends compute on the control node beyond their definitions: a module for each kind.

A module is found by the name of its kind. It has ``facts``, what definitions may ask as ``cloud.KIND``, and
``desired``, the options of the steps that are particular to the kind.
"""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType


def modules() -> dict[str, ModuleType]:
    """Return the modules by the names of their kinds."""
    names = sorted(found.name for found in pkgutil.iter_modules(__path__))
    return {name: importlib.import_module(f"{__name__}.{name}") for name in names}
