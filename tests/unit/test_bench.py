# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The benchmarks' arithmetic and pictures; nothing is measured."""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ET

import pytest


@pytest.fixture
def bench(root, monkeypatch):
    """The directory of the benchmarks on the path; returns how to import from it."""
    monkeypatch.syspath_prepend(root / "tests")
    monkeypatch.syspath_prepend(root / "tests/bench")
    before = set(sys.modules)
    yield __import__
    for name in set(sys.modules) - before:
        if getattr(sys.modules[name], "__file__", None) and "/tests/bench/" in str(sys.modules[name].__file__):
            del sys.modules[name]


def test_a_line_through_points(bench):
    start, each = bench("computes").line({1: 12.0, 11: 17.0, 21: 22.0})
    assert (start, each) == pytest.approx((11.5, 0.5))


@pytest.mark.parametrize(("most", "step"), [(4.0, 1), (9.0, 2), (95.0, 20), (260.0, 50), (600.0, 100)])
def test_round_steps_on_an_axis(bench, most, step):
    assert bench("plot").step_of(most) == pytest.approx(step)


def test_pictures_are_well_formed(bench):
    plot = bench("plot")
    bars = plot.bars({"a": {"x": 3.0, "y": 2.0}, "a & b": {"": 5.0, "z": 1.0}})
    lines = plot.lines({"s": {1: 2.0, 10: 5.0}, "t": {1: 1.0, 10: 3.0}}, "hosts")
    for picture, shapes in ((bars, "rect"), (lines, "circle")):
        assert len(list(ET.fromstring(picture).iter(f"{{http://www.w3.org/2000/svg}}{shapes}"))) >= 4


def test_a_table_has_numbers_at_the_right(bench):
    table = bench("report").table(("what", "seconds"), [("a", 1.25), ("b", 2)])
    assert table.splitlines() == ["| what | seconds |", "| --- | ---: |", "| a | 1.2 |", "| b | 2 |"]
