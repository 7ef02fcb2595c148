"""A run compared with the two tables, for each way in which they can differ."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, cast

import pytest

from etl.model.instants import parse_instant
from etl_cli.aws.deployment import Deployment
from etl_cli.runs.ledger import LedgerEntry
from etl_cli.summary.contents import Contents
from etl_cli.summary.run_summary import RunSummary
from etl_cli.summary.verify import Verified, verify
from etl_cli.terminal.errors import UserError
from etl_cli.terminal.times import Span
from tests.fakes.recording import RecordedBucket, RecordedTables

RUN = "20261124T200000000Z"
START, END = "2026-11-23T19:45:00Z", "2026-11-24T20:00:00Z"
OUTSIDE = {"without a time": 1}
INSIDE = "2026-11-24T10:00:00.5Z"


@dataclass
class World:
    """Three items of a window, one of which is rejected, after a run that did all right."""

    s3: RecordedBucket
    dynamodb: RecordedTables
    summary: RunSummary

    def verify(self) -> Verified:
        return verify(
            Deployment(
                "source",
                "destination",
                "bucket",
                "arn",
                s3=cast(Any, self.s3),
                dynamodb=cast(Any, self.dynamodb),
                stepfunctions=cast(Any, None),
                client=cast(Any, None),
            ),
            self.summary,
        )

    def stage(self, *records: dict[str, Any]) -> None:
        self.s3.objects[f"transform/{RUN}/data.json"] = staged(*records)


def staged(*records: dict[str, Any]) -> str:
    return "[\n" + ",\n".join(json.dumps(record) for record in records) + "\n]\n"


def item(identity: str, timestamp: str | None = INSIDE, **more: str) -> dict[str, Any]:
    texts = {"id": identity, "timestamp": timestamp, **more}
    return {name: {"S": text} for name, text in texts.items() if text is not None}


def record(identity: str, **more: str) -> dict[str, Any]:
    return {"id": identity, "timestamp": INSIDE, "as_of": END, **more}


@pytest.fixture
def world() -> World:
    rejected = {"stage": "transform", "field": "value", "rule": "expected a number", "got": "text", "item": item("c")}
    unusable = {
        "stage": "transform",
        "field": "timestamp",
        "rule": "expected a time",
        "got": "",
        "item": item("e", None),
    }
    objects = {
        f"transform/{RUN}/data.json": staged(record("a"), record("b")),
        f"transform/{RUN}/partials/0000-0000.json": "{}",
        f"transform/{RUN}/aggregates.json": "{}",
        f"quarantine/{RUN}/transform-0000-0000.json": staged(rejected, unusable),
    }
    source = [
        item("a"),
        item("b"),
        item("c"),
        item("d", "2026-11-23T19:44:59.9Z"),
        item("e", None),
        item("f", "yesterday"),
        item("g", END),
        item("h", "2026-11-24T10:00:00"),
    ]
    destination = [
        item("a", as_of=END),
        item("b", as_of=END),
        item("old", as_of="2026-11-23T20:00:00Z"),
    ]
    counts = {"extracted": 4, "transformed": 2, "dropped": 0, "records": 2, "loaded": 2, "superseded": 0}
    return World(
        RecordedBucket(objects),
        RecordedTables({"source": source, "destination": destination}),
        RunSummary(
            entry=LedgerEntry("SUCCEEDED", Span(parse_instant(START), parse_instant(END)), run=RUN, counts=counts),
            timeline=None,
            contents=Contents(keys={"aggregates": f"transform/{RUN}/aggregates.json"}),
        ),
    )


def test_tables_that_agree_with_the_run(world: World) -> None:
    assert world.verify() == Verified(3, 2, OUTSIDE)


def test_items_outside_the_window_are_taken_from_the_counts(world: World) -> None:
    world.summary.entry.counts.update({"extracted": 8, "untimed": 3, "ahead": 2})

    assert world.verify() == Verified(3, 2, {"without a time": 3, "ahead of the window": 2})


def test_an_item_of_the_window_that_was_not_read(world: World) -> None:
    world.dynamodb.tables["source"].append(item("missed", START))

    with pytest.raises(UserError, match=r"source has 4 items .* extracted 3"):
        world.verify()


def test_an_item_of_another_window_that_was_read(world: World) -> None:
    world.summary.entry.counts["extracted"] += 1

    with pytest.raises(UserError, match=r"source has 3 items .* extracted 4"):
        world.verify()


def test_an_item_that_got_lost_between_extract_and_transform(world: World) -> None:
    world.stage(record("a"))

    with pytest.raises(UserError, match=f"1 item of source went neither .* it is b of {INSIDE}"):
        world.verify()


def test_a_record_that_did_not_arrive(world: World) -> None:
    del world.dynamodb.tables["destination"][1]

    with pytest.raises(UserError, match=r"1 item .* destination .* b "):
        world.verify()


def test_a_record_that_an_earlier_run_left_does_not_count(world: World) -> None:
    world.dynamodb.tables["destination"][1] = item("b", as_of="2026-11-23T20:00:00Z")

    with pytest.raises(UserError, match="1 item should be in destination"):
        world.verify()


def test_more_were_loaded_than_there_are(world: World) -> None:
    world.summary.entry.counts["loaded"] = 1

    with pytest.raises(UserError, match=r"destination holds 2 records .* loaded 1"):
        world.verify()


def test_a_record_that_the_destination_refused_need_not_be_there(world: World) -> None:
    del world.dynamodb.tables["destination"][1]
    refused = {"stage": "load", "field": "", "rule": "expected less", "got": "more", "item": record("b")}
    world.s3.objects[f"quarantine/{RUN}/load-0000-0000.json"] = staged(refused)
    world.summary.entry.counts.update({"loaded": 1})

    assert world.verify() == Verified(3, 1, OUTSIDE)


def test_with_dropped_items_the_staged_records_are_compared(world: World) -> None:
    world.stage(record("a"))
    world.summary.entry.counts.update({"dropped": 1, "transformed": 1, "records": 1, "loaded": 1})

    assert world.verify() == Verified(3, 1, OUTSIDE)


def test_with_other_keys_the_staged_records_are_compared(world: World) -> None:
    world.stage(record("total"))
    world.summary.entry.counts.update({"records": 1, "loaded": 1})
    world.dynamodb.tables["destination"].append(item("total", as_of=END))

    assert world.verify() == Verified(3, 1, OUTSIDE)


def test_without_a_mark_of_the_run_the_keys_are_compared(world: World) -> None:
    world.stage({"id": "a", "timestamp": INSIDE}, {"id": "b", "timestamp": INSIDE})
    world.dynamodb.tables["destination"] = [item("a"), item("b")]

    assert world.verify() == Verified(3, 2, OUTSIDE)
