# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Files as oslo.config reads them."""

from __future__ import annotations

import pytest
from ansible_collections.cairn.openstack.plugins.module_utils.common import ini


def body(sections):
    header, _line, text = ini.render(sections).partition("\n")
    assert header.startswith("# Written by Cairn")
    return text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "o = true\n"),
        (False, "o = false\n"),
        (0, "o = 0\n"),
        ("", "o = \n"),
        (1.5, "o = 1.5\n"),
        (["a", "b", 3], "o = a,b,3\n"),
        ([], "o = \n"),
        ("100%", "o = 100%\n"),
    ],
)
def test_values(value, text):
    assert body({"s": {"o": value}}) == f"\n[s]\n{text}"


def test_an_option_that_is_said_several_times():
    assert body({"s": {"o[]": ["a:1", "b:2"]}}) == "\n[s]\no = a:1\no = b:2\n"


def test_what_was_written_is_read_again():
    sections = {"DEFAULT": {"a[]": ["x = 1"]}, "b": {"c[]": ["1", "2"], "d[]": [""]}}
    assert ini.parse(ini.render(sections)) == sections
    assert ini.parse("[s]\n; no\na = 1,\n  2\n") == {"s": {"a[]": ["1,\n2"]}}


def test_none_leaves_the_option_out_and_an_empty_section_too():
    assert body({"s": {"o": None}, "t": {}, "u": None, "v": {"x": 1}}) == "\n[v]\nx = 1\n"


def test_default_comes_first_and_the_rest_by_name():
    assert body({"b": {"z": 1, "a": 1}, "a": {"x": 1}, "DEFAULT": {"y": 1}}) == (
        "\n[DEFAULT]\ny = 1\n\n[a]\nx = 1\n\n[b]\na = 1\nz = 1\n"
    )


def test_the_order_of_the_input_does_not_matter():
    one = {"a": {"x": 1, "y": 2}, "b": {"z": 3}}
    other = {"b": {"z": 3}, "a": {"y": 2, "x": 1}}
    assert ini.render(one) == ini.render(other)
