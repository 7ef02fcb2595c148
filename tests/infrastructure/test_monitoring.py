"""The alarms, their metrics, and their topic."""

from __future__ import annotations

import re
from typing import Any

import pytest
from aws_cdk import Duration
from aws_cdk.assertions import Match, Template

from etl.invocation.metrics import UNITS
from etl.model.names import ETL
from serverless_app.constructs.pipeline_metrics import WATERMARK_AGE, pipeline_metric
from tests.infrastructure.synthesis import ACCOUNT, REGION, Synthesized

MACHINE = {"StateMachineArn": f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:etl-pipeline"}
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:etl-pipeline-alarms"
# Of each alarm: namespace, metric, dimensions, statistic, seconds of a period, periods, and the value it must exceed.
ALARMS: dict[str, tuple[str, str, dict[str, str], str, int, int, float]] = {
    "execution-failed": ("AWS/States", "ExecutionsFailed", MACHINE, "Sum", 300, 1, 0),
    "execution-timed-out": ("AWS/States", "ExecutionsTimedOut", MACHINE, "Sum", 300, 1, 0),
    "execution-throttled": ("AWS/States", "ExecutionThrottled", MACHINE, "Sum", 300, 2, 0),
    "recorder-failed": (
        *("AWS/States", "ExecutionsFailed", {"StateMachineArn": f"{MACHINE['StateMachineArn']}-recorder"}),
        *("Sum", 300, 1, 0),
    ),
    "start-lost": (
        *("AWS/SQS", "ApproximateNumberOfMessagesVisible", {"QueueName": "etl-pipeline-dead-letters"}),
        *("Maximum", 300, 1, 0),
    ),
    "data-late": ("EtlPipeline", "WatermarkAge", {}, "Minimum", 900, 2, 26 * 3600),
    "rejected-share": ("EtlPipeline", "RejectedShare", {}, "Maximum", 300, 1, 1),
    "items-untimed": ("EtlPipeline", "ItemsUntimed", {}, "Sum", 300, 1, 0),
    "function-limit": ("EtlPipeline", "NearLimit", {}, "Sum", 300, 1, 0),
    "source-throttled": (
        *("AWS/DynamoDB", "ReadThrottleEvents", {"TableName": "etl-source-data"}),
        *("Sum", 300, 2, 0),
    ),
    "destination-throttled": (
        *("AWS/DynamoDB", "WriteThrottleEvents", {"TableName": "etl-destination-data"}),
        *("Sum", 300, 2, 0),
    ),
}
# Source: CloudWatch API reference, PutMetricAlarm.
MOST_DESCRIPTION = 1024
MOST_SECONDS_OF_SHORT_PERIODS = 86_400


def alarm_of(stack: Synthesized, name: str) -> dict[str, Any]:
    return stack.named("AWS::CloudWatch::Alarm", f"etl-pipeline-{name}")


def test_there_are_these_alarms_with_and_without_an_address(stack: Synthesized, tuned_stack: Synthesized) -> None:
    for each in (stack, tuned_stack):
        alarms = [alarm["Properties"]["AlarmName"] for alarm in each.of_type("AWS::CloudWatch::Alarm").values()]
        assert sorted(alarms) == sorted(f"etl-pipeline-{name}" for name in ALARMS)


@pytest.mark.parametrize("name", ALARMS)
def test_an_alarm_is_about_its_metric(stack: Synthesized, name: str) -> None:
    alarm = alarm_of(stack, name)

    found = (
        alarm["Namespace"],
        alarm["MetricName"],
        {each["Name"]: each["Value"] for each in alarm.get("Dimensions", [])},
        alarm["Statistic"],
        alarm["Period"],
        alarm["EvaluationPeriods"],
        alarm["Threshold"],
    )
    assert found == ALARMS[name]
    assert alarm["ComparisonOperator"] == "GreaterThanThreshold"
    assert "DatapointsToAlarm" not in alarm, "all of the periods must be above the threshold"
    assert alarm["Period"] * alarm["EvaluationPeriods"] <= MOST_SECONDS_OF_SHORT_PERIODS


@pytest.mark.parametrize("name", ALARMS)
def test_only_a_missing_watermark_age_rings_an_alarm(stack: Synthesized, name: str) -> None:
    # Otherwise the alarms on DynamoDB's metrics keep their state until the next throttling.
    assert alarm_of(stack, name)["TreatMissingData"] == ("breaching" if name == "data-late" else "notBreaching")


@pytest.mark.parametrize("name", ALARMS)
def test_an_alarm_goes_to_the_topic_and_says_what_to_do(stack: Synthesized, name: str) -> None:
    alarm = alarm_of(stack, name)

    assert alarm["AlarmActions"] == [TOPIC]
    assert alarm.get("OKActions", []) == ([TOPIC] if name == "data-late" else [])
    assert alarm.get("ActionsEnabled", True) is True
    assert 100 < len(alarm["AlarmDescription"]) <= MOST_DESCRIPTION
    assert alarm["AlarmDescription"].isascii()


def test_thresholds_are_those_of_the_settings(tuned_stack: Synthesized) -> None:
    late, rejected = alarm_of(tuned_stack, "data-late"), alarm_of(tuned_stack, "rejected-share")

    assert (late["Threshold"], rejected["Threshold"]) == (9 * 3600, 0.5)
    assert " 9 hours" in late["AlarmDescription"]
    assert "0.5 %" in rejected["AlarmDescription"]
    assert "(1024 MB)" in alarm_of(tuned_stack, "function-limit")["AlarmDescription"]


def test_a_disabled_schedule_disables_the_late_alarm(tuned_stack: Synthesized) -> None:
    assert alarm_of(tuned_stack, "data-late")["ActionsEnabled"] is False


_REPORT = "REPORT RequestId: 7\tDuration: 9 ms\tBilled Duration: 9 ms\tMemory Size: 512 MB\tMax Memory Used: 98 MB"
# Lines of Lambda's, and whether they say that it stopped a function, or that its process ended.
LAST_LINES = {
    f"{_REPORT}\tStatus: timeout": True,
    f"{_REPORT}\tStatus: error\tError Type: Runtime.OutOfMemory": True,
    f"{_REPORT}\tStatus: error\tError Type: Runtime.ExitError": True,
    "2025-11-03T02:05:00.000Z 7 Task timed out after 300.00 seconds": True,
    "RequestId: 7 Error: Runtime exited with error: signal: killed\nRuntime.ExitError": True,
    f"{_REPORT}\tStatus: error\tError Type: QualityGateError": False,
    f"{_REPORT}\tStatus: error\tError Type: Runtime.ImportModuleError": False,
    _REPORT: False,
    "START RequestId: 7 Version: $LATEST": False,
    '{"level": "ERROR", "action": "load", "error": "TransientError"}': False,
}


def has_a_term(pattern: str, line: str) -> bool:
    """Whether a line matches a pattern of optional terms: it has one of them, in this case.

    Source: CloudWatch Logs user guide, "Filter pattern syntax", Matching terms in unstructured log events.
    """
    terms = re.findall(r'\?"([^"]+)"', pattern)
    assert pattern == " ".join(f'?"{term}"' for term in terms), "another kind of pattern"
    return any(term in line for term in terms)


@pytest.mark.parametrize("stage", ["extract", "transform", "load"])
def test_a_function_that_lambda_stops_counts_as_near_a_limit(stack: Synthesized, stage: str) -> None:
    filters = [stack.resolve(each["Properties"]) for each in stack.of_type("AWS::Logs::MetricFilter").values()]
    [found] = [each for each in filters if each["LogGroupName"] == f"/aws/lambda/etl-{stage}"]

    for line, counts in LAST_LINES.items():
        assert has_a_term(found["FilterPattern"], line) is counts, line
    assert found["MetricTransformations"] == [
        {"MetricName": "NearLimit", "MetricNamespace": "EtlPipeline", "MetricValue": "1", "Unit": "Count"}
    ]


def test_functions_or_watch_report_each_metric_of_an_alarm() -> None:
    own = {metric for namespace, metric, *_ in ALARMS.values() if namespace == ETL.namespace}

    assert own - UNITS.keys() == {WATERMARK_AGE}


def test_a_metric_that_nothing_reports_is_refused() -> None:
    with pytest.raises(KeyError, match="ItemsRaed"):
        pipeline_metric(ETL, "ItemsRaed", "Sum", Duration.minutes(5))


def test_only_an_address_in_the_settings_gets_the_alarms(stack: Synthesized, tuned_stack: Synthesized) -> None:
    assert not stack.of_type("AWS::SNS::Subscription")
    [subscription] = tuned_stack.of_type("AWS::SNS::Subscription").values()
    assert tuned_stack.resolve(subscription["Properties"]) == {
        "Protocol": "email",
        "Endpoint": "ops@example.com",
        "TopicArn": TOPIC,
    }


def test_the_alarms_may_use_the_key_of_the_topic(stack: Synthesized) -> None:
    topic = stack.named("AWS::SNS::Topic", "etl-pipeline-alarms")
    [key] = stack.of_type("AWS::KMS::Key").values()
    [alarms] = [
        each
        for each in stack.resolve(key["Properties"]["KeyPolicy"]["Statement"])
        if each["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    ]

    assert topic["KmsMasterKeyId"].startswith(f"arn:aws:kms:{REGION}:{ACCOUNT}:key/")
    assert alarms["Action"] == ["kms:Decrypt", "kms:GenerateDataKey*"]
    assert alarms["Condition"] == OWN_ALARMS
    assert key["Properties"]["EnableKeyRotation"] is True


OWN_ALARMS = {
    "StringEquals": {"aws:SourceAccount": ACCOUNT},
    "ArnLike": {"aws:SourceArn": f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:etl-pipeline-*"},
}


def test_only_the_alarms_may_publish_and_only_over_tls(stack: Synthesized) -> None:
    [policy] = stack.of_type("AWS::SNS::TopicPolicy").values()
    statements = stack.resolve(policy["Properties"]["PolicyDocument"]["Statement"])
    by_effect = {each["Effect"]: each for each in statements}

    assert len(statements) == 2
    assert by_effect["Deny"]["Principal"] == "*"
    assert by_effect["Deny"]["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    # A policy of its own replaces the topic's default, which lets the account's alarms publish.
    assert by_effect["Allow"]["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    assert by_effect["Allow"]["Condition"] == OWN_ALARMS
    assert {each["Action"] for each in statements} == {"sns:Publish"}
    assert policy["Properties"]["Topics"] == [{"Ref": "MonitoringAlarmsTopic63051086"}]


def test_the_bucket_measures_its_requests(stack: Synthesized) -> None:
    Template.from_json(stack.template).has_resource_properties(
        "AWS::S3::Bucket", {"MetricsConfigurations": [{"Id": "EntireBucket", "Prefix": Match.absent()}]}
    )
