# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The programs of service definitions, as modules."""

from __future__ import annotations

import importlib.util
from types import ModuleType

from support import ROOT


def program_of(name: str) -> ModuleType:
    """Return the program *name* of the collection, without its suffix."""
    spec = importlib.util.spec_from_file_location(name, ROOT / f"roles/catalog/files/programs/{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
