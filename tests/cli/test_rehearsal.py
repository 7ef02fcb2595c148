"""What the local transformation makes of a run's items, beside what the run made of them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from etl_cli.items import preview_items, staged_parts
from etl_cli.items.local_transformation import LocalTransformation
from etl_cli.items.preview_items import run_now, take_items, take_sample
from etl_cli.items.rehearsal import PastRun, RehearsedRun, rehearse
from etl_cli.terminal.errors import UserError
from etl_cli.terminal.times import Span
from tests.fakes.past_runs import PastRuns, edited, items
from tests.unit.builders import START, item

NOW = datetime(2024, 1, 16, 2, tzinfo=UTC)
DAY = Span(datetime(2024, 1, 15, tzinfo=UTC), datetime(2024, 1, 16, tzinfo=UTC))
LOADED_AGGREGATE = ('name="value_by_date",', 'name="value_by_date", load=True,')


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return edited(tmp_path / "transformation.py")


@pytest.fixture
def past(file: Path) -> PastRuns:
    made = PastRuns(items(), file, segments=3)
    made.run(environment={"PART_BYTES": "2000"})
    return made


def again(past: PastRuns, file: Path, most: int | None = None) -> RehearsedRun:
    return PastRun(past.pipeline, past.entry).rehearse(LocalTransformation(file), most)


def comparison(past: PastRuns, file: Path, most: int | None = None) -> tuple[RehearsedRun, tuple[int, int, int, int]]:
    """How many records are the same, another, new and gone."""
    found = again(past, file, most)
    assert found.comparison
    counts = found.comparison
    return found, (counts.unchanged, counts.changed, counts.come_count, counts.gone_count)


def test_what_is_shown_is_what_the_run_did(past: PastRuns, file: Path) -> None:
    assert sum(key.startswith("extract/") for key in past.objects) > 5  # several segments, of several parts
    found, counts = comparison(past, file)

    assert counts == (54, 0, 0, 0)
    assert (found.items, found.records, found.dropped, found.aside.total) == (60, 54, 0, 6)
    assert found.aside.reasons()[0].count == 6
    assert {each.example for each in found.aside.reasons()} == {each.example for each in found.aside_then.reasons()}
    staged = json.loads(past.objects[f"transform/{past.entry.run}/aggregates.json"], parse_float=str)
    assert found.aggregates == staged["aggregates"]


def test_what_load_rejected_is_not_the_transformations(past: PastRuns, file: Path) -> None:
    record = {"stage": "load", "field": "", "expected": "less", "got": "more", "item": {"id": "item-0001"}}
    past.objects[f"quarantine/{past.entry.run}/load-0000-0000.json"] = f"[\n{json.dumps(record)}\n]\n"

    assert again(past, file).aside_then.total == 6


def test_parts_are_in_the_order_in_which_they_were_written(file: Path) -> None:
    past = PastRuns(items(), file)
    past.run(environment={"PART_BYTES": "500"})
    found = staged_parts.segments(past.pipeline, "extract", past.entry.run)

    assert [key.rpartition("/")[2] for key in found[0]][:3] == ["data.json", "0000-0001.json", "0000-0002.json"]
    assert comparison(past, file)[1] == (54, 0, 0, 0)


def test_a_field_that_changes_is_counted_with_an_example(past: PastRuns, file: Path) -> None:
    edited(file, ('"small" if', '"tiny" if'), ('record["as_of"]', 'record["until"]'))
    found, counts = comparison(past, file)

    assert counts == (0, 54, 0, 0)
    assert found.comparison
    fields = {(each.mark, each.path): each.count for each in found.comparison.fields.values()}
    assert fields == {("~", "size"): 54, ("-", "as_of"): 54, ("+", "until"): 54}
    size = found.comparison.fields["size", "~"].example
    assert size
    assert (size.before, size.after) == ({"S": "small"}, {"S": "tiny"})


def test_records_that_are_rejected_now_are_gone(past: PastRuns, file: Path) -> None:
    edited(file, ('record["value"] < 0', 'record["value"] < 20'))
    found, counts = comparison(past, file)

    assert counts == (36, 0, 0, 18)
    assert (found.aside_then.total, found.aside.total) == (6, 24)


def test_records_that_were_rejected_then_come(past: PastRuns, file: Path) -> None:
    edited(file, ('record["value"] < 0', 'record["value"] < -5'))
    found, counts = comparison(past, file)

    assert counts == (54, 0, 6, 0)
    assert found.comparison
    assert len(found.comparison.come) == 3
    assert {identity[-1] for identity, _ in found.comparison.come} == {"9"}


def test_records_with_other_keys_are_new_ones(past: PastRuns, file: Path) -> None:
    edited(file, ("    return record", '    record["id"] += "#1"\n    return record'))

    assert comparison(past, file)[1] == (0, 0, 54, 54)


def test_a_part_of_the_items_is_compared_with_what_was_made_of_them(past: PastRuns, file: Path) -> None:
    edited(file, ('record["value"] < 0', 'record["value"] < 20'))
    found, (unchanged, changed, come, gone) = comparison(past, file, 12)

    assert (found.items, found.complete) == (12, False)
    assert (changed, come) == (0, 0)
    assert unchanged == found.records
    assert unchanged + gone + found.aside_then.total == 12


def test_a_part_of_the_items_says_nothing_of_the_others(past: PastRuns, file: Path) -> None:
    assert comparison(past, file, 12)[1] == (12 - again(past, file, 12).aside.total, 0, 0, 0)


def test_loaded_aggregates_are_records_too(tmp_path: Path) -> None:
    file = edited(tmp_path / "transformation.py", LOADED_AGGREGATE)
    past = PastRuns(items(), file, segments=2)
    past.run()

    assert comparison(past, file)[1] == (55, 0, 0, 0)
    edited(file, LOADED_AGGREGATE, ('"small" if', '"tiny" if'))
    assert comparison(past, file)[1] == (1, 54, 0, 0)
    edited(file)
    assert comparison(past, file)[1] == (54, 0, 0, 1)
    assert comparison(past, file, 12)[1][3] == 0


@pytest.mark.parametrize("stage", ["Gate", "Load", "Finish"])
def test_a_run_that_failed_behind_transform_is_compared(past: PastRuns, file: Path, stage: str) -> None:
    past.fail(stage)

    assert comparison(past, file)[1] == (54, 0, 0, 0)


@pytest.mark.parametrize("stage", ["Extract", "Transform"])
def test_a_run_that_failed_earlier_is_previewed_and_not_compared(past: PastRuns, file: Path, stage: str) -> None:
    past.fail(stage)
    found = again(past, file)

    assert (found.items, found.comparison) == (60, None)


def test_a_run_whose_end_was_lost_is_looked_at_as_one_that_failed(past: PastRuns) -> None:
    past.runs.dynamodb.ledger.items["run", past.entry.name] |= {
        "status": {"S": "RUNNING"},
        "started_at": {"S": "2024-01-16T01:50:00Z"},
    }

    assert PastRun(past.pipeline, past.entry).run.start == START


def test_a_run_that_is_going_on_is_refused(past: PastRuns) -> None:
    past.runs.dynamodb.ledger.items["run", past.entry.name]["status"] = {"S": "RUNNING"}

    with pytest.raises(UserError, match="is still running"):
        PastRun(past.pipeline, past.entry)


def test_a_run_whose_objects_have_expired_is_refused(past: PastRuns) -> None:
    past.objects.clear()

    with pytest.raises(UserError, match="nothing to see of what run 20240116T020000123Z has read"):
        PastRun(past.pipeline, past.entry)


def test_a_sample_is_what_a_scan_finds_first(past: PastRuns, file: Path) -> None:
    taken = take_sample(past.pipeline, 10, None, run_now(None, NOW))
    found = rehearse(LocalTransformation(file), taken)

    assert (found.items, len(found.outcomes), taken.cut) == (10, 10, False)
    assert taken.lines == take_sample(past.pipeline, 10, None, run_now(None, NOW)).lines
    assert found.records + found.aside.total == 10


def test_a_sample_of_a_window_has_its_items_and_those_without_a_time(past: PastRuns) -> None:
    untimed = item(901) | {"timestamp": {"S": "yesterday"}}
    past.runs.dynamodb.tables["source"] += [item(900, timestamp="2024-01-14T23:59:59Z"), untimed]

    ids = {json.loads(line)["id"]["S"] for line in take_sample(past.pipeline, 99, DAY, run_now(DAY, NOW)).lines}

    assert len(ids) == 61
    assert "item-0901" in ids
    assert "item-0900" not in ids
    assert len(take_sample(past.pipeline, 99, None, run_now(None, NOW)).lines) == 62


def test_a_scan_that_finds_little_ends_and_says_so(past: PastRuns, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preview_items, "MOST_SCANNED", 20)
    seen: list[int] = []
    taken = take_sample(past.pipeline, 99, DAY, run_now(DAY, NOW), seen.append)

    assert (taken.scanned, taken.cut) == (21, True)
    assert seen == [7, 14, 21]


def test_a_window_without_items_is_an_error(past: PastRuns) -> None:
    empty = Span(DAY.start - timedelta(days=9), DAY.start - timedelta(days=8))

    with pytest.raises(UserError, match="nothing of this window among the 60 items of source"):
        take_sample(past.pipeline, 5, empty, run_now(empty, NOW))


def test_a_table_without_items_is_an_error(file: Path) -> None:
    with pytest.raises(UserError, match="source has no items") as caught:
        take_sample(PastRuns([], file).pipeline, 5, None, run_now(None, NOW))
    assert "etl seed" in caught.value.remedy


def test_items_are_taken_by_their_ids_in_the_order_given(past: PastRuns) -> None:
    taken = take_items(past.pipeline, ["item-0005", "item-0001"], run_now(None, NOW))

    assert [json.loads(line)["id"]["S"] for line in taken.lines] == ["item-0005", "item-0001"]
    with pytest.raises(UserError, match="source has no item 'nobody'"):
        take_items(past.pipeline, ["nobody"], run_now(None, NOW))


def test_the_run_that_transform_is_told_of_is_that_of_the_window() -> None:
    assert (run_now(DAY, NOW).start, run_now(DAY, NOW).end) == ("2024-01-15T00:00:00Z", "2024-01-16T00:00:00Z")
    assert (run_now(None, NOW).start, run_now(None, NOW).end) == ("2024-01-15T02:00:00Z", "2024-01-16T02:00:00Z")
