"""Bounds of memory and output, whatever the items are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from etl_cli.aws.raw_items import items_of, without_equal
from etl_cli.items import rejections
from etl_cli.items.item_key import item_of_record, key_of_item, key_of_record
from etl_cli.items.quarantine import quarantine_of, quarantined
from etl_cli.items.rejections import FURTHER, MOST_REASONS, Rejection, Tally
from etl_cli.items.search import MOST_RECORDS, MOST_RECORDS_BYTES, MadeRecords
from etl_cli.terminal.console import Lazy, print_json
from tests.cli.documents import as_read
from tests.fakes.past_runs import PastRuns, edited, items


def test_reasons_are_bounded() -> None:
    tally = Tally()
    for each in range(MOST_REASONS + 5):
        tally.add(Rejection("transform", "value", f"above {each}", "0", example="a"))

    (first, *others) = tally.rejections()
    assert (str(first), first.count, len(others)) == (FURTHER, 5, MOST_REASONS)


def test_reasons_of_a_run_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = edited(tmp_path / "transformation.py", ('"expected a number >= 0"', 'record["id"]'))
    past = PastRuns(items(60), file)
    past.run()
    monkeypatch.setattr(rejections, "MOST_REASONS", 2)
    tally = quarantine_of(past.deployment, past.entry.run).aside

    assert [(each.rule == FURTHER, each.count) for each in tally.rejections()] == [(True, 4), (False, 1), (False, 1)]


def test_a_tally_without_items_has_summaries_alone() -> None:
    tally = Tally()
    for each in range(3):
        tally.add(Rejection("transform", f"field{each}", "expected less", f"{each}", "any: expected less", example="a"))
    tally.add(Rejection("transform", "timestamp", "is missing", "", "timestamp: is missing", untimed=True, example="b"))

    assert [(each.rule, each.count, each.untimed) for each in tally.without_items()] == [
        ("any: expected less", 3, False),
        ("timestamp: is missing", 1, True),
    ]
    assert {each.field + each.got + each.example for each in tally.without_items()} == {""}
    assert (tally.rejected, tally.untimed) == (3, 1)


def test_records_of_an_item_are_bounded() -> None:
    made = MadeRecords()
    for _ in range(MOST_RECORDS + 5):
        made.take(b"{}")
    assert (made.number, len(made.records)) == (MOST_RECORDS + 5, MOST_RECORDS)
    made = MadeRecords()
    for _ in range(5):
        made.take(b"x" * (MOST_RECORDS_BYTES // 2))
    assert (made.number, len(made.records)) == (5, 3)


def test_a_part_of_a_document_is_made_when_it_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    document = {"a": [Lazy(lambda: {"b": "x\n y  "}), 2], "c": Lazy(lambda: None)}
    print_json(document)

    assert capsys.readouterr().out == json.dumps({"a": [{"b": "x\n y  "}, 2], "c": None}, indent=2) + "\n"


def test_a_long_document_is_printed_as_a_short_one(capsys: pytest.CaptureFixture[str]) -> None:
    document = [{"name": "x" * each, "more": [each]} for each in range(3000)]
    print_json(document)

    assert capsys.readouterr().out == json.dumps(document, indent=2) + "\n"


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"RawBody": b'{"Item":{"id":{"S":"a"}}}'}, [b'{"id":{"S":"a"}}']),
        ({"RawBody": b'{"Items":[{"a":{"N":"1"}},{"b":{"N":"2"}}]}'}, [b'{"a":{"N":"1"}}', b'{"b":{"N":"2"}}']),
        ({"RawBody": b"{}"}, []),
        ({"Item": {"data": {"B": b"\x00"}}}, [b'{"data":{"B":"AA=="}}']),
        ({"Items": []}, []),
    ],
)
def test_items_of_an_answer(answer: dict[str, Any], expected: list[bytes]) -> None:
    assert items_of(answer) == expected


def test_attributes_that_are_written_alike_need_not_be_decoded() -> None:
    assert without_equal(b'{"a":1,"b":[1, 2],"c":3}', b'{"b":[1, 2],"a":2}') == (b'{"a":1,"c":3}', b'{"a":2}')


def test_keys_are_read_without_the_rest_of_an_item() -> None:
    assert key_of_item(b'{"id":{"S":"a"},"x":{"L":[]}}').text == "a"
    assert not key_of_item(b"{}")
    assert key_of_record(b'{"x":[],"timestamp":"t","id":"a"}').values == ("a", "t")
    assert item_of_record(b'{"x":[],"timestamp":"t","id":"a"}').values == ("a",)
    assert not key_of_record(b'{"id":"a"}')


def test_a_record_of_quarantine_is_as_it_lies_there() -> None:
    found = {"stage": "load", "field": "v", "rule": "expected less", "got": "more", "item": {"id": "a", "v": 1.5}}
    record = quarantined(json.dumps(found | {"more": 1}).encode())

    assert (record.key.text, record.field, record.untimed) == ("a", "v", False)
    assert as_read(Lazy(lambda: {name: str(value) for name, value in record.whole().items()}))["more"] == "1"
