"""Attribute values in one line, and two items side by side."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from etl_cli.item_view import shown, side_by_side


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"S": "two\nlines"}, "two lines"),
        ({"S": ""}, '""'),
        ({"N": "4.3745929235811589175430138299556789964"}, "4.3745929235811589175430138299556789964"),
        ({"B": b"\x00\x01"}, "AAE="),
        ({"BOOL": False}, "false"),
        ({"NULL": True}, "null"),
        ({"SS": ["b", "a"]}, "{a, b}"),
        ({"NS": ["10", "9"]}, "{9, 10}"),
        ({"BS": [b"b", b"a"]}, "{YQ==, Yg==}"),
        ({"L": [{"N": "1"}, {"L": []}]}, "[1, []]"),
        ({"M": {"b": {"M": {}}, "c": {"N": "1"}}}, "{c: 1, b: {}}"),
    ],
)
def test_values(value: dict[str, Any], expected: str) -> None:
    assert shown(value) == expected


def test_what_came_went_and_changed_is_marked() -> None:
    before: dict[str, Any] = {"id": {"S": "a"}, "gone": {"NULL": True}, "tags": {"SS": ["x", "y"]}, "value": {"N": "1"}}
    after: dict[str, Any] = {
        "id": {"S": "a"},
        "tags": {"SS": ["y", "x"]},
        "value": {"S": "one"},
        "size": {"S": "small"},
    }
    console = Console(file=io.StringIO(), width=60)
    console.print(side_by_side(before, after, ("source", "destination"), 60))
    assert isinstance(console.file, io.StringIO)

    assert [" ".join(line.split()) for line in console.file.getvalue().splitlines()] == [
        "source destination",
        "id S a a",
        "- gone NULL null left out",
        "tags SS {x, y} {x, y}",
        "~ value S 1 one",
        "+ size S small",
    ]
