# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The page of a report: a template with everything escaped, and a drawing of hosts and networks."""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.cairn.openstack.plugins.plugin_utils.control_node import report_model
from jinja2 import Environment, FileSystemLoader, StrictUndefined

TEMPLATES = Path(__file__).parents[3] / "roles/report/templates"
TEMPLATE = "report.html.j2"
# More hosts than these make the drawing too small; the table shows all.
DRAWN = 10
WORDS = {"critical": "Problem", "warning": "Warning", "note": "Note", "": "Well"}
SIGNS = {"critical": "✕", "warning": "!", "note": "i", "": "✓"}
# Of the drawing, in its own units.
BOX, GAP, LEFT, RIGHT, HIGH, ROW = 150, 22, 128, 8, 74, 42


def render(model: Mapping[str, Any]) -> str:
    """Return the page as HTML."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_printable,
    )
    environment.filters.update(
        size=report_model.size, span=report_model.span, date=date, moment=moment, anchor=anchor, speed=speed
    )
    environment.filters.update(
        sentence=report_model.sentence,
        counted=report_model.counted,
        nic_state=report_model.nic_state,
        nic_failure=report_model.nic_failure,
        local=local,
    )
    environment.globals.update(
        percent=report_model.percent, plural=report_model.plural, words=WORDS, signs=SIGNS, drawing=drawing
    )
    return environment.get_template(TEMPLATE).render(**model)


def _printable(value: Any) -> Any:
    """Return *value* without the control characters that HTML does not allow, if it is a plain text."""
    # What a macro returns was printed by its own parts.
    if isinstance(value, str) and not hasattr(value, "__html__"):
        return "".join(letter if letter.isprintable() or letter in "\n\t" else "�" for letter in value)
    return value


def date(seconds: float) -> str:
    """Return the day of a time."""
    return datetime.datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d")


def moment(seconds: float) -> str:
    """Return day and minute of a time."""
    return datetime.datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M")


def local(text: str) -> str:
    """Return a time in ISO 8601, such as that of a host, in the zone of the control node; other texts as they are."""
    try:
        return moment(datetime.datetime.fromisoformat(text).timestamp())
    except ValueError:
        return text


def anchor(name: str) -> str:
    """Return an id for the place of a host in the page."""
    plain = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in name)
    return f"host-{plain}-{hashlib.sha256(name.encode()).hexdigest()[:4]}"


def speed(megabits: int) -> str:
    """Return the speed of a NIC as text, empty if it is unknown."""
    if not megabits:
        return ""
    return f"{megabits / 1000:g} Gbit/s" if megabits >= 1000 else f"{megabits} Mbit/s"


def drawing(model: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the places of hosts and networks in a drawing; None if there are too many hosts, or no networks.

    Networks above the hosts are those that lead out of the cloud, the others are below.
    """
    hosts, networks = model["hosts"], model["networks"]
    if not networks or len(hosts) > DRAWN:
        return None
    above = [one for one in networks if one["purpose"] == "external"]
    below = [one for one in networks if one["purpose"] != "external"]
    width = LEFT + len(hosts) * (BOX + GAP) + RIGHT
    top = ROW * len(above) + 6
    boxes = [{"x": LEFT + GAP / 2 + number * (BOX + GAP), "y": top, "host": host} for number, host in enumerate(hosts)]
    lanes = []
    for number, network in enumerate([*above, *below]):
        over = number < len(above)
        y = 18 + ROW * number if over else top + HIGH + 28 + ROW * (number - len(above))
        drops = []
        for box in boxes:
            place = network["hosts"].get(box["host"]["name"])
            if place:
                x = box["x"] + BOX * (number + 1) / (len(networks) + 1)
                ends = (y, box["y"]) if over else (box["y"] + HIGH, y)
                drops.append({"x": round(x, 1), "y1": ends[0], "y2": ends[1]})
        lanes.append({**network, "y": y, "drops": drops})
    return {
        "width": width,
        "height": top + HIGH + (ROW * len(below) if below else 0) + 6,
        "box": BOX,
        "high": HIGH,
        "left": LEFT,
        "right": width - RIGHT,
        "boxes": boxes,
        "lanes": lanes,
    }
