"""A table of any size: segments, parts, workers that run out of time, thousands of items, two runs at once."""

from __future__ import annotations

import time
from collections import Counter

from etl.model.limits import IN_FLIGHT
from tests.etl_pipeline.sample import expected_groups
from tests.etl_pipeline.values import Item, canonical, compare, of_boto3, of_dynamodb_json
from tests.pipeline.execution import Execution, Window
from tests.pipeline.interposer import Answer, Behaviour, Request
from tests.pipeline.modes import both_modes
from tests.pipeline.pipeline import Pipeline


def put_large(pipeline: Pipeline, window: Window, count: int, size: int) -> list[Item]:
    """Put items whose pages of 1 MB hold few of them."""
    return pipeline.put(
        pipeline.item(f"{n:04d}", window.at(n), text={"S": f"{n:04d}" * (size // 4)}) for n in range(count)
    )


def delaying(seconds: float, operation: str) -> Behaviour:
    """A slow service: each answer to an operation takes so much longer."""

    def behave(request: Request) -> Answer:
        if request.operation.startswith(operation):
            time.sleep(seconds)
        return request.forward()

    return behave


def expect_exact(pipeline: Pipeline, window: Window, items: list[Item], execution: Execution) -> None:
    """Each item was staged once, aggregated once and loaded."""
    assert execution.counts["extracted"] == execution.counts["loaded"] == len(items)
    staged = [each for key in pipeline.parts("extract", execution) for each in pipeline.document(key)]
    compare("extract", canonical(items, of_boto3), canonical(staged, of_dynamodb_json))
    (aggregate,) = pipeline.document(f"transform/{execution.run}/aggregates.json")["aggregates"]
    assert aggregate["groups"] == expected_groups(items)
    pipeline.expect_destination(items, window.end)


@both_modes
def test_a_large_table_has_a_segment_per_worker_and_parts(pipeline: Pipeline, window: Window) -> None:
    items = put_large(pipeline, window, count=360, size=15_000)  # a third of them has more than one page
    segment_bytes = str(len(items) * 15_000 // 9)
    with (
        pipeline.configured("etl-extract", SEGMENT_BYTES=segment_bytes, CONCURRENCY="3", PART_BYTES="1024"),
        pipeline.configured("etl-transform", PART_BYTES="500000"),
    ):
        execution = pipeline.run(window.input)

    expect_exact(pipeline, window, items, execution)
    assert execution.output["segments"] == 3
    for stage in ("extract", "transform"):
        names = [key.rpartition("/")[2] for key in pipeline.parts(stage, execution)]
        count = Counter(name[:4] for name in names)
        assert count.keys() == {"0000", "0001", "0002"}
        assert min(count.values()) > 1, f"{stage} has a segment of one part: {names}"
        assert names == [f"{segment}-{part:04d}.json" for segment in sorted(count) for part in range(count[segment])]
        assert execution.output["keys"][stage] == f"{stage}/{execution.run}/0000-0000.json"
        assert execution.counts[f"{stage}_parts"] == len(names)


def test_a_run_of_one_segment_names_its_first_part_data_json(pipeline: Pipeline, window: Window) -> None:
    items = put_large(pipeline, window, count=120, size=20_000)
    with (
        pipeline.configured("etl-extract", PART_BYTES="1024"),
        pipeline.configured("etl-transform", PART_BYTES="1024"),
    ):
        execution = pipeline.run(window.input)

    expect_exact(pipeline, window, items, execution)
    for stage in ("extract", "transform"):
        names = [key.rpartition("/")[2] for key in pipeline.parts(stage, execution)]
        assert len(names) > 1
        assert sorted(names) == [*(f"0000-{part:04d}.json" for part in range(1, len(names))), "data.json"]


# A worker keeps three times its slowest unit of work in reserve. In an invocation of 6 s, a unit of 1.5 s leaves no
# time for a second one, and 4.5 s for a busy machine.
UNIT_SECONDS = 1.5
INVOCATION_SECONDS = 6


@both_modes
def test_extract_goes_on_where_its_time_ran_out(pipeline: Pipeline, window: Window) -> None:
    items = put_large(pipeline, window, count=46, size=100_000)
    slow = delaying(UNIT_SECONDS / 2, "PUT")  # a part of a page, and its seal; waiting for a page is no part of a unit
    with pipeline.interposed("etl-extract", "S3", slow, timeout_seconds=INVOCATION_SECONDS, PART_BYTES="1024"):
        execution = pipeline.run(window.input)

    invocations = execution.results("Extract")
    assert ["cursor" in each for each in invocations] == [True] * (len(invocations) - 1) + [False]
    assert len(invocations) > 2
    assert all(each["cursor"]["key"] for each in invocations[:-1])
    expect_exact(pipeline, window, items, execution)


@both_modes
def test_transform_goes_on_where_its_time_ran_out(pipeline: Pipeline, window: Window) -> None:
    items = pipeline.put(pipeline.item(f"{n:04d}", window.at(n), value={"N": f"{n}.5"}) for n in range(75))
    slow = delaying(UNIT_SECONDS / 2, "PUT")  # a part of records, and its part of the aggregates
    with pipeline.interposed("etl-transform", "S3", slow, timeout_seconds=INVOCATION_SECONDS, PART_BYTES="1024"):
        execution = pipeline.run(window.input)

    assert len(execution.results("Transform")) > 2
    assert execution.counts["transform_parts"] == 3  # one for each batch of 25
    expect_exact(pipeline, window, items, execution)


@both_modes
def test_load_goes_on_where_its_time_ran_out(pipeline: Pipeline, window: Window) -> None:
    # More batches than are in flight at once: those behind them wait for an answer.
    items = pipeline.put(pipeline.item(f"{n:04d}", window.at(n)) for n in range(25 * (IN_FLIGHT + 8)))
    slow = delaying(UNIT_SECONDS, "BatchWriteItem")
    with pipeline.interposed("etl-load", "DYNAMODB", slow, timeout_seconds=INVOCATION_SECONDS):
        execution = pipeline.run(window.input)

    invocations = execution.results("Load")
    assert len(invocations) > 1
    assert all(each["cursor"]["offset"] for each in invocations[:-1])
    expect_exact(pipeline, window, items, execution)


@both_modes
def test_segments_go_on_side_by_side(pipeline: Pipeline, window: Window) -> None:
    items = put_large(pipeline, window, count=110, size=100_000)
    segment_bytes = str(len(items) * 100_000 * 2 // 5)  # two and a half of them are the table
    slow = delaying(UNIT_SECONDS / 2, "PUT")
    settings = {"SEGMENT_BYTES": segment_bytes, "PART_BYTES": "1024"}
    with pipeline.interposed("etl-extract", "S3", slow, timeout_seconds=INVOCATION_SECONDS, **settings):
        execution = pipeline.run(window.input)

    invocations = Counter(each["segment"] for each in execution.results("Extract"))
    assert invocations.keys() == {0, 1, 2}
    assert min(invocations.values()) > 1
    expect_exact(pipeline, window, items, execution)


def test_six_thousand_items_arrive_and_are_accounted_for(pipeline: Pipeline, window: Window) -> None:
    inside = pipeline.put(
        pipeline.item(f"in{n:04d}", window.at(n / 4), value={"N": f"{n}.25"}, tags={"SS": ["a", f"{n % 7}"]})
        for n in range(5500)
    )
    pipeline.put(pipeline.item(f"out{n:03d}", window.at(24 * 60 + n)) for n in range(450))
    pipeline.put(pipeline.item(f"bad{n:02d}", window.at(n), value={"S": "free"}) for n in range(50))

    execution = pipeline.run(window.input)

    counts = execution.counts
    assert counts["scanned"] == pipeline.source_count() >= 6000
    assert counts["extracted"] == 5550
    assert counts["rejected_transform"] == 50
    assert counts["transformed"] == counts["records"] == counts["loaded"] == 5500
    pipeline.expect_destination(inside, window.end)


def test_two_executions_at_once_share_no_key_and_load_the_same(pipeline: Pipeline, window: Window) -> None:
    items = pipeline.put(pipeline.item(f"{n:03d}", window.at(n)) for n in range(500))

    arns = [pipeline.start(window.input) for _ in range(2)]
    first, second = (pipeline.ended(arn) for arn in arns)

    assert first.status == second.status == "SUCCEEDED"
    assert first.run != second.run
    assert first.counts == second.counts
    manifests = [pipeline.document(f"extract/{each.run}/run.json") for each in (first, second)]
    assert [each["execution"] for each in manifests] == arns
    staged = [pipeline.body(f"transform/{each.run}/data.json") for each in (first, second)]
    assert staged[0] == staged[1]
    pipeline.expect_destination(items, window.end)
