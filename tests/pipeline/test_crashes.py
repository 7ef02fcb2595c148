"""A worker's process that dies in the middle of its work: the run ends as if nothing had been."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import NamedTuple

import pytest

from tests.etl_pipeline.sample import expected_groups
from tests.etl_pipeline.values import Item
from tests.pipeline.execution import Execution, Window
from tests.pipeline.interposer import Answer, Numbering, Request
from tests.pipeline.modes import both_modes_within_maps
from tests.pipeline.pipeline import Pipeline
from tests.pipeline.transformations import FUNCTIONS
from tests.support import Deployed


@pytest.fixture(scope="module")
def small_parts() -> Iterator[Callable[[Pipeline], None]]:
    """Makes an environment's functions write small parts: once for all tests, since it ends their processes."""
    done: list[Deployed] = []
    with ExitStack() as stack:

        def make(pipeline: Pipeline) -> None:
            if pipeline.deployed not in done:
                done.append(pipeline.deployed)
                for function in FUNCTIONS:
                    stack.enter_context(pipeline.configured(function, PART_BYTES="1024"))

        yield make


def put_three_pages(pipeline: Pipeline, window: Window) -> list[Item]:
    """Put items of three pages of a scan, several parts of transform, and several batches of load."""
    return pipeline.put(
        pipeline.item(f"{n:03d}", window.at(n), value={"N": f"{n}.1"}, text={"S": "x" * 30_000}) for n in range(80)
    )


def expect_as_if_nothing_had_been(pipeline: Pipeline, window: Window, items: list[Item], execution: Execution) -> None:
    """Everything is counted once, staged once, aggregated once and loaded."""
    counts = execution.counts
    assert counts["scanned"] == pipeline.source_count()
    assert counts["extracted"] == counts["records"] == counts["loaded"] == len(items)
    for stage in ("extract", "transform"):
        assert sum(len(pipeline.document(key)) for key in pipeline.parts(stage, execution)) == len(items), stage
    (aggregate,) = pipeline.document(f"transform/{execution.run}/aggregates.json")["aggregates"]
    assert aggregate["groups"] == expected_groups(items)
    pipeline.expect_destination(items, window.end)


class Crash(NamedTuple):
    """Where a worker is killed: after a request of an operation, counted from 1."""

    function: str
    service: str
    operation: str
    number: int


CRASHES = {
    "Plan": Crash("etl-extract", "S3", "run.json", 1),
    "Extract": Crash("etl-extract", "DYNAMODB", "Scan", 2),
    "Transform": Crash("etl-transform", "S3", "PUT ", 3),
    "Gate": Crash("etl-transform", "S3", "aggregates.json", 1),
    "Load": Crash("etl-load", "DYNAMODB", "BatchWriteItem", 3),
    "Finish": Crash("etl-load", "DYNAMODB", "TransactWriteItems", 1),
}


@both_modes_within_maps(("state",), *((state,) for state in CRASHES))
def test_a_worker_that_is_killed_in_the_middle_is_run_again(
    pipeline: Pipeline, window: Window, small_parts: Callable[[Pipeline], None], state: str
) -> None:
    crash = CRASHES[state]
    small_parts(pipeline)
    items = put_three_pages(pipeline, window)
    numbers, killed = Numbering(), []

    def kill_after_the_deed(request: Request) -> Answer | None:
        answer = request.forward()
        if crash.operation in request.operation and numbers.next() == crash.number:
            killed.append(pipeline.kill(crash.function))
            return None  # the work is done, and its worker never learns of it
        return answer

    with pipeline.interposed(crash.function, crash.service, kill_after_the_deed):
        execution = pipeline.run(window.input)

    assert killed == [1]
    assert execution.failures(state) == ["Runtime.ExitError"]
    assert numbers.last > crash.number, "it was not done again"
    expect_as_if_nothing_had_been(pipeline, window, items, execution)
    claims = [pipeline.document(key) for key in pipeline.keys("extract/") if key.endswith("/run.json")]
    assert sum(claim["execution"] == execution.arn for claim in claims) == 1
