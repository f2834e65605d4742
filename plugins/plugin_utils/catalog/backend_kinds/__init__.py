# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Computations of some kinds of storage back ends on the control node, besides their definitions: a module per kind.

A module has the name of its kind. It has ``facts``, available to definitions as ``cloud.KIND``, and ``desired``, the
options of the kind's own steps.
"""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType


def modules() -> dict[str, ModuleType]:
    """Return the modules by the names of their kinds."""
    names = sorted(found.name for found in pkgutil.iter_modules(__path__))
    return {name: importlib.import_module(f"{__name__}.{name}") for name in names}
