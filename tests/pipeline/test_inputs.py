"""The inputs of an execution, and the items that each picks."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.pipeline.delivery import RULE, as_delivered
from tests.pipeline.execution import Execution, Window, text
from tests.pipeline.pipeline import Pipeline, wait_for


def put_ages(pipeline: Pipeline, now: datetime, *ages: timedelta) -> None:
    """Put an item of each age; its name says the age in minutes."""
    pipeline.put(
        pipeline.item(f"{age.total_seconds() / 60:.0f}", text((now - age).replace(microsecond=0))) for age in ages
    )


def executions(pipeline: Pipeline) -> set[str]:
    """The ARNs of all executions so far."""
    pages = pipeline.clients.stepfunctions.get_paginator("list_executions").paginate(
        stateMachineArn=pipeline.deployed.state_machine_arn
    )
    return {each["executionArn"] for page in pages for each in page["executions"]}


def started_by_event(pipeline: Pipeline, detail: dict[str, Any]) -> Execution:
    """Send the event of the specification's Option B, and wait for the end of the execution that it starts."""
    before = executions(pipeline)
    answer = pipeline.clients.events.put_events(
        Entries=[{"Source": "manual.trigger", "DetailType": "ETL Pipeline Trigger", "Detail": json.dumps(detail)}]
    )
    assert answer["FailedEntryCount"] == 0
    (arn,) = wait_for("the execution that the event starts", lambda: executions(pipeline) - before)
    execution = pipeline.ended(arn)
    assert execution.status == "SUCCEEDED", execution.message
    return execution


@pytest.mark.usefixtures("ledger")
def test_no_input_takes_24_hours_and_15_minutes_of_lateness(pipeline: Pipeline) -> None:
    now = datetime.now(UTC)
    hours, minutes = timedelta(hours=1), timedelta(minutes=1)
    put_ages(pipeline, now, 5 * minutes, 12 * hours, 24 * hours + 10 * minutes, 24 * hours + 20 * minutes)

    execution = pipeline.run({})

    assert pipeline.loaded_names() == {"5", "720", "1450"}
    end = datetime.fromisoformat(execution.output["window"]["end"])
    start = datetime.fromisoformat(execution.output["window"]["start"])
    assert end - start == timedelta(hours=24, minutes=15)
    assert timedelta(0) <= end - now.replace(microsecond=0) < timedelta(minutes=1)


def test_start_and_end_are_a_half_open_window(pipeline: Pipeline, window: Window) -> None:
    names = {
        "before": text(window.first - timedelta(microseconds=1)),
        "start": window.start,
        "start-fraction": f"{window.start[:-1]}.000001Z",
        "last": text(window.first + timedelta(days=1) - timedelta(microseconds=1)),
        "end": window.end,
        "end-fraction": f"{window.end[:-1]}.5Z",
    }
    pipeline.put(pipeline.item(name, timestamp) for name, timestamp in names.items())

    execution = pipeline.run(window.input)

    assert pipeline.loaded_names() == {"start", "start-fraction", "last"}
    assert execution.output["window"] == {"start": window.start, "end": window.end}


def test_start_and_end_may_be_dates_or_have_another_zone(pipeline: Pipeline, window: Window) -> None:
    (item,) = pipeline.put([pipeline.item("a", window.at(60))])

    execution = pipeline.run({"start": window.start[:10], "end": window.start[:10] + "T02:00:00+01:00"})

    assert execution.output["window"] == {"start": window.start, "end": window.at(60)}
    assert pipeline.loaded_names() == set()
    pipeline.run({"start": window.start[:10], "end": window.end[:10]})
    pipeline.expect_destination([item], window.end)


def test_lookback_hours_is_taken_as_it_is(pipeline: Pipeline) -> None:
    put_ages(pipeline, datetime.now(UTC), timedelta(minutes=5), timedelta(minutes=115), timedelta(minutes=130))

    execution = pipeline.run({"lookback_hours": 2})

    assert pipeline.loaded_names() == {"5", "115"}
    start, end = (datetime.fromisoformat(execution.output["window"][name]) for name in ("start", "end"))
    assert end - start == timedelta(hours=2)


@pytest.mark.usefixtures("ledger")
def test_the_schedules_event_ends_the_window_at_its_own_time(pipeline: Pipeline) -> None:
    fired = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=3)
    put_ages(pipeline, fired, timedelta(minutes=-1), timedelta(0), timedelta(minutes=1), timedelta(hours=24))
    event = {  # as EventBridge's user guide shows one of a schedule
        "version": "0",
        "id": "89d1a02d-5ec7-412e-82f5-13505f849b41",
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": "000000000000",
        "time": text(fired),
        "region": "us-east-1",
        "resources": [f"arn:aws:events:us-east-1:000000000000:rule/{RULE}"],
        "detail": {},
    }
    given = as_delivered(pipeline, event)
    assert given == {"time": text(fired), "detail": {}}

    execution = pipeline.run(given)

    assert pipeline.loaded_names() == {"1", "1440"}
    assert execution.output["window"]["end"] == text(fired)
    assert pipeline.run(event).output["window"] == execution.output["window"]


@pytest.mark.usefixtures("ledger")
def test_option_b_without_a_window_takes_the_default(pipeline: Pipeline) -> None:
    put_ages(pipeline, datetime.now(UTC), timedelta(minutes=5), timedelta(hours=25))

    started_by_event(pipeline, {"action": "start"})

    assert pipeline.loaded_names() == {"5"}


@pytest.mark.parametrize("field", ["start and end", "lookback_hours"])
def test_option_b_takes_the_same_fields_in_its_detail(pipeline: Pipeline, window: Window, field: str) -> None:
    put_ages(pipeline, datetime.now(UTC), timedelta(minutes=5), timedelta(minutes=65))
    pipeline.put([pipeline.item("past", window.at(60))])
    fields = window.input if field == "start and end" else {"lookback_hours": 1}

    started_by_event(pipeline, {"action": "start", **fields})

    assert pipeline.loaded_names() == ({"past"} if field == "start and end" else {"5"})


def test_other_events_start_nothing(pipeline: Pipeline) -> None:
    before = executions(pipeline)
    others = [("manual.trigger", "Another Detail"), ("another.source", "ETL Pipeline Trigger")]
    pipeline.clients.events.put_events(
        Entries=[{"Source": source, "DetailType": kind, "Detail": "{}"} for source, kind in others]
    )
    # The rule's own event comes after them: its execution is the only new one.
    execution = started_by_event(pipeline, {"action": "start", "lookback_hours": 1})
    assert executions(pipeline) - before == {execution.arn}


def test_a_window_without_items_succeeds_with_empty_parts(pipeline: Pipeline, window: Window) -> None:
    execution = pipeline.run(window.input)

    assert execution.counts["extracted"] == execution.counts["loaded"] == 0
    assert pipeline.document(f"extract/{execution.run}/data.json") == []
    assert pipeline.document(f"transform/{execution.run}/data.json") == []
    assert pipeline.document(f"transform/{execution.run}/aggregates.json")["aggregates"][0]["groups"] == []
    assert execution.entered() == [
        *("Plan", "Extract", "Transform", "Gate", "Load", "Finish"),
        *("AnnounceSuccess", "Succeeded"),
    ]
