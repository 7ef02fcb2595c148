"""The run ledger: the entry of an execution wherever it ends, and the watermark, where the next one continues."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.pipeline.execution import Execution, Window, text
from tests.pipeline.interposer import Answer, Request
from tests.pipeline.ledger import Ledger
from tests.pipeline.modes import both_modes, both_modes_within_maps
from tests.pipeline.pipeline import Pipeline, wait_for
from tests.support import ROOT

NIGHT = timedelta(days=1)


def night(window: Window, number: int) -> dict[str, str]:
    """The input of the scheduled run that begins so many days after the window's start."""
    return {"time": text(window.first + number * NIGHT)}


def put_days(pipeline: Pipeline, window: Window, days: int) -> None:
    """An item at noon of each of the window's first days, by the day's number."""
    pipeline.put(pipeline.item(f"{day}", window.at(24 * 60 * day + 720)) for day in range(days))


def test_a_successful_run_is_entered_and_moves_the_watermark(
    pipeline: Pipeline, window: Window, ledger: Ledger
) -> None:
    put_days(pipeline, window, 1)
    ledger.begin(window.first)

    execution = pipeline.run(night(window, 1))

    entry = ledger.entry(execution.arn)
    assert entry.pop("started_at") < entry.pop("finished_at")
    assert entry == {
        "kind": "run",
        "id": execution.arn.rpartition(":")[2],
        "status": "SUCCEEDED",
        "run": execution.run,
        "execution": execution.arn,
        "window_start": text(window.first - timedelta(minutes=15)),
        "window_end": window.end,
        "segments": 1,
        "origin": "schedule",
        "counts": execution.counts,
    }
    assert ledger.watermark() == window.end


def test_three_missed_days_are_healed_by_one_run(pipeline: Pipeline, window: Window, ledger: Ledger) -> None:
    put_days(pipeline, window, 5)
    ledger.begin(window.first)
    pipeline.run(night(window, 1))
    assert pipeline.loaded_names() == {"0"}
    # One night never started, one is stopped by its gate, one by a function that is broken.
    with pipeline.configured("etl-load", MAX_WRITE_UNITS_PER_SECOND="fast"):
        pipeline.fail(night(window, 4))
    assert ledger.watermark() == window.end

    execution = pipeline.run(night(window, 5))

    assert pipeline.loaded_names() == {"0", "1", "2", "3", "4"}
    assert execution.counts["loaded"] == 4
    assert execution.output["window"]["start"] == window.at(24 * 60 - 15)
    assert ledger.watermark() == text(window.first + 5 * NIGHT)


def test_an_old_event_moves_the_first_watermark_a_day_at_most(
    pipeline: Pipeline, window: Window, ledger: Ledger
) -> None:
    put_days(pipeline, window, 1)

    execution = pipeline.run(night(window, 1))

    started = datetime.fromisoformat(ledger.entry(execution.arn)["started_at"]).replace(microsecond=0)
    assert pipeline.loaded_names() == {"0"}
    assert ledger.watermark() == text(started - NIGHT)
    assert pipeline.run({}).output["window"]["start"] >= text(started - NIGHT - timedelta(hours=1))


def test_the_cause_names_an_input_beyond_the_catch_up_limit(pipeline: Pipeline, window: Window, ledger: Ledger) -> None:
    put_days(pipeline, window, 1)
    ledger.begin(window.first - 40 * NIGHT)

    failed = pipeline.fail(night(window, 1))

    entry = ledger.entry(failed.arn)
    assert (entry["status"], entry["stage"], entry["error"]) == ("FAILED", "Plan", "CatchUpError")
    (given,) = re.findall(r"--input '(\{.*?\})'", failed.message)
    pipeline.run(json.loads(given))
    assert pipeline.loaded_names() == {"0"}
    assert ledger.watermark() == window.end
    assert pipeline.run(night(window, 2)).output["window"]["start"] == window.at(24 * 60 - 15)


def test_a_backfill_sets_no_watermark_and_leaves_no_gap(pipeline: Pipeline, window: Window, ledger: Ledger) -> None:
    first, second = window.end, text(window.first + 2 * NIGHT)
    backfilled = pipeline.run(window.input)
    assert ledger.watermark() is None
    assert ledger.entry(backfilled.arn)["status"] == "SUCCEEDED"

    ledger.begin(window.first)
    pipeline.run({"start": first, "end": second})
    assert ledger.watermark() == window.start, "what lies before the backfill is still missing"
    pipeline.run({"start": window.start, "end": second})
    assert ledger.watermark() == second
    pipeline.run(window.input)
    assert ledger.watermark() == second


def test_gaps_are_filled_by_the_listed_commands(pipeline: Pipeline, window: Window, ledger: Ledger) -> None:
    put_days(pipeline, window, 3)
    ledger.begin(window.first)
    first, second, third = (text(window.first + days * NIGHT) for days in (1, 2, 3))
    pipeline.run(night(window, 1))
    pipeline.run({"start": second, "end": third})

    status, found = gaps(pipeline, window)
    gap, behind = found["gaps"][:2]  # runs of other tests lie further behind
    assert (status, gap["start"], gap["end"], behind["start"]) == (1, first, second, third)
    assert (found["watermark"], found["behind"]) == (first, None)

    started = subprocess.run(
        shlex.split(gap["command"]), env=pipeline.deployed.environment.environ(), capture_output=True, check=True
    )
    assert pipeline.ended(json.loads(started.stdout)["executionArn"]).status == "SUCCEEDED"
    assert pipeline.loaded_names() == {"0", "1", "2"}
    _, found = gaps(pipeline, window)
    assert found["gaps"][0]["start"] == third
    assert (found["watermark"], found["behind"]["start"], found["behind"]["end"]) == (second, second, third)


def gaps(pipeline: Pipeline, window: Window) -> tuple[int, Any]:
    """The exit code and the findings of `etl gaps`, from a window on."""
    done = subprocess.run(
        [ROOT / ".venv" / "bin" / "etl", "gaps", "--json", "--since", window.start],
        env=pipeline.deployed.environment.environ(),
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, json.loads(done.stdout)


def test_two_runs_at_once(pipeline: Pipeline, window: Window, ledger: Ledger) -> None:
    put_days(pipeline, window, 2)
    ledger.begin(window.first)
    pipeline.run(night(window, 1))

    started = [pipeline.start(night(window, 2)) for _ in range(2)]
    executions = [pipeline.ended(arn) for arn in started]

    assert [execution.status for execution in executions] == ["SUCCEEDED"] * 2
    assert executions[0].run != executions[1].run
    assert [ledger.entry(arn)["counts"]["loaded"] for arn in started] == [1, 1]
    assert pipeline.loaded_names() == {"0", "1"}
    assert ledger.watermark() == text(window.first + 2 * NIGHT)


@both_modes_within_maps(
    ("function", "setting", "value", "state"),
    ("etl-extract", "SOURCE_TABLE", "", "Plan"),
    ("etl-transform", "REJECT_THRESHOLD_PERCENT", "five", "Transform"),
    ("etl-load", "MAX_WRITE_UNITS_PER_SECOND", "fast", "Load"),
)
def test_a_failure_is_entered_with_stage_error_and_cause(
    pipeline: Pipeline, window: Window, function: str, setting: str, value: str, state: str
) -> None:
    variables: dict[str, Any] = {setting: value}
    with pipeline.configured(function, **variables):
        execution = pipeline.fail(window.input)

    expect_entered(pipeline, execution, state, "ConfigurationError", setting)


def expect_entered(pipeline: Pipeline, execution: Execution, stage: str, error: str, words: str) -> None:
    """A failure is entered, with the execution's own error and cause."""
    entry = Ledger(pipeline).entry(execution.arn)
    described = pipeline.clients.stepfunctions.describe_execution(executionArn=execution.arn)
    assert (entry["status"], entry["stage"], entry["error"]) == ("FAILED", stage, error)
    assert entry["cause"] == described["cause"]
    assert words in entry["cause"]
    assert entry["execution"] == execution.arn
    assert entry["started_at"] < entry["finished_at"]


def test_a_gate_that_stops_a_run_is_entered(pipeline: Pipeline, window: Window) -> None:
    pipeline.put(pipeline.item(f"{n}", window.at(n), value={"N": "-1"}) for n in range(3))

    execution = pipeline.fail(window.input)

    expect_entered(pipeline, execution, "Gate", "QualityGateError", "3 of 3 items were rejected")
    assert Ledger(pipeline).entry(execution.arn)["window_start"] == window.start


def test_an_input_that_is_refused_is_entered(pipeline: Pipeline) -> None:
    execution = pipeline.fail({"lookback": 24})

    expect_entered(pipeline, execution, "Plan", "InputError", "unknown field")


@pytest.mark.parametrize(("stage", "state"), [("extract", "Plan"), ("load", "Load")])
def test_a_function_that_cannot_start_is_entered(pipeline: Pipeline, window: Window, stage: str, state: str) -> None:
    lambda_, function = pipeline.clients.lambda_, f"etl-{stage}"
    lambda_.update_function_configuration(FunctionName=function, Handler="etl.gone.handler")
    try:
        execution = pipeline.fail(window.input)
    finally:
        lambda_.update_function_configuration(FunctionName=function, Handler=f"etl.{stage}.handler")

    expect_entered(pipeline, execution, state, execution.error, "etl.gone")


@contextmanager
def held(pipeline: Pipeline, given: Any) -> Iterator[str]:
    """Start an execution and hold it in Transform; gives its ARN once it is there."""
    reached, release = threading.Event(), threading.Event()

    def hold(request: Request) -> Answer:
        reached.set()
        release.wait(60)
        return request.forward()

    with pipeline.interposed("etl-transform", "S3", hold):
        arn = pipeline.start(given)
        try:
            assert reached.wait(60)
            yield arn
        finally:
            release.set()


def event(arn: str, status: str, **more: Any) -> dict[str, Any]:
    """An event that tells how an execution ended.

    Source: Step Functions developer guide, "Automating Step Functions event delivery with EventBridge".
    """
    execution, name = arn.rpartition(":")[0], arn.rpartition(":")[2]
    return {
        "version": "0",
        "id": "315c1398-40ff-a850-213b-158f73e60175",
        "detail-type": "Step Functions Execution Status Change",
        "source": "aws.states",
        "account": "000000000000",
        "time": "2019-02-26T19:42:21Z",
        "region": "us-east-1",
        "resources": [arn],
        "detail": {
            "executionArn": arn,
            "stateMachineArn": execution.replace(":execution:", ":stateMachine:"),
            "name": name,
            "status": status,
            "startDate": 1551225271984,
            "stopDate": 1551225278451,
            "input": "{}",
            "output": None,
            "error": None,
            "cause": None,
            **more,
        },
    }


def record(pipeline: Pipeline, given: dict[str, Any], machine: str = "") -> list[str]:
    """Have the recorder take an event; gives the states that it entered."""
    machine = machine or f"{pipeline.deployed.state_machine_arn}-recorder"
    started = pipeline.clients.stepfunctions.start_execution(stateMachineArn=machine, input=json.dumps(given))
    recorded = pipeline.ended(started["executionArn"])
    assert recorded.status == "SUCCEEDED", recorded.message
    return recorded.entered()


@both_modes
def test_the_recorder_enters_a_run_that_is_stopped_or_too_long(pipeline: Pipeline, window: Window) -> None:
    ledger = Ledger(pipeline)
    put_days(pipeline, window, 1)

    with held(pipeline, window.input) as arn:
        before = ledger.entry(arn)
        # The emulator knows no time limit of a state machine.
        record(pipeline, event(arn, "TIMED_OUT", error="States.Timeout"))
        timed_out = ledger.entry(arn)
        pipeline.clients.stepfunctions.stop_execution(executionArn=arn)
        stopped = wait_for("the entry", lambda: (e := ledger.entry(arn))["status"] == "ABORTED" and e)

    assert (before["status"], before["window_end"]) == ("RUNNING", window.end)
    timed_out_end = {"stage": "Transform", "error": "States.Timeout", "finished_at": "2019-02-26T23:54:38.451Z"}
    assert timed_out["status"] == "TIMED_OUT"
    assert timed_out.items() >= timed_out_end.items()
    assert "30 minutes" in timed_out["cause"]
    assert (stopped["stage"], stopped["error"]) == ("Transform", "ABORTED")
    assert stopped["cause"].startswith("The run was stopped")
    assert before.items() - {("status", "RUNNING")} <= stopped.items() - {("status", "ABORTED")}


def test_what_a_run_has_entered_itself_stays(pipeline: Pipeline, window: Window) -> None:
    ledger = Ledger(pipeline)
    failed, succeeded = pipeline.fail({"lookback": 24}), pipeline.run(window.input)
    entries = [ledger.entry(failed.arn), ledger.entry(succeeded.arn)]

    for arn in (failed.arn, succeeded.arn):
        assert record(pipeline, event(arn, "FAILED", error="Other", cause="other")) == ["FindStage", "Record", "Known"]
    assert record(pipeline, event(succeeded.arn, "ABORTED")) == ["FindStage", "Record", "Known"]

    assert [ledger.entry(failed.arn), ledger.entry(succeeded.arn)] == entries


def test_the_recorder_enters_a_failure_that_the_run_could_not(pipeline: Pipeline, window: Window) -> None:
    ledger = Ledger(pipeline)
    with pipeline.configured("etl-load", MAX_WRITE_UNITS_PER_SECOND="fast"):
        failed = pipeline.fail(window.input)
    cause = pipeline.clients.stepfunctions.describe_execution(executionArn=failed.arn)["cause"]
    ledger.forget(failed.arn)

    # The rule may have started the recorder too late to find the entry: it then writes the same.
    record(pipeline, event(failed.arn, "FAILED", error=failed.error, cause=cause))

    entry = ledger.entry(failed.arn)
    assert (entry["status"], entry["stage"], entry["error"]) == ("FAILED", "Load", "ConfigurationError")
    assert (entry["cause"], entry["execution"]) == (cause, failed.arn)


def test_without_a_history_only_the_stage_is_unknown(pipeline: Pipeline) -> None:
    stepfunctions, ledger = pipeline.clients.stepfunctions, Ledger(pipeline)
    machine = stepfunctions.describe_state_machine(stateMachineArn=f"{pipeline.deployed.state_machine_arn}-recorder")
    definition = json.loads(machine["definition"])
    definition["States"]["FindStage"].pop("Retry")
    alone = stepfunctions.create_state_machine(
        name="recorder-at-once", definition=json.dumps(definition), roleArn=machine["roleArn"]
    )
    arn = pipeline.deployed.state_machine_arn.replace(":stateMachine:", ":execution:") + ":never-was"

    record(pipeline, event(arn, "ABORTED", error="Stop", cause="by hand"), alone["stateMachineArn"])

    entry = ledger.entry(arn)
    assert (entry["status"], entry["stage"]) == ("ABORTED", "unknown")
    assert (entry["error"], entry["cause"]) == ("Stop", "by hand")


@pytest.mark.parametrize(
    ("entered", "stage"),
    [
        (["Plan"], "Plan"),
        (["Plan", "Extract", "ExtractSegment", "ExtractSegmentDone?", "ExtractSegment"], "Extract"),
        (["Plan", "Extract", "ExtractSegment", "ExtractSegmentDone?", "ExtractSegmentEnd"], "Extract"),
        (["Plan", "Extract", "Transform", "Gate", "RecordFailure", "Failed"], "Gate"),
        (["Load", "FindMapRun", "FindFailedSegment", "ReadFailure"], "Load"),
        (["etl-load"], "Load"),
        (["Extract", "ExtractSegment", "etl-extract", "Transform", "etl-transform"], "Transform"),
        (["Gate", "etl-transform"], "Gate"),
        ([], None),
    ],
    ids=lambda value: value[-1] if isinstance(value, list) and value else "",
)
def test_the_stage_is_the_last_states_or_its_maps(pipeline: Pipeline, entered: list[str], stage: str | None) -> None:
    stepfunctions = pipeline.clients.stepfunctions
    machine = stepfunctions.describe_state_machine(stateMachineArn=f"{pipeline.deployed.state_machine_arn}-recorder")
    output = json.loads(machine["definition"])["States"]["FindStage"]["Output"]
    # The emulator's histories have no states within a Map, and AWS's have: the expression gets one of AWS's.
    state = {"Type": "Pass", "Output": output.replace("$states.result", "$states.input.history"), "End": True}
    definition = {"QueryLanguage": "JSONata", "StartAt": "FindStage", "States": {"FindStage": state}}
    alone = stepfunctions.create_state_machine(
        name=f"find-stage-{uuid.uuid4()}", definition=json.dumps(definition), roleArn=machine["roleArn"]
    )
    events: list[dict[str, Any]] = [{"Id": 1, "Type": "ExecutionStarted", "ExecutionStartedEventDetails": {}}]
    for name in entered:
        if name.startswith("etl-"):  # tried once more, for want of a place: no state is entered
            called = {"Resource": f"arn:aws:lambda:us-east-1:000000000000:function:{name}"}
            kind = "LambdaFunctionScheduled"
            events.append({"Id": len(events) + 1, "Type": kind, f"{kind}EventDetails": called})
            continue
        details = {"Name": name, "InputDetails": {"Truncated": False}}
        events.append({"Id": len(events) + 1, "Type": "TaskStateEntered", "StateEnteredEventDetails": details})
        events.append({"Id": len(events) + 1, "Type": "LambdaFunctionScheduled"})

    given = json.dumps({"history": {"Events": events[::-1]}})
    started = stepfunctions.start_execution(stateMachineArn=alone["stateMachineArn"], input=given)

    assert pipeline.ended(started["executionArn"]).output.get("stage") == stage
