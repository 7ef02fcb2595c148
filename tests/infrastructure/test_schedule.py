"""The rule that starts the pipeline, and its dead-letter queue."""

from __future__ import annotations

import json
import re

from etl.model.settings import DAILY
from etl.model.windows import LATEST_DELIVERY
from tests.infrastructure.synthesis import ACCOUNT, REGION, Synthesized


def test_the_pipeline_starts_every_day_at_two(stack: Synthesized) -> None:
    rule = stack.named("AWS::Events::Rule", "etl-daily-schedule")

    assert rule["ScheduleExpression"] == DAILY == "cron(0 2 * * ? *)"
    assert rule["State"] == "ENABLED"


def test_the_pipeline_starts_at_the_event_of_the_specification(stack: Synthesized) -> None:
    rule = stack.named("AWS::Events::Rule", "etl-daily-schedule")

    assert rule["EventPattern"] == {"source": ["manual.trigger"], "detail-type": ["ETL Pipeline Trigger"]}


def test_settings_change_the_schedule_and_switch_it_off(tuned_stack: Synthesized) -> None:
    rule = tuned_stack.named("AWS::Events::Rule", "etl-daily-schedule")

    assert rule["ScheduleExpression"] == "rate(6 hours)"
    assert rule["State"] == "DISABLED"


def test_the_rule_starts_the_state_machine_and_nothing_else(stack: Synthesized) -> None:
    [target] = stack.named("AWS::Events::Rule", "etl-daily-schedule")["Targets"]

    assert target["Arn"] == f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:etl-pipeline"


def test_an_execution_gets_time_and_detail_of_the_event(stack: Synthesized) -> None:
    [target] = stack.named("AWS::Events::Rule", "etl-daily-schedule")["Targets"]
    event = {"time": "2026-11-23T02:00:00Z", "detail": {"action": "start", "lookback_hours": 48}}
    transformer = target["InputTransformer"]

    # EventBridge puts a text in quotes and an object without.
    values = {name: json.dumps(event[path.removeprefix("$.")]) for name, path in transformer["InputPathsMap"].items()}
    rendered = re.sub(r"<(\w+)>", lambda match: values[match[1]], transformer["InputTemplate"])

    assert json.loads(rendered) == event


def test_an_event_without_a_start_is_kept_for_14_days(stack: Synthesized) -> None:
    [target] = stack.named("AWS::Events::Rule", "etl-daily-schedule")["Targets"]
    queue = stack.named("AWS::SQS::Queue", "etl-pipeline-dead-letters")

    assert target["RetryPolicy"] == {"MaximumEventAgeInSeconds": 7200, "MaximumRetryAttempts": 185}
    assert target["DeadLetterConfig"] == {"Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:etl-pipeline-dead-letters"}
    assert queue["MessageRetentionPeriod"] == 14 * 24 * 3600
    assert queue["SqsManagedSseEnabled"] is True


def test_the_latest_delivery_is_that_of_the_rule(stack: Synthesized) -> None:
    [target] = stack.named("AWS::Events::Rule", "etl-daily-schedule")["Targets"]

    assert target["RetryPolicy"]["MaximumEventAgeInSeconds"] == LATEST_DELIVERY.total_seconds()
