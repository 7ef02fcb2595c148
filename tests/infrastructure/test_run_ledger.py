"""What writes the ends of runs into the ledger: states of the workflow, the recorder, and the rule that starts it."""

from __future__ import annotations

import json
import re
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from etl.model.statuses import LONGEST_RUN
from tests.infrastructure.synthesis import ACCOUNT, REGION, ROOT, Synthesized

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


def test_what_is_written_are_the_attributes_that_the_functions_write(record: dict[str, Any]) -> None:
    from etl import ledger

    names = record["Arguments"]["ExpressionAttributeNames"]

    assert set(names.values()) == {"status", "stage", "error", "cause", "finished_at", "execution", "started_at"}
    assert all(f"``{name}``" in (ledger.__doc__ or "") for name in names.values())


def test_every_name_and_value_is_used_and_given(record: dict[str, Any]) -> None:
    arguments = record["Arguments"]
    used = set(re.findall(r"[#:]\w+", arguments["UpdateExpression"] + arguments["ConditionExpression"]))

    assert used == {*arguments["ExpressionAttributeNames"], *arguments["ExpressionAttributeValues"]}


def test_what_the_entry_keeps_is_not_tried_again_and_whatever_else_fails_is(record: dict[str, Any]) -> None:
    assert record["Retry"] == [
        {"ErrorEquals": [RECORDED], "MaxAttempts": 0},
        {"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "MaxAttempts": 3, "BackoffRate": 2},
    ]


def test_a_run_fails_with_its_error_whatever_becomes_of_its_entry(stack: Synthesized) -> None:
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


def test_the_recorder_is_valid_amazon_states_language(stack: Synthesized, tmp_path: Path) -> None:
    definition = tmp_path / "definition.json"
    definition.write_text(json.dumps(recorder(stack)))
    validator = ROOT / "node_modules" / ".bin" / "asl-validator"

    done = subprocess.run([validator, "--json-path", definition], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr


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


def test_a_run_without_an_end_is_taken_as_ended_when_it_must_have(stack: Synthesized) -> None:
    functions = [stack.named("AWS::Lambda::Function", f"etl-{stage}") for stage in ("extract", "transform", "load")]
    longest = timedelta(seconds=stack.definition["TimeoutSeconds"] + max(each["Timeout"] for each in functions))

    assert longest == LONGEST_RUN
