"""The items of an earlier run through your transformation, and the differences from the records of that run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from etl_cli.items.local_transformation import LocalTransformation
from etl_cli.items.preview import EarlierRun, RunPreview
from etl_cli.runs.staged import staged_parts
from etl_cli.terminal.errors import UserError
from tests.cli.test_comparison import counts
from tests.fakes.past_runs import PastRuns, edited, items
from tests.unit.builders import START

LOADED_AGGREGATE = ('name="value_by_date",', 'name="value_by_date", load=True,')


@pytest.fixture
def past(file: Path) -> PastRuns:
    made = PastRuns(items(), file, segments=3)
    made.run(environment={"PART_BYTES": "2000"})
    return made


def again(past: PastRuns, file: Path, most: int | None = None) -> RunPreview:
    return EarlierRun(past.deployment, past.entry).preview(LocalTransformation(file), most)


def compared(past: PastRuns, file: Path, most: int | None = None) -> tuple[RunPreview, tuple[int, int, int, int]]:
    """The preview, and the numbers of records that are the same, that differ, that are new and that are gone."""
    found = again(past, file, most)
    assert found.comparison
    return found, counts(found.comparison)


def test_a_preview_does_the_same_as_the_run(past: PastRuns, file: Path) -> None:
    assert sum(key.startswith("extract/") for key in past.objects) > 5  # several segments, of several parts
    found, numbers = compared(past, file)

    assert numbers == (54, 0, 0, 0)
    assert (found.items, found.records, found.dropped, found.aside.total) == (60, 54, 0, 6)
    assert found.aside.rejections() == found.aside_then.rejections()
    staged = json.loads(past.objects[f"transform/{past.entry.run}/aggregates.json"], parse_float=str)
    assert found.aggregates == staged["aggregates"]


def test_rejections_of_load_do_not_count(past: PastRuns, file: Path) -> None:
    record = {"stage": "load", "rule": "expected less", "item": {"id": "item-0001", "timestamp": "t"}}
    past.objects[f"quarantine/{past.entry.run}/load-0000-0000.json"] = f"[\n{json.dumps(record)}\n]\n"

    assert again(past, file).aside_then.total == 6


def test_parts_come_in_the_order_of_writing(file: Path) -> None:
    past = PastRuns(items(), file)
    past.run(environment={"PART_BYTES": "1024"})
    found = staged_parts(past.deployment, "extract", past.entry.run)

    assert [key.rpartition("/")[2] for key in found[0]][:3] == ["data.json", "0000-0001.json", "0000-0002.json"]
    assert compared(past, file)[1] == (54, 0, 0, 0)


def test_a_field_that_changes_is_counted_with_an_example(past: PastRuns, file: Path) -> None:
    edited(file, ('"small" if', '"tiny" if'), ('record["as_of"]', 'record["until"]'))
    found, numbers = compared(past, file)

    assert numbers == (0, 54, 0, 0)
    assert found.comparison
    fields = {(each.mark, each.path): each.count for each in found.comparison.fields.values()}
    assert fields == {("~", "size"): 54, ("-", "as_of"): 54, ("+", "until"): 54}
    size = found.comparison.fields["size", "~"].example
    assert size
    assert (size.before, size.after) == ({"S": "small"}, {"S": "tiny"})


def test_records_that_are_rejected_now_are_gone(past: PastRuns, file: Path) -> None:
    edited(file, ('record["value"] < 0', 'record["value"] < 20'))
    found, numbers = compared(past, file)

    assert numbers == (36, 0, 0, 18)
    assert (found.aside_then.total, found.aside.total) == (6, 24)


def test_records_that_were_rejected_then_come(past: PastRuns, file: Path) -> None:
    edited(file, ('record["value"] < 0', 'record["value"] < -5'))
    found, numbers = compared(past, file)

    assert numbers == (54, 0, 6, 0)
    assert found.comparison
    assert len(found.comparison.come) == 3
    assert {identity[-1] for identity, _ in found.comparison.come} == {"9"}


def test_records_with_other_keys_are_new_ones(past: PastRuns, file: Path) -> None:
    edited(file, ("    return record", '    record["id"] += "#1"\n    return record'))

    assert compared(past, file)[1] == (0, 0, 54, 54)


def test_a_part_of_the_items_is_compared_with_its_records(past: PastRuns, file: Path) -> None:
    edited(file, ('record["value"] < 0', 'record["value"] < 20'))
    found, (unchanged, changed, come, gone) = compared(past, file, 12)

    assert (found.items, found.complete) == (12, False)
    assert (changed, come) == (0, 0)
    assert unchanged == found.records
    assert unchanged + gone + found.aside_then.total == 12


def test_a_part_of_the_items_says_nothing_about_others(past: PastRuns, file: Path) -> None:
    assert compared(past, file, 12)[1] == (12 - again(past, file, 12).aside.total, 0, 0, 0)


def test_loaded_aggregates_are_records_too(tmp_path: Path) -> None:
    file = edited(tmp_path / "transformation.py", LOADED_AGGREGATE)
    past = PastRuns(items(), file, segments=2)
    past.run()

    assert compared(past, file)[1] == (55, 0, 0, 0)
    edited(file, LOADED_AGGREGATE, ('"small" if', '"tiny" if'))
    assert compared(past, file)[1] == (1, 54, 0, 0)
    edited(file)
    assert compared(past, file)[1] == (54, 0, 0, 1)
    assert compared(past, file, 12)[1][3] == 0


@pytest.mark.parametrize("stage", ["Gate", "Load", "Finish"])
def test_a_run_that_failed_after_transform_is_compared(past: PastRuns, file: Path, stage: str) -> None:
    past.fail(stage)

    assert compared(past, file)[1] == (54, 0, 0, 0)


@pytest.mark.parametrize("stage", ["Extract", "Transform"])
def test_a_run_that_failed_earlier_is_not_compared(past: PastRuns, file: Path, stage: str) -> None:
    past.fail(stage)
    found = again(past, file)

    assert (found.items, found.comparison) == (60, None)


def test_a_run_whose_end_was_lost_can_be_previewed(past: PastRuns) -> None:
    past.runs.dynamodb.ledger.items["run", past.entry.name] |= {
        "status": {"S": "RUNNING"},
        "started_at": {"S": "2024-01-16T01:50:00Z"},
    }

    assert EarlierRun(past.deployment, past.entry).run.start == START


def test_a_running_run_is_refused(past: PastRuns) -> None:
    past.runs.dynamodb.ledger.items["run", past.entry.name]["status"] = {"S": "RUNNING"}

    with pytest.raises(UserError, match=past.entry.run):
        EarlierRun(past.deployment, past.entry)


def test_a_run_whose_objects_have_expired_is_refused(past: PastRuns) -> None:
    run = past.entry.run
    past.objects.clear()

    with pytest.raises(UserError, match=run):
        EarlierRun(past.deployment, past.entry)
