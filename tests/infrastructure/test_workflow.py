"""The definition of the state machine."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest

from etl.invocation.code_version import engine_version
from tests.infrastructure.synthesis import ACCOUNT, REGION, Synthesized

ORDER = ["Plan", "Extract", "Transform", "Gate", "Load", "Finish"]
SUCCEEDING = ["AnnounceSuccess", "Succeeded"]
FAILING = ["RecordFailure", "AnnounceFailure", "Failed"]
MAPS = {"Extract": "etl-extract", "Transform": "etl-transform", "Load": "etl-load"}
STEPS = {"Plan": "etl-extract", "Gate": "etl-transform", "Finish": "etl-load"}


# An invocation learns that it is a retry. Source: Step Functions developer guide, "Context object data".
RETRY = {"retry.$": "$$.State.RetryCount"}


def arn_of(function: str) -> str:
    return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{function}"


def tasks_of(states: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Iterate over all tasks, those of Maps included."""
    for name, state in states.items():
        if state["Type"] == "Task":
            yield name, state
        elif state["Type"] == "Map":
            yield from tasks_of(state["ItemProcessor"]["States"])


def caught(name: str) -> dict[str, Any]:
    """The Catch of every error of a state."""
    return {"ErrorEquals": ["States.ALL"], "ResultPath": f"$.failure.{name}", "Next": "RecordFailure"}


@pytest.mark.parametrize(
    ("name", "others"),
    [("stack", FAILING), ("distributed_stack", ["FindMapRun", "FindFailedSegment", "ReadFailure", *FAILING])],
)
def test_states_follow_one_another_in_the_specified_order(
    request: pytest.FixtureRequest, name: str, others: list[str]
) -> None:
    definition = request.getfixturevalue(name).definition
    states, order = definition["States"], [definition["StartAt"]]
    while "Next" in (state := states[order[-1]]):
        order.append(state["Next"])

    assert order == [*ORDER, *SUCCEEDING]
    assert states["Succeeded"]["Type"] == "Succeed"
    assert set(states) == {*order, *others}


def test_an_execution_ends_after_30_minutes(stack: Synthesized) -> None:
    assert stack.definition["TimeoutSeconds"] == 30 * 60


def test_plan_gets_input_and_execution_and_makes_the_state(stack: Synthesized) -> None:
    plan = stack.definition["States"]["Plan"]

    assert plan["Parameters"] == RETRY | {
        "action": "plan",
        "engine": engine_version(stack.asset("etl-extract")),
        "input.$": "$",
        "execution": {
            "id.$": "$$.Execution.Id",
            "name.$": "$$.Execution.Name",
            "started_at.$": "$$.Execution.StartTime",
        },
    }
    assert plan["ResultPath"] == "$"


def test_gate_gets_the_segments_and_replaces_the_state(stack: Synthesized) -> None:
    gate = stack.definition["States"]["Gate"]

    assert gate["Parameters"] == RETRY | {"action": "gate", "run.$": "$.run", "segments.$": "$.segments"}
    assert gate["ResultPath"] == "$"


def test_the_result_of_finish_is_the_output_of_the_execution(stack: Synthesized) -> None:
    finish = stack.definition["States"]["Finish"]

    assert finish["Parameters"] == RETRY | {
        "action": "finish",
        "run.$": "$.run",
        "segments.$": "$.segments",
        "gate.$": "$.gate",
        "finished_at.$": "$$.State.EnteredTime",
    }
    assert finish["ResultPath"] == "$"
    assert stack.definition["States"]["AnnounceSuccess"]["Output"] == "{% $states.input %}"
    assert "Output" not in stack.definition["States"]["Succeeded"]


@pytest.mark.parametrize(("name", "function"), STEPS.items())
def test_each_step_calls_the_function_that_decides_it(stack: Synthesized, name: str, function: str) -> None:
    assert stack.definition["States"][name]["Resource"] == arn_of(function)


@pytest.mark.parametrize("name", MAPS)
def test_a_map_works_on_the_segments_and_replaces_them(stack: Synthesized, name: str) -> None:
    stage = stack.definition["States"][name]

    assert stage["Type"] == "Map"
    assert stage["ItemsPath"] == stage["ResultPath"] == "$.segments"
    assert stage["ItemSelector"] == {"run.$": "$.run", "work.$": "$$.Map.Item.Value"}
    assert stage["ItemProcessor"]["ProcessorConfig"] == {"Mode": "INLINE"}


@pytest.mark.parametrize(("name", "function"), MAPS.items())
def test_a_worker_is_called_again_until_its_segment_is_done(stack: Synthesized, name: str, function: str) -> None:
    processor = stack.definition["States"][name]["ItemProcessor"]
    worker, done, end = f"{name}Segment", f"{name}SegmentDone?", f"{name}SegmentEnd"
    states = processor["States"]

    assert (processor["StartAt"], set(states)) == (worker, {worker, done, end})
    assert states[worker]["Resource"] == arn_of(function)
    assert states[worker]["Parameters"] == RETRY | {"action": name.lower(), "run.$": "$.run", "work.$": "$.work"}
    assert (states[worker]["ResultPath"], states[worker]["Next"]) == ("$.work", done)
    assert states[done]["Choices"] == [{"Variable": "$.work.cursor", "IsPresent": True, "Next": worker}]
    assert states[done]["Default"] == end
    assert (states[end]["Type"], states[end]["OutputPath"]) == ("Succeed", "$.work")


@pytest.mark.parametrize("name", MAPS)
def test_more_than_40_workers_make_the_map_a_distributed_one(
    stack: Synthesized, distributed_stack: Synthesized, name: str
) -> None:
    inline, distributed = (copy.deepcopy(each.definition["States"][name]) for each in (stack, distributed_stack))

    assert distributed.pop("Label") == name
    # An express execution ends after 5 minutes: a worker that ran out of time could not be called again.
    assert distributed["ItemProcessor"].pop("ProcessorConfig") == {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}
    assert inline["ItemProcessor"].pop("ProcessorConfig") == {"Mode": "INLINE"}
    assert (inline.pop("MaxConcurrency"), distributed.pop("MaxConcurrency")) == (40, 41)
    inline.pop("Catch")
    distributed.pop("Catch")
    assert distributed == inline, "what a segment is and what is done with it depends on the kind of Map"


@pytest.mark.parametrize("name", MAPS)
def test_a_distributed_map_fails_at_the_first_segment_that_does(distributed_stack: Synthesized, name: str) -> None:
    # None is tolerated unless it is said. Source: Step Functions developer guide, "Distributed Map failure threshold".
    assert not [field for field in distributed_stack.definition["States"][name] if field.startswith("Tolerated")]


@pytest.mark.parametrize("name", MAPS)
def test_a_distributed_map_fails_with_the_error_of_its_segment(distributed_stack: Synthesized, name: str) -> None:
    states = distributed_stack.definition["States"]

    assert states[name]["Catch"] == [
        {
            "ErrorEquals": ["States.ExceedToleratedFailureThreshold"],
            "ResultPath": f"$.failure.{name}",
            "Next": "FindMapRun",
        },
        caught(name),
    ]
    followed = ["FindMapRun"]
    while "Next" in (state := states[followed[-1]]):
        followed.append(state["Next"])
    assert followed == ["FindMapRun", "FindFailedSegment", "ReadFailure", *FAILING]
    for each in followed[: -len(FAILING)]:
        assert states[each]["Catch"] == [
            {
                "ErrorEquals": ["States.ALL"],
                "Next": "RecordFailure",
                "Output": {"failure": "{% $states.input.failure %}"},
            }
        ], "without the segment's error the Map's own must stay"


def test_concurrency_is_that_of_the_settings(stack: Synthesized, tuned_stack: Synthesized) -> None:
    assert {stack.definition["States"][name]["MaxConcurrency"] for name in MAPS} == {40}
    assert {tuned_stack.definition["States"][name]["MaxConcurrency"] for name in MAPS} == {7}


def test_every_task_is_retried_after_what_passes(stack: Synthesized) -> None:
    tasks = dict(tasks_of(stack.definition["States"]))
    for name in ("RecordFailure", "AnnounceFailure", "AnnounceSuccess"):
        tasks.pop(name)

    assert set(tasks) == {*STEPS, *(f"{name}Segment" for name in MAPS)}
    for name, task in tasks.items():
        assert task["Retry"] == [
            {
                "ErrorEquals": ["Lambda.TooManyRequestsException"],
                "IntervalSeconds": 2,
                "MaxAttempts": 200,
                "BackoffRate": 2,
                "MaxDelaySeconds": 30,
                "JitterStrategy": "FULL",
            },
            {
                "ErrorEquals": [
                    "Lambda.ServiceException",
                    "Lambda.AWSLambdaException",
                    "Lambda.SdkClientException",
                    "Lambda.ClientExecutionTimeoutException",
                    "Lambda.Unknown",
                    "Sandbox.Timedout",
                    "Runtime.ExitError",
                    "Runtime.OutOfMemory",
                    "TransientError",
                ],
                "IntervalSeconds": 2,
                "MaxAttempts": 6,
                "BackoffRate": 2,
                "MaxDelaySeconds": 60,
                "JitterStrategy": "FULL",
            },
        ], name


@pytest.mark.parametrize("name", ORDER)
def test_every_error_ends_in_a_failed_execution_with_its_cause(stack: Synthesized, name: str) -> None:
    states = stack.definition["States"]

    assert states[name]["Catch"] == [caught(name)]
    assert states["RecordFailure"]["Next"] == "AnnounceFailure"
    assert states["AnnounceFailure"]["Next"] == "Failed"
    assert states["Failed"]["Type"] == "Fail"
    assert states["Failed"]["ErrorPath"] == "$.failure.Error"
    assert states["Failed"]["CausePath"] == "$.failure.Cause"


def test_errors_that_are_retried_exist_in_the_functions() -> None:
    from etl.model import errors
    from serverless_app.constructs.workflow import TRANSIENT_ERRORS

    own = [name for name in TRANSIENT_ERRORS if "." not in name]

    assert own == ["TransientError"]
    assert all(issubclass(getattr(errors, name), errors.EtlError) for name in own)


def test_the_state_machine_is_traced_and_logs_no_data(stack: Synthesized) -> None:
    machine = stack.named("AWS::StepFunctions::StateMachine", "etl-pipeline")
    group = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/vendedlogs/states/etl-pipeline:*"

    assert machine["StateMachineType"] == "STANDARD"
    assert machine["TracingConfiguration"] == {"Enabled": True}
    assert machine["LoggingConfiguration"] == {
        "Destinations": [{"CloudWatchLogsLogGroup": {"LogGroupArn": group}}],
        "IncludeExecutionData": False,
        "Level": "ALL",
    }
