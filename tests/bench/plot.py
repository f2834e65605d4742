# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Two kinds of picture as SVG: bars in parts, and lines over a number. They read on light and dark pages."""

from __future__ import annotations

import math
from html import escape

COLOURS = ("#3b7dd8", "#e0913a", "#5aa469")
INK = "#808890"
WIDTH, LEFT, RIGHT = 760, 110, 60


def svg(height: int, shapes: list[str]) -> str:
    """Return the picture with *shapes* in it."""
    style = f'font-family="sans-serif" font-size="13" fill="{INK}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" {style}>'
    return "\n".join([head, *shapes, "</svg>", ""])


def text(x: float, y: float, words: str, anchor: str = "start", fill: str = INK) -> str:
    """Return *words* at a point."""
    return f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}" fill="{fill}">{escape(words)}</text>'


def rule(x1: float, y1: float, x2: float, y2: float) -> str:
    """Return a thin line."""
    return f'<path d="M{x1:.0f} {y1:.0f}L{x2:.0f} {y2:.0f}" stroke="{INK}" stroke-opacity="0.35"/>'


def step_of(most: float) -> float:
    """Return a round distance that divides *most* into about five."""
    power = 10 ** math.floor(math.log10(most / 5))
    return next(factor * power for factor in (1, 2, 5, 10) if most / (factor * power) <= 6)


def bars(rows: dict[str, dict[str, float]]) -> str:
    """Return a bar for each row, in parts; a part without a name is what the row has in common with the one above."""
    most = max(sum(parts.values()) for parts in rows.values())
    scale, height, foot = (WIDTH - LEFT - RIGHT) / most, 34, 40 + 48 * len(rows)
    names = list(dict.fromkeys(name for parts in rows.values() for name in parts if name))
    shapes, step = [], step_of(most)
    for number in range(int(most / step) + 1):
        x = LEFT + number * step * scale
        shapes += [rule(x, 32, x, foot), text(x, foot + 16, f"{number * step:g} s", "middle")]
    for number, name in enumerate(names):
        shapes.append(f'<rect x="{LEFT + number * 110}" y="8" width="12" height="12" rx="2" fill="{COLOURS[number]}"/>')
        shapes.append(text(LEFT + number * 110 + 18, 19, name))
    for number, (row, parts) in enumerate(rows.items()):
        x, y = float(LEFT), 40 + 48 * number
        shapes.append(text(LEFT - 8, y + 22, row, "end"))
        for name, size in parts.items():
            fill = COLOURS[names.index(name)] if name else INK
            faint = "" if name else ' fill-opacity="0.25"'
            shapes.append(
                f'<rect x="{x:.1f}" y="{y}" width="{size * scale:.1f}" height="{height}" fill="{fill}"{faint}/>'
            )
            x += size * scale
        shapes.append(text(x + 6, y + 22, f"{sum(parts.values()):.0f} s"))
    return svg(foot + 26, shapes)


def lines(series: dict[str, dict[int, float]], below: str) -> str:
    """Return a line for each of *series*, which is a number of something → seconds."""
    most_x = max(x for points in series.values() for x in points)
    most_y = max(y for points in series.values() for y in points.values())
    top, foot, end = 34, 300, WIDTH - RIGHT
    step = step_of(most_y)

    def at(x: float, y: float) -> tuple[float, float]:
        return LEFT + x * (end - LEFT) / most_x, foot - y * (foot - top) / (most_y * 1.05)

    shapes = [text((LEFT + end) / 2, foot + 36, below, "middle")]
    for number in range(int(most_y * 1.05 / step) + 1):
        y = at(0, number * step)[1]
        shapes += [rule(LEFT, y, end, y), text(LEFT - 8, y + 4, f"{number * step:g} s", "end")]
    for x in sorted({x for points in series.values() for x in points}):
        shapes.append(text(at(x, 0)[0], foot + 18, f"{x}", "middle"))
    for number, (name, points) in enumerate(series.items()):
        places = [at(x, y) for x, y in sorted(points.items())]
        path = "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
        shapes.append(f'<path d="M{path}" fill="none" stroke="{COLOURS[number]}" stroke-width="2"/>')
        shapes += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{COLOURS[number]}"/>' for x, y in places]
        shapes.append(f'<rect x="{LEFT + number * 130}" y="8" width="12" height="12" rx="2" fill="{COLOURS[number]}"/>')
        shapes.append(text(LEFT + number * 130 + 18, 19, name))
    return svg(foot + 46, shapes)
