"""The watch, which measures the age of the watermark while nothing runs."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.infrastructure.synthesis import ACCOUNT, REGION, Synthesized

WATCH = "etl-pipeline-watch"


@pytest.fixture(scope="module")
def definition(stack: Synthesized) -> dict[str, Any]:
    machine = stack.named("AWS::StepFunctions::StateMachine", WATCH)
    found: dict[str, Any] = json.loads(machine["DefinitionString"])
    return found


def test_without_a_watermark_the_age_is_that_of_the_pipeline(definition: dict[str, Any]) -> None:
    states = definition["States"]

    assert definition["StartAt"] == "ReadWatermark"
    assert states["ReadWatermark"]["Arguments"] == {
        "Key": {"kind": {"S": "watermark"}, "id": {"S": "watermark"}},
        "TableName": "etl-run-ledger",
        "ConsistentRead": True,
    }
    assert states["ReadWatermark"]["Next"] == "Found?"
    assert states["Found?"]["Choices"] == [{"Condition": "{% $exists($states.input.since) %}", "Next": "Measure"}]
    assert states["Found?"]["Default"] == "ReadCreation"
    assert states["ReadCreation"]["Arguments"] == {
        "StateMachineArn": f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:etl-pipeline"
    }
    assert states["ReadCreation"]["Next"] == "Measure"
    assert states["Measure"]["End"] is True


def test_the_age_is_in_seconds_without_a_dimension(definition: dict[str, Any]) -> None:
    measure = definition["States"]["Measure"]

    assert measure["Resource"] == "arn:aws:states:::aws-sdk:cloudwatch:putMetricData"
    assert measure["Arguments"]["Namespace"] == "EtlPipeline"
    [metric] = measure["Arguments"]["MetricData"]
    assert (metric["MetricName"], metric["Unit"]) == ("WatermarkAge", "Seconds")
    assert metric.keys() == {"MetricName", "Unit", "Value"}


def test_the_age_is_measured_in_each_period_and_after_a_run(stack: Synthesized) -> None:
    rule = stack.named("AWS::Events::Rule", WATCH)

    assert rule["ScheduleExpression"] == "cron(7/15 * * * ? *)"
    assert stack.named("AWS::CloudWatch::Alarm", "etl-pipeline-data-late")["Period"] == 15 * 60
    assert rule["EventPattern"] == {"source": ["etl-pipeline"], "detail-type": ["ETL Pipeline Run Succeeded"]}
    [target] = rule["Targets"]
    assert target["Arn"] == f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:{WATCH}"


def test_the_watch_works_with_a_disabled_schedule(tuned_stack: Synthesized) -> None:
    assert tuned_stack.named("AWS::Events::Rule", "etl-daily-schedule")["State"] == "DISABLED"
    assert tuned_stack.named("AWS::Events::Rule", WATCH)["State"] == "ENABLED"


def test_the_watch_is_an_express_workflow_that_logs_no_data(stack: Synthesized, definition: dict[str, Any]) -> None:
    machine = stack.named("AWS::StepFunctions::StateMachine", WATCH)

    assert machine["StateMachineType"] == "EXPRESS"
    assert machine["TracingConfiguration"] == {"Enabled": True}
    assert machine["LoggingConfiguration"]["IncludeExecutionData"] is False
    # Source: Step Functions developer guide, "Choosing workflow type": an express execution takes at most 5 minutes.
    assert definition["TimeoutSeconds"] <= 300
