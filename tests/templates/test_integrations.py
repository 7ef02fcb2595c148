"""The check of the state machines' calls: accepted calls, and each kind of mistake that it finds."""

from __future__ import annotations

from typing import Any

import pytest

from tests.infrastructure.conftest import distributed_stack, stack, tuned_stack  # noqa: F401 - fixtures
from tests.templates.__main__ import called
from tests.templates.integrations import problems, tasks

SDK, OPTIMIZED = "arn:aws:states:::aws-sdk:", "arn:aws:states:::"
UPDATE: dict[str, Any] = {"TableName": "t", "Key": {"id": {"S": "{% $states.input.id %}"}}}


def state(resource: str, arguments: Any, **more: Any) -> dict[str, Any]:
    """A definition of one state in JSONata that makes this call."""
    call = {"Type": "Task", "Resource": resource, "Arguments": arguments, **more}
    return {"QueryLanguage": "JSONata", "States": {"Call": call}}


@pytest.mark.parametrize("name", ["stack", "distributed_stack", "tuned_stack"])
def test_every_call_of_the_stack_is_right(request: pytest.FixtureRequest, name: str) -> None:
    assert called(request.getfixturevalue(name)) == []


@pytest.mark.parametrize(
    ("resource", "arguments", "says"),
    [
        (f"{SDK}sfn:getExecutionHistories", {}, "sfn has no action getExecutionHistories"),
        (f"{SDK}sfn:GetExecutionHistory", {"ExecutionArn": "arn"}, "sfn has no action GetExecutionHistory"),
        (f"{SDK}stepfunctions:listMapRuns", {"ExecutionArn": "arn"}, "there is no service stepfunctions"),
        (f"{SDK}sfn:listMapRuns", {}, "listMapRuns lacks ExecutionArn"),
        (f"{SDK}sfn:listMapRuns", {"executionArn": "arn"}, "listMapRuns has no parameter executionArn"),
        (f"{SDK}sfn:listExecutions", {"MaxResults": 1001}, "MaxResults must be from 0 to 1000, got 1001"),
        (f"{SDK}sfn:listExecutions", {"MaxResults": "1"}, "MaxResults must be of the type integer"),
        (f"{SDK}sfn:listExecutions", {"MaxResults": True}, "MaxResults must be of the type integer"),
        (f"{SDK}sfn:listExecutions", {"StatusFilter": "BROKEN"}, "StatusFilter must be one of RUNNING"),
        (f"{SDK}cloudwatch:putMetricData", {"Namespace": "n", "MetricData": [{}]}, "MetricData[0] lacks MetricName"),
        (f"{OPTIMIZED}dynamodb:updateItem", UPDATE | {"Upsert": True}, "has no parameter Upsert"),
        (f"{OPTIMIZED}dynamodb:updateItem", UPDATE | {"Key": {"id": {"T": "x"}}}, "Key.id has no parameter T"),
        (f"{OPTIMIZED}dynamodb:updateItem", UPDATE | {"Key": ["id"]}, "Key must be of the type map"),
        (f"{OPTIMIZED}events:putEvents", {"Entries": [{"Name": "x"}]}, "Entries[0] has no parameter Name"),
        ("arn:aws:states:::", {}, "is no function and no integration"),
        ("arn:aws:lambda:::layer:x", {}, "is no function and no integration"),
    ],
)
def test_a_call_that_the_service_refuses_is_told(resource: str, arguments: Any, says: str) -> None:
    told = problems(state(resource, arguments))

    assert says in told[0]
    assert told[0].startswith("Call: ")


def test_values_from_the_state_are_taken_in_both_languages() -> None:
    by_path = {"Type": "Task", "Resource": f"{SDK}sfn:listMapRuns", "Parameters": {"ExecutionArn.$": "$.arn"}}

    assert problems(state(f"{OPTIMIZED}dynamodb:updateItem", UPDATE)) == []
    assert problems({"States": {"Call": by_path}}) == []
    assert problems({"States": {"Call": by_path | {"Parameters": {"Execution.$": "$.arn"}}}}) == [
        "Call: listMapRuns has no parameter Execution",
        "Call: listMapRuns lacks ExecutionArn",
    ]
    assert problems({"States": {"Call": by_path | {"QueryLanguage": "JSONata"}}}) == [
        "Call: Parameters is not read in this query language"
    ]


def test_calls_within_maps_and_branches_are_found() -> None:
    inner = {"States": {"Inner": {"Type": "Task", "Resource": "arn:aws:lambda:::function:f"}}}
    outer = {"Map": {"Type": "Map", "ItemProcessor": inner}, "Both": {"Type": "Parallel", "Branches": [inner]}}

    assert [(name, jsonata) for name, _, jsonata in tasks({"QueryLanguage": "JSONata", "States": outer})] == [
        ("Inner", True),
        ("Inner", True),
    ]
