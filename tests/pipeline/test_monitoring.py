"""The signals of the deployed pipeline: events, lines that are metrics, the watermark's age, a dashboard."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from etl_cli.local.clients import Clients
from tests.pipeline.execution import Execution, Window
from tests.pipeline.interposer import Answer, Numbering, Request
from tests.pipeline.ledger import Ledger
from tests.pipeline.listening import Listener, listening
from tests.pipeline.modes import both_modes
from tests.pipeline.pipeline import Pipeline, wait_for
from tests.pipeline.test_ledger import event, held, record
from tests.support import ROOT

PAGE = (ROOT / "docs" / "monitoring.md").read_text()


@pytest.fixture
def listener(pipeline: Pipeline) -> Iterator[Listener]:
    with listening(pipeline.clients) as made:
        yield made


def documented(detail_type: str) -> dict[str, Any]:
    """The example of an event on the page."""
    examples = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)]
    [found] = [example for example in examples if example["detail-type"] == detail_type]
    return dict(found)


def shape(value: Any) -> Any:
    """The shape of a JSON value: names, and kinds of values."""
    if isinstance(value, dict):
        return {name: shape(each) for name, each in value.items()}
    return type(value).__name__


def expect_documented(event: dict[str, Any]) -> None:
    """The event is made as its example on the page is; which counts a run has depends on the run."""
    example = documented(event["detail-type"])
    assert event["source"] == example["source"] == "etl-pipeline"
    found, expected = shape(event["detail"]), shape(example["detail"])
    assert set(found.pop("counts", {}).values()) == set(expected.pop("counts", {}).values())
    assert found == expected


@both_modes
def test_a_run_that_succeeded_is_told_once(pipeline: Pipeline, window: Window, listener: Listener) -> None:
    pipeline.put([pipeline.item("a", window.at(5))])

    execution = pipeline.run(window.input)

    told = listener.one(execution.arn)
    expect_documented(told)
    assert told["detail-type"] == "ETL Pipeline Run Succeeded"
    detail = told["detail"]
    assert detail["started_at"] < detail["finished_at"]
    assert (detail["status"], detail["run"], detail["window"]) == ("SUCCEEDED", execution.run, window.input)
    assert detail["counts"] == execution.counts
    assert "status" in execution.output, "the output is the report, and no answer of EventBridge"


@both_modes
def test_a_run_that_failed_is_told_once_with_what_to_do(pipeline: Pipeline, window: Window, listener: Listener) -> None:
    with pipeline.configured("etl-load", MAX_WRITE_UNITS_PER_SECOND="fast"):
        execution = pipeline.fail(window.input)

    told = listener.one(execution.arn)
    expect_documented(told)
    detail, entry = told["detail"], Ledger(pipeline).entry(execution.arn)
    assert told["detail-type"] == "ETL Pipeline Run Failed"
    assert (detail["status"], detail["stage"], detail["error"]) == ("FAILED", "Load", "ConfigurationError")
    assert (detail["run"], detail["window"]) == (entry["run"], window.input)
    assert detail["cause"] == execution.message, "the message alone, and not the JSON around it"
    assert "Deploy the stack again" in detail["remedy"]
    # The recorder has come behind it, and found it recorded.
    wait_for_the_recorder(pipeline, execution.arn)
    assert len(listener.of(execution.arn)) == 1


def wait_for_the_recorder(pipeline: Pipeline, arn: str) -> None:
    """Wait until the recorder is done with the end of an execution."""
    machine = f"{pipeline.deployed.state_machine_arn}-recorder"

    def done() -> bool:
        started = pipeline.clients.stepfunctions.list_executions(stateMachineArn=machine)["executions"]
        described = (
            pipeline.clients.stepfunctions.describe_execution(executionArn=each["executionArn"]) for each in started
        )
        return any(arn in each["input"] and each["status"] != "RUNNING" for each in described)

    wait_for("the recorder", done, 20)


def test_a_plan_that_fails_has_neither_run_nor_window_to_tell(pipeline: Pipeline, listener: Listener) -> None:
    execution = pipeline.fail({"lookback": 24})

    detail = listener.one(execution.arn)["detail"]
    assert (detail["stage"], detail["error"]) == ("Plan", "InputError")
    assert not {"run", "window"} & detail.keys()


def test_what_a_run_cannot_tell_itself_the_recorder_tells(
    pipeline: Pipeline, window: Window, listener: Listener
) -> None:
    with held(pipeline, window.input) as arn:
        record(pipeline, event(arn, "TIMED_OUT", error="States.Timeout"))
        timed_out = listener.one(arn)
        pipeline.clients.stepfunctions.stop_execution(executionArn=arn)
        wait_for("a second event", lambda: len(listener.of(arn)) > 1, 20)

    for told, status in zip(listener.of(arn), ("TIMED_OUT", "ABORTED"), strict=True):
        expect_documented(told)
        detail = told["detail"]
        assert (detail["status"], detail["stage"], detail["window"]) == (status, "Transform", window.input)
    assert "docs/scaling.md" in timed_out["detail"]["remedy"]
    assert "stopped the run" in listener.of(arn)[1]["detail"]["remedy"]


def test_a_run_ends_as_it_does_when_its_end_cannot_be_told(pipeline: Pipeline, window: Window) -> None:
    stepfunctions = pipeline.clients.stepfunctions
    machine = stepfunctions.describe_state_machine(stateMachineArn=pipeline.deployed.state_machine_arn)
    definition = json.loads(machine["definition"])
    for name in ("AnnounceSuccess", "AnnounceFailure"):
        state = definition["States"][name]
        state.pop("Retry")
        state["Arguments"]["Entries"] *= 11  # PutEvents takes ten
    mute = stepfunctions.create_state_machine(
        name=f"mute-{uuid.uuid4()}", definition=json.dumps(definition), roleArn=machine["roleArn"]
    )["stateMachineArn"]

    def ended(given: Any) -> Execution:
        started = stepfunctions.start_execution(stateMachineArn=mute, input=json.dumps(given))
        return pipeline.ended(started["executionArn"])

    succeeded, failed = ended(window.input), ended({"lookback": 24})

    assert (succeeded.status, succeeded.output["status"]) == ("SUCCEEDED", "success")
    assert succeeded.entered()[-2:] == ["AnnounceSuccess", "Succeeded"]
    assert (failed.status, failed.error) == ("FAILED", "InputError")
    assert "unknown field" in failed.message
    assert "TaskFailed" in [each["type"] for each in succeeded.events]


@pytest.mark.parametrize(
    ("cause", "told"),
    [
        ('{"errorMessage": "it is \\"late\\"", "errorType": "X"}', 'it is "late"'),
        ('{"errorMessage": "cut off', '{"errorMessage": "cut off'),
        ("{}", "{}"),
        ("", ""),
        ("plain text", "plain text"),
        ("x" * 32_768, "x" * 8000),
        (json.dumps({"errorMessage": "é" * 30_000}), "é" * 8000),
    ],
    ids=["of a function", "cut off", "without a message", "empty", "plain", "long", "long and of a function"],
)
def test_the_cause_that_is_told_is_for_people(pipeline: Pipeline, cause: str, told: str) -> None:
    stepfunctions = pipeline.clients.stepfunctions
    machine = stepfunctions.describe_state_machine(stateMachineArn=pipeline.deployed.state_machine_arn)
    [entry] = json.loads(machine["definition"])["States"]["AnnounceFailure"]["Arguments"]["Entries"]
    state = {"Type": "Pass", "Output": entry["Detail"], "End": True}
    alone = stepfunctions.create_state_machine(
        name=f"detail-{uuid.uuid4()}",
        definition=json.dumps({"QueryLanguage": "JSONata", "StartAt": "Detail", "States": {"Detail": state}}),
        roleArn=machine["roleArn"],
    )["stateMachineArn"]
    given = json.dumps({"end": {"error": "Unheard.Of", "cause": cause}})

    started = stepfunctions.start_execution(stateMachineArn=alone, input=given)["executionArn"]

    detail = pipeline.ended(started).output
    assert detail["cause"] == told
    assert detail["remedy"].startswith("Look at the history of the execution")


def lines_of(clients: Clients, run: str) -> list[dict[str, Any]]:
    """The functions' log of a run, as CloudWatch gets it."""
    found = []
    for function in ("etl-extract", "etl-transform", "etl-load"):
        pages = clients.logs.get_paginator("filter_log_events").paginate(logGroupName=f"/aws/lambda/{function}")
        texts = [each["message"].strip() for page in pages for each in page["events"]]
        found += [json.loads(each) for each in texts if each.startswith("{") and f'"{run}"' in each]
    return found


def sums(lines: list[dict[str, Any]]) -> dict[str, float]:
    """The sums of the metrics without a dimension, as CloudWatch makes them."""
    added: dict[str, float] = {}
    for line in lines:
        for directive in line["_aws"]["CloudWatchMetrics"]:
            for name in [each["Name"] for each in directive["Metrics"] if directive["Dimensions"] == [[]]]:
                added[name] = added.get(name, 0) + line[name]
    return added


def test_metrics_count_once_what_is_tried_again(pipeline: Pipeline, window: Window) -> None:
    pipeline.put(
        [pipeline.item(f"{n:02d}", window.at(n)) for n in range(30)] + [pipeline.item("bad", window.at(1), value=None)]
    )
    numbers = Numbering()

    def die_once(request: Request) -> Answer | None:
        answer = request.forward()
        if request.operation == "BatchWriteItem" and numbers.next() == 2:
            pipeline.kill("etl-load")
            return None
        return answer

    with pipeline.interposed("etl-load", "DYNAMODB", die_once):
        execution = pipeline.run(window.input)

    assert execution.failures("Load") == ["Runtime.ExitError"]
    lines = lines_of(pipeline.clients, execution.run)
    assert [line["action"] for line in lines] == ["plan", "extract", "transform", "gate", "load", "finish"]
    assert all(line["trace"].startswith("1-") and line["execution"] in execution.arn for line in lines)
    counts = execution.counts
    assert sums(lines) == {
        "ItemsScanned": counts["scanned"],
        "ItemsRead": 31,
        "ItemsTransformed": 30,
        "ItemsDropped": 0,
        "ItemsRejected": 1,
        "ItemsUntimed": 0,
        "ItemsLoaded": 30,
        "ItemsSuperseded": 0,
        "BytesStaged": counts["extract_bytes"] + counts["transform_bytes"],
        "Throttles": 0,
        "Retries": 1,
        "NearLimit": 0,
        "RejectedShare": round(100 / 31, 3),
    }


def measure(pipeline: Pipeline) -> None:
    """Have the watch measure once."""
    machine = f"{pipeline.deployed.state_machine_arn}-watch"
    started = pipeline.clients.stepfunctions.start_execution(stateMachineArn=machine, input="{}")
    measured = pipeline.ended(started["executionArn"])
    assert measured.status == "SUCCEEDED", measured.message


def ages(pipeline: Pipeline) -> tuple[float, float]:
    """The smallest and the largest age, in seconds, that the watch has measured."""
    cloudwatch = pipeline.clients.session.client("cloudwatch", **pipeline.clients.options)
    now = datetime.now(UTC)
    found = cloudwatch.get_metric_statistics(
        Namespace="EtlPipeline",
        MetricName="WatermarkAge",
        StartTime=now - timedelta(hours=1),
        EndTime=now + timedelta(minutes=1),
        Period=60,
        Statistics=["Minimum", "Maximum"],
        Unit="Seconds",
    )["Datapoints"]
    return min(each["Minimum"] for each in found), max(each["Maximum"] for each in found)


def test_the_watermarks_age_is_measured_even_without_one(pipeline: Pipeline, ledger: Ledger) -> None:
    measure(pipeline)
    youngest, _ = ages(pipeline)
    assert 0 < youngest < 3600, "without a watermark it is the age of the state machine"

    ancient = datetime(1999, 1, 1, tzinfo=UTC)
    ledger.begin(ancient)
    measure(pipeline)

    _, oldest = ages(pipeline)
    assert oldest == pytest.approx((datetime.now(UTC) - ancient).total_seconds(), abs=120)


def test_the_age_is_measured_once_more_after_a_run(pipeline: Pipeline, window: Window) -> None:
    machine = f"{pipeline.deployed.state_machine_arn}-watch"

    def measured() -> int:
        return len(pipeline.clients.stepfunctions.list_executions(stateMachineArn=machine)["executions"])

    before = measured()
    pipeline.run(window.input)

    wait_for("a measurement", lambda: measured() > before, 20)


def test_alarms_dashboard_and_topic_are_there(pipeline: Pipeline) -> None:
    session, options = pipeline.clients.session, pipeline.clients.options
    cloudwatch, sns = session.client("cloudwatch", **options), session.client("sns", **options)

    alarms = cloudwatch.describe_alarms(AlarmNamePrefix="etl-pipeline-")["MetricAlarms"]
    board = json.loads(cloudwatch.get_dashboard(DashboardName=f"etl-pipeline-{session.region_name}")["DashboardBody"])
    [topic] = {each for alarm in alarms for each in alarm["AlarmActions"]}

    assert {alarm["AlarmName"] for alarm in alarms} == set(re.findall(r"^\| `(etl-pipeline-[a-z-]+)` \|", PAGE, re.M))
    [shown] = [each["properties"]["alarms"] for each in board["widgets"] if each["type"] == "alarm"]
    assert sorted(shown) == sorted(alarm["AlarmArn"] for alarm in alarms)
    assert sns.get_topic_attributes(TopicArn=topic)["Attributes"]["TopicArn"] == topic
