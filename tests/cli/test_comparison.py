"""Records of then and now, matched by their keys."""

from __future__ import annotations

import json
from typing import Any

import pytest

from etl_cli.items.comparison import Comparison
from etl_cli.items.local_transformation import key_of
from etl_cli.runs.staged_record import loaded_item
from etl_cli.terminal.errors import UserError
from tests.cli.documents import as_read


def line(number: int, **fields: object) -> bytes:
    return json.dumps({"id": f"{number}", "timestamp": "2024-01-15T10:00:00Z", **fields}).encode()


def compared(then: list[bytes], now: list[bytes], **options: Any) -> Comparison:
    made = Comparison(key_of, loaded_item, **options)
    for each in then:
        made.take_then(each)
    for each in now:
        made.take_now(each)
    made.finish()
    return made


def counts(found: Comparison) -> tuple[int, int, int, int]:
    return found.unchanged, found.changed, found.come_count, found.gone_count


def test_of_a_part_what_was_made_of_its_items_is_gone_and_what_may_be_of_others_is_not() -> None:
    made = Comparison(key_of, loaded_item)
    for number in range(6):
        made.take_then(line(number))
    made.take_now(line(2))
    made.finish({"2", "4"})

    # 0 and 1 lie before the last that has a counterpart, 4 is one of the items; 3 and 5 may be another's.
    assert {identity for identity, _ in made.gone} == {"0", "1", "4"}


def test_order_does_not_matter() -> None:
    assert counts(compared([line(1), line(2), line(3)], [line(3), line(1), line(2)])) == (3, 0, 0, 0)


def test_a_number_that_is_written_in_another_way_is_the_same() -> None:
    then = [b'{"id":"1","timestamp":"t","value":1.50,"none":null}']
    now = [b'{"id":"1","timestamp":"t","value":1.5}']

    assert counts(compared(then, now)) == (1, 0, 0, 0)


def test_true_is_not_one() -> None:
    found = compared([line(1, value=True)], [line(1, value=1)])

    assert counts(found) == (0, 1, 0, 0)


def test_of_several_with_one_key_the_last_counts() -> None:
    assert counts(compared([line(1, v=1), line(1, v=2)], [line(1, v=2)])) == (1, 0, 0, 0)


def test_fields_within_a_list_are_counted_once_a_record() -> None:
    found = compared([line(1, lines=[{"price": 1}, {"price": 2}])], [line(1, lines=[{"price": 3}, {"price": 4}])])
    (field,) = found.fields.values()

    assert field.example
    assert (field.path, field.count, field.example.path) == ("lines[].price", 1, "lines[0].price")


def test_examples_are_bounded_and_counts_are_not() -> None:
    then, now = [line(n, v=1) for n in range(9)], [line(n, v=2) for n in range(4, 15)]
    found = compared(then, now, most_examples=2)

    assert counts(found) == (0, 5, 6, 4)
    assert (len(found.examples), len(found.come), len(found.gone)) == (2, 2, 2)


def test_what_waits_is_bounded() -> None:
    with pytest.raises(UserError, match="More than 3 records of the run") as caught:
        compared([line(n) for n in range(4)], [], most_waiting=3)
    assert "--sample" in caught.value.remedy


def test_programs_get_all_of_it_in_dynamodb_json() -> None:
    document = as_read(compared([line(1, v=1), line(2)], [line(1, v=2.5), line(3)]).document())
    example = {"id": "1", "timestamp": "2024-01-15T10:00:00Z", "then": {"N": "1"}, "now": {"N": "2.5"}}

    assert document["fields"] == [{"path": "v", "mark": "~", "count": 1, "example": example}]
    assert document["come"] == {"count": 1, "examples": [{"id": "3", "timestamp": "2024-01-15T10:00:00Z"}]}
    assert document["examples"][0]["now"]["v"] == {"N": "2.5"}
