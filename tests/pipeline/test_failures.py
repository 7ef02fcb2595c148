"""A run that can't succeed fails at once, with its own error name, and a cause with place and remedy."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from tests.pipeline.execution import Execution, Window
from tests.pipeline.interposer import Answer, Numbering, Request, dynamodb_error
from tests.pipeline.modes import both_modes, both_modes_within_maps
from tests.pipeline.pipeline import Pipeline, wait_for
from tests.support import Deployed

# A few of each kind: the unit tests of the window have them all.
WRONG_INPUTS: dict[str, tuple[Any, str]] = {
    "list": (["2024-01-15"], 'the input must be a JSON object, got ["2024-01-15"]'),
    "unknown field": ({"lookback": 24}, 'unknown field "lookback": allowed are start, end, lookback_hours'),
    "start alone": ({"start": "2024-01-15"}, "start needs end"),
    "no time": ({"start": "yesterday", "end": "2024-01-16"}, "start is no ISO 8601 time"),
    "future": ({"start": "2024-01-15", "end": "2999-01-01"}, "end is in the future: 2999-01-01T00:00:00Z"),
    "hours": ({"lookback_hours": "24"}, "lookback_hours must be a whole number of hours from 1 to"),
    "detail": ({"time": "2024-01-15T00:00:00Z", "detail": {"begin": "2024-01-14"}}, 'unknown field "begin"'),
    "action": ({"detail": {"action": "stop"}}, 'detail.action must be "start", got "stop"'),
}


FAILING = ["RecordFailure", "AnnounceFailure", "Failed"]


def test_a_wrong_input_fails_at_once_and_names_the_field(pipeline: Pipeline) -> None:
    started = {name: pipeline.start(given) for name, (given, _) in WRONG_INPUTS.items()}
    for name, (_, words) in WRONG_INPUTS.items():
        execution = pipeline.ended(started[name])
        assert (execution.status, execution.error) == ("FAILED", "InputError"), name
        assert words in execution.message
        assert execution.entered() == ["Plan", *FAILING], name


def expect_failure(execution: Execution, error: str, state: str, *words: str) -> None:
    """The execution failed in a state, without a retry, and its cause has these words."""
    assert (execution.status, execution.error) == ("FAILED", error), execution.message
    # A Distributed Map's own error says nothing: that of its child is looked up.
    looked_up = ["FindMapRun", "FindFailedSegment", "ReadFailure"] if state in execution.children else []
    assert execution.entered()[-4 - len(looked_up) :] == [state, *looked_up, *FAILING]
    assert execution.failures(state) == [error]
    for word in words:
        assert word in execution.message


@both_modes_within_maps(
    ("function", "state"), ("etl-extract", "Plan"), ("etl-transform", "Transform"), ("etl-load", "Load")
)
def test_a_missing_bucket(pipeline: Pipeline, window: Window, function: str, state: str) -> None:
    with pipeline.configured(function, STAGING_BUCKET="no-such-bucket-here"):
        execution = pipeline.fail(window.input)

    expect_failure(execution, "ConfigurationError", state, "NoSuchBucket", "no-such-bucket-here")
    assert "the staging bucket isn't there: deploy the stack;" in execution.message


@both_modes_within_maps(
    ("function", "operation", "state", "table"),
    ("etl-extract", "DescribeTable", "Plan", "etl-source-data"),
    ("etl-extract", "Scan", "Extract", "etl-source-data"),
    ("etl-load", "BatchWriteItem", "Load", "etl-destination-data"),
)
def test_a_missing_table(
    pipeline: Pipeline, window: Window, function: str, operation: str, state: str, table: str
) -> None:
    pipeline.put([pipeline.item("a", window.at(1))])
    missing = dynamodb_error("ResourceNotFoundException", "Requested resource not found")  # AWS's words, without a name

    def behave(request: Request) -> Answer:
        return missing if request.operation == operation else request.forward()

    with pipeline.interposed(function, "DYNAMODB", behave):
        execution = pipeline.fail(window.input)

    expect_failure(execution, "ConfigurationError", state, "ResourceNotFoundException", table)
    assert "the table isn't there: deploy the stack;" in execution.message


def test_a_setting_that_cannot_be_understood(pipeline: Pipeline, window: Window) -> None:
    with pipeline.configured("etl-transform", REJECT_THRESHOLD_PERCENT="five"):
        execution = pipeline.fail(window.input)

    words = "REJECT_THRESHOLD_PERCENT must be a number of percent from 0 to 100, got 'five'"
    expect_failure(execution, "ConfigurationError", "Transform", words)


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        ({"value": {"S": "100"}}, "value: expected a number"),
        ({"value": None}, "value: is missing"),
    ],
    ids=["text", "none"],
)
def test_a_contract_that_no_record_meets_loads_nothing(
    pipeline: Pipeline, window: Window, broken: dict[str, Any], reason: str
) -> None:
    pipeline.put(pipeline.item(f"{n}", window.at(n), **broken) for n in range(3))

    execution = pipeline.fail(window.input)

    expect_failure(
        execution,
        "QualityGateError",
        "Gate",
        "3 of 3 items were rejected, 100.0 %, and 5 % are allowed",
        reason,
        "(3×)",
        f"quarantine/{_run_of(execution)}/",
        f"{window.start} to {window.end}",
    )
    assert "Test Item" not in execution.message, "a cause must not hold what is in a record"
    assert pipeline.destination() == {}


def test_a_rejected_share_just_above_the_threshold_fails(pipeline: Pipeline, window: Window) -> None:
    pipeline.put(pipeline.item(f"{n}", window.at(n)) for n in range(94))
    pipeline.put(pipeline.item(f"bad{n}", window.at(n), value={"N": "-1"}) for n in range(5))

    execution = pipeline.fail(window.input)

    expect_failure(execution, "QualityGateError", "Gate", "5 of 99 items were rejected, 5.1 %")
    assert pipeline.destination() == {}


def test_a_destination_that_refuses_too_much_fails_the_run(pipeline: Pipeline, window: Window) -> None:
    pipeline.put([pipeline.largest_item("large", window.at(99)), pipeline.item("a", window.at(1))])

    execution = pipeline.fail(window.input)

    expect_failure(execution, "QualityGateError", "Finish", "1 of 2 items were rejected, 50.0 %")
    assert pipeline.loaded_names() == {"a"}


def _run_of(execution: Execution) -> str:
    """The timestamp of a run that failed."""
    return str(execution.results("Plan")[0]["run"]["timestamp"])


class Damage(NamedTuple):
    """A change of a staged object just before it is read, and the execution's message."""

    function: str
    key: str
    damage: Callable[[bytes], bytes | None]  # None removes the object
    state: str
    words: str


REMOVED = "is missing: it was removed or has expired"
CHANGED = "isn't the array that the stage before wrote: its ETag isn't that of its seal"
OBJECTS = {
    "extract": ("etl-transform", "extract/{run}/data.json", "Transform"),
    "transform": ("etl-load", "transform/{run}/data.json", "Load"),
    "partial": ("etl-transform", "transform/{run}/partials/0000-0000.json", "Gate"),
    "rejected by transform": ("etl-transform", "quarantine/{run}/transform-0000-0000.json", "Gate"),
    "rejected by load": ("etl-load", "quarantine/{run}/load-0000-0000.json", "Finish"),
}
DAMAGES = {
    f"{name}, {how}": Damage(function, key, damage, state, words)
    for name, (function, key, state) in OBJECTS.items()
    for how, damage, words in (
        ("removed", lambda _: None, REMOVED),
        ("one digit changed", lambda body: body.replace(b"1", b"2", 1), CHANGED),
    )
}
for how, damage in {
    "cut off": lambda body: body[: len(body) // 2],
    "one record less": lambda body: b"[\n" + body.split(b"\n", 2)[2],
    "two records swapped": lambda body: b"\n".join([*(lines := body.split(b"\n"))[:1], lines[2], lines[1], *lines[3:]]),
    "no record at all": lambda _: b"[\n]\n",
}.items():
    for name in ("extract", "transform"):
        function, key, state = OBJECTS[name]
        DAMAGES[f"{name}, {how}"] = Damage(function, key, damage, state, CHANGED)


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_staged_object(pipeline: Pipeline, window: Window, name: str) -> None:
    damage = DAMAGES[name]
    pipeline.put_some_of_each(window)
    numbers, bucket = Numbering(), pipeline.deployed.staging_bucket
    prefix, suffix = damage.key.split("{run}")

    def damage_before_the_first_reading(request: Request) -> Answer:
        reading = request.operation.startswith(f"GET /{bucket}/{prefix}") and request.operation.endswith(suffix)
        if reading and numbers.next() == 1:
            key = request.operation.removeprefix(f"GET /{bucket}/")
            body = damage.damage(pipeline.body(key))
            if body is None:
                pipeline.clients.s3.delete_object(Bucket=bucket, Key=key)
            else:
                pipeline.clients.s3.put_object(Bucket=bucket, Key=key, Body=body)
        return request.forward()

    with pipeline.interposed(damage.function, "S3", damage_before_the_first_reading):
        execution = pipeline.fail(window.input)

    key = damage.key.format(run=_run_of(execution))
    expect_failure(execution, "StagingError", damage.state, f"{key} {damage.words}", "start a new run of the")
    if damage.state != "Finish":
        assert pipeline.destination() == {}


@both_modes
def test_one_segment_that_fails_fails_the_run_with_its_own_error(pipeline: Pipeline, window: Window) -> None:
    pipeline.put(pipeline.item(f"{n:03d}", window.at(n)) for n in range(60))
    suffix = "/0001-0000.json"

    def remove_before_reading(request: Request) -> Answer:
        bucket = pipeline.deployed.staging_bucket
        if request.operation.startswith(f"GET /{bucket}/extract/") and request.operation.endswith(suffix):
            key = request.operation.removeprefix(f"GET /{bucket}/")
            pipeline.clients.s3.delete_object(Bucket=pipeline.deployed.staging_bucket, Key=key)
        return request.forward()

    with (
        pipeline.configured("etl-extract", SEGMENT_BYTES="1500", CONCURRENCY="3"),
        pipeline.interposed("etl-transform", "S3", remove_before_reading),
    ):
        execution = pipeline.fail(window.input)

    expect_failure(execution, "StagingError", "Transform", suffix, "is missing", "start a new run of the same window")
    assert pipeline.destination() == {}


def test_without_the_error_of_its_segment_that_of_the_map_stays(distributed: Deployed) -> None:
    stepfunctions = distributed.clients.stepfunctions
    machine = stepfunctions.describe_state_machine(stateMachineArn=distributed.state_machine_arn)
    states = {
        name: state
        for name, state in json.loads(machine["definition"])["States"].items()
        if name in ("FindMapRun", "FindFailedSegment", "ReadFailure", *FAILING)
    }
    states["FindMapRun"].pop("Retry")
    alone = stepfunctions.create_state_machine(
        name="failure-without-a-map-run",
        definition=json.dumps({"StartAt": "FindMapRun", "States": states}),
        roleArn=machine["roleArn"],
    )
    failure = {"Error": "States.ExceedToleratedFailureThreshold", "Cause": "its own"}
    given = {"run": {}, "failure": {"Load": failure}}
    arn = stepfunctions.start_execution(stateMachineArn=alone["stateMachineArn"], input=json.dumps(given))[
        "executionArn"
    ]

    def ended() -> Any:
        found = stepfunctions.describe_execution(executionArn=arn)
        return found if found["status"] != "RUNNING" else None

    found = wait_for("the end of the execution", ended)
    assert (found["status"], found["error"], found["cause"]) == ("FAILED", *failure.values())


@both_modes
def test_a_run_that_failed_can_be_run_again(pipeline: Pipeline, window: Window) -> None:
    items = pipeline.put(pipeline.item(f"{n}", window.at(n)) for n in range(30))
    with pipeline.configured("etl-load", MAX_WRITE_UNITS_PER_SECOND="fast"):
        expect_failure(pipeline.fail(window.input), "ConfigurationError", "Load", "MAX_WRITE_UNITS_PER_SECOND must be")

    pipeline.run(window.input)

    pipeline.expect_destination(items, window.end)
