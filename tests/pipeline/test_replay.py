"""Replay: quarantined items are loaded when the data or the transformation is corrected."""

from __future__ import annotations

import json

from tests.pipeline.execution import Execution, Window
from tests.pipeline.ledger import Ledger
from tests.pipeline.modes import both_modes
from tests.pipeline.pipeline import Pipeline


def run_with_some_rejected(pipeline: Pipeline, window: Window) -> Execution:
    """Run the window over 40 good items, one that Transform rejects and one that Load rejects."""
    pipeline.put_some_of_each(window)
    execution = pipeline.run(window.input)
    assert set(pipeline.quarantined(execution)) == {"negative", "large"}
    return execution


@both_modes
def test_a_corrected_item_is_loaded_as_by_its_run(pipeline: Pipeline, window: Window) -> None:
    first = run_with_some_rejected(pipeline, window)
    good = [pipeline.item(f"{n}", window.at(n)) for n in range(40)]
    corrected = pipeline.put([pipeline.item("negative", window.at(1)), pipeline.item("large", window.at(1))])
    watermark = Ledger(pipeline).watermark()

    replay = pipeline.run({"replay": first.run})

    assert (replay.output["replay"], replay.output["window"]) == (first.run, first.output["window"])
    counts = replay.counts
    assert (counts["read"], counts["extracted"], counts["loaded"], counts["rejected_transform"]) == (2, 2, 2, 0)
    pipeline.expect_destination([*good, *corrected], window.end)
    assert pipeline.quarantined(replay) == {}
    mark = Ledger(pipeline).entry(first.arn)["replayed"]
    assert (mark["run"], mark["read"], mark["loaded"]) == (replay.run, 2, 2)
    entry = Ledger(pipeline).entry(replay.arn)
    assert (entry["status"], entry["replay"]) == ("SUCCEEDED", first.run)
    assert Ledger(pipeline).watermark() == watermark


def test_a_replay_quarantines_failures_again_and_can_repeat(pipeline: Pipeline, window: Window) -> None:
    first = run_with_some_rejected(pipeline, window)
    pipeline.put([pipeline.item("negative", window.at(1))])

    replay = pipeline.run({"replay": first.run})
    before = pipeline.destination()
    again = pipeline.run({"replay": first.run})

    assert set(pipeline.quarantined(replay)) == set(pipeline.quarantined(again)) == {"large"}
    assert replay.counts == again.counts
    assert (again.counts["loaded"], again.counts["rejected_load"]) == (1, 1)
    assert pipeline.destination() == before
    assert pipeline.loaded_names() == {*(f"{n}" for n in range(40)), "negative"}
    assert Ledger(pipeline).entry(first.arn)["replayed"]["run"] == again.run

    # The replay's own quarantine is replayed in its turn.
    pipeline.put([pipeline.item("large", window.at(1))])
    assert pipeline.run({"replay": again.run}).counts["loaded"] == 1


def test_a_deleted_item_is_replayed_from_its_quarantined_bytes(pipeline: Pipeline, window: Window) -> None:
    first = run_with_some_rejected(pipeline, window)
    for name in ("negative", "large"):
        pipeline.clients.dynamodb.delete_item(
            TableName=pipeline.deployed.source_table, Key={"id": {"S": f"{pipeline.token}{name}"}}
        )

    replay = pipeline.run({"replay": first.run})

    # Records that Load rejected are there transformed: they stay, and are counted.
    assert (replay.counts["read"], replay.counts["left"], replay.counts["rejected_transform"]) == (2, 1, 1)
    [line] = pipeline.quarantined(replay).values()
    assert json.loads(line)["item"] == json.loads(pipeline.quarantined(first)["negative"])["item"]


def test_a_run_that_a_gate_stopped_is_replayed(pipeline: Pipeline, window: Window) -> None:
    pipeline.put([pipeline.item("negative", window.at(1), value={"N": "-1"})])
    stopped = pipeline.fail(window.input)
    run = str(stopped.results("Plan")[0]["run"]["timestamp"])
    pipeline.put([pipeline.item("negative", window.at(1))])

    assert pipeline.run({"replay": run}).counts["loaded"] == 1
    assert Ledger(pipeline).entry(stopped.arn)["status"] == "FAILED"


def test_a_run_that_never_was_is_not_replayed(pipeline: Pipeline) -> None:
    execution = pipeline.fail({"replay": "20010101T000000000Z"})

    assert execution.error == "InputError"
    assert "20010101T000000000Z" in execution.message
    assert execution.message.endswith("[run-expired]")
