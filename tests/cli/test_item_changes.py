"""Attribute values in one line, items as tables, and the differences between two of them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from etl_cli.render.item import MOST_LINES, changes_table, item_table, record_table, value_text
from etl_cli.runs.item_changes import Change, Item, changes, compare, same
from tests.cli.screens import printed


def lines(table: Any, width: int = 60) -> list[str]:
    return [" ".join(line.split()) for line in printed(lambda console: console.print(table), width).splitlines()]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"S": "two\nlines"}, r"two\nlines"),
        ({"S": ""}, '""'),
        ({"N": "4.3745929235811589175430138299556789964"}, "4.3745929235811589175430138299556789964"),
        ({"B": "AAE="}, "AAE="),
        ({"BOOL": False}, "false"),
        ({"NULL": True}, "null"),
        ({"SS": ["b", "a"]}, "{a, b}"),
        ({"NS": ["10", "9"]}, "{9, 10}"),
        ({"BS": ["Yg==", "YQ=="]}, "{YQ==, Yg==}"),
        ({"L": [{"N": "1"}, {"L": []}]}, "[1, []]"),
        ({"M": {"b": {"M": {}}, "c": {"N": "1"}}}, "{c: 1, b: {}}"),
    ],
)
def test_a_value_takes_one_line(value: dict[str, Any], expected: str) -> None:
    assert value_text(value) == expected


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        ({"N": "1.50"}, {"N": "1.5"}, True),
        ({"N": "1"}, {"BOOL": True}, False),
        ({"N": "1"}, {"S": "1"}, False),
        ({"NS": ["1.0", "2"]}, {"NS": ["2", "1"]}, True),
        ({"SS": ["a", "b"]}, {"SS": ["b", "a"]}, True),
        ({"SS": ["a"]}, {"SS": ["b"]}, False),
        ({"BS": ["Yg==", "YQ=="]}, {"BS": ["YQ==", "Yg=="]}, True),
        ({"L": [{"N": "1"}]}, {"L": [{"N": "1.0"}]}, True),
        ({"L": [{"N": "1"}, {"N": "2"}]}, {"L": [{"N": "2"}, {"N": "1"}]}, False),
        ({"M": {"a": {"N": "1"}}}, {"M": {"a": {"N": "1.0"}}}, True),
        ({"M": {"a": {"N": "1"}}}, {"M": {"b": {"N": "1"}}}, False),
        ({"S": "two  spaces"}, {"S": "two spaces"}, False),
        ({"N": "1234567890123456789012345678901234567.1"}, {"N": "1234567890123456789012345678901234567.2"}, False),
    ],
)
def test_values_are_the_same_as_to_dynamodb(one: dict[str, Any], other: dict[str, Any], equal: bool) -> None:
    assert same(one, other) is same(other, one) is equal


def test_a_change_within_a_value_has_a_path() -> None:
    before: Item = {
        "m": {"M": {"a": {"M": {"b": {"N": "1"}, "c": {"NULL": True}}}, "d": {"S": "x"}}},
        "l": {"L": [{"N": "1"}]},
    }
    after: Item = {
        "m": {"M": {"a": {"M": {"b": {"N": "2"}, "e": {"N": "3"}}}, "d": {"S": "x"}}},
        "l": {"L": [{"N": "2"}]},
    }

    assert [(change.mark, change.path) for change in changes(before, after)] == [
        ("~", "l[0]"),
        ("~", "m.a.b"),
        ("-", "m.a.c"),
        ("+", "m.a.e"),
    ]


@pytest.mark.parametrize("after", [{"L": [{"N": "1"}, {"N": "2"}]}, {"S": "x"}, {"M": {}}])
def test_another_length_or_type_is_one_change(after: dict[str, Any]) -> None:
    assert list(changes({"l": {"L": [{"N": "1"}]}}, {"l": after})) == [Change("l", {"L": [{"N": "1"}]}, after)]


def test_keys_come_first_and_new_attributes_last() -> None:
    found = compare({"value": {"N": "1"}, "id": {"S": "a"}}, {"id": {"S": "a"}, "value": {"N": "1.0"}, "b": {"N": "2"}})

    assert [(change.mark, change.path) for change in found] == [("", "id"), ("", "value"), ("+", "b")]


def test_changes_are_marked_in_a_table() -> None:
    before: Item = {"id": {"S": "a"}, "gone": {"NULL": True}, "tags": {"SS": ["x", "y"]}, "value": {"N": "1"}}
    after: Item = {"id": {"S": "a"}, "tags": {"SS": ["y", "x"]}, "value": {"S": "one"}, "size": {"S": "small"}}

    assert lines(changes_table(compare(before, after), ("source", "destination"), 60)) == [
        "source destination",
        "id S a =",
        "- gone NULL null left out",
        "tags SS {x, y} =",
        "~ value S 1 one",
        "+ size S small",
    ]


def test_every_value_is_whole() -> None:
    digits, text = "2.8620448302818067243901633994681979173", "many words " * 5
    item = {"number": {"N": digits}, "text": {"S": text}, "other": {"S": text}}
    output = lines(changes_table(compare(item, item | {"other": {"S": text.upper()}}), ("before", "after"), 60))

    assert f"number N {digits}" in output
    assert "…" not in " ".join(output)
    assert " ".join(output).count("MANY") == 5
    assert " ".join(output).count("many") == 10


def test_an_item_is_shown_whole_with_its_keys_first() -> None:
    item = {"a": {"S": "word " * 20}, "timestamp": {"S": "t"}, "id": {"S": "x"}, "b": {"B": "AAE="}}
    output = lines(item_table(item, 60))

    assert output[:2] == ["id S x", "timestamp S t"]
    assert " ".join(output).count("word") == 20
    assert output[-1] == "b B AAE="


def test_a_record_of_plain_json_is_shown_as_json() -> None:
    record = {"value": Decimal("1.50"), "id": "x", "tags": {"$set": ["ä", Decimal("1.0")]}, "none": None}

    assert lines(record_table(record, 60)) == ['id "x"', "none null", 'tags {"$set": ["ä", 1.0]}', "value 1.50"]


def test_lines_of_an_item_are_bounded() -> None:
    wide = {f"n{each:03}": {"N": "1"} for each in range(MOST_LINES + 7)}
    changed = [Change(name, None, value) for name, value in wide.items()]

    for part in (
        item_table(wide, 100),
        record_table(dict.fromkeys(wide, 1), 100),
        changes_table(changed, ("a", "b"), 100),
    ):
        *shown, more = lines(part, 100)
        assert "7 more lines" in more
        assert f"n{MOST_LINES - 1:03}" in shown[-1]
