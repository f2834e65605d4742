# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The indexes of options that ship with the collection; tools/option-index makes them."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[3] / "roles/catalog/files/options"


@functools.cache
def shipped(service: str, own: str = "") -> dict[str, Any] | None:
    """Return the index of *service*, None where there is none.

    :param own: the directory of the user's own indexes, which go first.
    """
    for directory in filter(None, (own and Path(own), FOLDER)):
        path = directory / f"{service}.json"
        if path.exists():
            return json.loads(path.read_text(encoding="utf-8"))
    return None
