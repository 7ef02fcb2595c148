"""What the command keeps in memory and prints is bounded, whatever the items are; and it says what it leaves out."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

import etl_cli.items.kinds as preview_kinds
import etl_cli.items.rehearsal as preview_rehearsal
from etl_cli.aws.raw_items import items_of, without_alike
from etl_cli.items import preview_items
from etl_cli.items.comparison import MOST_FIELDS
from etl_cli.items.kinds import OTHER_KINDS
from etl_cli.items.local_transformation import LocalTransformation
from etl_cli.items.preview_items import Taken, run_now, take_sample
from etl_cli.items.quarantine import quarantine_of
from etl_cli.items.rehearsal import rehearse
from etl_cli.items.rejections import Reason, Tally
from etl_cli.items.search import MOST_RECORDS, MOST_RECORDS_BYTES, Made
from etl_cli.render import preview_document
from etl_cli.render.preview_document import rehearsed_document
from etl_cli.runs.item import MOST_LINES, Change, alone, alone_plain, whole
from etl_cli.runs.staged import set_aside, text_of
from etl_cli.summary.report import FURTHER, MOST_REASONS, rejections_of
from etl_cli.terminal.console import Later, Terminal, print_json
from etl_cli.terminal.errors import UserError
from tests.cli.documents import as_read
from tests.cli.test_comparison import compared, counts, line
from tests.cli.test_rehearsal import NOW
from tests.fakes.past_runs import PastRuns, edited, items
from tests.unit.builders import item

RUN = run_now(None, NOW)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return edited(tmp_path / "transformation.py")


def lines_of(number: int, **more: Any) -> list[bytes]:
    return [json.dumps(item(each) | more).encode() for each in range(number)]


def printed(part: Any) -> str:
    console = Terminal(file=io.StringIO(), width=100)
    console.print(part)
    return str(console.file.getvalue())  # type: ignore[attr-defined]


def test_a_sample_ends_where_it_has_too_many_bytes(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    past = PastRuns(items(30), file)
    monkeypatch.setattr(preview_items, "MOST_SAMPLE_BYTES", 1000)
    taken = take_sample(past.pipeline, 20, None, RUN)

    assert 0 < len(taken.lines) < 20
    assert sum(map(len, taken.lines)) <= 1000
    assert (taken.full, taken.cut) == (True, False)


def test_a_sample_has_one_item_at_least(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preview_items, "MOST_SAMPLE_BYTES", 1)

    assert len(take_sample(PastRuns(items(30), file).pipeline, 20, None, RUN).lines) == 1


def test_outcomes_are_kept_while_they_have_few_bytes(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preview_rehearsal, "MOST_KEPT_BYTES", 1500)
    found = rehearse(LocalTransformation(file), Taken(RUN, lines_of(20)))
    document = as_read(rehearsed_document(found))

    assert found.items == found.records == found.kinds.total() == 20
    assert 0 < len(found.outcomes) == len(document["items"]) == 20 - document["items_left_out"]


def test_ways_to_change_are_bounded(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    edited(file, ("    return record", '    return record | {record["id"]: 1}'))
    monkeypatch.setattr(preview_rehearsal, "MOST_KINDS", 3)
    monkeypatch.setattr(preview_kinds, "_MOST_CHANGES", 1)
    found = rehearse(LocalTransformation(file), Taken(RUN, lines_of(9)))

    assert found.kinds == {"+ as_of, and more": 9}
    monkeypatch.setattr(preview_kinds, "_MOST_CHANGES", 9)
    found = rehearse(LocalTransformation(file), Taken(RUN, lines_of(9)))
    assert (len(found.kinds), found.kinds[OTHER_KINDS]) == (4, 6)


def test_changes_of_a_record_are_bounded(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preview_document, "MOST_CHANGES", 2)
    (found,) = as_read(rehearsed_document(rehearse(LocalTransformation(file), Taken(RUN, lines_of(1)))))["items"]
    (record,) = found["records"]

    assert (len(record["changes"]), record["changes_left_out"]) == (2, 1)


def test_records_that_wait_are_bounded_by_their_bytes() -> None:
    with pytest.raises(UserError, match=r"1\.0 kB"):
        compared([line(each, text="x" * 300) for each in range(9)], [], most_waiting_bytes=1000)
    same = [line(each, text="x" * 300) for each in range(3)]
    assert counts(compared(same, same, most_waiting_bytes=1100)) == (3, 0, 0, 0)


def test_what_found_its_counterpart_waits_no_more() -> None:
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
    found = compared([line(1, text="x" * 30_000)], [line(1, text="y")])
    (field,) = as_read(found.document())["fields"]

    assert field["example"]["too_large"]
    assert as_read(found.document())["examples"][0]["then"]["text"]["S"] == "x" * 30_000


def test_reasons_are_bounded() -> None:
    tally = Tally()
    for each in range(MOST_REASONS + 5):
        tally.add("transform", Reason("value", f"above {each}", "0"), "a")

    (first, *others) = tally.reasons()
    assert (str(first.example), first.count, len(others)) == (FURTHER, 5, MOST_REASONS)


def test_reasons_of_a_report_are_bounded(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    edited(file, ('"a number >= 0"', 'record["id"]'))
    past = PastRuns(items(60), file)
    past.run()
    monkeypatch.setattr("etl_cli.summary.report.MOST_REASONS", 2)
    found, _ = rejections_of(past.pipeline, past.entry.run)

    assert [(each.expected == FURTHER, each.count) for each in found] == [(True, 4), (False, 1), (False, 1)]
    assert quarantine_of(past.pipeline, past.entry.run).aside.total == 6


def test_records_of_an_item_are_bounded() -> None:
    made = Made()
    for _ in range(MOST_RECORDS + 5):
        made.take(b"{}")
    assert (made.number, len(made.records)) == (MOST_RECORDS + 5, MOST_RECORDS)
    made = Made()
    for _ in range(5):
        made.take(b"x" * (MOST_RECORDS_BYTES // 2))
    assert (made.number, len(made.records)) == (5, 3)


def test_an_item_is_shown_in_so_many_lines() -> None:
    wide = {f"n{each:03}": {"N": "1"} for each in range(MOST_LINES + 7)}
    changed = [Change(name, None, value) for name, value in wide.items()]

    for part in (alone(wide, 100), alone_plain(dict.fromkeys(wide, 1), 100), whole(changed, ("a", "b"), 100)):
        assert "and 7 more lines; --json has all of it" in printed(part)
        assert f"n{MOST_LINES - 1:03}" in printed(part)


def test_a_part_of_a_document_is_made_when_it_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    document = {"a": [Later(lambda: {"b": "x\n y  "}), 2], "c": Later(lambda: None)}
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
    assert without_alike(b'{"a":1,"b":[1, 2],"c":3}', b'{"b":[1, 2],"a":2}') == (b'{"a":1,"c":3}', b'{"a":2}')


def test_an_id_is_told_without_the_item() -> None:
    assert text_of(b'{"id":{"S":"a"},"x":{"L":[]}}', "id") == text_of(b'{"x":[],"id":"a"}', "id") == "a"
    assert text_of(b'{"timestamp":{"N":"1"}}', "timestamp") == text_of(b"{}", "id") == ""


def test_a_record_of_quarantine_is_as_it_lies_there() -> None:
    found = {"stage": "load", "field": "v", "expected": "less", "got": "more", "item": {"id": "a", "v": 1.5}, "x": 1}
    record = set_aside(json.dumps(found).encode())

    assert (record.identity, record.field, record.untimed) == ("a", "v", False)
    assert as_read(Later(lambda: {name: str(value) for name, value in record.whole().items()}))["x"] == "1"
