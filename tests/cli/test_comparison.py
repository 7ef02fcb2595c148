"""Records of an earlier run and of now, matched by their keys."""

from __future__ import annotations

import json
from typing import Any

import pytest

from etl_cli.items.comparison import MOST_FIELDS, Comparison
from etl_cli.render.preview_document import comparison_document
from etl_cli.terminal.errors import UserError
from tests.cli.documents import as_read


def line(number: int, **fields: object) -> bytes:
    return json.dumps({"id": f"{number}", "timestamp": "2024-01-15T10:00:00Z", **fields}).encode()


def compared(then: list[bytes], now: list[bytes], **options: Any) -> Comparison:
    made = Comparison(**options)
    for each in then:
        made.take_then(each)
    for each in now:
        made.take_now(each)
    made.finish()
    return made


def counts(found: Comparison) -> tuple[int, int, int, int]:
    """Numbers of records that are the same, that differ, that are new and that are gone."""
    return found.unchanged, found.changed, found.come_count, found.gone_count


def test_of_a_part_only_records_of_its_items_are_gone() -> None:
    made = Comparison(most_examples=9)
    for number in range(6):
        made.take_then(line(number))
    made.take_now(line(2))
    made.finish({("2",), ("4",)})

    # 0 and 1 come before the last that has a counterpart, 4 is one of the items; 3 and 5 may belong to another.
    assert [identity for identity, _ in made.gone] == ["0", "1", "4"]


def test_the_order_of_records_does_not_matter() -> None:
    assert counts(compared([line(1), line(2), line(3)], [line(3), line(1), line(2)])) == (3, 0, 0, 0)


def test_the_notation_of_a_number_does_not_matter() -> None:
    then = [b'{"id":"1","timestamp":"t","value":1.50,"none":null}']
    now = [b'{"id":"1","timestamp":"t","value":1.5}']

    assert counts(compared(then, now)) == (1, 0, 0, 0)


def test_true_is_not_one() -> None:
    assert counts(compared([line(1, value=True)], [line(1, value=1)])) == (0, 1, 0, 0)


def test_of_several_records_with_one_key_the_last_counts() -> None:
    assert counts(compared([line(1, v=1), line(1, v=2)], [line(1, v=2)])) == (1, 0, 0, 0)


def test_a_field_within_a_list_counts_once_a_record() -> None:
    found = compared([line(1, lines=[{"price": 1}, {"price": 2}])], [line(1, lines=[{"price": 3}, {"price": 4}])])
    (field,) = found.fields.values()

    assert field.example
    assert (field.path, field.count, field.example.path) == ("lines[].price", 1, "lines[0].price")


def test_examples_are_bounded_and_counts_are_not() -> None:
    then, now = [line(n, v=1) for n in range(9)], [line(n, v=2) for n in range(4, 15)]
    found = compared(then, now, most_examples=2)

    assert counts(found) == (0, 5, 6, 4)
    assert (len(found.examples), len(found.come), len(found.gone)) == (2, 2, 2)


def test_records_that_wait_are_bounded_by_their_number() -> None:
    with pytest.raises(UserError) as caught:
        compared([line(n) for n in range(4)], [], most_waiting=3)
    assert "--sample" in caught.value.remedy


def test_records_that_wait_are_bounded_by_their_bytes() -> None:
    with pytest.raises(UserError, match=r"1\.0 kB"):
        compared([line(each, text="x" * 300) for each in range(9)], [], most_waiting_bytes=1000)
    same = [line(each, text="x" * 300) for each in range(3)]
    assert counts(compared(same, same, most_waiting_bytes=1100)) == (3, 0, 0, 0)


def test_a_matched_record_waits_no_more() -> None:
    lines = [line(each, text="x" * 300) for each in range(3)]
    made = compared(lines, lines, most_waiting_bytes=1100)
    for each in lines * 2:
        made.take_now(each)
        made.take_then(each)

    assert made.unchanged == 9


def test_fields_that_differ_are_bounded() -> None:
    names = {f"n{each}": 1 for each in range(MOST_FIELDS + 5)}
    found = compared([line(1), line(2)], [line(1, **names), line(2, **names)])

    assert (len(found.fields), found.further, found.changed) == (MOST_FIELDS, 2, 2)


def test_an_example_that_is_too_large_is_left_out() -> None:
    document = as_read(comparison_document(compared([line(1, text="x" * 30_000)], [line(1, text="y")])))

    assert document["fields"][0]["example"]["too_large"]
    assert document["examples"][0]["then"]["text"]["S"] == "x" * 30_000


def test_programs_get_all_of_it_in_dynamodb_json() -> None:
    document = as_read(comparison_document(compared([line(1, v=1), line(2)], [line(1, v=2.5), line(3)])))
    key = {"id": "1", "timestamp": "2024-01-15T10:00:00Z"}
    example = {**key, "then": {"N": "1"}, "now": {"N": "2.5"}, "key": key}

    assert document["fields"] == [{"path": "v", "mark": "~", "count": 1, "example": example}]
    assert document["come"] == {"count": 1, "examples": [{"id": "3", "timestamp": "2024-01-15T10:00:00Z"}]}
    assert document["examples"][0]["now"]["v"] == {"N": "2.5"}
