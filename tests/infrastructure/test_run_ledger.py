"""The recording of ends in the ledger: states of the workflow, the recorder, and the rule that starts it."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any

import pytest

from etl.model.statuses import LONGEST_RUN
from tests.infrastructure.synthesis import ACCOUNT, REGION, Synthesized

RECORDED = "DynamoDB.ConditionalCheckFailedException"


def recorder(stack: Synthesized) -> dict[str, Any]:
    machine = stack.named("AWS::StepFunctions::StateMachine", "etl-pipeline-recorder")
    definition: dict[str, Any] = json.loads(machine["DefinitionString"])
    return definition


@pytest.fixture(params=["RecordFailure", "Record"])
def record(request: pytest.FixtureRequest, stack: Synthesized) -> dict[str, Any]:
    """A state that writes into the ledger."""
    states = {**stack.definition["States"], **recorder(stack)["States"]}
    return dict(states[request.param])


def test_an_end_is_written_without_a_function(record: dict[str, Any]) -> None:
    assert record["Resource"] == "arn:aws:states:::dynamodb:updateItem"
    assert record["Arguments"]["TableName"] == "etl-run-ledger"
    assert record["Arguments"]["Key"]["kind"] == {"S": "run"}


def test_the_states_write_the_attributes_of_the_functions(record: dict[str, Any]) -> None:
    from etl.model import ledger_fields

    names = record["Arguments"]["ExpressionAttributeNames"]

    assert set(names.values()) == {"status", "stage", "error", "cause", "finished_at", "execution", "started_at"}
    assert all(f"``{name}``" in (ledger_fields.__doc__ or "") for name in names.values())


def test_every_name_and_value_is_used_and_given(record: dict[str, Any]) -> None:
    arguments = record["Arguments"]
    used = set(re.findall(r"[#:]\w+", arguments["UpdateExpression"] + arguments["ConditionExpression"]))

    assert used == {*arguments["ExpressionAttributeNames"], *arguments["ExpressionAttributeValues"]}


def test_a_kept_status_is_not_retried_and_other_errors_are(record: dict[str, Any]) -> None:
    assert record["Retry"] == [
        {"ErrorEquals": [RECORDED], "MaxAttempts": 0},
        {"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "MaxAttempts": 3, "BackoffRate": 2},
    ]


def test_a_run_fails_with_its_error_even_without_an_entry(stack: Synthesized) -> None:
    record = stack.definition["States"]["RecordFailure"]
    failure = "{% $lookup($states.input.failure, $keys($states.input.failure)[-1]) %}"
    [caught] = record["Catch"]

    assert (caught["ErrorEquals"], caught["Next"]) == (["States.ALL"], record["Next"])
    assert record["Output"]["failure"] == caught["Output"]["failure"] == failure
    # Without an entry there is still all that the states know of the end.
    told = record["Output"]["end"].partition("$states.result")[0]
    assert caught["Output"]["end"] == f"{told}{{}}]) %}}"
    assert "$states.result" not in caught["Output"]["end"]


def test_without_a_history_the_recorder_writes_all_the_same(stack: Synthesized) -> None:
    states = recorder(stack)["States"]

    assert states["FindStage"]["Next"] == "Record"
    assert states["FindStage"]["Catch"] == [
        {"ErrorEquals": ["States.ALL"], "Next": "Record", "Output": "{% $states.input %}"}
    ]
    # The answer must fit a state: 256 KiB.
    assert states["FindStage"]["Arguments"]["IncludeExecutionData"] is False
    assert states["FindStage"]["Arguments"]["MaxResults"] <= 300
    assert states["Record"]["Catch"] == [{"ErrorEquals": [RECORDED], "Next": "Known"}]


def test_the_recorder_knows_the_states_of_the_workflow(stack: Synthesized) -> None:
    states = [name for name, state in stack.definition["States"].items() if state["Type"] in ("Task", "Map")]
    for name in ("RecordFailure", "AnnounceFailure", "AnnounceSuccess"):
        states.remove(name)

    assert f"[{', '.join(map(repr, states))}]" in recorder(stack)["States"]["FindStage"]["Output"]


def test_the_recorder_is_traced_limited_in_time_and_logs_no_data(stack: Synthesized) -> None:
    machine = stack.named("AWS::StepFunctions::StateMachine", "etl-pipeline-recorder")

    assert machine["TracingConfiguration"] == {"Enabled": True}
    assert machine["LoggingConfiguration"]["IncludeExecutionData"] is False
    assert recorder(stack)["TimeoutSeconds"] == 300


def test_every_end_but_success_starts_the_recorder(stack: Synthesized) -> None:
    rule = stack.named("AWS::Events::Rule", "etl-pipeline-ended")
    machine = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:etl-pipeline"

    # Source: Step Functions developer guide, "Events for Step Functions in EventBridge".
    assert rule["EventPattern"] == {
        "source": ["aws.states"],
        "detail-type": ["Step Functions Execution Status Change"],
        "detail": {"stateMachineArn": [machine], "status": ["FAILED", "TIMED_OUT", "ABORTED"]},
    }
    [target] = rule["Targets"]
    assert target["Arn"] == f"{machine}-recorder"
    assert target["DeadLetterConfig"] == {"Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:etl-pipeline-dead-letters"}
    assert rule["State"] == "ENABLED"


def test_the_rule_watches_runs_that_are_started_by_hand_too(tuned_stack: Synthesized) -> None:
    assert tuned_stack.named("AWS::Events::Rule", "etl-daily-schedule")["State"] == "DISABLED"
    assert tuned_stack.named("AWS::Events::Rule", "etl-pipeline-ended")["State"] == "ENABLED"


def test_the_longest_run_is_that_of_the_time_outs(stack: Synthesized) -> None:
    functions = [stack.named("AWS::Lambda::Function", f"etl-{stage}") for stage in ("extract", "transform", "load")]
    longest = timedelta(seconds=stack.definition["TimeoutSeconds"] + max(each["Timeout"] for each in functions))

    assert longest == LONGEST_RUN
