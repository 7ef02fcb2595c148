"""Faults of the services that pass: throttling, refusals, broken connections."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.pipeline.execution import Window
from tests.pipeline.interposer import Answer, Behaviour, Numbering, Request, dynamodb_error
from tests.pipeline.modes import both_modes
from tests.pipeline.pipeline import Pipeline, wait_for

THROTTLED = dynamodb_error("ProvisionedThroughputExceededException", "The level of provisioned throughput is exceeded")
SLOW_DOWN = Answer(503, {}, b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>")


def once(operation: str, answer: Answer | None, numbers: Numbering) -> Behaviour:
    """Behaviour that answers the first request of an operation so, and forwards all others; it numbers them."""

    def behave(request: Request) -> Answer | None:
        return answer if operation in request.operation and numbers.next() == 1 else request.forward()

    return behave


def cut_off(request: Request) -> Answer:
    """An answer that ends before its length."""
    whole = request.forward()
    return Answer(whole.status, {**whole.headers, "Content-Length": str(len(whole.body))}, whole.body[:-10])


@pytest.mark.parametrize(
    ("function", "service", "operation", "answer"),
    [
        ("etl-extract", "DYNAMODB", "Scan", THROTTLED),
        ("etl-extract", "DYNAMODB", "Scan", None),
        ("etl-extract", "S3", "data.json", SLOW_DOWN),
        ("etl-transform", "S3", "GET ", SLOW_DOWN),
        ("etl-load", "DYNAMODB", "BatchWriteItem", THROTTLED),
        ("etl-load", "DYNAMODB", "BatchWriteItem", None),
    ],
    ids=lambda value: value if isinstance(value, str) else "broken off" if value is None else str(value.status),
)
def test_a_fault_that_passes_is_not_noticed(
    pipeline: Pipeline, window: Window, function: str, service: str, operation: str, answer: Answer | None
) -> None:
    items = pipeline.put(pipeline.item(f"{n}", window.at(n)) for n in range(30))
    numbers = Numbering()

    with pipeline.interposed(function, service, once(operation, answer, numbers)):
        execution = pipeline.run(window.input)

    assert numbers.last > 1, "it was not tried again"
    assert not any(execution.failures(state) for state in execution.entered())
    pipeline.expect_destination(items, window.end)


def test_an_answer_of_s3_that_is_cut_off_is_read_again(pipeline: Pipeline, window: Window) -> None:
    items = pipeline.put(pipeline.item(f"{n}", window.at(n)) for n in range(30))
    numbers = Numbering()

    def behave(request: Request) -> Answer:
        return cut_off(request) if "GET " in request.operation and numbers.next() == 1 else request.forward()

    with pipeline.interposed("etl-load", "S3", behave):
        execution = pipeline.run(window.input)

    assert numbers.last > 1
    assert execution.failures("Load") == []
    pipeline.expect_destination(items, window.end)


def test_unprocessed_items_are_written_again(pipeline: Pipeline, window: Window) -> None:
    items = pipeline.put(pipeline.item(f"{n:03d}", window.at(n)) for n in range(200))
    seen: set[str] = set()

    def leave_a_third(request: Request) -> Answer:
        answer = request.forward()
        if request.operation != "BatchWriteItem":
            return answer
        ((table, puts),) = json.loads(request.body)["RequestItems"].items()
        left = [put for put in puts if put["PutRequest"]["Item"]["id"]["S"] not in seen][::3]
        seen.update(put["PutRequest"]["Item"]["id"]["S"] for put in puts)
        body: dict[str, Any] = json.loads(answer.body) | {"UnprocessedItems": {table: left} if left else {}}
        return Answer(200, {"Content-Type": "application/x-amz-json-1.0"}, json.dumps(body).encode())

    with pipeline.interposed("etl-load", "DYNAMODB", leave_a_third):
        execution = pipeline.run(window.input)

    assert execution.counts["load_throttled"] == 8  # each batch of 25 once
    assert execution.counts["loaded"] == len(items)
    pipeline.expect_destination(items, window.end)


@both_modes
def test_a_table_that_takes_nothing_is_tried_again(pipeline: Pipeline, window: Window) -> None:
    items = pipeline.put(pipeline.item(f"{n}", window.at(n)) for n in range(30))
    refusing = [True]

    def behave(request: Request) -> Answer:
        return THROTTLED if refusing and request.operation == "BatchWriteItem" else request.forward()

    with pipeline.interposed("etl-load", "DYNAMODB", behave, timeout_seconds=4):
        arn = pipeline.start(window.input)

        def failed() -> bool:
            events = pipeline.history(arn) + pipeline.children(arn).get("Load", [])
            return any(event["type"] == "TaskFailed" for event in events)

        wait_for("an invocation of Load that fails", failed)
        refusing.clear()
        execution = pipeline.ended(arn)

    assert execution.status == "SUCCEEDED", execution.message
    assert set(execution.failures("Load")) == {"TransientError"}
    pipeline.expect_destination(items, window.end)
