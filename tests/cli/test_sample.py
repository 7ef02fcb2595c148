"""Samples of the source table, and their previews."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import etl_cli.items.preview as preview_module
from etl.model.schema import SPECIFIED
from etl_cli.items import sample as sample_module
from etl_cli.items.item_key import ItemKey
from etl_cli.items.local_transformation import LocalTransformation
from etl_cli.items.preview import OTHER_KINDS, preview_sample
from etl_cli.items.sample import Sample, preview_run, take_items, take_sample
from etl_cli.render import preview_document as document_module
from etl_cli.render.preview_document import preview_document
from etl_cli.terminal.errors import UserError
from etl_cli.terminal.times import Span
from tests.cli.documents import as_read
from tests.fakes.past_runs import PastRuns, edited, items
from tests.unit.builders import item

NOW = datetime(2024, 1, 16, 2, tzinfo=UTC)
DAY = Span(datetime(2024, 1, 15, tzinfo=UTC), datetime(2024, 1, 16, tzinfo=UTC))
RUN = preview_run(None, NOW)


@pytest.fixture
def past(file: Path) -> PastRuns:
    return PastRuns(items(), file)


def ids(sample: Sample) -> list[str]:
    return [json.loads(line)["id"]["S"] for line in sample.lines]


def key(text: str) -> ItemKey:
    return ItemKey(SPECIFIED.source, (text,))


def made_up(number: int, **more: Any) -> Sample:
    return Sample(RUN, [json.dumps(item(each) | more).encode() for each in range(number)])


def test_a_sample_holds_the_first_items_of_a_scan(past: PastRuns, file: Path) -> None:
    sample = take_sample(past.deployment, 10, None, RUN)
    found = preview_sample(LocalTransformation(file), sample)

    assert (found.items, len(found.outcomes), sample.cut) == (10, 10, False)
    assert sample.lines == take_sample(past.deployment, 10, None, RUN).lines
    assert found.records + found.aside.total == 10


def test_a_sample_of_a_window_has_items_without_a_time_too(past: PastRuns) -> None:
    untimed = item(901) | {"timestamp": {"S": "yesterday"}}
    past.runs.dynamodb.tables["source"] += [item(900, timestamp="2024-01-14T23:59:59Z"), untimed]

    found = ids(take_sample(past.deployment, 99, DAY, preview_run(DAY, NOW)))

    assert len(found) == 61
    assert "item-0901" in found
    assert "item-0900" not in found
    assert len(take_sample(past.deployment, 99, None, RUN).lines) == 62


def test_a_scan_that_finds_little_ends_early(past: PastRuns, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sample_module, "MOST_SCANNED", 20)
    seen: list[int] = []
    taken = take_sample(past.deployment, 99, DAY, preview_run(DAY, NOW), seen.append)

    assert (taken.scanned, taken.cut) == (21, True)
    assert seen == [7, 14, 21]


def test_a_window_without_items_is_an_error(past: PastRuns) -> None:
    empty = Span(DAY.start - timedelta(days=9), DAY.start - timedelta(days=8))

    with pytest.raises(UserError, match="60 items of source"):
        take_sample(past.deployment, 5, empty, preview_run(empty, NOW))


def test_a_table_without_items_is_an_error(file: Path) -> None:
    with pytest.raises(UserError, match="source") as caught:
        take_sample(PastRuns([], file).deployment, 5, None, RUN)
    assert "etl seed" in caught.value.remedy


def test_items_come_in_the_order_of_the_given_ids(past: PastRuns) -> None:
    assert ids(take_items(past.deployment, [key("item-0005"), key("item-0001")], RUN)) == ["item-0005", "item-0001"]
    with pytest.raises(UserError, match="nobody"):
        take_items(past.deployment, [key("nobody")], RUN)


def test_transform_gets_the_run_of_the_window() -> None:
    given = preview_run(DAY, NOW)

    assert (given.start, given.end) == ("2024-01-15T00:00:00Z", "2024-01-16T00:00:00Z")
    assert (RUN.start, RUN.end) == ("2024-01-15T02:00:00Z", "2024-01-16T02:00:00Z")


def test_a_sample_ends_where_it_has_too_many_bytes(past: PastRuns, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sample_module, "MOST_SAMPLE_BYTES", 1000)
    sample = take_sample(past.deployment, 20, None, RUN)

    assert 0 < len(sample.lines) < 20
    assert sum(map(len, sample.lines)) <= 1000
    assert (sample.full, sample.cut) == (True, False)


def test_a_sample_has_one_item_at_least(past: PastRuns, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sample_module, "MOST_SAMPLE_BYTES", 1)

    assert len(take_sample(past.deployment, 20, None, RUN).lines) == 1


def test_outcomes_are_kept_while_they_have_few_bytes(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preview_module, "MOST_KEPT_BYTES", 1500)
    found = preview_sample(LocalTransformation(file), made_up(20))
    document = as_read(preview_document(found))

    assert found.items == found.records == found.kinds.total() == 20
    assert 0 < len(found.outcomes) == len(document["items"]) == 20 - document["items_left_out"]


def test_kinds_of_change_are_bounded(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    edited(file, ("    return record", '    return record | {record["id"]: 1}'))
    monkeypatch.setattr(preview_module, "MOST_KINDS", 3)
    monkeypatch.setattr(preview_module, "_MOST_CHANGES", 1)
    assert preview_sample(LocalTransformation(file), made_up(9)).kinds == {"+ as_of, and more": 9}

    monkeypatch.setattr(preview_module, "_MOST_CHANGES", 9)
    found = preview_sample(LocalTransformation(file), made_up(9))
    assert (len(found.kinds), found.kinds[OTHER_KINDS]) == (4, 6)


def test_changes_of_a_record_are_bounded(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(document_module, "MOST_CHANGES", 2)
    document = as_read(preview_document(preview_sample(LocalTransformation(file), made_up(1))))
    (record,) = document["items"][0]["records"]

    assert (len(record["changes"]), record["changes_left_out"]) == (2, 1)
